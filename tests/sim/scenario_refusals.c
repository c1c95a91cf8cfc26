/* SPDX-License-Identifier: Apache-2.0 */
/* Every refusal of the switch, seen where it is decided: exact stage, code and clause, counted
 * once; and its repaired twin is accepted. */
#include "tests/sim/sim_scenario.h"

#include <string.h>

#define ALL        7u
#define PLAIN      1u
#define TENDERMINT 2u
#define COMETBFT   4u

static const struct {
    const char *name;
    unsigned bit;
} profiles[] = {{"plain", PLAIN}, {"tendermint", TENDERMINT}, {"cometbft", COMETBFT}};

#define PROFILE_COUNT (sizeof profiles / sizeof profiles[0])

typedef struct stage {
    sim_net *net;
    sim_node *v; /* the one that is dialed */
    sim_node *d; /* the one that dials */
    const char *profile;
} stage;

static sim_node *add(stage *s, const char *name) {
    sim_node *node = sim_node_new(s->net, name);
    sim_set_profile(node, s->profile);
    return node;
}

static stage open_stage(uint64_t seed, const char *profile) {
    sim_options options;
    sim_options_default(&options, seed);
    if (seed % 3 == 0) {
        options.piece_max = 1 + (size_t)(seed * 5);
        options.read_max = 1 + (size_t)(seed * 11);
    }
    stage s = {.net = sim_net_new(&options), .profile = profile};
    s.v = add(&s, "v");
    s.d = add(&s, "d");
    return s;
}

static void dial_once(stage *s, sim_node *from, const sim_node *to) {
    sim_dial(from, to, SY_DIAL_ONCE);
    sim_run_for(s->net, 3 * SY_SEC);
}

static void expect_refused(sim_node *node, sy_stage at, sy_err code, const char *clause) {
    sim_expect_end(node, at, code, clause);
    sim_expect_eq(sim_count_ends(node, at, code), 1);
    /* SPEC-TEST SW-24 */
    sim_expect_eq(sy_switch_ended_count(sim_switch(node), at, code), 1);
    sim_expect_eq(sim_end_at(node, 0)->reason.fault,
                  sim_end_at(node, 0)->reason.code <= SY_ERR_TRUNCATED ? SY_FAULT_REMOTE
                                                                       : SY_FAULT_LOCAL);
}

/* What the other end of a refusal sees: it was closed, or it refuses for the same cause. */
static void expect_turned_away(const sim_node *node, sy_err code) {
    const sim_end_note *note = sim_end_at(node, 0);
    sim_expect(note != NULL);
    if (note->reason.code != code && note->reason.code != SY_ERR_REMOTE_CLOSED &&
        note->reason.code != SY_ERR_REMOTE_RESET && note->reason.code != SY_ERR_SUB_FRAME) {
        sim_fail("%s: ended with %s", sim_name_of(node), sy_err_name(note->reason.code));
    }
}

/* ---- NodeInfo ----------------------------------------------------------------------------------
 */

typedef struct info_case {
    const char *name;
    unsigned profiles; /* in which it is refused; in the others it is accepted */
    const char *network;
    const char *version;
    uint64_t block;
    uint8_t channels[2]; /* of reactor alpha; beta has none in common then */
    const char *listen;
    sy_err code;
    const char *clause;
} info_case;

static const info_case info_cases[] = {
    {.name = "nothing wrong", .profiles = 0},
    {.name = "network",
     .profiles = ALL,
     .network = "sim-nes",
     .code = SY_ERR_NI_NETWORK,
     .clause = "NI-39"},
    {.name = "network longer",
     .profiles = ALL,
     .network = "sim-net2",
     .code = SY_ERR_NI_NETWORK,
     .clause = "NI-39"},
    {.name = "network case",
     .profiles = ALL,
     .network = "sim-neT",
     .code = SY_ERR_NI_NETWORK,
     .clause = "NI-39"},
    {.name = "major version",
     .profiles = PLAIN | TENDERMINT,
     .version = "1.22.8",
     .code = SY_ERR_NI_VERSION_MAJOR,
     .clause = "NI-36"},
    {.name = "minor version", .profiles = 0, .version = "0.23.0"},
    {.name = "block version",
     .profiles = COMETBFT,
     .block = 12,
     .code = SY_ERR_NI_BLOCK_VERSION,
     .clause = "NI-37"},
    {.name = "no common channel",
     .profiles = ALL,
     .channels = {0x50, 0x51},
     .code = SY_ERR_NI_NO_COMMON_CHANNEL,
     .clause = "NI-40"},
    {.name = "one common channel", .profiles = 0, .channels = {0x50, 0x80}},
    /* SPEC-TEST NI-34 NI-35 */
    {.name = "no host",
     .profiles = COMETBFT,
     .listen = ":26656",
     .code = SY_ERR_NI_LISTEN_ADDR,
     .clause = "NI-32 NI-35"},
    {.name = "name that does not resolve",
     .profiles = ALL,
     .listen = "gone.example:26656",
     .code = SY_ERR_NI_LISTEN_RESOLVE,
     .clause = "NI-41"},
    {.name = "name that resolves", .profiles = 0, .listen = "known.example:26656"},
};

static void set_up_info(stage *s, const info_case *c) {
    static const uint8_t other_channels[] = {0x60};
    sy_settings *settings = sim_settings(s->d);
    settings->network = c->network != NULL ? c->network : settings->network;
    settings->version = c->version != NULL ? c->version : settings->version;
    settings->block_version = c->block != 0 ? c->block : settings->block_version;
    settings->listen_addr = c->listen;
    if (c->channels[0] != 0) {
        sim_set_channels(s->d, 0, c->channels, 2);
        sim_set_channels(s->d, 1, other_channels, 1);
    }
    sim_name_add_node(s->net, "known.example", s->d);
}

/* SPEC-TEST SW-09 NI-29 NI-36 NI-37 NI-38 NI-39 NI-40 NI-41 */
static void node_info_row(uint64_t seed, size_t profile, const info_case *c) {
    stage s = open_stage(seed, profiles[profile].name);
    set_up_info(&s, c);
    sim_start(s.v);
    sim_start(s.d);
    dial_once(&s, s.d, s.v);
    if ((c->profiles & profiles[profile].bit) == 0) {
        if (!sim_are_connected(s.d, s.v)) {
            sim_fail("%s, %s: not accepted", c->name, s.profile);
        }
    } else {
        expect_refused(s.v, SY_STAGE_NODE_INFO, c->code, c->clause);
        if (c->listen == NULL) {
            expect_turned_away(s.d, c->code);
        }
        sim_run_for(s.net, 3 * SY_SEC);
        sim_expect_eq(sim_peer_count(s.v), 0);
        sim_expect_eq(sim_peer_count(s.d), 0);
        sim_expect_eq(sim_totals_of(s.v).inits, 0); /* no reactor has heard of it: SW-04 */
    }
    sim_net_del(s.net);
}

static void node_info(uint64_t seed) {
    for (size_t p = 0; p < PROFILE_COUNT; p++) {
        for (size_t i = 0; i < sizeof info_cases / sizeof info_cases[0]; i++) {
            node_info_row(seed, p, &info_cases[i]);
        }
    }
}

/* SPEC-TEST SW-25 SW-26 */
/* KEY-TEST switchyard.resolve_timeout */
static void listen_name_in_silence(uint64_t seed) {
    for (size_t p = 0; p < PROFILE_COUNT; p++) {
        stage s = open_stage(seed, profiles[p].name);
        sim_node *e = add(&s, "e");
        sim_settings(s.d)->listen_addr = "silent.example:26656";
        sim_settings(e)->listen_addr = "silent.example:26656";
        sim_name_break(s.net, "silent.example", SIM_NAME_SILENT, 0, sim_now(s.net) + SY_HOUR);
        sim_start(s.v);
        sim_start(s.d);
        sim_start(e);
        const sy_time before = sim_now(s.net);
        sim_dial(s.d, s.v, SY_DIAL_ONCE);
        sim_run_for(s.net, 6 * SY_SEC);
        expect_refused(s.v, SY_STAGE_NODE_INFO, SY_ERR_NI_LISTEN_RESOLVE, "NI-41");
        const sy_duration took = sim_end_at(s.v, 0)->at - before;
        sim_expect(took >= 5 * SY_SEC && took < 5 * SY_SEC + 500 * SY_MSEC);

        /* A failure is remembered for 60 s: the next one is refused without asking. */
        sim_name_break(s.net, "gone.example", SIM_NAME_FAILS, 0, sim_now(s.net) + SY_HOUR);
        sim_stop_and_wait(s.d);
        sim_stop_and_wait(e);
        sim_settings(s.d)->listen_addr = "gone.example:26656";
        sim_settings(e)->listen_addr = "gone.example:26656";
        sim_start(s.d);
        sim_start(e);
        dial_once(&s, s.d, s.v);
        dial_once(&s, e, s.v);
        sim_expect_eq(sim_name_asked(s.net, "gone.example"), 1);
        sim_expect_eq(sim_count_ends(s.v, SY_STAGE_NODE_INFO, SY_ERR_NI_LISTEN_RESOLVE), 3);
        sim_net_del(s.net);
    }
}

#define CROWD 45

/* SPEC-TEST SW-58: 32 names at once, then 4 in a second; the others wait, none is refused. */
static void many_listen_names(uint64_t seed) {
    static char listen[CROWD][40];
    stage s = open_stage(seed, "plain");
    sim_node *crowd[CROWD];
    sim_settings(s.v)->max_inbound = CROWD;
    sim_start(s.v);
    for (size_t i = 0; i < CROWD; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "crowd%zu", i);
        (void)snprintf(listen[i], sizeof listen[i], "%s.example:26656", name);
        crowd[i] = add(&s, name);
        sim_settings(crowd[i])->listen_addr = listen[i];
        listen[i][strlen(name) + 8] = '\0';
        sim_name_add_node(s.net, listen[i], crowd[i]);
        listen[i][strlen(name) + 8] = ':';
        sim_start(crowd[i]);
        sim_dial(crowd[i], s.v, SY_DIAL_ONCE);
    }
    for (size_t tenth = 0; tenth < 45; tenth++) {
        sim_run_for(s.net, 100 * SY_MSEC);
        size_t asked = 0;
        for (size_t i = 0; i < CROWD; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "crowd%zu.example", i);
            asked += (size_t)sim_name_asked(s.net, name);
        }
        sim_expect(asked <= 32 + 4 * (tenth + 1) / 10 + 1);
    }
    sim_expect_eq(sim_peer_count(s.v), CROWD);
    sim_net_del(s.net);
}

/* ---- Identity ----------------------------------------------------------------------------------
 */

/* SPEC-TEST SW-08 SW-10 */
static void wrong_id(uint64_t seed) {
    for (size_t p = 0; p < PROFILE_COUNT; p++) {
        stage s = open_stage(seed, profiles[p].name);
        sim_node *other = add(&s, "other");
        char id[SY_NODE_ID_TEXT_CAP];
        char text[SY_ADDR_TEXT_CAP];
        sim_start(s.v);
        sim_start(s.d);
        sy_node_id_format(sim_id(other), id);
        (void)snprintf(text, sizeof text, "%s@10.0.0.1:%d", id, SIM_PORT);
        sim_expect_eq(sim_dial_text(s.d, text, SY_DIAL_ONCE), SY_OK);
        sim_run_for(s.net, 3 * SY_SEC);
        expect_refused(s.d, SY_STAGE_IDENTITY, SY_ERR_ID_MISMATCH, "SW-10");
        expect_turned_away(s.v, SY_ERR_ID_MISMATCH);
        sim_expect_eq(sim_totals_of(s.d).inits, 0);

        dial_once(&s, s.d, s.v);
        sim_expect(sim_are_connected(s.d, s.v));
        sim_net_del(s.net);
    }
}

/* SPEC-TEST SW-11 SW-12: found out at both ends, which are one; then never dialed again. */
static void self(uint64_t seed) {
    for (size_t p = 0; p < PROFILE_COUNT; p++) {
        for (int kind = SY_DIAL_ONCE; kind <= SY_DIAL_PERSISTENT; kind++) {
            stage s = open_stage(seed, profiles[p].name);
            sim_start(s.v);
            sim_expect_eq(sim_dial_text(s.v, "10.0.0.1:26656", (sy_dial_kind)kind), SY_OK);
            sim_run_for(s.net, SY_HOUR);
            sim_expect_eq(sim_totals_of(s.v).dials, 1);
            sim_expect_eq(sim_totals_of(s.v).ends, 2);
            sim_expect(sim_count_ends(s.v, SY_STAGE_IDENTITY, SY_ERR_SELF) >= 1);
            sim_expect_eq(sim_totals_of(s.v).inits, 0);

            char id[SY_NODE_ID_TEXT_CAP];
            char text[SY_ADDR_TEXT_CAP];
            sy_node_id_format(sim_id(s.v), id);
            (void)snprintf(text, sizeof text, "%s@10.0.0.9:1", id);
            sim_expect_eq(sim_dial_text(s.v, text, SY_DIAL_ONCE), SY_ERR_SELF);
            sim_net_del(s.net);
        }
    }
}

/* ---- A second and a third connection -----------------------------------------------------------
 */

/* SPEC-TEST SW-32: somebody else has the key of a peer that is alive. */
static void duplicate(uint64_t seed) {
    for (size_t p = 0; p < PROFILE_COUNT; p++) {
        stage s = open_stage(seed, profiles[p].name);
        sim_node *twin = add(&s, "twin");
        sim_set_key_of(twin, s.d);
        sim_start(s.v);
        sim_start(s.d);
        sim_start(twin);
        dial_once(&s, s.d, s.v);
        sim_expect(sim_are_connected(s.d, s.v));
        dial_once(&s, twin, s.v);
        expect_refused(s.v, SY_STAGE_ADMISSION, SY_ERR_DUPLICATE_ID, "SW-32");
        expect_turned_away(twin, SY_ERR_DUPLICATE_ID);
        sim_expect(sim_are_connected(s.d, s.v));
        sim_expect_eq(sim_totals_of(s.v).inits, SIM_REACTORS);
        sim_net_del(s.net);
    }
}

/* KEY-TEST switchyard.park_timeout */
/* SPEC-TEST SW-33 SW-34: three with one key; the first has fallen silent. */
static void third(uint64_t seed) {
    for (size_t p = 0; p < PROFILE_COUNT; p++) {
        stage s = open_stage(seed, profiles[p].name);
        sim_node *twin = add(&s, "twin");
        sim_node *triplet = add(&s, "triplet");
        sim_settings(s.v)->park_timeout = 10 * SY_SEC;
        sim_set_key_of(twin, s.d);
        sim_set_key_of(triplet, s.d);
        sim_start(s.v);
        sim_start(s.d);
        sim_start(twin);
        sim_start(triplet);
        dial_once(&s, s.d, s.v);
        sim_expect(sim_are_connected(s.d, s.v));
        sim_partition(s.d, s.v);
        dial_once(&s, twin, s.v);
        sim_expect_eq(sim_totals_of(s.v).ends, 0); /* both are parked */
        sim_expect_eq(sim_send(twin, s.v, 0x20, 500), SY_SEND_QUEUED);
        dial_once(&s, triplet, s.v);
        expect_refused(s.v, SY_STAGE_ADMISSION, SY_ERR_DUPLICATE_ID, "SW-34");
        expect_turned_away(triplet, SY_ERR_DUPLICATE_ID);
        sim_expect_eq(sim_totals_of(s.v).delivered, 0); /* kept while parked: SW-28 */

        sim_run_for(s.net, 6 * SY_SEC);
        expect_refused(s.v, SY_STAGE_OPEN, SY_ERR_DUPLICATE_ID, "SW-33");
        sim_expect(sim_are_connected(twin, s.v));
        sim_expect_eq(sim_totals_of(s.v).delivered, 1);
        sim_heal_all(s.net);
        sim_run_for(s.net, SY_MIN);
        sim_expect(sim_are_connected(twin, s.v));
        sim_net_del(s.net);
    }
}

/* ---- Admission ---------------------------------------------------------------------------------
 */

typedef struct admit_case {
    const char *name;
    size_t max_inbound;
    size_t total;
    size_t per_ip;
    size_t per_prefix;
    bool same_ip;
    bool persistent; /* the second one is a persistent peer of v */
    bool unconditional;
    bool reserved; /* v has a persistent peer that is away */
    sy_err code;   /* SY_OK: accepted */
    const char *clause;
} admit_case;

static const admit_case admit_cases[] = {
    {.name = "room", .max_inbound = 2},
    {.name = "inbound", .max_inbound = 1, .code = SY_ERR_ADMIT_FULL, .clause = "SW-14"},
    {.name = "inbound, persistent", .max_inbound = 1, .persistent = true},
    {.name = "inbound, unconditional", .max_inbound = 1, .unconditional = true},
    {.name = "total", .max_inbound = 9, .total = 1, .code = SY_ERR_ADMIT_TOTAL, .clause = "SW-18"},
    {.name = "total + 1", .max_inbound = 9, .total = 2},
    {.name = "reserved",
     .max_inbound = 9,
     .total = 2,
     .reserved = true,
     .code = SY_ERR_ADMIT_FULL,
     .clause = "SW-19"},
    {.name = "reserved + 1", .max_inbound = 9, .total = 3, .reserved = true},
    {.name = "ip",
     .max_inbound = 9,
     .per_ip = 1,
     .same_ip = true,
     .code = SY_ERR_ADMIT_IP,
     .clause = "SW-20"},
    {.name = "ip + 1", .max_inbound = 9, .per_ip = 2, .same_ip = true},
    {.name = "other ip", .max_inbound = 9, .per_ip = 1},
    {.name = "ip, persistent", .max_inbound = 9, .per_ip = 1, .same_ip = true, .persistent = true},
    {.name = "prefix",
     .max_inbound = 9,
     .per_prefix = 1,
     .code = SY_ERR_ADMIT_PREFIX,
     .clause = "SW-57"},
    {.name = "prefix + 1", .max_inbound = 9, .per_prefix = 2},
};

static void set_up_admission(stage *s, const admit_case *c, sim_node *second, sim_node *away) {
    sy_settings *settings = sim_settings(s->v);
    settings->max_inbound = c->max_inbound;
    settings->total_connections = c->total;
    settings->max_per_ip = c->per_ip;
    settings->max_per_prefix = c->per_prefix;
    if (c->unconditional) {
        settings->unconditional_ids = sim_id(second);
        settings->unconditional_count = 1;
    }
    if (c->persistent) {
        sim_dial(s->v, second, SY_DIAL_PERSISTENT); /* it does not listen there */
        sim_set_ip(second, "10.0.0.77");
    }
    if (c->reserved) {
        sim_dial(s->v, away, SY_DIAL_PERSISTENT);
    }
    if (c->same_ip) {
        sim_set_ip(second, "10.0.0.2");
    }
}

/* SPEC-TEST SW-13 SW-14 SW-17 SW-18 SW-19 SW-20 SW-57 */
static void admission_row(uint64_t seed, size_t profile, const admit_case *c) {
    stage s = open_stage(seed, profiles[profile].name);
    sim_node *second = add(&s, "second");
    sim_node *away = add(&s, "away");
    set_up_admission(&s, c, second, away);
    sim_start(s.v);
    sim_start(s.d);
    sim_start(second);
    dial_once(&s, s.d, s.v);
    sim_expect(sim_are_connected(s.d, s.v));
    sim_forget_ends(s.v);
    dial_once(&s, second, s.v);
    if (c->code == SY_OK) {
        if (!sim_are_connected(second, s.v)) {
            sim_fail("%s, %s: not accepted", c->name, s.profile);
        }
    } else {
        sim_expect_eq(sim_count_ends(s.v, SY_STAGE_IDENTITY, c->code), 1);
        sim_expect_eq(sy_switch_ended_count(sim_switch(s.v), SY_STAGE_IDENTITY, c->code), 1);
        sim_expect(!sim_has_peer(s.v, second));
        sim_expect(!sim_has_peer(second, s.v));
        /* A place becomes free: the same one is taken. */
        sim_stop_and_wait(s.d);
        dial_once(&s, second, s.v);
        sim_expect(sim_are_connected(second, s.v));
    }
    sim_net_del(s.net);
}

static void admission(uint64_t seed) {
    for (size_t p = 0; p < PROFILE_COUNT; p++) {
        for (size_t i = 0; i < sizeof admit_cases / sizeof admit_cases[0]; i++) {
            admission_row(seed, p, &admit_cases[i]);
        }
    }
}

/* SPEC-TEST SW-15 */
static void outbound_full(uint64_t seed) {
    for (size_t p = 0; p < PROFILE_COUNT; p++) {
        stage s = open_stage(seed, profiles[p].name);
        sim_node *w = add(&s, "w");
        sim_settings(s.d)->max_outbound = 1;
        sim_start(s.v);
        sim_start(w);
        sim_start(s.d);
        dial_once(&s, s.d, s.v);
        dial_once(&s, s.d, w);
        expect_refused(s.d, SY_STAGE_IDENTITY, SY_ERR_ADMIT_FULL, "SW-15");
        sim_expect(sim_are_connected(s.d, s.v));
        sim_dial(s.d, w, SY_DIAL_PERSISTENT);
        sim_run_for(s.net, 3 * SY_SEC);
        sim_expect(sim_are_connected(s.d, w));
        sim_net_del(s.net);
    }
}

/* ---- Connecting --------------------------------------------------------------------------------
 */

/* SPEC-TEST SW-03 SW-38 SW-39 */
static void cannot_connect(uint64_t seed) {
    stage s = open_stage(seed, "tendermint");
    sim_start(s.v);
    sim_start(s.d);
    sim_stop_and_wait(s.v);
    dial_once(&s, s.d, s.v);
    expect_refused(s.d, SY_STAGE_CONNECT, SY_ERR_CONNECT, "SW-39");

    sim_start(s.v);
    sim_crash(s.v, SIM_CRASH_HOST);
    const sy_time before = sim_now(s.net);
    sim_dial(s.d, s.v, SY_DIAL_ONCE);
    sim_run_for(s.net, 4 * SY_SEC);
    expect_refused(s.d, SY_STAGE_CONNECT, SY_ERR_CONNECT_TIMEOUT, "SW-03");
    sim_expect(sim_end_at(s.d, 0)->at >= before + 3 * SY_SEC);
    sim_expect(sim_end_at(s.d, 0)->at < before + 3 * SY_SEC + 10 * SY_MSEC);

    sim_expect_eq(sim_dial_text(s.d, "not.example:1", SY_DIAL_ONCE), SY_OK);
    sim_run_for(s.net, SY_SEC);
    sim_expect_eq(sy_switch_ended_count(sim_switch(s.d), SY_STAGE_RESOLVE, SY_ERR_RESOLVE), 1);

    sim_fail_connects(s.d, 1);
    sim_start(s.v);
    dial_once(&s, s.d, s.v);
    sim_expect_eq(sim_count_ends(s.d, SY_STAGE_CONNECT, SY_ERR_SYSTEM), 1);
    dial_once(&s, s.d, s.v);
    sim_expect(sim_are_connected(s.d, s.v));
    sim_net_del(s.net);
}

/* A node is stopped, and only then hears that its dial has failed: the stream is gone already. */
static void refused_while_stopping(uint64_t seed) {
    stage s = open_stage(seed, "tendermint");
    sim_start(s.v);
    sim_stop_and_wait(s.v);
    sim_start(s.d);
    sim_dial(s.d, s.v, SY_DIAL_PERSISTENT);
    sim_run_for(s.net, SY_MSEC);
    sim_expect_eq(sim_totals_of(s.d).dials, 1);
    sim_pause(s.d, SY_SEC);
    sim_run_for(s.net, 500 * SY_MSEC);
    sim_stop(s.d);
    sim_run_for(s.net, SY_SEC);
    sim_expect(!sim_is_running(s.d));
    sim_expect_end(s.d, SY_STAGE_CONNECT, SY_ERR_SHUTDOWN, NULL);
    sim_net_del(s.net);
}

/* First bytes of nobody's protocol, on a listener for two. */
static void unknown_protocol(uint64_t seed) {
    static const char *const hellos[] = {"GET / HTTP/1.1\r\n", "\x16\x03\x01", "SSH-2.0"};
    for (size_t i = 0; i < sizeof hellos / sizeof hellos[0]; i++) {
        stage s = open_stage(seed, "tendermint");
        sim_settings(s.v)->profiles[1] = "cometbft";
        sim_settings(s.v)->profile_count = 2;
        sim_start(s.v);
        sim_raw *raw = sim_raw_connect(s.net, "192.0.2.1", s.v);
        sim_run_for(s.net, SY_SEC);
        sim_raw_send(raw, hellos[i], strlen(hellos[i]));
        sim_run_for(s.net, SY_SEC);
        expect_refused(s.v, SY_STAGE_CONNECT, SY_ERR_PROFILE_UNKNOWN, NULL);
        sim_expect(sim_raw_has_ended(raw));
        sim_net_del(s.net);
    }
}

/* SPEC-TEST PL-05 PR-02: plain is for private addresses, the other profiles answer everybody at
 * once. */
/* KEY-TEST switchyard.plain_anywhere */
static void plain_from_afar(uint64_t seed) {
    static const struct {
        const char *name;
        const char *ip;
        const char *profiles[2];
        bool anywhere;
        bool refused;
    } rows[] = {
        {"private", "10.7.7.7", {"plain"}, false, false},
        {"public", "192.0.2.1", {"plain"}, false, true},
        {"public, anywhere", "192.0.2.1", {"plain"}, true, false},
        {"private, with others", "10.7.7.7", {"tendermint", "plain"}, false, false},
        {"public, with others", "192.0.2.1", {"tendermint", "plain"}, false, true},
        {"public, with others, anywhere", "192.0.2.1", {"tendermint", "plain"}, true, false},
    };
    static const uint8_t hello[] = {0x60, 0x0a, 0x28};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stage s = open_stage(seed, "plain");
        sy_settings *settings = sim_settings(s.v);
        settings->profiles[0] = rows[i].profiles[0];
        settings->profiles[1] = rows[i].profiles[1];
        settings->profile_count = rows[i].profiles[1] == NULL ? 1 : 2;
        settings->plain_anywhere = rows[i].anywhere;
        sim_start(s.v);
        sim_raw *raw = sim_raw_connect(s.net, rows[i].ip, s.v);
        sim_run_for(s.net, SY_SEC);
        sim_raw_send(raw, hello, sizeof hello);
        sim_run_for(s.net, SY_SEC);
        if (rows[i].refused) {
            expect_refused(s.v, SY_STAGE_CONNECT, SY_ERR_PROFILE_UNKNOWN, NULL);
        } else {
            /* It speaks plain: its own NodeInfo has been sent. */
            sim_expect_eq(sim_totals_of(s.v).ends, 0);
            sim_expect(sim_raw_received(raw) > 100);
        }
        sim_net_del(s.net);
    }
}

static void one_profile_speaks_first(uint64_t seed) {
    static const char *const ips[] = {"10.7.7.7", "192.0.2.1"};
    for (size_t i = 0; i < 2; i++) {
        for (size_t p = 1; p < PROFILE_COUNT; p++) {
            stage s = open_stage(seed, profiles[p].name);
            sim_start(s.v);
            sim_raw *raw = sim_raw_connect(s.net, ips[i], s.v);
            sim_run_for(s.net, SY_SEC);
            sim_expect_eq(sim_raw_received(raw), 33 + p); /* an ephemeral key: 34 or 35 bytes */
            sim_net_del(s.net);
        }
    }
}

int main(int argc, char **argv) {
    static const sim_scenario scenarios[] = {
        {"node_info", node_info, 6},
        {"listen_name_in_silence", listen_name_in_silence, 3},
        {"many_listen_names", many_listen_names, 2},
        {"wrong_id", wrong_id, 6},
        {"self", self, 3},
        {"duplicate", duplicate, 6},
        {"third", third, 6},
        {"admission", admission, 3},
        {"outbound_full", outbound_full, 3},
        {"cannot_connect", cannot_connect, 3},
        {"refused_while_stopping", refused_while_stopping, 3},
        {"unknown_protocol", unknown_protocol, 3},
        {"plain_from_afar", plain_from_afar, 2},
        {"one_profile_speaks_first", one_profile_speaks_first, 2},
    };
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
