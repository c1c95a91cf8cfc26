/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes of yard sim, how they know of each other, and the rumours that they pass on: every 30 s
 * some node tells something new to its peers, and each tells it to its own once. */
#include "cmd/yard/sim_world.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/yard/util.h"

#define RUMOUR_CHANNEL 0x71
#define RUMOUR_LEN     250 /* bytes: number, time, hops, and what fills it */

/* ---- The reactor ----------------------------------------------------------------------------- */

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    yard_sim_member *m = reactor;
    m->sw = sw;
    m->channel = channels[0];
    m->outbound = 0;
    m->peers = 0;
    m->since = m->since == SY_NEVER ? now : m->since;
    return SY_OK;
}

static void on_stop(void *reactor, sy_time now) {
    yard_sim_member *m = reactor;
    (void)now;
    m->sw = NULL;
}

static void on_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    yard_sim_member *m = reactor;
    (void)state;
    m->peers++;
    m->outbound += sy_peer_is_outbound(peer);
    if (m->outbound >= m->want && m->full_at == SY_NEVER) {
        m->full_at = now;
    }
}

static void on_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                       sy_time now) {
    yard_sim_member *m = reactor;
    (void)state, (void)reason, (void)now;
    m->peers--;
    m->outbound -= sy_peer_is_outbound(peer);
}

static void put_number(uint8_t *out, uint64_t value) {
    for (size_t i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get_number(const uint8_t *in) {
    uint64_t value = 0;
    for (size_t i = 8; i-- > 0;) {
        value = value << 8 | in[i];
    }
    return value;
}

static void tell(const yard_sim_member *m, uint64_t number, uint64_t since, uint8_t hops,
                 const sy_peer *except) {
    uint8_t message[RUMOUR_LEN] = {0};
    put_number(message, number);
    put_number(message + 8, since);
    message[16] = hops;
    (void)sy_switch_broadcast(m->sw, m->channel, message, sizeof message, except, NULL);
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    yard_sim_member *m = reactor;
    (void)state, (void)channel;
    if (len != RUMOUR_LEN) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "a rumour of another length");
        return;
    }
    const uint64_t number = get_number(data);
    if (number <= m->newest) {
        return;
    }
    const uint64_t since = get_number(data + 8);
    const uint8_t hops = (uint8_t)(data[16] + 1);
    m->newest = number;
    m->world->delivered++;
    yard_sim_note_latency(m->world, hops, (double)(now - since) / SY_MSEC);
    tell(m, number, since, hops, peer);
}

static const sy_channel_desc channels[] = {{.id = RUMOUR_CHANNEL,
                                            .name = "rumour",
                                            .priority = 3,
                                            .send_queue_max = 16,
                                            .recv_message_max = 1024}};

static const sy_reactor_ops rumour_ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "rumour",
    .channels = channels,
    .channel_count = 1,
    .start = on_start,
    .stop = on_stop,
    .peer_added = on_added,
    .peer_removed = on_removed,
    .receive = on_receive,
};

/* ---- Nodes ----------------------------------------------------------------------------------- */

const char *yard_sim_topology_name(yard_sim_topology topology) {
    static const char *const names[] = {"pex", "ring", "star", "random"};
    return names[topology];
}

/* Public addresses in many prefixes, so that the address book judges them as it does outside; the
 * index in the last two bytes. */
static void set_address(yard_sim_world *world, sy_sim_node *node, size_t index) {
    char ip[64];
    const unsigned first = 20 + (unsigned)sy_sim_draw(world->net, 80);
    const unsigned second = (unsigned)sy_sim_draw(world->net, 256);
    (void)snprintf(ip, sizeof ip, "%u.%u.%zu.%zu", first, second, index / 256, index % 256);
    sy_sim_set_ip(node, ip);
}

static void know_others(yard_sim_world *world, size_t index) {
    const yard_sim_config *c = &world->config;
    yard_sim_member *m = &world->members[index];
    switch (c->topology) {
    case YARD_SIM_PEX: {
        sy_sim_discovery discovery;
        sy_sim_discovery_default(&discovery);
        discovery.max_outbound = c->target;
        discovery.strict = true;
        discovery.seed_mode = index == 0;
        discovery.forgetful = c->faults == 0;
        discovery.feeler_period = 2 * SY_MIN;
        if (index > 0) {
            discovery.seeds[discovery.seed_count++] = world->members[0].node;
        }
        sy_sim_discover(m->node, &discovery);
        m->want = index == 0 ? 0 : c->target < c->nodes - 2 ? c->target : c->nodes - 2;
        return;
    }
    case YARD_SIM_RING:
        sy_sim_dial(m->node, world->members[(index + 1) % c->nodes].node, SY_DIAL_PERSISTENT);
        m->want = 1;
        return;
    case YARD_SIM_STAR:
        sy_sim_settings(m->node)->max_inbound = index == 0 ? c->nodes : 40;
        if (index > 0) {
            sy_sim_dial(m->node, world->members[0].node, SY_DIAL_PERSISTENT);
            m->want = 1;
        }
        return;
    case YARD_SIM_RANDOM:
        for (size_t i = 0; i < c->target; i++) {
            const size_t other = (size_t)sy_sim_draw(world->net, c->nodes);
            if (other != index) {
                sy_sim_dial(m->node, world->members[other].node, SY_DIAL_PERSISTENT);
            }
        }
        sy_sim_settings(m->node)->max_inbound = c->nodes;
        m->want = 1;
        return;
    }
}

static void start_member(void *user) {
    const yard_sim_member *m = user;
    if (!sy_sim_is_running(m->node)) {
        (void)sy_sim_try_start(m->node);
    }
}

static void make_member(yard_sim_world *world, size_t index) {
    yard_sim_member *m = &world->members[index];
    char name[32];
    (void)snprintf(name, sizeof name, "node%zu", index);
    *m = (yard_sim_member){.world = world,
                           .node = sy_sim_node_new(world->net, name),
                           .since = SY_NEVER,
                           .full_at = SY_NEVER};
    set_address(world, m->node, index);
    sy_sim_set_profile(m->node, world->config.profile);
    sy_sim_settings(m->node)->plain_anywhere = true;
    sy_sim_add_reactor(m->node, &rumour_ops, m);
}

void yard_sim_make(yard_sim_world *world, const yard_sim_config *config) {
    sy_sim_options options;
    sy_sim_options_default(&options, config->seed);
    options.record = false;
    options.poison = false;
    options.ends_kept = 4;
    options.event_max = UINT64_MAX;
    options.log_level = config->trace == NULL ? SY_LOG_ERROR : SY_LOG_INFO;
    options.trace = config->trace;
    *world = (yard_sim_world){
        .config = *config, .connected_at = SY_NEVER, .wall_began = yard_sim_wall()};
    world->net = sy_sim_net_new(&options);
    world->members = yard_alloc(config->nodes, sizeof *world->members);
    for (size_t i = 0; i < config->nodes; i++) {
        make_member(world, i);
    }
    for (size_t i = 0; i < config->nodes; i++) {
        know_others(world, i);
    }
}

/* ---- Running --------------------------------------------------------------------------------- */

static void on_sample(void *user) {
    yard_sim_world *world = user;
    yard_sim_sample_now(world);
    sy_sim_at(world->net, sy_sim_now(world->net) + YARD_SIM_SAMPLE_GAP, on_sample, world);
}

static void on_rumour(void *user) {
    yard_sim_world *world = user;
    yard_sim_member *m = &world->members[sy_sim_draw(world->net, world->config.nodes)];
    if (m->sw != NULL && m->peers > 0) {
        m->newest = ++world->rumours;
        tell(m, m->newest, sy_sim_now(world->net), 0, NULL);
        sy_sim_nudge(m->node);
    }
    sy_sim_at(world->net, sy_sim_now(world->net) + YARD_SIM_RUMOUR_GAP, on_rumour, world);
}

void yard_sim_run(yard_sim_world *world) {
    const yard_sim_config *c = &world->config;
    sy_sim_net *net = world->net;
    world->began = sy_sim_now(net);
    world->ends = world->began + c->duration;
    for (size_t i = 0; i < c->nodes; i++) {
        const sy_duration late = i == 0 ? 0 : sy_sim_draw_duration(net, 0, c->join);
        sy_sim_at(net, world->began + late, start_member, &world->members[i]);
    }
    sy_sim_at(net, world->began, on_sample, world);
    sy_sim_at(net, world->began + c->join + YARD_SIM_RUMOUR_GAP, on_rumour, world);
    if (c->faults != 0) {
        sy_sim_disturb(net, c->faults, 2 * SY_SEC, c->duration / 2);
        sy_sim_calm(net);
    }
    sy_sim_run_until(net, world->ends);
    yard_sim_sample_now(world);
}

void yard_sim_free(yard_sim_world *world) {
    sy_sim_net_del(world->net);
    for (size_t i = 0; i < YARD_SIM_HOPS_MAX; i++) {
        free(world->hops[i].ms);
    }
    free(world->samples);
    free(world->members);
}
