/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of scenarios: arguments, seeds, and what is printed when something fails. */
#include "tests/sim/sim_scenario.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include <switchyard/assert.h>

#include "base/mutant.h"

static struct {
    const char *program;
    const char *scenario;
    uint64_t seed;
    FILE *trace;
    char last_hash[SIM_HASH_CAP];
    crypto_hash_sha256_state all;
} run = {.program = "?", .scenario = "?"};

/* The commit of the sources, as far as git knows it. */
static void show_commit(void) {
    char text[64] = "unknown";
    FILE *git =
        popen("git -C '" SY_SOURCE_DIR "' describe --always --dirty --abbrev=12 2>/dev/null", "r");
    if (git != NULL) {
        if (fgets(text, sizeof text, git) != NULL) {
            text[strcspn(text, "\n")] = '\0';
        }
        (void)pclose(git);
    }
    (void)fprintf(stderr, "commit %s\n", text);
}

static void on_failure(uint64_t seed) {
    (void)seed; /* scenarios derive theirs from the one that they were given */
    show_commit();
    (void)fprintf(stderr, "scenario %s, seed %llu; replay: %s --only %s --seed %llu --trace -\n",
                  run.scenario, (unsigned long long)run.seed, run.program, run.scenario,
                  (unsigned long long)run.seed);
}

void sim_options_default(sim_options *options, uint64_t seed) {
    sy_sim_options_default(options, seed);
    options->trace = run.trace;
    run.seed = seed;
}

void sim_net_del(sim_net *net) {
    sim_finish(net);
    sim_trace_hash(net, run.last_hash);
    (void)crypto_hash_sha256_update(&run.all, (const unsigned char *)run.last_hash, SIM_HASH_CAP);
    sy_sim_net_del(net);
}

FILE *sim_trace_file(void) {
    return run.trace;
}

const char *sim_last_hash(void) {
    return run.last_hash;
}

/* A sanitizer ends the program by itself; it is to say which run that was, too. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void on_death(void) {
    sim_show_trace(stderr);
    on_failure(run.seed);
}

static void on_assert(const char *kind, const char *condition, const char *file, int line) {
    sim_fail("%s:%d: %s failed: %s", file, line, kind, condition);
}

typedef struct options {
    const char *only;
    uint64_t seed;
    bool has_seed;
    unsigned seeds;
    uint64_t from; /* the first one */
} options;

static bool parse_number(const char *text, uint64_t *ret_value) {
    char *end = NULL;
    const unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0') {
        return false;
    }
    *ret_value = value;
    return true;
}

static bool parse_option(const char *name, const char *value, options *opts) {
    uint64_t number = 0;
    if (strcmp(name, "--only") == 0) {
        opts->only = value;
        return true;
    }
    if (strcmp(name, "--trace") == 0) {
        run.trace = strcmp(value, "-") == 0 ? stdout : fopen(value, "w");
        return run.trace != NULL;
    }
    if (!parse_number(value, &number)) {
        return false;
    }
    if (strcmp(name, "--seed") == 0) {
        opts->seed = number;
        opts->has_seed = true;
        return true;
    }
    if (strcmp(name, "--seeds") == 0) {
        opts->seeds = (unsigned)number;
        return true;
    }
    if (strcmp(name, "--from") == 0) {
        opts->from = number;
        return true;
    }
    return false;
}

static bool parse_arguments(int argc, char **argv, options *opts) {
    const char *seed = getenv("SY_SEED");
    if (seed != NULL && !parse_option("--seed", seed, opts)) {
        return false;
    }
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !parse_option(argv[i], argv[i + 1], opts)) {
            return false;
        }
    }
    return true;
}

static void run_scenario(const sim_scenario *scenario, const options *opts) {
    unsigned seeds = opts->seeds != 0 ? opts->seeds : scenario->seeds;
    const clock_t began = clock();
    run.scenario = scenario->name;
    (void)crypto_hash_sha256_init(&run.all);
    if (seeds == 0 || opts->has_seed) {
        seeds = 1;
    }
    for (unsigned i = 0; i < seeds; i++) {
        run.seed = opts->has_seed ? opts->seed : opts->from + i;
        scenario->run(run.seed);
    }
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[2 * 8 + 1];
    (void)crypto_hash_sha256_final(&run.all, hash);
    (void)sodium_bin2hex(hex, sizeof hex, hash, 8);
    (void)fprintf(stderr, "ok %-28s %4u seed%s %6.2f s  trace=%s\n", scenario->name, seeds,
                  seeds == 1 ? " " : "s", (double)(clock() - began) / CLOCKS_PER_SEC, hex);
}

/* Only in builds with deliberate faults. */
static bool choose_mutant(void) {
#if SY_MUTANTS
    return sy_mutant_choose(getenv("SY_MUTANT"));
#else
    return true;
#endif
}

int sim_main(int argc, char **argv, const sim_scenario *scenarios, size_t count) {
    options opts = {.from = 1};
    bool found = false;

    run.program = argv[0];
    if (!parse_arguments(argc, argv, &opts)) {
        (void)fprintf(stderr,
                      "usage: %s [--only NAME] [--seed S] [--seeds N] [--from S] [--trace "
                      "FILE|-]\n",
                      argv[0]);
        return 2;
    }
    if (sodium_init() < 0 || !choose_mutant()) {
        (void)fprintf(stderr, "no libsodium, or no mutant of the name that SY_MUTANT has\n");
        return 2;
    }
    sy_assert_set_handler(on_assert);
    sim_set_failure_handler(on_failure);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(on_death);
    }
    for (size_t i = 0; i < count; i++) {
        if (opts.only == NULL || strcmp(opts.only, scenarios[i].name) == 0) {
            run_scenario(&scenarios[i], &opts);
            found = true;
        }
    }
    if (run.trace != NULL && run.trace != stdout) {
        (void)fclose(run.trace);
    }
    if (!found) {
        (void)fprintf(stderr, "no scenario %s\n", opts.only);
        return 2;
    }
    return 0;
}
