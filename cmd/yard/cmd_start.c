/* SPDX-License-Identifier: Apache-2.0 */
/* yard start: one switch on one libev loop, in the foreground, until a signal.
 *
 * Signals belong to the program: the first SIGTERM or SIGINT stops the switch in order (queues are
 * flushed within linger_timeout), the second one ends at once. */
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <ev.h>
#include <sodium.h>

#include "cmd/yard/commands.h"
#include "cmd/yard/files.h"
#include "cmd/yard/runner.h"

#define STOP_POLL_S 0.01

/* ---- Preparation ----------------------------------------------------------------------------- */

/* Every connection is a descriptor: take as many as the system lets us have. */
static void raise_descriptor_limit(yard_runner *run) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    const size_t needed = yard_node_descriptors(&run->node);
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < needed) {
        SY_LOG(&run->log, SY_LOG_WARN, "yard", "few_descriptors", sy_ev_now(run->ev),
               SY_F_U64("limit", (uint64_t)limit.rlim_cur), SY_F_U64("needed", needed));
    }
}

/* Reads the node key; makes one where there is none, as the Go nodes do. */
static bool get_key(yard_runner *run) {
    const char *path = run->node.key_path;
    char *why = NULL;
    bool open_to_others = false;
    (void)yard_file_sweep(path);
    if (!yard_file_exists(path)) {
        if (!yard_key_create(path, &run->key, &why)) {
            yard_complain("start: %s", why);
            free(why);
            return false;
        }
        yard_runner_say(run, SY_LOG_WARN, "node_key_created", path);
        return true;
    }
    if (!yard_key_read(path, &run->key, &open_to_others, &why)) {
        yard_complain("start: %s", why);
        free(why);
        return false;
    }
    if (open_to_others) {
        char *text = yard_format("%s can be read by others; `chmod 600` it", path);
        yard_runner_say(run, SY_LOG_WARN, "node_key_mode", text);
        free(text);
    }
    return true;
}

/* "tendermint,cometbft" */
static char *profile_list(const sy_settings *s) {
    char *list = yard_strdup("");
    for (size_t i = 0; i < s->profile_count; i++) {
        char *longer = yard_format("%s%s%s", list, i > 0 ? "," : "", s->profiles[i]);
        free(list);
        list = longer;
    }
    return list;
}

static void say_settings(yard_runner *run) {
    const yard_memory memory = yard_node_memory(&run->node);
    const sy_settings *s = &run->node.settings;
    char *profiles = profile_list(s);
    SY_LOG(&run->log, SY_LOG_INFO, "yard", "starting", sy_ev_now(run->ev),
           SY_F_STR("version", YARD_VERSION), SY_F_STR("home", run->config.home),
           SY_F_STR("chain_id", s->network), SY_F_STR("moniker", s->moniker),
           SY_F_STR("profiles", profiles));
    free(profiles);
    for (size_t i = 0; i < run->config.warnings.count; i++) {
        yard_runner_say_config(run, SY_LOG_WARN, "config", run->config.warnings.items[i]);
    }
    for (size_t i = 0; i < run->config.notes.count; i++) {
        yard_runner_say_config(run, SY_LOG_INFO, "config", run->config.notes.items[i]);
    }
    SY_LOG(&run->log, SY_LOG_INFO, "yard", "limits", sy_ev_now(run->ev),
           SY_F_U64("max_inbound", s->max_inbound), SY_F_U64("max_outbound", s->max_outbound),
           SY_F_U64("persistent", run->node.persistent_count),
           SY_F_U64("unconditional", s->unconditional_count), SY_F_U64("peers", memory.peers),
           SY_F_U64("pending", s->max_pending), SY_F_U64("worst_case_bytes", memory.worst));
}

/* ---- The switch ------------------------------------------------------------------------------ */

static bool complain(const char *what, sy_err err, const sy_detail *detail) {
    yard_complain("start: %s: %s%s%s", what, sy_strerror(err), detail->text[0] == '\0' ? "" : ": ",
                  detail->text);
    return false;
}

static void on_echo_answer(void *user, sy_peer *peer, sy_channel channel, uint64_t number,
                           size_t len, sy_duration round_trip) {
    yard_runner *run = user;
    char id[SY_NODE_ID_TEXT_CAP];
    sy_node_id_format(sy_peer_id(peer), id);
    SY_LOG(&run->log, SY_LOG_INFO, "echo", "echo_answer", sy_ev_now(run->ev), SY_F_STR("id", id),
           SY_F_U64("channel", sy_switch_channel_id(run->sw, channel)), SY_F_U64("number", number),
           SY_F_U64("len", len), SY_F_DUR("ms", round_trip));
}

static bool add_echo(yard_runner *run) {
    const yard_value *channels = &run->config.values[YARD_KEY_ECHO_CHANNELS];
    sy_detail detail;
    sy_detail_clear(&detail);
    if (channels->count == 0) {
        return true;
    }
    sy_echo_config config = {
        .channels = channels->bytes,
        .channel_count = channels->count,
        .probe_interval = run->config.values[YARD_KEY_ECHO_INTERVAL].number,
        .probe_len = (size_t)run->config.values[YARD_KEY_ECHO_PROBE_LEN].number,
        .on_answer = on_echo_answer,
        .user = run,
    };
    randombytes_buf(&config.nonce, sizeof config.nonce);
    sy_err err = sy_echo_new(&config, &run->echo);
    if (err == SY_OK) {
        err = sy_switch_add_reactor(run->sw, sy_echo_ops(run->echo), run->echo, &detail);
    }
    return err == SY_OK || complain("the echo reactor", err, &detail);
}

/* SPEC NI-44 */
static void on_event(void *user, const sy_event *event, sy_time now) {
    yard_runner *run = user;
    if (event->kind == SY_EVENT_CONNECTED && event->outbound) {
        yard_discovery_connected(&run->discovery, now);
    }
    yard_runner_mirror_hear(run, event);
}

static bool make_switch(yard_runner *run) {
    sy_settings settings = run->node.settings;
    sy_detail detail;
    sy_detail_clear(&detail);
    settings.log = run->log;
    settings.node_key = &run->key;
    yard_runner_mirror_init(run);
    settings.observer = on_event;
    settings.observer_user = run;
    sy_err err = sy_switch_new(&settings, sy_ev_ops(), run->ev, &run->sw, &detail);
    if (err != SY_OK) {
        return complain("the configuration", err, &detail);
    }
    sy_ev_attach(run->ev, run->sw);
    SY_LOG(&run->log, SY_LOG_INFO, "yard", "frame_cipher", sy_ev_now(run->ev),
           SY_F_STR("name", sy_switch_frame_cipher(run->sw)));
    if (run->node.filter_peers &&
        (err = sy_switch_set_app_filter(run->sw, &run->node.app_filter, &detail)) != SY_OK) {
        return complain("filter_peers", err, &detail);
    }
    return yard_runner_open_filter(run) && add_echo(run) &&
           yard_discovery_open(&run->discovery, &run->config, &run->node, run->sw,
                               yard_mirror_is_open(&run->mirror), yard_log_make_open(&run->sink),
                               sy_ev_now(run->ev));
}

/* A name in laddr is looked up once, before the loop runs; the first address counts. */
static bool listen_endpoint(const sy_addr *addr, sy_endpoint *ret_endpoint, sy_detail *detail) {
    if (addr->is_ip || addr->host[0] == '\0') {
        *ret_endpoint = addr->endpoint;
        ret_endpoint->port = addr->port;
        return true;
    }
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const int failed = getaddrinfo(addr->host, NULL, &hints, &found);
    if (failed != 0) {
        sy_detail_set(detail, "%s: %s", addr->host, gai_strerror(failed));
        return false;
    }
    char text[NI_MAXHOST];
    const bool ok = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0,
                                NI_NUMERICHOST) == 0 &&
                    sy_endpoint_parse_ip(text, strlen(text), ret_endpoint) == SY_OK;
    freeaddrinfo(found);
    if (!ok) {
        sy_detail_set(detail, "%s: no usable address", addr->host);
        return false;
    }
    ret_endpoint->port = addr->port;
    return true;
}

static bool start_listening(yard_runner *run, char ret_bound[SY_ENDPOINT_TEXT_CAP]) {
    sy_detail detail;
    sy_endpoint local;
    sy_endpoint bound;
    sy_detail_clear(&detail);
    if (!run->node.has_listener) {
        ret_bound[0] = '-';
        ret_bound[1] = '\0';
        return true;
    }
    const char *laddr = run->config.values[YARD_KEY_LADDR].text;
    if (!listen_endpoint(&run->node.listen, &local, &detail)) {
        return complain(laddr, SY_ERR_RESOLVE, &detail);
    }
    const sy_err err = sy_switch_listen(run->sw, &local, &bound, &detail);
    if (err != SY_OK) {
        return complain(laddr, err, &detail);
    }
    (void)sy_endpoint_format(&bound, ret_bound);
    yard_discovery_listening(&run->discovery, &bound, sy_ev_now(run->ev));
    return true;
}

static bool dial_persistent(yard_runner *run) {
    for (size_t i = 0; i < run->node.persistent_count; i++) {
        const sy_addr *addr = &run->node.persistent[i];
        const sy_err err = sy_switch_dial(run->sw, addr, SY_DIAL_PERSISTENT, sy_ev_now(run->ev));
        char text[SY_ADDR_TEXT_CAP];
        (void)sy_addr_format(addr, text);
        if (err == SY_ERR_SELF) {
            /* One list for all nodes of a network names ourselves too. */
            yard_runner_say(run, SY_LOG_INFO, "persistent_peer_is_self", text);
        } else if (err != SY_OK) {
            sy_detail detail;
            sy_detail_clear(&detail);
            return complain(text, err, &detail);
        }
    }
    return true;
}

static bool start_switch(yard_runner *run) {
    sy_detail detail;
    char id[SY_NODE_ID_TEXT_CAP];
    char bound[SY_ENDPOINT_TEXT_CAP];
    sy_detail_clear(&detail);
    const sy_err err = sy_switch_start(run->sw, sy_ev_now(run->ev));
    if (err != SY_OK) {
        return complain("the switch", err, &detail);
    }
    if (!start_listening(run, bound) || !dial_persistent(run)) {
        return false;
    }
    sy_node_id_format(sy_switch_id(run->sw), id);
    (void)printf("ready id=%s addr=%s\n", id, bound);
    (void)fflush(stdout);
    return true;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void on_stop_poll(struct ev_loop *loop, ev_timer *watcher, int revents) {
    yard_runner *run = watcher->data;
    (void)revents;
    if (sy_switch_is_stopped(run->sw)) {
        ev_break(loop, EVBREAK_ALL);
    }
}

static void on_stop_signal(struct ev_loop *loop, ev_signal *watcher, int revents) {
    yard_runner *run = watcher->data;
    (void)revents;
    if (run->stopping) {
        yard_runner_say(run, SY_LOG_WARN, "stopping", "second signal: at once");
        ev_break(loop, EVBREAK_ALL);
        return;
    }
    run->stopping = true;
    yard_runner_say(run, SY_LOG_INFO, "stopping",
                    watcher->signum == SIGTERM ? "SIGTERM" : "SIGINT");
    sy_switch_stop(run->sw, sy_ev_now(run->ev));
    ev_timer_again(loop, &run->stop_poll);
}

static void on_hup_signal(struct ev_loop *loop, ev_signal *watcher, int revents) {
    yard_runner *run = watcher->data;
    (void)loop;
    (void)revents;
    if (run->stopping) {
        yard_runner_say(run, SY_LOG_WARN, "reload_refused", "SIGHUP: the node is stopping");
        return;
    }
    yard_runner_reload(run);
}

static void watch_signals(yard_runner *run) {
    ev_signal_init(&run->on_term, on_stop_signal, SIGTERM);
    ev_signal_init(&run->on_int, on_stop_signal, SIGINT);
    ev_signal_init(&run->on_hup, on_hup_signal, SIGHUP);
    ev_timer_init(&run->stop_poll, on_stop_poll, 0.0, STOP_POLL_S);
    run->on_term.data = run;
    run->on_int.data = run;
    run->on_hup.data = run;
    run->stop_poll.data = run;
    ev_signal_start(run->loop, &run->on_term);
    ev_signal_start(run->loop, &run->on_int);
    ev_signal_start(run->loop, &run->on_hup);
}

static void unwatch_signals(yard_runner *run) {
    ev_signal_stop(run->loop, &run->on_term);
    ev_signal_stop(run->loop, &run->on_int);
    ev_signal_stop(run->loop, &run->on_hup);
    ev_timer_stop(run->loop, &run->stop_poll);
    yard_runner_mirror_stop(run);
}

static int run_loop(yard_runner *run) {
    watch_signals(run);
    yard_runner_watch_bans(run); /* before they are read: a change from then on is seen */
    bool ok = make_switch(run) && start_switch(run);
    if (ok) {
        (void)ev_run(run->loop, 0);
        if (run->echo != NULL && sy_echo_dropped_count(run->echo) > 0) {
            SY_LOG(&run->log, SY_LOG_WARN, "echo", "echoes_dropped", sy_ev_now(run->ev),
                   SY_F_U64("count", sy_echo_dropped_count(run->echo)));
        }
        yard_runner_say(run, SY_LOG_INFO, "stopped", "");
    }
    yard_runner_unwatch_bans(run);
    unwatch_signals(run);
    return ok ? YARD_EXIT_OK : YARD_EXIT_FAILED;
}

static int run_node(yard_runner *run) {
    run->sink.json = run->node.log_json;
    run->log = yard_log_make(&run->sink, run->node.log_level);
    run->loop = ev_default_loop(0);
    if (run->loop == NULL) {
        yard_complain("start: no event loop: %s", strerror(errno));
        return YARD_EXIT_FAILED;
    }
    const sy_err err = sy_ev_new(run->loop, NULL, &run->ev);
    if (err != SY_OK) {
        yard_complain("start: %s", sy_strerror(err));
        return YARD_EXIT_FAILED;
    }
    raise_descriptor_limit(run);
    say_settings(run);
    int status = YARD_EXIT_FAILED;
    if (get_key(run)) {
        status = run_loop(run);
        sy_switch_del(run->sw);
        yard_discovery_close(&run->discovery);
        sy_echo_del(run->echo);
        sy_node_key_wipe(&run->key);
    }
    sy_ev_del(run->ev);
    ev_loop_destroy(run->loop);
    return status;
}

static int run_command(const yard_args *args, bool seed) {
    yard_runner run = {.args = args, .seed = seed};
    int status = YARD_EXIT_FAILED;
    yard_runner_read_config(&run, &run.config);
    if (yard_node_build(&run.config, &run.node)) {
        status = run_node(&run);
    } else {
        (void)yard_config_report(&run.config, true);
    }
    yard_node_fini(&run.node);
    yard_config_fini(&run.config);
    return status;
}

static int run_start(const yard_args *args) {
    return run_command(args, false);
}

static int run_seed(const yard_args *args) {
    return run_command(args, true);
}

const yard_command yard_command_start = {
    .name = "start",
    .operands = "",
    .text = "Runs the node in the foreground; prints `ready id=ID addr=HOST:PORT` once it listens.",
    .takes_keys = true,
    .options = {YARD_OPTION_HOME},
    .run = run_start,
};

const yard_command yard_command_seed = {
    .name = "seed",
    .operands = "",
    .text = "Runs a seed for a chain in the foreground: answers visitors, crawls, keeps no peers.",
    .takes_keys = true,
    .options = {YARD_OPTION_HOME},
    .run = run_seed,
};
