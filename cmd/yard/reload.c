/* SPDX-License-Identifier: Apache-2.0 */
/* What a running node is told anew: its configuration on SIGHUP, its bans when their file changes.
 *
 * A new configuration is read and checked as a whole.  Of keys that need a restart the old values
 * are put into it, so that what is in effect is always one consistent set; only then the switch
 * takes it.  The peer exchange and the list of persistent peers follow, which cannot fail but for
 * memory. */
#include <stdlib.h>
#include <string.h>

#include "cmd/yard/bans_file.h"
#include "cmd/yard/files.h"
#include "cmd/yard/runner.h"

void yard_runner_say(yard_runner *run, sy_log_level level, const char *event, const char *text) {
    SY_LOG(&run->log, level, "yard", event, sy_ev_now(run->ev), SY_F_STR("text", text));
}

void yard_runner_say_config(yard_runner *run, sy_log_level level, const char *event,
                            const char *text) {
    const char *path = run->config.path;
    const size_t path_len = strlen(path);
    const bool has_path = strncmp(text, path, path_len) == 0 && text[path_len] == ':';
    const char *rest = has_path ? text + path_len + 1 : text;
    const size_t len = strlen(rest);
    const size_t first = len < SY_LOG_TEXT_MAX ? len : SY_LOG_TEXT_MAX;
    SY_LOG(&run->log, level, "yard", event, sy_ev_now(run->ev),
           SY_F_STR("path", has_path ? path : ""), SY_F_STRN("text", rest, first),
           SY_F_STRN("more", rest + first, len - first));
}

static void say_file(yard_runner *run, sy_log_level level, const char *event, const char *path,
                     const char *text) {
    SY_LOG(&run->log, level, "yard", event, sy_ev_now(run->ev), SY_F_STR("path", path),
           SY_F_STR("text", text));
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* A seed needs no more than its chain id. */
static void prepare_seed(yard_config *config) {
    char *why = NULL;
    char *dir = yard_path(config->home, "config");
    if (yard_file_exists(config->path)) {
        yard_config_read_file(config);
    } else if (!yard_dir_make(dir, 0700, &why)) {
        yard_texts_add(&config->errors, why);
    }
    free(dir);
}

/* What a seed is when nobody says otherwise. */
static void seed_defaults(yard_config *config) {
    static const struct {
        yard_key key;
        const char *value;
        bool always;
    } rows[] = {
        {YARD_KEY_SEED_MODE, "true", true},
        {YARD_KEY_PEX, "true", true},
        {YARD_KEY_ECHO_CHANNELS, "[]", true}, /* SPEC SEED-09 */
        {YARD_KEY_PROFILES, "[\"cometbft\", \"tendermint\"]", false},
        {YARD_KEY_MAX_NUM_INBOUND_PEERS, "200", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].always || !yard_config_is_given(config, rows[i].key)) {
            yard_config_set_flag(config, rows[i].key, "seed", rows[i].value);
        }
    }
}

void yard_runner_read_config(const yard_runner *run, yard_config *ret_config) {
    char *home = yard_args_home(run->args);
    yard_config_init(ret_config, home);
    free(home);
    if (run->seed) {
        prepare_seed(ret_config);
    } else {
        yard_config_read_file(ret_config);
    }
    yard_args_apply(run->args, ret_config);
    if (run->seed) {
        seed_defaults(ret_config);
    }
}

/* ---- Bans ------------------------------------------------------------------------------------ */

static bool give_bans(yard_runner *run, const sy_gate *gate, char **ret_why) {
    sy_detail detail;
    size_t len;
    char *text = yard_bans_text(gate, &len);
    sy_detail_clear(&detail);
    const sy_err err = sy_switch_bans_decode(run->sw, text, len, &detail, sy_ev_now(run->ev));
    free(text);
    if (err != SY_OK) {
        *ret_why = yard_format("%s: %s", sy_strerror(err), detail.text);
    }
    return err == SY_OK;
}

/* A damaged file must not keep a node from starting, but what it held must not be lost. */
static bool set_bans_aside(yard_runner *run, const char *what) {
    char *aside;
    char *why;
    if (!yard_file_set_aside(run->node.bans_path, &aside, &why)) {
        yard_complain("start: %s", why);
        free(why);
        return false;
    }
    char *text = yard_format("%s; there are no bans, the file is now %s", what, aside);
    say_file(run, SY_LOG_ERROR, "bans_set_aside", run->node.bans_path, text);
    free(text);
    free(aside);
    return true;
}

bool yard_runner_open_filter(yard_runner *run) {
    const sy_filter_settings lists = yard_node_filter(&run->node);
    sy_gate gate;
    char *why = NULL;
    bool ok = false;
    const sy_err err = sy_switch_set_filter(run->sw, &lists, sy_ev_now(run->ev));
    if (err != SY_OK) {
        yard_complain("start: allow_peers, deny_peers: %s", sy_strerror(err));
        return false;
    }
    switch (yard_bans_read(run->node.bans_path, yard_walltime(), &gate, &why)) {
    case YARD_BANS_UNREADABLE:
        break;
    case YARD_BANS_DAMAGED:
        ok = set_bans_aside(run, why);
        free(why);
        return ok;
    case YARD_BANS_READ:
        ok = give_bans(run, &gate, &why);
        if (ok && gate.ban_count > 0) {
            SY_LOG(&run->log, SY_LOG_INFO, "yard", "bans", sy_ev_now(run->ev),
                   SY_F_STR("path", run->node.bans_path), SY_F_U64("count", gate.ban_count));
        }
        sy_gate_fini(&gate);
        break;
    }
    if (!ok) {
        yard_complain("start: %s", why);
        free(why);
    }
    return ok;
}

static void on_bans_changed(struct ev_loop *loop, ev_stat *watcher, int revents) {
    yard_runner *run = watcher->data;
    sy_gate gate;
    char *why;
    (void)loop;
    (void)revents;
    if (yard_bans_read(run->node.bans_path, yard_walltime(), &gate, &why) != YARD_BANS_READ) {
        say_file(run, SY_LOG_ERROR, "bans_refused", run->node.bans_path, why);
        free(why);
        return;
    }
    if (give_bans(run, &gate, &why)) {
        SY_LOG(&run->log, SY_LOG_INFO, "yard", "bans", sy_ev_now(run->ev),
               SY_F_STR("path", run->node.bans_path), SY_F_U64("count", gate.ban_count));
    } else {
        say_file(run, SY_LOG_ERROR, "bans_refused", run->node.bans_path, why);
        free(why);
    }
    sy_gate_fini(&gate);
}

void yard_runner_watch_bans(yard_runner *run) {
    ev_stat_init(&run->on_bans, on_bans_changed, run->node.bans_path, 0.0);
    run->on_bans.data = run;
    ev_stat_start(run->loop, &run->on_bans);
}

void yard_runner_unwatch_bans(yard_runner *run) {
    ev_stat_stop(run->loop, &run->on_bans);
}

/* ---- What is different ----------------------------------------------------------------------- */

typedef struct changes {
    size_t taken;
    size_t restart;
} changes;

static void say_change(yard_runner *run, yard_key key, const char *old, const char *new) {
    const bool reloads = yard_key_reloads(key);
    char *name = yard_config_name(key);
    SY_LOG(&run->log, reloads ? SY_LOG_INFO : SY_LOG_WARN, "yard",
           reloads ? "changed" : "needs_restart", sy_ev_now(run->ev), SY_F_STR("key", name),
           SY_F_STR("old", old), SY_F_STR("new", new));
    free(name);
}

/* Of keys that only a restart can change, the value in effect. */
static void keep_fixed(const yard_config *in_effect, yard_config *config) {
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        if (!yard_key_reloads(key)) {
            yard_value_fini(&config->values[key]);
            yard_value_copy(&in_effect->values[key], &config->values[key]);
        }
    }
}

/* A text as it is: the log has quotes of its own.  Owned. */
static char *bare(const yard_key_desc *desc, const yard_value *value) {
    return desc->kind == YARD_KIND_TEXT ? yard_strdup(value->text) : yard_value_print(desc, value);
}

static changes say_changes(yard_runner *run, const yard_config *old, const yard_config *fresh) {
    changes found = {0, 0};
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        const yard_key_desc *desc = yard_key_get(key);
        char *was = bare(desc, &old->values[key]);
        char *is = bare(desc, &fresh->values[key]);
        if (desc->role == YARD_ROLE_USED && strcmp(was, is) != 0) {
            say_change(run, key, was, is);
            *(yard_key_reloads(key) ? &found.taken : &found.restart) += 1;
        }
        free(was);
        free(is);
    }
    return found;
}

/* ---- Taking it up ---------------------------------------------------------------------------- */

static const sy_addr *find_addr(const sy_addr *addrs, size_t count, const sy_addr *wanted) {
    for (size_t i = 0; i < count; i++) {
        if (sy_node_id_equal(&addrs[i].id, &wanted->id) && sy_addr_same_target(&addrs[i], wanted)) {
            return &addrs[i];
        }
    }
    return NULL;
}

static void say_peer(yard_runner *run, sy_log_level level, const char *event, const sy_addr *addr,
                     sy_err err) {
    char text[SY_ADDR_TEXT_CAP];
    (void)sy_addr_format(addr, text);
    SY_LOG(&run->log, level, "yard", event, sy_ev_now(run->ev), SY_F_STR("addr", text),
           SY_F_STR("text", err == SY_OK ? "" : sy_strerror(err)));
}

/* Has an address of this ID left the list?  Then the switch knows none of it any more. */
static bool was_forgotten(const yard_node *old, const yard_node *new, const sy_node_id *id) {
    for (size_t i = 0; i < old->persistent_count; i++) {
        const sy_addr *addr = &old->persistent[i];
        if (sy_node_id_equal(&addr->id, id) &&
            find_addr(new->persistent, new->persistent_count, addr) == NULL) {
            return true;
        }
    }
    return false;
}

/* Those that left the list first: an ID may have moved to another address. */
static void change_persistent(yard_runner *run, const yard_node *old, const yard_node *new) {
    for (size_t i = 0; i < old->persistent_count; i++) {
        const sy_addr *addr = &old->persistent[i];
        if (find_addr(new->persistent, new->persistent_count, addr) == NULL &&
            sy_switch_forget(run->sw, &addr->id, sy_ev_now(run->ev)) == SY_OK) {
            say_peer(run, SY_LOG_INFO, "persistent_peer_removed", addr, SY_OK);
        }
    }
    for (size_t i = 0; i < new->persistent_count; i++) {
        const sy_addr *addr = &new->persistent[i];
        if (find_addr(old->persistent, old->persistent_count, addr) != NULL &&
            !was_forgotten(old, new, &addr->id)) {
            continue;
        }
        const sy_err err = sy_switch_dial(run->sw, addr, SY_DIAL_PERSISTENT, sy_ev_now(run->ev));
        if (err == SY_ERR_SELF) {
            say_peer(run, SY_LOG_INFO, "persistent_peer_is_self", addr, SY_OK);
        } else if (err == SY_OK) {
            say_peer(run, SY_LOG_INFO, "persistent_peer_added", addr, SY_OK);
        } else {
            say_peer(run, SY_LOG_ERROR, "persistent_peer_failed", addr, err);
        }
    }
}

/* *ret_restart: not of the file's keys, which have their old values here, but of the genesis file
 * and the host's name. */
static sy_err give_settings(yard_runner *run, sy_detail *ret_restart, sy_detail *detail) {
    sy_settings settings = run->node.settings;
    settings.log = run->log;
    settings.log.level = run->node.log_level;
    settings.node_key = &run->key;
    if (run->mirror.learned) { /* what was mirrored stays */
        settings.p2p_version = run->mirror.p2p_version;
        settings.block_version = run->mirror.block_version;
        settings.app_version = run->mirror.app_version;
    }
    sy_detail_clear(ret_restart);
    sy_detail_clear(detail);
    return sy_switch_reconfigure(run->sw, &settings, ret_restart, detail, sy_ev_now(run->ev));
}

static void refuse(yard_runner *run, const char *why) {
    yard_runner_say_config(run, SY_LOG_ERROR, "reload_refused", why);
}

static bool refuse_errors(yard_runner *run, const yard_config *config) {
    for (size_t i = 0; i < config->errors.count; i++) {
        refuse(run, config->errors.items[i]);
    }
    return config->errors.count > 0;
}

/* The file is watched anew, and read once more, for it may have changed since it was checked. */
static void take_bans(yard_runner *run, const sy_gate *checked) {
    sy_gate latest;
    char *why = NULL;
    yard_runner_unwatch_bans(run);
    yard_runner_watch_bans(run);
    const bool is_read =
        yard_bans_read(run->node.bans_path, yard_walltime(), &latest, &why) == YARD_BANS_READ;
    free(why);
    if (!give_bans(run, is_read ? &latest : checked, &why)) {
        yard_runner_say(run, SY_LOG_ERROR, "bans_refused", why);
        free(why);
    }
    if (is_read) {
        sy_gate_fini(&latest);
    }
}

/* The switch has the new settings; everything else that follows them. */
static void take_over(yard_runner *run, const yard_node *old, const sy_gate *bans) {
    const sy_filter_settings lists = yard_node_filter(&run->node);
    sy_detail restart;
    sy_detail detail;
    sy_err err = sy_switch_set_filter(run->sw, &lists, sy_ev_now(run->ev));
    if (err != SY_OK) {
        yard_runner_say(run, SY_LOG_ERROR, "lists_not_taken", sy_strerror(err));
    }
    take_bans(run, bans);
    change_persistent(run, old, &run->node);
    yard_discovery_reload(&run->discovery, sy_ev_now(run->ev));
    /* Once more: who is persistent has changed, and with it the classes of connections. */
    err = give_settings(run, &restart, &detail);
    if (err != SY_OK) {
        yard_runner_say(run, SY_LOG_ERROR, "classes_not_changed", sy_strerror(err));
    }
}

/* The level at which the change itself is told: the more talkative one of old and new. */
static void set_log(yard_runner *run, sy_log_level level) {
    run->log.level = level;
    run->sink.level = level;
}

/* `fresh` and `bans` were checked. */
static void apply(yard_runner *run, const yard_config *fresh, const sy_gate *bans) {
    yard_config old_config = run->config;
    yard_node old_node = run->node;
    sy_detail restart;
    sy_detail detail;
    yard_config_copy(fresh, &run->config);
    keep_fixed(&old_config, &run->config);
    /* Built in place: settings point into the configuration. */
    const bool fits = yard_node_build(&run->config, &run->node);
    const sy_err err = fits ? give_settings(run, &restart, &detail) : SY_ERR_CONFIG;
    if (err != SY_OK) {
        if (fits) {
            char *why = yard_format("%s: %s", sy_strerror(err), detail.text);
            refuse(run, why);
            free(why);
        } else {
            refuse(run, "together with the keys that need a restart the new values do not fit:");
            (void)refuse_errors(run, &run->config);
        }
        yard_node_fini(&run->node);
        yard_config_fini(&run->config);
        run->node = old_node;
        run->config = old_config;
        return;
    }
    const sy_log_level level = run->node.log_level;
    set_log(run, level < old_node.log_level ? level : old_node.log_level);
    run->sink.json = run->node.log_json;
    changes found = say_changes(run, &old_config, fresh);
    if (restart.text[0] != '\0') {
        SY_LOG(&run->log, SY_LOG_WARN, "yard", "needs_restart", sy_ev_now(run->ev),
               SY_F_STR("key", restart.text));
        found.restart++;
    }
    take_over(run, &old_node, bans);
    SY_LOG(&run->log, SY_LOG_INFO, "yard", "reloaded", sy_ev_now(run->ev),
           SY_F_U64("changed", found.taken), SY_F_U64("need_restart", found.restart),
           SY_F_U64("bans", bans->ban_count));
    set_log(run, level);
    yard_node_fini(&old_node);
    yard_config_fini(&old_config);
}

void yard_runner_reload(yard_runner *run) {
    yard_config fresh;
    yard_node node;
    sy_gate bans;
    char *why = NULL;
    yard_runner_say(run, SY_LOG_INFO, "reload", "SIGHUP");
    yard_runner_read_config(run, &fresh);
    if (!yard_node_build(&fresh, &node)) {
        (void)refuse_errors(run, &fresh);
    } else if (yard_bans_read(node.bans_path, yard_walltime(), &bans, &why) != YARD_BANS_READ) {
        refuse(run, why);
        free(why);
    } else {
        for (size_t i = 0; i < fresh.warnings.count; i++) {
            yard_runner_say_config(run, SY_LOG_WARN, "config", fresh.warnings.items[i]);
        }
        apply(run, &fresh, &bans);
        sy_gate_fini(&bans);
    }
    yard_node_fini(&node);
    yard_config_fini(&fresh);
}
