/* SPDX-License-Identifier: Apache-2.0 */
/* A chat for the terminal: every line you type goes to every peer.
 *
 *     chat NAME HOST:PORT [ID@HOST:PORT...]
 *
 * /who lists the peers, /quit or the end of the input leaves.  docs/tutorial.md builds this program
 * step by step; its code is this file. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <ev.h>

#include <switchyard/ev.h>
#include <switchyard/switch.h>

#define CHAT_CHANNEL 0x77
#define CHAT_NETWORK "chat-example"
#define LINE_LEN_MAX 1000

typedef struct chat {
    struct ev_loop *loop;
    sy_ev *ev;
    sy_switch *sw;
    sy_channel channel;
    ev_io input;
    char line[LINE_LEN_MAX];
    size_t line_len;
} chat;

/* What the switch keeps for us per peer, zeroed at first. */
typedef struct chat_peer {
    unsigned lines;
} chat_peer;

/* Text from outside may hold anything, also commands to the terminal. */
static void print_text(const uint8_t *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        const bool c1 = i > 0 && text[i - 1] == 0xc2 && text[i] < 0xa0;
        (void)putchar(text[i] < 0x20 || text[i] == 0x7f || c1 ? '?' : text[i]);
    }
}

static void print_name(const sy_peer *peer) {
    const sy_text name = sy_peer_info(peer)->moniker;
    print_text((const uint8_t *)name.data, name.len);
}

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    chat *c = reactor;
    (void)now;
    c->sw = sw;
    c->channel = channels[0];
    return SY_OK;
}

static void on_peer_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    (void)reactor, (void)state, (void)now;
    (void)printf("* ");
    print_name(peer);
    (void)printf(" joined\n");
}

static void on_peer_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                            sy_time now) {
    const chat_peer *p = state;
    (void)reactor, (void)now;
    (void)printf("* ");
    print_name(peer);
    (void)printf(" left after %u lines: %s\n", p->lines, sy_strerror(reason->code));
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    chat_peer *p = state;
    (void)reactor, (void)channel, (void)now;
    p->lines++;
    print_name(peer);
    (void)printf(": ");
    print_text(data, len);
    (void)printf("\n");
}

static const sy_channel_desc chat_channels[] = {
    {
        .id = CHAT_CHANNEL,
        .name = "chat",
        .priority = 5,
        .send_queue_max = 100,
        .recv_message_max = LINE_LEN_MAX,
    },
};

static const sy_reactor_ops chat_ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "chat",
    .channels = chat_channels,
    .channel_count = 1,
    .peer_state_size = sizeof(chat_peer),
    .start = on_start,
    .peer_added = on_peer_added,
    .peer_removed = on_peer_removed,
    .receive = on_receive,
};

static void list_peers(chat *c) {
    for (sy_peer *peer = sy_switch_next_peer(c->sw, NULL); peer != NULL;
         peer = sy_switch_next_peer(c->sw, peer)) {
        char id[SY_NODE_ID_TEXT_CAP];
        sy_node_id_format(sy_peer_id(peer), id);
        (void)printf("* %s ", id);
        print_name(peer);
        (void)printf(" (%s, %s)\n", sy_peer_class_text(peer), sy_peer_profile(peer));
    }
}

static void say(chat *c) {
    size_t full = 0;
    (void)sy_switch_broadcast(c->sw, c->channel, c->line, c->line_len, NULL, &full);
    if (full > 0) {
        (void)printf("* %zu peers read too slowly and missed this\n", full);
    }
}

static void leave(chat *c) {
    ev_io_stop(c->loop, &c->input);
    sy_switch_stop(c->sw, sy_ev_now(c->ev));
}

static void on_line(chat *c) {
    if (c->line_len == 4 && memcmp(c->line, "/who", 4) == 0) {
        list_peers(c);
    } else if (c->line_len == 5 && memcmp(c->line, "/quit", 5) == 0) {
        leave(c);
    } else if (c->line_len > 0) {
        say(c);
    }
    c->line_len = 0;
}

static void on_input(struct ev_loop *loop, ev_io *watcher, int revents) {
    chat *c = watcher->data;
    char bytes[512];
    (void)loop, (void)revents;
    const ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            on_line(c);
        } else if (c->line_len < LINE_LEN_MAX) {
            c->line[c->line_len++] = bytes[i];
        }
    }
    if (n <= 0) {
        leave(c);
    }
}

static bool complain(const char *what, sy_err err, const sy_detail *detail) {
    (void)fprintf(stderr, "%s: %s %s\n", what, sy_strerror(err), detail->text);
    return false;
}

static bool new_key(sy_node_key *key) {
    uint8_t seed[SY_SEED_LEN];
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        return false;
    }
    sy_node_key_from_seed(seed, key);
    explicit_bzero(seed, sizeof seed);
    return true;
}

/* The library has no output of its own: this is where its log goes. */
static void print_record(void *user, const sy_log_record *record) {
    char line[1024];
    (void)user;
    (void)sy_log_format_kv(record, line, sizeof line);
    (void)fprintf(stderr, "%s\n", line);
}

static bool make_switch(chat *c, const char *name) {
    sy_detail detail;
    sy_settings settings;
    sy_node_key key;

    sy_detail_clear(&detail);
    if (sy_ev_new(c->loop, NULL, &c->ev) != SY_OK || !new_key(&key)) {
        return complain("driver", SY_ERR_SYSTEM, &detail);
    }
    sy_settings_default(&settings);
    settings.node_key = &key;
    settings.network = CHAT_NETWORK;
    settings.moniker = name;
    settings.log = (sy_log){.fn = print_record, .level = SY_LOG_WARN};
    sy_err err = sy_switch_new(&settings, sy_ev_ops(), c->ev, &c->sw, &detail);
    sy_node_key_wipe(&key);
    if (err == SY_OK) {
        sy_ev_attach(c->ev, c->sw);
        err = sy_switch_add_reactor(c->sw, &chat_ops, c, &detail);
    }
    if (err == SY_OK) {
        err = sy_switch_start(c->sw, sy_ev_now(c->ev));
    }
    return err == SY_OK || complain("switch", err, &detail);
}

static bool listen_on(chat *c, const char *where) {
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
        err = sy_switch_listen(c->sw, &addr.endpoint, &bound, &detail);
    }
    if (err != SY_OK) {
        return complain(where, err, &detail);
    }
    sy_node_id_format(sy_switch_id(c->sw), id);
    (void)sy_endpoint_format(&bound, text);
    (void)printf("* you are %s@%s\n", id, text);
    return true;
}

static bool dial(chat *c, const char *address) {
    sy_detail detail;
    sy_addr addr;

    sy_detail_clear(&detail);
    sy_err err = sy_addr_parse(address, strlen(address), SY_ADDR_ID_REQUIRED, &addr, &detail);
    if (err == SY_OK) {
        err = sy_switch_dial(c->sw, &addr, SY_DIAL_PERSISTENT, sy_ev_now(c->ev));
    }
    return err == SY_OK || complain(address, err, &detail);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        (void)fprintf(stderr, "usage: chat NAME HOST:PORT [ID@HOST:PORT...]\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    chat c = {.loop = ev_default_loop(0)};
    bool ok = make_switch(&c, argv[1]) && listen_on(&c, argv[2]);
    for (int i = 3; ok && i < argc; i++) {
        ok = dial(&c, argv[i]);
    }
    if (ok) {
        ev_io_init(&c.input, on_input, STDIN_FILENO, EV_READ);
        c.input.data = &c;
        ev_io_start(c.loop, &c.input);
        while (!sy_switch_is_stopped(c.sw)) {
            (void)ev_run(c.loop, EVRUN_ONCE);
        }
    }
    sy_switch_del(c.sw);
    sy_ev_del(c.ev);
    return ok ? 0 : 1;
}
