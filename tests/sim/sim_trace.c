/* SPDX-License-Identifier: Apache-2.0 */
/* The trace: one line of text for everything that happens.  Its SHA-256 is what two runs of one
 * seed have in common; the last lines are shown when a check fails. */
#include "tests/sim/sim_internal.h"

#include <stdarg.h>
#include <string.h>

#define TAIL_LINES 60
#define LINE_CAP   768

static char tail[TAIL_LINES][LINE_CAP];
static size_t tail_next;

void sim_trace_init(sim_net *net) {
    (void)crypto_hash_sha256_init(&net->hash);
    memset(tail, 0, sizeof tail);
    tail_next = 0;
}

void sim_trace(sim_net *net, const sim_node *node, const char *format, ...) {
    char *line = tail[tail_next++ % TAIL_LINES];
    const int head =
        snprintf(line, LINE_CAP, "%llu.%09llu %s ", (unsigned long long)(net->now / SY_SEC),
                 (unsigned long long)(net->now % SY_SEC), node == NULL ? "-" : node->name);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + head, LINE_CAP - (size_t)head, format, args);
    va_end(args);

    const size_t len = strlen(line);
    (void)crypto_hash_sha256_update(&net->hash, (const unsigned char *)line, len);
    (void)crypto_hash_sha256_update(&net->hash, (const unsigned char *)"\n", 1);
    if (net->options.trace != NULL) {
        (void)fprintf(net->options.trace, "%s\n", line);
    }
}

void sim_trace_hash(const sim_net *net, char out[SIM_HASH_CAP]) {
    crypto_hash_sha256_state state = net->hash;
    unsigned char hash[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256_final(&state, hash);
    (void)sodium_bin2hex(out, SIM_HASH_CAP, hash, sizeof hash);
}

void sim_trace_show_tail(FILE *out) {
    for (size_t i = 0; i < TAIL_LINES; i++) {
        const char *line = tail[(tail_next + i) % TAIL_LINES];
        if (line[0] != '\0') {
            (void)fprintf(out, "  | %s\n", line);
        }
    }
}
