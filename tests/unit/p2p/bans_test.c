/* SPDX-License-Identifier: Apache-2.0 */
/* Allow list, deny list and bans, without a switch. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "p2p/bans.h"
#include "tests/support/test_mem.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static sy_net_rule rule_of(const char *text) {
    sy_net_rule rule;
    cr_assert_eq(sy_net_rule_parse(text, strlen(text), &rule, NULL), SY_OK, "%s", text);
    return rule;
}

static sy_walltime at(int64_t seconds) {
    return (sy_walltime){seconds * INT64_C(1000000000)};
}

static sy_ban ban_of(const char *text, const char *reason, int64_t until) {
    sy_ban ban = {.rule = rule_of(text), .until = at(until)};
    (void)snprintf(ban.reason, sizeof ban.reason, "%s", reason);
    return ban;
}

/* id NULL: not known yet. */
static sy_err check(const sy_gate *gate, const char *id_text, const char *ip, int64_t now) {
    sy_node_id id;
    sy_endpoint remote;
    sy_detail detail;
    if (id_text != NULL) {
        cr_assert_eq(sy_node_id_parse(id_text, strlen(id_text), &id), SY_OK);
    }
    cr_assert_eq(sy_endpoint_parse_ip(ip, strlen(ip), &remote), SY_OK);
    return sy_gate_check(gate, id_text == NULL ? NULL : &id, &remote, at(now), &detail);
}

/* SPEC-TEST FL-06 FL-07 */
Test(bans, lists_in_their_order) {
    static const struct row {
        const char *name;
        const char *allow;
        const char *deny;
        const char *ban;
        const char *id;
        sy_err want; /* of a connection from 10.0.0.1 */
    } rows[] = {
        {"nothing", NULL, NULL, NULL, NULL, SY_OK},
        {"allowed address", "10.0.0.0/8", NULL, NULL, NULL, SY_OK},
        {"other address allowed", "11.0.0.0/8", NULL, NULL, NULL, SY_ERR_FILTERED},
        {"other address allowed, id", "11.0.0.0/8", NULL, NULL, ID_A, SY_ERR_FILTERED},
        {"allowed by id, not known yet", ID_A, NULL, NULL, NULL, SY_OK},
        {"allowed by id", ID_A, NULL, NULL, ID_A, SY_OK},
        {"another id allowed", ID_A, NULL, NULL, ID_B, SY_ERR_FILTERED},
        {"denied address", NULL, "10.0.0.1", NULL, NULL, SY_ERR_FILTERED},
        {"denied id, not known yet", NULL, ID_A, NULL, NULL, SY_OK},
        {"denied id", NULL, ID_A, NULL, ID_A, SY_ERR_FILTERED},
        {"deny wins over allow", "10.0.0.0/8", "10.0.0.1", NULL, NULL, SY_ERR_FILTERED},
        {"ban wins over both", "10.0.0.0/8", "10.0.0.1", "10.0.0.1", NULL, SY_ERR_BANNED},
        {"banned id", NULL, NULL, ID_B, ID_B, SY_ERR_BANNED},
        {"banned id, not known yet", NULL, NULL, ID_B, NULL, SY_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_gate gate;
        sy_net_rule allow;
        sy_net_rule deny;
        sy_filter_settings lists = {.allow = &allow, .deny = &deny};
        sy_gate_init(&gate, sy_mem_libc());
        if (rows[i].allow != NULL) {
            allow = rule_of(rows[i].allow);
            lists.allow_count = 1;
        }
        if (rows[i].deny != NULL) {
            deny = rule_of(rows[i].deny);
            lists.deny_count = 1;
        }
        cr_assert_eq(sy_gate_set_lists(&gate, &lists), SY_OK);
        if (rows[i].ban != NULL) {
            const sy_ban ban = ban_of(rows[i].ban, "", 0);
            cr_assert_eq(sy_gate_ban(&gate, &ban, at(1)), SY_OK);
        }
        cr_expect_eq(check(&gate, rows[i].id, "10.0.0.1", 5), rows[i].want, "row %s", rows[i].name);
        sy_gate_fini(&gate);
    }
}

/* SPEC-TEST FL-10 FL-11 */
Test(bans, hold_until_their_end) {
    sy_gate gate;
    sy_gate_init(&gate, sy_mem_libc());
    sy_ban ban = ban_of("10.0.0.0/8", "too loud", 100);
    cr_assert_eq(sy_gate_ban(&gate, &ban, at(50)), SY_OK);
    cr_expect_eq(gate.bans[0].since.unix_ns, at(50).unix_ns);
    cr_expect_eq(check(&gate, NULL, "10.1.1.1", 99), SY_ERR_BANNED);
    cr_expect_eq(check(&gate, NULL, "10.1.1.1", 100), SY_OK);
    cr_expect_eq(check(&gate, NULL, "11.1.1.1", 99), SY_OK);

    ban.until = at(200);
    cr_assert_eq(sy_gate_ban(&gate, &ban, at(60)), SY_OK);
    cr_expect_eq(gate.ban_count, 1, "the same rule replaces");
    cr_expect_eq(check(&gate, NULL, "10.1.1.1", 199), SY_ERR_BANNED);
    cr_expect_eq(sy_gate_ban(&gate, &ban, at(200)), SY_ERR_INVALID, "its end has passed");

    ban = ban_of(ID_A, "", 0);
    cr_assert_eq(sy_gate_ban(&gate, &ban, at(60)), SY_OK);
    cr_expect_eq(sy_gate_expire(&gate, at(199)), 0);
    cr_expect_eq(sy_gate_expire(&gate, at(200)), 1);
    cr_expect_eq(check(&gate, ID_A, "10.1.1.1", INT32_MAX), SY_ERR_BANNED, "for good");
    cr_expect(sy_gate_unban(&gate, &ban.rule));
    cr_expect(!sy_gate_unban(&gate, &ban.rule));
    cr_expect_eq(gate.ban_count, 0);

    ban = ban_of(ID_A, "a\tb", 0);
    cr_expect_eq(sy_gate_ban(&gate, &ban, at(60)), SY_ERR_INVALID);
    memset(ban.reason, 'x', sizeof ban.reason);
    cr_expect_eq(sy_gate_ban(&gate, &ban, at(60)), SY_ERR_INVALID, "no NUL");
    sy_gate_fini(&gate);
}

/* SPEC-TEST FL-11 */
Test(bans, number_at_its_limit) {
    sy_gate gate;
    sy_gate_init(&gate, sy_mem_libc());
    for (unsigned i = 0; i <= SY_BANS_MAX; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "10.0.%u.%u", i / 256, i % 256);
        const sy_ban ban = ban_of(text, "", i == 7 ? 100 : 0);
        cr_assert_eq(sy_gate_ban(&gate, &ban, at(50)), i < SY_BANS_MAX ? SY_OK : SY_ERR_LIMIT,
                     "ban %u", i);
    }
    const sy_ban more = ban_of("11.0.0.1", "", 0);
    cr_expect_eq(sy_gate_ban(&gate, &more, at(100)), SY_OK, "an expired one makes room");
    cr_expect_eq(gate.ban_count, SY_BANS_MAX);
    sy_gate_fini(&gate);
}

/* SPEC-TEST FL-12 */
Test(bans, text_form_and_back) {
    sy_gate gate;
    sy_gate back;
    char text[4096];
    sy_detail detail;
    sy_gate_init(&gate, sy_mem_libc());
    sy_gate_init(&back, sy_mem_libc());
    sy_ban bans[] = {ban_of("10.0.0.0/8", "says \"no\" \\ often", 1000),
                     ban_of("2001:db8::/32", "", 0), ban_of(ID_A, "forged blocks", 2000)};
    bans[2].until.unix_ns -= 1; /* rounded up in the text */
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(sy_gate_ban(&gate, &bans[i], at(50)), SY_OK);
    }
    const size_t len = sy_gate_encode(&gate, NULL, 0);
    cr_assert(len > 0 && len < sizeof text);
    memset(text, 'z', sizeof text);
    cr_expect_eq(sy_gate_encode(&gate, text, len), len);
    cr_expect_eq(text[0], 'z', "no room for the NUL: untouched");
    cr_expect_eq(sy_gate_encode(&gate, text, len + 1), len);
    cr_expect_eq(strlen(text), len);

    cr_assert_eq(sy_gate_decode(&back, text, len, &detail, at(60)), SY_OK);
    cr_assert_eq(back.ban_count, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_expect(sy_net_rule_equal(&back.bans[i].rule, &bans[i].rule));
        cr_expect_str_eq(back.bans[i].reason, bans[i].reason);
        cr_expect_eq(back.bans[i].since.unix_ns, at(50).unix_ns);
    }
    cr_expect_eq(back.bans[2].until.unix_ns, at(2000).unix_ns);
    cr_assert_eq(sy_gate_decode(&back, text, len, &detail, at(1000)), SY_OK);
    cr_expect_eq(back.ban_count, 2, "one has expired meanwhile");
    sy_gate_fini(&gate);
    sy_gate_fini(&back);
}

/* SPEC-TEST FL-13 */
Test(bans, faulty_texts_change_nothing) {
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"bans\":{}}",
        "{\"bans\":[1]}",
        "{\"bans\":[{}]}",
        "{\"bans\":[{\"rule\":\"1.2.3.4\"},{\"rule\":\"1.2.3\"}]}",
        "{\"bans\":[{\"rule\":\"1.2.3.4\",\"reason\":7}]}",
        "{\"bans\":[{\"rule\":\"1.2.3.4\",\"reason\":\"a\\u0000b\"}]}",
        "{\"bans\":[{\"rule\":\"1.2.3.4\",\"reason\":\"\\u00e4\"}]}",
        "{\"bans\":[{\"rule\":\"1.2.3.4\",\"until\":-1}]}",
        "{\"bans\":[{\"rule\":\"1.2.3.4\",\"until\":1.5}]}",
        "{\"bans\":[{\"rule\":\"1.2.3.4\",\"until\":9223372037}]}",
        "{\"bans\":[{\"rule\":\"1.2.3.4\",\"rule\":\"1.2.3.4\"}]}",
        "{\"bans\":[]} x",
        "{\"\x1b[31m\n",
    };
    sy_gate gate;
    sy_gate_init(&gate, sy_mem_libc());
    const sy_ban ban = ban_of(ID_A, "stays", 0);
    cr_assert_eq(sy_gate_ban(&gate, &ban, at(50)), SY_OK);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sy_detail detail;
        cr_expect_eq(sy_gate_decode(&gate, texts[i], strlen(texts[i]), &detail, at(60)),
                     SY_ERR_INVALID, "%s", texts[i]);
        cr_assert_eq(gate.ban_count, 1, "%s", texts[i]);
        cr_expect_eq(strcspn(detail.text, "\x1b\n"), strlen(detail.text), "row %zu", i);
        cr_expect_str_eq(gate.bans[0].reason, "stays");
    }
    sy_detail detail;
    cr_expect_eq(sy_gate_decode(&gate, texts[6], strlen(texts[6]), &detail, at(60)),
                 SY_ERR_INVALID);
    cr_expect_not_null(strstr(detail.text, "ban 2"));
    sy_gate_fini(&gate);
}

Test(bans, memory_fails) {
    for (size_t k = 1; k < 6; k++) {
        test_mem tm;
        sy_gate gate;
        sy_net_rule rules[2] = {rule_of("10.0.0.1"), rule_of(ID_A)};
        const sy_filter_settings lists = {
            .allow = rules, .allow_count = 2, .deny = rules, .deny_count = 1};
        test_mem_init(&tm);
        sy_gate_init(&gate, &tm.mem);
        tm.fail_at = k;
        const sy_err err = sy_gate_set_lists(&gate, &lists);
        cr_expect_eq(err, k <= 2 ? SY_ERR_NOMEM : SY_OK);
        cr_expect_eq(gate.deny_count, err == SY_OK);
        const sy_ban ban = ban_of(ID_B, "", 0);
        const sy_err ban_err = sy_gate_ban(&gate, &ban, at(1));
        cr_expect_eq(ban_err, k == 3 ? SY_ERR_NOMEM : SY_OK, "k %zu", k);
        sy_gate_fini(&gate);
        test_mem_fini(&tm);
    }
    sy_gate gate;
    const sy_filter_settings lists = {.deny_count = SY_FILTER_RULES_MAX + 1};
    sy_gate_init(&gate, sy_mem_libc());
    cr_expect_eq(sy_gate_set_lists(&gate, &lists), SY_ERR_LIMIT);
    sy_gate_fini(&gate);
}
