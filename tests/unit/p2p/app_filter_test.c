/* SPDX-License-Identifier: Apache-2.0 */
/* Where an application listens. */
#include <criterion/criterion.h>

#include <string.h>

#include <switchyard/app_filter.h>

typedef struct address_row {
    const char *text;
    sy_err err;
    bool is_local;
    const char *what; /* path, or host */
    uint16_t port;
    const char *says; /* in the detail of a refusal */
} address_row;

#define PATH_107                                                                                   \
    "/0123456789012345678901234567890123456789012345678901234567890123456789012345678"             \
    "901234567890123456789012345"

/* SPEC-TEST AB-13 */
static const address_row addresses[] = {
    {"tcp://127.0.0.1:26658", SY_OK, false, "127.0.0.1", 26658, NULL},
    {"127.0.0.1:26658", SY_OK, false, "127.0.0.1", 26658, NULL},
    {"tcp://app.example:1", SY_OK, false, "app.example", 1, NULL},
    {"tcp://[::1]:65535", SY_OK, false, "::1", 65535, NULL},
    {"unix:///run/app.sock", SY_OK, true, "/run/app.sock", 0, NULL},
    {"unix://app.sock", SY_OK, true, "app.sock", 0, NULL},
    {"unix://" PATH_107, SY_OK, true, PATH_107, 0, NULL},
    {"unix://" PATH_107 "7", SY_ERR_INVALID, true, NULL, 0, "1 to 107 bytes"},
    {"unix://", SY_ERR_INVALID, true, NULL, 0, "1 to 107 bytes"},
    {"kvstore", SY_ERR_INVALID, false, NULL, 0, "\"kvstore\" names no application"},
    {"", SY_ERR_INVALID, false, NULL, 0, "names no application"},
    {"tcp://", SY_ERR_INVALID, false, NULL, 0, "names no application"},
    {"tcp://127.0.0.1", SY_ERR_INVALID, false, NULL, 0, "names no application"},
    {"http://127.0.0.1:80", SY_ERR_INVALID, false, NULL, 0, "only tcp:// and unix://"},
    {"tcp://tcp://a:1", SY_ERR_INVALID, false, NULL, 0, "only tcp:// and unix://"},
    {"0123456789012345678901234567890123456789@a:1", SY_ERR_INVALID, false, NULL, 0, "no ID"},
    {"tcp://127.0.0.1:x", SY_ERR_ADDR_PORT, false, NULL, 0, NULL},
    {"tcp://127.0.0.1:0", SY_ERR_ADDR_PORT, false, NULL, 0, NULL},
    {"tcp://a b:1", SY_ERR_ADDR_HOST, false, NULL, 0, NULL},
};

Test(app_filter, addresses) {
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        const address_row *row = &addresses[i];
        sy_app_address address = {.is_local = true, .path = "untouched"};
        sy_detail detail;
        sy_detail_set(&detail, "of an earlier call");
        const sy_err err = sy_app_address_parse(row->text, strlen(row->text), &address, &detail);
        cr_expect_eq(err, row->err, "%s: %s", row->text, sy_err_name(err));
        if (row->err != SY_OK) {
            cr_expect_str_eq(address.path, "untouched", "%s", row->text);
            cr_expect(row->says == NULL || strstr(detail.text, row->says) != NULL, "%s: %s",
                      row->text, detail.text);
            cr_expect_eq(strstr(detail.text, "earlier"), NULL, "%s: %s", row->text, detail.text);
            continue;
        }
        cr_expect_eq(address.is_local, row->is_local, "%s", row->text);
        cr_expect_str_eq(row->is_local ? address.path : address.addr.host, row->what, "%s",
                         row->text);
        cr_expect(row->is_local || address.addr.port == row->port, "%s", row->text);
    }
}

Test(app_filter, defaults) {
    sy_app_filter_settings settings;
    sy_app_filter_default(&settings);
    cr_expect_null(settings.address);
    cr_expect_eq(settings.dialect, SY_ABCI_AUTO);
    cr_expect_eq(settings.timeout, 5 * SY_SEC);
    cr_expect_eq(settings.unanswered, SY_UNANSWERED_REFUSE);
}
