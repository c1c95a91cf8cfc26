/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <criterion/criterion.h>

#include <switchyard/node_id.h>

#include "tests/support/test_hex.h"

#define ID_TEXT  "56475aa75463474c0285df5dbf2bcab73da65135"
#define ID_UPPER "56475AA75463474C0285DF5DBF2BCAB73DA65135"

/* SPEC-TEST ID-02, ID-03 */
Test(node_id, is_the_truncated_hash_of_the_raw_public_key) {
    uint8_t pubkey[SY_PUBKEY_LEN];
    test_hex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8", pubkey,
             sizeof pubkey);

    const sy_node_id id = sy_node_id_of_pubkey(pubkey);
    char text[SY_NODE_ID_TEXT_CAP];
    sy_node_id_format(&id, text);

    cr_assert_str_eq(text, ID_TEXT);
}

/* SPEC-TEST ID-04 */
Test(node_id, parse_takes_either_case_and_exactly_40_digits) {
    static const struct {
        const char *name;
        const char *text;
        size_t len;
        sy_err err;
    } rows[] = {
        {"lower case", ID_TEXT, 40, SY_OK},
        {"upper case", ID_UPPER, 40, SY_OK},
        {"mixed case", "56475Aa75463474C0285df5dbf2bcab73da65135", 40, SY_OK},
        {"bounded by its length, not by NUL", ID_TEXT "@1.2.3.4:5", 40, SY_OK},
        {"39 digits", ID_TEXT, 39, SY_ERR_ADDR_ID},
        {"38 digits", ID_TEXT, 38, SY_ERR_ADDR_ID},
        {"41 digits", ID_TEXT "0", 41, SY_ERR_ADDR_ID},
        {"42 digits", ID_TEXT "00", 42, SY_ERR_ADDR_ID},
        {"empty", "", 0, SY_ERR_ADDR_ID},
        {"a g in front", "g6475aa75463474c0285df5dbf2bcab73da65135", 40, SY_ERR_ADDR_ID},
        {"a g at the end", "56475aa75463474c0285df5dbf2bcab73da6513g", 40, SY_ERR_ADDR_ID},
        {"a space inside", "56475aa75463474c0285 f5dbf2bcab73da65135", 40, SY_ERR_ADDR_ID},
        {"a NUL inside", "56475aa75463474c0285\0f5dbf2bcab73da65135", 40, SY_ERR_ADDR_ID},
        {"0x in front", "0x475aa75463474c0285df5dbf2bcab73da65135", 40, SY_ERR_ADDR_ID},
    };
    sy_node_id expected;
    cr_assert_eq(sy_node_id_parse(ID_TEXT, 40, &expected), SY_OK);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_node_id id;
        memset(&id, 0xa5, sizeof id);
        const sy_err err = sy_node_id_parse(rows[i].text, rows[i].len, &id);
        cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].name, sy_err_name(err));
        if (rows[i].err == SY_OK) {
            cr_expect(sy_node_id_equal(&id, &expected), "%s", rows[i].name);
        } else {
            sy_node_id untouched;
            memset(&untouched, 0xa5, sizeof untouched);
            cr_expect(sy_node_id_equal(&id, &untouched), "%s: output written", rows[i].name);
        }
    }
}

Test(node_id, text_round_trips_and_is_lower_case) {
    sy_node_id id;
    cr_assert_eq(sy_node_id_parse(ID_UPPER, 40, &id), SY_OK);

    char text[SY_NODE_ID_TEXT_CAP + 1];
    memset(text, '!', sizeof text);
    sy_node_id_format(&id, text);

    cr_assert_str_eq(text, ID_TEXT);
    cr_assert_eq(text[SY_NODE_ID_TEXT_CAP], '!', "more than its buffer written");
}

Test(node_id, order_is_by_bytes) {
    sy_node_id a;
    sy_node_id b;
    cr_assert_eq(sy_node_id_parse("7f00000000000000000000000000000000000000", 40, &a), SY_OK);
    cr_assert_eq(sy_node_id_parse("8000000000000000000000000000000000000000", 40, &b), SY_OK);

    cr_assert_lt(sy_node_id_cmp(&a, &b), 0);
    cr_assert_gt(sy_node_id_cmp(&b, &a), 0);
    cr_assert_eq(sy_node_id_cmp(&a, &a), 0);
    cr_assert(!sy_node_id_equal(&a, &b));
    b = a;
    b.bytes[SY_NODE_ID_LEN - 1] = 1;
    cr_assert_lt(sy_node_id_cmp(&a, &b), 0, "the last byte counts");
}
