/* SPDX-License-Identifier: Apache-2.0 */
/* The profile of a connection by its first bytes, and the table of profiles. */
#include <criterion/criterion.h>
#include <string.h>

#include "p2p/session.h"
#include "tests/support/test_hex.h"

#define T 1u
#define C 2u
#define P 4u

static const sy_profile *const all[] = {&sy_profile_tendermint, &sy_profile_cometbft,
                                        &sy_profile_plain};

static size_t allowed_of(unsigned mask, const sy_profile *allowed[3]) {
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        if ((mask >> i & 1u) != 0) {
            allowed[count++] = all[i];
        }
    }
    return count;
}

typedef struct row {
    const char *name;
    const char *bytes;
    unsigned allowed;
    const char *profile; /* NULL: refused, "": more bytes are needed */
    const char *detail;
} row;

static const row rows[] = {
    {"nothing", "", T | C | P, "", ""},
    {"nothing, nothing allowed", "", 0, NULL, "first bytes"},
    {"tendermint, 1 byte", "21", T | C | P, "", ""},
    {"tendermint", "2120", T | C | P, "tendermint", ""},
    {"tendermint and more", "2120ffff", T, "tendermint", ""},
    {"cometbft, 1 byte", "22", T | C | P, "", ""},
    {"cometbft", "220a", T | C | P, "cometbft", ""},
    {"cometbft and more", "220a20ff", C, "cometbft", ""},
    {"plain short, 1 byte", "2a", T | C | P, "", ""},
    {"plain short, 2 bytes", "2a0a", T | C | P, "", ""},
    {"plain short, least", "2a0a28", T | C | P, "plain", ""},
    {"plain short, most", "7f0a28", T | C | P, "plain", ""},
    {"plain short, too short", "290a28", T | C | P, NULL, "first bytes 29 0a 28"},
    {"plain long, 1 byte", "80", T | C | P, "", ""},
    {"plain long, 2 bytes", "8001", T | C | P, "", ""},
    {"plain long, 3 bytes", "80010a", T | C | P, "", ""},
    {"plain long, least", "80010a28", T | C | P, "plain", ""},
    {"plain long, most", "ff4f0a28", T | C | P, "plain", ""},
    {"plain long, length not minimal", "80000a28", T | C | P, NULL, "first bytes 80 00 0a 28"},
    {"plain long, length too long", "80500a28", T | C | P, NULL, "first bytes 80 50 0a 28"},
    {"plain long, three bytes of length", "8080010a", T | C | P, NULL, "first bytes 80 80 01 0a"},
    {"plain, field 2 first", "2a1228", P, NULL, "first bytes 2a 12 28"},
    {"plain, ID of 39", "2a0a27", P, NULL, "first bytes 2a 0a 27"},
    {"tendermint, 31 bytes", "201f", T | C | P, NULL, "first bytes 20 1f"},
    {"tendermint, wrong second byte", "2121", T | C | P, NULL, "first bytes 21 21"},
    {"cometbft, wrong key", "2212", T | C | P, NULL, "first bytes 22 12"},

    {"tendermint not allowed", "2120aabb", C | P, NULL,
     "first bytes 21 20 aa bb: this is tendermint, which is not allowed"},
    {"tendermint not allowed, 1 byte", "21", C, NULL,
     "first bytes 21: this may be tendermint, which is not allowed"},
    {"cometbft not allowed", "220a20aa", T | P, NULL,
     "first bytes 22 0a 20 aa: this is cometbft, which is not allowed"},
    {"cometbft not allowed, 1 byte", "22", T, NULL,
     "first bytes 22: this may be cometbft, which is not allowed"},
    {"plain not allowed", "530a2832", T | C, NULL,
     "first bytes 53 0a 28 32: this is plain, which is not allowed"},
    {"plain long not allowed", "e3010a28", T | C, NULL,
     "first bytes e3 01 0a 28: this is plain, which is not allowed"},
    {"libp2p", "132f6d75", T | C | P, NULL, "first bytes 13 2f 6d 75: this is libp2p"},
    {"libp2p, 1 byte", "13", T | C | P, NULL, "first bytes 13: this may be libp2p"},
    {"TLS", "16030100", T | C | P, NULL, "first bytes 16 03 01 00: this is TLS"},
    {"TLS, 1 byte", "16", T | C | P, NULL, "first bytes 16: this may be TLS"},
    {"HTTP", "47455420", T | C | P, NULL, "first bytes 47 45 54 20: this is HTTP"},
    {"HTTP, 3 letters", "505249", T | C, NULL, "first bytes 50 52 49: this is HTTP"},
    {"two letters", "4745", T | C | P, NULL, "first bytes 47 45"},
    {"only 4 are shown", "0102030405", T | C | P, NULL, "first bytes 01 02 03 04"},
};

/* SPEC-TEST PR-01 PR-03 PR-04 PR-07 */
Test(profile_recognize, table) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *r = &rows[i];
        uint8_t bytes[8];
        const size_t len = test_hex(r->bytes, bytes, sizeof bytes);
        const sy_profile *allowed[3];
        const size_t count = allowed_of(r->allowed, allowed);
        const sy_profile *profile = all[0];
        sy_detail detail;
        sy_detail_clear(&detail);

        const sy_err err = sy_profile_recognize(allowed, count, bytes, len, &profile, &detail);

        if (r->profile == NULL) {
            cr_expect_eq(err, SY_ERR_PROFILE_UNKNOWN, "row %s", r->name);
            cr_expect_str_eq(detail.text, r->detail, "row %s: %s", r->name, detail.text);
            cr_expect_eq(profile, all[0], "row %s: output untouched", r->name);
            continue;
        }
        cr_expect_eq(err, SY_OK, "row %s", r->name);
        cr_expect_str_eq(profile == NULL ? "" : profile->name, r->profile, "row %s", r->name);
        cr_expect_str_eq(detail.text, "", "row %s", r->name);
    }
}

/* Every prefix of a beginning asks for more until the bytes decide, never decides otherwise, and
 * SY_RECOGNIZE_MAX bytes always decide. */
/* SPEC-TEST PR-01 */
Test(profile_recognize, every_prefix) {
    static const struct {
        const char *bytes;
        const char *profile;
        size_t decided_at;
    } beginnings[] = {{"2120aabb", "tendermint", 2},
                      {"220a20aa", "cometbft", 2},
                      {"530a2832", "plain", 3},
                      {"e3010a28", "plain", 4}};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        uint8_t bytes[SY_RECOGNIZE_MAX];
        cr_assert_eq(test_hex(beginnings[i].bytes, bytes, sizeof bytes), SY_RECOGNIZE_MAX);
        for (size_t len = 0; len <= SY_RECOGNIZE_MAX; len++) {
            const sy_profile *profile = NULL;
            cr_expect_eq(sy_profile_recognize(all, 3, bytes, len, &profile, NULL), SY_OK,
                         "%s, %zu bytes", beginnings[i].bytes, len);
            const char *want = len >= beginnings[i].decided_at ? beginnings[i].profile : "";
            cr_expect_str_eq(profile == NULL ? "" : profile->name, want, "%s, %zu bytes",
                             beginnings[i].bytes, len);
        }
    }
}

/* All beginnings over the bytes that matter: no two profiles take the same, once refused stays
 * refused, once recognised stays recognised, and 4 bytes decide. */
Test(profile_recognize, beginnings_do_not_overlap) {
    static const uint8_t tails[] = {0x00, 0x0a, 0x28, 0xff};
    for (unsigned head = 0; head < 0x10000; head++) {
        for (size_t t = 0; t < 16; t++) {
            const uint8_t bytes[] = {(uint8_t)(head >> 8), (uint8_t)head, tails[t / 4],
                                     tails[t % 4]};
            unsigned takers = 0;
            for (size_t p = 0; p < 3; p++) {
                sy_recognition before = SY_RECOGNIZED_MORE;
                for (size_t len = 0; len <= sizeof bytes; len++) {
                    const sy_recognition got = all[p]->recognize(bytes, len);
                    cr_assert(before == SY_RECOGNIZED_MORE || got == before, "%s %02x%02x",
                              all[p]->name, bytes[0], bytes[1]);
                    before = got;
                }
                cr_assert_neq(before, SY_RECOGNIZED_MORE, "%s %02x%02x", all[p]->name, bytes[0],
                              bytes[1]);
                takers += before == SY_RECOGNIZED_YES ? 1 : 0;
            }
            cr_assert_leq(takers, 1, "%02x%02x", bytes[0], bytes[1]);
        }
    }
}

Test(profile_recognize, by_name) {
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(sy_profile_by_name(all[i]->name, strlen(all[i]->name)), all[i]);
        cr_expect_null(sy_profile_by_name(all[i]->name, strlen(all[i]->name) - 1));
    }
    cr_expect_null(sy_profile_by_name("", 0));
    cr_expect_null(sy_profile_by_name(NULL, 0));
    cr_expect_null(sy_profile_by_name("Tendermint", 10));
    cr_expect_null(sy_profile_by_name("plain\0", 6));
    cr_expect_str_eq(sy_profile_tendermint.encoding, "amino");
    cr_expect_str_eq(sy_profile_cometbft.encoding, "proto");
    cr_expect_str_eq(sy_profile_plain.encoding, "amino");
}
