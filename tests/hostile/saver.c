/* SPDX-License-Identifier: Apache-2.0 */
/* saver DIR
 *
 * What a node does with its files, over and over, so that a test can kill it in the middle: reads
 * the bans, the address book and its notes, checks that each is whole and of one saving, prints
 *     loaded bans=N book=N notes=N
 * (0: there is no such file), and then saves all three for the next numbers, with a line
 *     saved N
 * after each round.  Every ban and every address carries the number of its saving. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/addr_book.h>

#include "cmd/yard/files.h"
#include "cmd/yard/util.h"
#include "p2p/bans.h"

#define COUNT     600 /* bans, and addresses told */
#define PORT_BASE 1000
#define PORT_SPAN 60000
#define NOW       ((sy_walltime){INT64_C(1800000000) * 1000000000})

static const sy_detail no_detail;

_Noreturn static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

_Noreturn static void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)fputs("saver: ", stdout);
    (void)vprintf(format, args);
    (void)putchar('\n');
    va_end(args);
    exit(1);
}

static bool read_file(const char *path, char **ret_text, size_t *ret_len) {
    char *why = NULL;
    if (!yard_file_exists(path)) {
        return false;
    }
    if (!yard_file_read(path, SY_BOOK_TEXT_MAX, ret_text, ret_len, &why)) {
        fail("%s", why);
    }
    return true;
}

static void write_file(const char *path, const char *text, size_t len) {
    char *why = NULL;
    if (!yard_file_write(path, text, len, 0644, &why)) {
        fail("%s", why);
    }
}

/* ---- Bans ------------------------------------------------------------------------------------ */

static sy_ban ban_of(unsigned i, uint64_t number) {
    sy_ban ban = {.rule = {.kind = SY_RULE_IPV4, .bits = 32}};
    const uint8_t ip[16] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, (uint8_t)(i >> 8), (uint8_t)i};
    memcpy(ban.rule.ip, ip, sizeof ip);
    (void)snprintf(ban.reason, sizeof ban.reason, "saving %" PRIu64, number);
    return ban;
}

static void save_bans(const char *path, uint64_t number) {
    sy_gate gate;
    sy_gate_init(&gate, sy_mem_libc());
    for (unsigned i = 0; i < COUNT; i++) {
        const sy_ban ban = ban_of(i, number);
        if (sy_gate_ban(&gate, &ban, NOW) != SY_OK) {
            fail("ban %u is refused", i);
        }
    }
    const size_t len = sy_gate_encode(&gate, NULL, 0);
    char *text = yard_alloc(len + 1, 1);
    (void)sy_gate_encode(&gate, text, len + 1);
    write_file(path, text, len);
    free(text);
    sy_gate_fini(&gate);
}

static uint64_t load_bans(const char *path) {
    char *text = NULL;
    size_t len = 0;
    sy_gate gate;
    sy_detail detail = no_detail;
    uint64_t number = 0;
    if (!read_file(path, &text, &len)) {
        return 0;
    }
    sy_gate_init(&gate, sy_mem_libc());
    if (sy_gate_decode(&gate, text, len, &detail, NOW) != SY_OK || gate.ban_count != COUNT) {
        fail("%s: %zu bans, %s", path, gate.ban_count, detail.text);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        uint64_t found = 0;
        const sy_ban want = ban_of(i, 0);
        if (sscanf(gate.bans[i].reason, "saving %" SCNu64, &found) != 1 ||
            !sy_net_rule_equal(&gate.bans[i].rule, &want.rule) || (i > 0 && found != number)) {
            fail("%s: ban %u of saving %" PRIu64 " beside %" PRIu64, path, i, found, number);
        }
        number = found;
    }
    free(text);
    sy_gate_fini(&gate);
    return number;
}

/* ---- The address book ------------------------------------------------------------------------ */

static sy_addr_book *new_book(void) {
    sy_addr_book_settings settings;
    sy_addr_book *book = NULL;
    sy_addr_book_settings_default(&settings);
    settings.strict = false;
    settings.network = "hostile-net";
    memset(settings.random, 7, sizeof settings.random);
    if (sy_addr_book_new(&settings, &book) != SY_OK) {
        fail("no memory for a book");
    }
    return book;
}

static sy_net_addr address_of(unsigned i, uint64_t number) {
    sy_net_addr addr = {.endpoint = {.port = (uint16_t)(PORT_BASE + number % PORT_SPAN)}};
    const uint8_t ip[16] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (uint8_t)(20 + i % 150), (uint8_t)(i / 150),
        3, 4};
    memcpy(addr.endpoint.ip, ip, sizeof ip);
    memset(addr.id.bytes, (int)(i % 251), sizeof addr.id.bytes);
    addr.id.bytes[0] = (uint8_t)(i >> 8);
    return addr;
}

/* Which of the addresses find room is the same each time: the key of the book is fixed. */
static size_t fill_book(sy_addr_book *book, uint64_t number) {
    const sy_addr_source source = sy_addr_book_source(book);
    for (unsigned i = 0; i < COUNT; i++) {
        const sy_addr_news news = {.addr = address_of(i, number),
                                   .source = address_of(i % 40, 0),
                                   .told = SY_ADDR_TOLD_HEARSAY,
                                   .profile = number == 0       ? ""
                                              : number % 2 == 0 ? "tendermint"
                                                                : "cometbft"};
        (void)source.ops->add(source.source, &news, NOW);
    }
    return source.ops->sizes(source.source).all;
}

static void save_book(const char *book_path, const char *notes_path, uint64_t number) {
    sy_addr_book *book = new_book();
    char *text = NULL;
    size_t len = 0;
    (void)fill_book(book, number);
    if (sy_addr_book_write(book, SY_BOOK_COMETBFT, &text, &len) != SY_OK) {
        fail("the book cannot be written");
    }
    write_file(book_path, text, len);
    sy_addr_book_text_del(book, text);
    if (sy_addr_book_write_notes(book, &text, &len) != SY_OK) {
        fail("the notes cannot be written");
    }
    write_file(notes_path, text, len);
    sy_addr_book_text_del(book, text);
    sy_addr_book_del(book);
}

static uint64_t load_book(const char *path, size_t count) {
    char *text = NULL;
    size_t len = 0;
    sy_detail detail = no_detail;
    sy_addr_book_load_stats stats;
    size_t cursor = 0;
    sy_addr_book_view view;
    uint64_t number = 0;
    if (!read_file(path, &text, &len)) {
        return 0;
    }
    sy_addr_book *book = new_book();
    if (sy_addr_book_load(book, text, len, &stats, &detail) != SY_OK || stats.kept != count) {
        fail("%s: %zu of %zu addresses, %s", path, stats.kept, count, detail.text);
    }
    while (sy_addr_book_next(book, &cursor, &view)) {
        const uint64_t found = (uint64_t)view.addr.endpoint.port - PORT_BASE;
        if (number != 0 && found != number) {
            fail("%s: an address of saving %" PRIu64 " beside %" PRIu64, path, found, number);
        }
        number = found;
    }
    free(text);
    sy_addr_book_del(book);
    return number;
}

/* 1 or 2: the profile that all notes name; they are of an odd or of an even saving. */
static uint64_t load_notes(const char *path, size_t count) {
    char *text = NULL;
    size_t len = 0;
    sy_detail detail = no_detail;
    size_t cursor = 0;
    size_t noted[3] = {0, 0, 0};
    sy_addr_book_view view;
    if (!read_file(path, &text, &len)) {
        return 0;
    }
    sy_addr_book *book = new_book();
    (void)fill_book(book, 0);
    if (sy_addr_book_load_notes(book, text, len, &detail) != SY_OK) {
        fail("%s: %s", path, detail.text);
    }
    while (sy_addr_book_next(book, &cursor, &view)) {
        noted[strcmp(view.profile, "cometbft") == 0     ? 1
              : strcmp(view.profile, "tendermint") == 0 ? 2
                                                        : 0]++;
    }
    free(text);
    sy_addr_book_del(book);
    if (noted[1] != count && noted[2] != count) {
        fail("%s: %zu, %zu and %zu notes", path, noted[0], noted[1], noted[2]);
    }
    return noted[1] == count ? 1 : 2;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fail("a directory is needed");
    }
    char *bans_path = yard_path(argv[1], "bans.json");
    char *book_path = yard_path(argv[1], "addrbook.json");
    char *notes_path = yard_path(argv[1], "notes.json");
    sy_addr_book *book = new_book();
    const size_t count = fill_book(book, 1);
    sy_addr_book_del(book);

    (void)yard_file_sweep(bans_path);
    (void)yard_file_sweep(book_path);
    (void)yard_file_sweep(notes_path);
    const uint64_t bans = load_bans(bans_path);
    const uint64_t addresses = load_book(book_path, count);
    (void)printf("loaded bans=%" PRIu64 " book=%" PRIu64 " notes=%" PRIu64 "\n", bans, addresses,
                 load_notes(notes_path, count));
    (void)fflush(stdout);
    for (uint64_t number = addresses + 1;; number++) {
        save_bans(bans_path, number);
        save_book(book_path, notes_path, number);
        (void)printf("saved %" PRIu64 "\n", number);
        (void)fflush(stdout);
    }
}
