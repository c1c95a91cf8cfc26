/* SPDX-License-Identifier: Apache-2.0 */
/* SPEC FL-04 FL-05 FL-06 FL-07 FL-08 FL-09 FL-10 FL-11 FL-12 FL-13 */
#include "p2p/bans.h"

#include <jansson.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/text.h"

#define NS_PER_S INT64_C(1000000000)

void sy_gate_init(sy_gate *gate, const sy_mem *mem) {
    *gate = (sy_gate){.mem = mem};
}

void sy_gate_fini(sy_gate *gate) {
    sy_mem_release(gate->mem, gate->allow);
    sy_mem_release(gate->mem, gate->deny);
    sy_mem_release(gate->mem, gate->bans);
}

/* ---- The lists ---------------------------------------------------------------------------------
 */

static sy_err copy_rules(const sy_mem *mem, const sy_net_rule *rules, size_t count,
                         sy_net_rule **ret_copy) {
    *ret_copy = NULL;
    if (count > SY_FILTER_RULES_MAX) {
        return SY_ERR_LIMIT;
    }
    if (count == 0) {
        return SY_OK;
    }
    sy_net_rule *copy = sy_mem_zalloc_array(mem, count, sizeof *copy);
    if (copy == NULL) {
        return SY_ERR_NOMEM;
    }
    memcpy(copy, rules, count * sizeof *copy);
    *ret_copy = copy;
    return SY_OK;
}

sy_err sy_gate_set_lists(sy_gate *gate, const sy_filter_settings *lists) {
    sy_net_rule *allow;
    sy_net_rule *deny;
    sy_err err = copy_rules(gate->mem, lists->allow, lists->allow_count, &allow);
    if (err != SY_OK) {
        return err;
    }
    err = copy_rules(gate->mem, lists->deny, lists->deny_count, &deny);
    if (err != SY_OK) {
        sy_mem_release(gate->mem, allow);
        return err;
    }
    sy_mem_release(gate->mem, gate->allow);
    sy_mem_release(gate->mem, gate->deny);
    gate->allow = allow;
    gate->allow_count = lists->allow_count;
    gate->deny = deny;
    gate->deny_count = lists->deny_count;
    gate->allow_has_id = false;
    for (size_t i = 0; i < gate->allow_count; i++) {
        gate->allow_has_id = gate->allow_has_id || allow[i].kind == SY_RULE_ID;
    }
    return SY_OK;
}

static const sy_net_rule *find_match(const sy_net_rule *rules, size_t count, const sy_node_id *id,
                                     const sy_endpoint *remote) {
    for (size_t i = 0; i < count; i++) {
        if (sy_net_rule_matches(&rules[i], id, remote)) {
            return &rules[i];
        }
    }
    return NULL;
}

static bool holds(const sy_ban *ban, sy_walltime wall) {
    return ban->until.unix_ns == 0 || wall.unix_ns < ban->until.unix_ns;
}

sy_err sy_gate_check(const sy_gate *gate, const sy_node_id *id, const sy_endpoint *remote,
                     sy_walltime wall, sy_detail *detail) {
    char text[SY_NET_RULE_TEXT_CAP];
    for (size_t i = 0; i < gate->ban_count; i++) {
        const sy_ban *ban = &gate->bans[i];
        if (holds(ban, wall) && sy_net_rule_matches(&ban->rule, id, remote)) {
            (void)sy_net_rule_format(&ban->rule, text);
            sy_detail_set(detail, "ban of %s: %s", text, ban->reason);
            return SY_ERR_BANNED;
        }
    }
    const sy_net_rule *denied = find_match(gate->deny, gate->deny_count, id, remote);
    if (denied != NULL) {
        (void)sy_net_rule_format(denied, text);
        sy_detail_set(detail, "deny list: %s", text);
        return SY_ERR_FILTERED;
    }
    if (gate->allow_count == 0 || (id == NULL && gate->allow_has_id)) {
        return SY_OK;
    }
    if (find_match(gate->allow, gate->allow_count, id, remote) == NULL) {
        sy_detail_set(detail, "not on the allow list");
        return SY_ERR_FILTERED;
    }
    return SY_OK;
}

/* ---- Bans --------------------------------------------------------------------------------------
 */

static sy_ban *find_ban(const sy_gate *gate, const sy_net_rule *rule) {
    for (size_t i = 0; i < gate->ban_count; i++) {
        if (sy_net_rule_equal(&gate->bans[i].rule, rule)) {
            return &gate->bans[i];
        }
    }
    return NULL;
}

static bool is_valid(const sy_ban *ban) {
    const void *end = memchr(ban->reason, 0, sizeof ban->reason);
    if (end == NULL || ban->since.unix_ns < 0 || ban->until.unix_ns < 0) {
        return false;
    }
    const size_t len = strlen(ban->reason);
    return len == 0 || sy_text_is_printable(ban->reason, len);
}

static bool grow(sy_gate *gate) {
    if (gate->ban_count < gate->ban_cap) {
        return true;
    }
    const size_t cap = gate->ban_cap == 0 ? 16 : gate->ban_cap * 2;
    sy_ban *bans = sy_mem_resize(gate->mem, gate->bans, cap * sizeof *bans);
    if (bans == NULL) {
        return false;
    }
    gate->bans = bans;
    gate->ban_cap = cap;
    return true;
}

sy_err sy_gate_ban(sy_gate *gate, const sy_ban *ban, sy_walltime wall) {
    if (!is_valid(ban) || !holds(ban, wall)) {
        return SY_ERR_INVALID;
    }
    sy_ban *at = find_ban(gate, &ban->rule);
    if (at == NULL) {
        if (gate->ban_count >= SY_BANS_MAX) {
            (void)sy_gate_expire(gate, wall);
        }
        if (gate->ban_count >= SY_BANS_MAX) {
            return SY_ERR_LIMIT;
        }
        if (!grow(gate)) {
            return SY_ERR_NOMEM;
        }
        at = &gate->bans[gate->ban_count++];
    }
    *at = *ban;
    if (at->since.unix_ns == 0) {
        at->since = wall;
    }
    return SY_OK;
}

bool sy_gate_unban(sy_gate *gate, const sy_net_rule *rule) {
    sy_ban *ban = find_ban(gate, rule);
    if (ban == NULL) {
        return false;
    }
    const size_t behind = gate->ban_count - (size_t)(ban - gate->bans) - 1;
    memmove(ban, ban + 1, behind * sizeof *ban);
    gate->ban_count--;
    return true;
}

size_t sy_gate_expire(sy_gate *gate, sy_walltime wall) {
    size_t kept = 0;
    for (size_t i = 0; i < gate->ban_count; i++) {
        if (holds(&gate->bans[i], wall)) {
            gate->bans[kept++] = gate->bans[i];
        }
    }
    const size_t gone = gate->ban_count - kept;
    gate->ban_count = kept;
    return gone;
}

/* ---- Text form ---------------------------------------------------------------------------------
 */

/* Whole seconds, rounded up: a ban does not end early for having been written to a file. */
static json_int_t to_seconds(sy_walltime wall) {
    return wall.unix_ns / NS_PER_S + (wall.unix_ns % NS_PER_S != 0);
}

static bool add_ban(json_t *list, const sy_ban *ban) {
    char rule[SY_NET_RULE_TEXT_CAP];
    (void)sy_net_rule_format(&ban->rule, rule);
    json_t *entry = json_object();
    const bool done =
        entry != NULL && json_object_set_new(entry, "rule", json_string(rule)) == 0 &&
        json_object_set_new(entry, "reason", json_string(ban->reason)) == 0 &&
        json_object_set_new(entry, "since", json_integer(to_seconds(ban->since))) == 0 &&
        json_object_set_new(entry, "until", json_integer(to_seconds(ban->until))) == 0;
    if (!done) {
        json_decref(entry);
        return false;
    }
    return json_array_append_new(list, entry) == 0;
}

static json_t *to_json(const sy_gate *gate) {
    json_t *root = json_object();
    json_t *list = json_array();
    bool good = root != NULL && list != NULL;
    for (size_t i = 0; good && i < gate->ban_count; i++) {
        good = add_ban(list, &gate->bans[i]);
    }
    good = good && json_object_set(root, "bans", list) == 0;
    json_decref(list);
    if (!good) {
        json_decref(root);
        return NULL;
    }
    return root;
}

size_t sy_gate_encode(const sy_gate *gate, char *out, size_t cap) {
    json_t *root = to_json(gate);
    if (root == NULL) {
        return 0;
    }
    const size_t flags = JSON_INDENT(2) | JSON_PRESERVE_ORDER;
    const size_t len = json_dumpb(root, NULL, 0, flags);
    if (len > 0 && len < cap) {
        (void)json_dumpb(root, out, cap, flags);
        out[len] = '\0';
    }
    json_decref(root);
    return len;
}

static bool read_seconds(const json_t *entry, const char *name, sy_walltime *ret_wall) {
    const json_t *value = json_object_get(entry, name);
    if (value == NULL) {
        ret_wall->unix_ns = 0;
        return true;
    }
    if (!json_is_integer(value)) {
        return false;
    }
    const json_int_t seconds = json_integer_value(value);
    if (seconds < 0 || seconds > INT64_MAX / NS_PER_S) {
        return false;
    }
    ret_wall->unix_ns = seconds * NS_PER_S;
    return true;
}

static sy_err read_ban(const json_t *entry, sy_ban *ret_ban, sy_detail *detail) {
    const json_t *rule = json_object_get(entry, "rule");
    const json_t *reason = json_object_get(entry, "reason");
    *ret_ban = (sy_ban){0};
    if (!json_is_string(rule)) {
        sy_detail_set(detail, "rule: a text is required");
        return SY_ERR_INVALID;
    }
    const sy_err err = sy_net_rule_parse(json_string_value(rule), json_string_length(rule),
                                         &ret_ban->rule, detail);
    if (err != SY_OK) {
        return err;
    }
    if (reason != NULL) {
        const size_t len = json_string_length(reason);
        if (!json_is_string(reason) || len >= sizeof ret_ban->reason ||
            memchr(json_string_value(reason), 0, len) != NULL) {
            sy_detail_set(detail, "reason: a text of at most 127 bytes is required");
            return SY_ERR_INVALID;
        }
        memcpy(ret_ban->reason, json_string_value(reason), len);
    }
    if (!read_seconds(entry, "since", &ret_ban->since) ||
        !read_seconds(entry, "until", &ret_ban->until)) {
        sy_detail_set(detail, "since, until: seconds since 1970 are required");
        return SY_ERR_INVALID;
    }
    if (!is_valid(ret_ban)) {
        sy_detail_set(detail, "reason: not printable ASCII");
        return SY_ERR_INVALID;
    }
    return SY_OK;
}

static sy_err read_list(sy_gate *into, const json_t *list, sy_detail *detail, sy_walltime wall) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        sy_ban ban;
        sy_detail why;
        sy_detail_clear(&why);
        sy_err err = read_ban(json_array_get(list, i), &ban, &why);
        if (err == SY_OK && holds(&ban, wall)) {
            err = sy_gate_ban(into, &ban, wall);
        }
        if (err != SY_OK) {
            sy_detail_set(detail, "ban %zu: %s", i + 1, why.text);
            return err;
        }
    }
    return SY_OK;
}

sy_err sy_gate_decode(sy_gate *gate, const char *text, size_t len, sy_detail *detail,
                      sy_walltime wall) {
    json_error_t error;
    json_t *root = json_loadb(len == 0 ? "" : text, len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        sy_detail_set(detail, "line %d: ", error.line);
        sy_detail_quote(detail, error.text, strlen(error.text));
        return SY_ERR_INVALID;
    }
    const json_t *list = json_object_get(root, "bans");
    sy_gate fresh = {.mem = gate->mem};
    sy_err err = SY_OK;
    if (!json_is_array(list)) {
        sy_detail_set(detail, "bans: a list is required");
        err = SY_ERR_INVALID;
    } else {
        err = read_list(&fresh, list, detail, wall);
    }
    json_decref(root);
    if (err != SY_OK) {
        sy_mem_release(gate->mem, fresh.bans);
        return err;
    }
    sy_mem_release(gate->mem, gate->bans);
    gate->bans = fresh.bans;
    gate->ban_count = fresh.ban_count;
    gate->ban_cap = fresh.ban_cap;
    return SY_OK;
}
