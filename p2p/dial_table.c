/* SPDX-License-Identifier: Apache-2.0 */
/* The targets of the dial table: docs/spec/switch.md SW-12, SW-36, SW-40, SW-44. */
#include "p2p/dial_table_internal.h"

#include <string.h>

#include <switchyard/assert.h>

#define FIRST_SLOTS 16

const char *sy_target_state_name(sy_target_state state) {
    switch (state) {
    case SY_TARGET_IDLE:
        return "idle";
    case SY_TARGET_WAITING:
        return "waiting";
    case SY_TARGET_RESOLVING:
        return "resolving";
    case SY_TARGET_CONNECTING:
        return "connecting";
    case SY_TARGET_HANDSHAKE:
        return "handshake";
    case SY_TARGET_CONNECTED:
        return "connected";
    }
    SY_UNREACHABLE();
}

const char *sy_target_kind_name(sy_target_kind kind) {
    switch (kind) {
    case SY_TARGET_LEARNED:
        return "learned";
    case SY_TARGET_ONCE:
        return "once";
    case SY_TARGET_PERSISTENT:
        return "persistent";
    }
    SY_UNREACHABLE();
}

/* ---- The table --------------------------------------------------------------------------------*/

sy_err sy_dial_table_init(sy_dial_table *table, const sy_dial_config *config) {
    SY_REQUIRE(config->profile_count >= 1 && config->profile_count <= SY_DIAL_PROFILES_MAX);
    const uint32_t memory_max = config->memory_max == 0 ? SY_DIAL_MEMORY_MAX : config->memory_max;
    sy_dial_table t = {.mem = config->mem,
                       .own_id = *config->own_id,
                       .profile_count = config->profile_count,
                       .backoff_cap = config->backoff_cap};
    for (size_t i = 0; i < config->profile_count; i++) {
        t.profiles[i] = config->profiles[i];
    }
    sy_prng_init(&t.prng, config->seed);
    sy_timers_init(&t.timers);
    const sy_err err = sy_id_map_init(&t.memory, memory_max, config->mem, config->hash_key);
    if (err != SY_OK) {
        return err;
    }
    t.remembered = sy_mem_zalloc_array(config->mem, memory_max, sizeof(const sy_profile *));
    if (t.remembered == NULL) {
        sy_id_map_fini(&t.memory);
        return SY_ERR_NOMEM;
    }
    *table = t;
    return SY_OK;
}

void sy_dial_drop(sy_dial_table *table, sy_dial_target *t) {
    sy_dial_slot *slot = &table->slots[t->slot];
    SY_ASSERT(slot->target == t);
    sy_timers_clear(&table->timers, &t->timer);
    SY_ASSERT(table->count[t->kind] > 0);
    table->count[t->kind]--;
    slot->target = NULL;
    slot->generation = 0;
    sy_mem_release(table->mem, t);
}

void sy_dial_table_fini(sy_dial_table *table) {
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        if (table->slots[i].target != NULL) {
            sy_dial_drop(table, table->slots[i].target);
        }
    }
    sy_mem_release(table->mem, table->slots);
    sy_mem_release(table->mem, (void *)table->remembered);
    sy_id_map_fini(&table->memory);
    table->slots = NULL;
    table->slot_cap = 0;
    table->remembered = NULL;
}

sy_dial_target *sy_dial_of_ref(const sy_dial_table *table, sy_dial_ref ref) {
    if (ref.generation == 0 || ref.slot >= table->slot_cap ||
        table->slots[ref.slot].generation != ref.generation) {
        return NULL;
    }
    return table->slots[ref.slot].target;
}

sy_dial_ref sy_dial_ref_of(const sy_dial_table *table, const sy_dial_target *t) {
    return (sy_dial_ref){t->slot, table->slots[t->slot].generation};
}

sy_dial_target *sy_dial_of_id(const sy_dial_table *table, const sy_node_id *id) {
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        sy_dial_target *t = table->slots[i].target;
        if (t != NULL && t->addr.has_id && sy_node_id_equal(&t->addr.id, id)) {
            return t;
        }
    }
    return NULL;
}

/* The target that stands for the address: the ID decides, host and port only without one. */
static sy_dial_target *of_addr(const sy_dial_table *table, const sy_addr *addr) {
    if (addr->has_id) {
        return sy_dial_of_id(table, &addr->id);
    }
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        sy_dial_target *t = table->slots[i].target;
        if (t != NULL && !t->addr.has_id && sy_addr_same_target(&t->addr, addr)) {
            return t;
        }
    }
    return NULL;
}

static sy_err find_free_slot(sy_dial_table *table, uint32_t *ret_slot) {
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        if (table->slots[i].target == NULL) {
            *ret_slot = i;
            return SY_OK;
        }
    }
    const uint32_t cap = table->slot_cap == 0 ? FIRST_SLOTS : table->slot_cap * 2;
    sy_dial_slot *slots = sy_mem_zalloc_array(table->mem, cap, sizeof *slots);
    if (slots == NULL) {
        return SY_ERR_NOMEM;
    }
    if (table->slot_cap > 0) {
        memcpy(slots, table->slots, table->slot_cap * sizeof *slots);
    }
    sy_mem_release(table->mem, table->slots);
    *ret_slot = table->slot_cap;
    table->slots = slots;
    table->slot_cap = cap;
    return SY_OK;
}

/* ---- Our own addresses ------------------------------------------------------------------------*/

static bool is_own(const sy_dial_table *table, const sy_addr *addr) {
    for (size_t i = 0; i < table->own_count; i++) {
        if (table->own[i].port == addr->port && strcmp(table->own[i].host, addr->host) == 0) {
            return true;
        }
    }
    return addr->has_id && sy_node_id_equal(&addr->id, &table->own_id);
}

/* SPEC SW-12.  Every target with this host and port goes, whatever ID it was given. */
void sy_dial_learn_own(sy_dial_table *table, const sy_addr *addr) {
    const sy_addr own = *addr; /* outlives the targets */
    if (!is_own(table, &own)) {
        struct sy_dial_own *entry = &table->own[table->own_next];
        memcpy(entry->host, own.host, sizeof entry->host);
        entry->port = own.port;
        table->own_next = (table->own_next + 1) % SY_DIAL_OWN_MAX;
        table->own_count += table->own_count < SY_DIAL_OWN_MAX ? 1 : 0;
    }
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        sy_dial_target *t = table->slots[i].target;
        if (t != NULL && sy_addr_same_target(&t->addr, &own)) {
            sy_dial_drop(table, t);
        }
    }
}

/* ---- Adding and removing ----------------------------------------------------------------------*/

bool sy_dial_is_due_later(const sy_dial_target *t) {
    return t->state == SY_TARGET_IDLE || t->state == SY_TARGET_WAITING;
}

void sy_dial_make_due(sy_dial_table *table, sy_dial_target *t, sy_time now) {
    t->state = SY_TARGET_IDLE;
    sy_timers_set(&table->timers, &t->timer, now);
}

/* SPEC SW-44: only an operator's new address replaces the configured one. */
static void upgrade(sy_dial_table *table, sy_dial_target *t, const sy_addr *addr) {
    table->count[t->kind]--;
    t->kind = SY_TARGET_PERSISTENT;
    table->count[t->kind]++;
    if (!sy_addr_same_target(&t->addr, addr)) {
        t->addr = *addr;
        t->endpoint_first = 0;
        t->profile_turns = 0;
        t->restart = !sy_dial_is_due_later(t) && t->state != SY_TARGET_CONNECTED;
    }
}

static sy_err add_again(sy_dial_table *table, sy_dial_target *t, const sy_addr *addr,
                        sy_target_kind kind, sy_time now) {
    const bool busy = !sy_dial_is_due_later(t);
    if (kind == SY_TARGET_LEARNED || (kind == SY_TARGET_ONCE && busy)) {
        return SY_ERR_DUPLICATE_ID; /* SPEC SW-36 */
    }
    if (kind == SY_TARGET_PERSISTENT) {
        upgrade(table, t, addr);
    } else if (t->kind == SY_TARGET_LEARNED) {
        table->count[SY_TARGET_LEARNED]--;
        t->kind = SY_TARGET_ONCE;
        table->count[SY_TARGET_ONCE]++;
    }
    if (!busy) {
        sy_dial_make_due(table, t, now);
    }
    return SY_OK;
}

static sy_err add_new(sy_dial_table *table, const sy_addr *addr, sy_target_kind kind,
                      sy_dial_target **ret_target) {
    const size_t passing = table->count[SY_TARGET_LEARNED] + table->count[SY_TARGET_ONCE];
    if (kind != SY_TARGET_PERSISTENT && passing >= SY_DIAL_LEARNED_MAX) {
        return SY_ERR_LIMIT;
    }
    uint32_t slot = 0;
    const sy_err err = find_free_slot(table, &slot);
    if (err != SY_OK) {
        return err;
    }
    sy_dial_target *t = sy_mem_zalloc(table->mem, sizeof *t);
    if (t == NULL) {
        return SY_ERR_NOMEM;
    }
    t->kind = kind;
    t->slot = slot;
    t->addr = *addr;
    sy_backoff_init(&t->backoff, SY_BACKOFF_FIRST, table->backoff_cap);
    sy_timer_init(&t->timer, 0);
    if (!sy_dial_choose_first_profile(table, t)) {
        sy_mem_release(table->mem, t);
        return SY_ERR_CONFIG;
    }
    if (++table->last_generation == 0) {
        table->last_generation = 1; /* 0 names none */
    }
    table->slots[slot] = (sy_dial_slot){t, table->last_generation};
    table->count[kind]++;
    *ret_target = t;
    return SY_OK;
}

sy_err sy_dial_table_add(sy_dial_table *table, const sy_addr *addr, sy_target_kind kind,
                         sy_dial_ref *ret_ref, sy_time now) {
    SY_REQUIRE(addr->host[0] != '\0' && addr->port != 0);
    if (is_own(table, addr)) {
        return SY_ERR_SELF;
    }
    sy_dial_target *t = of_addr(table, addr);
    if (t != NULL) {
        const sy_err err = add_again(table, t, addr, kind, now);
        if (err != SY_OK) {
            return err;
        }
    } else {
        const sy_err err = add_new(table, addr, kind, &t);
        if (err != SY_OK) {
            return err;
        }
        sy_dial_make_due(table, t, now); /* SPEC SW-40: without delay */
    }
    if (ret_ref != NULL) {
        *ret_ref = sy_dial_ref_of(table, t);
    }
    return SY_OK;
}

sy_err sy_dial_table_remove(sy_dial_table *table, sy_dial_ref ref) {
    sy_dial_target *t = sy_dial_of_ref(table, ref);
    if (t == NULL) {
        return SY_ERR_GONE;
    }
    sy_dial_drop(table, t);
    return SY_OK;
}

/* ---- Queries ----------------------------------------------------------------------------------*/

static sy_dial_view view_of(const sy_dial_table *table, const sy_dial_target *t) {
    return (sy_dial_view){.ref = sy_dial_ref_of(table, t),
                          .kind = t->kind,
                          .state = t->state,
                          .due_at = t->timer.at,
                          .failures = t->backoff.failures,
                          .last_code = t->last_code,
                          .addr = &t->addr,
                          .profile = table->profiles[t->profile]};
}

bool sy_dial_table_is_persistent(const sy_dial_table *table, const sy_node_id *id) {
    const sy_dial_target *t = sy_dial_of_id(table, id);
    return t != NULL && t->kind == SY_TARGET_PERSISTENT;
}

size_t sy_dial_table_persistent_count(const sy_dial_table *table) {
    size_t n = 0;
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        const sy_dial_target *t = table->slots[i].target;
        n += t != NULL && t->kind == SY_TARGET_PERSISTENT && t->addr.has_id ? 1 : 0;
    }
    return n;
}

bool sy_dial_table_find(const sy_dial_table *table, const sy_node_id *id, sy_dial_view *ret_view) {
    const sy_dial_target *t = sy_dial_of_id(table, id);
    if (t == NULL) {
        return false;
    }
    *ret_view = view_of(table, t);
    return true;
}

bool sy_dial_table_get(const sy_dial_table *table, sy_dial_ref ref, sy_dial_view *ret_view) {
    const sy_dial_target *t = sy_dial_of_ref(table, ref);
    if (t == NULL) {
        return false;
    }
    *ret_view = view_of(table, t);
    return true;
}

bool sy_dial_table_next(const sy_dial_table *table, size_t *cursor, sy_dial_view *ret_view) {
    for (; *cursor < table->slot_cap; ++*cursor) {
        const sy_dial_target *t = table->slots[*cursor].target;
        if (t != NULL) {
            *ret_view = view_of(table, t);
            ++*cursor;
            return true;
        }
    }
    return false;
}
