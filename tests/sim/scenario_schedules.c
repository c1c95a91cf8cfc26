/* SPDX-License-Identifier: Apache-2.0 */
/* Random schedules through whole switches: nodes dial, cross, close, and their reactors fail, while
 * connections break at every stage.  Each seed is one short schedule; afterwards the nodes come to
 * rest, and then
 *
 *   - hooks were strictly paired and in order (sim_recorder.c, unruly.c);
 *   - both ends of a pair have kept the same connection, or neither has one: no stale peer; where
 *     there were only dials, they have one;
 *   - there is no other stream, no reference to what is gone, no byte that nobody gives back.
 *
 *     sim_schedules                       seeds 1 to 5000
 *     sim_schedules --from 5001           seeds 5001 to 10000: both are part of `make check`
 *     sim_schedules --seed S --trace -    one of them, with everything that happens
 *
 * Draws stand in statements of their own: the order of arguments is the compiler's choice. */
#include "tests/sim/sim_scenario.h"
#include "tests/sim/unruly.h"

#include <string.h>

#define NODES_MAX 4
#define REST      (40 * SY_SEC) /* dead connections are missed after 15 s, then back-off, dials */

typedef enum act {
    ACT_STOP_PEER,
    ACT_RESET,
    ACT_UNRULY,    /* reactors begin to make trouble, or cease */
    ACT_PEER_INIT, /* the recording reactors refuse */
    ACT_ALLOC,
    ACT_AMBUSH, /* something breaks when a connection reaches a stage */
    ACT_CRASH,
    ACT_STOP,
    ACT_BLOCK,
    ACT_PAUSE,
    ACT_MUTE, /* of new streams only so many bytes leave */
    ACT_CONNECT,
    ACT_SLEEP, /* workers */
    ACT_TALK,
    ACT_FORGET,
    ACT_COUNT,
} act;

typedef struct world world;

typedef enum blow {
    BLOW_RESET,
    BLOW_RESET_MORE, /* with the next piece under way */
    BLOW_CRASH,
    BLOW_CRASH_OTHER,
    BLOW_ALLOC,
    BLOW_STOP,
    BLOW_MUTE,
    BLOW_COUNT,
} blow;

typedef struct ambush {
    world *w;
    size_t node;
    blow what;
} ambush;

struct world {
    sim_net *net;
    size_t count;
    sim_node *node[NODES_MAX];
    unruly loop[NODES_MAX];
    unruly isolated[NODES_MAX];
    bool has_isolated[NODES_MAX];
    ambush ambush[NODES_MAX];
    bool persistent[NODES_MAX][NODES_MAX];
    bool dialed[NODES_MAX][NODES_MAX];
    bool faultless; /* only dials */
    unsigned acts;  /* bits of act */
    bool muted;     /* there may be streams that will fall silent */
};

/* Over all schedules of this run: a kind that never happens is a hole in the net. */
static struct {
    uint64_t schedules;
    uint64_t dials;
    uint64_t crossed_dials;
    uint64_t ups;
    uint64_t ends[SY_STAGE_COUNT];
    uint64_t crossed; /* ends: the rule for two connections */
    uint64_t duplicate;
    uint64_t no_memory;
    uint64_t resets;
    uint64_t survivors; /* connections that both ends still had at rest */
    unruly_counts reactors[2];
} sum;

/* ---- Setting -----------------------------------------------------------------------------------
 */

static sim_net *draw_net(uint64_t seed) {
    static const size_t pieces[] = {0, 0, 0, 700, 60, 7};
    sim_options options;
    sim_options_default(&options, seed);
    options.latency_min = 0;
    options.latency_max = seed % 5 * 40 * SY_MSEC;
    options.jitter_max = seed % 3 * 3 * SY_MSEC;
    options.piece_max = pieces[seed % 6];
    options.read_max = pieces[seed / 6 % 6];
    options.turn_delay_max = seed % 4 * SY_MSEC;
    options.event_max = 400000;
    options.log_level = options.trace == NULL ? SY_LOG_WARN : SY_LOG_DEBUG;
    return sim_net_new(&options);
}

static void make_node(world *w, size_t i, const char *profile) {
    static const char *const names[NODES_MAX] = {"ann", "bob", "cid", "dee"};
    w->node[i] = sim_node_new(w->net, names[i]);
    sim_set_profile(w->node[i], profile);
    sy_settings *settings = sim_settings(w->node[i]);
    settings->ping_interval = 10 * SY_SEC;
    settings->pong_timeout = 5 * SY_SEC;
    settings->handshake_timeout = 5 * SY_SEC;
    settings->dial_timeout = 2 * SY_SEC;
    settings->linger_timeout = 1 * SY_SEC;
    settings->persistent_peers_max_dial_period = 2 * SY_SEC;
    unruly_init(&w->loop[i], w->node[i], false);
    w->has_isolated[i] = sim_draw(w->net, 3) == 0;
    if (w->has_isolated[i]) {
        unruly_init(&w->isolated[i], w->node[i], true);
    }
    w->ambush[i] = (ambush){.w = w, .node = i};
    if (!w->faultless && sim_draw(w->net, 4) == 0) { /* from the first peer on */
        w->loop[i].percent = w->isolated[i].percent = 1 + (unsigned)sim_draw(w->net, 40);
    }
}

static void build(world *w, uint64_t seed) {
    static const char *const profiles[] = {"plain", "plain", "tendermint", "cometbft"};
    memset(w, 0, sizeof *w);
    w->net = draw_net(seed);
    const uint64_t size = sim_draw(w->net, 10);
    w->count = size < 6 ? 2 : size < 9 ? 3 : NODES_MAX;
    /* Dials only, one kind of fault, or about half of them. */
    const uint64_t kind = sim_draw(w->net, 8);
    w->faultless = kind < 2;
    if (kind < 2) {
        w->acts = 0;
    } else if (kind < 4) {
        w->acts = 1u << sim_draw(w->net, ACT_COUNT);
    } else {
        w->acts = (unsigned)sim_draw(w->net, 1u << ACT_COUNT);
    }
    const char *profile = profiles[sim_draw(w->net, 4)];
    for (size_t i = 0; i < w->count; i++) {
        make_node(w, i, profile);
        sim_start(w->node[i]);
    }
}

/* ---- Dials -------------------------------------------------------------------------------------
 */

static void draw_pair(world *w, size_t *ret_a, size_t *ret_b) {
    *ret_a = (size_t)sim_draw(w->net, w->count);
    *ret_b = (*ret_a + 1 + (size_t)sim_draw(w->net, w->count - 1)) % w->count;
}

static void dial(world *w, size_t from, size_t to) {
    if (sim_is_running(w->node[from])) {
        (void)sim_try_dial(w->node[from], w->node[to], SY_DIAL_ONCE);
        w->dialed[from][to] = true;
    }
}

static void dial_something(world *w) {
    size_t a;
    size_t b;
    draw_pair(w, &a, &b);
    switch (sim_draw(w->net, 5)) {
    case 0:
        dial(w, a, b);
        return;
    case 1:
        if (!w->persistent[a][b]) {
            w->persistent[a][b] = true;
            sim_heal_allocs(w->node[a]); /* or it might not be taken */
            (void)sim_try_dial(w->node[a], w->node[b], SY_DIAL_PERSISTENT);
        }
        return;
    default:
        sum.crossed_dials++;
        dial(w, a, b);
        if (sim_draw(w->net, 2) == 0) {
            sim_run_for(w->net, sim_draw_duration(w->net, 0, 200 * SY_MSEC));
        }
        dial(w, b, a);
        return;
    }
}

/* ---- Faults ------------------------------------------------------------------------------------
 */

static void reset_all_of(world *w, size_t i) {
    for (size_t k = 0; k < w->count; k++) {
        if (k != i) {
            sum.resets += sim_reset(w->node[i], w->node[k]);
        }
    }
}

static void crash(world *w, size_t i) {
    const sim_crash_kind kind = (sim_crash_kind)sim_draw(w->net, 3);
    sim_crash(w->node[i], kind);
}

static void fail_allocs(world *w, size_t i, size_t within) {
    const size_t k = 1 + (size_t)sim_draw(w->net, within);
    if (sim_draw(w->net, 4) == 0) {
        sim_fail_allocs_from(w->node[i], k);
    } else {
        sim_fail_alloc(w->node[i], k);
    }
}

/* Outside the turn in which it was seen. */
static void spring(void *user) {
    const ambush *a = user;
    world *w = a->w;
    const size_t other = (a->node + 1) % w->count;
    switch (a->what) {
    case BLOW_RESET:
    case BLOW_RESET_MORE:
        reset_all_of(w, a->node);
        return;
    case BLOW_CRASH:
        crash(w, a->node);
        return;
    case BLOW_CRASH_OTHER:
        crash(w, other);
        return;
    case BLOW_ALLOC:
        fail_allocs(w, a->node, 6);
        return;
    case BLOW_STOP:
        sim_stop(w->node[a->node]);
        return;
    case BLOW_MUTE:
        sim_partition(w->node[a->node], w->node[other]);
        return;
    case BLOW_COUNT:
        break;
    }
    sim_fail("no such blow");
}

static void lie_in_wait(world *w, size_t i) {
    const sy_event_kind stage = (sy_event_kind)sim_draw(w->net, SY_EVENT_ENDED + 1);
    w->ambush[i].what = (blow)sim_draw(w->net, BLOW_COUNT);
    const sy_duration delay =
        w->ambush[i].what == BLOW_RESET ? 0 : sim_draw_duration(w->net, 0, 60 * SY_MSEC);
    sim_on_event(w->node[i], stage, delay, spring, &w->ambush[i]);
}

static void trouble(world *w, size_t i) {
    const unsigned percent = w->loop[i].percent > 0 ? 0 : 10 + (unsigned)sim_draw(w->net, 60);
    w->loop[i].percent = percent;
    w->isolated[i].percent = percent;
    if (sim_is_running(w->node[i])) {
        sy_switch_reactor_touch(sim_switch(w->node[i]), &w->loop[i]);
        if (w->has_isolated[i]) {
            sy_switch_reactor_touch(sim_switch(w->node[i]), &w->isolated[i]);
        }
        sim_nudge(w->node[i]);
    }
}

static void talk(world *w, size_t a, size_t b) {
    static const uint8_t channels[] = {0x20, 0x21, 0x40, 0x80};
    for (size_t i = 0; i < 6 && sim_is_running(w->node[a]); i++) {
        const uint8_t channel = channels[sim_draw(w->net, 4)];
        (void)sim_send(w->node[a], w->node[b], channel, (size_t)sim_draw(w->net, 4000));
    }
}

static void stop_peer(world *w, size_t a, size_t b) {
    const bool cause = sim_draw(w->net, 2) == 0;
    sim_stop_peer(w->node[a], w->node[b], cause ? SY_ERR_REACTOR_CAUSE : SY_ERR_STOPPED,
                  "the scenario");
}

static void refuse_peers(world *w, size_t i) {
    const size_t reactor = (size_t)sim_draw(w->net, SIM_REACTORS);
    const unsigned times = 1 + (unsigned)sim_draw(w->net, 3);
    sim_fail_peer_init(w->node[i], reactor, times, SY_ERR_REACTOR);
}

static void do_act(world *w, act what) {
    size_t a;
    size_t b;
    draw_pair(w, &a, &b);
    switch (what) {
    case ACT_STOP_PEER:
        stop_peer(w, a, b);
        return;
    case ACT_RESET:
        sum.resets += sim_reset(w->node[a], w->node[b]);
        return;
    case ACT_UNRULY:
        trouble(w, a);
        return;
    case ACT_PEER_INIT:
        refuse_peers(w, a);
        return;
    case ACT_ALLOC:
        fail_allocs(w, a, 60);
        return;
    case ACT_AMBUSH:
        lie_in_wait(w, a);
        return;
    case ACT_CRASH:
        crash(w, a);
        return;
    case ACT_STOP:
        sim_stop(w->node[a]);
        return;
    case ACT_BLOCK:
        sim_block(w->node[a], w->node[b]);
        return;
    case ACT_PAUSE:
        sim_pause(w->node[a], sim_draw_duration(w->net, 0, 4 * SY_SEC));
        return;
    case ACT_MUTE:
        sim_set_mute_after(w->node[a], (size_t)sim_draw(w->net, 2500));
        w->muted = true;
        return;
    case ACT_CONNECT:
        sim_fail_connects(w->node[a], 1 + (unsigned)sim_draw(w->net, 3));
        return;
    case ACT_SLEEP:
        sim_sleep_workers(w->node[a], sim_draw_duration(w->net, 0, 5 * SY_SEC));
        return;
    case ACT_TALK:
        talk(w, a, b);
        return;
    case ACT_FORGET:
        if (sim_is_running(w->node[a]) && !w->persistent[a][b]) {
            (void)sy_switch_forget(sim_switch(w->node[a]), sim_id(w->node[b]), sim_now(w->net));
        }
        return;
    case ACT_COUNT:
        break;
    }
    sim_fail("no such act");
}

static void repair_something(world *w) {
    const size_t i = (size_t)sim_draw(w->net, w->count);
    sim_heal_allocs(w->node[i]);
    sim_set_mute_after(w->node[i], SIZE_MAX);
    if (!sim_is_running(w->node[i])) {
        (void)sim_try_start(w->node[i]);
    }
    sim_heal_all(w->net);
}

/* Mostly within a handshake, sometimes long after it. */
static void let_time_pass(world *w) {
    static const sy_duration most[] = {0, 5 * SY_MSEC, 100 * SY_MSEC, 500 * SY_MSEC, 4 * SY_SEC};
    const sy_duration up_to = most[sim_draw(w->net, 5)];
    sim_run_for(w->net, sim_draw_duration(w->net, 0, up_to));
}

static act draw_act(world *w) {
    act what = (act)sim_draw(w->net, ACT_COUNT);
    while ((w->acts & 1u << what) == 0) {
        what = (act)sim_draw(w->net, ACT_COUNT);
    }
    return what;
}

static void disturb(world *w) {
    const size_t steps = 4 + (size_t)sim_draw(w->net, 12);
    for (size_t i = 0; i < steps; i++) {
        if (i == 0 || w->acts == 0 || sim_draw(w->net, 5) < 2) {
            dial_something(w);
        } else {
            do_act(w, draw_act(w));
        }
        let_time_pass(w);
        if (sim_draw(w->net, 4) == 0) {
            repair_something(w);
        }
    }
}

/* ---- Rest --------------------------------------------------------------------------------------
 */

static void calm_down(world *w) {
    for (size_t i = 0; i < w->count; i++) {
        w->loop[i].percent = w->isolated[i].percent = 0;
        sim_heal_allocs(w->node[i]);
        sim_set_mute_after(w->node[i], SIZE_MAX);
        sim_fail_connects(w->node[i], 0);
        sim_on_event(w->node[i], SY_EVENT_ENDED, 0, NULL, NULL);
        for (size_t r = 0; r < SIM_REACTORS; r++) {
            sim_fail_peer_init(w->node[i], r, 0, SY_ERR_REACTOR);
        }
    }
    sim_heal_all(w->net);
    sim_run_for(w->net, 5 * SY_SEC); /* pauses and stops end */
    for (size_t i = 0; i < w->count; i++) {
        sim_heal_allocs(w->node[i]); /* ambushes that sprang late */
        if (!sim_is_running(w->node[i])) {
            sim_start(w->node[i]);
        }
    }
    sim_heal_all(w->net);
    for (size_t i = 0; i < w->count && w->muted; i++) {
        reset_all_of(w, i);
    }
    sim_run_for(w->net, REST);
}

/* The same connection at both ends, or none at either. */
static bool is_pair(const world *w, size_t a, size_t b) {
    const bool at_a = sim_has_peer(w->node[a], w->node[b]);
    const bool at_b = sim_has_peer(w->node[b], w->node[a]);
    if (at_a != at_b) {
        sim_fail("%s has %s as a peer, but not the other way round",
                 sim_name_of(w->node[at_a ? a : b]), sim_name_of(w->node[at_a ? b : a]));
    }
    if (at_a && !sim_are_connected(w->node[a], w->node[b])) {
        sim_fail("%s and %s have kept different connections", sim_name_of(w->node[a]),
                 sim_name_of(w->node[b]));
    }
    if (!at_a && (w->persistent[a][b] || w->persistent[b][a])) {
        sim_fail("%s and %s are persistent peers and not connected", sim_name_of(w->node[a]),
                 sim_name_of(w->node[b]));
    }
    /* Where nobody closes, somebody stays: crossing dials must not end each other. */
    if (!at_a && w->faultless && (w->dialed[a][b] || w->dialed[b][a])) {
        sim_fail("%s and %s have dialed, nothing was in the way, and they are not connected",
                 sim_name_of(w->node[a]), sim_name_of(w->node[b]));
    }
    return at_a;
}

static void check_node(const world *w, size_t i, size_t peers) {
    sim_node *node = w->node[i];
    sy_switch_counts counts;
    sy_switch_get_counts(sim_switch(node), &counts);
    if (counts.peers != peers || counts.pending != 0 || counts.dialing != 0) {
        sim_fail("%s: %zu peers, %zu pending, %zu being dialed; the network has %zu",
                 sim_name_of(node), counts.peers, counts.pending, counts.dialing, peers);
    }
    unruly_check_rest(&w->loop[i], peers);
    if (w->has_isolated[i]) {
        sy_mailbox_stats stats;
        unruly_check_rest(&w->isolated[i], peers);
        sim_expect_eq(sy_switch_mailbox_stats(sim_switch(node), &w->isolated[i], &stats), SY_OK);
        sim_expect_eq(stats.peers, peers);
        sim_expect_eq(stats.bytes, 0);
        sim_expect_eq(stats.paused, 0);
    }
}

/* SPEC-TEST SW-27 SW-31 SW-35: no stale peer, the same survivor at both ends, and it works. */
static void check_rest(world *w) {
    size_t peers[NODES_MAX] = {0};
    size_t pairs = 0;
    uint64_t before = 0;
    uint64_t after = 0;
    for (size_t a = 0; a < w->count; a++) {
        for (size_t b = a + 1; b < w->count; b++) {
            if (is_pair(w, a, b)) {
                peers[a]++;
                peers[b]++;
                pairs++;
            }
        }
    }
    sim_expect_eq(sim_stream_count(w->net), 2 * pairs);
    for (size_t i = 0; i < w->count; i++) {
        check_node(w, i, peers[i]);
        before += sim_totals_of(w->node[i]).delivered;
    }
    for (size_t a = 0; a < w->count; a++) {
        for (size_t b = 0; b < w->count; b++) {
            if (a != b && sim_has_peer(w->node[a], w->node[b])) {
                sim_post(w->node[a], w->node[b], 0x40, 1500);
            }
        }
    }
    sim_run_for(w->net, 2 * SY_SEC);
    for (size_t i = 0; i < w->count; i++) {
        after += sim_totals_of(w->node[i]).delivered;
    }
    sim_expect_eq(after - before, 2 * pairs);
    sum.survivors += pairs;
}

/* ---- Sums --------------------------------------------------------------------------------------
 */

static void add_counts(unruly_counts *to, const unruly_counts *from) {
    to->inits += from->inits;
    to->refusals += from->refusals;
    to->no_memory += from->no_memory;
    to->early_ends += from->early_ends;
    to->stops += from->stops;
    to->addeds += from->addeds;
    to->received += from->received;
    to->full += from->full;
    to->writables += from->writables;
    to->dials += from->dials;
}

static void add_up(const world *w) {
    sum.schedules++;
    for (size_t i = 0; i < w->count; i++) {
        const sim_totals totals = sim_totals_of(w->node[i]);
        const sim_end_note *note;
        sum.dials += totals.dials;
        sum.ups += totals.peers_up;
        for (size_t k = 0; (note = sim_end_at(w->node[i], k)) != NULL; k++) {
            sum.ends[note->reason.stage]++;
            sum.crossed += note->reason.code == SY_ERR_CROSSED;
            sum.duplicate += note->reason.code == SY_ERR_DUPLICATE_ID;
            sum.no_memory += note->reason.code == SY_ERR_NOMEM;
        }
        add_counts(&sum.reactors[0], &w->loop[i].counts);
        add_counts(&sum.reactors[1], &w->isolated[i].counts);
    }
}

#define N(x) ((unsigned long long)(x))

static void print_reactors(const char *name, const unruly_counts *c) {
    (void)fprintf(stderr,
                  "  reactors %s: %llu peer_init, %llu refused (%llu without memory), %llu stopped"
                  " inside it, %llu stopped later, %llu peer_added, %llu messages, %llu full,"
                  " %llu writable, %llu dials of their own\n",
                  name, N(c->inits), N(c->refusals), N(c->no_memory), N(c->early_ends), N(c->stops),
                  N(c->addeds), N(c->received), N(c->full), N(c->writables), N(c->dials));
}

static void print_sums(void) {
    (void)fprintf(stderr,
                  "  %llu schedules: %llu dials (%llu pairs of crossed ones), %llu times a peer,"
                  " %llu resets, %llu pairs still connected at rest\n  ended:",
                  N(sum.schedules), N(sum.dials), N(sum.crossed_dials), N(sum.ups), N(sum.resets),
                  N(sum.survivors));
    for (size_t i = 0; i < SY_STAGE_COUNT; i++) {
        (void)fprintf(stderr, " %s %llu", sy_stage_name((sy_stage)i), N(sum.ends[i]));
    }
    (void)fprintf(stderr, "; for crossing %llu, as duplicate %llu, for lack of memory %llu\n",
                  N(sum.crossed), N(sum.duplicate), N(sum.no_memory));
    print_reactors("on the loop", &sum.reactors[0]);
    print_reactors("isolated", &sum.reactors[1]);
}

/* Whether so many schedules have been everywhere. */
static bool covered(void) {
    bool all = sum.crossed > 0 && sum.duplicate > 0 && sum.no_memory > 0 && sum.resets > 0 &&
               sum.survivors > 0;
    for (size_t i = SY_STAGE_CONNECT; i < SY_STAGE_COUNT; i++) { /* no names are dialed here */
        all = all && sum.ends[i] > 0;
    }
    for (size_t i = 0; i < 2; i++) {
        const unruly_counts *c = &sum.reactors[i];
        all = all && c->refusals > 0 && c->early_ends > 0 && c->stops > 0 && c->received > 0 &&
              c->full > 0 && c->writables > 0;
    }
    return all && sum.reactors[0].dials > 0 && sum.reactors[0].no_memory > 0;
}

/* SPEC-TEST SW-46 SW-47 SW-48 SW-50 SW-52 RX-12 RX-13 RX-14 RX-15 RX-17 */
static void run_schedule(uint64_t seed) {
    world w;
    build(&w, seed);
    disturb(&w);
    calm_down(&w);
    check_rest(&w);
    add_up(&w);
    sim_net_del(w.net);
    for (size_t i = 0; i < w.count; i++) {
        unruly_check_over(&w.loop[i]);
        if (w.has_isolated[i]) {
            unruly_check_over(&w.isolated[i]);
        }
    }
}

int main(int argc, char **argv) {
    static const sim_scenario scenarios[] = {{"schedules", run_schedule, 5000}};
    const int status = sim_main(argc, argv, scenarios, 1);
    if (status != 0) {
        return status;
    }
    print_sums();
    if (sum.schedules >= 5000 && !covered()) {
        (void)fprintf(stderr, "FAILED: something never happened in %llu schedules\n",
                      N(sum.schedules));
        return 1;
    }
    return 0;
}
