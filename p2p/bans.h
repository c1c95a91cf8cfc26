/* SPDX-License-Identifier: Apache-2.0 */
/* The allow and deny lists and the bans of a switch: what they say about a connection, and the
 * bans' text form.  Knows no connections.
 *
 *     err = sy_gate_check(&sw->gate, link->has_id ? &link->id : NULL, &link->remote, wall,
 * &detail); if (err != SY_OK) { ... FILTERED or BANNED; detail names the rule and the reason ... }
 *
 * Source: docs/spec/filters.md. */
#ifndef SY_P2P_BANS_H
#define SY_P2P_BANS_H

#include <switchyard/filter.h>
#include <switchyard/mem.h>

/* Open struct, embedded in its owner; members are private. */
typedef struct sy_gate {
    const sy_mem *mem;
    sy_net_rule *allow;
    size_t allow_count;
    bool allow_has_id; /* an address alone cannot be refused by the allow list */
    sy_net_rule *deny;
    size_t deny_count;
    sy_ban *bans; /* in order of arrival */
    size_t ban_count;
    size_t ban_cap;
} sy_gate;

/* mem borrows until fini. */
void sy_gate_init(sy_gate *gate, const sy_mem *mem);
void sy_gate_fini(sy_gate *gate);

/* id NULL: not known yet.  detail may be NULL.
 *   SY_ERR_BANNED, SY_ERR_FILTERED */
sy_err sy_gate_check(const sy_gate *gate, const sy_node_id *id, const sy_endpoint *remote,
                     sy_walltime wall, sy_detail *detail) __attribute__((warn_unused_result));

/*   SY_ERR_LIMIT, SY_ERR_NOMEM: nothing has changed */
sy_err sy_gate_set_lists(sy_gate *gate, const sy_filter_settings *lists)
    __attribute__((warn_unused_result));

/*   SY_ERR_INVALID, SY_ERR_LIMIT, SY_ERR_NOMEM: nothing has changed */
sy_err sy_gate_ban(sy_gate *gate, const sy_ban *ban, sy_walltime wall)
    __attribute__((warn_unused_result));
bool sy_gate_unban(sy_gate *gate, const sy_net_rule *rule);

/* Forgets what has expired; returns how many. */
size_t sy_gate_expire(sy_gate *gate, sy_walltime wall);

/* As the functions of the switch (filter.h). */
size_t sy_gate_encode(const sy_gate *gate, char *out, size_t cap);
sy_err sy_gate_decode(sy_gate *gate, const char *text, size_t len, sy_detail *detail,
                      sy_walltime wall) __attribute__((warn_unused_result));

#endif
