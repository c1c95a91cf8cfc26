/* SPDX-License-Identifier: Apache-2.0 */
/* yard sim: the simulated network, what its nodes do, and what is measured.
 *
 *   cmd_sim.c      flags
 *   sim_world.c    nodes, topology, rumours that flood the network
 *   sim_measure.c  samples while it runs
 *   sim_report.c   table, CSV files and plots
 *   sim_plot.c     charts as SVG */
#ifndef YARD_SIM_WORLD_H
#define YARD_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <switchyard/sim_faults.h>

#define YARD_SIM_NODES_MAX  20000
#define YARD_SIM_HOPS_MAX   64
#define YARD_SIM_RUMOUR_GAP (30 * SY_SEC)
#define YARD_SIM_SAMPLE_GAP (10 * SY_SEC)

typedef enum yard_sim_topology {
    YARD_SIM_PEX,    /* node 0 is a seed, the others know it only */
    YARD_SIM_RING,   /* persistent peers: the next one */
    YARD_SIM_STAR,   /* ... node 0 */
    YARD_SIM_RANDOM, /* ... some others */
} yard_sim_topology;

typedef struct yard_sim_config {
    size_t nodes;
    uint64_t seed;
    yard_sim_topology topology;
    sy_duration duration;
    sy_duration join; /* nodes start within */
    size_t target;    /* outbound peers of a node */
    const char *profile;
    unsigned faults;    /* kinds, in the first half of the time */
    const char *report; /* folder, NULL: none */
    FILE *trace;        /* may be NULL */
} yard_sim_config;

struct yard_sim_world;

/* One node, with the reactor that carries rumours. */
typedef struct yard_sim_member {
    struct yard_sim_world *world;
    sy_sim_node *node;
    sy_switch *sw; /* while it runs */
    sy_channel channel;
    size_t outbound;
    size_t want;     /* peers that make it complete */
    size_t peers;    /* now */
    sy_time since;   /* first start */
    sy_time full_at; /* SY_NEVER: not yet */
    uint64_t newest; /* rumour that it has heard of */
} yard_sim_member;

/* What rumours needed, by the number of hops; milliseconds. */
typedef struct yard_sim_latency {
    float *ms;
    size_t count;
    size_t cap;
} yard_sim_latency;

typedef struct yard_sim_sample {
    double at_s;
    size_t running;
    unsigned peers[5]; /* least, 10 %, median, 90 %, most */
    unsigned books[3]; /* least, median, most */
    double connected;  /* share of the running nodes in the largest component */
    uint64_t sent_bytes;
} yard_sim_sample;

typedef struct yard_sim_world {
    yard_sim_config config;
    sy_sim_net *net;
    yard_sim_member *members;
    sy_time began;
    sy_time ends;
    uint64_t rumours;
    uint64_t delivered;
    yard_sim_latency hops[YARD_SIM_HOPS_MAX];
    yard_sim_sample *samples;
    size_t sample_count;
    sy_time connected_at; /* all running nodes, all started; SY_NEVER: not yet */
    double wall_began;
    double wall_shown;
} yard_sim_world;

/* ---- sim_world.c */
void yard_sim_make(yard_sim_world *world, const yard_sim_config *config);
void yard_sim_run(yard_sim_world *world);
void yard_sim_free(yard_sim_world *world);
const char *yard_sim_topology_name(yard_sim_topology topology);

/* ---- sim_measure.c */
void yard_sim_sample_now(yard_sim_world *world);
void yard_sim_note_latency(yard_sim_world *world, unsigned hop, double ms);
double yard_sim_wall(void);

/* A quantile of values that it sorts. */
double yard_sim_quantile(float *values, size_t count, double q);

/* Seconds from its start until each complete node was complete, sorted; *ret_count of them.
 * Owned. */
float *yard_sim_full_times(const yard_sim_world *world, size_t *ret_count);

/* ---- sim_report.c */
void yard_sim_print(yard_sim_world *world);

/* Complains. */
bool yard_sim_write(yard_sim_world *world);

/* ---- sim_plot.c */
typedef struct yard_sim_series {
    const char *name;
    const double *x;
    const double *y;
    size_t count;
} yard_sim_series;

typedef struct yard_sim_chart {
    const char *title;
    const char *x_label;
    const char *y_label;
    const yard_sim_series *series;
    size_t series_count;
} yard_sim_chart;

void yard_sim_draw(FILE *out, const yard_sim_chart *chart);

#endif
