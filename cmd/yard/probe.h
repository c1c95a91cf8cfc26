/* SPDX-License-Identifier: Apache-2.0 */
/* Probing a remote: one dial through a switch of its own, step by step, and what was learned.
 *
 *     yard_probe probe;
 *     yard_probe_init(&probe, &addr, &key, timeout);
 *     yard_probe_run(&probe, chain_id, profiles, profile_count);
 *     json_t *report = yard_probe_report(&probe);
 *     yard_probe_fini(&probe); */
#ifndef YARD_PROBE_H
#define YARD_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <switchyard/addr.h>
#include <switchyard/node_info.h>
#include <switchyard/node_key.h>
#include <switchyard/reason.h>
#include <switchyard/time.h>

#include "cmd/yard/util.h"

#define YARD_PROBE_STEPS_MAX 64

typedef struct yard_step {
    char *name;
    double ms;
} yard_step;

typedef struct yard_probe {
    const sy_addr *target;
    const sy_node_key *key;
    sy_time deadline; /* of the whole probe */
    bool talk;        /* print each step as it happens */

    sy_endpoint addresses[16]; /* of the target */
    size_t address_count;

    /* What is known of the remote. */
    bool has_id;
    sy_node_id id;
    const char *profile; /* "" while unknown; static */
    json_t *node_info;   /* NULL while unknown */
    char *network;
    char *version;
    uint64_t p2p_version;
    uint64_t block_version;
    uint64_t app_version;
    uint8_t channels[SY_NODE_INFO_CHANNELS_MAX];
    size_t channel_count;

    yard_step steps[YARD_PROBE_STEPS_MAX];
    size_t step_count;
    bool accepted; /* and a ping was answered */
    sy_duration rtt;
    bool has_reason;
    sy_reason reason; /* of the last end */
} yard_probe;

/* target and key borrow until fini. */
void yard_probe_init(yard_probe *probe, const sy_addr *target, const sy_node_key *key,
                     sy_duration timeout);
void yard_probe_fini(yard_probe *probe);

/* Resolves, finds the profile, learns, and asks to be accepted; returns probe->accepted.  chain_id
 * NULL: the remote's, and its versions. */
bool yard_probe_run(yard_probe *probe, const char *chain_id, const char *const *profiles,
                    size_t profile_count);

/* NodeInfo in the form of a node's /net_info.  Owned. */
json_t *yard_node_info_json(const sy_node_info *info);

/* The outcome as an object with profile, id, node_info, steps, error.  Owned. */
json_t *yard_probe_report(const yard_probe *probe);

/* For the other files of the probe. */
sy_time yard_clock(void);
void yard_probe_step(yard_probe *probe, const char *name, sy_duration took, const char *more);
void yard_probe_learn(yard_probe *probe, const sy_node_info *info);
void yard_probe_fail(yard_probe *probe, sy_stage stage, sy_err code, const char *text);

/* Fills the addresses of the target; a step of its own, and a reason when there are none. */
bool yard_probe_resolve(yard_probe *probe);

/* What one dial should do. */
typedef struct yard_attempt_plan {
    const sy_endpoint *endpoint;
    const char *profile;
    const char *network;
    bool mirror_versions;
    bool mirror_channels;
    bool only_learn;    /* the remote's NodeInfo is enough, whatever comes of it */
    bool until_checked; /* ... and our own verdict on it */
    sy_duration timeout;
} yard_attempt_plan;

typedef enum yard_attempt_end {
    YARD_ATTEMPT_FAILED,   /* probe->reason */
    YARD_ATTEMPT_LEARNED,  /* NodeInfo came (and passed, if until_checked) */
    YARD_ATTEMPT_ACCEPTED, /* a ping was answered */
} yard_attempt_end;

/* One dial.  Steps are named with prefix in front. */
yard_attempt_end yard_probe_attempt(yard_probe *probe, const yard_attempt_plan *plan,
                                    const char *prefix);

#endif
