/* SPDX-License-Identifier: Apache-2.0 */
/* What both codecs share: limits, copies, look-up. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include <switchyard/mem.h>
#include <switchyard/node_info.h>

#include "tests/support/test_mem.h"
#include "tests/unit/nodeinfo/nodeinfo_util.h"

static const sy_node_info_codec codecs[] = {SY_NODE_INFO_AMINO, SY_NODE_INFO_PROTO};
static const char *const codec_names[] = {"amino", "proto"};

/* SPEC-TEST NI-03, NI-08 */
Test(node_info, body_max_leaves_room_for_the_prefix_in_amino) {
    cr_assert_eq(sy_node_info_body_max(SY_NODE_INFO_AMINO), 10238);
    cr_assert_eq(sy_node_info_body_max(SY_NODE_INFO_PROTO), 10240);
}

/* A body of exactly len bytes: one unknown field of the right size. */
static uint8_t *body_of(size_t len) {
    uint8_t *body = calloc(1, len);
    const size_t data_len = len - 3; /* key and a length of two bytes */
    body[0] = 9 << 3 | 2;
    body[1] = (uint8_t)(data_len | 0x80);
    body[2] = (uint8_t)(data_len >> 7);
    return body;
}

Test(node_info, decode_takes_at_most_10240_bytes) {
    static const struct {
        size_t len;
        sy_err err;
    } rows[] = {
        {SY_NODE_INFO_LEN_MAX - 1, SY_OK},
        {SY_NODE_INFO_LEN_MAX, SY_OK},
        {SY_NODE_INFO_LEN_MAX + 1, SY_ERR_NI_TOO_LONG},
    };
    for (size_t c = 0; c < 2; c++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            uint8_t *body = body_of(rows[i].len);
            bool again = false;
            const sy_err err = decode_exact(codecs[c], body, rows[i].len, &again);
            cr_expect_eq(err, rows[i].err, "%s %zu: %s", codec_names[c], rows[i].len,
                         sy_err_name(err));
            free(body);
        }
        sy_node_info info;
        sy_detail detail;
        uint8_t *body = body_of(10241);
        cr_expect_eq(sy_node_info_decode(codecs[c], body, 10241, &info, &detail),
                     SY_ERR_NI_TOO_LONG);
        cr_expect_str_eq(detail.text, "NodeInfo of 10241 bytes, at most 10240");
        free(body);
    }
}

/* The encoder stops where a remote would refuse; one byte of moniker is one byte of body. */
Test(node_info, encode_stops_at_the_limit_of_the_remote) {
    static char moniker[SY_NODE_INFO_LEN_MAX];
    uint8_t *out = malloc(SY_NODE_INFO_LEN_MAX + 16);
    memset(moniker, 'm', sizeof moniker);

    for (size_t c = 0; c < 2; c++) {
        const size_t max = sy_node_info_body_max(codecs[c]);
        sy_node_info info = test_info();
        size_t len = 0;
        info.moniker = (sy_text){moniker, 1000};
        cr_assert_eq(sy_node_info_encode(codecs[c], &info, out, max, &len), SY_OK);
        const size_t rest = len - 1000;

        for (int delta = -1; delta <= 1; delta++) {
            info.moniker.len = max - rest + (size_t)delta;
            len = 12345;
            const sy_err err = sy_node_info_encode(codecs[c], &info, out, max + 16, &len);
            cr_expect_eq(err, delta <= 0 ? SY_OK : SY_ERR_NI_TOO_LONG, "%s %+d: %s", codec_names[c],
                         delta, sy_err_name(err));
            cr_expect_eq(len, delta <= 0 ? max + (size_t)delta : 12345, "%s %+d: %zu",
                         codec_names[c], delta, len);
        }
    }
    free(out);
}

Test(node_info, encode_needs_exactly_its_length) {
    for (size_t c = 0; c < 2; c++) {
        const sy_node_info info = test_info();
        uint8_t whole[512];
        size_t len = 0;
        cr_assert_eq(sy_node_info_encode(codecs[c], &info, whole, sizeof whole, &len), SY_OK);

        for (size_t cap = 0; cap <= len; cap++) {
            uint8_t *out = malloc(cap > 0 ? cap : 1);
            size_t got = 12345;
            const sy_err err =
                sy_node_info_encode(codecs[c], &info, cap > 0 ? out : NULL, cap, &got);
            if (cap < len) {
                cr_assert_eq(err, SY_ERR_NO_SPACE, "%s cap %zu", codec_names[c], cap);
                cr_assert_eq(got, 12345, "%s cap %zu: length written", codec_names[c], cap);
            } else {
                cr_assert_eq(err, SY_OK, "%s", codec_names[c]);
                cr_assert_eq(got, len, "%s", codec_names[c]);
                cr_assert_arr_eq(out, whole, len, "%s", codec_names[c]);
            }
            free(out);
        }
    }
}

static bool no_view_of(const sy_node_info *copy, const sy_node_info *from) {
    bool apart = copy->id.data != from->id.data && copy->network.data != from->network.data &&
                 copy->channels != from->channels && copy->moniker.data != from->moniker.data;
    for (size_t i = 0; i < 2; i++) {
        apart = apart && copy->other[i].data != from->other[i].data;
    }
    return apart;
}

Test(node_info, a_copy_owns_all_its_bytes) {
    test_mem tm;
    test_mem_init(&tm);
    sy_budget budget;
    sy_budget_init(&budget, NULL, "peer", 4096);
    const sy_node_info info = test_info();

    sy_node_info *copy = NULL;
    cr_assert_eq(sy_node_info_copy(&tm.mem, &budget, &info, &copy), SY_OK);

    cr_assert(info_equal(copy, &info));
    cr_assert(no_view_of(copy, &info));
    cr_assert_eq(tm.live_blocks, 1, "one block");
    cr_assert_eq(budget.used, tm.live_bytes, "charged what is held");
    cr_assert_geq(budget.used, sizeof(sy_node_info));
    sy_node_info_del(&tm.mem, &budget, copy);
    cr_assert_eq(budget.used, 0);
    sy_node_info_del(&tm.mem, &budget, NULL);
    sy_budget_fini(&budget);
    test_mem_fini(&tm);
}

Test(node_info, a_copy_of_nothing_has_valid_pointers) {
    test_mem tm;
    test_mem_init(&tm);
    const sy_node_info info = {0};

    sy_node_info *copy = NULL;
    cr_assert_eq(sy_node_info_copy(&tm.mem, NULL, &info, &copy), SY_OK);

    cr_assert(info_equal(copy, &info));
    cr_assert_not_null(copy->id.data);
    cr_assert_not_null(copy->rpc_address.data);
    cr_assert_not_null(copy->channels);
    sy_node_info_del(&tm.mem, NULL, copy);
    test_mem_fini(&tm);
}

/* The longest NodeInfo, all of it entries of other: the copy must hold those that are not kept. */
Test(node_info, a_copy_holds_the_entries_that_are_not_kept) {
    enum {
        COUNT = 3000
    };
    uint8_t body[COUNT * 3];
    for (size_t i = 0; i < COUNT; i++) {
        body[3 * i] = 0x3a;
        body[3 * i + 1] = 1;
        body[3 * i + 2] = (uint8_t)('a' + i % 26);
    }
    test_mem tm;
    test_mem_init(&tm);
    sy_node_info info;
    sy_node_info *copy = NULL;
    cr_assert_eq(sy_node_info_decode(SY_NODE_INFO_AMINO, body, sizeof body, &info, NULL), SY_OK);
    cr_assert_eq(info.other_count, COUNT);
    cr_assert_eq(sy_node_info_copy(&tm.mem, NULL, &info, &copy), SY_OK);

    uint8_t again[sizeof body];
    size_t len = 0;
    cr_assert_eq(sy_node_info_encode(SY_NODE_INFO_AMINO, copy, again, sizeof again, &len), SY_OK);

    cr_assert_eq(len, sizeof body);
    cr_assert_arr_eq(again, body, len);
    sy_node_info_del(&tm.mem, NULL, copy);
    test_mem_fini(&tm);
}

/* Method: count the allocations of one copy, then fail each of them in turn; then the budget at
 * one byte too little and at exactly enough. */
Test(node_info, copy_fails_cleanly_without_memory_or_budget) {
    const sy_node_info info = test_info();
    test_mem tm;
    test_mem_init(&tm);
    sy_node_info *copy = NULL;
    cr_assert_eq(sy_node_info_copy(&tm.mem, NULL, &info, &copy), SY_OK);
    const size_t calls = tm.calls;
    const size_t size = tm.live_bytes;
    sy_node_info_del(&tm.mem, NULL, copy);
    test_mem_fini(&tm);
    cr_assert_eq(calls, 1);

    for (size_t k = 1; k <= calls; k++) {
        sy_budget budget;
        sy_budget_init(&budget, NULL, "peer", size);
        test_mem_init(&tm);
        tm.fail_at = k;
        copy = NULL;
        cr_expect_eq(sy_node_info_copy(&tm.mem, &budget, &info, &copy), SY_ERR_NOMEM, "call %zu",
                     k);
        cr_expect_null(copy, "call %zu: output written", k);
        cr_expect_eq(budget.used, 0, "call %zu: still charged", k);
        test_mem_fini(&tm);
        sy_budget_fini(&budget);
    }

    for (size_t short_by = 0; short_by <= 1; short_by++) {
        sy_budget node;
        sy_budget peer;
        sy_budget_init(&node, NULL, "node", size - short_by);
        sy_budget_init(&peer, &node, "peer", size + 1);
        test_mem_init(&tm);
        copy = NULL;
        const sy_err err = sy_node_info_copy(&tm.mem, &peer, &info, &copy);
        cr_expect_eq(err, short_by == 0 ? SY_OK : SY_ERR_LIMIT, "short by %zu: %s", short_by,
                     sy_err_name(err));
        cr_expect_eq(copy == NULL, short_by == 1);
        sy_node_info_del(&tm.mem, &peer, copy);
        cr_expect_eq(peer.used, 0);
        test_mem_fini(&tm);
        sy_budget_fini(&peer);
        sy_budget_fini(&node);
    }
}

Test(node_info, has_channel_looks_at_every_entry) {
    const uint8_t list[] = {0x40, 0x00, 0xff};
    sy_node_info info = {0};
    for (unsigned id = 0; id < 256; id++) {
        cr_assert(!sy_node_info_has_channel(&info, (uint8_t)id), "empty list, %02x", id);
    }
    info.channels = list;
    info.channel_count = sizeof list;
    for (unsigned id = 0; id < 256; id++) {
        const bool listed = id == 0x40 || id == 0x00 || id == 0xff;
        cr_assert_eq(sy_node_info_has_channel(&info, (uint8_t)id), listed, "%02x", id);
    }
}
