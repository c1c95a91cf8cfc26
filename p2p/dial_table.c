/* SPDX-License-Identifier: Apache-2.0 */
/* The dial table: docs/spec/switch.md SW-12, SW-36 to SW-44; plain.md PR-08 to PR-13.
 *
 * A round is one dial: resolve, then endpoint after endpoint until one connects.  A target that is
 * not persistent takes its other profiles within the round; a persistent one goes through the
 * back-off between two profiles, for a full server closes just as a foreign one does. */
#include "p2p/dial_table.h"

#include <stddef.h>
#include <string.h>

#include <switchyard/assert.h>

#define FIRST_SLOTS 16

typedef struct target {
    sy_timer timer; /* set in IDLE and WAITING only */
    sy_target_kind kind;
    sy_target_state state;
    uint32_t slot;
    sy_addr addr;
    sy_backoff backoff;
    sy_err last_code;

    size_t profile;       /* index of the current or next attempt's */
    size_t profile_turns; /* profiles that failed one after the other at this endpoint */
    const sy_profile *known_profile; /* without an ID: the one that worked */

    sy_endpoint endpoints[SY_DIAL_ENDPOINTS_MAX]; /* of this round */
    size_t endpoint_count;
    size_t endpoint_first; /* where rounds begin, modulo the count */
    size_t endpoint_tried; /* behind the first one */

    bool restart;   /* the address changed during the round */
    bool open;      /* a connection to the ID is open */
    sy_node_id open_id;
} target;

typedef struct sy_dial_slot {
    target *target; /* NULL: free */
    uint32_t generation;
} sy_dial_slot;

const char *sy_target_state_name(sy_target_state state) {
    switch (state) {
    case SY_TARGET_IDLE: return "idle";
    case SY_TARGET_WAITING: return "waiting";
    case SY_TARGET_RESOLVING: return "resolving";
    case SY_TARGET_CONNECTING: return "connecting";
    case SY_TARGET_HANDSHAKE: return "handshake";
    case SY_TARGET_CONNECTED: return "connected";
    }
    SY_UNREACHABLE();
}

const char *sy_target_kind_name(sy_target_kind kind) {
    switch (kind) {
    case SY_TARGET_LEARNED: return "learned";
    case SY_TARGET_ONCE: return "once";
    case SY_TARGET_PERSISTENT: return "persistent";
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

static void drop(sy_dial_table *table, target *t) {
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
            drop(table, table->slots[i].target);
        }
    }
    sy_mem_release(table->mem, table->slots);
    sy_mem_release(table->mem, (void *)table->remembered);
    sy_id_map_fini(&table->memory);
    table->slots = NULL;
    table->slot_cap = 0;
    table->remembered = NULL;
}

static target *of_ref(const sy_dial_table *table, sy_dial_ref ref) {
    if (ref.generation == 0 || ref.slot >= table->slot_cap ||
        table->slots[ref.slot].generation != ref.generation) {
        return NULL;
    }
    return table->slots[ref.slot].target;
}

static sy_dial_ref ref_of(const sy_dial_table *table, const target *t) {
    return (sy_dial_ref){t->slot, table->slots[t->slot].generation};
}

static target *of_id(const sy_dial_table *table, const sy_node_id *id) {
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        target *t = table->slots[i].target;
        if (t != NULL && t->addr.has_id && sy_node_id_equal(&t->addr.id, id)) {
            return t;
        }
    }
    return NULL;
}

/* The target that stands for the address: the ID decides, host and port only without one. */
static target *of_addr(const sy_dial_table *table, const sy_addr *addr) {
    if (addr->has_id) {
        return of_id(table, &addr->id);
    }
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        target *t = table->slots[i].target;
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
static void learn_own(sy_dial_table *table, const sy_addr *addr) {
    const sy_addr own = *addr; /* outlives the targets */
    if (!is_own(table, &own)) {
        struct sy_dial_own *entry = &table->own[table->own_next];
        memcpy(entry->host, own.host, sizeof entry->host);
        entry->port = own.port;
        table->own_next = (table->own_next + 1) % SY_DIAL_OWN_MAX;
        table->own_count += table->own_count < SY_DIAL_OWN_MAX ? 1 : 0;
    }
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        target *t = table->slots[i].target;
        if (t != NULL && sy_addr_same_target(&t->addr, &own)) {
            drop(table, t);
        }
    }
}

/* ---- Profiles ---------------------------------------------------------------------------------*/

static bool is_plain(const sy_profile *profile) {
    return strcmp(profile->name, "plain") == 0;
}

const sy_profile *sy_dial_table_remembered(const sy_dial_table *table, const sy_node_id *id) {
    const uint32_t slot = sy_id_map_find(&table->memory, id);
    return slot == SY_ID_MAP_NONE ? NULL : table->remembered[slot];
}

void sy_dial_table_remember(sy_dial_table *table, const sy_node_id *id,
                            const sy_profile *profile) {
    if (profile == NULL) {
        sy_id_map_remove(&table->memory, id);
        return;
    }
    bool fresh;
    const uint32_t slot = sy_id_map_touch(&table->memory, id, &fresh);
    table->remembered[slot] = profile;
}

static const sy_profile *known_profile(const sy_dial_table *table, const target *t) {
    return t->addr.has_id ? sy_dial_table_remembered(table, &t->addr.id) : t->known_profile;
}

/* SPEC PR-13 */
static bool is_usable(const sy_dial_table *table, const target *t, size_t profile) {
    const sy_profile *known = known_profile(table, t);
    return !is_plain(table->profiles[profile]) || known == NULL || is_plain(known);
}

static size_t usable_count(const sy_dial_table *table, const target *t) {
    size_t n = 0;
    for (size_t i = 0; i < table->profile_count; i++) {
        n += is_usable(table, t, i) ? 1 : 0;
    }
    return n;
}

static bool index_of_profile(const sy_dial_table *table, const sy_profile *profile,
                             size_t *ret_index) {
    for (size_t i = 0; i < table->profile_count; i++) {
        if (table->profiles[i] == profile) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* The first usable one from `from` on, in the cycle of the list; false when none is. */
static bool choose_from(const sy_dial_table *table, target *t, size_t from) {
    for (size_t i = 0; i < table->profile_count; i++) {
        const size_t profile = (from + i) % table->profile_count;
        if (is_usable(table, t, profile)) {
            t->profile = profile;
            return true;
        }
    }
    return false;
}

/* SPEC PR-09 */
static bool choose_first_profile(const sy_dial_table *table, target *t) {
    const sy_profile *known = known_profile(table, t);
    size_t from = 0;
    if (known != NULL && !index_of_profile(table, known, &from)) {
        from = 0; /* no longer allowed */
    }
    return choose_from(table, t, from);
}

/* SPEC PR-10 */
static void choose_next_profile(const sy_dial_table *table, target *t) {
    (void)choose_from(table, t, t->profile + 1); /* none usable: seen at the next round */
    t->profile_turns++;
}

/* ---- Adding and removing ----------------------------------------------------------------------*/

static bool is_due_later(const target *t) {
    return t->state == SY_TARGET_IDLE || t->state == SY_TARGET_WAITING;
}

static void make_due(sy_dial_table *table, target *t, sy_time now) {
    t->state = SY_TARGET_IDLE;
    sy_timers_set(&table->timers, &t->timer, now);
}

/* SPEC SW-44: only an operator's new address replaces the configured one. */
static void upgrade(sy_dial_table *table, target *t, const sy_addr *addr) {
    table->count[t->kind]--;
    t->kind = SY_TARGET_PERSISTENT;
    table->count[t->kind]++;
    if (!sy_addr_same_target(&t->addr, addr)) {
        t->addr = *addr;
        t->endpoint_first = 0;
        t->profile_turns = 0;
        t->restart = !is_due_later(t) && t->state != SY_TARGET_CONNECTED;
    }
}

static sy_err add_again(sy_dial_table *table, target *t, const sy_addr *addr, sy_target_kind kind,
                        sy_time now) {
    const bool busy = !is_due_later(t);
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
        make_due(table, t, now);
    }
    return SY_OK;
}

static sy_err add_new(sy_dial_table *table, const sy_addr *addr, sy_target_kind kind,
                      target **ret_target) {
    const size_t passing = table->count[SY_TARGET_LEARNED] + table->count[SY_TARGET_ONCE];
    if (kind != SY_TARGET_PERSISTENT && passing >= SY_DIAL_LEARNED_MAX) {
        return SY_ERR_LIMIT;
    }
    uint32_t slot = 0;
    const sy_err err = find_free_slot(table, &slot);
    if (err != SY_OK) {
        return err;
    }
    target *t = sy_mem_zalloc(table->mem, sizeof *t);
    if (t == NULL) {
        return SY_ERR_NOMEM;
    }
    t->kind = kind;
    t->slot = slot;
    t->addr = *addr;
    sy_backoff_init(&t->backoff, SY_BACKOFF_FIRST, table->backoff_cap);
    sy_timer_init(&t->timer, 0);
    if (!choose_first_profile(table, t)) {
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
    target *t = of_addr(table, addr);
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
        make_due(table, t, now); /* SPEC SW-40: without delay */
    }
    if (ret_ref != NULL) {
        *ret_ref = ref_of(table, t);
    }
    return SY_OK;
}

sy_err sy_dial_table_remove(sy_dial_table *table, sy_dial_ref ref) {
    target *t = of_ref(table, ref);
    if (t == NULL) {
        return SY_ERR_GONE;
    }
    drop(table, t);
    return SY_OK;
}

/* ---- Rounds -----------------------------------------------------------------------------------*/

static void set_waiting(sy_dial_table *table, target *t, sy_duration delay, sy_time now) {
    t->state = SY_TARGET_WAITING;
    sy_timers_set(&table->timers, &t->timer, sy_time_after(now, delay));
}

/* SPEC SW-40: a persistent target waits and goes on, whatever the reason was. */
static void end_round(sy_dial_table *table, target *t, sy_time now) {
    t->endpoint_count = 0;
    if (t->open) {
        t->state = SY_TARGET_CONNECTED; /* by another connection: SPEC SW-36 */
        t->restart = false;
    } else if (t->restart) {
        t->restart = false;
        make_due(table, t, now);
    } else if (t->kind == SY_TARGET_PERSISTENT) {
        set_waiting(table, t, sy_backoff_fail(&t->backoff, &table->prng), now);
    } else {
        drop(table, t);
    }
}

static size_t current_endpoint(const target *t) {
    SY_ASSERT(t->endpoint_tried < t->endpoint_count);
    return (t->endpoint_first + t->endpoint_tried) % t->endpoint_count;
}

/* Goes on with the current endpoint and profile, unless there is no more reason to dial. */
static void connect_step(sy_dial_table *table, target *t, sy_dial_step *ret_step, sy_time now) {
    if (t->open || t->restart) {
        end_round(table, t, now);
        return;
    }
    t->state = SY_TARGET_CONNECTING;
    *ret_step = (sy_dial_step){.kind = SY_DIAL_STEP_CONNECT,
                               .ref = ref_of(table, t),
                               .addr = &t->addr,
                               .endpoint = t->endpoints[current_endpoint(t)],
                               .profile = table->profiles[t->profile]};
}

/* SPEC SW-37 SW-39 */
static void try_next_endpoint(sy_dial_table *table, target *t, sy_dial_step *ret_step,
                              sy_time now) {
    t->endpoint_tried++;
    if (t->endpoint_tried < t->endpoint_count) {
        connect_step(table, t, ret_step, now);
    } else {
        end_round(table, t, now);
    }
}

sy_time sy_dial_table_next_due(const sy_dial_table *table) {
    return sy_timers_next(&table->timers);
}

static target *pop_due(sy_dial_table *table, sy_time now) {
    sy_timer *timer = sy_timers_pop_due(&table->timers, now);
    if (timer == NULL) {
        return NULL;
    }
    return (target *)(void *)((char *)timer - offsetof(target, timer));
}

/* SPEC AD-13: a name is resolved at each dial. */
static void begin_round(sy_dial_table *table, target *t, sy_dial_step *ret_step, sy_time now) {
    t->endpoint_tried = 0;
    if (t->addr.is_ip) {
        t->endpoints[0] = t->addr.endpoint;
        t->endpoint_count = 1;
        connect_step(table, t, ret_step, now);
        return;
    }
    t->endpoint_count = 0;
    t->state = SY_TARGET_RESOLVING;
    *ret_step = (sy_dial_step){.kind = SY_DIAL_STEP_RESOLVE,
                               .ref = ref_of(table, t),
                               .addr = &t->addr,
                               .profile = table->profiles[t->profile]};
}

bool sy_dial_table_take_due(sy_dial_table *table, sy_dial_step *ret_step, sy_time now) {
    for (;;) {
        target *t = pop_due(table, now);
        if (t == NULL) {
            return false;
        }
        SY_ASSERT(is_due_later(t));
        SY_ASSERT(!t->open);
        if (choose_from(table, t, t->profile)) {
            begin_round(table, t, ret_step, now);
            return true;
        }
        t->last_code = SY_ERR_CONFIG;
        end_round(table, t, now);
    }
}

void sy_dial_table_on_resolved(sy_dial_table *table, sy_dial_ref ref, const sy_endpoint *endpoints,
                               size_t count, sy_dial_step *ret_step, sy_time now) {
    *ret_step = (sy_dial_step){.kind = SY_DIAL_STEP_NONE};
    target *t = of_ref(table, ref);
    if (t == NULL || t->state != SY_TARGET_RESOLVING) {
        return;
    }
    if (count == 0) {
        t->last_code = SY_ERR_RESOLVE;
        end_round(table, t, now); /* SPEC SW-38 */
        return;
    }
    t->endpoint_count = count < SY_DIAL_ENDPOINTS_MAX ? count : SY_DIAL_ENDPOINTS_MAX;
    for (size_t i = 0; i < t->endpoint_count; i++) {
        t->endpoints[i] = endpoints[i];
        t->endpoints[i].port = t->addr.port;
    }
    connect_step(table, t, ret_step, now);
}

void sy_dial_table_on_connected(sy_dial_table *table, sy_dial_ref ref, sy_time now) {
    (void)now;
    target *t = of_ref(table, ref);
    if (t != NULL && t->state == SY_TARGET_CONNECTING) {
        t->state = SY_TARGET_HANDSHAKE;
    }
}

/* SPEC PR-10.  In plain the identity comes with NodeInfo. */
static bool ended_before_identity(const sy_dial_table *table, const target *t,
                                  const sy_reason *reason) {
    if (reason->stage == SY_STAGE_NODE_INFO) {
        return is_plain(table->profiles[t->profile]);
    }
    return reason->stage < SY_STAGE_IDENTITY;
}

/* The next round begins behind the endpoint of this one. */
static void skip_endpoint(target *t) {
    t->profile_turns = 0;
    t->endpoint_first = (current_endpoint(t) + 1) % t->endpoint_count;
}

/* FILTERED: this profile may not be used at this endpoint (SPEC PL-05); nothing was tried yet. */
static void on_connect_failed(sy_dial_table *table, target *t, const sy_reason *reason,
                              sy_dial_step *ret_step, sy_time now) {
    if (reason->code == SY_ERR_FILTERED) {
        choose_next_profile(table, t);
        if (t->profile_turns < usable_count(table, t)) {
            connect_step(table, t, ret_step, now);
            return;
        }
        t->profile_turns = 0;
    }
    try_next_endpoint(table, t, ret_step, now);
}

static void on_persistent_failed(sy_dial_table *table, target *t, bool before_identity,
                                 sy_time now) {
    if (before_identity) {
        choose_next_profile(table, t);
    }
    if (!before_identity || t->profile_turns >= usable_count(table, t)) {
        skip_endpoint(t);
    }
    end_round(table, t, now);
}

static void on_passing_failed(sy_dial_table *table, target *t, bool before_identity,
                              const sy_reason *reason, sy_dial_step *ret_step, sy_time now) {
    if (before_identity) {
        choose_next_profile(table, t);
        if (t->profile_turns < usable_count(table, t)) {
            connect_step(table, t, ret_step, now);
            return;
        }
        t->profile_turns = 0;
    } else if (t->addr.has_id && reason->code != SY_ERR_ID_MISMATCH) {
        end_round(table, t, now); /* this was the one: its other endpoints say the same */
        return;
    }
    try_next_endpoint(table, t, ret_step, now);
}

void sy_dial_table_on_failed(sy_dial_table *table, sy_dial_ref ref, const sy_reason *reason,
                             sy_dial_step *ret_step, sy_time now) {
    *ret_step = (sy_dial_step){.kind = SY_DIAL_STEP_NONE};
    target *t = of_ref(table, ref);
    if (t == NULL || is_due_later(t) || t->state == SY_TARGET_CONNECTED) {
        return;
    }
    t->last_code = reason->code;
    if (reason->code == SY_ERR_SELF) {
        learn_own(table, &t->addr);
        return;
    }
    if (t->state == SY_TARGET_RESOLVING || t->open || t->restart) {
        end_round(table, t, now);
        return;
    }
    if (t->state == SY_TARGET_CONNECTING) {
        on_connect_failed(table, t, reason, ret_step, now);
        return;
    }
    SY_ASSERT(t->state == SY_TARGET_HANDSHAKE);
    const bool before_identity = ended_before_identity(table, t, reason);
    if (t->kind == SY_TARGET_PERSISTENT) {
        on_persistent_failed(table, t, before_identity, now);
    } else {
        on_passing_failed(table, t, before_identity, reason, ret_step, now);
    }
}

/* ---- Peers ------------------------------------------------------------------------------------*/

/* SPEC PR-12.  An ID is only declared in plain: it must not overwrite what was proven. */
static void learn_profile(sy_dial_table *table, const sy_node_id *id, const sy_profile *profile) {
    const sy_profile *known = sy_dial_table_remembered(table, id);
    if (known == NULL || is_plain(known) || !is_plain(profile)) {
        sy_dial_table_remember(table, id, profile);
    }
}

static void mark_open(sy_dial_table *table, target *t, const sy_node_id *id,
                      const sy_profile *profile, sy_time now) {
    if (!t->open) {
        sy_backoff_on_up(&t->backoff, now);
    }
    t->open = true;
    t->open_id = *id;
    t->known_profile = profile;
    t->profile_turns = 0;
    (void)choose_first_profile(table, t);
    if (is_due_later(t)) {
        sy_timers_clear(&table->timers, &t->timer);
        t->state = SY_TARGET_CONNECTED; /* SPEC SW-36: an open ID is not dialed */
    }
}

void sy_dial_table_on_peer_open(sy_dial_table *table, const sy_node_id *id, sy_dial_ref ref,
                                const sy_profile *profile, sy_time now) {
    learn_profile(table, id, profile);
    target *dialed = of_ref(table, ref);
    if (dialed != NULL) {
        mark_open(table, dialed, id, profile, now);
        dialed->state = SY_TARGET_CONNECTED;
        dialed->last_code = SY_OK;
        dialed->restart = false;
    }
    target *same_id = of_id(table, id);
    if (same_id != NULL && same_id != dialed) {
        mark_open(table, same_id, id, profile, now);
    }
}

static void mark_closed(sy_dial_table *table, target *t, sy_time now) {
    t->open = false;
    const sy_duration delay = sy_backoff_on_down(&t->backoff, &table->prng, now);
    if (t->state != SY_TARGET_CONNECTED) {
        return; /* a dial of its own is under way */
    }
    if (t->kind == SY_TARGET_PERSISTENT) {
        set_waiting(table, t, delay, now);
    } else {
        drop(table, t);
    }
}

void sy_dial_table_on_peer_closed(sy_dial_table *table, const sy_node_id *id, sy_time now) {
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        target *t = table->slots[i].target;
        if (t != NULL && t->open && sy_node_id_equal(&t->open_id, id)) {
            mark_closed(table, t, now);
        }
    }
}

void sy_dial_table_set_cap(sy_dial_table *table, sy_duration cap, sy_time now) {
    table->backoff_cap = cap;
    const sy_duration effective = cap == 0 ? SY_BACKOFF_CAP : cap;
    const sy_time latest = sy_time_after(now, effective);
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        target *t = table->slots[i].target;
        if (t == NULL) {
            continue;
        }
        t->backoff.cap = effective;
        if (t->state == SY_TARGET_WAITING && t->timer.at > latest) {
            sy_timers_set(&table->timers, &t->timer, latest);
        }
    }
}

/* ---- Queries ----------------------------------------------------------------------------------*/

static sy_dial_view view_of(const sy_dial_table *table, const target *t) {
    return (sy_dial_view){.ref = ref_of(table, t),
                          .kind = t->kind,
                          .state = t->state,
                          .due_at = t->timer.at,
                          .failures = t->backoff.failures,
                          .last_code = t->last_code,
                          .addr = &t->addr,
                          .profile = table->profiles[t->profile]};
}

bool sy_dial_table_is_persistent(const sy_dial_table *table, const sy_node_id *id) {
    const target *t = of_id(table, id);
    return t != NULL && t->kind == SY_TARGET_PERSISTENT;
}

size_t sy_dial_table_persistent_count(const sy_dial_table *table) {
    size_t n = 0;
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        const target *t = table->slots[i].target;
        n += t != NULL && t->kind == SY_TARGET_PERSISTENT && t->addr.has_id ? 1 : 0;
    }
    return n;
}

bool sy_dial_table_find(const sy_dial_table *table, const sy_node_id *id, sy_dial_view *ret_view) {
    const target *t = of_id(table, id);
    if (t == NULL) {
        return false;
    }
    *ret_view = view_of(table, t);
    return true;
}

bool sy_dial_table_get(const sy_dial_table *table, sy_dial_ref ref, sy_dial_view *ret_view) {
    const target *t = of_ref(table, ref);
    if (t == NULL) {
        return false;
    }
    *ret_view = view_of(table, t);
    return true;
}

bool sy_dial_table_next(const sy_dial_table *table, size_t *cursor, sy_dial_view *ret_view) {
    for (; *cursor < table->slot_cap; ++*cursor) {
        const target *t = table->slots[*cursor].target;
        if (t != NULL) {
            *ret_view = view_of(table, t);
            ++*cursor;
            return true;
        }
    }
    return false;
}
