/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out: each allocation of a life of the reactor and its book fails once, and every
 * one from some point on. */
#include <criterion/criterion.h>

#include <string.h>

#include <jansson.h>

#include <switchyard/addr_book.h>

#include "p2p/addr_book_internal.h"
#include "tests/support/test_mem.h"
#include "tests/unit/pex/rig.h"

static sy_err make_book(const sy_mem *mem, sy_addr_book **ret_book) {
    sy_addr_book_settings settings;
    sy_addr_book_settings_default(&settings);
    settings.mem = mem;
    settings.network = "chain";
    settings.seed = 3;
    return sy_addr_book_new(&settings, ret_book);
}

static void answer(void *user, rig *r, sy_peer *peer) {
    sy_net_addr list[SY_ADDR_SAMPLE_MAX];
    uint32_t *next = user;
    for (size_t i = 0; i < SY_ADDR_SAMPLE_MAX; i++, ++*next) {
        list[i] = rig_node(100 + *next, RIG_IP(20 + *next % 100, *next / 100 % 250, 1, 1));
    }
    rig_list(r, peer, list, SY_ADDR_SAMPLE_MAX);
}

static void save(void *user, sy_time now) {
    const sy_addr_book *book = user;
    char *text;
    size_t len;
    (void)now;
    if (sy_addr_book_write(book, SY_BOOK_COMETBFT, &text, &len) == SY_OK) {
        sy_addr_book_text_del(book, text);
    }
}

/* Peers come, are asked, tell, are dialed and go; the book is saved.  Returns whether the reactor
 * could be made. */
static bool live(test_mem *tm) {
    sy_addr_book *book;
    sy_pex_config config;
    uint32_t next = 0;
    const rig_world world = {.user = &next, .asked = answer};
    const sy_err err = make_book(&tm->mem, &book);
    if (err != SY_OK) {
        cr_assert_eq(err, SY_ERR_NOMEM);
        return false;
    }
    sy_pex_config_default(&config);
    config.mem = &tm->mem;
    config.source = sy_addr_book_source(book);
    config.save = save;
    config.save_user = book;
    rig *r = rig_try_new(&config, &world, 5, SY_SEC);
    if (r != NULL) {
        for (uint32_t i = 0; i < 4; i++) {
            const sy_net_addr node = rig_node(1 + i, RIG_IP(5 + i, 6, 7, 8));
            cr_assert_neq(rig_accept(r, &node.id, &node.endpoint, "0.0.0.0:26656", RIG_OUTBOUND),
                          NULL);
            sy_peer *visitor =
                rig_accept(r, &(sy_node_id){{(uint8_t)i, 9}}, &node.endpoint, ":1", RIG_INBOUND);
            rig_request(r, visitor);
        }
        rig_run_for(r, 3 * SY_MIN);
        cr_expect(sy_book_check(book));
        rig_del(r);
    }
    cr_expect(sy_book_check(book));
    sy_addr_book_del(book);
    return r != NULL;
}

/* Every allocation fails once, and everything from it on; a peer that cannot be remembered is a
 * peer nevertheless. */
Test(pex_memory, every_allocation_may_fail) {
    test_mem tm;
    test_mem_init(&tm);
    cr_assert(live(&tm));
    const size_t calls = tm.calls;
    test_mem_fini(&tm);
    cr_assert_gt(calls, 12);
    size_t refused = 0;
    for (int from = 0; from < 2; from++) {
        for (size_t k = 1; k <= calls; k++) {
            test_mem_init(&tm);
            tm.fail_at = k;
            tm.fail_from = from == 1;
            refused += !live(&tm);
            test_mem_fini(&tm);
        }
    }
    /* The book's and the reactor's own blocks, in both rounds; the rest is borne. */
    cr_expect_geq(refused, 2 * 8);
    cr_expect_lt(refused, 2 * calls);
}

/* ---- Reading files -----------------------------------------------------------------------------
 */

/* jansson's blocks: their number, and the one that fails. */
static size_t json_calls;
static size_t json_fail_at;
static bool json_fail_from;
static size_t json_live;

static void *json_take(size_t size) {
    json_calls++;
    if (json_fail_at != 0 &&
        (json_calls == json_fail_at || (json_fail_from && json_calls > json_fail_at))) {
        return NULL;
    }
    json_live++;
    return malloc(size);
}

static void json_give(void *block) {
    if (block != NULL) {
        json_live--;
        free(block);
    }
}

typedef struct written {
    char *book;
    size_t book_len;
    char *notes;
    size_t notes_len;
} written;

#define KNOWN 40

static sy_addr_book *write_files(written *files) {
    sy_addr_book *book;
    cr_assert_eq(make_book(NULL, &book), SY_OK);
    const sy_addr_source source = sy_addr_book_source(book);
    sy_net_addr addr;
    for (uint32_t i = 0; i < KNOWN; i++) {
        addr = rig_node(1 + i, RIG_IP(20 + i, 6, 7, 8));
        const sy_addr_news news = {addr, addr, SY_ADDR_TOLD_SELF, "cometbft"};
        cr_assert_eq(source.ops->add(source.source, &news, (sy_walltime){RIG_T0}), SY_ADDR_ADDED);
        if (i % 2 == 0) {
            source.ops->on_good(source.source, &addr, "cometbft", (sy_walltime){RIG_T0});
        }
    }
    source.ops->set_anchors(source.source, &addr, 1);
    cr_assert_eq(sy_addr_book_write(book, SY_BOOK_COMETBFT, &files->book, &files->book_len), SY_OK);
    cr_assert_eq(sy_addr_book_write_notes(book, &files->notes, &files->notes_len), SY_OK);
    return book;
}

/* SY_OK, or NOMEM with the book as the header promises: empty after a failed load. */
static sy_err read_files(const written *files, test_mem *tm) {
    sy_addr_book *book;
    sy_detail detail;
    sy_err err = make_book(&tm->mem, &book);
    if (err != SY_OK) {
        return err;
    }
    const sy_addr_source source = sy_addr_book_source(book);
    err = sy_addr_book_load(book, files->book, files->book_len, NULL, &detail);
    const size_t least = json_fail_at == 0 ? KNOWN : KNOWN - 1; /* see `lost` below */
    const size_t kept = source.ops->sizes(source.source).all;
    cr_expect(err == SY_OK ? kept <= KNOWN && kept >= least : kept == 0, "%zu", kept);
    if (err == SY_OK) {
        err = sy_addr_book_load_notes(book, files->notes, files->notes_len, &detail);
        cr_expect_eq(source.ops->sizes(source.source).all, kept);
    }
    cr_expect(sy_book_check(book));
    sy_addr_book_del(book);
    return err;
}

Test(pex_memory, reading_files) {
    written files;
    test_mem tm;
    sy_addr_book *writer = write_files(&files);
    json_set_alloc_funcs(json_take, json_give);
    test_mem_init(&tm);
    cr_assert_eq(read_files(&files, &tm), SY_OK);
    const size_t calls = tm.calls;
    const size_t parser_calls = json_calls;
    test_mem_fini(&tm);
    cr_assert_eq(json_live, 0);
    size_t lost = 0;
    for (int from = 0; from < 2; from++) {
        for (size_t k = 1; k <= calls; k++) {
            test_mem_init(&tm);
            tm.fail_at = k;
            tm.fail_from = from == 1;
            cr_expect_eq(read_files(&files, &tm), SY_ERR_NOMEM, "block %zu", k);
            test_mem_fini(&tm);
        }
        for (size_t k = 1; k <= parser_calls; k++) {
            test_mem_init(&tm);
            json_calls = 0;
            json_fail_at = k;
            json_fail_from = from == 1;
            const sy_err err = read_files(&files, &tm);
            json_fail_at = 0;
            cr_expect(err == SY_OK || err == SY_ERR_NOMEM || err == SY_ERR_CONFIG,
                      "the parser's block %zu: %s", k, sy_err_name(err));
            lost += err == SY_ERR_CONFIG;
            cr_expect_eq(json_live, 0, "the parser's block %zu", k);
            test_mem_fini(&tm);
        }
    }
    /* jansson 2.14 goes on without the byte for which its buffer could not grow: a damaged text. */
    cr_expect_leq(lost, 4);
    json_set_alloc_funcs(malloc, free);
    sy_addr_book_text_del(writer, files.book);
    sy_addr_book_text_del(writer, files.notes);
    sy_addr_book_del(writer);
}
