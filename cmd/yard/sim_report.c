/* SPDX-License-Identifier: Apache-2.0 */
/* What yard sim says at the end: a table, CSV files, plots. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cmd/yard/sim_world.h"
#include "cmd/yard/util.h"

/* ---- The table ------------------------------------------------------------------------------- */

static double peak_mib(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void print_full(const yard_sim_world *world) {
    size_t count = 0;
    size_t wanted = 0;
    float *times = yard_sim_full_times(world, &count);
    for (size_t i = 0; i < world->config.nodes; i++) {
        wanted += world->members[i].want > 0;
    }
    (void)printf("%-18s %zu of %zu nodes", "full peer set", count, wanted);
    if (count > 0) {
        (void)printf("; median %.1f s, 90 %% %.1f s, 99 %% %.1f s, the last %.1f s",
                     yard_sim_quantile(times, count, 0.5), yard_sim_quantile(times, count, 0.9),
                     yard_sim_quantile(times, count, 0.99), (double)times[count - 1]);
    }
    (void)printf("\n");
    free(times);
}

static void print_hops(yard_sim_world *world) {
    (void)printf("%-18s %llu rumours, %llu deliveries\n", "messages",
                 (unsigned long long)world->rumours, (unsigned long long)world->delivered);
    for (size_t i = 0; i < YARD_SIM_HOPS_MAX; i++) {
        yard_sim_latency *l = &world->hops[i];
        if (l->count > 0) {
            (void)printf("%10zu hop%s   %8zu deliveries, median %.1f ms, 99 %% %.1f ms\n", i,
                         i == 1 ? " " : "s", l->count, yard_sim_quantile(l->ms, l->count, 0.5),
                         yard_sim_quantile(l->ms, l->count, 0.99));
        }
    }
}

void yard_sim_print(yard_sim_world *world) {
    const yard_sim_config *c = &world->config;
    const yard_sim_sample *last = &world->samples[world->sample_count - 1];
    const double wall = yard_sim_wall() - world->wall_began;
    const double seconds = (double)c->duration / SY_SEC;
    (void)printf("%-18s %zu, seed %llu, topology %s, profile %s, target %zu\n", "nodes", c->nodes,
                 (unsigned long long)c->seed, yard_sim_topology_name(c->topology), c->profile,
                 c->target);
    (void)printf("%-18s %.0f s in %.1f s of wall time, %llu events\n", "simulated", seconds, wall,
                 (unsigned long long)sy_sim_event_count(world->net));
    (void)printf("%-18s %.0f MiB at most, %.0f KiB per node\n", "memory", peak_mib(),
                 peak_mib() * 1024 / (double)c->nodes);
    (void)printf("%-18s least %u, 10 %% %u, median %u, 90 %% %u, most %u\n", "peers per node",
                 last->peers[0], last->peers[1], last->peers[2], last->peers[3], last->peers[4]);
    print_full(world);
    (void)printf("%-18s %.2f %% in the largest component", "connected", 100 * last->connected);
    if (world->connected_at != SY_NEVER) {
        (void)printf("; all of them since %.0f s",
                     (double)(world->connected_at - world->began) / SY_SEC);
    }
    (void)printf("\n%-18s least %u, median %u, most %u addresses\n", "address books",
                 last->books[0], last->books[1], last->books[2]);
    (void)printf("%-18s %.1f MiB sent, %.0f bytes per node and second\n", "traffic",
                 (double)last->sent_bytes / 1048576,
                 (double)last->sent_bytes / (double)c->nodes / seconds);
    print_hops(world);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static FILE *open_in(const yard_sim_world *world, const char *name) {
    char *path = yard_format("%s/%s", world->config.report, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        yard_complain("sim: %s: %s", path, strerror(errno));
    }
    free(path);
    return file;
}

static bool close_file(const yard_sim_world *world, FILE *file, const char *name) {
    const bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) {
        yard_complain("sim: %s/%s: %s", world->config.report, name, strerror(errno));
        return false;
    }
    return true;
}

static bool draw(const yard_sim_world *world, const char *name, const yard_sim_chart *chart) {
    FILE *file = open_in(world, name);
    if (file == NULL) {
        return false;
    }
    yard_sim_draw(file, chart);
    return close_file(world, file, name);
}

/* A column of the samples. */
typedef double (*column_fn)(const yard_sim_sample *sample, size_t which);

static double peers_column(const yard_sim_sample *sample, size_t which) {
    return sample->peers[which];
}

static double books_column(const yard_sim_sample *sample, size_t which) {
    return sample->books[which];
}

static double rate_column(const yard_sim_sample *sample, size_t which) {
    (void)which;
    const yard_sim_sample *before = sample - 1;
    const double gap = sample->at_s - before->at_s;
    return gap <= 0 || sample->running == 0
               ? 0
               : (double)(sample->sent_bytes - before->sent_bytes) / gap / (double)sample->running;
}

static bool draw_samples(const yard_sim_world *world, const char *name, yard_sim_chart chart,
                         const char *const *names, column_fn column) {
    /* The first sample has none before it. */
    const size_t n = world->sample_count - 1;
    const size_t lines = chart.series_count;
    double *x = yard_alloc(n + 1, sizeof *x);
    double *y = yard_alloc(lines * n + 1, sizeof *y);
    yard_sim_series *series = yard_alloc(lines, sizeof *series);
    for (size_t i = 0; i < n; i++) {
        x[i] = world->samples[i + 1].at_s;
        for (size_t k = 0; k < lines; k++) {
            y[k * n + i] = column(&world->samples[i + 1], k);
        }
    }
    for (size_t k = 0; k < lines; k++) {
        series[k] = (yard_sim_series){names[k], x, y + k * n, n};
    }
    chart.series = series;
    const bool ok = draw(world, name, &chart);
    free(series);
    free(x);
    free(y);
    return ok;
}

static bool write_samples(const yard_sim_world *world) {
    static const char *const peer_names[] = {"least", "10 %", "median", "90 %", "most"};
    static const char *const book_names[] = {"least", "median", "most"};
    static const char *const byte_names[] = {"mean"};
    FILE *file = open_in(world, "samples.csv");
    if (file == NULL) {
        return false;
    }
    (void)fprintf(file, "time_s,running,peers_min,peers_p10,peers_median,peers_p90,peers_max,"
                        "book_min,book_median,book_max,connected,sent_bytes\n");
    for (size_t i = 0; i < world->sample_count; i++) {
        const yard_sim_sample *s = &world->samples[i];
        (void)fprintf(file, "%.3f,%zu,%u,%u,%u,%u,%u,%u,%u,%u,%.6f,%llu\n", s->at_s, s->running,
                      s->peers[0], s->peers[1], s->peers[2], s->peers[3], s->peers[4], s->books[0],
                      s->books[1], s->books[2], s->connected, (unsigned long long)s->sent_bytes);
    }
    return close_file(world, file, "samples.csv") &&
           draw_samples(world, "peers.svg",
                        (yard_sim_chart){.title = "Peers per node",
                                         .x_label = "simulated seconds",
                                         .y_label = "peers",
                                         .series_count = 5},
                        peer_names, peers_column) &&
           draw_samples(world, "books.svg",
                        (yard_sim_chart){.title = "Addresses in the books",
                                         .x_label = "simulated seconds",
                                         .y_label = "addresses",
                                         .series_count = 3},
                        book_names, books_column) &&
           draw_samples(world, "bytes.svg",
                        (yard_sim_chart){.title = "Bytes sent per node",
                                         .x_label = "simulated seconds",
                                         .y_label = "bytes per second",
                                         .series_count = 1},
                        byte_names, rate_column);
}

static bool write_full(const yard_sim_world *world) {
    size_t count = 0;
    float *times = yard_sim_full_times(world, &count);
    double *x = yard_alloc(count + 1, sizeof *x);
    double *y = yard_alloc(count + 1, sizeof *y);
    FILE *file = open_in(world, "full.csv");
    bool ok = file != NULL;
    if (ok) {
        (void)fprintf(file, "seconds_after_start,nodes\n");
        for (size_t i = 0; i < count; i++) {
            x[i] = (double)times[i];
            y[i] = 100.0 * (double)(i + 1) / (double)world->config.nodes;
            (void)fprintf(file, "%.3f,%zu\n", x[i], i + 1);
        }
        const yard_sim_series line = {"nodes", x, y, count};
        const yard_sim_chart chart = {"Nodes whose outbound peers are complete",
                                      "simulated seconds after their start", "% of all nodes",
                                      &line, 1};
        ok = close_file(world, file, "full.csv") && draw(world, "full.svg", &chart);
    }
    free(x);
    free(y);
    free(times);
    return ok;
}

static bool write_latency(yard_sim_world *world) {
    double x[YARD_SIM_HOPS_MAX];
    double median[YARD_SIM_HOPS_MAX];
    double late[YARD_SIM_HOPS_MAX];
    size_t count = 0;
    FILE *file = open_in(world, "latency.csv");
    if (file == NULL) {
        return false;
    }
    (void)fprintf(file, "hops,deliveries,median_ms,p99_ms\n");
    for (size_t i = 0; i < YARD_SIM_HOPS_MAX; i++) {
        yard_sim_latency *l = &world->hops[i];
        if (l->count == 0) {
            continue;
        }
        x[count] = (double)i;
        median[count] = yard_sim_quantile(l->ms, l->count, 0.5);
        late[count] = yard_sim_quantile(l->ms, l->count, 0.99);
        (void)fprintf(file, "%zu,%zu,%.3f,%.3f\n", i, l->count, median[count], late[count]);
        count++;
    }
    const yard_sim_series lines[] = {{"median", x, median, count}, {"99 %", x, late, count}};
    const yard_sim_chart chart = {"Time from the first word to a node, by hops", "hops",
                                  "milliseconds", lines, 2};
    return close_file(world, file, "latency.csv") && draw(world, "latency.svg", &chart);
}

bool yard_sim_write(yard_sim_world *world) {
    return write_samples(world) && write_full(world) && write_latency(world);
}
