/* SPDX-License-Identifier: Apache-2.0 */
/* The table of connections: a slot holds one, and each use of it has a generation of its own, so
 * that a name from before finds nobody. */
#include "p2p/switch_internal.h"

/* SPEC SW-51 */
sy_peer *sy_link_of_ref(sy_switch *sw, sy_stream_ref ref) {
    if (ref.slot >= sw->slot_count) {
        return NULL;
    }
    sy_peer *link = sw->slots[ref.slot];
    if (link == NULL || link->generation != ref.generation || link->state == SY_LINK_DEAD) {
        return NULL;
    }
    return link;
}

static bool grow_slots(sy_switch *sw) {
    const uint32_t count = sw->slot_count == 0 ? 16 : sw->slot_count * 2;
    const uint32_t added = count - sw->slot_count;

    if (count > (1u << 24)) {
        return false;
    }
    void *slots = sy_mem_resize(&sw->mem, sw->slots, count * sizeof *sw->slots);
    if (slots == NULL) {
        return false;
    }
    sw->slots = slots;
    void *generations = sy_mem_resize(&sw->mem, sw->generations, count * sizeof(uint32_t));
    if (generations == NULL) {
        return false;
    }
    sw->generations = generations;
    void *free_slots = sy_mem_resize(&sw->mem, sw->free_slots, count * sizeof(uint32_t));
    if (free_slots == NULL) {
        return false;
    }
    sw->free_slots = free_slots;
    for (uint32_t i = 0; i < added; i++) {
        sw->slots[sw->slot_count + i] = NULL;
        sw->generations[sw->slot_count + i] = 0;
        sw->free_slots[sw->free_count++] = count - 1 - i;
    }
    sw->slot_count = count;
    return true;
}

bool sy_slot_has_room(sy_switch *sw) {
    return sw->free_count > 0 || grow_slots(sw);
}

bool sy_slot_take(sy_switch *sw, uint32_t *ret_slot) {
    if (!sy_slot_has_room(sw)) {
        return false;
    }
    *ret_slot = sw->free_slots[--sw->free_count];
    return true;
}
