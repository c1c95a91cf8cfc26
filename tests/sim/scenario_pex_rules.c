/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of peer exchange on the virtual network: puppets that keep or break them. */
#include <string.h>

#include "tests/sim/finder.h"

/* A reactor on channel 00 that says what the test wants and counts what it hears. */
typedef struct puppet {
    sy_reactor_ops ops;
    sy_channel_desc desc;
    sim_node *node;
    uint8_t say[70000];
    size_t say_len;
    unsigned say_times;
    bool on_request; /* say it when asked, else at once */
    unsigned requests;
    unsigned lists;
    size_t last_len;
    sy_time request_at[64];
} puppet;

static void puppet_say(puppet *p, sy_peer *peer, sy_channel channel) {
    for (unsigned i = 0; i < p->say_times; i++) {
        sim_expect_eq(sy_peer_send(peer, channel, p->say, p->say_len), SY_SEND_QUEUED);
    }
}

static void puppet_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    puppet *p = reactor;
    (void)state;
    (void)now;
    if (!p->on_request) {
        puppet_say(p, peer, sy_switch_channel(sim_switch(p->node), 0));
    }
}

static void puppet_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                           const uint8_t *data, size_t len, sy_time now) {
    puppet *p = reactor;
    (void)state;
    const bool is_request = len == 4 && data[0] == 0x72;
    if (is_request) {
        p->request_at[p->requests % 64] = now;
        p->requests++;
        if (p->on_request) {
            puppet_say(p, peer, channel);
        }
    } else {
        p->lists++;
        p->last_len = len;
    }
}

static sy_err puppet_attach(void *user, sim_node *node, sy_switch *sw) {
    puppet *p = user;
    sy_detail detail;
    (void)node;
    p->desc = (sy_channel_desc){
        .id = 0, .name = "puppet", .send_queue_max = 100, .recv_message_max = 64000};
    p->ops = (sy_reactor_ops){.size = sizeof p->ops,
                              .name = "puppet",
                              .channels = &p->desc,
                              .channel_count = 1,
                              .peer_added = puppet_added,
                              .receive = puppet_receive};
    return sy_switch_add_reactor(sw, &p->ops, p, &detail);
}

static void puppet_init(puppet *p, sim_net *net) {
    *p = (puppet){.node = sim_node_new(net, "puppet"), .say_times = 1};
    sim_set_profile(p->node, "tendermint");
    sim_set_attach(p->node, puppet_attach, p);
}

static void puppet_says(puppet *p, const char *bytes, size_t len) {
    memcpy(p->say, bytes, len);
    p->say_len = len;
}

/* A network of a finder and a puppet that speak the older profile; neither is started. */
static sim_net *pair_new(finder *f, puppet *p, uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    finder_init(f, net, "f", 10);
    sim_set_profile(f->node, "tendermint");
    puppet_init(p, net);
    return net;
}

static void expect_distance(const puppet *p, sy_duration least) {
    for (unsigned i = 1; i < p->requests && i < 64; i++) {
        sim_expect(p->request_at[i] - p->request_at[i - 1] >= least);
    }
}

#define ID_TEXT "24f6ed6acbfe1009c030d7ca567c33ca48309114"
#define LIST    "\x1c\xbb\x67\x6b"
#define GOOD    LIST "\x0a\x34\x0a\x28" ID_TEXT "\x12\x04\x05\x06\x07\x08\x18\xa0\xd0\x01"
#define TEXT(s) (s), sizeof(s) - 1

typedef struct rule {
    const char *name;
    const char *bytes;
    size_t len;
    bool on_request;
    unsigned times;
    bool stops;
    size_t known; /* addresses in the book afterwards */
} rule;

static const rule rows[] = {
    {"answer", TEXT(GOOD), true, 1, false, 1},
    {"answer nobody asked for", TEXT(GOOD), false, 1, true, 0},
    {"two answers", TEXT(GOOD), true, 2, true, 1},
    {"empty answer", TEXT(LIST), true, 1, false, 0},
    {"nil address", TEXT(LIST "\x0a\x00"), true, 1, true, 0},
    {"ID that is none", TEXT(LIST "\x0a\x0a\x0a\x01x\x12\x04\x05\x06\x07\x08\x18\x01"), true, 1,
     true, 0},
    {"malformed ID", TEXT(LIST "\x0a\x0b\x0a\x01x\x12\x04\x05\x06\x07\x08\x18\x01"), true, 1, false,
     0},
    {"unknown message", TEXT("\x01\x02\x03\x04"), false, 1, true, 0},
    {"empty message", TEXT(""), false, 1, true, 0},
    {"request", TEXT("\x72\x3a\x31\xcd"), false, 1, false, 1},
    {"three requests", TEXT("\x72\x3a\x31\xcd"), false, 3, false, 1},
    {"fifty requests", TEXT("\x72\x3a\x31\xcd"), false, 50, false, 1},
};

static void check_rule(const finder *f, const puppet *p, const rule *row) {
    const bool connected = sim_has_peer(f->node, p->node);
    if (connected == row->stops) {
        sim_fail("%s: connected=%d", row->name, connected);
    }
    const sy_pex_counts counts = finder_counts(f);
    sim_expect_eq(counts.stopped, row->stops ? 1 : 0);
    if (row->stops) {
        sim_expect_eq(sim_count_ends(f->node, SY_STAGE_OPEN, SY_ERR_REACTOR_CAUSE), 1);
    }
    if (finder_book_size(f) != row->known) {
        sim_fail("%s: %zu addresses", row->name, finder_book_size(f));
    }
    if (row->times > 4 && !row->stops) { /* SPEC-TEST PEX-14 */
        sim_expect_eq(counts.requests_in, row->times);
        sim_expect(p->lists >= 4 && p->lists <= 6);
        sim_expect_eq(counts.requests_early, row->times - p->lists);
    }
}

/* SPEC-TEST PEX-15 PEX-16 PEX-17: what stops a peer and what does not, each beside its twin. */
static void rules_are_kept(uint64_t seed) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static finder f;
        static puppet p;
        sim_net *net = pair_new(&f, &p, seed * 100 + i);
        puppet_says(&p, rows[i].bytes, rows[i].len);
        p.say_times = rows[i].times;
        p.on_request = rows[i].on_request;
        sim_start(f.node);
        sim_start(p.node);
        /* Whom we dial we ask at once; who dials us is put into the book. */
        sim_dial(p.on_request ? f.node : p.node, p.on_request ? p.node : f.node, SY_DIAL_ONCE);
        sim_run_for(net, 20 * SY_SEC);
        check_rule(&f, &p, &rows[i]);
        sim_net_del(net);
        finder_fini(&f);
    }
}

/* SPEC-TEST PEX-11 PEX-12: over an hour no two of our requests to a peer are less than ten seconds
 * apart, and one that is not answered is not repeated. */
static void requests_keep_their_distance(uint64_t seed) {
    for (int answers = 0; answers < 2; answers++) {
        static finder f;
        static puppet p;
        sim_net *net = pair_new(&f, &p, seed);
        p.on_request = true;
        puppet_says(&p, TEXT(GOOD));
        p.say_times = answers == 1 ? 1 : 0;
        sim_start(f.node);
        sim_start(p.node);
        sim_dial(f.node, p.node, SY_DIAL_ONCE);
        sim_run_for(net, 15 * SY_MIN);
        sim_expect(sim_has_peer(f.node, p.node));
        sim_expect(answers == 1 ? p.requests >= 15 : p.requests == 1);
        expect_distance(&p, 10 * SY_SEC - 100 * SY_MSEC);
        sim_net_del(net);
        finder_fini(&f);
    }
}

/* SPEC-TEST PEX-12: a peer that stalls gets one request late and the next one in time; by its own
 * clock they are ten seconds apart all the same. */
static void a_stalled_peer_sees_the_distance(uint64_t seed) {
    static finder f;
    static puppet p;
    sim_net *net = pair_new(&f, &p, seed);
    f.ensure_period = SY_SEC; /* it asks as often as it may */
    p.on_request = true;
    puppet_says(&p, TEXT(GOOD));
    p.say_times = 1;
    sim_start(f.node);
    sim_start(p.node);
    sim_dial(f.node, p.node, SY_DIAL_ONCE);
    for (unsigned i = 0; i < 60; i++) {
        sim_run_for(net, SY_SEC + sim_draw(net, 8 * SY_SEC));
        sim_pause(p.node, 5 * SY_SEC);
    }
    sim_expect(sim_has_peer(f.node, p.node));
    sim_expect(p.requests >= 10);
    expect_distance(&p, 10 * SY_SEC);
    sim_net_del(net);
    finder_fini(&f);
}

/* SPEC-TEST SEED-01 SEED-02: a seed answers once, the whole answer arrives, then it closes; asking
 * again on the same connection gives nothing.  SPEC-TEST SEED-03: who asks nothing leaves too. */
static void seed_answers_once(uint64_t seed) {
    for (unsigned asks = 0; asks < 3; asks++) {
        sim_options options;
        sim_options_default(&options, seed);
        options.piece_max = 100;
        sim_net *net = sim_net_new(&options);
        static finder f;
        static puppet p;
        finder_init(&f, net, "seed", 8);
        f.seed_mode = true;
        sim_set_profile(f.node, "tendermint");
        sim_start(f.node);
        for (uint32_t i = 0; i < 1000; i++) {
            sy_net_addr addr = {.endpoint = {.port = 1}};
            memcpy(addr.id.bytes, &i, sizeof i);
            addr.endpoint.ip[10] = addr.endpoint.ip[11] = 0xff;
            addr.endpoint.ip[12] = (uint8_t)(100 + i % 100);
            addr.endpoint.ip[13] = (uint8_t)(i / 100);
            addr.endpoint.ip[15] = 1;
            sim_expect_eq(finder_tell(&f, &addr), SY_ADDR_ADDED);
        }
        puppet_init(&p, net);
        puppet_says(&p, TEXT("\x72\x3a\x31\xcd"));
        p.say_times = asks;
        sim_start(p.node);
        sim_dial(p.node, f.node, SY_DIAL_ONCE);
        sim_run_for(net, 5 * SY_SEC);
        sim_expect_eq(sim_has_peer(p.node, f.node), asks == 0);
        sim_expect_eq(p.lists, asks == 0 ? 0 : 1);
        if (asks > 0) {
            /* The visitor's own address may be among them, with a port of three bytes. */
            const size_t len = 4 + 230 * (2 + 2 + 40 + 2 + 16 + 2);
            sim_expect(p.last_len == len || p.last_len == len + 2);
            sim_expect_eq(sim_count_ends(p.node, SY_STAGE_OPEN, SY_ERR_REMOTE_CLOSED), 1);
        }
        sim_run_for(net, 61 * SY_SEC);
        sim_expect(!sim_has_peer(p.node, f.node));
        sim_net_del(net);
        finder_fini(&f);
    }
}

/* SPEC-TEST PEX-13: a private ID is neither kept nor handed on. */
static void private_ids_stay_private(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static finder nodes[3];
    finder_init(&nodes[0], net, "sentry", 10);
    finder_init(&nodes[1], net, "validator", 0);
    finder_init(&nodes[2], net, "public", 10);
    nodes[0].private_id = *sim_id(nodes[1].node);
    nodes[0].has_private = true;
    for (size_t i = 0; i < 3; i++) {
        sim_start(nodes[i].node);
    }
    sim_dial(nodes[0].node, nodes[1].node, SY_DIAL_PERSISTENT);
    sim_dial(nodes[2].node, nodes[0].node, SY_DIAL_PERSISTENT);
    sim_run_for(net, 10 * SY_MIN);
    sy_addr_book_view view;
    sim_expect(!sy_addr_book_find(nodes[0].book, sim_id(nodes[1].node), &view));
    sim_expect(!sy_addr_book_find(nodes[2].book, sim_id(nodes[1].node), &view));
    sim_expect(sy_addr_book_find(nodes[0].book, sim_id(nodes[2].node), &view));
    sim_net_del(net);
    for (size_t i = 0; i < 3; i++) {
        finder_fini(&nodes[i]);
    }
}

/* SPEC-TEST PEX-33: a seed that is only known as an address, in an otherwise empty world, is not
 * dialed over and over.  SPEC-TEST PEX-34: a configured one not as a peer at all. */
static void seeds_are_not_pestered(uint64_t seed) {
    for (int configured = 0; configured < 2; configured++) {
        sim_options options;
        sim_options_default(&options, seed);
        sim_net *net = sim_net_new(&options);
        static finder s;
        static finder f;
        finder_init(&s, net, "seed", 8);
        s.seed_mode = true;
        finder_init(&f, net, "f", 10);
        if (configured == 1) {
            finder_seed(&f, &s);
        }
        sim_start(s.node);
        sim_start(f.node);
        const sy_net_addr addr = {*sim_id(s.node), *sim_endpoint(s.node)};
        (void)finder_tell(&f, &addr);
        sim_run_for(net, SY_HOUR);
        const sy_pex_counts counts = finder_counts(&f);
        sim_expect(configured == 1 ? counts.dials == 0 : counts.dials >= 3 && counts.dials <= 8);
        sim_expect(configured == 1 ? counts.seed_dials >= 8 && counts.seed_dials <= 18
                                   : counts.seed_dials == 0);
        sim_net_del(net);
        finder_fini(&s);
        finder_fini(&f);
    }
}

static const sim_scenario scenarios[] = {
    {"rules_are_kept", rules_are_kept, 2},
    {"requests_keep_their_distance", requests_keep_their_distance, 2},
    {"a_stalled_peer_sees_the_distance", a_stalled_peer_sees_the_distance, 4},
    {"seed_answers_once", seed_answers_once, 3},
    {"private_ids_stay_private", private_ids_stay_private, 2},
    {"seeds_are_not_pestered", seeds_are_not_pestered, 3},
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
