/* SPDX-License-Identifier: Apache-2.0 */
/* How connections ended: counters by direction, stage and code, and the last few ends of each ID.
 * Bounded memory, which grows with the IDs that are seen (1 KiB each); beyond id_max the least
 * recently seen one leaves.
 *
 *     uint32_t in_a_row = sy_history_add(&sw->history, link->has_id ? &link->id : NULL,
 *                                        &link->reason, link->outbound, now);
 *     if (in_a_row == SY_HISTORY_WARN_AT) {
 *         log one warning: this peer ends the same way every time
 *     }
 *     sy_history_end ends[SY_HISTORY_ENDS];
 *     size_t n = sy_history_get(&sw->history, &id, ends);     // newest first
 *
 * Source: docs/spec/errors.md ER-05, ER-11; switch.md SW-24. */
#ifndef SY_P2P_HISTORY_H
#define SY_P2P_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>
#include <switchyard/mem.h>
#include <switchyard/node_id.h>
#include <switchyard/reason.h>
#include <switchyard/time.h>

#include "p2p/id_map.h"

#define SY_HISTORY_IDS     1024
#define SY_HISTORY_ENDS    8  /* SPEC ER-11 */
#define SY_HISTORY_TEXT    96 /* bytes kept of a reason's text, with the NUL */
#define SY_HISTORY_WARN_AT 3  /* suggested: warn at this many ends in a row for the same reason */

typedef struct sy_history_end {
    sy_time at;
    sy_stage stage;
    sy_err code;
    sy_fault fault;
    bool outbound;
    uint32_t in_a_row; /* how many ends of this ID in a row had this stage and code, >= 1 */
    char text[SY_HISTORY_TEXT];
} sy_history_end;

/* Members are private. */
typedef struct sy_history {
    const sy_mem *mem;
    sy_id_map ids;
    uint32_t id_max;
    struct sy_history_record **records; /* by slot of ids; NULL: never used */
    uint64_t *counters;                 /* direction, stage, code */
    uint64_t total;                     /* of the counters */
} sy_history;

/* mem borrows until fini.
 *   SY_ERR_NOMEM */
sy_err sy_history_init(sy_history *history, uint32_t id_max, const sy_mem *mem,
                       const uint8_t hash_key[SY_ID_MAP_KEY_LEN])
    __attribute__((warn_unused_result));
void sy_history_fini(sy_history *history);

/* Counts an end; id NULL when it was never known.  Returns how many ends of this ID in a row,
 * this one included, had the same stage and code; 1 for an unknown ID, and when memory is short (it
 * is counted, but not kept). */
uint32_t sy_history_add(sy_history *history, const sy_node_id *id, const sy_reason *reason,
                        bool outbound, sy_time now);

/* The ID was OPEN long enough: the next end begins a new row. */
void sy_history_clear_row(sy_history *history, const sy_node_id *id);

/* Newest first; returns how many (at most SY_HISTORY_ENDS). */
size_t sy_history_get(const sy_history *history, const sy_node_id *id,
                      sy_history_end ends[SY_HISTORY_ENDS]);

/* All ends of this ID while it was known. */
uint64_t sy_history_id_count(const sy_history *history, const sy_node_id *id);

/* Walks the IDs, most recent first: *cursor starts at SY_ID_MAP_NONE.  NULL at the end. */
const sy_node_id *sy_history_next(const sy_history *history, uint32_t *cursor);

/* Ends with this stage and code, and one direction or both. */
uint64_t sy_history_count(const sy_history *history, sy_stage stage, sy_err code);
uint64_t sy_history_count_dir(const sy_history *history, sy_stage stage, sy_err code,
                              bool outbound);
uint64_t sy_history_total(const sy_history *history);

#endif
