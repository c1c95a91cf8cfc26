/* SPDX-License-Identifier: Apache-2.0 */
/* yard crawl: which nodes are there, and what do they run? */
#include <stdio.h>
#include <string.h>

#include "cmd/yard/commands.h"
#include "cmd/yard/crawl.h"
#include "cmd/yard/util.h"

#define TIMEOUT_DEFAULT  (10 * SY_SEC)
#define TIMEOUT_MAX      (10 * SY_MIN)
#define TIME_DEFAULT     (5 * SY_MIN)
#define TIME_MAX         SY_DAY
#define PARALLEL_DEFAULT 16
#define PARALLEL_MAX     256
#define NODES_DEFAULT    10000
#define NODES_MAX        1000000

typedef bool (*printer)(const yard_crawl *crawl, FILE *out);

static bool read_format(const yard_args *args, printer *ret_print) {
    static const struct {
        const char *name;
        printer print;
    } formats[] = {{"summary", yard_crawl_print_summary},
                   {"json", yard_crawl_print_json},
                   {"csv", yard_crawl_print_csv}};
    const char *name = yard_args_get(args, "format");
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(name == NULL ? "summary" : name, formats[i].name) == 0) {
            *ret_print = formats[i].print;
            return true;
        }
    }
    yard_complain("crawl: --format %s: none of summary, json, csv", name);
    return false;
}

static bool read_numbers(const yard_args *args, yard_crawl *crawl) {
    uint64_t parallel;
    uint64_t max;
    if (!yard_read_seconds(args, "timeout", TIMEOUT_MAX, TIMEOUT_DEFAULT, &crawl->timeout) ||
        !yard_read_seconds(args, "time", TIME_MAX, TIME_DEFAULT, &crawl->time) ||
        !yard_args_number(args, "parallel", 1, PARALLEL_MAX, PARALLEL_DEFAULT, &parallel) ||
        !yard_args_number(args, "max", 1, NODES_MAX, NODES_DEFAULT, &max)) {
        return false;
    }
    crawl->parallel = (size_t)parallel;
    crawl->max = (size_t)max;
    return true;
}

static bool read_starts(const char *list, yard_crawl *crawl) {
    sy_addr addrs[YARD_CRAWL_STARTS_MAX];
    size_t count = 0;
    sy_detail why;
    sy_detail_clear(&why);
    const sy_err err = sy_addr_list_parse(list, strlen(list), SY_ADDR_ID_REQUIRED, addrs,
                                          YARD_CRAWL_STARTS_MAX, &count, &why);
    if (err != SY_OK || count == 0) {
        yard_complain("crawl: \"%s\": %s%s%s (want ID@host:port, at most %d, with commas between)",
                      list, err == SY_OK ? "empty" : sy_strerror(err),
                      why.text[0] != '\0' ? ": " : "", why.text, YARD_CRAWL_STARTS_MAX);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        (void)yard_crawl_start_at(crawl, &addrs[i]);
    }
    return true;
}

static int crawl_with(const yard_args *args, const sy_node_key *key) {
    yard_crawl crawl;
    printer print;
    const char *const *profiles;
    size_t profile_count;
    int status = YARD_EXIT_USAGE;
    yard_crawl_init(&crawl, key);
    if (read_format(args, &print) && read_numbers(args, &crawl) &&
        yard_read_profiles(args, &profiles, &profile_count) &&
        read_starts(args->operands[0], &crawl)) {
        const bool ok =
            yard_crawl_run(&crawl, yard_args_get(args, "chain-id"), profiles, profile_count);
        status = ok && print(&crawl, stdout) ? YARD_EXIT_OK : YARD_EXIT_FAILED;
    }
    yard_crawl_fini(&crawl);
    return status;
}

static int run_crawl(const yard_args *args) {
    sy_node_key key;
    if (!yard_read_key(args, &key)) {
        return YARD_EXIT_FAILED;
    }
    const int status = crawl_with(args, &key);
    sy_node_key_wipe(&key);
    return status;
}

const yard_command yard_command_crawl = {
    .name = "crawl",
    .operands = "ID@host:port[,...]",
    .operand_count = 1,
    .text = "Visits a network from these nodes on and prints what is there.",
    .options = {{"format", "NAME", "summary, json or csv (default summary)"},
                {"chain-id", "ID", "the network to name (default: the one that a node names)"},
                {"profile", "NAME", "auto, tendermint, cometbft or plain (default auto)"},
                {"timeout", "SECONDS", "for each node (default 10)"},
                {"time", "SECONDS", "for everything; then it prints what it has (default 300)"},
                {"parallel", "N", "nodes that are visited at once (default 16)"},
                {"max", "N", "nodes to know at most (default 10000)"},
                {"home", "DIR", "use the node key of this home (default: one for this run)"}},
    .run = run_crawl,
};
