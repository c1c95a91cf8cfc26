/* SPDX-License-Identifier: Apache-2.0 */
/* Which profile the next attempt speaks: docs/spec/plain.md PR-08 to PR-13. */
#include "p2p/dial_table_internal.h"

#include <string.h>

bool sy_dial_is_plain(const sy_profile *profile) {
    return strcmp(profile->name, "plain") == 0;
}

const sy_profile *sy_dial_table_remembered(const sy_dial_table *table, const sy_node_id *id) {
    const uint32_t slot = sy_id_map_find(&table->memory, id);
    return slot == SY_ID_MAP_NONE ? NULL : table->remembered[slot];
}

void sy_dial_table_remember(sy_dial_table *table, const sy_node_id *id, const sy_profile *profile) {
    if (profile == NULL) {
        sy_id_map_remove(&table->memory, id);
        return;
    }
    bool fresh;
    const uint32_t slot = sy_id_map_touch(&table->memory, id, &fresh);
    table->remembered[slot] = profile;
}

static const sy_profile *known_profile(const sy_dial_table *table, const sy_dial_target *t) {
    return t->addr.has_id ? sy_dial_table_remembered(table, &t->addr.id) : t->known_profile;
}

/* SPEC PR-13 */
static bool is_usable(const sy_dial_table *table, const sy_dial_target *t, size_t profile) {
    const sy_profile *known = known_profile(table, t);
    return !sy_dial_is_plain(table->profiles[profile]) || known == NULL || sy_dial_is_plain(known);
}

size_t sy_dial_usable_count(const sy_dial_table *table, const sy_dial_target *t) {
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

bool sy_dial_choose_profile(const sy_dial_table *table, sy_dial_target *t, size_t from) {
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
bool sy_dial_choose_first_profile(const sy_dial_table *table, sy_dial_target *t) {
    const sy_profile *known = known_profile(table, t);
    size_t from = 0;
    if (known != NULL && !index_of_profile(table, known, &from)) {
        from = 0; /* no longer allowed */
    }
    return sy_dial_choose_profile(table, t, from);
}

/* SPEC PR-10 */
void sy_dial_choose_next_profile(const sy_dial_table *table, sy_dial_target *t) {
    (void)sy_dial_choose_profile(table, t,
                                 t->profile + 1); /* none usable: seen at the next round */
    t->profile_turns++;
}

/* SPEC PR-12.  An ID is only declared in plain: it must not overwrite what was proven. */
void sy_dial_learn_profile(sy_dial_table *table, const sy_node_id *id, const sy_profile *profile) {
    const sy_profile *known = sy_dial_table_remembered(table, id);
    if (known == NULL || sy_dial_is_plain(known) || !sy_dial_is_plain(profile)) {
        sy_dial_table_remember(table, id, profile);
    }
}
