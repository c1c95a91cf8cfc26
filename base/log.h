/* SPDX-License-Identifier: Apache-2.0 */
/* Structured log records.  The library never prints: a record goes to the sink that the embedder
 * gave.  Nothing is formatted when the level is off.  Two formatters (key=value and JSON) serve
 * sinks that want text.
 *
 *     SY_LOG(log, SY_LOG_INFO, "switch", "peer_added", now,
 *            SY_F_STR("id", id_text), SY_F_U64("peers", count));
 *
 * Peer-supplied text goes through SY_F_STRN, which the formatters cap and escape.  Keys, challenges
 * and plaintext are never logged at any level (SPEC ER-14). */
#ifndef SWITCHYARD_LOG_H
#define SWITCHYARD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/time.h>

SY_BEGIN_DECLS

typedef enum sy_log_level {
    SY_LOG_DEBUG = 0,
    SY_LOG_INFO = 1,
    SY_LOG_WARN = 2,
    SY_LOG_ERROR = 3,
    SY_LOG_NONE = 4,
} sy_log_level;

typedef enum sy_log_field_kind {
    SY_LOG_FIELD_STR,
    SY_LOG_FIELD_U64,
    SY_LOG_FIELD_I64,
    SY_LOG_FIELD_DUR, /* nanoseconds, printed as milliseconds with three decimals */
} sy_log_field_kind;

typedef struct sy_log_field {
    const char *key;
    sy_log_field_kind kind;
    const char *str; /* borrows for the call */
    size_t str_len;
    uint64_t u64;
    int64_t i64;
} sy_log_field;

typedef struct sy_log_record {
    sy_log_level level;
    const char *subsystem; /* static */
    const char *event;     /* static, stable: tests and operators grep for it */
    sy_time now;
    const sy_log_field *fields;
    size_t field_count;
} sy_log_record;

/* Receives every record whose level is enabled; may not call back into the object that logs. */
typedef void (*sy_log_fn)(void *user, const sy_log_record *record);

/* Open struct, copied by value; fn NULL means silence. */
typedef struct sy_log {
    sy_log_fn fn;
    void *user;
    sy_log_level level; /* records below it are dropped unformatted */
} sy_log;

/* Text of at most SY_LOG_TEXT_MAX bytes is printed of one field; the rest is cut and marked. */
#define SY_LOG_TEXT_MAX 128

static inline bool sy_log_enabled(const sy_log *log, sy_log_level level) {
    return log != NULL && log->fn != NULL && level >= log->level;
}

SY_API void sy_log_emit(const sy_log *log, sy_log_level level, const char *subsystem,
                        const char *event, sy_time now, const sy_log_field *fields,
                        size_t field_count);

/* Writes the record as one line without newline, NUL-terminated, cut at cap; returns the length
 * written.  cap >= 1. */
SY_API size_t sy_log_format_kv(const sy_log_record *record, char *out, size_t cap);
SY_API size_t sy_log_format_json(const sy_log_record *record, char *out, size_t cap);

/* "debug", "info", "warn", "error", "none"; static. */
SY_API const char *sy_log_level_name(sy_log_level level);

/*   SY_ERR_INVALID  not a level name */
SY_API sy_err sy_log_level_parse(const char *text, sy_log_level *ret_level) SY_MUST_USE;

SY_API sy_log_field sy_log_field_str(const char *key, const char *text);
SY_API sy_log_field sy_log_field_strn(const char *key, const void *text, size_t len);
SY_API sy_log_field sy_log_field_u64(const char *key, uint64_t value);
SY_API sy_log_field sy_log_field_i64(const char *key, int64_t value);
SY_API sy_log_field sy_log_field_dur(const char *key, sy_duration value);

#define SY_F_STR(k, v)     sy_log_field_str((k), (v))
#define SY_F_STRN(k, v, n) sy_log_field_strn((k), (v), (n))
#define SY_F_U64(k, v)     sy_log_field_u64((k), (v))
#define SY_F_I64(k, v)     sy_log_field_i64((k), (v))
#define SY_F_DUR(k, v)     sy_log_field_dur((k), (v))

#ifndef __cplusplus
/* At least one field. */
#define SY_LOG(log, lvl, subsystem, event, now, ...)                                               \
    do {                                                                                           \
        if (sy_log_enabled((log), (lvl))) {                                                        \
            const sy_log_field sy_log_fields_[] = {__VA_ARGS__};                                   \
            sy_log_emit((log), (lvl), (subsystem), (event), (now), sy_log_fields_,                 \
                        sizeof sy_log_fields_ / sizeof sy_log_fields_[0]);                         \
        }                                                                                          \
    } while (0)
#endif

SY_END_DECLS

#endif
