/* SPDX-License-Identifier: Apache-2.0 */
/* What a session costs in each stage, that every byte is charged, that it survives the failure of
 * any allocation or charge, and that it leaves no secret behind. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "session_fixture.h"

/* Live bytes beyond those of the scratch are exactly what is charged. */
static void expect_charged(const fx_node *node, size_t uncharged, const char *when) {
    cr_expect_eq(node->loop->tm.live_bytes, uncharged + node->loop->budget.used,
                 "%s, %s: %zu live, %zu charged", node->profile->name, when,
                 node->loop->tm.live_bytes - uncharged, node->loop->budget.used);
}

typedef struct cost {
    size_t fresh;
    size_t before_identity; /* peak */
    size_t open;
} cost;

/* What the limits promise; the numbers of today are in the log. */
static const cost at_most[3] = {
    {2560, SY_PRE_AUTH_MAX, 4096}, {2560, SY_PRE_AUTH_MAX, 4096}, {768, SY_PRE_AUTH_MAX, 4096}};

/* SPEC-TEST SW-05 */
Test(session_memory, costs) {
    for (size_t p = 0; p < 3; p++) {
        fx_loop loop;
        fx_loop_init(&loop);
        fx_node node;
        fx_node_init(&node, &loop, fx_profiles[p], 1);
        const size_t base = loop.tm.live_bytes - loop.budget.used;
        cr_assert_eq(fx_node_open(&node), SY_OK);
        cost got = {.fresh = node.budget.used};
        expect_charged(&node, base, "new");

        /* A remote of its own loop, so that only the node's memory is seen here. */
        fx_loop other;
        fx_loop_init(&other);
        fx_node remote;
        fx_node_init(&remote, &other, fx_profiles[p], 2);
        cr_assert_eq(fx_node_open(&remote), SY_OK);

        /* Byte by byte, so that everything is partial once. */
        while (node.err == SY_OK && sy_session_mux(node.session) == NULL) {
            fx_bytes wire = {.data = NULL};
            cr_assert_eq(fx_pull(&node, &wire), SY_OK);
            fx_feed(&remote, wire.data, wire.len);
            wire.len = 0;
            cr_assert_eq(fx_pull(&remote, &wire), SY_OK);
            for (size_t i = 0; i < wire.len; i++) {
                fx_feed(&node, wire.data + i, 1);
                expect_charged(&node, base, "handshake");
                if (!node.identified) {
                    got.before_identity = node.budget.peak;
                }
            }
            fx_free(&wire);
        }
        fx_settle(&node, &remote);
        for (uint16_t i = 0; i < FX_CHANNELS; i++) {
            cr_assert_eq(fx_queue(&remote, i, i, 50000), SY_SEND_QUEUED);
        }
        fx_settle(&node, &remote);
        cr_expect_eq(node.messages, FX_CHANNELS);
        got.open = node.budget.used;
        expect_charged(&node, base, "open and idle again");

        cr_log_info("%s: new %zu, before identity at most %zu, open and idle with %d channels %zu",
                    fx_profiles[p]->name, got.fresh, got.before_identity, FX_CHANNELS, got.open);
        cr_expect_leq(got.fresh, at_most[p].fresh, "%s: %zu", fx_profiles[p]->name, got.fresh);
        cr_expect_leq(got.before_identity, at_most[p].before_identity, "%s: %zu",
                      fx_profiles[p]->name, got.before_identity);
        cr_expect_leq(got.open, at_most[p].open, "%s: %zu", fx_profiles[p]->name, got.open);

        fx_node_fini(&remote);
        fx_loop_fini(&other);
        fx_node_fini(&node);
        fx_loop_fini(&loop);
    }
}

/* A NodeInfo that is announced at full length and then comes slowly costs twice what came. */
/* SPEC-TEST NI-03 NI-08 */
Test(session_memory, announced_length_costs_nothing) {
    for (size_t p = 0; p < 3; p++) {
        fx_loop loop;
        fx_loop_init(&loop);
        fx_node node;
        fx_raw raw;
        fx_node_init(&node, &loop, fx_profiles[p], 1);
        fx_raw_init(&raw, &loop, fx_profiles[p], 2);
        cr_assert_eq(fx_node_open(&node), SY_OK);
        fx_raw_handshake(&raw, &node);
        const size_t before = node.budget.used;
        static const uint8_t start[] = {0xfe, 0x4f, 0x0a, 0x28};
        fx_raw_write(&raw, start, sizeof start, 1024);
        fx_raw_flush(&raw, &node);
        cr_expect_eq(node.err, SY_OK);
        cr_expect_leq(node.budget.used, before + 64);
        fx_raw_fini(&raw);
        fx_node_fini(&node);
        fx_loop_fini(&loop);
    }
}

/* In plain the whole NodeInfo comes before an identity, so that SW-05 cannot hold there: this is
 * the most that a connection then costs. */
Test(session_memory, largest_declared_node_info) {
    static char moniker[SY_NODE_INFO_LEN_MAX];
    memset(moniker, 'm', sizeof moniker);
    fx_loop loop;
    fx_loop_init(&loop);
    fx_node node;
    fx_raw raw;
    fx_node_init(&node, &loop, &sy_profile_plain, 1);
    fx_raw_init(&raw, &loop, &sy_profile_plain, 2);
    raw.as.info.moniker = (sy_text){.data = moniker, .len = 10130};
    cr_assert_eq(fx_node_open(&node), SY_OK);
    fx_raw_write_info(&raw, 1024);
    cr_assert_gt(raw.out.len, 10200);
    for (size_t i = 0; i < raw.out.len; i++) {
        fx_feed(&node, raw.out.data + i, 1);
    }
    cr_expect(node.identified);
    cr_log_info("plain: at most %zu before identity", node.budget.peak);
    cr_expect_leq(node.budget.peak, 32768, "%zu", node.budget.peak);
    fx_raw_fini(&raw);
    fx_node_fini(&node);
    fx_loop_fini(&loop);
}

/* ---- failures ---- */

/* A whole life: handshake, NodeInfo, messages both ways with the receive rate in the way.  Returns
 * the first error of a. */
static sy_err life(fx_loop *loop, const sy_profile *profile, size_t limit, size_t *ret_messages) {
    fx_node a;
    fx_node b;
    fx_node_init(&a, loop, profile, 1);
    fx_node_init(&b, loop, profile, 2);
    a.budget.limit = limit;
    a.config.recv_rate = 50000;
    sy_err err = fx_node_open(&a);
    if (err == SY_OK) {
        err = fx_node_open(&b);
    }
    if (err == SY_OK) {
        fx_settle(&a, &b);
        for (uint16_t i = 0; i < 4 && a.err == SY_OK && b.err == SY_OK; i++) {
            if (sy_session_mux(a.session) != NULL && sy_session_mux(b.session) != NULL) {
                (void)fx_queue(&a, i, i, 3000);
                (void)fx_queue(&b, i, i, 3000);
                (void)fx_queue(&b, i, i, 10);
            }
            fx_settle(&a, &b);
            loop->now += SY_SEC;
            if (a.err == SY_OK) {
                fx_feed(&a, NULL, 0);
            }
        }
        err = a.err != SY_OK ? a.err : b.err;
    }
    *ret_messages = a.messages + b.messages;
    fx_node_fini(&a);
    fx_node_fini(&b);
    return err;
}

/* fini of loop and nodes asserts that no block and no charge is left. */
Test(session_memory, any_allocation_may_fail) {
    for (size_t p = 0; p < 3; p++) {
        size_t failed = 0;
        size_t messages = 0;
        size_t calls = 0;
        for (size_t k = 0; k <= calls; k++) {
            fx_loop loop;
            fx_loop_init(&loop);
            const size_t base = loop.tm.calls;
            loop.tm.fail_at = k == 0 ? 0 : base + k;
            const sy_err err = life(&loop, fx_profiles[p], SIZE_MAX, &messages);
            if (k == 0) {
                calls = loop.tm.calls - base;
                cr_assert_eq(err, SY_OK);
                cr_assert_eq(messages, 12, "%zu", messages);
            }
            cr_expect(err == SY_OK || err == SY_ERR_NOMEM, "%s, allocation %zu: %s",
                      fx_profiles[p]->name, k, sy_err_name(err));
            failed += err == SY_ERR_NOMEM ? 1 : 0;
            loop.tm.fail_at = 0;
            fx_loop_fini(&loop);
        }
        cr_expect_gt(calls, 20);
        cr_expect_gt(failed, 10, "%s: %zu of %zu", fx_profiles[p]->name, failed, calls);
    }
}

Test(session_memory, any_charge_may_be_refused) {
    for (size_t p = 0; p < 3; p++) {
        size_t refused = 0;
        bool passed = false;
        for (size_t limit = 0; !passed; limit += 97) {
            fx_loop loop;
            fx_loop_init(&loop);
            size_t messages = 0;
            const sy_err err = life(&loop, fx_profiles[p], limit, &messages);
            cr_expect(err == SY_OK || err == SY_ERR_LIMIT, "%s, limit %zu: %s",
                      fx_profiles[p]->name, limit, sy_err_name(err));
            refused += err == SY_ERR_LIMIT ? 1 : 0;
            passed = err == SY_OK && messages == 12;
            cr_assert_lt(limit, 1 << 20);
            fx_loop_fini(&loop);
        }
        cr_expect_gt(refused, 20);
    }
}

/* Accepting fails for lack of memory, changes nothing, and can be repeated. */
Test(session_memory, accept_can_be_repeated) {
    for (size_t p = 0; p < 3; p++) {
        fx_loop loop;
        fx_loop_init(&loop);
        fx_node a;
        fx_raw b;
        fx_node_init(&a, &loop, fx_profiles[p], 1);
        fx_raw_init(&b, &loop, fx_profiles[p], 2);
        a.accepts = false;
        cr_assert_eq(fx_node_open(&a), SY_OK);
        fx_raw_handshake(&b, &a);
        fx_raw_write_info(&b, 1024);
        fx_raw_flush(&b, &a);
        const size_t used = a.budget.used;
        loop.tm.fail_at = loop.tm.calls + 1;
        cr_expect_eq(sy_session_accept(a.session, loop.now), SY_ERR_NOMEM);
        cr_expect_eq(a.budget.used, used);
        a.budget.limit = used;
        cr_expect_eq(sy_session_accept(a.session, loop.now), SY_ERR_LIMIT);
        cr_expect_eq(a.budget.used, used);
        cr_expect_null(sy_session_mux(a.session));
        a.budget.limit = SIZE_MAX;
        cr_expect_eq(sy_session_accept(a.session, loop.now), SY_OK);
        cr_expect_not_null(sy_session_mux(a.session));
        fx_raw_fini(&b);
        fx_node_fini(&a);
        fx_loop_fini(&loop);
    }
}

/* ---- secrets ---- */

/* An allocator that looks at what it gets back. */
typedef struct spy {
    const uint8_t *secret;
    size_t secret_len;
    size_t released;
    size_t found;
} spy;

static bool holds(const spy *s, const uint8_t *data, size_t len) {
    for (size_t i = 0; i + s->secret_len <= len; i++) {
        if (memcmp(data + i, s->secret, s->secret_len) == 0) {
            return true;
        }
    }
    return false;
}

static void *spy_alloc(void *user, size_t size) {
    (void)user;
    size_t *block = malloc(size + 16);
    *block = size;
    return (uint8_t *)block + 16;
}

static void spy_release(void *user, void *ptr) {
    spy *s = user;
    if (ptr != NULL) {
        size_t *block = (size_t *)(void *)((uint8_t *)ptr - 16);
        s->released++;
        s->found += holds(s, ptr, *block) ? 1 : 0;
        free(block);
    }
}

static void *spy_resize(void *user, void *ptr, size_t size) {
    const size_t old = *(size_t *)(void *)((uint8_t *)ptr - 16);
    void *moved = spy_alloc(user, size);
    memcpy(moved, ptr, old < size ? old : size);
    spy_release(user, ptr);
    return moved;
}

/* In whatever stage the session is deleted. */
Test(session_memory, ephemeral_secret_is_wiped) {
    for (size_t p = 0; p < 2; p++) {
        for (int stage = 0; stage < 3; stage++) {
            fx_loop loop;
            fx_loop_init(&loop);
            fx_node a;
            fx_node b;
            fx_node_init(&a, &loop, fx_profiles[p], 1);
            fx_node_init(&b, &loop, fx_profiles[p], 2);
            for (size_t i = 0; i < SY_CONN_KEY_LEN; i++) {
                a.config.eph_secret[i] = (uint8_t)(0x40 + i);
            }
            spy s = {.secret = a.config.eph_secret, .secret_len = SY_CONN_KEY_LEN};
            const sy_mem mem = {spy_alloc, spy_resize, spy_release, &s};
            a.config.mem = &mem;
            a.config.mux_batch = NULL;
            cr_assert_eq(fx_node_open(&a), SY_OK);
            cr_assert_eq(fx_node_open(&b), SY_OK);
            if (stage == 1) {
                fx_bytes wire = {.data = NULL};
                cr_assert_eq(fx_pull(&b, &wire), SY_OK);
                fx_feed(&a, wire.data, wire.len);
                fx_free(&wire);
            } else if (stage == 2) {
                fx_settle(&a, &b);
                cr_assert_not_null(sy_session_mux(a.session));
            }
            sy_session_del(a.session);
            a.session = NULL;
            cr_expect_gt(s.released, 1);
            cr_expect_eq(s.found, 0, "%s, stage %d", fx_profiles[p]->name, stage);
            fx_node_fini(&a);
            fx_node_fini(&b);
            fx_loop_fini(&loop);
        }
    }
}

Test(session_memory, del_of_nothing) {
    sy_session_del(NULL);
}
