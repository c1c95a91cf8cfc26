/* SPDX-License-Identifier: Apache-2.0 */
/* A judge who takes its time: connections wait for it, go on, end, and it hears of the end. */
#include <string.h>

#include <switchyard/verdict.h>

#include "tests/sim/sim_scenario.h"

#define ASKED_MAX 4096

/* What the judge does with a question of one kind. */
typedef struct manner {
    sy_verdict verdict;
    bool at_once;
    bool silent;
    sy_duration delay; /* of the answer otherwise */
} manner;

static const manner admits = {.verdict = SY_VERDICT_ADMIT, .delay = 700 * SY_MSEC};
static const manner refuses = {.verdict = SY_VERDICT_REFUSE, .delay = 300 * SY_MSEC};
static const manner shrugs = {.verdict = SY_VERDICT_NONE, .delay = 100 * SY_MSEC};
static const manner admits_at_once = {.verdict = SY_VERDICT_ADMIT, .at_once = true};
static const manner refuses_at_once = {.verdict = SY_VERDICT_REFUSE, .at_once = true};
static const manner shrugs_at_once = {.verdict = SY_VERDICT_NONE, .at_once = true};
static const manner is_silent = {.silent = true};

typedef enum outcome {
    OPEN,
    ANSWERED,
    CANCELLED,
} outcome;

typedef struct judge judge;

typedef struct asked {
    judge *owner;
    sy_question_ref ref;
    sy_endpoint remote;
    bool has_id;
    sy_node_id id;
    bool outbound;
    outcome outcome;
    uint64_t life; /* of the switch that asked */
    char why[SY_DETAIL_CAP];
} asked;

struct judge {
    sim_node *node;
    manner manners[2]; /* by kind */
    bool draws;        /* manners are drawn for each question */
    sy_judge_settings settings;
    asked *asked;
    size_t count;
    size_t gone; /* answers that came too late */
};

static asked *find_open(judge *j, sy_question_ref ref) {
    for (size_t i = 0; i < j->count; i++) {
        asked *a = &j->asked[i];
        if (a->outcome == OPEN && a->ref.slot == ref.slot && a->ref.generation == ref.generation &&
            a->ref.kind == ref.kind) {
            return a;
        }
    }
    return NULL;
}

static void answer_now(void *user) {
    asked *a = user;
    judge *j = a->owner;
    sy_detail why;
    if (!sim_is_running(j->node) || a->life != sim_totals_of(j->node).starts) {
        return; /* references are those of one switch */
    }
    const bool was_open = a->outcome == OPEN;
    sy_detail_set(&why, "not today");
    a->outcome = was_open ? ANSWERED : a->outcome;
    const manner *m = &j->manners[a->ref.kind];
    const sy_verdict verdict = j->draws ? (sy_verdict)sim_draw(sim_net_of(j->node), 3) : m->verdict;
    const sy_err err =
        sy_switch_answer(sim_switch(j->node), a->ref, verdict, &why, sim_now(sim_net_of(j->node)));
    if (!was_open) {
        sim_expect_eq(err, SY_ERR_GONE); /* SPEC-TEST FL-19 */
        j->gone++;
    } else {
        sim_expect_eq(err, SY_OK);
        sim_expect_eq(sy_switch_answer(sim_switch(j->node), a->ref, verdict, &why,
                                       sim_now(sim_net_of(j->node))),
                      SY_ERR_GONE);
    }
    sim_nudge(j->node);
}

static manner manner_for(judge *j, sy_question_kind kind) {
    sim_net *net = sim_net_of(j->node);
    if (!j->draws) {
        return j->manners[kind];
    }
    return (manner){
        .verdict = (sy_verdict)sim_draw(net, 3),
        .at_once = sim_draw(net, 4) == 0,
        .silent = sim_draw(net, 8) == 0,
        .delay = sim_draw_duration(net, 0, 7 * SY_SEC),
    };
}

static sy_verdict ask(void *user, const sy_question *question, sy_detail *why, sy_time now) {
    judge *j = user;
    const manner m = manner_for(j, question->ref.kind);
    sim_expect(j->count < ASKED_MAX);
    sim_expect(find_open(j, question->ref) == NULL);
    asked *a = &j->asked[j->count++];
    *a = (asked){.owner = j,
                 .ref = question->ref,
                 .remote = *question->remote,
                 .has_id = question->id != NULL,
                 .outbound = question->outbound,
                 .life = sim_totals_of(j->node).starts};
    if (a->has_id) {
        a->id = *question->id;
    }
    if (m.at_once) {
        a->outcome = ANSWERED;
        sy_detail_set(why, "at once");
        return m.verdict;
    }
    if (!m.silent) {
        sim_at(sim_net_of(j->node), now + m.delay, answer_now, a);
    }
    return SY_VERDICT_PENDING;
}

static void cancel(void *user, sy_question_ref ref, sy_detail *why, sy_time now) {
    judge *j = user;
    asked *a = find_open(j, ref);
    (void)now;
    sim_expect(a != NULL); /* once, and only what is open */
    a->outcome = CANCELLED;
    memcpy(a->why, why->text, sizeof a->why);
    sy_detail_add(why, "; heard");
}

static const sy_judge_ops ops = {
    .size = sizeof(sy_judge_ops), .name = "the judge", .ask = ask, .cancel = cancel};

static sy_err attach(void *user, sim_node *node, sy_switch *sw) {
    judge *j = user;
    (void)node;
    return sy_switch_set_judge(sw, &ops, j, &j->settings);
}

static judge *judge_new(sim_node *node, manner addr, manner id) {
    judge *j = sy_mem_zalloc(sy_mem_libc(), sizeof *j);
    *j = (judge){.node = node, .manners = {[SY_ASK_ADDR] = addr, [SY_ASK_ID] = id}};
    j->asked = sy_mem_zalloc_array(sy_mem_libc(), ASKED_MAX, sizeof *j->asked);
    sy_judge_settings_default(&j->settings);
    sim_set_attach(node, attach, j);
    return j;
}

/* Every question has had its end.  Call after the network is gone. */
static void judge_del(judge *j) {
    for (size_t i = 0; i < j->count; i++) {
        sim_expect(j->asked[i].outcome != OPEN);
    }
    sy_mem_release(sy_mem_libc(), j->asked);
    sy_mem_release(sy_mem_libc(), j);
}

/* ---- A pair ------------------------------------------------------------------------------------
 */

static const char *const profiles[] = {"plain", "tendermint", "cometbft"};

#define PROFILE_COUNT (sizeof profiles / sizeof profiles[0])

typedef struct pair {
    sim_net *net;
    sim_node *alice; /* dials */
    sim_node *bob;   /* has a judge */
    judge *judge;
} pair;

static pair make_pair(uint64_t seed, const char *profile, manner addr, manner id) {
    sim_options options;
    sim_options_default(&options, seed);
    if (seed % 2 == 0) {
        options.piece_max = 1 + (size_t)seed * 7;
        options.read_max = 1 + (size_t)seed * 13;
    }
    pair p = {.net = sim_net_new(&options)};
    p.alice = sim_node_new(p.net, "alice");
    p.bob = sim_node_new(p.net, "bob");
    sim_set_profile(p.alice, profile);
    sim_set_profile(p.bob, profile);
    p.judge = judge_new(p.bob, addr, id);
    return p;
}

static void start_pair(const pair *p) {
    sim_start(p->alice);
    sim_start(p->bob);
}

static void end_pair(pair *p) {
    sim_net_del(p->net);
    judge_del(p->judge);
}

typedef struct verdict_row {
    const char *name;
    const manner *addr;
    const manner *id;
    sy_unanswered unanswered;
    size_t questions;
    sy_stage stage; /* of the refusal */
    sy_err code;    /* SY_OK: connected */
    sy_duration from;
    sy_duration to; /* how long it took */
} verdict_row;

#define S SY_SEC

/* SPEC-TEST FL-14 FL-15 FL-16 FL-17 FL-18 */
static const verdict_row verdict_rows[] = {
    {"admitted later", &admits, &admits, SY_UNANSWERED_REFUSE, 2, 0, SY_OK, 1400 * SY_MSEC, 3 * S},
    {"admitted at once", &admits_at_once, &admits_at_once, SY_UNANSWERED_REFUSE, 2, 0, SY_OK, 0, S},
    {"address refused", &refuses, &admits, SY_UNANSWERED_ADMIT, 1, SY_STAGE_CONNECT,
     SY_ERR_FILTERED, 300 * SY_MSEC, S},
    {"address refused at once", &refuses_at_once, &admits, SY_UNANSWERED_ADMIT, 1, SY_STAGE_CONNECT,
     SY_ERR_FILTERED, 0, S},
    {"ID refused", &admits, &refuses, SY_UNANSWERED_ADMIT, 2, SY_STAGE_IDENTITY, SY_ERR_FILTERED, S,
     3 * S},
    {"ID refused at once", &admits_at_once, &refuses_at_once, SY_UNANSWERED_ADMIT, 2,
     SY_STAGE_IDENTITY, SY_ERR_FILTERED, 0, S},
    {"address: silence", &is_silent, &admits, SY_UNANSWERED_REFUSE, 1, SY_STAGE_CONNECT,
     SY_ERR_NO_VERDICT, 5 * S, 6 * S},
    {"ID: silence", &admits_at_once, &is_silent, SY_UNANSWERED_REFUSE, 2, SY_STAGE_IDENTITY,
     SY_ERR_NO_VERDICT, 5 * S, 6 * S},
    {"silence admits", &is_silent, &is_silent, SY_UNANSWERED_ADMIT, 2, 0, SY_OK, 10 * S, 12 * S},
    {"address: cannot say", &shrugs, &admits, SY_UNANSWERED_REFUSE, 1, SY_STAGE_CONNECT,
     SY_ERR_NO_VERDICT, 100 * SY_MSEC, S},
    {"ID: cannot say, at once", &admits_at_once, &shrugs_at_once, SY_UNANSWERED_REFUSE, 2,
     SY_STAGE_IDENTITY, SY_ERR_NO_VERDICT, 0, S},
    {"cannot say admits", &shrugs, &shrugs_at_once, SY_UNANSWERED_ADMIT, 2, 0, SY_OK, 0, 2 * S},
};

static void check_questions(const pair *p, const verdict_row *row, bool outbound) {
    sim_expect_eq(p->judge->count, row->questions);
    for (size_t i = 0; i < p->judge->count; i++) {
        const asked *a = &p->judge->asked[i];
        sim_expect_eq(a->ref.kind, i == 0 ? SY_ASK_ADDR : SY_ASK_ID);
        sim_expect_eq(a->outbound, outbound);
        sim_expect(sy_endpoint_same_ip(&a->remote, sim_endpoint(p->alice)));
        sim_expect_eq(a->has_id, outbound || i == 1);
        sim_expect(!a->has_id || sy_node_id_equal(&a->id, sim_id(p->alice)));
    }
}

static bool is_decided(void *user) {
    const pair *p = user;
    return sim_are_connected(p->alice, p->bob) || sim_end_at(p->bob, 0) != NULL;
}

static void verdict_once(uint64_t seed, const char *profile, const verdict_row *row,
                         bool outbound) {
    pair p = make_pair(seed, profile, *row->addr, *row->id);
    p.judge->settings.unanswered = row->unanswered;
    start_pair(&p);
    const sy_time before = sim_now(p.net);
    sim_dial(outbound ? p.bob : p.alice, outbound ? p.alice : p.bob, SY_DIAL_ONCE);
    if (!sim_wait(p.net, is_decided, &p, 30 * SY_SEC)) {
        sim_fail("%s, %s: nothing happened", row->name, profile);
    }
    const sy_duration took = sim_now(p.net) - before;
    if (took < row->from || took > row->to) {
        sim_fail("%s, %s: took %llu ms", row->name, profile, (unsigned long long)(took / SY_MSEC));
    }
    check_questions(&p, row, outbound);
    if (row->code == SY_OK) {
        sim_expect(sim_are_connected(p.alice, p.bob));
        sim_post(p.alice, p.bob, 0x20, 5000);
        sim_run_for(p.net, 2 * SY_SEC);
        sim_expect_eq(sim_totals_of(p.bob).delivered, 1);
    } else {
        sim_expect_end(p.bob, row->stage, row->code, row->code == SY_ERR_FILTERED ? NULL : "FL-17");
        sim_expect_eq(sim_end_at(p.bob, 0)->reason.fault, SY_FAULT_LOCAL);
        sim_run_for(p.net, SY_SEC);
        sim_expect_eq(sim_totals_of(p.bob).inits, 0);
        sim_expect(sim_end_at(p.alice, 0) != NULL);
        if (strcmp(profile, "plain") != 0) { /* there the ID comes with both NodeInfos */
            sim_expect(sim_end_at(p.alice, 0)->reason.stage <= SY_STAGE_NODE_INFO);
            sim_expect_eq(sim_totals_of(p.alice).inits, 0);
        }
    }
    end_pair(&p);
}

static void verdicts(uint64_t seed) {
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        for (size_t k = 0; k < sizeof verdict_rows / sizeof verdict_rows[0]; k++) {
            verdict_once(seed, profiles[i], &verdict_rows[k], seed % 2 == 0);
        }
    }
}

/* SPEC-TEST FL-14: not a byte before the answer, whatever the dialer says. */
static void nothing_is_said(uint64_t seed) {
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        const uint8_t hello[35] = {0x22, 0x0a, 0x20, 9}; /* a key, in cometbft */
        pair p = make_pair(seed, profiles[i], admits, admits);
        start_pair(&p);
        p.judge->manners[SY_ASK_ADDR].delay = 3 * SY_SEC;
        sim_raw *raw = sim_raw_connect(p.net, "10.9.9.9", p.bob);
        sim_run_for(p.net, SY_SEC);
        sim_raw_send(raw, hello, i == 2 ? 35 : 3);
        sim_run_for(p.net, SY_SEC);
        sim_expect_eq(p.judge->count, 1);
        sim_expect_eq(sim_raw_received(raw), 0);
        sim_run_for(p.net, 2 * SY_SEC);
        if (i == 2) {
            sim_expect(sim_raw_received(raw) >= 35); /* our ephemeral key */
        }
        sim_raw_close(raw);
        sim_run_for(p.net, 20 * SY_SEC);
        end_pair(&p);
    }
}

/* SPEC-TEST FL-19: the judge hears of the end; what it says later is GONE. */
static void ends_while_it_waits(uint64_t seed) {
    /* A remote that has said nothing yet leaves. */
    pair p = make_pair(seed, "cometbft", admits, admits);
    p.judge->manners[SY_ASK_ADDR].delay = 4 * SY_SEC;
    start_pair(&p);
    sim_raw *raw = sim_raw_connect(p.net, "10.9.9.9", p.bob);
    sim_run_for(p.net, SY_SEC);
    sim_raw_close(raw);
    sim_run_for(p.net, SY_SEC);
    sim_expect_eq(p.judge->count, 1);
    sim_expect_eq(p.judge->asked[0].outcome, CANCELLED);
    sim_expect(strstr(p.judge->asked[0].why, "the connection has ended") != NULL);
    sim_run_for(p.net, 4 * SY_SEC);
    sim_expect_eq(p.judge->gone, 1);
    end_pair(&p);

    /* We stop, while the ID is in question. */
    p = make_pair(seed, "cometbft", admits_at_once, is_silent);
    start_pair(&p);
    sim_dial(p.alice, p.bob, SY_DIAL_ONCE);
    sim_run_for(p.net, SY_SEC);
    sim_expect_eq(p.judge->count, 2);
    sim_stop_and_wait(p.bob);
    sim_expect_eq(p.judge->asked[1].outcome, CANCELLED);
    end_pair(&p);
}

/* SPEC-TEST FL-16: the time of the handshake goes on, and is not the remote's fault. */
static void handshake_is_shorter(uint64_t seed) {
    pair p = make_pair(seed, "tendermint", is_silent, is_silent);
    sim_settings(p.bob)->handshake_timeout = 2 * SY_SEC;
    start_pair(&p);
    sim_dial(p.alice, p.bob, SY_DIAL_ONCE);
    sim_run_for(p.net, 3 * SY_SEC);
    sim_expect_end(p.bob, SY_STAGE_CONNECT, SY_ERR_NO_VERDICT, "FL-17");
    sim_expect_eq(p.judge->asked[0].outcome, CANCELLED);
    end_pair(&p);
}

/* SPEC-TEST FL-15: whoever waits is in the pool of pending handshakes, and can be pushed out. */
static void flood_while_it_waits(uint64_t seed) {
    pair p = make_pair(seed, "cometbft", is_silent, is_silent);
    sim_raw *raw[12];
    sim_settings(p.bob)->max_pending = 4;
    start_pair(&p);
    for (size_t i = 0; i < 12; i++) {
        raw[i] = sim_raw_connect(p.net, "10.9.9.9", p.bob);
    }
    sim_run_for(p.net, SY_SEC);
    sim_expect_eq(sim_count_ends(p.bob, SY_STAGE_CONNECT, SY_ERR_ADMIT_PENDING), 8);
    sim_run_for(p.net, 5 * SY_SEC);
    sim_expect_eq(sim_count_ends(p.bob, SY_STAGE_CONNECT, SY_ERR_NO_VERDICT), 4);
    for (size_t i = 0; i < 12; i++) {
        sim_raw_close(raw[i]);
    }
    end_pair(&p);
}

/* SPEC-TEST FL-20: what comes while it waits is kept, up to the limit of a handshake. */
static void bytes_while_it_waits(uint64_t seed) {
    static const uint8_t much[5000] = {0x22, 0x0a, 0x20};
    static const size_t lengths[] = {35, 1000, 5000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        sim_options options;
        sim_options_default(&options, seed);
        options.piece_max = 0;
        options.read_max = 0;
        pair p = {.net = sim_net_new(&options)};
        p.alice = sim_node_new(p.net, "alice");
        p.bob = sim_node_new(p.net, "bob");
        sim_set_profile(p.bob, "cometbft");
        p.judge = judge_new(p.bob, is_silent, is_silent);
        start_pair(&p);
        sim_raw *raw = sim_raw_connect(p.net, "10.9.9.9", p.bob);
        sim_run_for(p.net, SY_SEC);
        sim_raw_send(raw, much, lengths[i]);
        sim_run_for(p.net, 6 * SY_SEC);
        sim_expect_end(p.bob, SY_STAGE_CONNECT,
                       lengths[i] == 5000 ? SY_ERR_LIMIT : SY_ERR_NO_VERDICT, NULL);
        sim_raw_close(raw);
        end_pair(&p);
    }
}

/* Many nodes, every judge undecided; crossed dials, resets, restarts.  Everything pairs. */
static void storm(uint64_t seed) {
    sim_options options;
    sim_node *nodes[5];
    judge *judges[5];
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    for (size_t i = 0; i < 5; i++) {
        nodes[i] = sim_node_new(net, names[i]);
        sim_set_profile(nodes[i], profiles[seed % PROFILE_COUNT]);
        judges[i] = judge_new(nodes[i], admits, admits);
        judges[i]->draws = true;
        judges[i]->settings.unanswered =
            sim_draw(net, 2) == 0 ? SY_UNANSWERED_ADMIT : SY_UNANSWERED_REFUSE;
        sim_start(nodes[i]);
    }
    for (size_t i = 0; i < 25; i++) {
        if (i / 5 != i % 5) {
            sim_dial(nodes[i / 5], nodes[i % 5], SY_DIAL_PERSISTENT);
        }
    }
    for (size_t i = 0; i < 20; i++) {
        const size_t a = (size_t)sim_draw(net, 5);
        sim_run_for(net, sim_draw_duration(net, SY_SEC, 15 * SY_SEC));
        (void)sim_reset(nodes[a], nodes[(a + 1 + sim_draw(net, 4)) % 5]);
        if (sim_draw(net, 5) == 0) {
            sim_stop_and_wait(nodes[a]);
            sim_start(nodes[a]);
        }
    }
    /* From now on everybody is welcome. */
    for (size_t i = 0; i < 5; i++) {
        judges[i]->draws = false;
    }
    sim_run_for(net, 3 * SY_MIN);
    for (size_t i = 0; i < 5; i++) {
        sim_expect_eq(sim_peer_count(nodes[i]), 4);
    }
    sim_net_del(net);
    for (size_t i = 0; i < 5; i++) {
        judge_del(judges[i]);
    }
}

static const sim_scenario scenarios[] = {
    {"verdicts", verdicts, 6},
    {"nothing_is_said", nothing_is_said, 4},
    {"ends_while_it_waits", ends_while_it_waits, 4},
    {"handshake_is_shorter", handshake_is_shorter, 4},
    {"flood_while_it_waits", flood_while_it_waits, 4},
    {"bytes_while_it_waits", bytes_while_it_waits, 4},
    {"storm", storm, 12},
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
