/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/log_sink.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define RECORD_CAP 4096
#define TIME_CAP   40

/* "2026-01-31T12:34:56.789Z" */
static void format_time(char out[TIME_CAP]) {
    struct timespec now;
    struct tm parts;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    const size_t len = strftime(out, TIME_CAP, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(out + len, TIME_CAP - len, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

static void write_record(void *user, const sy_log_record *record) {
    const yard_log_sink *sink = user;
    char text[RECORD_CAP];
    char line[RECORD_CAP + TIME_CAP + 16];
    char at[TIME_CAP];
    int len;

    if (record->level < sink->level) {
        return;
    }
    format_time(at);
    if (sink->json) {
        /* The record is a whole object: its brace gives way to ours with the time. */
        (void)sy_log_format_json(record, text, sizeof text);
        len = snprintf(line, sizeof line, "{\"ts\":\"%s\",%s\n", at, text + 1);
    } else {
        (void)sy_log_format_kv(record, text, sizeof text);
        len = snprintf(line, sizeof line, "ts=%s %s\n", at, text);
    }
    if (len > 0) {
        (void)!write(STDERR_FILENO, line, (size_t)len);
    }
}

sy_log yard_log_make_open(yard_log_sink *sink) {
    return (sy_log){.fn = write_record, .user = sink, .level = SY_LOG_DEBUG};
}

sy_log yard_log_make(yard_log_sink *sink, sy_log_level level) {
    sink->level = level;
    return (sy_log){.fn = write_record, .user = sink, .level = level};
}
