/* SPDX-License-Identifier: Apache-2.0 */
/* yard probe: can this node be reached, who is it, and would it take us? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cmd/yard/commands.h"
#include "cmd/yard/files.h"
#include "cmd/yard/probe.h"
#include "cmd/yard/value.h"

#define TIMEOUT_DEFAULT (10 * SY_SEC)
#define TIMEOUT_MAX     (10 * SY_MIN)

typedef struct request {
    sy_addr target;
    const char *chain_id; /* NULL: learn it */
    const char *const *profiles;
    size_t profile_count;
    sy_duration timeout;
    bool json;
} request;

bool yard_read_profiles(const yard_args *args, const char *const **ret_profiles,
                        size_t *ret_count) {
    static const char *const every[] = {"cometbft", "tendermint"};
    static const char *const names[] = {"tendermint", "cometbft", "plain"};
    const char *name = yard_args_get(args, "profile");
    *ret_profiles = every;
    *ret_count = 2;
    if (name == NULL || strcmp(name, "auto") == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_profiles = &names[i];
            *ret_count = 1;
            return true;
        }
    }
    yard_complain("%s: --profile %s: none of auto, tendermint, cometbft, plain",
                  args->command->name, name);
    return false;
}

bool yard_read_seconds(const yard_args *args, const char *option, sy_duration max,
                       sy_duration fallback, sy_duration *ret_duration) {
    const char *text = yard_args_get(args, option);
    *ret_duration = fallback;
    if (text == NULL) {
        return true;
    }
    char *with_unit = yard_format("%ss", text);
    const bool ok = strspn(text, "0123456789.") == strlen(text) &&
                    yard_duration_parse(with_unit, ret_duration) && *ret_duration >= 10 * SY_MSEC &&
                    *ret_duration <= max;
    free(with_unit);
    if (!ok) {
        yard_complain("%s: --%s %s: not a number of seconds from 0.01 to %llu", args->command->name,
                      option, text, (unsigned long long)(max / SY_SEC));
    }
    return ok;
}

bool yard_read_key(const yard_args *args, sy_node_key *ret_key) {
    const char *home = yard_args_get(args, "home");
    if (sodium_init() < 0) {
        yard_complain("%s: no random source", args->command->name);
        return false;
    }
    if (home == NULL) {
        uint8_t seed[SY_SEED_LEN];
        randombytes_buf(seed, sizeof seed);
        sy_node_key_from_seed(seed, ret_key);
        sodium_memzero(seed, sizeof seed);
        return true;
    }
    char *path = yard_path(home, "config/node_key.json");
    char *why = NULL;
    const bool ok = yard_key_read(path, ret_key, NULL, &why);
    if (!ok) {
        yard_complain("%s: %s", args->command->name, why);
    }
    free(why);
    free(path);
    return ok;
}

static bool read_request(const yard_args *args, request *req) {
    const char *text = args->operands[0];
    sy_detail why;
    sy_detail_clear(&why);
    req->chain_id = yard_args_get(args, "chain-id");
    req->json = yard_args_get(args, "json") != NULL;
    if (!yard_read_profiles(args, &req->profiles, &req->profile_count) ||
        !yard_read_seconds(args, "timeout", TIMEOUT_MAX, TIMEOUT_DEFAULT, &req->timeout)) {
        return false;
    }
    const sy_err err = sy_addr_parse(text, strlen(text), SY_ADDR_ID_REQUIRED, &req->target, &why);
    if (err != SY_OK) {
        yard_complain("probe: \"%s\": %s%s%s (want ID@host:port)", text, sy_strerror(err),
                      why.text[0] != '\0' ? ": " : "", why.text);
        return false;
    }
    return true;
}

static void print_json(const yard_probe *probe) {
    json_t *report = yard_probe_report(probe);
    (void)json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    (void)printf("\n");
    json_decref(report);
}

static void print_verdict(const yard_probe *probe, const char *target) {
    if (probe->accepted) {
        const json_t *moniker = json_object_get(probe->node_info, "moniker");
        (void)printf("accepted: %s speaks %s on network \"%s\", version %s, moniker \"%s\"; ping "
                     "%.3f ms\n",
                     target, probe->profile, probe->network, probe->version,
                     json_string_value(moniker), (double)probe->rtt / 1e6);
        return;
    }
    const sy_reason *reason = &probe->reason;
    (void)printf("not accepted: %s at stage %s: %s%s%s\n", sy_err_name(reason->code),
                 sy_stage_name(reason->stage), sy_strerror(reason->code),
                 reason->detail.text[0] != '\0' ? ": " : "", reason->detail.text);
}

static int run_probe(const yard_args *args) {
    request req = {0};
    sy_node_key key;
    yard_probe probe;
    if (!read_request(args, &req)) {
        return YARD_EXIT_USAGE;
    }
    if (!yard_read_key(args, &key)) {
        return YARD_EXIT_FAILED;
    }
    yard_probe_init(&probe, &req.target, &key, req.timeout);
    probe.talk = !req.json;
    const bool ok = yard_probe_run(&probe, req.chain_id, req.profiles, req.profile_count);
    if (req.json) {
        print_json(&probe);
    } else {
        print_verdict(&probe, args->operands[0]);
    }
    yard_probe_fini(&probe);
    sy_node_key_wipe(&key);
    return ok ? YARD_EXIT_OK : YARD_EXIT_FAILED;
}

const yard_command yard_command_probe = {
    .name = "probe",
    .operands = "ID@host:port",
    .operand_count = 1,
    .text = "Dials a node, shows each step, and whether it accepts us and answers a ping.",
    .options = {{"chain-id", "ID", "the network to name (default: the one that the node names)"},
                {"profile", "NAME", "auto, tendermint, cometbft or plain (default auto)"},
                {"timeout", "SECONDS", "for everything together (default 10)"},
                {"json", NULL, "print the outcome as JSON"},
                {"home", "DIR", "use the node key of this home (default: one made for the probe)"}},
    .run = run_probe,
};
