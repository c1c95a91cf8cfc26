/* SPDX-License-Identifier: Apache-2.0 */
/* Records on their way to the embedder's sink; nothing here formats or prints. */
#include <switchyard/log.h>

#include <string.h>

#include <switchyard/assert.h>

static const struct {
    const char *name;
    sy_log_level level;
} levels[] = {
    {"debug", SY_LOG_DEBUG}, {"info", SY_LOG_INFO}, {"warn", SY_LOG_WARN},
    {"error", SY_LOG_ERROR}, {"none", SY_LOG_NONE},
};

void sy_log_emit(const sy_log *log, sy_log_level level, const char *subsystem, const char *event,
                 sy_time now, const sy_log_field *fields, size_t field_count) {
    SY_REQUIRE(level < SY_LOG_NONE);
    SY_REQUIRE(fields != NULL || field_count == 0);
    if (!sy_log_enabled(log, level)) {
        return;
    }
    const sy_log_record record = {
        .level = level,
        .subsystem = subsystem,
        .event = event,
        .now = now,
        .fields = fields,
        .field_count = field_count,
    };
    log->fn(log->user, &record);
}

const char *sy_log_level_name(sy_log_level level) {
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (levels[i].level == level) {
            return levels[i].name;
        }
    }
    return "unknown";
}

sy_err sy_log_level_parse(const char *text, sy_log_level *ret_level) {
    SY_REQUIRE(ret_level != NULL);
    if (text == NULL) {
        return SY_ERR_INVALID;
    }
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(levels[i].name, text) == 0) {
            *ret_level = levels[i].level;
            return SY_OK;
        }
    }
    return SY_ERR_INVALID;
}

sy_log_field sy_log_field_str(const char *key, const char *text) {
    return sy_log_field_strn(key, text, text != NULL ? strlen(text) : 0);
}

sy_log_field sy_log_field_strn(const char *key, const void *text, size_t len) {
    SY_REQUIRE(text != NULL || len == 0);
    return (sy_log_field){.key = key, .kind = SY_LOG_FIELD_STR, .str = text, .str_len = len};
}

sy_log_field sy_log_field_u64(const char *key, uint64_t value) {
    return (sy_log_field){.key = key, .kind = SY_LOG_FIELD_U64, .u64 = value};
}

sy_log_field sy_log_field_i64(const char *key, int64_t value) {
    return (sy_log_field){.key = key, .kind = SY_LOG_FIELD_I64, .i64 = value};
}

sy_log_field sy_log_field_dur(const char *key, sy_duration value) {
    return (sy_log_field){.key = key, .kind = SY_LOG_FIELD_DUR, .u64 = value};
}
