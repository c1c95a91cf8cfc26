/* SPDX-License-Identifier: Apache-2.0 */
/* The file of bans (first byte even; the second says when allocations fail) and one rule of a
 * filter (odd).  What is taken is written and read again as the same. */
#include <stdlib.h>
#include <string.h>

#include "p2p/bans.h"
#include "tests/fuzz/support/fuzz.h"

#define NOW ((sy_walltime){INT64_C(1700000000) * 1000000000})

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
    }
    sy_gate_fini(&gate);
    test_mem_fini(&tm);
    return err == SY_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    const bool is_rule = fuzz_u8(&in) % 2 != 0;
    fuzz_count(is_rule ? rule((const char *)in.pos, fuzz_left(&in)) : bans(&in));
    return 0;
}
