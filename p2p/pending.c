/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of handshakes in progress: docs/spec/switch.md, SW-21 to SW-23.  Groups are searched
 * one by one: with at most a few hundred of them that is less work than one hash of a handshake. */
#include "p2p/pending.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"

sy_err sy_pending_init(sy_pending *pending, size_t max, const sy_mem *mem) {
    SY_REQUIRE(max >= 1 && max < UINT32_MAX);
    sy_pending_group *groups = sy_mem_zalloc_array(mem, max, sizeof *groups);
    if (groups == NULL) {
        return SY_ERR_NOMEM;
    }
    *pending = (sy_pending){.mem = mem, .groups = groups, .group_cap = max, .max = max};
    return SY_OK;
}

void sy_pending_fini(sy_pending *pending) {
    sy_mem_release(pending->mem, pending->groups);
    *pending = (sy_pending){.mem = pending->mem};
}

static sy_pending_group *find_group(const sy_pending *pending, const sy_endpoint *prefix) {
    for (size_t i = 0; i < pending->group_cap; i++) {
        sy_pending_group *group = &pending->groups[i];
        if (group->count > 0 && sy_endpoint_same_ip(&group->prefix, prefix)) {
            return group;
        }
    }
    return NULL;
}

static sy_pending_group *take_group(sy_pending *pending, const sy_endpoint *prefix) {
    sy_pending_group *group = find_group(pending, prefix);
    for (size_t i = 0; group == NULL; i++) {
        SY_ASSERT(i < pending->group_cap); /* fewer entries than groups: one is free */
        if (pending->groups[i].count == 0) {
            group = &pending->groups[i];
            *group = (sy_pending_group){.prefix = *prefix};
        }
    }
    return group;
}

/* SPEC SW-23: among equally full ones the group with the oldest entry. */
static sy_pending_group *fullest(const sy_pending *pending) {
    sy_pending_group *best = NULL;
    for (size_t i = 0; i < pending->group_cap; i++) {
        sy_pending_group *group = &pending->groups[i];
        if (group->count == 0) {
            continue;
        }
        if (best == NULL || group->count > best->count ||
            (group->count == best->count && group->oldest->seq < best->oldest->seq)) {
            best = group;
        }
    }
    return best;
}

void sy_pending_remove(sy_pending *pending, sy_pending_entry *entry) {
    if (!entry->pooled) {
        return;
    }
    SY_REQUIRE(entry->group < pending->group_cap);
    sy_pending_group *group = &pending->groups[entry->group];
    SY_ASSERT(group->count > 0 && pending->count > 0);
    if (entry->older != NULL) {
        entry->older->newer = entry->newer;
    } else {
        SY_ASSERT(group->oldest == entry);
        group->oldest = entry->newer;
    }
    if (entry->newer != NULL) {
        entry->newer->older = entry->older;
    } else {
        SY_ASSERT(group->newest == entry);
        group->newest = entry->older;
    }
    group->count--;
    pending->count--;
    *entry = (sy_pending_entry){.pooled = false};
}

/* SPEC SW-22 */
static sy_pending_entry *evict(sy_pending *pending) {
    sy_pending_group *group = fullest(pending);
    SY_ASSERT(group != NULL);
    sy_pending_entry *victim = SY_MUTANT(PENDING_NEWEST) ? group->newest : group->oldest;
    sy_pending_remove(pending, victim);
    return victim;
}

sy_pending_entry *sy_pending_add(sy_pending *pending, sy_pending_entry *entry,
                                 const sy_endpoint *remote) {
    SY_REQUIRE(!entry->pooled);
    sy_pending_entry *victim = pending->count >= pending->max ? evict(pending) : NULL;

    const sy_endpoint prefix = sy_endpoint_prefix(remote);
    sy_pending_group *group = take_group(pending, &prefix);
    *entry = (sy_pending_entry){.older = group->newest,
                                .seq = pending->next_seq++,
                                .group = (uint32_t)(group - pending->groups),
                                .pooled = true};
    if (group->newest != NULL) {
        group->newest->newer = entry;
    } else {
        group->oldest = entry;
    }
    group->newest = entry;
    group->count++;
    pending->count++;
    SY_ASSERT(pending->count <= pending->group_cap);
    return victim;
}

sy_err sy_pending_set_max(sy_pending *pending, size_t max) {
    SY_REQUIRE(max >= 1 && max < UINT32_MAX);
    if (max > pending->group_cap) {
        sy_pending_group *groups = sy_mem_zalloc_array(pending->mem, max, sizeof *groups);
        if (groups == NULL) {
            return SY_ERR_NOMEM;
        }
        memcpy(groups, pending->groups, pending->group_cap * sizeof *groups);
        sy_mem_release(pending->mem, pending->groups);
        pending->groups = groups;
        pending->group_cap = max;
    }
    pending->max = max;
    return SY_OK;
}

sy_pending_entry *sy_pending_pop_excess(sy_pending *pending) {
    return pending->count > pending->max ? evict(pending) : NULL;
}

size_t sy_pending_count(const sy_pending *pending) {
    return pending->count;
}

size_t sy_pending_prefix_count(const sy_pending *pending, const sy_endpoint *remote) {
    const sy_endpoint prefix = sy_endpoint_prefix(remote);
    const sy_pending_group *group = find_group(pending, &prefix);
    return group == NULL ? 0 : group->count;
}
