/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/p2p/dial_util.h"

#include <criterion/criterion.h>

#include <string.h>

const sy_profile dial_tendermint = {.name = "tendermint"};
const sy_profile dial_cometbft = {.name = "cometbft"};
const sy_profile dial_plain = {.name = "plain"};

sy_node_id dial_id(uint64_t n) {
    sy_node_id id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

void dial_open(dial_world *w, const char *names, uint64_t seed) {
    const sy_profile *all[] = {&dial_tendermint, &dial_cometbft, &dial_plain};
    const sy_profile *profiles[SY_DIAL_PROFILES_MAX];
    size_t count = 0;
    for (const char *at = names; *at != '\0'; at += strcspn(at, ",") + (strchr(at, ',') != NULL)) {
        for (size_t i = 0; i < 3; i++) {
            if (strncmp(at, all[i]->name, strlen(all[i]->name)) == 0) {
                profiles[count++] = all[i];
            }
        }
    }
    memset(w, 0, sizeof *w);
    test_mem_init(&w->tm);
    w->now = SY_HOUR;
    const sy_node_id own = dial_id(999);
    const sy_dial_config config = {.mem = &w->tm.mem,
                                   .own_id = &own,
                                   .profiles = profiles,
                                   .profile_count = count,
                                   .seed = seed,
                                   .memory_max = 8};
    cr_assert_eq(sy_dial_table_init(&w->table, &config), SY_OK);
}

void dial_close(dial_world *w) {
    sy_dial_table_fini(&w->table);
    test_mem_fini(&w->tm);
}

sy_addr dial_addr(uint64_t n, const char *host_port) {
    sy_addr addr;
    cr_assert_eq(sy_addr_parse(host_port, strlen(host_port), SY_ADDR_ID_OPTIONAL, &addr, NULL),
                 SY_OK, "%s", host_port);
    addr.has_id = n != 0;
    addr.id = dial_id(n);
    return addr;
}

sy_err dial_add(dial_world *w, uint64_t n, const char *host_port, sy_target_kind kind,
                sy_dial_ref *ret_ref) {
    const sy_addr addr = dial_addr(n, host_port);
    return sy_dial_table_add(&w->table, &addr, kind, ret_ref, w->now);
}

bool dial_next(dial_world *w) {
    const sy_time due = sy_dial_table_next_due(&w->table);
    if (due == SY_NEVER) {
        return false;
    }
    if (due > w->now) {
        cr_expect_not(sy_dial_table_take_due(&w->table, &w->step, due - 1), "too early");
        w->now = due;
    }
    cr_assert(sy_dial_table_take_due(&w->table, &w->step, w->now));
    return true;
}

void dial_resolved(dial_world *w, size_t count) {
    sy_endpoint endpoints[32];
    for (size_t i = 0; i < count; i++) {
        endpoints[i] =
            (sy_endpoint){.ip = {[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)(i + 1)}, .port = 5};
    }
    cr_assert_eq(w->step.kind, SY_DIAL_STEP_RESOLVE);
    sy_dial_table_on_resolved(&w->table, w->step.ref, endpoints, count, &w->step, w->now);
}

void dial_fail(dial_world *w, sy_stage stage, sy_err code) {
    const sy_reason reason = sy_reason_make(stage, code, NULL);
    sy_dial_table_on_failed(&w->table, w->step.ref, &reason, &w->step, w->now);
}

void dial_tcp_up(dial_world *w) {
    cr_assert_eq(w->step.kind, SY_DIAL_STEP_CONNECT);
    sy_dial_table_on_connected(&w->table, w->step.ref, w->now);
}

unsigned dial_host(const dial_world *w) {
    cr_assert_eq(w->step.kind, SY_DIAL_STEP_CONNECT);
    return w->step.endpoint.ip[15];
}

sy_dial_view dial_view(const dial_world *w, uint64_t n) {
    sy_dial_view view = {.failures = 0};
    const sy_node_id id = dial_id(n);
    cr_assert(sy_dial_table_find(&w->table, &id, &view), "ID %d is not there", (int)n);
    return view;
}

bool dial_has(const dial_world *w, uint64_t n) {
    sy_dial_view view;
    const sy_node_id id = dial_id(n);
    return sy_dial_table_find(&w->table, &id, &view);
}
