/* SPDX-License-Identifier: Apache-2.0 */
/* addrbook.json of both projects, the notes, and the times in them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr_book_fixture.h"

/* SPEC-TEST BOOK-30 */
Test(addr_book_file, reads_times) {
    static const struct {
        const char *text;
        bool good;
        int64_t ns;
    } rows[] = {
        {"1970-01-01T00:00:00Z", true, 0},
        {"2026-11-21T00:22:12.431423765Z", true, 1795220532431423765},
        {"2026-11-21T02:22:12.431423765+02:00", true, 1795220532431423765},
        {"2026-11-20T18:52:12.431423765-05:30", true, 1795220532431423765},
        {"2024-02-29T23:59:59.5Z", true, 1709251199500000000},
        {"1969-12-31T23:59:59.999999999Z", true, -1},
        {"0001-01-01T00:00:00Z", true, SY_BOOK_NEVER},
        {"2023-02-29T00:00:00Z", false, 0},
        {"2023-13-01T00:00:00Z", false, 0},
        {"2023-01-01T24:00:00Z", false, 0},
        {"2023-01-01T00:00:00", false, 0},
        {"2023-01-01T00:00:00.Z", false, 0},
        {"2023-01-01 00:00:00Z", false, 0},
        {"2023-01-01T00:00:00Zx", false, 0},
        {"2023-01-01T00:00:00+0200", false, 0},
        {"2300-01-01T00:00:00Z", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ns = 77;
        const bool good = sy_book_time_parse(rows[i].text, strlen(rows[i].text), &ns);
        cr_expect_eq(good, rows[i].good, "%s", rows[i].text);
        cr_expect(!good || ns == rows[i].ns, "%s: %lld", rows[i].text, (long long)ns);
    }
    sy_prng prng;
    sy_prng_init(&prng, 1);
    for (int i = 0; i < 20000; i++) {
        char text[BOOK_TIME_CAP];
        int64_t back = 0;
        const int64_t ns = (int64_t)(sy_prng_next(&prng) >> 1) - INT64_MAX / 2;
        sy_book_time_format(ns, text);
        cr_assert(sy_book_time_parse(text, strlen(text), &back), "%s", text);
        cr_assert_eq(back, ns, "%s", text);
    }
}

/* What CometBFT v0.38 writes, shortened; ours must take each field from it. */
static const char comet_file[] =
    "{\n\t\"key\": \"15c02a1cb1dfae15cd6ea65b\",\n\t\"addrs\": [\n\t\t{\n"
    "\t\t\t\"addr\": {\n\t\t\t\t\"id\": \"24f6ed6acbfe1009c030d7ca567c33ca48309114\",\n"
    "\t\t\t\t\"ip\": \"5.6.7.8\",\n\t\t\t\t\"port\": 26656\n\t\t\t},\n"
    "\t\t\t\"src\": {\n\t\t\t\t\"id\": \"56475aa75463474c0285df5dbf2bcab73da65135\",\n"
    "\t\t\t\t\"ip\": \"2001:db9::1\",\n\t\t\t\t\"port\": 1\n\t\t\t},\n"
    "\t\t\t\"buckets\": [\n\t\t\t\t13\n\t\t\t],\n\t\t\t\"attempts\": 2,\n"
    "\t\t\t\"bucket_type\": 2,\n"
    "\t\t\t\"last_attempt\": \"2026-11-21T00:22:12.431423765Z\",\n"
    "\t\t\t\"last_success\": \"2026-11-21T00:22:11.5Z\",\n"
    "\t\t\t\"last_ban_time\": \"0001-01-01T00:00:00Z\"\n\t\t}\n\t]\n}";

/* SPEC-TEST BOOK-27 BOOK-28 */
Test(addr_book_file, reads_and_writes_both_dialects) {
    fx_book fx;
    fx_book_init(&fx, true, 1);
    sy_detail detail;
    sy_addr_book_load_stats stats;
    cr_assert_eq(sy_addr_book_load(fx.book, comet_file, strlen(comet_file), &stats, &detail), SY_OK,
                 "%s", detail.text);
    cr_expect_eq(stats.read, 1);
    cr_expect_eq(stats.kept, 1);
    size_t cursor = 0;
    sy_addr_book_view view;
    cr_assert(sy_addr_book_next(fx.book, &cursor, &view));
    cr_expect(view.tested);
    cr_expect_eq(view.attempts, 2);
    cr_expect_eq(view.last_attempt.unix_ns, 1795220532431423765);
    cr_expect_eq(view.last_success.unix_ns, 1795220531500000000);
    cr_expect_eq(view.addr.endpoint.port, 26656);
    cr_expect_eq(view.source.endpoint.port, 1);

    static const char *const order[2][9] = {
        {"\"addr\"", "\"src\"", "\"buckets\"", "\"attempts\"", "\"bucket_type\"",
         "\"last_attempt\"", "\"last_success\"", "\"last_ban_time\"", NULL},
        {"\"addr\"", "\"src\"", "\"attempts\"", "\"last_attempt\"", "\"last_success\"",
         "\"bucket_type\"", "\"buckets\"", NULL, NULL},
    };
    for (int dialect = 0; dialect < 2; dialect++) {
        char *text;
        size_t len;
        cr_assert_eq(sy_addr_book_write(fx.book, (sy_book_dialect)dialect, &text, &len), SY_OK);
        cr_expect_eq(strlen(text), len);
        cr_expect(strstr(text, "\"key\": \"15c02a1cb1dfae15cd6ea65b\"") != NULL);
        cr_expect(strstr(text, "\"ip\": \"2001:db9::1\"") != NULL);
        cr_expect(strstr(text, "\"2026-11-21T00:22:11.5Z\"") != NULL);
        const char *at = text;
        for (size_t i = 0; order[dialect][i] != NULL; i++) {
            at = strstr(at, order[dialect][i]);
            cr_assert_not_null(at, "dialect %d lacks %s in its place", dialect, order[dialect][i]);
        }
        cr_expect_eq(strstr(text, "last_ban_time") == NULL, dialect == SY_BOOK_TENDERMINT);
        sy_addr_book_text_del(fx.book, text);
    }
    fx_book_fini(&fx);
}

static char *write_book(fx_book *fx, sy_book_dialect dialect, size_t *ret_len) {
    char *text;
    cr_assert_eq(sy_addr_book_write(fx->book, dialect, &text, ret_len), SY_OK);
    return text;
}

/* SPEC-TEST BOOK-29 BOOK-31: what we wrote we read, with the same places; also twice. */
Test(addr_book_file, round_trip) {
    for (int dialect = 0; dialect < 2; dialect++) {
        fx_book a;
        fx_book b;
        fx_book_init(&a, true, 3);
        fx_book_init(&b, true, 4);
        for (uint32_t i = 0; i < 3000; i++) {
            const sy_net_addr addr = fx_addr(i, FX_IP(1 + i % 100, i % 250, i / 250, 1), 1);
            a.now += 1234567;
            (void)fx_tell(&a, addr, fx_addr(i, FX_IP(110 + i % 10, 1, 1, 1), 7));
            (void)fx_tell(&a, addr, fx_addr(i, FX_IP(120 + i % 10, 1, 1, 1), 7));
            if (i % 3 == 0) {
                fx_good(&a, addr);
            } else if (i % 3 == 1) {
                fx_fail(&a, addr, 1 + i % 5);
            }
        }
        size_t len;
        size_t len2;
        char *text = write_book(&a, (sy_book_dialect)dialect, &len);
        sy_detail detail;
        sy_addr_book_load_stats stats;
        cr_assert_eq(sy_addr_book_load(b.book, text, len, &stats, &detail), SY_OK, "%s",
                     detail.text);
        cr_expect_eq(stats.kept, fx_size(&a));
        cr_expect_eq(stats.invalid + stats.refused + stats.crowded, 0);
        cr_expect(sy_book_check(b.book));
        char *again = write_book(&b, (sy_book_dialect)dialect, &len2);
        cr_expect(len == len2 && memcmp(text, again, len) == 0, "dialect %d", dialect);
        sy_addr_book_text_del(a.book, text);
        sy_addr_book_text_del(b.book, again);
        fx_book_fini(&a);
        fx_book_fini(&b);
    }
}

#define ADDR "{\"id\":\"24f6ed6acbfe1009c030d7ca567c33ca48309114\",\"ip\":\"5.6.7.8\",\"port\":1}"
#define HEAD "{\"key\":\"15c02a1cb1dfae15cd6ea65b\",\"addrs\":["
#define MORE "\"src\":" ADDR ",\"attempts\":0,\"bucket_type\":1,\"buckets\":[0]"
#define TAIL "]}"

/* SPEC-TEST BOOK-27: damage is named and leaves an empty book; the last row is the twin that is
 * whole. */
Test(addr_book_file, names_the_damage) {
    static const struct {
        const char *text;
        const char *says; /* NULL: good */
    } rows[] = {
        {"", "line"},
        {"{\"key\":\"k\",\n\"addrs\":[}", "line 2"},
        {"[]", "not an object"},
        {"{\"addrs\":[]}", "key"},
        {"{\"key\":\"\",\"addrs\":[]}", "key"},
        {"{\"key\":\"k\"}", "addrs is missing"},
        {"{\"key\":\"k\",\"addrs\":{}}", "addrs is not an array"},
        {HEAD "7" TAIL, "addrs[0] is not an object"},
        {HEAD "{" MORE "}" TAIL, "addrs[0].addr is missing"},
        {HEAD "{\"addr\":7," MORE "}" TAIL, "addrs[0].addr is not an object"},
        {HEAD "{\"addr\":{\"id\":7}," MORE "}" TAIL, "addrs[0].addr has an id"},
        {HEAD "{\"addr\":{\"port\":65536}," MORE "}" TAIL, "addrs[0].addr has a port"},
        {HEAD "{\"addr\":" ADDR ",\"attempts\":-1,\"bucket_type\":1}" TAIL, "attempts"},
        {HEAD "{\"addr\":" ADDR ",\"attempts\":0,\"bucket_type\":3}" TAIL, "bucket_type"},
        {HEAD "{\"addr\":" ADDR ",\"attempts\":0}" TAIL, "bucket_type is missing"},
        {HEAD "{\"addr\":" ADDR ",\"attempts\":0,\"bucket_type\":1,\"buckets\":[256]}" TAIL,
         "buckets"},
        {HEAD "{\"addr\":" ADDR ",\"attempts\":0,\"bucket_type\":2,\"buckets\":[64]}" TAIL,
         "buckets"},
        {HEAD "{\"addr\":" ADDR ",\"attempts\":0,\"bucket_type\":2,\"buckets\":\"0\"}" TAIL,
         "buckets"},
        {HEAD "{\"addr\":" ADDR "," MORE ",\"last_attempt\":\"yesterday\"}" TAIL, "last_attempt"},
        {HEAD "{\"addr\":" ADDR "," MORE ",\"last_success\":5}" TAIL, "last_success"},
        {HEAD "{\"addr\":" ADDR "," MORE "},{\"addr\":1," MORE "}" TAIL, "addrs[1]"},
        {HEAD "{\"addr\":" ADDR "," MORE "}" TAIL, NULL},
        {HEAD TAIL, NULL},
        {"{\"key\":\"k\",\"addrs\":null}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fx_book fx;
        fx_book_init(&fx, true, 1);
        sy_detail detail;
        const sy_err err =
            sy_addr_book_load(fx.book, rows[i].text, strlen(rows[i].text), NULL, &detail);
        cr_expect_eq(err, rows[i].says == NULL ? SY_OK : SY_ERR_CONFIG, "row %zu: %s", i,
                     detail.text);
        if (rows[i].says != NULL) {
            cr_expect(strstr(detail.text, rows[i].says) != NULL, "row %zu: %s", i, detail.text);
            cr_expect_eq(fx_size(&fx), 0, "row %zu", i);
        }
        fx_book_fini(&fx);
    }
}

/* SPEC-TEST BOOK-27: what real books hold and no address can be is left out and counted. */
Test(addr_book_file, leaves_out_what_cannot_be_dialed) {
    static const char text[] =
        HEAD "{\"addr\":{\"id\":\"\",\"ip\":\"5.6.7.8\",\"port\":1}," MORE "},"
             "{\"addr\":{\"id\":\"24f6ed6acbfe1009c030d7ca567c33ca48309114\",\"ip\":\"x\",\"port\":"
             "1}," MORE "},"
             "{\"addr\":{\"id\":\"24f6ed6acbfe1009c030d7ca567c33ca48309114\",\"ip\":\"5.6.7.8\","
             "\"port\":0}," MORE "},"
             "{\"addr\":{\"id\":\"24f6ed6acbfe1009c030d7ca567c33ca48309114\",\"ip\":\"10.6.7.8\","
             "\"port\":1}," MORE "},"
             "{\"addr\":" ADDR "," MORE "},{\"addr\":" ADDR "," MORE "}" TAIL;
    fx_book fx;
    fx_book_init(&fx, true, 1);
    sy_addr_book_load_stats stats;
    sy_detail detail;
    cr_assert_eq(sy_addr_book_load(fx.book, text, strlen(text), &stats, &detail), SY_OK);
    cr_expect_eq(stats.read, 6);
    cr_expect_eq(stats.invalid, 4);
    cr_expect_eq(stats.refused, 1);
    cr_expect_eq(stats.kept, 1);
    fx_book_fini(&fx);
}

/* SPEC-TEST BOOK-31: more of one group than may stay; later ones push earlier ones out, and every
 * address of the file is in one of the counts. */
Test(addr_book_file, counts_what_found_no_room) {
    enum {
        COUNT = 700,
        CAP = 256
    };
    char *text = calloc(COUNT, CAP);
    size_t len = (size_t)snprintf(text, CAP, "{\"key\":\"k\",\"addrs\":[");
    for (unsigned i = 0; i < COUNT; i++) {
        len += (size_t)snprintf(text + len, CAP,
                                "%s{\"addr\":{\"id\":\"%040x\",\"ip\":\"9.9.%u.%u\",\"port\":1},"
                                "\"attempts\":0,\"bucket_type\":2}",
                                i == 0 ? "" : ",", i + 1, i / 200, i % 200);
    }
    len += (size_t)snprintf(text + len, CAP, "]}");
    fx_book fx;
    fx_book_init(&fx, true, 1);
    sy_addr_book_load_stats stats;
    sy_detail detail;
    cr_assert_eq(sy_addr_book_load(fx.book, text, len, &stats, &detail), SY_OK, "%s", detail.text);
    cr_expect_eq(stats.read, COUNT);
    cr_expect_eq(stats.kept, fx_size(&fx));
    cr_expect_gt(stats.kept, 0);
    cr_expect_gt(stats.crowded, 0);
    cr_expect_eq(stats.kept + stats.invalid + stats.refused + stats.crowded, stats.read);
    fx_book_fini(&fx);
    free(text);
}

/* SPEC-TEST BOOK-32 BOOK-33 */
Test(addr_book_file, notes_round_trip) {
    fx_book a;
    fx_book b;
    fx_book_init(&a, true, 3);
    fx_book_init(&b, true, 4);
    const sy_net_addr one = fx_addr(1, FX_IP(1, 1, 1, 1), 11);
    const sy_net_addr two = fx_addr(2, FX_IP(2, 2, 2, 2), 22);
    (void)fx_tell(&a, one, two);
    (void)fx_tell(&a, two, one);
    fx_good(&a, one);
    a.src.ops->set_anchors(a.src.source, &one, 1);
    size_t len;
    size_t notes_len;
    char *notes;
    char *text = write_book(&a, SY_BOOK_COMETBFT, &len);
    cr_assert_eq(sy_addr_book_write_notes(a.book, &notes, &notes_len), SY_OK);

    sy_detail detail;
    cr_assert_eq(sy_addr_book_load(b.book, text, len, NULL, &detail), SY_OK);
    cr_assert_eq(sy_addr_book_load_notes(b.book, notes, notes_len, &detail), SY_OK, "%s",
                 detail.text);
    cr_expect_str_eq(b.src.ops->profile(b.src.source, &one.id), "tendermint");
    cr_expect_str_eq(b.src.ops->profile(b.src.source, &two.id), "");
    sy_net_addr anchors[SY_ADDR_ANCHORS_MAX];
    cr_assert_eq(b.src.ops->anchors(b.src.source, anchors, SY_ADDR_ANCHORS_MAX), 1);
    cr_expect(memcmp(&anchors[0], &one, sizeof one) == 0);

    /* Known to be of another network: gone. */
    static const char other[] =
        "{\"version\":1,\"peers\":[{\"id\":\"0100000000000000000000000000000000000001\","
        "\"profiles\":[],\"network\":\"elsewhere\"}]}";
    cr_assert_eq(sy_addr_book_load_notes(b.book, other, strlen(other), &detail), SY_OK);
    cr_expect_eq(fx_size(&b), 1);

    static const char *const bad[] = {"{", "{}", "{\"version\":2,\"peers\":[]}",
                                      "{\"version\":1,\"peers\":[{\"id\":\"x\"}]}",
                                      "{\"version\":1,\"peers\":[],\"anchors\":[\"x\"]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(sy_addr_book_load_notes(b.book, bad[i], strlen(bad[i]), &detail),
                     SY_ERR_CONFIG, "row %zu", i);
    }
    sy_addr_book_text_del(a.book, text);
    sy_addr_book_text_del(a.book, notes);
    fx_book_fini(&a);
    fx_book_fini(&b);
}
