/* SPDX-License-Identifier: Apache-2.0 */
/* First byte, modulo 3: 0 the file of bans, with a byte that says when allocations fail; 1 one rule
 * of a filter; 2 an allow and a deny list of such rules, and an address with or without an ID. What
 * is taken is written and read again as the same; bans end; lists say what their rules say. */
#include <stdlib.h>
#include <string.h>

#include "p2p/bans.h"
#include "tests/fuzz/support/fuzz.h"

#define NOW       ((sy_walltime){INT64_C(1700000000) * 1000000000})
#define RULES_MAX 8

static bool rule(const char *text, size_t len) {
    char written[SY_NET_RULE_TEXT_CAP];
    sy_detail detail = {.text = ""};
    sy_net_rule parsed;
    sy_net_rule again;
    const sy_err err = sy_net_rule_parse(text, len, &parsed, &detail);
    fuzz_check_detail(&detail);
    if (err != SY_OK) {
        FUZZ_CHECK(err == SY_ERR_INVALID && detail.text[0] != '\0');
        return false;
    }
    const size_t written_len = sy_net_rule_format(&parsed, written);
    FUZZ_CHECK(written_len < sizeof written && strlen(written) == written_len);
    FUZZ_CHECK(sy_net_rule_parse(written, written_len, &again, NULL) == SY_OK);
    FUZZ_CHECK(sy_net_rule_equal(&parsed, &again));
    if (parsed.kind != SY_RULE_ID) {
        sy_endpoint inside = {.port = 1};
        memcpy(inside.ip, parsed.ip, sizeof inside.ip);
        FUZZ_CHECK(sy_net_rule_matches(&parsed, NULL, &inside));
    }
    return true;
}

static void check_written(const sy_gate *gate, const test_mem *tm) {
    sy_gate again;
    const size_t len = sy_gate_encode(gate, NULL, 0);
    char *text = malloc(len + 1);
    FUZZ_CHECK(text != NULL && len > 0);
    FUZZ_CHECK(sy_gate_encode(gate, text, len + 1) == len && strlen(text) == len);
    sy_gate_init(&again, &tm->mem);
    sy_detail detail = {.text = ""};
    FUZZ_CHECK(sy_gate_decode(&again, text, len, &detail, NOW) == SY_OK);
    FUZZ_CHECK(again.ban_count == gate->ban_count);
    for (size_t i = 0; i < gate->ban_count; i++) {
        FUZZ_CHECK(sy_net_rule_equal(&gate->bans[i].rule, &again.bans[i].rule));
        FUZZ_CHECK(strcmp(gate->bans[i].reason, again.bans[i].reason) == 0);
        FUZZ_CHECK(gate->bans[i].until.unix_ns == again.bans[i].until.unix_ns);
    }
    sy_gate_fini(&again);
    free(text);
}

/* The ban of an address is found there, and bans go, by name or at their end. */
static void check_ends(sy_gate *gate) {
    for (size_t i = 0; i < gate->ban_count; i++) {
        sy_endpoint inside = {.port = 1};
        sy_detail detail = {.text = ""};
        const sy_net_rule *of = &gate->bans[i].rule;
        memcpy(inside.ip, of->ip, sizeof inside.ip);
        FUZZ_CHECK(sy_gate_check(gate, &of->id, &inside, NOW, &detail) == SY_ERR_BANNED);
        fuzz_check_detail(&detail);
    }
    if (gate->ban_count > 0) {
        const sy_net_rule first = gate->bans[0].rule;
        FUZZ_CHECK(sy_gate_unban(gate, &first) && !sy_gate_unban(gate, &first));
    }
    const size_t count = gate->ban_count;
    const size_t gone = sy_gate_expire(gate, (sy_walltime){INT64_MAX});
    FUZZ_CHECK(gone + gate->ban_count == count);
    for (size_t i = 0; i < gate->ban_count; i++) {
        FUZZ_CHECK(gate->bans[i].until.unix_ns == 0);
    }
}

static bool bans(fuzz_in *in) {
    sy_gate gate;
    test_mem tm;
    test_mem_init(&tm);
    tm.fail_at = fuzz_u8(in);
    const bool is_tight = tm.fail_at != 0;
    sy_gate_init(&gate, &tm.mem);
    sy_detail detail = {.text = ""};
    const sy_err err = sy_gate_decode(&gate, (const char *)in->pos, fuzz_left(in), &detail, NOW);
    fuzz_check_detail(&detail);
    FUZZ_CHECK(err == SY_OK || detail.text[0] != '\0');
    FUZZ_CHECK(err == SY_OK || err == SY_ERR_INVALID || err == SY_ERR_LIMIT ||
               (err == SY_ERR_NOMEM && is_tight));
    FUZZ_CHECK(err == SY_OK || gate.ban_count == 0);
    if (err == SY_OK) {
        tm.fail_at = 0;
        check_written(&gate, &tm);
        check_ends(&gate);
    }
    sy_gate_fini(&gate);
    test_mem_fini(&tm);
    return err == SY_OK;
}

/* The rules up to the end of a line. */
static size_t take_rules(fuzz_in *in, sy_net_rule out[RULES_MAX]) {
    size_t count = 0;
    while (fuzz_left(in) > 0 && *in->pos != '\n') {
        const char *start = (const char *)in->pos;
        while (fuzz_left(in) > 0 && *in->pos != '\n' && *in->pos != ',') {
            in->pos++;
        }
        const size_t len = (size_t)((const char *)in->pos - start);
        if (count < RULES_MAX && sy_net_rule_parse(start, len, &out[count], NULL) == SY_OK) {
            count++;
        }
        if (fuzz_left(in) > 0 && *in->pos == ',') {
            in->pos++;
        }
    }
    (void)fuzz_u8(in);
    return count;
}

static bool matches_any(const sy_net_rule *rules, size_t count, const sy_node_id *id,
                        const sy_endpoint *remote, bool *ret_has_id) {
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found = found || sy_net_rule_matches(&rules[i], id, remote);
        *ret_has_id = *ret_has_id || rules[i].kind == SY_RULE_ID;
    }
    return found;
}

static bool lists(fuzz_in *in) {
    static const sy_node_id known = {.bytes = {0x56, 0x47}};
    sy_net_rule allow[RULES_MAX];
    sy_net_rule deny[RULES_MAX];
    sy_gate gate;
    test_mem tm;
    test_mem_init(&tm);
    tm.fail_at = fuzz_u8(in) % 4;
    const sy_node_id *id = fuzz_u8(in) % 2 != 0 ? &known : NULL;
    const sy_filter_settings settings = {.allow = allow,
                                         .allow_count = take_rules(in, allow),
                                         .deny = deny,
                                         .deny_count = take_rules(in, deny)};
    sy_endpoint remote = {.port = 1};
    const sy_bytes ip = fuzz_take(in, sizeof remote.ip);
    memcpy(remote.ip + sizeof remote.ip - ip.len, ip.data, ip.len);
    sy_gate_init(&gate, &tm.mem);
    const sy_err err = sy_gate_set_lists(&gate, &settings);
    FUZZ_CHECK(err == SY_OK || (err == SY_ERR_NOMEM && tm.fail_at != 0));
    if (err == SY_OK) {
        bool has_id = false;
        bool unused = false;
        const bool denied = matches_any(deny, settings.deny_count, id, &remote, &unused);
        const bool allowed = matches_any(allow, settings.allow_count, id, &remote, &has_id) ||
                             settings.allow_count == 0 || (id == NULL && has_id);
        sy_detail detail = {.text = ""};
        FUZZ_CHECK(sy_gate_check(&gate, id, &remote, NOW, &detail) ==
                   (denied || !allowed ? SY_ERR_FILTERED : SY_OK));
        fuzz_check_detail(&detail);
    }
    sy_gate_fini(&gate);
    test_mem_fini(&tm);
    return err == SY_OK && settings.allow_count + settings.deny_count > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    switch (fuzz_u8(&in) % 3) {
    case 0:
        fuzz_count(bans(&in));
        break;
    case 1:
        fuzz_count(rule((const char *)in.pos, fuzz_left(&in)));
        break;
    default:
        fuzz_count(lists(&in));
        break;
    }
    return 0;
}
