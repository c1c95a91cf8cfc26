/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection costs at each stage, what happens when memory or budget end, and that no secret
 * is left in memory that is given back. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "conn/scratch_internal.h"
#include "tests/unit/conn/secret_conn_rig.h"

static sy_scratch *scratch;

static void setup(void) {
    cr_assert_eq(sy_scratch_new(sy_mem_libc(), &scratch), SY_OK);
}

static void teardown(void) {
    sy_scratch_del(scratch);
}

TestSuite(secret_conn_memory, .init = setup, .fini = teardown);

/* The stream of hand 2 to side 1: handshake with data behind it, then frames, last one cut. */
static void hand_stream(const sy_suite *suite, rig_bytes *in) {
    rig_keys one;
    rig_keys two;
    rig_hand hand;
    uint8_t msg[SY_FRAME_DATA_MAX] = {0};
    rig_keys_numbered(&one, 1);
    rig_keys_numbered(&two, 2);
    rig_hand_init(&hand, suite, &two, one.eph_pub);
    rig_hand_ephemeral(&hand, in);
    rig_hand_auth(&hand, msg);
    rig_hand_data(&hand, msg, suite->auth_msg_len + 300, in);
    rig_hand_data(&hand, msg, 1000, in);
    rig_hand_data(&hand, msg, 10, in);
    in->len -= 5;
}

/* Costs: less than 2 KiB before OPEN, a partial frame on top, under 4 KiB in all; less than 512
 * bytes afterwards. */
Test(secret_conn_memory, cost_at_each_stage) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_keys one;
        rig_side side;
        rig_bytes in = {.data = NULL};
        rig_bytes out = {.data = NULL};
        rig_keys_numbered(&one, 1);
        hand_stream(rig_suites[s], &in);
        rig_side_init(&side, rig_suites[s], scratch, &one);
        cr_assert_lt(side.tm.live_bytes, 2048);
        const size_t silent = side.tm.live_bytes;

        const size_t before_auth = rig_suites[s]->eph_msg_len + SY_SEALED_LEN - 1;
        cr_assert_eq(rig_side_feed(&side, in.data, before_auth, 13), SY_OK);
        cr_assert_eq(rig_side_send(&side, &out), SY_OK);
        cr_assert_eq(side.auth_events, 0);
        cr_assert_eq(side.tm.peak_bytes, silent + SY_SEALED_LEN);
        cr_assert_leq(side.tm.peak_bytes, (size_t)SY_PRE_AUTH_MAX);
        cr_assert_eq(side.tm.live_bytes, side.budget.used, "every byte is charged");

        cr_assert_eq(rig_side_feed(&side, in.data + before_auth, SY_SEALED_LEN + 1, 2000), SY_OK);
        cr_assert(sy_secret_conn_is_open(side.conn));
        cr_assert_lt(side.tm.live_bytes, 512);
        cr_assert_eq(side.tm.live_blocks, 1);
        cr_assert_eq(side.tm.live_bytes, side.budget.used);
        (void)fprintf(stderr, "%s: %zu bytes before the handshake, %zu at most in it, %zu open\n",
                      rig_suites[s]->name, silent, side.tm.peak_bytes, side.tm.live_bytes);
        rig_bytes_free(&in);
        rig_bytes_free(&out);
        rig_side_fini(&side);
    }
}

/* A scenario that allocates at every place that can: a constructor, a frame cut in the handshake,
 * a frame cut afterwards. */
static sy_err scenario(rig_side *side, const sy_suite *suite, size_t fail_at, size_t limit,
                       size_t piece) {
    rig_keys one;
    rig_bytes in = {.data = NULL};
    rig_bytes out = {.data = NULL};
    rig_keys_numbered(&one, 1);
    hand_stream(suite, &in);
    sy_err err = rig_side_try(side, suite, scratch, &one, fail_at, limit);
    if (err == SY_OK) {
        err = rig_side_send(side, &out);
    }
    if (err == SY_OK) {
        err = rig_side_feed(side, in.data, in.len, piece);
        cr_assert(err == SY_OK || side->conn != NULL);
    }
    if (err == SY_OK) {
        err = rig_side_send(side, &out);
    }
    if (err != SY_OK && side->conn != NULL) {
        size_t len = 0;
        sy_sc_event event;
        cr_assert_eq(sy_secret_conn_recv(side->conn, scratch, in.data, 1, &len, &event, NULL), err,
                     "sticky");
    }
    rig_bytes_free(&in);
    rig_bytes_free(&out);
    return err;
}

Test(secret_conn_memory, every_allocation_may_fail) {
    static const size_t pieces[] = {100, 1044, 100000};
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
            rig_side side;
            cr_assert_eq(scenario(&side, rig_suites[s], 0, 65536, pieces[p]), SY_OK);
            const size_t calls = side.tm.calls;
            rig_side_fini(&side);
            cr_assert_geq(calls, 3);
            for (size_t k = 1; k <= calls; k++) {
                cr_assert_eq(scenario(&side, rig_suites[s], k, 65536, pieces[p]), SY_ERR_NOMEM,
                             "%s: allocation %zu of %zu", rig_suites[s]->name, k, calls);
                cr_assert_eq(side.conn == NULL, k <= 2);
                rig_side_fini(&side);
            }
        }
    }
}

/* Every limit below the need is refused, and the limit that is needed is enough. */
Test(secret_conn_memory, budget_refusal) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        cr_assert_eq(scenario(&side, rig_suites[s], 0, 65536, 100), SY_OK);
        const size_t need = side.budget.peak;
        rig_side_fini(&side);
        for (size_t limit = 0; limit<need; limit += need - limit> 64 ? 61 : 1) {
            cr_assert_eq(scenario(&side, rig_suites[s], 0, limit, 100), SY_ERR_LIMIT, "limit %zu",
                         limit);
            rig_side_fini(&side);
        }
        cr_assert_eq(scenario(&side, rig_suites[s], 0, need, 100), SY_OK);
        rig_side_fini(&side);
    }
}

/* ------------------------------------------------------------------ wiping */

#define WATCH_BLOCKS 8

/* An allocator that looks at each block before it is released, and at the live ones on demand. */
typedef struct watch {
    struct {
        void *ptr;
        size_t size;
    } block[WATCH_BLOCKS];
    const uint8_t *needle[8]; /* secrets of 32 bytes */
    size_t needle_count;
    unsigned released;
    unsigned dirty_released; /* released blocks that held a secret or anything but zero */
} watch;

static bool contains(const uint8_t *data, size_t len, const uint8_t needle[32]) {
    for (size_t i = 0; i + 32 <= len; i++) {
        if (memcmp(data + i, needle, 32) == 0) {
            return true;
        }
    }
    return false;
}

static void *watch_alloc(void *user, size_t size) {
    watch *w = user;
    for (size_t i = 0; i < WATCH_BLOCKS; i++) {
        if (w->block[i].ptr == NULL) {
            w->block[i].ptr = sy_mem_zalloc(sy_mem_libc(), size);
            w->block[i].size = size;
            return w->block[i].ptr;
        }
    }
    cr_assert_fail("too many blocks");
    return NULL;
}

static void *watch_resize(void *user, void *ptr, size_t size) {
    (void)user;
    (void)ptr;
    (void)size;
    cr_assert_fail("nothing is resized");
    return NULL;
}

static void watch_release(void *user, void *ptr) {
    watch *w = user;
    for (size_t i = 0; i < WATCH_BLOCKS; i++) {
        if (ptr != NULL && w->block[i].ptr == ptr) {
            w->released++;
            w->dirty_released += !sodium_is_zero(ptr, w->block[i].size);
            w->block[i].ptr = NULL;
            sy_mem_release(sy_mem_libc(), ptr);
        }
    }
}

static bool is_live(const watch *w, const uint8_t needle[32]) {
    for (size_t i = 0; i < WATCH_BLOCKS; i++) {
        if (w->block[i].ptr != NULL && contains(w->block[i].ptr, w->block[i].size, needle)) {
            return true;
        }
    }
    return false;
}

static sy_err sign(void *user, const uint8_t *msg, size_t len, uint8_t ret_sig[64]) {
    const rig_keys *keys = user;
    crypto_sign_detached(ret_sig, NULL, msg, len, keys->sign_secret);
    return SY_OK;
}

/* The ephemeral secret is gone when the keys exist, the challenge when the connection is open, the
 * frame keys when it failed or was deleted; and every block is zero when it is given back. */
Test(secret_conn_memory, secrets_are_wiped) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (int failing = 0; failing <= 1; failing++) {
            watch w = {.released = 0};
            const sy_mem mem = {watch_alloc, watch_resize, watch_release, &w};
            rig_keys one;
            rig_keys two;
            rig_hand hand;
            rig_bytes in = {.data = NULL};
            sy_budget budget;
            sy_secret_conn *conn = NULL;
            uint8_t out[2 * SY_SEALED_LEN];
            size_t len = 0;
            sy_sc_event event;
            rig_keys_numbered(&one, 1);
            rig_keys_numbered(&two, 2);
            rig_hand_init(&hand, rig_suites[s], &two, one.eph_pub);
            hand_stream(rig_suites[s], &in);
            sy_budget_init(&budget, NULL, "peer", 65536);
            sy_signer signer = {.sign = sign, .user = &one};
            memcpy(signer.pubkey, one.sign_pub, 32);
            const uint8_t *send_key = hand.schedule.recv.key;
            const uint8_t *challenge = hand.schedule.challenge;

            cr_assert_eq(
                sy_secret_conn_new(&mem, &budget, rig_suites[s], &signer, one.eph_secret, &conn),
                SY_OK);
            cr_assert(is_live(&w, one.eph_secret), "the search finds what is there");
            const size_t eph_len = rig_suites[s]->eph_msg_len;
            cr_assert_eq(sy_secret_conn_recv(conn, scratch, in.data, eph_len, &len, &event, NULL),
                         SY_OK);
            cr_assert(!is_live(&w, one.eph_secret));
            cr_assert(is_live(&w, challenge));
            cr_assert(is_live(&w, send_key));

            cr_assert_eq(sy_secret_conn_send(conn, scratch, out, sizeof out, &len), SY_OK);
            size_t at = eph_len;
            in.data[in.len - SY_SEALED_LEN - 1] ^= (uint8_t)failing;
            sy_err err = SY_OK;
            while (at < in.len && err == SY_OK) {
                err = sy_secret_conn_recv(conn, scratch, in.data + at, in.len - at, &len, &event,
                                          NULL);
                at += err == SY_OK ? len : 0;
            }
            cr_assert_eq(err, failing ? SY_ERR_FRAME_TAG : SY_OK);
            cr_assert(!is_live(&w, challenge));
            cr_assert_eq(is_live(&w, send_key), !failing);

            sy_secret_conn_del(conn);
            cr_assert_eq(w.released, failing ? 2 : 3);
            cr_assert_eq(w.dirty_released, 0);
            sy_budget_fini(&budget);
            rig_bytes_free(&in);
        }
    }
}

/* A scratch wipes its areas. */
Test(secret_conn_memory, the_scratch_is_wiped) {
    watch w = {.released = 0};
    const sy_mem mem = {watch_alloc, watch_resize, watch_release, &w};
    sy_scratch *own = NULL;
    cr_assert_eq(sy_scratch_new(&mem, &own), SY_OK);
    memset(sy_scratch_plain_out(own), 1, SY_SCRATCH_PLAIN_OUT_CAP);
    memset(sy_scratch_plain_in(own), 1, SY_SCRATCH_PLAIN_IN_CAP);
    memset(sy_scratch_wire_out(own), 1, SY_SCRATCH_WIRE_OUT_CAP);
    sy_scratch_del(own);
    cr_assert_eq(w.released, 1);
    cr_assert_eq(w.dirty_released, 0);
}

Test(secret_conn_memory, deleting_nothing) {
    sy_secret_conn_del(NULL);
}
