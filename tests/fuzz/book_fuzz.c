/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an address book.  First byte: 1 notes instead of the book, 2 not strict, 4 the other
 * project's dialect when it is written; second byte: when allocations fail.  A damaged file is said
 * to be so and leaves the book empty; what is taken is written and read again as the same book. */
#include <string.h>

#include "p2p/addr_book_internal.h"
#include "tests/fuzz/support/fuzz.h"

#define HONEST                                                                                     \
    "{\"key\":\"k\",\"addrs\":[{\"addr\":{\"id\":\"56475aa75463474c0285df5dbf2bcab73da65135\","    \
    "\"ip\":\"9.9.9.9\",\"port\":1},\"attempts\":0,\"bucket_type\":1},{\"addr\":{\"id\":"          \
    "\"24f6ed6acbfe1009c030d7ca567c33ca48309114\",\"ip\":\"8.8.8.8\",\"port\":2},\"attempts\":0,"  \
    "\"bucket_type\":2}]}"

static sy_addr_book *book_new(const test_mem *tm, bool strict) {
    sy_addr_book_settings settings;
    sy_addr_book *book = NULL;
    sy_addr_book_settings_default(&settings);
    settings.mem = &tm->mem;
    settings.strict = strict;
    settings.network = "fuzz";
    return sy_addr_book_new(&settings, &book) == SY_OK ? book : NULL;
}

static bool load(sy_addr_book *book, const char *text, size_t len, bool is_tight) {
    sy_detail detail = {.text = ""};
    sy_addr_book_load_stats stats = {0};
    const sy_err err = sy_addr_book_load(book, text, len, &stats, &detail);
    fuzz_check_detail(&detail);
    FUZZ_CHECK(sy_book_check(book));
    if (err != SY_OK) {
        FUZZ_CHECK(err == SY_ERR_CONFIG ? detail.text[0] != '\0' : err == SY_ERR_NOMEM && is_tight);
        FUZZ_CHECK(book->untested + book->tested == 0);
        return false;
    }
    FUZZ_CHECK(stats.kept == book->untested + book->tested);
    FUZZ_CHECK(stats.kept + stats.invalid + stats.refused + stats.crowded == stats.read);
    return true;
}

static void check_notes(sy_addr_book *book, const char *text, size_t len, bool *ret_is_taken) {
    sy_detail detail = {.text = ""};
    const size_t before = book->untested + book->tested;
    const sy_err err = sy_addr_book_load_notes(book, text, len, &detail);
    fuzz_check_detail(&detail);
    FUZZ_CHECK(err == SY_OK || (err == SY_ERR_CONFIG && detail.text[0] != '\0'));
    FUZZ_CHECK(sy_book_check(book) && book->untested + book->tested <= before);
    FUZZ_CHECK(err == SY_OK || book->untested + book->tested == before);
    *ret_is_taken = err == SY_OK;
}

/* Every address of a is in b, tested or not as there. */
static void check_same(const sy_addr_book *a, const sy_addr_book *b) {
    size_t cursor = 0;
    sy_addr_book_view view;
    sy_addr_book_view other;
    while (sy_addr_book_next(a, &cursor, &view)) {
        FUZZ_CHECK(sy_addr_book_find(b, &view.addr.id, &other));
        FUZZ_CHECK(sy_endpoint_equal(&view.addr.endpoint, &other.addr.endpoint));
        FUZZ_CHECK(view.attempts == other.attempts && view.tested == other.tested);
    }
    FUZZ_CHECK(a->untested + a->tested == b->untested + b->tested);
}

/* A sweep of the memory is the first book's; this one has what it needs. */
static void check_written(sy_addr_book *book, sy_book_dialect dialect, bool strict) {
    char *text = NULL;
    char *notes = NULL;
    size_t len = 0;
    size_t notes_len = 0;
    test_mem tm;
    test_mem_init(&tm);
    if (sy_addr_book_write(book, dialect, &text, &len) == SY_OK) {
        sy_addr_book *again = book_new(&tm, strict);
        FUZZ_CHECK(load(again, text, len, false));
        check_same(book, again);
        if (sy_addr_book_write_notes(book, &notes, &notes_len) == SY_OK) {
            bool is_taken = false;
            check_notes(again, notes, notes_len, &is_taken);
            FUZZ_CHECK(is_taken);
            check_same(book, again);
            sy_addr_book_text_del(book, notes);
        }
        sy_addr_book_text_del(book, text);
        sy_addr_book_del(again);
    }
    test_mem_fini(&tm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    const uint8_t flags = fuzz_u8(&in);
    const bool strict = (flags & 2) == 0;
    bool is_taken = false;
    test_mem tm;
    test_mem_init(&tm);
    tm.fail_at = fuzz_u8(&in);
    const bool is_tight = tm.fail_at != 0;
    sy_addr_book *book = book_new(&tm, strict);
    FUZZ_CHECK(book != NULL || is_tight);
    const char *text = (const char *)in.pos;
    if (book != NULL && (flags & 1) == 0) {
        is_taken = load(book, text, fuzz_left(&in), is_tight);
    } else if (book != NULL && load(book, HONEST, sizeof HONEST - 1, is_tight)) {
        check_notes(book, text, fuzz_left(&in), &is_taken);
    }
    if (is_taken) {
        check_written(book, (flags & 4) == 0 ? SY_BOOK_COMETBFT : SY_BOOK_TENDERMINT, strict);
    }
    sy_addr_book_del(book);
    test_mem_fini(&tm);
    fuzz_count(is_taken);
    return 0;
}
