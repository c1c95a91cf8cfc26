/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <ev.h>

/* The library has no output of its own: this is where its log goes. */
static void print_record(void *user, const sy_log_record *record) {
    char line[1024];
    (void)user;
    (void)sy_log_format_kv(record, line, sizeof line);
    (void)fprintf(stderr, "%s\n", line);
}

static bool complain(const char *what, sy_err err, const sy_detail *detail) {
    (void)fprintf(stderr, "%s: %s %s\n", what, sy_strerror(err), detail->text);
    return false;
}

/* A node that keeps its identity would read node_key.json, see sy_node_key_decode_json. */
static bool new_key(sy_node_key *key) {
    uint8_t seed[SY_SEED_LEN];
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        return false;
    }
    sy_node_key_from_seed(seed, key);
    explicit_bzero(seed, sizeof seed);
    return true;
}

bool node_open(node *n, struct ev_loop *loop, const char *network, const char *moniker,
               const sy_reactor_ops *ops, void *reactor) {
    sy_detail detail;
    sy_settings settings;
    sy_node_key key;

    memset(n, 0, sizeof *n);
    sy_detail_clear(&detail);
    n->loop = loop;
    sy_err err = sy_ev_new(loop, NULL, &n->ev);
    if (err != SY_OK || !new_key(&key)) {
        return complain("driver", err, &detail);
    }
    sy_settings_default(&settings);
    settings.node_key = &key;
    settings.network = network;
    settings.moniker = moniker;
    settings.log = (sy_log){.fn = print_record, .level = SY_LOG_WARN};
    err = sy_switch_new(&settings, sy_ev_ops(), n->ev, &n->sw, &detail);
    sy_node_key_wipe(&key);
    if (err == SY_OK) {
        sy_ev_attach(n->ev, n->sw);
        err = sy_switch_add_reactor(n->sw, ops, reactor, &detail);
    }
    if (err == SY_OK) {
        err = sy_switch_start(n->sw, sy_ev_now(n->ev));
    }
    return err == SY_OK || complain("switch", err, &detail);
}

bool node_listen(node *n, const char *where, sy_endpoint *ret_endpoint) {
    sy_detail detail;
    sy_addr addr;
    sy_endpoint bound;
    char id[SY_NODE_ID_TEXT_CAP];
    char text[SY_ENDPOINT_TEXT_CAP];

    sy_detail_clear(&detail);
    sy_err err = sy_addr_parse(where, strlen(where), SY_ADDR_LISTEN, &addr, &detail);
    if (err == SY_OK && !addr.is_ip) {
        sy_detail_set(&detail, "give an IP address, not a name");
        err = SY_ERR_ADDR_HOST;
    }
    if (err == SY_OK) {
        err = sy_switch_listen(n->sw, &addr.endpoint, &bound, &detail);
    }
    if (err != SY_OK) {
        return complain(where, err, &detail);
    }
    if (ret_endpoint != NULL) {
        *ret_endpoint = bound;
    }
    sy_node_id_format(sy_switch_id(n->sw), id);
    (void)sy_endpoint_format(&bound, text);
    (void)printf("listening on %s@%s\n", id, text);
    (void)fflush(stdout);
    return true;
}

bool node_dial(node *n, const char *address, sy_dial_kind kind) {
    sy_detail detail;
    sy_addr addr;

    sy_detail_clear(&detail);
    sy_err err = sy_addr_parse(address, strlen(address), SY_ADDR_ID_REQUIRED, &addr, &detail);
    if (err == SY_OK) {
        err = sy_switch_dial(n->sw, &addr, kind, sy_ev_now(n->ev));
    }
    return err == SY_OK || complain(address, err, &detail);
}

void node_run(node *n) {
    while (!sy_switch_is_stopped(n->sw)) {
        (void)ev_run(n->loop, EVRUN_ONCE);
    }
}

void node_stop(node *n) {
    sy_switch_stop(n->sw, sy_ev_now(n->ev));
}

void node_close(node *n) {
    sy_switch_del(n->sw);
    sy_ev_del(n->ev);
    memset(n, 0, sizeof *n);
}
