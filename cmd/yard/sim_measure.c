/* SPDX-License-Identifier: Apache-2.0 */
/* What yard sim measures while it runs. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/yard/sim_world.h"
#include "cmd/yard/util.h"

#define SHOW_GAP_TTY  0.5 /* seconds between two lines of progress */
#define SHOW_GAP_FILE 5.0

double yard_sim_wall(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static int compare_floats(const void *a, const void *b) {
    const float x = *(const float *)a;
    const float y = *(const float *)b;
    return (x > y) - (x < y);
}

double yard_sim_quantile(float *values, size_t count, double q) {
    if (count == 0) {
        return 0;
    }
    qsort(values, count, sizeof *values, compare_floats);
    return (double)values[(size_t)(q * (double)(count - 1) + 0.5)];
}

void yard_sim_note_latency(yard_sim_world *world, unsigned hop, double ms) {
    yard_sim_latency *l =
        &world->hops[hop < YARD_SIM_HOPS_MAX ? hop : YARD_SIM_HOPS_MAX - (unsigned)1];
    if (l->count == l->cap) {
        l->cap = l->cap == 0 ? 256 : l->cap * 2;
        l->ms = yard_resize(l->ms, l->cap, sizeof *l->ms);
    }
    l->ms[l->count++] = (float)ms;
}

float *yard_sim_full_times(const yard_sim_world *world, size_t *ret_count) {
    float *times = yard_alloc(world->config.nodes, sizeof *times);
    size_t count = 0;
    for (size_t i = 0; i < world->config.nodes; i++) {
        const yard_sim_member *m = &world->members[i];
        if (m->full_at != SY_NEVER && m->want > 0) {
            times[count++] = (float)((double)(m->full_at - m->since) / SY_SEC);
        }
    }
    qsort(times, count, sizeof *times, compare_floats);
    *ret_count = count;
    return times;
}

/* ---- Components ------------------------------------------------------------------------------ */

static size_t root_of(size_t *parent, size_t i) {
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* The index stands in the last two bytes of the address. */
static size_t index_of(const sy_endpoint *endpoint) {
    return (size_t)endpoint->ip[14] << 8 | endpoint->ip[15];
}

/* Share of the running nodes in the largest component.  A seed lets go of its visitors, so it does
 * not count and connects nobody. */
static double connected_share(const yard_sim_world *world) {
    const size_t first = world->config.topology == YARD_SIM_PEX ? 1 : 0;
    const size_t n = world->config.nodes;
    size_t *parent = yard_alloc(n, sizeof *parent);
    size_t *size = yard_alloc(n, sizeof *size);
    size_t most = 0;
    size_t running = 0;
    for (size_t i = 0; i < n; i++) {
        parent[i] = i;
    }
    for (size_t i = first; i < n; i++) {
        sy_switch *sw = sy_sim_switch(world->members[i].node);
        if (sw == NULL) {
            continue;
        }
        for (const sy_peer *p = sy_switch_next_peer(sw, NULL); p != NULL;
             p = sy_switch_next_peer(sw, p)) {
            const size_t other = index_of(sy_peer_remote(p));
            if (other >= first) {
                parent[root_of(parent, i)] = root_of(parent, other);
            }
        }
    }
    for (size_t i = first; i < n; i++) {
        if (sy_sim_is_running(world->members[i].node)) {
            running++;
            const size_t members = ++size[root_of(parent, i)];
            most = members > most ? members : most;
        }
    }
    free(parent);
    free(size);
    return running == 0 ? 0 : (double)most / (double)running;
}

/* ---- Samples --------------------------------------------------------------------------------- */

static void show(yard_sim_world *world, const yard_sim_sample *sample) {
    const bool tty = isatty(STDERR_FILENO) == 1;
    const double wall = yard_sim_wall();
    if (wall - world->wall_shown < (tty ? SHOW_GAP_TTY : SHOW_GAP_FILE)) {
        return;
    }
    world->wall_shown = wall;
    (void)fprintf(stderr,
                  "%s%6.0f of %.0f s: %zu nodes, median %u peers, %.1f %% connected, "
                  "%.1f M events, %.0f s%s",
                  tty ? "\r\033[K" : "", sample->at_s, (double)world->config.duration / SY_SEC,
                  sample->running, sample->peers[2], 100 * sample->connected,
                  (double)sy_sim_event_count(world->net) / 1e6, wall - world->wall_began,
                  tty ? "" : "\n");
}

static unsigned at_share(const unsigned *sorted, size_t count, double share) {
    return count == 0 ? 0 : sorted[(size_t)(share * (double)(count - 1) + 0.5)];
}

static int compare_numbers(const void *a, const void *b) {
    const unsigned x = *(const unsigned *)a;
    const unsigned y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

void yard_sim_sample_now(yard_sim_world *world) {
    static const double peer_shares[] = {0, 0.1, 0.5, 0.9, 1};
    static const double book_shares[] = {0, 0.5, 1};
    const size_t n = world->config.nodes;
    unsigned *peers = yard_alloc(n, sizeof *peers);
    unsigned *books = yard_alloc(n, sizeof *books);
    yard_sim_sample s = {.at_s = (double)(sy_sim_now(world->net) - world->began) / SY_SEC};
    for (size_t i = 0; i < n; i++) {
        const sy_sim_node *node = world->members[i].node;
        s.sent_bytes += sy_sim_totals_of(node).sent_bytes;
        if (!sy_sim_is_running(node)) {
            continue;
        }
        peers[s.running] = (unsigned)world->members[i].peers;
        if (sy_sim_book(node) != NULL) {
            const sy_addr_source source = sy_addr_book_source(sy_sim_book(node));
            books[s.running] = (unsigned)source.ops->sizes(source.source).all;
        }
        s.running++;
    }
    qsort(peers, s.running, sizeof *peers, compare_numbers);
    qsort(books, s.running, sizeof *books, compare_numbers);
    for (size_t i = 0; i < 5; i++) {
        s.peers[i] = at_share(peers, s.running, peer_shares[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        s.books[i] = at_share(books, s.running, book_shares[i]);
    }
    free(peers);
    free(books);
    s.connected = connected_share(world);
    if (s.running == n && s.connected >= 1 && world->connected_at == SY_NEVER) {
        world->connected_at = sy_sim_now(world->net);
    }
    world->samples = yard_resize(world->samples, world->sample_count + 1, sizeof *world->samples);
    world->samples[world->sample_count++] = s;
    show(world, &s);
}
