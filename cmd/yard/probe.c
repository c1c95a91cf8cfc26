/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a probe:
 *
 *   resolve -> for each address, for each profile: learn -> accept
 *
 * Learning dials without channels, which every node refuses after it has said who it is; with the
 * chain id unknown the network is a placeholder.  Then the real dial announces the remote's own
 * channels (as sinks) and, unless the chain id was given, its network and versions. */
#include "cmd/yard/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLACEHOLDER_NETWORK "switchyard-probe"
#define RETRY_AFTER_MS      500

sy_time yard_clock(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (sy_time)now.tv_sec * SY_SEC + (sy_time)now.tv_nsec;
}

void yard_probe_init(yard_probe *probe, const sy_addr *target, const sy_node_key *key,
                     sy_duration timeout) {
    *probe = (yard_probe){
        .target = target,
        .key = key,
        .deadline = sy_time_after(yard_clock(), timeout),
        .profile = "",
        .network = yard_strdup(""),
        .version = yard_strdup(""),
    };
}

static void drop_steps(yard_probe *probe, size_t from) {
    while (probe->step_count > from) {
        free(probe->steps[--probe->step_count].name);
    }
}

void yard_probe_fini(yard_probe *probe) {
    drop_steps(probe, 0);
    json_decref(probe->node_info);
    free(probe->network);
    free(probe->version);
    *probe = (yard_probe){0};
}

void yard_probe_step(yard_probe *probe, const char *name, sy_duration took, const char *more) {
    const double ms = (double)took / 1e6;
    if (probe->talk) {
        (void)printf("%-18s %10.3f ms  %s\n", name, ms, more);
        (void)fflush(stdout);
    }
    if (probe->step_count < YARD_PROBE_STEPS_MAX) {
        probe->steps[probe->step_count++] = (yard_step){yard_strdup(name), ms};
    }
}

void yard_probe_fail(yard_probe *probe, sy_stage stage, sy_err code, const char *text) {
    sy_detail detail;
    sy_detail_set(&detail, "%s", text);
    probe->reason = sy_reason_make(stage, code, &detail);
    probe->has_reason = true;
}

/* ---- What the remote says -------------------------------------------------------------------- */

/* A remote's text, before it was validated: what is not printable ASCII as \xNN. */
static char *printable(sy_text text) {
    char *out = yard_alloc(4 * text.len + 1, 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c < 0x7f) {
            out[len++] = (char)c;
        } else {
            len += (size_t)snprintf(out + len, 5, "\\x%02x", c);
        }
    }
    return out;
}

static void set_text(json_t *object, const char *key, sy_text text) {
    char *shown = printable(text);
    (void)json_object_set_new(object, key, json_string(shown));
    free(shown);
}

static json_t *channels_of(const sy_node_info *info) {
    char *hex = yard_alloc(2 * info->channel_count + 1, 1);
    for (size_t i = 0; i < info->channel_count; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02X", info->channels[i]);
    }
    json_t *text = json_string(hex);
    free(hex);
    return text;
}

/* In the form of a node's /net_info, with numbers as numbers. */
json_t *yard_node_info_json(const sy_node_info *info) {
    json_t *object = json_object();
    json_t *versions = json_object();
    json_t *other = json_object();
    (void)json_object_set_new(versions, "p2p", json_integer((json_int_t)info->p2p_version));
    (void)json_object_set_new(versions, "block", json_integer((json_int_t)info->block_version));
    (void)json_object_set_new(versions, "app", json_integer((json_int_t)info->app_version));
    (void)json_object_set_new(object, "protocol_version", versions);
    set_text(object, "id", info->id);
    set_text(object, "listen_addr", info->listen_addr);
    set_text(object, "network", info->network);
    set_text(object, "version", info->version);
    (void)json_object_set_new(object, "channels", channels_of(info));
    set_text(object, "moniker", info->moniker);
    set_text(other, "tx_index", info->tx_index);
    set_text(other, "rpc_address", info->rpc_address);
    (void)json_object_set_new(object, "other", other);
    return object;
}

void yard_probe_learn(yard_probe *probe, const sy_node_info *info) {
    json_decref(probe->node_info);
    probe->node_info = yard_node_info_json(info);
    free(probe->network);
    free(probe->version);
    probe->network = printable(info->network);
    probe->version = printable(info->version);
    probe->p2p_version = info->p2p_version;
    probe->block_version = info->block_version;
    probe->app_version = info->app_version;
    probe->channel_count = info->channel_count < SY_NODE_INFO_CHANNELS_MAX
                               ? info->channel_count
                               : SY_NODE_INFO_CHANNELS_MAX;
    if (probe->channel_count > 0) {
        memcpy(probe->channels, info->channels, probe->channel_count);
    }
}

/* ---- The order ------------------------------------------------------------------------------- */

/* A failed dial is one step of the report: what it tried and how long that took. */
static void fold_steps(yard_probe *probe, size_t from, const char *profile,
                       const sy_endpoint *endpoint, sy_time began) {
    char address[SY_ENDPOINT_TEXT_CAP];
    sy_endpoint at = *endpoint;
    at.port = probe->target->port;
    (void)sy_endpoint_format(&at, address);
    char *name = yard_format("tried %s at %s", profile, address);
    for (size_t i = 0; i < from; i++) {
        if (strcmp(probe->steps[i].name, name) == 0) {
            char *again = yard_format("%s again", name);
            free(name);
            name = again;
        }
    }
    drop_steps(probe, from);
    yard_probe_step(probe, name, sy_time_since(yard_clock(), began),
                    probe->has_reason ? sy_err_name(probe->reason.code) : "");
    free(name);
}

static sy_duration time_left(const yard_probe *probe) {
    const sy_duration left = sy_time_since(probe->deadline, yard_clock());
    return left > SY_MSEC ? left : SY_MSEC;
}

/* Another profile may help when the remote did not understand this one. */
static bool is_about_profile(const sy_reason *reason) {
    return reason->stage == SY_STAGE_HANDSHAKE ||
           (reason->stage == SY_STAGE_CONNECT && reason->code == SY_ERR_PROFILE_UNKNOWN);
}

/* Finds the address and the profile at which the remote says who it is. */
static yard_attempt_end learn(yard_probe *probe, const char *chain_id, const char *const *profiles,
                              size_t profile_count, yard_attempt_plan *ret_plan) {
    for (size_t a = 0; a < probe->address_count; a++) {
        for (size_t p = 0; p < profile_count; p++) {
            const size_t chances = profile_count - p;
            const size_t from = probe->step_count;
            const sy_time began = yard_clock();
            *ret_plan = (yard_attempt_plan){
                .endpoint = &probe->addresses[a],
                .profile = profiles[p],
                .network = chain_id != NULL ? chain_id : PLACEHOLDER_NETWORK,
                .only_learn = true,
                .until_checked = chain_id != NULL,
                .timeout = time_left(probe) / chances,
            };
            const yard_attempt_end end = yard_probe_attempt(probe, ret_plan, "learn.");
            if (end != YARD_ATTEMPT_FAILED || probe->node_info != NULL) {
                return end;
            }
            const bool last = a + 1 == probe->address_count && p + 1 == profile_count;
            if (last || probe->reason.code == SY_ERR_ID_MISMATCH) {
                return end;
            }
            fold_steps(probe, from, profiles[p], &probe->addresses[a], began);
            if (!is_about_profile(&probe->reason)) {
                break;
            }
        }
    }
    return YARD_ATTEMPT_FAILED;
}

/* The remote closed without a word after we had accepted it: perhaps it has not forgotten the first
 * connection yet. */
static bool is_worth_a_retry(const yard_probe *probe) {
    return (probe->reason.code == SY_ERR_REMOTE_CLOSED ||
            probe->reason.code == SY_ERR_REMOTE_RESET) &&
           time_left(probe) > 2 * RETRY_AFTER_MS * SY_MSEC;
}

static yard_attempt_end accept_us(yard_probe *probe, const char *chain_id, yard_attempt_plan plan) {
    char *network = yard_strdup(chain_id != NULL ? chain_id : probe->network);
    plan.network = network;
    plan.mirror_versions = chain_id == NULL;
    plan.mirror_channels = true;
    plan.only_learn = false;
    yard_attempt_end end = YARD_ATTEMPT_FAILED;
    for (int round = 0; round < 2 && end == YARD_ATTEMPT_FAILED; round++) {
        const size_t from = probe->step_count;
        const sy_time began = yard_clock();
        plan.timeout = time_left(probe);
        end = yard_probe_attempt(probe, &plan, "");
        if (end == YARD_ATTEMPT_ACCEPTED || round == 1 || !is_worth_a_retry(probe)) {
            break;
        }
        fold_steps(probe, from, plan.profile, plan.endpoint, began);
        const struct timespec pause = {.tv_nsec = RETRY_AFTER_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
    free(network);
    return end;
}

bool yard_probe_run(yard_probe *probe, const char *chain_id, const char *const *profiles,
                    size_t profile_count) {
    yard_attempt_plan plan;
    if (!yard_probe_resolve(probe)) {
        return false;
    }
    yard_attempt_end end = learn(probe, chain_id, profiles, profile_count, &plan);
    if (end == YARD_ATTEMPT_LEARNED) {
        end = accept_us(probe, chain_id, plan);
    }
    probe->accepted = end == YARD_ATTEMPT_ACCEPTED;
    return probe->accepted;
}

/* ---- The report ------------------------------------------------------------------------------ */

static json_t *report_error(const yard_probe *probe) {
    json_t *error = json_object();
    const sy_reason *reason = &probe->reason;
    char *text = yard_format("%s%s%s", sy_strerror(reason->code),
                             reason->detail.text[0] != '\0' ? ": " : "", reason->detail.text);
    (void)json_object_set_new(error, "stage", json_string(sy_stage_name(reason->stage)));
    (void)json_object_set_new(error, "code", json_string(sy_err_name(reason->code)));
    (void)json_object_set_new(error, "text", json_string(text));
    free(text);
    return error;
}

json_t *yard_probe_report(const yard_probe *probe) {
    json_t *report = json_object();
    json_t *steps = json_array();
    char id[SY_NODE_ID_TEXT_CAP];
    for (size_t i = 0; i < probe->step_count; i++) {
        json_t *step = json_object();
        (void)json_object_set_new(step, "name", json_string(probe->steps[i].name));
        (void)json_object_set_new(step, "ms", json_real(probe->steps[i].ms));
        (void)json_array_append_new(steps, step);
    }
    sy_node_id_format(&probe->id, id);
    (void)json_object_set_new(
        report, "profile", probe->profile[0] != '\0' ? json_string(probe->profile) : json_null());
    (void)json_object_set_new(report, "id", probe->has_id ? json_string(id) : json_null());
    (void)json_object_set_new(report, "node_info",
                              probe->node_info != NULL ? json_deep_copy(probe->node_info)
                                                       : json_null());
    (void)json_object_set_new(report, "steps", steps);
    (void)json_object_set_new(report, "error", probe->accepted ? json_null() : report_error(probe));
    return report;
}
