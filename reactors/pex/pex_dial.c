/* SPDX-License-Identifier: Apache-2.0 */
/* Whom to dial: the outbound target, diversity, feelers, seeds; and what a failure says about an
 * address. */
#include "reactors/pex/pex_internal.h"

#include <string.h>

#include <switchyard/assert.h>

#define DIAL_PATIENCE SY_MIN       /* a dial that nothing was heard of is over */
#define SEED_PAUSE    (5 * SY_MIN) /* between two rounds of seeds while there are peers */
#define BAN_SELF      (365 * SY_DAY)

/* ---- Dials under way ---------------------------------------------------------------------------
 */

pex_dial *pex_dial_find(sy_pex *pex, const sy_node_id *id) {
    for (size_t i = 0; i < pex->dial_count; i++) {
        if (sy_node_id_equal(&pex->dials[i].id, id)) {
            return &pex->dials[i];
        }
    }
    return NULL;
}

void pex_dial_forget(sy_pex *pex, const sy_node_id *id) {
    pex_dial *dial = pex_dial_find(pex, id);
    if (dial != NULL) {
        *dial = pex->dials[--pex->dial_count];
    }
}

void pex_expire_dials(sy_pex *pex, sy_time now) {
    for (size_t i = pex->dial_count; i > 0; i--) {
        if (sy_time_since(now, pex->dials[i - 1].since) >= DIAL_PATIENCE) {
            pex->dials[i - 1] = pex->dials[--pex->dial_count];
        }
    }
}

bool pex_is_seed(const sy_pex *pex, const sy_node_id *id) {
    for (size_t i = 0; i < pex->config.seed_count; i++) {
        if (sy_node_id_equal(&pex->seeds[i].id, id)) {
            return true;
        }
    }
    return false;
}

static bool note_dial(sy_pex *pex, const sy_net_addr *addr, pex_dial_purpose purpose, sy_time now) {
    if (pex->dial_count == SY_PEX_DIALING_MAX) {
        return false;
    }
    const sy_addr_source *source = &pex->config.source;
    pex->dials[pex->dial_count++] = (pex_dial){
        .id = addr->id,
        .addr = *addr,
        .group = source->ops->group(source->source, &addr->endpoint),
        .purpose = purpose,
        .since = now,
    };
    return true;
}

bool pex_dial_start(sy_pex *pex, const sy_net_addr *addr, pex_dial_purpose purpose, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    const sy_walltime wall = pex_wall(pex, now);
    char text[SY_NODE_ID_TEXT_CAP + SY_ENDPOINT_TEXT_CAP];
    char endpoint[SY_ENDPOINT_TEXT_CAP];
    sy_addr target;

    sy_node_id_format(&addr->id, text);
    text[SY_NODE_ID_TEXT_LEN] = '@';
    const size_t len = sy_endpoint_format(&addr->endpoint, endpoint);
    memcpy(text + SY_NODE_ID_TEXT_LEN + 1, endpoint, len);
    const sy_err parsed =
        sy_addr_parse(text, SY_NODE_ID_TEXT_LEN + 1 + len, SY_ADDR_ID_REQUIRED, &target, NULL);
    if (parsed != SY_OK) {
        source->ops->on_bad(source->source, &addr->id, 0, wall);
        return false;
    }
    sy_switch_remember_profile(pex->sw, &addr->id, source->ops->profile(source->source, &addr->id));
    if (pex->dial_count == SY_PEX_DIALING_MAX) {
        return false;
    }
    const sy_err err = sy_switch_dial(pex->sw, &target, SY_DIAL_LEARNED, now);
    if (err == SY_ERR_SELF) {
        source->ops->on_bad(source->source, &addr->id, BAN_SELF, wall);
    }
    if (err != SY_OK) {
        return false;
    }
    source->ops->on_attempt(source->source, &addr->id, wall);
    (void)note_dial(pex, addr, purpose, now);
    pex->counts.dials++;
    return true;
}

bool pex_is_free(sy_pex *pex, const sy_net_addr *addr) {
    return pex_dial_find(pex, &addr->id) == NULL && !pex_is_connected(pex, &addr->id);
}

/* ---- Peers that do not stay --------------------------------------------------------------------
 */

/* SPEC PEX-33: a minute, then twice as long each time, at most an hour. */
void pex_let_rest(sy_pex *pex, const sy_node_id *id, sy_time now) {
    pex_rest *slot = &pex->rests[0];
    for (size_t i = 0; i < PEX_RESTS_MAX; i++) {
        pex_rest *rest = &pex->rests[i];
        if (rest->times > 0 && sy_node_id_equal(&rest->id, id)) {
            slot = rest;
            break;
        }
        if (rest->until < slot->until) {
            slot = rest;
        }
    }
    const bool known = slot->times > 0 && sy_node_id_equal(&slot->id, id);
    const unsigned times = known ? slot->times : 0;
    const sy_duration pause = times < 6 ? SY_MIN << times : SY_HOUR;
    *slot = (pex_rest){*id, sy_time_after(now, pause), times + 1};
}

static bool is_resting(const sy_pex *pex, const sy_node_id *id) {
    for (size_t i = 0; i < PEX_RESTS_MAX; i++) {
        const pex_rest *rest = &pex->rests[i];
        if (rest->times > 0 && pex->now < rest->until && sy_node_id_equal(&rest->id, id)) {
            return true;
        }
    }
    return false;
}

/* ---- The outbound target -----------------------------------------------------------------------
 */

/* SPEC PEX-27: is some outbound peer, or one that we are dialing, of this group? */
static bool group_is_taken(const sy_pex *pex, uint64_t group) {
    for (const pex_peer *entry = pex->peers; entry != NULL; entry = entry->next) {
        if (entry->counts && entry->group == group) {
            return true;
        }
    }
    for (size_t i = 0; i < pex->dial_count; i++) {
        if (pex->dials[i].purpose <= PEX_DIAL_ANCHOR && pex->dials[i].group == group) {
            return true;
        }
    }
    return false;
}

/* SPEC PEX-34: a seed does not keep its visitors. */
static bool allow_free(void *user, const sy_net_addr *addr) {
    sy_pex *pex = user;
    return pex_is_free(pex, addr) && !is_resting(pex, &addr->id) && !pex_is_seed(pex, &addr->id);
}

static bool allow_diverse(void *user, const sy_net_addr *addr) {
    sy_pex *pex = user;
    const sy_addr_source *source = &pex->config.source;
    return !group_is_taken(pex, source->ops->group(source->source, &addr->endpoint)) &&
           allow_free(pex, addr);
}

static size_t count_outbound(const sy_pex *pex) {
    size_t count = 0;
    for (const pex_peer *entry = pex->peers; entry != NULL; entry = entry->next) {
        count += entry->counts;
    }
    for (size_t i = 0; i < pex->dial_count; i++) {
        count += pex->dials[i].purpose <= PEX_DIAL_ANCHOR;
    }
    return count;
}

bool pex_is_short(const sy_pex *pex) {
    return !pex->config.seed_mode && count_outbound(pex) < pex->config.max_outbound;
}

/* SPEC PEX-24 */
static unsigned bias_of(size_t outbound) {
    return (unsigned)(outbound < 8 ? outbound : 8) * 10 + 10;
}

/* SPEC PEX-28 BOOK-35: those that have stayed longest.  The list begins with the youngest.  Whoever
 * came late, perhaps in a flood, is drawn anew; and one place in four is, so that an eclipsed node
 * may find its way out. */
void pex_keep_anchors(sy_pex *pex) {
    const sy_addr_source *source = &pex->config.source;
    sy_net_addr anchors[SY_ADDR_ANCHORS_MAX];
    const size_t share = pex->config.max_outbound - pex->config.max_outbound / 4;
    const size_t cap = share < SY_ADDR_ANCHORS_MAX ? share : SY_ADDR_ANCHORS_MAX;
    size_t count = 0;
    const pex_peer *entry = pex->peers;
    while (entry != NULL && entry->next != NULL) {
        entry = entry->next;
    }
    for (; entry != NULL && count < cap; entry = entry->prev) {
        if (entry->counts) {
            anchors[count++] = entry->remote;
        }
    }
    source->ops->set_anchors(source->source, anchors, count);
}

/* SPEC PEX-28 */
static size_t dial_anchors(sy_pex *pex, size_t room, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    sy_net_addr anchors[SY_ADDR_ANCHORS_MAX];
    size_t dialed = 0;
    const size_t count = source->ops->anchors(source->source, anchors, SY_ADDR_ANCHORS_MAX);
    for (size_t i = 0; i < count && dialed < room; i++) {
        if (pex_is_free(pex, &anchors[i])) {
            dialed += pex_dial_start(pex, &anchors[i], PEX_DIAL_ANCHOR, now);
        }
    }
    return dialed;
}

static bool dial_one(sy_pex *pex, unsigned bias, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    const sy_walltime wall = pex_wall(pex, now);
    sy_addr_query query = {.new_bias = bias, .allow = allow_diverse, .user = pex};
    sy_net_addr addr;
    if (!source->ops->pick(source->source, &query, &addr, wall)) {
        query.allow = allow_free; /* nothing else is left */
        if (!source->ops->pick(source->source, &query, &addr, wall)) {
            return false;
        }
    }
    return pex_dial_start(pex, &addr, PEX_DIAL_PEER, now);
}

static void ask_someone(sy_pex *pex, sy_time now) {
    size_t start = pex->peer_count == 0 ? 0 : (size_t)sy_prng_below(&pex->prng, pex->peer_count);
    pex_peer *entry = pex->peers;
    while (start-- > 0 && entry != NULL) {
        entry = entry->next;
    }
    for (size_t i = 0; i < pex->peer_count; i++) {
        entry = entry == NULL ? pex->peers : entry;
        sy_peer *peer = sy_switch_peer(pex->sw, entry->ref);
        if (peer != NULL && pex_ask(pex, peer, entry, now)) {
            return;
        }
        entry = entry->next;
    }
}

/* SPEC PEX-23: until somebody tells of others, each time half as eagerly. */
static void come_back_sooner(sy_pex *pex, sy_time now) {
    if (pex->short_pause < pex->config.ensure_period) {
        pex->ensure_at = sy_time_after(now, pex->short_pause);
        pex->short_pause *= 2;
    }
}

/* SPEC PEX-23 */
void pex_ensure(sy_pex *pex, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    pex->ensure_at = sy_time_after(now, pex->config.ensure_period);
    pex->now = now;
    pex_expire_dials(pex, now);
    size_t outbound = count_outbound(pex);
    const size_t target = pex->config.max_outbound;
    if (!pex->anchors_done && outbound < target) {
        pex->anchors_done = true;
        outbound += dial_anchors(pex, target - outbound, now);
    }
    size_t tries = outbound < target ? 3 * (target - outbound) : 0;
    bool found = true;
    while (outbound < target && tries-- > 0 && found) {
        found = dial_one(pex, bias_of(outbound), now);
        outbound += found;
    }
    if (outbound >= target) {
        pex->short_pause = PEX_SHORT_PAUSE;
    } else if (!found && pex->peer_count > 0) {
        come_back_sooner(pex, now);
    }
    if (source->ops->wants_more(source->source)) {
        ask_someone(pex, now);
    }
    const bool alone = pex->peer_count == 0 && pex->dial_count == 0;
    if ((alone && now >= pex->alone_at) || (outbound < target && !found && now >= pex->seeds_at)) {
        (void)pex_try_seeds(pex, now);
    }
}

/* SPEC PEX-29 */
void pex_feel(sy_pex *pex, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    const sy_addr_query query = {.new_bias = 100, .allow = allow_free, .user = pex};
    const sy_duration period = pex->config.feeler_period;
    sy_net_addr addr;
    pex->now = now;
    pex->feeler_at = sy_time_after(now, period / 2 + pex_jitter(pex, period));
    if (count_outbound(pex) >= pex->config.max_outbound &&
        source->ops->pick_test(source->source, &query, &addr, pex_wall(pex, now)) &&
        pex_dial_start(pex, &addr, PEX_DIAL_FEELER, now)) {
        pex->counts.feelers++;
    }
}

/* ---- Seeds -------------------------------------------------------------------------------------
 */

sy_err pex_check_seeds(const sy_addr *seeds, size_t count) {
    if (count > SY_PEX_SEEDS_MAX) {
        return SY_ERR_CONFIG;
    }
    for (size_t i = 0; i < count; i++) {
        if (!seeds[i].has_id) {
            return SY_ERR_CONFIG;
        }
    }
    return SY_OK;
}

sy_err sy_pex_set_seeds(sy_pex *pex, const sy_addr *seeds, size_t count, sy_time now) {
    const sy_err err = pex_check_seeds(seeds, count);
    if (err != SY_OK) {
        return err;
    }
    sy_addr *copy = sy_mem_zalloc_array(&pex->mem, count + 1, sizeof *copy);
    if (copy == NULL) {
        return SY_ERR_NOMEM;
    }
    if (count > 0) {
        memcpy(copy, seeds, count * sizeof *copy);
    }
    sy_mem_release(&pex->mem, pex->seeds);
    pex->seeds = copy;
    pex->config.seeds = copy;
    pex->config.seed_count = count;
    pex->seed_next = count; /* none is being tried */
    pex->seeds_at = now;
    pex->alone_at = now;
    if (pex->sw != NULL) {
        pex_ensure_soon(pex, SY_SEC, now);
    }
    return SY_OK;
}

static void shuffle_seeds(sy_pex *pex) {
    const size_t count = pex->config.seed_count;
    for (size_t i = 0; i < count; i++) {
        pex->seed_order[i] = (uint8_t)i;
    }
    for (size_t i = count; i > 1; i--) {
        const size_t k = (size_t)sy_prng_below(&pex->prng, i);
        const uint8_t swap = pex->seed_order[i - 1];
        pex->seed_order[i - 1] = pex->seed_order[k];
        pex->seed_order[k] = swap;
    }
    pex->seed_next = 0;
}

/* SPEC PEX-30: the next seed of the round that can be dialed. */
static bool dial_next_seed(sy_pex *pex, sy_time now) {
    while (pex->seed_next < pex->config.seed_count) {
        const sy_addr *seed = &pex->seeds[pex->seed_order[pex->seed_next++]];
        const sy_net_addr addr = {seed->id, seed->endpoint};
        if (pex_is_free(pex, &addr) && sy_switch_dial(pex->sw, seed, SY_DIAL_ONCE, now) == SY_OK) {
            (void)note_dial(pex, &addr, PEX_DIAL_SEED, now);
            pex->counts.seed_dials++;
            return true;
        }
    }
    return false;
}

bool pex_try_seeds(sy_pex *pex, sy_time now) {
    if (pex->config.seed_count == 0) {
        return false;
    }
    pex->seeds_at = sy_time_after(now, SEED_PAUSE);
    pex->alone_at = sy_time_after(now, pex->alone_pause);
    pex->alone_pause = pex->alone_pause < SEED_PAUSE / 2 ? 2 * pex->alone_pause : SEED_PAUSE;
    shuffle_seeds(pex);
    return dial_next_seed(pex, now);
}

/* ---- What a failure says -----------------------------------------------------------------------
 */

typedef enum judgement {
    JUDGE_NOTHING, /* our own matter */
    JUDGE_THERE,   /* the ID is at this address; we had no room */
    JUDGE_FAILED,
    JUDGE_WRONG, /* another node is there */
    JUDGE_ALIEN, /* another network, or a node that we cannot talk to */
    JUDGE_SELF,
} judgement;

/* SPEC PEX-26 */
static judgement judge(const sy_pex *pex, const sy_reason *reason) {
    if (reason->code == SY_ERR_NI_BLOCK_VERSION && pex->config.versions_open) {
        return JUDGE_NOTHING; /* SPEC SEED-08 */
    }
    switch ((int)reason->code) {
    case SY_ERR_ADMIT_FULL:
    case SY_ERR_ADMIT_TOTAL:
    case SY_ERR_ADMIT_IP:
    case SY_ERR_ADMIT_PREFIX:
        return reason->stage == SY_STAGE_IDENTITY ? JUDGE_THERE : JUDGE_NOTHING;
    case SY_ERR_SELF:
        return JUDGE_SELF;
    case SY_ERR_ID_MISMATCH:
    case SY_ERR_NI_ID_MISMATCH:
        return JUDGE_WRONG;
    case SY_ERR_NI_NETWORK:
    case SY_ERR_NI_BLOCK_VERSION:
    case SY_ERR_NI_VERSION_MAJOR:
    case SY_ERR_NI_VERSION_FORM:
    case SY_ERR_NI_NO_COMMON_CHANNEL:
        return JUDGE_ALIEN;
    case SY_ERR_CONNECT:
    case SY_ERR_CONNECT_TIMEOUT:
    case SY_ERR_RESOLVE:
        return JUDGE_FAILED;
    default:
        break;
    }
    switch (sy_err_class_of(reason->code)) {
    case SY_ERR_CLASS_PEER:
    case SY_ERR_CLASS_CRYPTO:
        return JUDGE_FAILED;
    case SY_ERR_CLASS_CLOSED:
        return reason->code == SY_ERR_SHUTDOWN ? JUDGE_NOTHING : JUDGE_FAILED;
    case SY_ERR_CLASS_OK:
    case SY_ERR_CLASS_USAGE:
    case SY_ERR_CLASS_LOCAL:
        return JUDGE_NOTHING;
    }
    SY_UNREACHABLE();
}

static void tell_source(sy_pex *pex, const sy_net_addr *addr, judgement verdict, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    const sy_walltime wall = pex_wall(pex, now);
    switch (verdict) {
    case JUDGE_NOTHING:
        break;
    case JUDGE_THERE:
        source->ops->on_good(source->source, addr, "", wall);
        break;
    case JUDGE_FAILED:
        source->ops->on_failed(source->source, &addr->id, wall);
        break;
    case JUDGE_WRONG:
        source->ops->on_bad(source->source, &addr->id, 0, wall);
        break;
    case JUDGE_ALIEN:
        source->ops->on_bad(source->source, &addr->id, pex->config.ban, wall);
        break;
    case JUDGE_SELF:
        source->ops->on_bad(source->source, &addr->id, BAN_SELF, wall);
        break;
    }
}

void pex_dial_failed(sy_pex *pex, const sy_addr *addr, const sy_reason *reason, sy_time now) {
    const pex_dial *found = addr->has_id ? pex_dial_find(pex, &addr->id) : NULL;
    if (found == NULL) {
        return; /* not ours: persistent, or the operator's */
    }
    const pex_dial dial = *found;
    const judgement verdict = judge(pex, reason);
    pex_dial_forget(pex, &dial.id);
    pex->counts.feelers_good += dial.purpose == PEX_DIAL_FEELER && verdict == JUDGE_THERE;
    tell_source(pex, &dial.addr, verdict, now);
    if (dial.purpose == PEX_DIAL_SEED && dial_next_seed(pex, now)) {
        return;
    }
    if (dial.purpose != PEX_DIAL_FEELER) {
        pex_ensure_soon(pex, 2 * SY_SEC, now);
    }
}
