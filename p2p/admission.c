/* SPDX-License-Identifier: Apache-2.0 */
/* The admission ledger: docs/spec/switch.md, SW-13 to SW-20 and SW-57. */
#include "p2p/admission.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"

/* What is counted by key. */
enum {
    KEY_IP,
    KEY_PREFIX,
    KEY_ID_IP,
    KEY_ID_PREFIX,
    KEY_FAVOURED, /* ID, of persistent and unconditional connections only */
    KEY_COUNT,
};

const char *sy_peer_class_name(sy_peer_class peer_class) {
    switch (peer_class) {
    case SY_PEER_INBOUND:
        return "inbound";
    case SY_PEER_OUTBOUND:
        return "outbound";
    case SY_PEER_PERSISTENT:
        return "persistent";
    case SY_PEER_UNCONDITIONAL:
        return "unconditional";
    }
    SY_UNREACHABLE();
}

/* SPEC SW-13 */
sy_peer_class sy_peer_class_of(bool outbound, bool persistent_id, bool unconditional_id) {
    if (unconditional_id) {
        return SY_PEER_UNCONDITIONAL;
    }
    if (persistent_id) {
        return SY_PEER_PERSISTENT;
    }
    return outbound ? SY_PEER_OUTBOUND : SY_PEER_INBOUND;
}

static bool is_favoured(sy_peer_class peer_class) {
    return peer_class >= SY_PEER_PERSISTENT;
}

static size_t add_sat(size_t a, size_t b) {
    return b > SIZE_MAX - a ? SIZE_MAX : a + b;
}

static size_t total_limit(const sy_admission_limits *limits) {
    if (limits->total != 0) {
        return limits->total;
    }
    return add_sat(add_sat(limits->max_inbound, limits->max_outbound), limits->reserved);
}

static size_t total_used(const sy_admission *admission) {
    size_t sum = 0;
    for (int i = 0; i < SY_PEER_CLASS_COUNT; i++) {
        sum += admission->used[i];
    }
    return sum;
}

/* Reservations whose ID has no connection.  More IDs than reservations may be connected while the
 * operator's lists change. */
static size_t reserved_unfilled(const sy_admission *admission) {
    const size_t reserved = admission->limits.reserved;
    return reserved > admission->filled ? reserved - admission->filled : 0;
}

static sy_count_key favoured_key(const sy_node_id *id) {
    return sy_count_key_make(KEY_FAVOURED, id->bytes, sizeof id->bytes, NULL, 0);
}

/* All keys under which one connection is counted; returns how many. */
static size_t keys_of(sy_peer_class peer_class, const sy_node_id *id, const sy_endpoint *remote,
                      sy_count_key keys[KEY_COUNT]) {
    const sy_endpoint prefix = sy_endpoint_prefix(remote);
    size_t n = 0;
    keys[n++] = sy_count_key_make(KEY_IP, remote->ip, sizeof remote->ip, NULL, 0);
    keys[n++] = sy_count_key_make(KEY_PREFIX, prefix.ip, sizeof prefix.ip, NULL, 0);
    keys[n++] =
        sy_count_key_make(KEY_ID_IP, id->bytes, sizeof id->bytes, remote->ip, sizeof remote->ip);
    keys[n++] =
        sy_count_key_make(KEY_ID_PREFIX, id->bytes, sizeof id->bytes, prefix.ip, sizeof prefix.ip);
    if (is_favoured(peer_class)) {
        keys[n++] = favoured_key(id);
    }
    return n;
}

static bool id_is_filled(const sy_admission *admission, const sy_node_id *id) {
    const sy_count_key key = favoured_key(id);
    return sy_count_map_get(&admission->keys, &key) > 0;
}

/* How many with this IP have another ID. */
static size_t others_with_ip(const sy_admission *admission, const sy_node_id *id,
                             const sy_endpoint *remote) {
    const sy_count_key own =
        sy_count_key_make(KEY_ID_IP, id->bytes, sizeof id->bytes, remote->ip, sizeof remote->ip);
    return sy_admission_ip_count(admission, remote) - sy_count_map_get(&admission->keys, &own);
}

static size_t others_with_prefix(const sy_admission *admission, const sy_node_id *id,
                                 const sy_endpoint *remote) {
    const sy_endpoint prefix = sy_endpoint_prefix(remote);
    const sy_count_key own =
        sy_count_key_make(KEY_ID_PREFIX, id->bytes, sizeof id->bytes, prefix.ip, sizeof prefix.ip);
    return sy_admission_prefix_count(admission, remote) - sy_count_map_get(&admission->keys, &own);
}

void sy_admission_init(sy_admission *admission, const sy_admission_limits *limits,
                       const sy_mem *mem, const uint8_t key[SY_ADMISSION_KEY_LEN]) {
    SY_REQUIRE(admission != NULL);
    *admission = (sy_admission){.limits = *limits};
    sy_count_map_init(&admission->keys, mem, key);
}

void sy_admission_fini(sy_admission *admission) {
    sy_count_map_fini(&admission->keys);
}

static sy_err refuse(sy_detail *detail, sy_err err, const char *limit, size_t value) {
    sy_detail_set(detail, "%s = %zu", limit, value);
    return err;
}

/* SPEC SW-20 SW-57 */
static sy_err check_sources(const sy_admission *admission, const sy_node_id *id,
                            const sy_endpoint *remote, sy_detail *detail) {
    const sy_admission_limits *limits = &admission->limits;
    if (limits->max_per_ip != 0 &&
        others_with_ip(admission, id, remote) >= limits->max_per_ip + SY_MUTANT(ADMIT_IP)) {
        return refuse(detail, SY_ERR_ADMIT_IP, "max_per_ip", limits->max_per_ip);
    }
    if (limits->max_per_prefix != 0 && others_with_prefix(admission, id, remote) >=
                                           limits->max_per_prefix + SY_MUTANT(ADMIT_PREFIX)) {
        return refuse(detail, SY_ERR_ADMIT_PREFIX, "max_per_prefix", limits->max_per_prefix);
    }
    return SY_OK;
}

/* SPEC SW-14 SW-15 */
static sy_err check_class(const sy_admission *admission, sy_peer_class peer_class,
                          sy_detail *detail) {
    const size_t used = admission->used[peer_class];
    if (peer_class == SY_PEER_INBOUND &&
        used >= admission->limits.max_inbound + SY_MUTANT(ADMIT_CLASS)) {
        return refuse(detail, SY_ERR_ADMIT_FULL, "max_num_inbound_peers",
                      admission->limits.max_inbound);
    }
    if (peer_class == SY_PEER_OUTBOUND && used >= admission->limits.max_outbound) {
        return refuse(detail, SY_ERR_ADMIT_FULL, "max_num_outbound_peers",
                      admission->limits.max_outbound);
    }
    return SY_OK;
}

sy_err sy_admission_may_admit(const sy_admission *admission, const sy_admission_request *request,
                              sy_detail *detail) {
    const size_t used = total_used(admission);
    const size_t limit = total_limit(&admission->limits);

    if (used >= limit && !SY_MUTANT(ADMIT_TOTAL)) { /* SPEC SW-18 */
        return refuse(detail, SY_ERR_ADMIT_TOTAL, "total_connections", limit);
    }
    if (is_favoured(request->peer_class)) { /* SPEC SW-17 */
        return SY_OK;
    }
    const sy_err err = check_class(admission, request->peer_class, detail);
    if (err != SY_OK) {
        return err;
    }
    const size_t kept_free = reserved_unfilled(admission);
    if (limit - used <= kept_free && !SY_MUTANT(ADMIT_TOTAL)) { /* SPEC SW-19 */
        (void)refuse(detail, SY_ERR_ADMIT_FULL, "total_connections", limit);
        sy_detail_add(detail, ", the last %zu kept for persistent and unconditional peers",
                      kept_free);
        return SY_ERR_ADMIT_FULL;
    }
    return check_sources(admission, &request->id, &request->remote, detail);
}

sy_err sy_admission_admit(sy_admission *admission, const sy_admission_request *request,
                          sy_admission_ticket *ret_ticket, sy_detail *detail) {
    SY_REQUIRE(!ret_ticket->held);
    sy_err err = sy_admission_may_admit(admission, request, detail);
    if (err != SY_OK) {
        return err;
    }
    /* Besides the new keys, one for each connection, so that reclass needs no memory. */
    err = sy_count_map_reserve(&admission->keys, total_used(admission) + KEY_COUNT);
    if (err != SY_OK) {
        return err;
    }
    if (is_favoured(request->peer_class) && !id_is_filled(admission, &request->id)) {
        admission->filled++;
    }
    sy_count_key keys[KEY_COUNT];
    const size_t n = keys_of(request->peer_class, &request->id, &request->remote, keys);
    for (size_t i = 0; i < n; i++) {
        sy_count_map_add(&admission->keys, &keys[i]);
    }
    admission->used[request->peer_class]++;
    *ret_ticket = (sy_admission_ticket){.held = true,
                                        .peer_class = request->peer_class,
                                        .id = request->id,
                                        .remote = request->remote};
    return SY_OK;
}

void sy_admission_release(sy_admission *admission, sy_admission_ticket *ticket) {
    if (!ticket->held) {
        return;
    }
    SY_REQUIRE(admission->used[ticket->peer_class] > 0);
    sy_count_key keys[KEY_COUNT];
    const size_t n = keys_of(ticket->peer_class, &ticket->id, &ticket->remote, keys);
    for (size_t i = 0; i < n; i++) {
        sy_count_map_remove(&admission->keys, &keys[i]);
    }
    admission->used[ticket->peer_class]--;
    if (is_favoured(ticket->peer_class) && !id_is_filled(admission, &ticket->id)) {
        SY_ASSERT(admission->filled > 0);
        admission->filled--;
    }
    *ticket = (sy_admission_ticket){.held = false};
}

void sy_admission_reclass(sy_admission *admission, sy_admission_ticket *ticket,
                          sy_peer_class peer_class) {
    SY_REQUIRE(ticket->held);
    const bool was = is_favoured(ticket->peer_class);
    const bool is = is_favoured(peer_class);
    const sy_count_key key = favoured_key(&ticket->id);
    if (is && !was) {
        admission->filled += id_is_filled(admission, &ticket->id) ? 0 : 1;
        sy_count_map_add(&admission->keys, &key);
    } else if (was && !is) {
        sy_count_map_remove(&admission->keys, &key);
        admission->filled -= id_is_filled(admission, &ticket->id) ? 0 : 1;
    }
    SY_ASSERT(admission->used[ticket->peer_class] > 0);
    admission->used[ticket->peer_class]--;
    admission->used[peer_class]++;
    ticket->peer_class = peer_class;
}

void sy_admission_set_limits(sy_admission *admission, const sy_admission_limits *limits) {
    admission->limits = *limits;
}

bool sy_admission_over(const sy_admission *admission, sy_peer_class *ret_class) {
    const sy_admission_limits *limits = &admission->limits;
    const size_t *used = admission->used;
    if (used[SY_PEER_INBOUND] > limits->max_inbound) {
        *ret_class = SY_PEER_INBOUND;
        return true;
    }
    if (used[SY_PEER_OUTBOUND] > limits->max_outbound) {
        *ret_class = SY_PEER_OUTBOUND;
        return true;
    }
    const size_t limit = total_limit(limits);
    const size_t sum = total_used(admission);
    const size_t kept_free = reserved_unfilled(admission);
    const bool plain_over = sum > limit || limit - sum < kept_free;
    for (int i = 0; i < SY_PEER_CLASS_COUNT; i++) {
        /* Reservations push out what may not use them; favoured ones yield to the total alone. */
        const bool over = is_favoured((sy_peer_class)i) ? sum > limit : plain_over;
        if (over && used[i] > 0) {
            *ret_class = (sy_peer_class)i;
            return true;
        }
    }
    return false;
}

sy_err sy_admission_check_ticket(const sy_admission *admission, const sy_admission_ticket *ticket) {
    SY_REQUIRE(ticket->held);
    if (is_favoured(ticket->peer_class)) {
        return SY_OK;
    }
    return check_sources(admission, &ticket->id, &ticket->remote, NULL);
}

void sy_admission_get_counts(const sy_admission *admission, sy_admission_counts *ret_counts) {
    sy_admission_counts counts = {.total_used = total_used(admission),
                                  .total_limit = total_limit(&admission->limits),
                                  .reserved_unfilled = reserved_unfilled(admission)};
    memcpy(counts.used, admission->used, sizeof counts.used);
    *ret_counts = counts;
}

size_t sy_admission_ip_count(const sy_admission *admission, const sy_endpoint *remote) {
    const sy_count_key key = sy_count_key_make(KEY_IP, remote->ip, sizeof remote->ip, NULL, 0);
    return sy_count_map_get(&admission->keys, &key);
}

size_t sy_admission_prefix_count(const sy_admission *admission, const sy_endpoint *remote) {
    const sy_endpoint prefix = sy_endpoint_prefix(remote);
    const sy_count_key key = sy_count_key_make(KEY_PREFIX, prefix.ip, sizeof prefix.ip, NULL, 0);
    return sy_count_map_get(&admission->keys, &key);
}
