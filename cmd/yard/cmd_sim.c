/* SPDX-License-Identifier: Apache-2.0 */
/* yard sim: a simulated network of real switches. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/yard/commands.h"
#include "cmd/yard/sim_world.h"
#include "cmd/yard/util.h"

#define MINUTES_MAX 100000

static bool read_topology(const char *text, yard_sim_topology *ret_topology) {
    static const yard_sim_topology all[] = {YARD_SIM_PEX, YARD_SIM_RING, YARD_SIM_STAR,
                                            YARD_SIM_RANDOM};
    for (size_t i = 0; text != NULL && i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(text, yard_sim_topology_name(all[i])) == 0) {
            *ret_topology = all[i];
            return true;
        }
    }
    if (text != NULL) {
        yard_complain("sim: --topology %s: none of pex, ring, star, random", text);
    }
    return text == NULL;
}

static bool read_profile(const char *text, const char **ret_profile) {
    static const char *const all[] = {"plain", "tendermint", "cometbft"};
    for (size_t i = 0; text != NULL && i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(text, all[i]) == 0) {
            *ret_profile = all[i];
            return true;
        }
    }
    if (text != NULL) {
        yard_complain("sim: --profile %s: none of plain, tendermint, cometbft", text);
    }
    return text == NULL;
}

/* "none", "all", or names with commas. */
static bool read_faults(const char *text, unsigned *ret_faults) {
    unsigned faults = 0;
    if (text == NULL || strcmp(text, "none") == 0) {
        return true;
    }
    if (strcmp(text, "all") == 0) {
        /* Peers are refused by recording reactors only, and names are not used here. */
        *ret_faults =
            SY_SIM_FAULTS_ALL & ~(1u << SY_SIM_FAULT_PEER_INIT) & ~(1u << SY_SIM_FAULT_NAME);
        return true;
    }
    for (const char *at = text; *at != '\0';) {
        const size_t len = strcspn(at, ",");
        unsigned kind = 0;
        while (kind < SY_SIM_FAULT_COUNT &&
               (strlen(sy_sim_fault_name((sy_sim_fault)kind)) != len ||
                strncmp(sy_sim_fault_name((sy_sim_fault)kind), at, len) != 0)) {
            kind++;
        }
        if (kind == SY_SIM_FAULT_COUNT) {
            yard_complain("sim: --faults %.*s: not a kind of fault (see `man yard`)", (int)len, at);
            return false;
        }
        faults |= 1u << kind;
        at += len;
        at += *at == ',';
    }
    *ret_faults = faults;
    return true;
}

static bool read_config(const yard_args *args, yard_sim_config *config) {
    uint64_t nodes;
    uint64_t minutes;
    uint64_t join;
    uint64_t target;
    if (!yard_args_number(args, "nodes", 2, YARD_SIM_NODES_MAX, 100, &nodes) ||
        !yard_args_number(args, "seed", 0, UINT64_MAX, 1, &config->seed) ||
        !yard_args_number(args, "minutes", 1, MINUTES_MAX, 10, &minutes) ||
        !yard_args_number(args, "outbound", 1, 1000, 10, &target) ||
        !yard_args_number(args, "join", 0, 86400, nodes / 100, &join) ||
        !read_topology(yard_args_get(args, "topology"), &config->topology) ||
        !read_profile(yard_args_get(args, "profile"), &config->profile) ||
        !read_faults(yard_args_get(args, "faults"), &config->faults)) {
        return false;
    }
    config->nodes = (size_t)nodes;
    config->duration = minutes * SY_MIN;
    config->join = join * SY_SEC;
    config->target = (size_t)target;
    config->report = yard_args_get(args, "report");
    if (config->join >= config->duration) {
        yard_complain("sim: --join %" PRIu64 ": must be below --minutes", join);
        return false;
    }
    return true;
}

static bool open_outputs(const yard_args *args, yard_sim_config *config) {
    const char *trace = yard_args_get(args, "trace");
    if (config->report != NULL && mkdir(config->report, 0777) != 0 && errno != EEXIST) {
        yard_complain("sim: %s: %s", config->report, strerror(errno));
        return false;
    }
    config->trace = trace == NULL ? NULL : fopen(trace, "w");
    if (trace != NULL && config->trace == NULL) {
        yard_complain("sim: %s: %s", trace, strerror(errno));
        return false;
    }
    return true;
}

static int run_sim(const yard_args *args) {
    yard_sim_config config = {.profile = "plain"};
    if (!read_config(args, &config)) {
        return YARD_EXIT_USAGE;
    }
    if (!open_outputs(args, &config)) {
        return YARD_EXIT_FAILED;
    }
    yard_sim_world world;
    char hash[SY_SIM_HASH_CAP];
    yard_sim_make(&world, &config);
    yard_sim_run(&world);
    if (isatty(STDERR_FILENO) == 1) {
        (void)fprintf(stderr, "\r\033[K");
    }
    yard_sim_print(&world);
    bool ok = config.report == NULL || yard_sim_write(&world);
    sy_sim_finish(world.net);
    sy_sim_trace_hash(world.net, hash);
    if (config.report != NULL) {
        (void)printf("%-18s %s\n", "report", config.report);
    }
    (void)printf("nodes=%zu seed=%" PRIu64 " events=%" PRIu64 " trace=%s\n", config.nodes,
                 config.seed, sy_sim_event_count(world.net), hash);
    yard_sim_free(&world);
    if (config.trace != NULL && fclose(config.trace) != 0) {
        yard_complain("sim: the trace: %s", strerror(errno));
        ok = false;
    }
    return ok ? YARD_EXIT_OK : YARD_EXIT_FAILED;
}

const yard_command yard_command_sim = {
    .name = "sim",
    .operands = "",
    .text = "Simulates a network of nodes, with measurements; the same seed is the same run.",
    .options = {{"nodes", "N", "how many (default 100)"},
                {"seed", "S", "everything that is drawn follows from it (default 1)"},
                {"topology", "NAME", "pex (node 0 is a seed; default), ring, star, random"},
                {"minutes", "M", "simulated time (default 10)"},
                {"outbound", "N", "outbound peers of a node (default 10)"},
                {"join", "SECONDS", "nodes start within (default: 100 nodes a second)"},
                {"profile", "NAME", "plain (default), tendermint, cometbft"},
                {"faults", "KINDS", "all, or names with commas: in the first half of the time"},
                {"report", "DIR", "writes CSV files and plots there"},
                {"trace", "FILE", "writes everything that happens, line by line"}},
    .run = run_sim,
};
