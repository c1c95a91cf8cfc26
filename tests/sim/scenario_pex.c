/* SPDX-License-Identifier: Apache-2.0 */
/* Peer exchange on the virtual network: real reactors and books, and puppets that break rules. */
#include <string.h>

#include <switchyard/addr_book.h>
#include <switchyard/pex.h>

#include "tests/sim/sim_scenario.h"

#define NODES_MAX 24

/* ---- A node with a book ------------------------------------------------------------------------
 */

typedef struct finder {
    sim_node *node;
    sy_addr_book *book;
    sy_addr_source source;
    sy_pex *pex;
    sy_addr seeds[2];
    size_t seed_count;
    bool seed_mode;
    bool strict;
    size_t target;
    sy_duration feeler_period;
    sy_duration ensure_period; /* 0: the default */
    unsigned saves;
    char *saved;
    size_t saved_len;
    char *saved_notes;
    size_t saved_notes_len;
    sy_node_id private_id;
    bool has_private;
} finder;

static void drop_saved(finder *f) {
    if (f->saved != NULL) {
        sy_addr_book_text_del(f->book, f->saved);
        sy_addr_book_text_del(f->book, f->saved_notes);
        f->saved = NULL;
    }
}

static void on_save(void *user, sy_time now) {
    finder *f = user;
    (void)now;
    drop_saved(f);
    sim_expect_eq(sy_addr_book_write(f->book, SY_BOOK_COMETBFT, &f->saved, &f->saved_len), SY_OK);
    sim_expect_eq(sy_addr_book_write_notes(f->book, &f->saved_notes, &f->saved_notes_len), SY_OK);
    f->saves++;
}

static void make_book(finder *f) {
    sy_addr_book_settings settings;
    sy_addr_book_settings_default(&settings);
    settings.strict = f->strict;
    settings.network = "sim";
    settings.own_id = *sim_id(f->node);
    settings.seed = sim_draw(sim_net_of(f->node), UINT64_MAX);
    memcpy(settings.random, &settings.seed, sizeof settings.seed);
    if (f->has_private) {
        settings.private_ids = &f->private_id;
        settings.private_count = 1;
    }
    sim_expect_eq(sy_addr_book_new(&settings, &f->book), SY_OK);
    f->source = sy_addr_book_source(f->book);
    sy_addr_book_add_own(f->book, sim_endpoint(f->node));
}

/* A fresh reactor for each start; the book stays unless a test replaces it. */
static sy_err attach(void *user, sim_node *node, sy_switch *sw) {
    finder *f = user;
    sy_pex_config config;
    sy_detail detail;
    (void)node;
    if (f->book == NULL) {
        make_book(f);
    }
    sy_pex_del(f->pex);
    sy_pex_config_default(&config);
    config.source = f->source;
    config.max_outbound = f->target;
    config.seeds = f->seeds;
    config.seed_count = f->seed_count;
    config.seed_mode = f->seed_mode;
    config.feeler_period = f->feeler_period;
    if (f->ensure_period > 0) {
        config.ensure_period = f->ensure_period;
    }
    config.save = on_save;
    config.save_user = f;
    sim_expect_eq(sy_pex_new(&config, &f->pex), SY_OK);
    return sy_switch_add_reactor(sw, sy_pex_ops(f->pex), f->pex, &detail);
}

static void finder_init(finder *f, sim_net *net, const char *name, size_t target) {
    *f = (finder){.node = sim_node_new(net, name), .target = target};
    sim_settings(f->node)->max_outbound = target;
    sim_set_attach(f->node, attach, f);
}

static void finder_seed(finder *f, const finder *seed) {
    f->seeds[f->seed_count++] = (sy_addr){.has_id = true,
                                          .id = *sim_id(seed->node),
                                          .is_ip = true,
                                          .port = sim_endpoint(seed->node)->port,
                                          .endpoint = *sim_endpoint(seed->node)};
    sy_addr *addr = &f->seeds[f->seed_count - 1];
    char text[SY_ENDPOINT_TEXT_CAP];
    (void)sy_endpoint_format(sim_endpoint(seed->node), text);
    *strrchr(text, ':') = '\0';
    memcpy(addr->host, text, strlen(text) + 1);
}

static void finder_fini(finder *f) {
    drop_saved(f);
    sy_pex_del(f->pex);
    sy_addr_book_del(f->book);
}

static sy_pex_counts counts_of(const finder *f) {
    sy_pex_counts counts;
    sy_pex_get_counts(f->pex, &counts);
    return counts;
}

static size_t book_size(const finder *f) {
    return f->source.ops->sizes(f->source.source).all;
}

static sy_switch_counts switch_counts(const finder *f) {
    sy_switch_counts counts;
    sy_switch_get_counts(sim_switch(f->node), &counts);
    return counts;
}

/* ---- Finding each other ------------------------------------------------------------------------
 */

typedef struct crowd {
    finder seed;
    finder nodes[NODES_MAX];
    size_t count;
    size_t want; /* peers of each */
} crowd;

static bool have_their_peers(void *user) {
    const crowd *c = user;
    for (size_t i = 0; i < c->count; i++) {
        if (sim_is_running(c->nodes[i].node) && sim_peer_count(c->nodes[i].node) < c->want) {
            return false;
        }
    }
    return true;
}

static void crowd_init(crowd *c, sim_net *net, size_t count, size_t target) {
    *c = (crowd){.count = count};
    finder_init(&c->seed, net, "seed", 8);
    c->seed.seed_mode = true;
    for (size_t i = 0; i < count; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "n%zu", i);
        finder_init(&c->nodes[i], net, name, target);
        finder_seed(&c->nodes[i], &c->seed);
    }
    sim_start(c->seed.node);
    for (size_t i = 0; i < count; i++) {
        sim_start(c->nodes[i].node);
    }
}

static void crowd_fini(crowd *c, sim_net *net) {
    sim_net_del(net);
    finder_fini(&c->seed);
    for (size_t i = 0; i < c->count; i++) {
        finder_fini(&c->nodes[i]);
    }
}

/* SPEC-TEST PEX-10 PEX-18 PEX-23 PEX-30 PEX-31 SEED-01 SEED-02: three nodes that know one seed
 * only become each other's peers, and survive its death. */
static void three_find_each_other(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static crowd c;
    crowd_init(&c, net, 3, 10);
    if (seed % 2 == 0) {
        sim_stop_and_wait(c.nodes[0].node);
        sim_set_profile(c.nodes[0].node, "tendermint");
        sim_start(c.nodes[0].node);
    }
    c.want = 2;
    sim_expect(sim_wait(net, have_their_peers, &c, 10 * SY_MIN));
    sim_crash(c.seed.node, SIM_CRASH_PROCESS);
    sim_run_for(net, 10 * SY_MIN);
    for (size_t i = 0; i < 3; i++) {
        sim_expect_eq(sim_peer_count(c.nodes[i].node), 2);
        sim_expect_eq(counts_of(&c.nodes[i]).stopped, 0);
        sim_expect_eq(counts_of(&c.nodes[i]).requests_early, 0);
    }
    crowd_fini(&c, net);
}

/* SPEC-TEST PEX-23 SEED-03 SEED-06: twenty reach their outbound targets, nobody exceeds them, and
 * the seed stays small. */
static void twenty_reach_their_targets(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static crowd c;
    crowd_init(&c, net, 20, 4);
    size_t seed_most = 0;
    for (int minute = 0; minute < 20; minute++) {
        sim_run_for(net, SY_MIN);
        const size_t now = sim_peer_count(c.seed.node);
        seed_most = now > seed_most ? now : seed_most;
    }
    for (size_t i = 0; i < c.count; i++) {
        const sy_switch_counts counts = switch_counts(&c.nodes[i]);
        sim_expect(counts.outbound == 4);
        sim_expect_eq(counts_of(&c.nodes[i]).stopped, 0);
        sim_expect_eq(counts_of(&c.nodes[i]).requests_early, 0);
        sim_expect(book_size(&c.nodes[i]) >= 15);
    }
    sim_expect(seed_most <= 20);
    sim_expect(counts_of(&c.seed).visitors_served >= 20);
    crowd_fini(&c, net);
}

/* SPEC-TEST PEX-28 PEX-32: what was saved at the end is dialed first after a restart, without a
 * seed. */
static void restart_uses_anchors(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static crowd c;
    crowd_init(&c, net, 8, 3);
    sim_run_for(net, 10 * SY_MIN);
    finder *f = &c.nodes[0];
    sim_expect_eq(switch_counts(f).outbound, 3);
    sy_node_id before[3];
    size_t count = 0;
    for (const sy_peer *peer = sy_switch_next_peer(sim_switch(f->node), NULL); peer != NULL;
         peer = sy_switch_next_peer(sim_switch(f->node), peer)) {
        if (sy_peer_is_outbound(peer) && count < 3) {
            before[count++] = *sy_peer_id(peer);
        }
    }
    sim_stop_and_wait(f->node);
    sim_expect(f->saves > 0);

    /* A new process: only the files are left. */
    char *text = f->saved;
    char *notes = f->saved_notes;
    sy_addr_book *old = f->book;
    sy_detail detail;
    make_book(f);
    sim_expect_eq(sy_addr_book_load(f->book, text, f->saved_len, NULL, &detail), SY_OK);
    sim_expect_eq(sy_addr_book_load_notes(f->book, notes, f->saved_notes_len, &detail), SY_OK);
    sy_addr_book_text_del(old, text);
    sy_addr_book_text_del(old, notes);
    sy_addr_book_del(old);
    f->saved = NULL;
    f->seed_count = 0;
    sim_crash(c.seed.node, SIM_CRASH_PROCESS);
    sim_start(f->node);
    sim_run_for(net, 10 * SY_SEC);
    sim_expect_eq(switch_counts(f).outbound, 3);
    for (size_t i = 0; i < 3; i++) {
        sim_expect(sy_switch_peer_by_id(sim_switch(f->node), &before[i]) != NULL);
    }
    crowd_fini(&c, net);
}

/* SPEC-TEST PEX-27: two of the addresses are in one group, the others in groups of their own: the
 * outbound peers are of different groups, until nothing else is left. */
static void outbound_peers_are_diverse(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static finder f;
    static finder others[9];
    finder_init(&f, net, "f", 6);
    sim_start(f.node);
    for (size_t i = 0; i < 9; i++) {
        char name[32];
        char ip[64];
        (void)snprintf(name, sizeof name, "o%zu", i);
        /* o0..o5 share 20.0/16, o6, o7, o8 are alone. */
        (void)snprintf(ip, sizeof ip, "20.%zu.%zu.1", i < 6 ? 0 : i, i);
        finder_init(&others[i], net, name, 0);
        sim_set_ip(others[i].node, ip);
        sim_start(others[i].node);
        const sy_net_addr addr = {*sim_id(others[i].node), *sim_endpoint(others[i].node)};
        const sy_addr_news news = {addr, addr, SY_ADDR_TOLD_OPERATOR, ""};
        (void)f.source.ops->add(f.source.source, &news, sy_switch_walltime(sim_switch(f.node)));
    }
    sim_run_for(net, 31 * SY_SEC);
    sim_expect_eq(switch_counts(&f).outbound, 6);
    size_t alone = 0;
    for (size_t i = 6; i < 9; i++) {
        alone += sim_has_peer(f.node, others[i].node);
    }
    sim_expect_eq(alone, 3);
    sim_net_del(net);
    finder_fini(&f);
    for (size_t i = 0; i < 9; i++) {
        finder_fini(&others[i]);
    }
}

/* SPEC-TEST PEX-23: a node that only others have dialed asks the first of them, not half a minute
 * later, and dials whom it hears of. */
static void newcomers_are_asked(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static finder f;
    static finder caller;
    static finder third;
    finder_init(&f, net, "f", 1);
    finder_init(&caller, net, "caller", 0);
    finder_init(&third, net, "third", 0);
    sim_start(f.node);
    sim_start(caller.node);
    sim_start(third.node);
    sim_run_for(net, SY_SEC);
    sim_dial(third.node, caller.node, SY_DIAL_PERSISTENT);
    sim_run_for(net, SY_SEC);
    sim_dial(caller.node, f.node, SY_DIAL_PERSISTENT);
    sim_run_for(net, 8 * SY_SEC);
    sim_expect_eq(switch_counts(&f).outbound, 1);
    sim_expect(sim_has_peer(f.node, third.node));
    sim_expect_eq(counts_of(&caller).requests_early, 0);
    sim_net_del(net);
    finder_fini(&f);
    finder_fini(&caller);
    finder_fini(&third);
}

/* SPEC-TEST PEX-23: who had nothing to tell is asked again within seconds while a node is short of
 * peers, and still no sooner than PEX-12 allows. */
static void the_short_of_peers_ask_again(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static finder f;
    static finder caller;
    static finder third;
    finder_init(&f, net, "f", 1);
    finder_init(&caller, net, "caller", 0);
    finder_init(&third, net, "third", 0);
    sim_start(f.node);
    sim_start(caller.node);
    sim_start(third.node);
    sim_run_for(net, 40 * SY_SEC); /* the pause of f has grown to its most */
    sim_dial(caller.node, f.node, SY_DIAL_PERSISTENT);
    sim_run_for(net, 3 * SY_SEC);
    sim_expect(counts_of(&f).answers_in > 0);
    sim_dial(third.node, caller.node, SY_DIAL_PERSISTENT);
    sim_run_for(net, 20 * SY_SEC);
    sim_expect(sim_has_peer(f.node, third.node));
    sim_expect_eq(counts_of(&caller).requests_early, 0);
    sim_net_del(net);
    finder_fini(&f);
    finder_fini(&caller);
    finder_fini(&third);
}

/* ---- Puppets -----------------------------------------------------------------------------------
 */

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
    const sy_pex_counts counts = counts_of(f);
    sim_expect_eq(counts.stopped, row->stops ? 1 : 0);
    if (row->stops) {
        sim_expect_eq(sim_count_ends(f->node, SY_STAGE_OPEN, SY_ERR_REACTOR_CAUSE), 1);
    }
    if (book_size(f) != row->known) {
        sim_fail("%s: %zu addresses", row->name, book_size(f));
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
        sim_options options;
        sim_options_default(&options, seed * 100 + i);
        sim_net *net = sim_net_new(&options);
        static finder f;
        static puppet p;
        finder_init(&f, net, "f", 10);
        sim_set_profile(f.node, "tendermint");
        puppet_init(&p, net);
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
        sim_options options;
        sim_options_default(&options, seed);
        sim_net *net = sim_net_new(&options);
        static finder f;
        static puppet p;
        finder_init(&f, net, "f", 10);
        sim_set_profile(f.node, "tendermint");
        puppet_init(&p, net);
        p.on_request = true;
        puppet_says(&p, TEXT(GOOD));
        p.say_times = answers == 1 ? 1 : 0;
        sim_start(f.node);
        sim_start(p.node);
        sim_dial(f.node, p.node, SY_DIAL_ONCE);
        sim_run_for(net, 15 * SY_MIN);
        sim_expect(sim_has_peer(f.node, p.node));
        sim_expect(answers == 1 ? p.requests >= 15 : p.requests == 1);
        for (unsigned i = 1; i < p.requests && i < 64; i++) {
            sim_expect(p.request_at[i] - p.request_at[i - 1] >= 10 * SY_SEC - 100 * SY_MSEC);
        }
        sim_net_del(net);
        finder_fini(&f);
    }
}

/* SPEC-TEST PEX-12: a peer that stalls gets one request late and the next one in time; by its own
 * clock they are ten seconds apart all the same. */
static void a_stalled_peer_sees_the_distance(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static finder f;
    static puppet p;
    finder_init(&f, net, "f", 10);
    f.ensure_period = SY_SEC; /* it asks as often as it may */
    sim_set_profile(f.node, "tendermint");
    puppet_init(&p, net);
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
    for (unsigned i = 1; i < p.requests && i < 64; i++) {
        sim_expect(p.request_at[i] - p.request_at[i - 1] >= 10 * SY_SEC);
    }
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
            const sy_addr_news news = {addr, addr, SY_ADDR_TOLD_OPERATOR, ""};
            sim_expect_eq(
                f.source.ops->add(f.source.source, &news, sy_switch_walltime(sim_switch(f.node))),
                SY_ADDR_ADDED);
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
        const sy_addr_news news = {addr, addr, SY_ADDR_TOLD_OPERATOR, ""};
        (void)f.source.ops->add(f.source.source, &news, sy_switch_walltime(sim_switch(f.node)));
        sim_run_for(net, SY_HOUR);
        const sy_pex_counts counts = counts_of(&f);
        sim_expect(configured == 1 ? counts.dials == 0 : counts.dials >= 3 && counts.dials <= 8);
        sim_expect(configured == 1 ? counts.seed_dials >= 8 && counts.seed_dials <= 18
                                   : counts.seed_dials == 0);
        sim_net_del(net);
        finder_fini(&s);
        finder_fini(&f);
    }
}

/* SPEC-TEST PEX-29: feelers find out which untested addresses are there, although every outbound
 * place is taken, and never take a place. */
static void feelers_test_addresses(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static crowd c;
    crowd_init(&c, net, 8, 2);
    for (size_t i = 0; i < c.count; i++) {
        sim_expect(c.nodes[i].pex != NULL);
        sim_stop_and_wait(c.nodes[i].node);
        c.nodes[i].feeler_period = 20 * SY_SEC;
        sim_start(c.nodes[i].node);
    }
    sim_run_for(net, 30 * SY_MIN);
    uint64_t good = 0;
    size_t tested = 0;
    for (size_t i = 0; i < c.count; i++) {
        good += counts_of(&c.nodes[i]).feelers_good;
        tested += c.nodes[i].source.ops->sizes(c.nodes[i].source.source).tested;
        sim_expect(switch_counts(&c.nodes[i]).outbound <= 2);
    }
    sim_expect(good > 0);
    sim_expect(tested > 2 * c.count);
    crowd_fini(&c, net);
}

static const sim_scenario scenarios[] = {
    {"three_find_each_other", three_find_each_other, 6},
    {"twenty_reach_their_targets", twenty_reach_their_targets, 2},
    {"restart_uses_anchors", restart_uses_anchors, 3},
    {"outbound_peers_are_diverse", outbound_peers_are_diverse, 4},
    {"newcomers_are_asked", newcomers_are_asked, 4},
    {"the_short_of_peers_ask_again", the_short_of_peers_ask_again, 6},
    {"rules_are_kept", rules_are_kept, 2},
    {"requests_keep_their_distance", requests_keep_their_distance, 2},
    {"a_stalled_peer_sees_the_distance", a_stalled_peer_sees_the_distance, 4},
    {"seed_answers_once", seed_answers_once, 3},
    {"private_ids_stay_private", private_ids_stay_private, 2},
    {"seeds_are_not_pestered", seeds_are_not_pestered, 3},
    {"feelers_test_addresses", feelers_test_addresses, 2},
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
