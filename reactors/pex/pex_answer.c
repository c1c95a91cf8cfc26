/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of others, and what they get. */
#include <switchyard/assert.h>

#include "base/mutant.h"
#include "reactors/pex/pex_internal.h"

#define SAMPLE_EVENLY 200 /* no preference between tested and untested ones */
#define SEED_BIAS     30  /* SPEC SEED-02: percent of untested ones in a seed's answer */

static void answer(sy_pex *pex, sy_peer *peer, unsigned bias, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    size_t len;
    const size_t count = source->ops->sample(source->source, bias, sy_peer_profile(peer),
                                             pex->sample, SY_ADDR_SAMPLE_MAX, pex_wall(pex, now));
    const sy_err err = sy_pex_encode_addrs(pex_encoding_of(peer), pex->sample, count, pex->out,
                                           sizeof pex->out, &len);
    SY_ASSERT(err == SY_OK);
    if (sy_peer_send(peer, pex->channel, pex->out, len) == SY_SEND_QUEUED) {
        pex->counts.answers_out++;
    }
}

void pex_on_request(sy_pex *pex, sy_peer *peer, pex_peer *entry, sy_time now) {
    pex->counts.requests_in++;
    if (pex->config.seed_mode && !sy_peer_is_outbound(peer)) { /* SPEC SEED-01 SEED-02 */
        if (entry->answered) {
            pex->counts.requests_early++;
            return;
        }
        entry->answered = true;
        answer(pex, peer, SEED_BIAS, now);
        if (SY_MUTANT(SEED_TWICE)) {
            answer(pex, peer, SEED_BIAS, now);
        }
        pex->counts.visitors_served++;
        if (entry->leave_at != SY_NEVER) {
            sy_peer_stop(peer, SY_MUTANT(SEED_EMPTY) ? SY_ERR_REACTOR_CAUSE : SY_ERR_STOPPED,
                         "seed: answered");
        }
        return;
    }
    /* SPEC PEX-14: an early request is no offence. */
    if (!sy_token_bucket_take(&entry->asks, PEX_ASK_COST, now) && !SY_MUTANT(PEX_FLOOD)) {
        if (SY_MUTANT(PEX_EARLY)) {
            sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "early");
        }
        pex->counts.requests_early++;
        return;
    }
    answer(pex, peer, SAMPLE_EVENLY, now);
}
