/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect at all: rules that name an ID, an address or a prefix, an allow list and a deny
 * list made of them, and bans, which are rules with a reason and an end.
 *
 *     sy_net_rule rules[2];
 *     err = sy_net_rule_parse("10.1.0.0/16", 11, &rules[0], &detail);
 *     err = sy_net_rule_parse("0123456789abcdef0123456789abcdef01234567", 40, &rules[1], &detail);
 *     const sy_filter_settings lists = {.deny = rules, .deny_count = 2};
 *     err = sy_switch_set_filter(sw, &lists, now);     // at start, and again on SIGHUP
 *
 *     sy_ban ban = {.rule = rules[0], .until = {unix_ns + 3600 * INT64_C(1000000000)}};
 *     snprintf(ban.reason, sizeof ban.reason, "floods us");
 *     err = sy_switch_ban(sw, &ban, now);
 *
 * Functions of values: any thread.  Functions of a switch: loop thread only, not inside a callback
 * of the observer.  Source: docs/spec/filters.md. */
#ifndef SWITCHYARD_FILTER_H
#define SWITCHYARD_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/node_id.h>
#include <switchyard/time.h>

SY_BEGIN_DECLS

typedef struct sy_switch sy_switch;

typedef enum sy_net_rule_kind {
    SY_RULE_ID,
    SY_RULE_IPV4,
    SY_RULE_IPV6,
} sy_net_rule_kind;

/* A value; compare with sy_net_rule_equal. */
typedef struct sy_net_rule {
    sy_net_rule_kind kind;
    sy_node_id id;
    uint8_t ip[16]; /* IPv4 mapped, as in sy_endpoint; host bits 0 */
    uint8_t bits;   /* of the prefix: 0..32 (IPv4), 0..128 (IPv6) */
} sy_net_rule;

#define SY_NET_RULE_TEXT_CAP 64

/* "ID" (40 hex digits), "1.2.3.4", "1.2.3.0/24", "2001:db8::1", "2001:db8::/32".  detail may be
 * NULL.
 *   SY_ERR_INVALID  none of these, or bits set behind the prefix */
SY_API sy_err sy_net_rule_parse(const char *text, size_t len, sy_net_rule *ret_rule,
                                sy_detail *detail) SY_MUST_USE;

/* The same form, NUL-terminated; returns the length. */
SY_API size_t sy_net_rule_format(const sy_net_rule *rule, char out[SY_NET_RULE_TEXT_CAP]);
SY_API bool sy_net_rule_equal(const sy_net_rule *a, const sy_net_rule *b);

/* id NULL: not known (yet), only addresses can match.  An IPv6 prefix matches no IPv4 address. */
SY_API bool sy_net_rule_matches(const sy_net_rule *rule, const sy_node_id *id,
                                const sy_endpoint *remote);

/* An empty allow list allows everybody; deny wins over allow. */
typedef struct sy_filter_settings {
    const sy_net_rule *allow;
    size_t allow_count;
    const sy_net_rule *deny;
    size_t deny_count;
} sy_filter_settings;

#define SY_FILTER_RULES_MAX 65536 /* of each list */

/* Replaces both lists; copied.  Connections that do not pass any more end (SY_ERR_FILTERED).
 *   SY_ERR_LIMIT, SY_ERR_NOMEM: nothing has changed */
SY_API sy_err sy_switch_set_filter(sy_switch *sw, const sy_filter_settings *lists,
                                   sy_time now) SY_MUST_USE;

#define SY_BAN_REASON_CAP 128
#define SY_BANS_MAX       4096 /* of one switch */

typedef struct sy_ban {
    sy_net_rule rule;
    char reason[SY_BAN_REASON_CAP]; /* printable ASCII, may be empty */
    sy_walltime since;              /* filled in by sy_switch_ban when 0 */
    sy_walltime until;              /* 0: for good */
} sy_ban;

/* Bans, or replaces the ban of the same rule; connections that it matches end (SY_ERR_BANNED).
 *   SY_ERR_INVALID  the reason is not printable, or the end has passed
 *   SY_ERR_LIMIT    SY_BANS_MAX;  SY_ERR_NOMEM */
SY_API sy_err sy_switch_ban(sy_switch *sw, const sy_ban *ban, sy_time now) SY_MUST_USE;

/*   SY_ERR_GONE  no such ban */
SY_API sy_err sy_switch_unban(sy_switch *sw, const sy_net_rule *rule) SY_MUST_USE;

/* The bans that hold, in order of arrival; NULL behind the last.  Borrows until the next change. */
SY_API const sy_ban *sy_switch_ban_at(sy_switch *sw, size_t index);

/* Bans as the text of a file (JSON, NUL-terminated) that the program writes; returns its length
 * without NUL, also when it does not fit into cap (then out is untouched; out may be NULL). */
SY_API size_t sy_switch_bans_encode(sy_switch *sw, char *out, size_t cap);

/* Replaces all bans by those of such a text; those that have expired are left out.  detail may be
 * NULL.
 *   SY_ERR_INVALID with the place in detail, SY_ERR_LIMIT, SY_ERR_NOMEM: nothing has changed */
SY_API sy_err sy_switch_bans_decode(sy_switch *sw, const char *text, size_t len, sy_detail *detail,
                                    sy_time now) SY_MUST_USE;

SY_END_DECLS

#endif
