/* SPDX-License-Identifier: Apache-2.0 */
/* yard addrbook: looks at an address book, checks it, or writes it in the form of the other
 * project.  Reads any book of Tendermint 0.22, CometBFT or ours; never changes it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/addr_book.h>

#include "cmd/yard/commands.h"
#include "cmd/yard/files.h"

static bool read_book(const char *path, sy_addr_book **ret_book, sy_addr_book_load_stats *stats) {
    char *text;
    size_t len;
    char *why;
    sy_detail detail;
    sy_addr_book_settings settings;
    if (!yard_file_read(path, SY_BOOK_TEXT_MAX, &text, &len, &why)) {
        yard_complain("addrbook: %s", why);
        free(why);
        return false;
    }
    sy_addr_book_settings_default(&settings);
    settings.strict = false; /* show what is there */
    sy_addr_book *book = NULL;
    sy_detail_clear(&detail);
    sy_err err = sy_addr_book_new(&settings, &book);
    if (err == SY_OK) {
        err = sy_addr_book_load(book, text, len, stats, &detail);
    }
    free(text);
    if (err != SY_OK) {
        yard_complain("addrbook: %s: %s", path,
                      detail.text[0] == '\0' ? sy_strerror(err) : detail.text);
        sy_addr_book_del(book);
        return false;
    }
    *ret_book = book;
    return true;
}

static void list(const sy_addr_book *book) {
    size_t cursor = 0;
    sy_addr_book_view view;
    while (sy_addr_book_next(book, &cursor, &view)) {
        char id[SY_NODE_ID_TEXT_CAP];
        char endpoint[SY_ENDPOINT_TEXT_CAP];
        char source[SY_ENDPOINT_TEXT_CAP];
        sy_node_id_format(&view.addr.id, id);
        (void)sy_endpoint_format(&view.addr.endpoint, endpoint);
        (void)sy_endpoint_format(&view.source.endpoint, source);
        (void)printf("%s@%s %s attempts=%u routable=%s source=%s\n", id, endpoint,
                     view.tested ? "old" : "new", (unsigned)view.attempts,
                     sy_endpoint_is_routable(&view.addr.endpoint) ? "yes" : "no", source);
    }
}

static void check(const sy_addr_book *book, const sy_addr_book_load_stats *stats) {
    size_t cursor = 0;
    size_t tested = 0;
    size_t routable = 0;
    sy_addr_book_view view;
    while (sy_addr_book_next(book, &cursor, &view)) {
        tested += view.tested;
        routable += sy_endpoint_is_routable(&view.addr.endpoint);
    }
    (void)printf("addresses=%zu new=%zu old=%zu routable=%zu invalid=%zu crowded=%zu\n",
                 stats->kept, stats->kept - tested, tested, routable, stats->invalid,
                 stats->crowded);
}

static int export_book(const sy_addr_book *book, const char *format) {
    const bool old = strcmp(format, "tendermint") == 0;
    char *text;
    size_t len;
    if (!old && strcmp(format, "cometbft") != 0) {
        yard_complain("addrbook: --format is tendermint or cometbft, not \"%.32s\"", format);
        return YARD_EXIT_USAGE;
    }
    if (sy_addr_book_write(book, old ? SY_BOOK_TENDERMINT : SY_BOOK_COMETBFT, &text, &len) !=
        SY_OK) {
        yard_complain("addrbook: out of memory");
        return YARD_EXIT_FAILED;
    }
    (void)fwrite(text, 1, len, stdout);
    (void)putchar('\n');
    sy_addr_book_text_del(book, text);
    return YARD_EXIT_OK;
}

static int run_addrbook(const yard_args *args) {
    const char *what = args->operands[0];
    const char *file = yard_args_get(args, "file");
    const char *format = yard_args_get(args, "format");
    if (strcmp(what, "list") != 0 && strcmp(what, "check") != 0 && strcmp(what, "export") != 0) {
        yard_complain("addrbook: list, check or export, not \"%.32s\"", what);
        return YARD_EXIT_USAGE;
    }
    char *home = yard_args_home(args);
    char *path = yard_path(home, file != NULL ? file : "config/addrbook.json");
    sy_addr_book *book = NULL;
    sy_addr_book_load_stats stats = {0};
    int status = YARD_EXIT_FAILED;
    if (read_book(path, &book, &stats)) {
        status = YARD_EXIT_OK;
        if (strcmp(what, "list") == 0) {
            list(book);
        } else if (strcmp(what, "check") == 0) {
            check(book, &stats);
        } else {
            status = export_book(book, format != NULL ? format : "cometbft");
        }
    }
    sy_addr_book_del(book);
    free(path);
    free(home);
    return status;
}

const yard_command yard_command_addrbook = {
    .name = "addrbook",
    .operands = "list|check|export",
    .operand_count = 1,
    .text = "Lists or checks an address book, or writes it in the form of another project.",
    .options =
        {
            YARD_OPTION_HOME,
            {"file", "PATH", "the book, from the home directory (default config/addrbook.json)"},
            {"format", "NAME", "export: cometbft (default) or tendermint"},
        },
    .run = run_addrbook,
};
