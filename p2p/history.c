/* SPDX-License-Identifier: Apache-2.0 */
/* The history of ends: docs/spec/errors.md, ER-05 and ER-11. */
#include "p2p/history.h"

#include <stdio.h>

#include <switchyard/assert.h>

/* One counter per code of the table of errors, and one for values outside it. */
static const sy_err codes[] = {
    SY_OK,
#define SY_ERR(name, value, class, text) SY_ERR_##name,
#include <switchyard/err.def>
#undef SY_ERR
};

#define CODE_COUNT    (sizeof codes / sizeof codes[0])
#define CODE_SLOTS    (CODE_COUNT + 1)
#define COUNTER_COUNT (2 * SY_STAGE_COUNT * CODE_SLOTS)

typedef struct sy_history_record {
    sy_history_end ends[SY_HISTORY_ENDS]; /* a ring */
    uint32_t next;
    uint32_t held;
    uint32_t row; /* in a row like the newest one; 0: the next end begins a row */
    uint64_t count;
} sy_history_record;

sy_err sy_history_init(sy_history *history, uint32_t id_max, const sy_mem *mem,
                       const uint8_t hash_key[SY_ID_MAP_KEY_LEN]) {
    sy_history h = {.mem = mem};
    sy_err err = sy_id_map_init(&h.ids, id_max, mem, hash_key);
    if (err != SY_OK) {
        return err;
    }
    h.id_max = id_max;
    h.records = sy_mem_zalloc_array(mem, id_max, sizeof(sy_history_record *));
    h.counters = sy_mem_zalloc_array(mem, COUNTER_COUNT, sizeof *h.counters);
    if (h.records == NULL || h.counters == NULL) {
        sy_history_fini(&h);
        return SY_ERR_NOMEM;
    }
    *history = h;
    return SY_OK;
}

void sy_history_fini(sy_history *history) {
    for (uint32_t i = 0; history->records != NULL && i < history->id_max; i++) {
        sy_mem_release(history->mem, history->records[i]);
    }
    sy_mem_release(history->mem, (void *)history->records);
    sy_mem_release(history->mem, history->counters);
    sy_id_map_fini(&history->ids);
    history->records = NULL;
    history->counters = NULL;
}

static size_t code_slot(sy_err code) {
    for (size_t i = 0; i < CODE_COUNT; i++) {
        if (codes[i] == code) {
            return i;
        }
    }
    return CODE_COUNT;
}

static uint64_t *counter_of(const sy_history *history, sy_stage stage, sy_err code, bool outbound) {
    SY_REQUIRE((size_t)stage < SY_STAGE_COUNT);
    const size_t row = (size_t)stage * 2 + (outbound ? 1 : 0);
    return &history->counters[row * CODE_SLOTS + code_slot(code)];
}

static const sy_history_end *newest(const sy_history_record *record) {
    return &record->ends[(record->next + SY_HISTORY_ENDS - 1) % SY_HISTORY_ENDS];
}

static bool continues_row(const sy_history_record *record, const sy_reason *reason) {
    return record->row > 0 && newest(record)->stage == reason->stage &&
           newest(record)->code == reason->code;
}

/* SPEC ER-11 */
static uint32_t record_end(sy_history_record *record, const sy_reason *reason, bool outbound,
                           sy_time now) {
    if (!continues_row(record, reason)) {
        record->row = 1;
    } else if (record->row < UINT32_MAX) {
        record->row++;
    }
    sy_history_end *end = &record->ends[record->next];
    *end = (sy_history_end){.at = now,
                            .stage = reason->stage,
                            .code = reason->code,
                            .fault = reason->fault,
                            .outbound = outbound,
                            .in_a_row = record->row};
    (void)snprintf(end->text, sizeof end->text, "%.*s", SY_HISTORY_TEXT - 1, reason->detail.text);
    record->next = (record->next + 1) % SY_HISTORY_ENDS;
    record->held += record->held < SY_HISTORY_ENDS ? 1 : 0;
    record->count++;
    return record->row;
}

/* SPEC SW-24: counted, whether or not it is logged. */
uint32_t sy_history_add(sy_history *history, const sy_node_id *id, const sy_reason *reason,
                        bool outbound, sy_time now) {
    ++*counter_of(history, reason->stage, reason->code, outbound);
    history->total++;
    if (id == NULL) {
        return 1;
    }
    bool fresh;
    const uint32_t slot = sy_id_map_touch(&history->ids, id, &fresh);
    sy_history_record **record = &history->records[slot];
    if (*record == NULL) {
        *record = sy_mem_zalloc(history->mem, sizeof **record);
        if (*record == NULL) {
            sy_id_map_remove(&history->ids, id);
            return 1;
        }
    } else if (fresh) {
        **record = (sy_history_record){.count = 0};
    }
    return record_end(*record, reason, outbound, now);
}

static sy_history_record *find(const sy_history *history, const sy_node_id *id) {
    const uint32_t slot = sy_id_map_find(&history->ids, id);
    return slot == SY_ID_MAP_NONE ? NULL : history->records[slot];
}

void sy_history_clear_row(sy_history *history, const sy_node_id *id) {
    sy_history_record *record = find(history, id);
    if (record != NULL) {
        record->row = 0;
    }
}

size_t sy_history_get(const sy_history *history, const sy_node_id *id,
                      sy_history_end ends[SY_HISTORY_ENDS]) {
    const sy_history_record *record = find(history, id);
    if (record == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < record->held; i++) {
        ends[i] = record->ends[(record->next + 2 * SY_HISTORY_ENDS - 1 - i) % SY_HISTORY_ENDS];
    }
    return record->held;
}

uint64_t sy_history_id_count(const sy_history *history, const sy_node_id *id) {
    const sy_history_record *record = find(history, id);
    return record == NULL ? 0 : record->count;
}

const sy_node_id *sy_history_next(const sy_history *history, uint32_t *cursor) {
    *cursor = sy_id_map_next(&history->ids, *cursor);
    return *cursor == SY_ID_MAP_NONE ? NULL : sy_id_map_id(&history->ids, *cursor);
}

uint64_t sy_history_count_dir(const sy_history *history, sy_stage stage, sy_err code,
                              bool outbound) {
    return *counter_of(history, stage, code, outbound);
}

uint64_t sy_history_count(const sy_history *history, sy_stage stage, sy_err code) {
    return sy_history_count_dir(history, stage, code, false) +
           sy_history_count_dir(history, stage, code, true);
}

uint64_t sy_history_total(const sy_history *history) {
    return history->total;
}
