/* SPDX-License-Identifier: Apache-2.0 */
/* A network of your own reactor, simulated: a rumour that every node tells its peers once.
 *
 *     simulate [NODES] [SEED]
 *
 * Each node knows only the one before it; peer exchange finds the others.  While the rumour spreads
 * there are faults; at the end every node must have heard it.  The same numbers print the same
 * lines. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/sim_faults.h>

#define RUMOUR   0x71
#define NODES    40
#define TARGET   4 /* outbound peers of each node */
#define SAY_EACH (5 * SY_SEC)

/* ---- The reactor: what a real program would register with its switch ----------------------------
 */

typedef struct gossip {
    sy_switch *sw;
    sy_channel channel;
    unsigned hops; /* 0: has not heard it */
    sy_time heard_at;
    sy_time say_at;
    sy_sim_node *node;
} gossip;

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    gossip *g = reactor;
    g->sw = sw;
    g->channel = channels[0];
    g->say_at = now + SAY_EACH;
    return SY_OK;
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    gossip *g = reactor;
    (void)state, (void)channel;
    if (len != 1) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "a rumour of another length");
    } else if (g->hops == 0) {
        g->hops = data[0] + 1u;
        g->heard_at = now;
    }
}

static sy_time next_expiry(void *reactor) {
    const gossip *g = reactor;
    return g->say_at;
}

static void on_expiry(void *reactor, sy_time now) {
    gossip *g = reactor;
    g->say_at = now + SAY_EACH;
    if (g->hops > 0) {
        const uint8_t message = (uint8_t)g->hops;
        (void)sy_switch_broadcast(g->sw, g->channel, &message, 1, NULL, NULL);
    }
}

static const sy_channel_desc channels[] = {
    {.id = RUMOUR, .name = "rumour", .priority = 3, .send_queue_max = 4, .recv_message_max = 16},
};

static const sy_reactor_ops gossip_ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "gossip",
    .channels = channels,
    .channel_count = 1,
    .start = on_start,
    .receive = on_receive,
    .next_expiry = next_expiry,
    .on_expiry = on_expiry,
};

/* ---- The network ------------------------------------------------------------------------------*/

typedef struct world {
    gossip *nodes;
    size_t count;
} world;

static void make_node(sy_sim_net *net, world *w, size_t i) {
    char name[24];
    sy_sim_discovery discovery;
    (void)snprintf(name, sizeof name, "node%zu", i);
    gossip *g = &w->nodes[i];
    g->node = sy_sim_node_new(net, name);
    sy_sim_add_reactor(g->node, &gossip_ops, g);
    sy_sim_discovery_default(&discovery);
    discovery.max_outbound = TARGET;
    if (i > 0) {
        discovery.seeds[discovery.seed_count++] = w->nodes[i - 1].node;
    }
    sy_sim_discover(g->node, &discovery);
    sy_sim_start(g->node);
}

static bool all_have_heard(void *user) {
    const world *w = user;
    for (size_t i = 0; i < w->count; i++) {
        if (w->nodes[i].hops == 0) {
            return false;
        }
    }
    return true;
}

static void report(const world *w, sy_time since) {
    for (unsigned hops = 1; hops < 256; hops++) {
        size_t count = 0;
        sy_time last = since;
        for (size_t i = 0; i < w->count; i++) {
            if (w->nodes[i].hops == hops) {
                count++;
                last = w->nodes[i].heard_at > last ? w->nodes[i].heard_at : last;
            }
        }
        if (count > 0) {
            printf("%3u hops: %4zu nodes, the last after %5.1f s\n", hops - 1, count,
                   (double)(last - since) / SY_SEC);
        }
    }
}

int main(int argc, char **argv) {
    const size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : NODES;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    const unsigned kinds = 1u << SY_SIM_FAULT_RESET | 1u << SY_SIM_FAULT_PAUSE |
                           1u << SY_SIM_FAULT_FLIP | 1u << SY_SIM_FAULT_PARTITION;
    world w = {.count = count};
    if (count < 2 || count > 1000) {
        (void)fprintf(stderr, "usage: simulate [NODES] [SEED], with 2 to 1000 nodes\n");
        return 2;
    }
    w.nodes = calloc(count, sizeof *w.nodes);
    if (w.nodes == NULL) {
        return 1;
    }

    sy_sim_options options;
    sy_sim_options_default(&options, seed);
    options.record = false; /* only our own reactor */
    sy_sim_net *net = sy_sim_net_new(&options);
    for (size_t i = 0; i < count; i++) {
        make_node(net, &w, i);
    }
    sy_sim_run_for(net, 2 * SY_MIN); /* they find each other */

    const sy_time since = sy_sim_now(net);
    w.nodes[0].hops = 1;
    w.nodes[0].heard_at = since;
    sy_sim_disturb(net, kinds, 2 * SY_SEC, SY_MIN);
    sy_sim_calm(net);
    sy_sim_expect(sy_sim_wait(net, all_have_heard, &w, 10 * SY_MIN));
    report(&w, since);

    char hash[SY_SIM_HASH_CAP];
    sy_sim_finish(net);
    sy_sim_trace_hash(net, hash);
    printf("%zu nodes heard it; trace=%s\n", count, hash);
    sy_sim_net_del(net);
    free(w.nodes);
    return 0;
}
