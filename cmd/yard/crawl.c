/* SPDX-License-Identifier: Apache-2.0 */
/* One switch that listens nowhere and one reactor on channel 00.  Whom to be is learned as a probe
 * learns it, from a node that the operator named. */
#include "cmd/yard/crawl.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>
#include <sodium.h>

#include <switchyard/ev.h>
#include <switchyard/switch.h>

#include "cmd/yard/probe.h"
#include "reactors/pex/pex_codec.h"

#define CLOSE_TIME_S 0.5
#define FEW          32 /* addresses of an answer; both projects send as many if they can */
#define AGAIN_AFTER  (SY_SEC / 2) /* the remote must have forgotten the first connection */

typedef struct yard_crawl_loop {
    yard_crawl *crawl;
    struct ev_loop *loop;
    sy_switch *sw;
    sy_channel channel;
    sy_channel_desc desc;
    sy_reactor_ops ops;
    sy_pex_message message;
    ev_timer on_time;
    ev_signal on_int;
    ev_signal on_term;
} yard_crawl_loop;

void yard_crawl_init(yard_crawl *crawl, const sy_node_key *key) {
    *crawl = (yard_crawl){
        .key = key,
        .timeout = 10 * SY_SEC,
        .time = 5 * SY_MIN,
        .parallel = 16,
        .max = 10000,
        .network = yard_strdup(""),
    };
}

void yard_crawl_fini(yard_crawl *crawl) {
    for (size_t i = 0; i < crawl->count; i++) {
        json_decref(crawl->nodes[i].info);
    }
    free(crawl->nodes);
    free(crawl->network);
    *crawl = (yard_crawl){0};
}

bool yard_crawl_start_at(yard_crawl *crawl, const sy_addr *addr) {
    if (crawl->start_count == YARD_CRAWL_STARTS_MAX) {
        return false;
    }
    crawl->starts[crawl->start_count++] = *addr;
    return true;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

/* An ID is a hash already, but one that a node can choose: the first bytes only spread. */
static size_t *chain_of(yard_crawl *crawl, const sy_node_id *id) {
    uint32_t head;
    memcpy(&head, id->bytes, sizeof head);
    return &crawl->chains[head % YARD_CRAWL_CHAINS];
}

static yard_crawl_node *find(yard_crawl *crawl, const sy_node_id *id) {
    for (size_t at = *chain_of(crawl, id); at != 0; at = crawl->nodes[at - 1].hash_next) {
        if (sy_node_id_equal(&crawl->nodes[at - 1].id, id)) {
            return &crawl->nodes[at - 1];
        }
    }
    return NULL;
}

static void add_endpoint(yard_crawl_node *node, const sy_endpoint *endpoint) {
    for (size_t i = 0; i < node->endpoint_count; i++) {
        if (sy_endpoint_equal(&node->endpoints[i], endpoint)) {
            return;
        }
    }
    if (node->endpoint_count < YARD_CRAWL_ENDPOINTS_MAX) {
        node->endpoints[node->endpoint_count++] = *endpoint;
    }
}

/* A node that has been there is not dialed again; one that has not may be there at another address.
 */
static void know(yard_crawl *crawl, const sy_net_addr *addr, bool told) {
    if (told && crawl->strict && !sy_endpoint_is_routable(&addr->endpoint)) {
        crawl->dropped++;
        return;
    }
    yard_crawl_node *node = find(crawl, &addr->id);
    if (node != NULL) {
        const bool exhausted = node->state == YARD_CRAWL_DONE && node->info == NULL &&
                               node->endpoint + 1 == node->endpoint_count;
        add_endpoint(node, &addr->endpoint);
        if (exhausted && node->endpoint + 1 < node->endpoint_count) {
            node->endpoint++;
            node->state = YARD_CRAWL_WAITING;
            const size_t at = (size_t)(node - crawl->nodes);
            crawl->next = at < crawl->next ? at : crawl->next;
        }
        return;
    }
    if (crawl->count == crawl->max) {
        crawl->dropped++;
        return;
    }
    size_t *chain = chain_of(crawl, &addr->id);
    crawl->nodes = yard_resize(crawl->nodes, crawl->count + 1, sizeof *crawl->nodes);
    crawl->nodes[crawl->count++] = (yard_crawl_node){
        .id = addr->id,
        .endpoints = {addr->endpoint},
        .endpoint_count = 1,
        .leave_at = SY_NEVER,
        .hash_next = *chain,
    };
    *chain = crawl->count;
}

/* ---- Visiting -------------------------------------------------------------------------------- */

static void address_of(const yard_crawl_node *node, sy_addr *ret_addr) {
    char text[SY_ENDPOINT_TEXT_CAP];
    *ret_addr = (sy_addr){.has_id = true, .id = node->id, .is_ip = true};
    ret_addr->endpoint = node->endpoints[node->endpoint];
    ret_addr->port = ret_addr->endpoint.port;
    (void)sy_endpoint_format(&ret_addr->endpoint, text);
    /* "1.2.3.4:5" or "[::1]:5" */
    const bool v6 = text[0] == '[';
    char *end = strrchr(text, v6 ? ']' : ':');
    *end = '\0';
    const char *host = text + v6;
    memcpy(ret_addr->host, host, strlen(host) + 1);
}

static void fail(yard_crawl_node *node, const sy_reason *reason) {
    node->has_reason = true;
    node->reason = *reason;
}

static void wait_again(yard_crawl *crawl, yard_crawl_node *node, sy_time due_at) {
    const size_t at = (size_t)(node - crawl->nodes);
    node->state = YARD_CRAWL_WAITING;
    node->due_at = due_at;
    crawl->next = at < crawl->next ? at : crawl->next;
}

/* The next address of a node that was not there; another profile for one that told of few; or it is
 * done. */
static void visit_over(yard_crawl *crawl, yard_crawl_node *node, sy_time now) {
    node->state = YARD_CRAWL_DONE;
    if (node->info == NULL && node->endpoint + 1 < node->endpoint_count) {
        node->endpoint++;
        wait_again(crawl, node, 0);
    } else if (node->answered && !node->again && node->told < FEW && crawl->profile_count > 1) {
        node->again = true;
        wait_again(crawl, node, sy_time_after(now, AGAIN_AFTER));
    }
}

static void choose_profile(yard_crawl *crawl, const yard_crawl_node *node) {
    for (size_t i = 0; i < crawl->profile_count; i++) {
        if (node->profile_count == 0 || strcmp(crawl->profiles[i], node->profiles[0]) != 0) {
            sy_switch_remember_profile(crawl->loop->sw, &node->id, crawl->profiles[i]);
            return;
        }
    }
}

static void visit(yard_crawl *crawl, yard_crawl_node *node, sy_time now) {
    sy_addr addr;
    address_of(node, &addr);
    if (node->again) {
        choose_profile(crawl, node);
    }
    node->heard = false;
    const sy_err err = sy_switch_dial(crawl->loop->sw, &addr, SY_DIAL_LEARNED, now);
    if (err != SY_OK) {
        const sy_reason reason = sy_reason_make(SY_STAGE_CONNECT, err, NULL);
        fail(node, &reason);
        visit_over(crawl, node, now);
        return;
    }
    node->state = YARD_CRAWL_DIALING;
    crawl->running++;
}

static void pump(yard_crawl *crawl, sy_time now) {
    for (size_t i = crawl->next; i < crawl->count && crawl->running < crawl->parallel; i++) {
        yard_crawl_node *node = &crawl->nodes[i];
        /* A dial that the switch refuses leaves the node's next address, and no event for it. */
        while (node->state == YARD_CRAWL_WAITING && node->due_at <= now) {
            visit(crawl, node, now);
        }
    }
    while (crawl->next < crawl->count && crawl->nodes[crawl->next].state != YARD_CRAWL_WAITING) {
        crawl->next++;
    }
    if (crawl->running == 0 && crawl->next == crawl->count) {
        ev_break(crawl->loop->loop, EVBREAK_ALL);
    }
}

static void leave(yard_crawl *crawl, yard_crawl_node *node, sy_time now) {
    if (node->state == YARD_CRAWL_DIALING || node->state == YARD_CRAWL_UP) {
        crawl->running--;
        node->leave_at = SY_NEVER;
        visit_over(crawl, node, now);
    }
    pump(crawl, now);
}

/* ---- The reactor ----------------------------------------------------------------------------- */

static sy_pex_encoding encoding_of(const sy_peer *peer) {
    return strcmp(sy_peer_encoding(peer), "proto") == 0 ? SY_PEX_PROTO : SY_PEX_AMINO;
}

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    yard_crawl_loop *loop = reactor;
    (void)now;
    loop->sw = sw;
    loop->channel = channels[0];
    return SY_OK;
}

static void on_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    yard_crawl_loop *loop = reactor;
    uint8_t request[SY_PEX_REQUEST_CAP];
    yard_crawl_node *node = find(loop->crawl, sy_peer_id(peer));
    (void)state;
    if (node == NULL) {
        return;
    }
    node->state = YARD_CRAWL_UP;
    node->accepted = true;
    node->leave_at = sy_time_after(now, loop->crawl->timeout);
    const size_t len = sy_pex_encode_request(encoding_of(peer), request);
    if (!sy_peer_has_channel(peer, loop->channel) ||
        sy_peer_send(peer, loop->channel, request, len) != SY_SEND_QUEUED) {
        sy_peer_stop(peer, SY_ERR_STOPPED, "crawl: it has no addresses");
    }
}

static void on_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                       sy_time now) {
    const yard_crawl_loop *loop = reactor;
    yard_crawl_node *node = find(loop->crawl, sy_peer_id(peer));
    (void)state;
    if (node == NULL) {
        return;
    }
    if (!node->answered && reason->code != SY_ERR_SHUTDOWN) {
        fail(node, reason);
    }
    leave(loop->crawl, node, now);
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    yard_crawl_loop *loop = reactor;
    const sy_pex_encoding encoding = encoding_of(peer);
    sy_net_addr addr;
    (void)state;
    (void)channel;
    yard_crawl_node *node = find(loop->crawl, sy_peer_id(peer));
    if (node == NULL || sy_pex_decode(encoding, data, len, &loop->message, NULL) != SY_OK) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "crawl: no message of peer exchange");
        return;
    }
    if (loop->message.kind != SY_PEX_ADDRS || node->heard) {
        return; /* its own request: we know nobody */
    }
    node->heard = true;
    node->answered = true;
    node->told += loop->message.count;
    for (size_t i = 0; i < loop->message.count; i++) {
        if (sy_pex_addr_read(encoding, &loop->message.addrs[i], &addr)) {
            know(loop->crawl, &addr, true); /* node may have moved */
        }
    }
    sy_peer_stop(peer, SY_ERR_STOPPED, "crawl: done");
    pump(loop->crawl, now);
}

static void on_dial_failed(void *reactor, const sy_addr *addr, const sy_reason *reason,
                           sy_time now) {
    const yard_crawl_loop *loop = reactor;
    yard_crawl_node *node = addr->has_id ? find(loop->crawl, &addr->id) : NULL;
    if (node != NULL) {
        fail(node, reason);
        leave(loop->crawl, node, now);
    }
}

static sy_time next_expiry(void *reactor) {
    const yard_crawl_loop *loop = reactor;
    sy_time next = SY_NEVER;
    for (size_t i = 0; i < loop->crawl->count; i++) {
        const yard_crawl_node *node = &loop->crawl->nodes[i];
        const bool waits = node->state == YARD_CRAWL_WAITING && node->due_at > 0;
        next = sy_time_min(next, waits ? node->due_at : node->leave_at);
    }
    return next;
}

/* Whoever does not answer in time is left. */
static void on_expiry(void *reactor, sy_time now) {
    const yard_crawl_loop *loop = reactor;
    for (size_t i = 0; i < loop->crawl->count; i++) {
        yard_crawl_node *node = &loop->crawl->nodes[i];
        if (node->state == YARD_CRAWL_WAITING && node->due_at <= now) {
            node->due_at = 0;
        }
        if (now < node->leave_at) {
            continue;
        }
        node->leave_at = SY_NEVER;
        sy_peer *peer = sy_switch_peer_by_id(loop->sw, &node->id);
        if (peer != NULL) {
            sy_peer_stop(peer, SY_ERR_STOPPED, "crawl: no answer");
        }
    }
    pump(loop->crawl, now);
}

/* NodeInfo is worth having also of a node that we, or that would, refuse. */
static void observe(void *user, const sy_event *event, sy_time now) {
    const yard_crawl_loop *loop = user;
    (void)now;
    if (event->kind != SY_EVENT_INFO || !event->has_id) {
        return;
    }
    yard_crawl_node *node = find(loop->crawl, &event->id);
    if (node != NULL && event->outbound) {
        json_decref(node->info);
        node->info = yard_node_info_json(event->info);
        if (node->profile_count == 0 ||
            (node->profile_count == 1 && strcmp(node->profiles[0], event->profile) != 0)) {
            node->profiles[node->profile_count++] = event->profile;
        }
    }
}

static void fill_reactor(yard_crawl_loop *loop) {
    loop->desc = (sy_channel_desc){
        .id = 0x00,
        .name = "pex",
        .priority = 1,
        .send_queue_max = 4,
        .recv_message_max = SY_PEX_MESSAGE_MAX,
        .recv_budget = SY_PEX_MESSAGE_MAX,
    };
    loop->ops = (sy_reactor_ops){
        .size = sizeof loop->ops,
        .name = "crawl",
        .channels = &loop->desc,
        .channel_count = 1,
        .start = on_start,
        .peer_added = on_added,
        .peer_removed = on_removed,
        .receive = on_receive,
        .dial_failed = on_dial_failed,
        .next_expiry = next_expiry,
        .on_expiry = on_expiry,
    };
}

/* ---- One run --------------------------------------------------------------------------------- */

static void on_time(struct ev_loop *loop, ev_timer *watcher, int revents) {
    yard_crawl *crawl = watcher->data;
    (void)revents;
    crawl->cut_short = true;
    ev_break(loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int revents) {
    yard_crawl *crawl = watcher->data;
    (void)revents;
    crawl->cut_short = true;
    ev_break(loop, EVBREAK_ALL);
}

/* Whom to be, from a node that answered. */
static void fill_settings(const yard_crawl *crawl, const yard_probe *probe, sy_settings *s) {
    sy_settings_default(s);
    s->node_key = crawl->key;
    s->network = crawl->network;
    s->moniker = "yard-crawl";
    s->profiles[0] = probe->profile;
    s->profile_count = 1;
    s->plain_anywhere = true;
    s->handshake_timeout = crawl->timeout;
    s->linger_timeout = 200 * SY_MSEC;
    s->max_inbound = 0;
    s->max_outbound = crawl->parallel;
    s->observer = observe;
    s->observer_user = crawl->loop;
    s->version = probe->version[0] != '\0' ? probe->version : s->version;
    s->p2p_version = probe->p2p_version;
    s->block_version = probe->block_version;
    s->app_version = probe->app_version;
}

/* A network may speak both. */
static void add_profiles(sy_settings *s, const char *const *profiles, size_t count) {
    for (size_t i = 0; i < count && s->profile_count < SY_PROFILES_MAX; i++) {
        if (strcmp(profiles[i], s->profiles[0]) != 0) {
            s->profiles[s->profile_count++] = profiles[i];
        }
    }
}

static void run_loop(yard_crawl *crawl, sy_ev *ev) {
    yard_crawl_loop *loop = crawl->loop;
    ev_timer_init(&loop->on_time, on_time, (double)crawl->time / 1e9, 0.0);
    ev_signal_init(&loop->on_int, on_signal, SIGINT);
    ev_signal_init(&loop->on_term, on_signal, SIGTERM);
    loop->on_time.data = crawl;
    loop->on_int.data = crawl;
    loop->on_term.data = crawl;
    ev_timer_start(loop->loop, &loop->on_time);
    ev_signal_start(loop->loop, &loop->on_int);
    ev_signal_start(loop->loop, &loop->on_term);
    pump(crawl, sy_ev_now(ev));
    (void)ev_run(loop->loop, 0);
    ev_timer_stop(loop->loop, &loop->on_time);
    ev_signal_stop(loop->loop, &loop->on_int);
    ev_signal_stop(loop->loop, &loop->on_term);
    crawl->parallel = 0; /* nobody else is dialed while the switch stops */
    const sy_time until = sy_time_after(sy_ev_now(ev), (sy_duration)(CLOSE_TIME_S * 1e9));
    sy_switch_stop(loop->sw, sy_ev_now(ev));
    while (!sy_switch_is_stopped(loop->sw) && sy_ev_now(ev) < until) {
        (void)ev_run(loop->loop, EVRUN_NOWAIT);
    }
}

static bool visit_all(yard_crawl *crawl, const sy_settings *settings) {
    yard_crawl_loop *loop = crawl->loop;
    sy_detail detail;
    sy_ev *ev = NULL;
    sy_switch *sw = NULL;
    sy_detail_clear(&detail);
    loop->loop = ev_default_loop(0);
    sy_err err = loop->loop == NULL ? SY_ERR_SYSTEM : sy_ev_new(loop->loop, NULL, &ev);
    if (err == SY_OK) {
        err = sy_switch_new(settings, sy_ev_ops(), ev, &sw, &detail);
    }
    if (err == SY_OK) {
        sy_ev_attach(ev, sw);
        err = sy_switch_add_reactor(sw, &loop->ops, loop, &detail);
    }
    if (err == SY_OK) {
        err = sy_switch_start(sw, sy_ev_now(ev));
    }
    if (err == SY_OK) {
        run_loop(crawl, ev);
    } else {
        yard_complain("crawl: %s%s%s", sy_strerror(err), detail.text[0] == '\0' ? "" : ": ",
                      detail.text);
    }
    sy_switch_del(sw);
    sy_ev_del(ev);
    if (loop->loop != NULL) {
        ev_loop_destroy(loop->loop);
    }
    return err == SY_OK;
}

/* Where a start really is: its name was looked up by the probe. */
static void add_start(yard_crawl *crawl, const yard_probe *probe) {
    for (size_t i = 0; i < probe->address_count; i++) {
        sy_net_addr addr = {probe->target->id, probe->addresses[i]};
        addr.endpoint.port = probe->target->port;
        crawl->strict = crawl->strict && sy_endpoint_is_routable(&addr.endpoint);
        know(crawl, &addr, false);
    }
}

/* The first start that says who it is; all of them are visited afterwards.  key is another one than
 * the crawl's: a remote that has not forgotten the probe yet would refuse a second connection of
 * the same ID. */
static bool learn(yard_crawl *crawl, const sy_node_key *key, const char *chain_id,
                  const char *const *profiles, size_t profile_count, yard_probe *ret_probe) {
    bool learned = false;
    crawl->strict = true;
    for (size_t i = 0; i < crawl->start_count; i++) {
        yard_probe probe;
        yard_probe_init(&probe, &crawl->starts[i], key, crawl->timeout);
        const bool resolved = learned ? yard_probe_resolve(&probe)
                                      : yard_probe_run(&probe, chain_id, profiles, profile_count) ||
                                            probe.address_count > 0;
        if (resolved) {
            add_start(crawl, &probe);
        }
        if (!learned && probe.node_info != NULL) {
            learned = true;
            *ret_probe = probe;
            continue;
        }
        yard_probe_fini(&probe);
    }
    return learned;
}

bool yard_crawl_run(yard_crawl *crawl, const char *chain_id, const char *const *profiles,
                    size_t profile_count) {
    yard_crawl_loop loop = {.crawl = crawl};
    yard_probe probe;
    sy_settings settings;
    sy_node_key key;
    uint8_t seed[SY_SEED_LEN];
    randombytes_buf(seed, sizeof seed);
    sy_node_key_from_seed(seed, &key);
    sodium_memzero(seed, sizeof seed);
    const bool learned = learn(crawl, &key, chain_id, profiles, profile_count, &probe);
    sy_node_key_wipe(&key);
    if (!learned) {
        yard_complain("crawl: none of the %zu nodes to begin with has answered",
                      crawl->start_count);
        return false;
    }
    free(crawl->network);
    crawl->network = yard_strdup(chain_id != NULL ? chain_id : probe.network);
    crawl->loop = &loop;
    crawl->profiles = profiles;
    crawl->profile_count = profile_count;
    fill_reactor(&loop);
    fill_settings(crawl, &probe, &settings);
    add_profiles(&settings, profiles, profile_count);
    const bool ok = visit_all(crawl, &settings);
    crawl->loop = NULL;
    yard_probe_fini(&probe);
    return ok;
}
