/* SPDX-License-Identifier: Apache-2.0 */
/* yardspec: does this node follow the specification?  Dials it again and again, bends one thing in
 * each connection, and compares what comes with the clause. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <sodium.h>

#include "cmd/yardspec/report.h"

#define EXIT_PASSED      0
#define EXIT_FAILED      1
#define EXIT_USAGE       2
#define TIMEOUT_MS       3000
#define TIMEOUT_MAX_S    600
#define ONLY_MAX         128
#define SETTINGS_MAX     16
#define WAIT_S           30
#define CAPACITY_DEFAULT 0

typedef struct options {
    const char *target;
    const char *profile;
    const char *chain_id;
    const char *junit;
    const char *timeout;
    const char *capacity;
    const char *listen;
    const char *expect_id;
    const char *node_key;
    const char *target_pid;
    const char *wait;
    const char *settings[SETTINGS_MAX];
    size_t setting_count;
    const char *only[ONLY_MAX];
    size_t only_count;
    bool list;
    bool json;
    bool slow;
    bool strict;
    bool verbose;
    bool first_failure;
    bool help;
} options;

static const char usage[] =
    "usage: yardspec ID@host:port [flags]\n"
    "       yardspec --listen host:port [--expect-id ID] [flags]\n"
    "       yardspec --list [flags]\n\n"
    "Judges a running node clause by clause, dialing it or dialed by it.\n\n"
    "flags:\n"
    "  --listen ADDRESS  wait for the node to dial: its first line on standard error says what "
    "the\n"
    "                    node is to have in persistent_peers\n"
    "  --expect-id ID    the node that dials must have this ID\n"
    "  --node-key FILE   with --listen: our own key, so that our ID is the same each time\n"
    "  --wait SECONDS    how long the node may take to dial again (default 30)\n"
    "  --profile NAME    auto, tendermint or cometbft (default auto)\n"
    "  --chain-id ID     the network to name (default: the one that the node names)\n"
    "  --only WHAT       only this group or this case; may be given several times\n"
    "  --slow            also cases that take more than 5 s (deadlines, keepalive)\n"
    "  --timeout SECONDS how long to wait for an answer (default 3)\n"
    "  --capacity BYTES  longest message that the echo channel takes (default: not tested)\n"
    "  --setting K=V     how the node is configured: handshake_timeout, ping_interval,\n"
    "                    pong_timeout (in seconds; default 20, 60, 45); and, not tested when not\n"
    "                    named, max_num_inbound_peers, total_connections, max_peers_per_prefix,\n"
    "                    pending_handshakes, allow_duplicate_ip=false, seed_mode=true, "
    "seed_visit,\n"
    "                    persistent_peers_max_dial_period\n"
    "  --target-pid PID  the node's process, for its memory (default: found by the socket)\n"
    "  --strict          a known deviation of the node's version is a failure\n"
    "  --first-failure   end after the first failure\n"
    "  --verbose         print the bytes that were exchanged\n"
    "  --json            print the result as JSON\n"
    "  --junit FILE      also write it as JUnit XML\n"
    "  --list            list the cases and end\n"
    "\n"
    "Exit status: 0 nothing failed, 1 something failed or the node cannot be judged, 2 usage.\n";

static int complain(const char *what, const char *text) {
    (void)fprintf(stderr, "yardspec: %s %s (see `yardspec --help`)\n", what, text);
    return EXIT_USAGE;
}

/* ---- The command line ------------------------------------------------------------------------ */

static bool is_flag(const char *arg, const char *name, size_t len) {
    return strlen(name) == len && strncmp(arg, name, len) == 0;
}

static int take_flag(options *opt, int argc, char **argv, int *at) {
    const struct {
        const char *name;
        bool *set;
        const char **value;
    } flags[] = {
        {"--list", &opt->list, NULL},
        {"--json", &opt->json, NULL},
        {"--slow", &opt->slow, NULL},
        {"--strict", &opt->strict, NULL},
        {"--help", &opt->help, NULL},
        {"--profile", NULL, &opt->profile},
        {"--chain-id", NULL, &opt->chain_id},
        {"--junit", NULL, &opt->junit},
        {"--timeout", NULL, &opt->timeout},
        {"--capacity", NULL, &opt->capacity},
        {"--verbose", &opt->verbose, NULL},
        {"--first-failure", &opt->first_failure, NULL},
        {"--listen", NULL, &opt->listen},
        {"--expect-id", NULL, &opt->expect_id},
        {"--node-key", NULL, &opt->node_key},
        {"--wait", NULL, &opt->wait},
        {"--target-pid", NULL, &opt->target_pid},
        {"--setting", NULL, &opt->settings[opt->setting_count]},
        {"--only", NULL, &opt->only[opt->only_count]},
    };
    const char *arg = argv[*at];
    const char *equals = strchr(arg, '=');
    const size_t len = equals == NULL ? strlen(arg) : (size_t)(equals - arg);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (!is_flag(arg, flags[i].name, len)) {
            continue;
        }
        if (flags[i].set != NULL) {
            *flags[i].set = true;
            return equals == NULL ? EXIT_PASSED : complain("no value belongs to", flags[i].name);
        }
        const char *value = equals != NULL ? equals + 1 : *at + 1 < argc ? argv[++*at] : NULL;
        if (value == NULL) {
            return complain("a value is missing after", arg);
        }
        *flags[i].value = value;
        opt->only_count += flags[i].value == &opt->only[opt->only_count];
        opt->setting_count += flags[i].value == &opt->settings[opt->setting_count];
        return opt->only_count < ONLY_MAX && opt->setting_count < SETTINGS_MAX
                   ? EXIT_PASSED
                   : complain("too many times", flags[i].name);
    }
    return complain("unknown flag", arg);
}

static int read_options(int argc, char **argv, options *opt) {
    for (int at = 1; at < argc; at++) {
        if (argv[at][0] == '-') {
            const int status = take_flag(opt, argc, argv, &at);
            if (status != EXIT_PASSED) {
                return status;
            }
        } else if (opt->target != NULL) {
            return complain("unexpected argument", argv[at]);
        } else {
            opt->target = argv[at];
        }
    }
    for (size_t i = 0; i < opt->only_count; i++) {
        if (!spec_group_exists(opt->only[i]) && spec_case_find(opt->only[i]) == NULL) {
            return complain("no group or case", opt->only[i]);
        }
    }
    if (opt->target != NULL && opt->listen != NULL) {
        return complain("an address to dial does not go with", "--listen");
    }
    if (opt->target == NULL && opt->listen == NULL && !opt->list && !opt->help) {
        return complain("missing argument", "ID@host:port");
    }
    return EXIT_PASSED;
}

static bool read_profile(const options *opt, spec_profile *ret_profile) {
    const char *name = opt->profile == NULL ? "auto" : opt->profile;
    *ret_profile = strcmp(name, "tendermint") == 0 ? SPEC_TENDERMINT
                   : strcmp(name, "cometbft") == 0 ? SPEC_COMETBFT
                                                   : SPEC_BOTH;
    return *ret_profile != SPEC_BOTH || strcmp(name, "auto") == 0;
}

static bool read_number(const char *text, double min, double max, double *ret_value) {
    char *end = NULL;
    errno = 0;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(value >= min && value <= max)) {
        return false;
    }
    *ret_value = value;
    return true;
}

/* ---- The target ------------------------------------------------------------------------------ */

static bool resolve(const sy_addr *addr, sy_endpoint *ret_endpoint) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    *ret_endpoint = (sy_endpoint){.port = addr->port};
    if (addr->is_ip) {
        *ret_endpoint = addr->endpoint;
        return true;
    }
    if (getaddrinfo(addr->host, NULL, &hints, &found) != 0) {
        return false;
    }
    if (found->ai_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)found->ai_addr;
        ret_endpoint->ip[10] = 0xff;
        ret_endpoint->ip[11] = 0xff;
        memcpy(ret_endpoint->ip + 12, &in->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *in6 = (const void *)found->ai_addr;
        memcpy(ret_endpoint->ip, &in6->sin6_addr, 16);
    }
    freeaddrinfo(found);
    return true;
}

static int read_target(const options *opt, spec_run *run) {
    sy_addr addr;
    sy_detail why;
    sy_detail_clear(&why);
    const sy_err err =
        sy_addr_parse(opt->target, strlen(opt->target), SY_ADDR_ID_REQUIRED, &addr, &why);
    if (err != SY_OK) {
        (void)fprintf(stderr, "yardspec: \"%s\": %s%s%s (want ID@host:port)\n", opt->target,
                      sy_strerror(err), why.text[0] != '\0' ? ": " : "", why.text);
        return EXIT_USAGE;
    }
    run->target.text = opt->target;
    run->target.id = addr.id;
    run->target.id_known = true;
    if (!resolve(&addr, &run->target.endpoint)) {
        (void)fprintf(stderr, "yardspec: \"%s\" cannot be resolved\n", addr.host);
        return EXIT_FAILED;
    }
    return EXIT_PASSED;
}

/* K=V; false: no such setting or not a value of it. */
static bool read_setting(const char *text, spec_settings *settings) {
    const struct {
        const char *name;
        long *value;
        double scale;
    } names[] = {
        {"handshake_timeout", &settings->handshake_ms, 1000},
        {"ping_interval", &settings->ping_ms, 1000},
        {"pong_timeout", &settings->pong_ms, 1000},
        {"max_num_inbound_peers", &settings->inbound_max, 1},
        {"pending_handshakes", &settings->pending_max, 1},
        {"total_connections", &settings->total_max, 1},
        {"max_peers_per_prefix", &settings->prefix_max, 1},
        {"persistent_peers_max_dial_period", &settings->redial_ms, 1000},
        {"seed_visit", &settings->visit_ms, 1000},
    };
    const char *equals = strchr(text, '=');
    const size_t len = equals == NULL ? 0 : (size_t)(equals - text);
    double value = 0;
    for (size_t i = 0; equals != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (is_flag(text, names[i].name, len)) {
            const bool good = read_number(equals + 1, 0.1, 100000, &value);
            *names[i].value = (long)(value * names[i].scale);
            return good;
        }
    }
    settings->one_per_ip = settings->one_per_ip || strcmp(text, "allow_duplicate_ip=false") == 0;
    settings->seed_mode = settings->seed_mode || strcmp(text, "seed_mode=true") == 0;
    return strcmp(text, "allow_duplicate_ip=false") == 0 || strcmp(text, "seed_mode=true") == 0;
}

static int prepare(const options *opt, spec_run *run, spec_profile *ret_profile) {
    double seconds = TIMEOUT_MS / 1000.0;
    double capacity = CAPACITY_DEFAULT;
    double wait = WAIT_S;
    double pid = 0;
    if (!read_profile(opt, ret_profile)) {
        return complain("none of auto, tendermint, cometbft:", opt->profile);
    }
    if (opt->timeout != NULL && !read_number(opt->timeout, 0.05, TIMEOUT_MAX_S, &seconds)) {
        return complain("not a number of seconds from 0.05 to 600:", opt->timeout);
    }
    if (opt->capacity != NULL && !read_number(opt->capacity, 1, 1e9, &capacity)) {
        return complain("not a number of bytes:", opt->capacity);
    }
    if (opt->wait != NULL && !read_number(opt->wait, 0.1, TIMEOUT_MAX_S, &wait)) {
        return complain("not a number of seconds from 0.1 to 600:", opt->wait);
    }
    if (opt->target_pid != NULL && !read_number(opt->target_pid, 1, 1e9, &pid)) {
        return complain("not a process:", opt->target_pid);
    }
    run->settings = (spec_settings){.handshake_ms = 20000, .ping_ms = 60000, .pong_ms = 45000};
    for (size_t i = 0; i < opt->setting_count; i++) {
        if (!read_setting(opt->settings[i], &run->settings)) {
            return complain("not a setting of a node that can be named:", opt->settings[i]);
        }
    }
    run->wait_ms = (long)(wait * 1000);
    run->target_pid = (long)pid;
    run->listen_fd = -1;
    run->next_fd = -1;
    run->timeout_ms = (int)(seconds * 1000);
    run->capacity = (uint64_t)capacity;
    run->slow = opt->slow;
    run->chain_id = opt->chain_id;
    return EXIT_PASSED;
}

/* ---- The run --------------------------------------------------------------------------------- */

static bool is_wanted(const options *opt, const spec_case *one, const spec_run *run) {
    const unsigned not_in_role = run->listen_fd >= 0 ? SPEC_F_DIAL : SPEC_F_LISTEN;
    bool named = opt->only_count == 0;
    for (size_t i = 0; i < opt->only_count; i++) {
        named = named || strcmp(opt->only[i], one->id) == 0 ||
                strcmp(opt->only[i], one->group->name) == 0;
    }
    return named && (one->profiles & (unsigned)run->target.profile) != 0 &&
           (one->row->flags & not_in_role) == 0;
}

static double now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void judge_deviation(spec_run *run, const spec_case *one) {
    const char *text = spec_deviation(&run->target, one);
    if (run->verdict == SPEC_FAIL && text != NULL) {
        const size_t len = strlen(run->detail);
        run->verdict = SPEC_DEVIATION;
        (void)snprintf(run->detail + len, sizeof run->detail - len, "; known: %s", text);
    }
}

static int run_all(const options *opt, spec_run *run) {
    size_t count = 0;
    const spec_case *cases = spec_cases(&count);
    spec_report report = {.quiet = opt->json, .verbose = opt->verbose};
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(opt, &cases[i], run) ||
            (opt->first_failure && report.totals[SPEC_FAIL] > 0)) {
            continue;
        }
        const double begun = now_ms();
        spec_clear_traces(run);
        spec_case_run(run, &cases[i]);
        if (!opt->strict) {
            judge_deviation(run, &cases[i]);
        }
        spec_report_add(&report, run, &cases[i], now_ms() - begun);
    }
    if (opt->json) {
        spec_report_print_json(&report, run);
    } else {
        spec_report_print_totals(&report);
    }
    int status = report.totals[SPEC_FAIL] > 0 ? EXIT_FAILED : EXIT_PASSED;
    if (opt->junit != NULL && !spec_report_write_junit(&report, run, opt->junit)) {
        (void)fprintf(stderr, "yardspec: cannot write %s: %s\n", opt->junit, strerror(errno));
        status = EXIT_FAILED;
    }
    spec_report_fini(&report);
    return status;
}

static void print_target(const spec_run *run) {
    const spec_target *target = &run->target;
    (void)printf("%s speaks %s on network \"%s\", version %s; %zu channels, %zu of them echo\n",
                 target->text, spec_profile_name(target->profile), target->network, target->version,
                 target->channel_count, target->echo_count);
}

/* ---- The role of the listener ---------------------------------------------------------------- */

static bool read_key_file(const char *path, sy_node_key *ret_key) {
    static char text[SY_NODE_KEY_JSON_CAP];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        (void)fprintf(stderr, "yardspec: cannot read %s: %s\n", path, strerror(errno));
        return false;
    }
    const size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    const sy_err err = sy_node_key_decode_json(text, len, ret_key, NULL);
    sodium_memzero(text, sizeof text);
    if (err != SY_OK) {
        (void)fprintf(stderr, "yardspec: %s: %s\n", path, sy_strerror(err));
    }
    return err == SY_OK;
}

static bool make_key(const options *opt, spec_run *run) {
    uint8_t seed[SY_SEED_LEN];
    if (opt->node_key != NULL) {
        return read_key_file(opt->node_key, &run->key);
    }
    randombytes_buf(seed, sizeof seed);
    sy_node_key_from_seed(seed, &run->key);
    sodium_memzero(seed, sizeof seed);
    return true;
}

static int open_listener(const options *opt, spec_run *run) {
    static char target_text[SY_NODE_ID_TEXT_CAP + 8];
    char id[SY_NODE_ID_TEXT_CAP];
    char endpoint[SY_ENDPOINT_TEXT_CAP];
    const char *why = "";
    sy_addr addr;
    if (sy_addr_parse(opt->listen, strlen(opt->listen), SY_ADDR_LISTEN, &addr, NULL) != SY_OK ||
        !addr.is_ip) {
        return complain("not an IP address and port to listen on:", opt->listen);
    }
    if (opt->expect_id != NULL &&
        sy_node_id_parse(opt->expect_id, strlen(opt->expect_id), &run->target.id) != SY_OK) {
        return complain("not an ID:", opt->expect_id);
    }
    run->target.id_known = opt->expect_id != NULL;
    if (!make_key(opt, run)) {
        return EXIT_FAILED;
    }
    if (!spec_listen(run, &addr.endpoint, &why)) {
        (void)fprintf(stderr, "yardspec: cannot listen on %s: %s\n", opt->listen, why);
        return EXIT_FAILED;
    }
    const sy_node_id own = sy_node_key_id(&run->key);
    sy_node_id_format(&own, id);
    (void)sy_endpoint_format(&run->target.endpoint, endpoint);
    (void)fprintf(stderr, "listening %s@%s\n", id, endpoint);
    (void)snprintf(target_text, sizeof target_text, "the node that dials");
    run->target.text = target_text;
    return EXIT_PASSED;
}

static int find_target(const options *opt, spec_run *run, spec_profile profile) {
    static char text[SY_NODE_ID_TEXT_CAP];
    const char *why = "";
    const int status = opt->listen != NULL ? open_listener(opt, run) : read_target(opt, run);
    if (status != EXIT_PASSED) {
        return status;
    }
    if (!spec_learn(run, profile, &why)) {
        (void)fprintf(stderr, "yardspec: %s cannot be judged: an honest connection fails: %s\n",
                      run->target.text, why);
        return EXIT_FAILED;
    }
    if (opt->listen != NULL) {
        sy_node_id_format(&run->target.id, text);
        run->target.text = text;
    }
    return EXIT_PASSED;
}

int main(int argc, char **argv) {
    static spec_run run;
    options opt = {0};
    spec_profile profile = SPEC_BOTH;
    int status = read_options(argc, argv, &opt);
    if (status == EXIT_PASSED) {
        status = prepare(&opt, &run, &profile);
    }
    if (status != EXIT_PASSED) {
        return status;
    }
    if (opt.help) {
        (void)fputs(usage, stdout);
        return EXIT_PASSED;
    }
    if (opt.list) {
        spec_list(profile, &run.settings, opt.json);
        return EXIT_PASSED;
    }
    if (sodium_init() < 0) {
        spec_die("no random source");
    }
    (void)signal(SIGPIPE, SIG_IGN);
    status = find_target(&opt, &run, profile);
    if (status == EXIT_PASSED) {
        if (!opt.json) {
            print_target(&run);
        }
        status = run_all(&opt, &run);
    }
    spec_unlisten(&run);
    sy_node_key_wipe(&run.key);
    return status;
}
