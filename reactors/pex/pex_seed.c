/* SPDX-License-Identifier: Apache-2.0 */
/* Seed mode: visit what the book knows, ask, leave; and let no visitor stay. */
#include "reactors/pex/pex_internal.h"

#include "base/mutant.h"

static bool allow_free(void *user, const sy_net_addr *addr) {
    return pex_is_free(user, addr);
}

static size_t count_visits(const sy_pex *pex) {
    size_t count = pex->dial_count;
    for (const pex_peer *entry = pex->peers; entry != NULL; entry = entry->next) {
        count += entry->counts;
    }
    return count;
}

/* SPEC SEED-04 SEED-05 */
void pex_crawl(sy_pex *pex, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    const sy_addr_query query = {.allow = allow_free, .user = pex};
    const sy_walltime wall = pex_wall(pex, now);
    const sy_walltime before = {wall.unix_ns - (int64_t)pex->config.crawl_again};
    pex->ensure_at = sy_time_after(now, pex->config.crawl_period);
    pex_expire_dials(pex, now);
    size_t room = pex->config.crawl_parallel;
    room = room > pex->config.max_outbound ? pex->config.max_outbound : room;
    const size_t busy = count_visits(pex);
    room = room > busy ? room - busy : 0;
    bool more = false;
    while (room > 0) {
        sy_net_addr addr;
        more = source->ops->pick_stale(source->source, &query, before, &addr, wall);
        if (!more || !pex_dial_start(pex, &addr, PEX_DIAL_CRAWL, now)) {
            break;
        }
        room--;
    }
    if (source->ops->sizes(source->source).all == 0 && pex->dial_count == 0 &&
        now >= pex->seeds_at) {
        (void)pex_try_seeds(pex, now);
    }
}

/* SPEC SEED-03 SEED-06: whoever has stayed too long goes; a later sweep looks at the others. */
void pex_sweep(sy_pex *pex, sy_time now) {
    pex->sweep_at = SY_NEVER;
    for (pex_peer *entry = pex->peers; entry != NULL; entry = entry->next) {
        if (entry->leave_at > now || SY_MUTANT(SEED_STAY)) {
            pex->sweep_at = sy_time_min(pex->sweep_at, entry->leave_at);
            continue;
        }
        entry->leave_at = SY_NEVER;
        sy_peer *peer = sy_switch_peer(pex->sw, entry->ref);
        if (peer != NULL) {
            sy_peer_stop(peer, SY_ERR_STOPPED,
                         pex->config.seed_mode ? "seed: the visit is over" : "peer exchange done");
        }
    }
}
