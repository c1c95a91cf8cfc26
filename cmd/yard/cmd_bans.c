/* SPDX-License-Identifier: Apache-2.0 */
/* yard bans: looks at the bans of a home, or changes them.  A running node reads the file again by
 * itself when it changes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "cmd/yard/bans_file.h"
#include "cmd/yard/commands.h"
#include "cmd/yard/files.h"

#define TIME_CAP 32

/* NULL: the configuration may name another file, but it is damaged; complained.  What is wrong with
 * other keys does not matter. */
static char *path_of(const char *home) {
    yard_config config;
    char *path = NULL;
    yard_config_init(&config, home);
    if (yard_file_exists(config.path)) {
        yard_config_read_file(&config);
    }
    if (config.errors.count > 0 && !yard_config_is_given(&config, YARD_KEY_BANS_FILE)) {
        yard_complain("bans: %s", config.errors.items[0]);
    } else {
        path = yard_path(home, config.values[YARD_KEY_BANS_FILE].text);
    }
    yard_config_fini(&config);
    return path;
}

/* Two commands at once must not undo each other's change.  The lock lies on the folder, because the
 * file itself is replaced; it ends with the process. */
static bool lock_folder(const char *path, char **ret_why) {
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? yard_strdup(".")
                   : slash == path ? yard_strdup("/")
                                   : yard_strndup(path, (size_t)(slash - path));
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool ok = fd >= 0 && flock(fd, LOCK_EX) == 0;
    if (!ok) {
        *ret_why = yard_format("%s: %s", folder, strerror(errno));
    }
    free(folder);
    return ok;
}

/* "2026-01-31T12:34:56Z" */
static void format_time(sy_walltime wall, char out[TIME_CAP]) {
    const time_t seconds = (time_t)(wall.unix_ns / INT64_C(1000000000));
    struct tm parts;
    (void)gmtime_r(&seconds, &parts);
    (void)strftime(out, TIME_CAP, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static void list(const sy_gate *gate) {
    for (size_t i = 0; i < gate->ban_count; i++) {
        const sy_ban *ban = &gate->bans[i];
        char rule[SY_NET_RULE_TEXT_CAP];
        char since[TIME_CAP];
        char until[TIME_CAP] = "forever";
        (void)sy_net_rule_format(&ban->rule, rule);
        format_time(ban->since, since);
        if (ban->until.unix_ns != 0) {
            format_time(ban->until, until);
        }
        (void)printf("%s since=%s until=%s reason=%s\n", rule, since, until, ban->reason);
    }
}

/* The end of a ban that begins now; complains. */
static bool end_of(const yard_args *args, sy_walltime now, sy_walltime *ret_until) {
    const char *length = yard_args_get(args, "for");
    sy_duration duration;
    *ret_until = (sy_walltime){0};
    if (length == NULL) {
        return true;
    }
    if (!yard_duration_parse(length, &duration) || duration < SY_SEC ||
        duration > (sy_duration)(INT64_MAX - now.unix_ns)) {
        yard_complain("bans: --for %s: not a duration of a second or more, such as 90m or 24h",
                      length);
        return false;
    }
    ret_until->unix_ns = now.unix_ns + (int64_t)duration;
    return true;
}

static int add(const yard_args *args, sy_gate *gate, const sy_net_rule *rule, sy_walltime now) {
    const char *reason = yard_args_get(args, "reason");
    sy_ban ban = {.rule = *rule};
    if (!end_of(args, now, &ban.until)) {
        return YARD_EXIT_USAGE;
    }
    if (reason != NULL && strlen(reason) >= sizeof ban.reason) {
        yard_complain("bans: --reason: longer than %zu bytes", sizeof ban.reason - 1);
        return YARD_EXIT_USAGE;
    }
    if (reason != NULL) {
        memcpy(ban.reason, reason, strlen(reason));
    }
    const sy_err err = sy_gate_ban(gate, &ban, now);
    if (err == SY_ERR_INVALID) {
        yard_complain("bans: --reason: not printable ASCII");
        return YARD_EXIT_USAGE;
    }
    if (err == SY_ERR_LIMIT) {
        yard_complain("bans: there are %d bans already, the limit", SY_BANS_MAX);
        return YARD_EXIT_FAILED;
    }
    if (err != SY_OK) {
        yard_complain("bans: %s", sy_strerror(err));
        return YARD_EXIT_FAILED;
    }
    return YARD_EXIT_OK;
}

static int change(const yard_args *args, sy_gate *gate, const char *path, sy_walltime now) {
    const char *text = args->operands[1];
    sy_net_rule rule;
    sy_detail why;
    char *failure;
    sy_detail_clear(&why);
    if (sy_net_rule_parse(text, strlen(text), &rule, &why) != SY_OK) {
        yard_complain("bans: %s", why.text);
        return YARD_EXIT_USAGE;
    }
    if (strcmp(args->operands[0], "add") == 0) {
        const int status = add(args, gate, &rule, now);
        if (status != YARD_EXIT_OK) {
            return status;
        }
    } else if (!sy_gate_unban(gate, &rule)) {
        yard_complain("bans: %s is not banned", text);
        return YARD_EXIT_FAILED;
    }
    (void)yard_file_sweep(path); /* all who write it hold the lock */
    if (!yard_bans_write(path, gate, &failure)) {
        yard_complain("bans: %s", failure);
        free(failure);
        return YARD_EXIT_FAILED;
    }
    return YARD_EXIT_OK;
}

static int run_with(const yard_args *args, const char *path) {
    const bool is_list = strcmp(args->operands[0], "list") == 0;
    const sy_walltime now = yard_walltime();
    sy_gate gate;
    char *why;
    if ((!is_list && !lock_folder(path, &why)) ||
        yard_bans_read(path, now, &gate, &why) != YARD_BANS_READ) {
        yard_complain("bans: %s", why);
        free(why);
        return YARD_EXIT_FAILED;
    }
    int status = YARD_EXIT_OK;
    if (is_list) {
        list(&gate);
    } else {
        (void)yard_file_sweep(path); /* nobody else writes while we hold the lock */
        status = change(args, &gate, path, now);
    }
    sy_gate_fini(&gate);
    return status;
}

static int run_bans(const yard_args *args) {
    const char *what = args->operands[0];
    const bool is_list = strcmp(what, "list") == 0;
    if (!is_list && strcmp(what, "add") != 0 && strcmp(what, "remove") != 0) {
        yard_complain("bans: list, add or remove, not \"%.32s\"", what);
        return YARD_EXIT_USAGE;
    }
    if (args->operand_count != (is_list ? 1 : 2)) {
        yard_complain("bans: %s %s", what,
                      is_list ? "takes no rule" : "needs an ID, an address or a prefix");
        return YARD_EXIT_USAGE;
    }
    char *home = yard_args_home(args);
    char *path = path_of(home);
    const int status = path == NULL ? YARD_EXIT_FAILED : run_with(args, path);
    free(path);
    free(home);
    return status;
}

const yard_command yard_command_bans = {
    .name = "bans",
    .operands = "list | add RULE | remove RULE",
    .operand_count = 1,
    .operand_extra = 1,
    .text = "Lists, makes or lifts bans of an ID, an address or a prefix; a running node follows.",
    .options =
        {
            YARD_OPTION_HOME,
            {"for", "DURATION", "add: how long, such as 90m or 24h (default: for good)"},
            {"reason", "TEXT", "add: for the list and for the log of the node"},
        },
    .run = run_bans,
};
