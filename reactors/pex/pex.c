/* SPDX-License-Identifier: Apache-2.0 */
/* Peer exchange: life of the reactor, messages, peers.
 *
 *   outbound peer up --> request (the book wants more) --> list --> book --> dial
 *   request --> answer from the book;  seed mode, inbound: answer once, flush, close
 *   list nobody asked for, or that cannot be read --> the peer is stopped for cause */
#include "reactors/pex/pex_internal.h"

#include <stddef.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"

#define ASK_JITTER (2 * SY_SEC)
#define STAY_MIN   (2 * SY_MIN) /* a peer that leaves earlier rests */

/* ---- Time and chance ---------------------------------------------------------------------------
 */

sy_walltime pex_wall(sy_pex *pex, sy_time now) {
    const sy_walltime wall = sy_switch_walltime(pex->sw);
    return wall.unix_ns != 0 ? wall : (sy_walltime){(int64_t)now};
}

sy_duration pex_jitter(sy_pex *pex, sy_duration max) {
    return sy_prng_below(&pex->prng, max + 1);
}

void pex_ensure_soon(sy_pex *pex, sy_duration at_most, sy_time now) {
    const sy_time at = sy_time_after(now, at_most / 8 + pex_jitter(pex, at_most * 7 / 8));
    pex->ensure_at = sy_time_min(pex->ensure_at, at);
}

bool pex_is_connected(sy_pex *pex, const sy_node_id *id) {
    for (const pex_peer *entry = pex->peers; entry != NULL; entry = entry->next) {
        if (sy_node_id_equal(&entry->remote.id, id)) {
            return true;
        }
    }
    return false;
}

void pex_leave_at(sy_pex *pex, pex_peer *entry, sy_time at) {
    entry->leave_at = at;
    pex->sweep_at = sy_time_min(pex->sweep_at, at);
}

sy_pex_encoding pex_encoding_of(const sy_peer *peer) {
    return strcmp(sy_peer_encoding(peer), "proto") == 0 ? SY_PEX_PROTO : SY_PEX_AMINO;
}

/* ---- Asking -----------------------------------------------------------------------------------
 */

/* SPEC PEX-11 PEX-12 */
bool pex_ask(sy_pex *pex, sy_peer *peer, pex_peer *entry, sy_time now) {
    uint8_t request[SY_PEX_REQUEST_CAP];
    if (entry->awaiting || now < entry->may_ask_at || !sy_peer_has_channel(peer, pex->channel)) {
        return false;
    }
    const size_t len = sy_pex_encode_request(pex_encoding_of(peer), request);
    if (sy_peer_send(peer, pex->channel, request, len) != SY_SEND_QUEUED) {
        return false;
    }
    entry->awaiting = true;
    entry->asked_at = now;
    entry->may_ask_at = sy_time_after(now, pex->config.request_gap + pex_jitter(pex, ASK_JITTER));
    pex->counts.requests_out++;
    return true;
}

/* ---- Lists -------------------------------------------------------------------------------------
 */

static void stop_for_cause(sy_pex *pex, sy_peer *peer, const char *text, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    pex->counts.stopped++;
    source->ops->on_bad(source->source, sy_peer_id(peer), pex->config.ban, pex_wall(pex, now));
    sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, text);
}

/* SPEC PEX-20: groups share a bucket only by chance, for nobody knows the key. */
static bool may_tell(sy_pex *pex, uint64_t group, sy_time now) {
    const uint64_t hash = sy_hash(&group, sizeof group, pex->hash_key);
    pex_source *s = &pex->sources[hash & (PEX_SOURCES - 1)];
    const uint64_t earned = sy_time_since(now, s->at) / SY_SEC * PEX_SOURCE_RATE;
    if (s->at == 0 || s->tokens + earned >= PEX_SOURCE_BURST) {
        s->tokens = PEX_SOURCE_BURST;
        s->at = now == 0 ? 1 : now;
    } else if (earned > 0) {
        s->tokens += (uint32_t)earned;
        s->at += earned / PEX_SOURCE_RATE * SY_SEC;
    }
    if (s->tokens == 0) {
        return false;
    }
    s->tokens--;
    return true;
}

/* SPEC PEX-22 */
static void say_strict(sy_pex *pex, size_t refused, sy_time now) {
    if (pex->useful || pex->said_strict) {
        return;
    }
    pex->said_strict = true;
    SY_LOG(&pex->log, SY_LOG_INFO, "pex", "addresses_not_routable", now,
           SY_F_U64("refused", refused),
           SY_F_STR("hint", "every learned address was refused as not routable; on a private "
                            "network set addr_book_strict = false"));
}

static void take_list(sy_pex *pex, sy_peer *peer, pex_peer *entry, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    const sy_pex_encoding encoding = pex_encoding_of(peer);
    const sy_walltime wall = pex_wall(pex, now);
    size_t refused = 0;
    bool fresh = false;
    for (size_t i = 0; i < pex->message.count; i++) {
        sy_addr_news news = {.source = entry->remote,
                             .told = SY_ADDR_TOLD_HEARSAY,
                             .profile = sy_peer_profile(peer)};
        pex->counts.addrs_in++;
        if (!sy_pex_addr_read(encoding, &pex->message.addrs[i], &news.addr)) {
            pex->counts.addrs_malformed++;
            continue;
        }
        if (!may_tell(pex, entry->group, now)) {
            pex->counts.addrs_limited++;
            continue;
        }
        const sy_addr_verdict verdict = source->ops->add(source->source, &news, wall);
        refused += verdict == SY_ADDR_NOT_ROUTABLE;
        fresh |= verdict == SY_ADDR_ADDED || verdict == SY_ADDR_MOVED;
        pex->useful |= verdict <= SY_ADDR_MOVED;
    }
    if (refused > 0) {
        say_strict(pex, refused, now);
    }
    if (fresh) {
        pex_ensure_soon(pex, SY_SEC / 2, now);
    }
}

static void on_list(sy_pex *pex, sy_peer *peer, pex_peer *entry, sy_time now) {
    if (!entry->awaiting && !SY_MUTANT(PEX_UNASKED)) { /* SPEC PEX-16 */
        stop_for_cause(pex, peer, "peer exchange: a list that nobody asked for", now);
        return;
    }
    entry->awaiting = false;
    /* SPEC PEX-12: it had our request before this at the latest, however long it stalled. */
    entry->may_ask_at = sy_time_after(now, pex->config.request_gap + pex_jitter(pex, ASK_JITTER));
    pex->counts.answers_in++;
    take_list(pex, peer, entry, now);
    /* SPEC PEX-31 SEED-06: what we came for. */
    if (entry->was_dialed && entry->purpose >= PEX_DIAL_SEED && entry->leave_at != SY_NEVER) {
        sy_peer_stop(peer, SY_ERR_STOPPED, "peer exchange done");
    }
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    sy_pex *pex = reactor;
    sy_detail detail;
    (void)channel;
    sy_detail_clear(&detail);
    /* SPEC PEX-17: the whole message is judged before anything of it is used. */
    const sy_err err = sy_pex_decode(pex_encoding_of(peer), data, len, &pex->message, &detail);
    if (err != SY_OK && SY_MUTANT(PEX_BAD)) {
        return;
    }
    if (err != SY_OK) { /* SPEC PEX-15 */
        sy_detail text;
        sy_detail_set(&text, "peer exchange: %.150s", detail.text);
        stop_for_cause(pex, peer, text.text, now);
        return;
    }
    if (pex->message.kind == SY_PEX_REQUEST) {
        pex_on_request(pex, peer, state, now);
    } else {
        on_list(pex, peer, state, now);
    }
}

/* ---- Peers -------------------------------------------------------------------------------------
 */

static void link_peer(sy_pex *pex, pex_peer *entry) {
    entry->prev = NULL;
    entry->next = pex->peers;
    if (pex->peers != NULL) {
        pex->peers->prev = entry;
    }
    pex->peers = entry;
    entry->linked = true;
    pex->peer_count++;
}

static void unlink_peer(sy_pex *pex, pex_peer *entry) {
    SY_ASSERT(entry->linked);
    if (entry->prev != NULL) {
        entry->prev->next = entry->next;
    } else {
        pex->peers = entry->next;
    }
    if (entry->next != NULL) {
        entry->next->prev = entry->prev;
    }
    entry->linked = false;
    pex->peer_count--;
}

/* SPEC PEX-18 PEX-19: where an inbound peer says it listens; where it does not say at which IP, or
 * says a name, the socket knows.  The source is the socket's address in any case. */
static void learn_inbound(sy_pex *pex, const sy_peer *peer, const pex_peer *entry, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    const sy_node_info *info = sy_peer_info(peer);
    sy_addr listen;
    if (sy_addr_parse(info->listen_addr.data, info->listen_addr.len, SY_ADDR_LISTEN, &listen,
                      NULL) != SY_OK) {
        return;
    }
    sy_addr_news news = {
        .addr = {entry->remote.id, listen.endpoint},
        .source = entry->remote,
        .told = SY_ADDR_TOLD_SELF,
        .profile = sy_peer_profile(peer),
    };
    if (!listen.is_ip || sy_endpoint_is_any(&listen.endpoint)) {
        news.addr.endpoint = entry->remote.endpoint;
    }
    news.addr.endpoint.port = listen.port;
    if (may_tell(pex, entry->group, now)) {
        const sy_addr_verdict verdict = source->ops->add(source->source, &news, pex_wall(pex, now));
        if (verdict == SY_ADDR_NOT_ROUTABLE) {
            say_strict(pex, 1, now);
        }
        pex->useful |= verdict <= SY_ADDR_MOVED;
        if (pex_is_short(pex)) { /* SPEC PEX-23: it is a peer already, but it may know others */
            pex->short_pause = PEX_SHORT_PAUSE;
            pex_ensure_soon(pex, 2 * SY_SEC, now);
        }
    }
}

/* SPEC PEX-21 */
static void learn_outbound(sy_pex *pex, const sy_peer *peer, const pex_peer *entry, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    const sy_walltime wall = pex_wall(pex, now);
    if (sy_peer_is_persistent(peer)) {
        const sy_addr_news news = {entry->remote, entry->remote, SY_ADDR_TOLD_OPERATOR,
                                   sy_peer_profile(peer)};
        (void)source->ops->add(source->source, &news, wall);
    }
    source->ops->on_good(source->source, &entry->remote, sy_peer_profile(peer), wall);
}

/* How long it may stay. */
static void set_leave(sy_pex *pex, const sy_peer *peer, pex_peer *entry, sy_time now) {
    const char *peer_class = sy_peer_class_text(peer);
    const bool ordinary = strcmp(peer_class, "inbound") == 0 || strcmp(peer_class, "outbound") == 0;
    if (!ordinary) {
        return;
    }
    if (entry->was_dialed && entry->purpose >= PEX_DIAL_SEED) {
        pex_leave_at(pex, entry, sy_time_after(now, pex->config.crawl_wait));
    } else if (pex->config.seed_mode) {
        pex_leave_at(pex, entry, sy_time_after(now, pex->config.visit_max));
    }
}

static sy_err on_peer_init(void *reactor, sy_peer *peer, void *state, sy_time now) {
    const sy_pex *pex = reactor;
    pex_peer *entry = state;
    const sy_addr_source *source = &pex->config.source;
    entry->ref = sy_peer_ref_of(peer);
    entry->remote = (sy_net_addr){*sy_peer_id(peer), *sy_peer_remote(peer)};
    entry->group = source->ops->group(source->source, sy_peer_remote(peer));
    entry->asked_at = SY_NEVER;
    entry->may_ask_at = 0;
    entry->leave_at = SY_NEVER;
    sy_token_bucket_init(&entry->asks, PEX_ASK_RATE, PEX_ASK_BURST, now);
    return SY_OK;
}

static void on_peer_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    sy_pex *pex = reactor;
    pex_peer *entry = state;
    const sy_addr_source *source = &pex->config.source;
    const pex_dial *dial = pex_dial_find(pex, sy_peer_id(peer));
    link_peer(pex, entry);
    if (dial != NULL && sy_peer_is_outbound(peer)) {
        entry->was_dialed = true;
        entry->purpose = dial->purpose;
    }
    pex_dial_forget(pex, sy_peer_id(peer));
    if (!sy_peer_is_outbound(peer)) {
        set_leave(pex, peer, entry, now);
        learn_inbound(pex, peer, entry, now);
        return;
    }
    learn_outbound(pex, peer, entry, now);
    if (entry->was_dialed && entry->purpose == PEX_DIAL_FEELER) { /* SPEC PEX-29 */
        pex->counts.feelers_good++;
        sy_peer_stop(peer, SY_ERR_STOPPED, "feeler");
        return;
    }
    set_leave(pex, peer, entry, now);
    entry->counts = strcmp(sy_peer_class_text(peer), "outbound") == 0 &&
                    !(entry->was_dialed && entry->purpose == PEX_DIAL_SEED);
    if (entry->counts) {
        pex->alone_pause = pex->config.ensure_period;
    }
    const bool visit = entry->was_dialed && entry->purpose >= PEX_DIAL_SEED;
    if ((visit || source->ops->wants_more(source->source)) &&
        !SY_MUTANT(PEX_SHY)) { /* SPEC PEX-10 */
        (void)pex_ask(pex, peer, entry, now);
    }
}

static void on_peer_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                            sy_time now) {
    sy_pex *pex = reactor;
    pex_peer *entry = state;
    if (reason->code == SY_ERR_SHUTDOWN && !pex->anchors_kept) {
        pex->anchors_kept = true;
        if (!pex->config.seed_mode) {
            pex_keep_anchors(pex);
        }
    }
    unlink_peer(pex, entry);
    if (entry->counts) {
        pex->short_pause = PEX_SHORT_PAUSE;
    }
    if (entry->counts && sy_time_since(now, sy_peer_since(peer)) < STAY_MIN) {
        pex_let_rest(pex, &entry->remote.id, now);
    }
    if (sy_peer_is_outbound(peer) || pex->peer_count == 0) {
        pex_ensure_soon(pex, 2 * SY_SEC, now);
    }
}

/* ---- Clock -------------------------------------------------------------------------------------
 */

static void save_if_changed(sy_pex *pex, sy_time now) {
    const sy_addr_source *source = &pex->config.source;
    const uint64_t changes = source->ops->changes(source->source);
    if (changes == pex->saved_changes || pex->config.save == NULL) {
        return;
    }
    pex->saved_changes = changes;
    pex->counts.saves++;
    pex->config.save(pex->config.save_user, now);
}

static sy_time next_expiry(void *reactor) {
    const sy_pex *pex = reactor;
    return sy_time_min(sy_time_min(pex->ensure_at, pex->feeler_at),
                       sy_time_min(pex->save_at, pex->sweep_at));
}

static void on_expiry(void *reactor, sy_time now) {
    sy_pex *pex = reactor;
    if (now >= pex->sweep_at) {
        pex_sweep(pex, now);
    }
    if (now >= pex->ensure_at) {
        if (pex->config.seed_mode) {
            pex_crawl(pex, now);
        } else {
            pex_ensure(pex, now);
        }
    }
    if (now >= pex->feeler_at) {
        pex_feel(pex, now);
    }
    if (now >= pex->save_at) { /* SPEC PEX-32 */
        pex->save_at = sy_time_after(now, pex->config.save_period);
        if (!pex->config.seed_mode) {
            pex_keep_anchors(pex);
        }
        save_if_changed(pex, now);
    }
}

static void on_dial_failed(void *reactor, const sy_addr *addr, const sy_reason *reason,
                           sy_time now) {
    pex_dial_failed(reactor, addr, reason, now);
}

/* ---- Life --------------------------------------------------------------------------------------
 */

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    sy_pex *pex = reactor;
    uint64_t seed;
    pex->sw = sw;
    pex->channel = channels[0];
    sy_switch_random(sw, &seed, sizeof seed);
    sy_switch_random(sw, pex->hash_key, sizeof pex->hash_key);
    sy_prng_init(&pex->prng, seed);
    const sy_addr_source *source = &pex->config.source;
    pex->saved_changes = source->ops->changes(source->source);
    pex->ensure_at = now;
    pex->short_pause = PEX_SHORT_PAUSE;
    pex->save_at = sy_time_after(now, pex->config.save_period);
    pex->seeds_at = now;
    pex->alone_at = now;
    pex->alone_pause = pex->config.ensure_period;
    const bool feels = pex->config.feeler_period > 0 && !pex->config.seed_mode;
    pex->feeler_at = feels ? sy_time_after(now, pex->config.feeler_period) : SY_NEVER;
    return SY_OK;
}

static void on_stop(void *reactor, sy_time now) {
    sy_pex *pex = reactor;
    save_if_changed(pex, now);
    pex->ensure_at = SY_NEVER;
    pex->feeler_at = SY_NEVER;
    pex->save_at = SY_NEVER;
    pex->sweep_at = SY_NEVER;
    pex->dial_count = 0;
    pex->sw = NULL;
}

void sy_pex_config_default_sized(sy_pex_config *config, size_t size) {
    SY_REQUIRE(size == sizeof *config);
    *config = (sy_pex_config){
        .size = size,
        .max_outbound = 10,
        .ensure_period = 30 * SY_SEC,
        .request_gap = 10 * SY_SEC,
        .save_period = 2 * SY_MIN,
        .feeler_period = 2 * SY_MIN,
        .ban = SY_DAY,
        .visit_max = SY_MIN,
        .crawl_period = 30 * SY_SEC,
        .crawl_again = 2 * SY_MIN,
        .crawl_wait = 15 * SY_SEC,
        .crawl_parallel = 8,
    };
}

static sy_err check_config(const sy_pex_config *config) {
    SY_REQUIRE(config->size == sizeof *config);
    SY_REQUIRE(config->source.ops != NULL);
    if (config->ensure_period == 0 || config->save_period == 0 || config->crawl_period == 0 ||
        config->visit_max == 0 || config->crawl_wait == 0 ||
        config->crawl_parallel > SY_PEX_DIALING_MAX) {
        return SY_ERR_CONFIG;
    }
    return pex_check_seeds(config->seeds, config->seed_count);
}

static void fill_ops(sy_pex *pex) {
    pex->desc = (sy_channel_desc){
        .id = SY_PEX_CHANNEL,
        .name = "pex",
        .priority = 1,
        .send_queue_max = 10,
        .send_queue_bytes_max = (size_t)10 * SY_PEX_MESSAGE_MAX,
        .recv_message_max = SY_PEX_MESSAGE_MAX,
        .recv_budget = SY_PEX_MESSAGE_MAX,
    };
    pex->ops = (sy_reactor_ops){
        .size = sizeof pex->ops,
        .name = "pex",
        .channels = &pex->desc,
        .channel_count = 1,
        .peer_state_size = sizeof(pex_peer),
        .start = on_start,
        .stop = on_stop,
        .peer_init = on_peer_init,
        .peer_added = on_peer_added,
        .peer_removed = on_peer_removed,
        .receive = on_receive,
        .dial_failed = on_dial_failed,
        .next_expiry = next_expiry,
        .on_expiry = on_expiry,
    };
}

sy_err sy_pex_new(const sy_pex_config *config, sy_pex **ret_pex) {
    const sy_err err = check_config(config);
    if (err != SY_OK) {
        return err;
    }
    const sy_mem *mem = config->mem == NULL ? sy_mem_libc() : config->mem;
    sy_pex *pex = mem->alloc(mem->user, sizeof *pex);
    if (pex == NULL) {
        return SY_ERR_NOMEM;
    }
    /* The areas of messages behind it are written before they are read; many never are. */
    memset(pex, 0, offsetof(sy_pex, message));
    pex->mem = *mem;
    pex->log = config->log;
    pex->config = *config;
    pex->seeds = sy_mem_zalloc_array(mem, config->seed_count + 1, sizeof *pex->seeds);
    pex->sources = sy_mem_zalloc_array(mem, PEX_SOURCES, sizeof *pex->sources);
    if (pex->seeds == NULL || pex->sources == NULL) {
        sy_pex_del(pex);
        return SY_ERR_NOMEM;
    }
    if (config->seed_count > 0) {
        memcpy(pex->seeds, config->seeds, config->seed_count * sizeof *pex->seeds);
    }
    pex->config.seeds = pex->seeds;
    pex->seed_next = config->seed_count;
    pex->ensure_at = SY_NEVER;
    pex->feeler_at = SY_NEVER;
    pex->save_at = SY_NEVER;
    pex->sweep_at = SY_NEVER;
    fill_ops(pex);
    *ret_pex = pex;
    return SY_OK;
}

void sy_pex_del(sy_pex *pex) {
    if (pex == NULL) {
        return;
    }
    const sy_mem mem = pex->mem;
    sy_mem_release(&mem, pex->seeds);
    sy_mem_release(&mem, pex->sources);
    sy_mem_release(&mem, pex);
}

const sy_reactor_ops *sy_pex_ops(sy_pex *pex) {
    return &pex->ops;
}

void sy_pex_set_target(sy_pex *pex, size_t max_outbound, sy_time now) {
    pex->config.max_outbound = max_outbound;
    if (pex->sw != NULL) {
        pex_ensure_soon(pex, SY_SEC, now);
    }
}

void sy_pex_versions_known(sy_pex *pex) {
    pex->config.versions_open = false;
}

void sy_pex_get_counts(const sy_pex *pex, sy_pex_counts *ret_counts) {
    *ret_counts = pex->counts;
}
