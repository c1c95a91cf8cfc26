/* SPDX-License-Identifier: Apache-2.0 */
/* The trace: one line of text for everything that happens.  Its SHA-256 is what two runs of one
 * seed have in common; the last lines are shown when a check fails. */
#include "sim/sim_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/version.h>

static const sy_sim_net *current; /* the one that was made last: what a failure is about */
static uint64_t current_seed;
static void (*failure_handler)(uint64_t seed);

void sy_sim_trace_init(sy_sim_net *net) {
    (void)crypto_hash_sha256_init(&net->hash);
    net->tail = sy_sim_alloc(SY_SIM_TAIL_LINES * sizeof *net->tail);
    current = net;
    current_seed = net->options.seed;
}

void sy_sim_trace_fini(sy_sim_net *net) {
    sy_mem_release(sy_mem_libc(), net->tail);
    current = current == net ? NULL : current;
}

void sy_sim_trace(sy_sim_net *net, const sy_sim_node *node, const char *format, ...) {
    char *line = net->tail[net->tail_next++ % SY_SIM_TAIL_LINES];
    const int head =
        snprintf(line, SY_SIM_LINE_CAP, "%llu.%09llu %s ", (unsigned long long)(net->now / SY_SEC),
                 (unsigned long long)(net->now % SY_SEC), node == NULL ? "-" : node->name);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + head, SY_SIM_LINE_CAP - (size_t)head, format, args);
    va_end(args);

    const size_t len = strlen(line);
    (void)crypto_hash_sha256_update(&net->hash, (const unsigned char *)line, len);
    (void)crypto_hash_sha256_update(&net->hash, (const unsigned char *)"\n", 1);
    if (net->options.trace != NULL) {
        (void)fprintf(net->options.trace, "%s\n", line);
    }
}

void sy_sim_trace_hash(const sy_sim_net *net, char out[SY_SIM_HASH_CAP]) {
    crypto_hash_sha256_state state = net->hash;
    unsigned char hash[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256_final(&state, hash);
    (void)sodium_bin2hex(out, SY_SIM_HASH_CAP, hash, sizeof hash);
}

/* ---- Failures ----------------------------------------------------------------------------------
 */

void sy_sim_set_failure_handler(void (*handler)(uint64_t seed)) {
    failure_handler = handler;
}

void sy_sim_show_trace(FILE *out) {
    if (current == NULL) {
        return;
    }
    if (current->options.trace != NULL) {
        (void)fflush(current->options.trace);
    }
    (void)fprintf(out, "the last lines of the trace:\n");
    for (size_t i = 0; i < SY_SIM_TAIL_LINES; i++) {
        const char *line = current->tail[(current->tail_next + i) % SY_SIM_TAIL_LINES];
        if (line[0] != '\0') {
            (void)fprintf(out, "  | %s\n", line);
        }
    }
}

void sy_sim_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "FAILED: ");
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    sy_sim_show_trace(stderr);
    (void)fprintf(stderr, "seed %llu, switchyard %s\n", (unsigned long long)current_seed,
                  SY_VERSION_TEXT);
    if (failure_handler != NULL) {
        failure_handler(current_seed);
    }
    abort();
}
