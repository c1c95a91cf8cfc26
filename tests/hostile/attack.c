/* SPDX-License-Identifier: Apache-2.0 */
/* attack --to IP:PORT [--profile P] [--network N] [--count N] [--spread N] [--net N] [--stage S]
 *        [--act A] [--first N] [--drip MS] [--size N] [--channel N] [--seconds N]
 *
 * Opens the connections one after the other, prints
 *     ready open=N refused=N ms=N
 * and goes on until standard input ends.  Each line there is answered by
 *     state open=N closed=N sent=N received=N
 * The connections that the target does not close stay open until the end. */
#include "tests/hostile/attack.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUND_MS 20

typedef struct attack {
    attack_options options;
    attack_conn *conns;
    struct pollfd *polls; /* standard input first */
    attack_counts counts;
    long drip_at;
} attack;

/* ---- Arguments ------------------------------------------------------------------------------- */

static const char *const stage_names[] = {"eph", "auth", "info", "up"};
static const char *const act_names[] = {"hold", "declare", "ping", "mute", "half", "churn"};

static unsigned index_of(const char *what, const char *const *names, size_t count,
                         const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (unsigned)i;
        }
    }
    spec_die("attack: no %s \"%s\"", what, name);
}

static unsigned long number(const char *text) {
    char *end = NULL;
    errno = 0;
    const unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || *text == '\0' || *end != '\0') {
        spec_die("attack: \"%s\" is no number", text);
    }
    return value;
}

static sy_endpoint endpoint(const char *text) {
    sy_endpoint parsed;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || sy_endpoint_parse_ip(text, (size_t)(colon - text), &parsed) != SY_OK ||
        !sy_endpoint_is_v4(&parsed)) {
        spec_die("attack: \"%s\" is no IPv4 address and port", text);
    }
    parsed.port = (uint16_t)number(colon + 1);
    return parsed;
}

static bool take_option(attack_options *o, const char *name, const char *value) {
    if (strcmp(name, "--to") == 0) {
        o->to = endpoint(value);
    } else if (strcmp(name, "--profile") == 0) {
        o->profile = strcmp(value, "tendermint") == 0 ? SPEC_TENDERMINT : SPEC_COMETBFT;
    } else if (strcmp(name, "--network") == 0) {
        o->network = value;
    } else if (strcmp(name, "--count") == 0) {
        o->count = number(value);
    } else if (strcmp(name, "--spread") == 0) {
        o->spread = number(value);
    } else if (strcmp(name, "--net") == 0) {
        o->net = number(value);
    } else if (strcmp(name, "--stage") == 0) {
        o->stage = (attack_stage)index_of("stage", stage_names, 4, value);
    } else if (strcmp(name, "--act") == 0) {
        o->act = (attack_act)index_of("act", act_names, 6, value);
    } else if (strcmp(name, "--first") == 0) {
        o->first = number(value);
    } else if (strcmp(name, "--drip") == 0) {
        o->drip_ms = (long)number(value);
    } else if (strcmp(name, "--size") == 0) {
        o->size = number(value);
    } else if (strcmp(name, "--channel") == 0) {
        o->channel = (unsigned)number(value);
    } else if (strcmp(name, "--seconds") == 0) {
        o->seconds = (long)number(value);
    } else {
        return false;
    }
    return true;
}

static attack_options read_options(int argc, char **argv) {
    attack_options options = {.profile = SPEC_COMETBFT,
                              .network = "hostile-net",
                              .count = 1,
                              .spread = 1,
                              .channel = 0x20};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !take_option(&options, argv[i], argv[i + 1])) {
            spec_die("attack: %s: no such option, or without its value", argv[i]);
        }
    }
    if (options.to.port == 0 || options.count == 0 || options.spread == 0 ||
        options.spread > 50000 || options.net > 10000) {
        spec_die("attack: --to, --count, --spread (1 to 50000), --net (to 10000)");
    }
    return options;
}

/* ---- The connections ------------------------------------------------------------------------- */

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void end_conn(attack *a, attack_conn *conn) {
    conn->open = false;
    a->counts.open--;
    a->counts.closed++;
    spec_peer_close(&conn->peer);
}

static void read_conn(attack *a, attack_conn *conn) {
    static uint8_t area[256 * 1024];
    const ssize_t got = recv(conn->peer.fd, area, sizeof area, 0);
    if (got > 0) {
        a->counts.received += (uint64_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        end_conn(a, conn);
    }
}

static void write_conn(attack *a, attack_conn *conn, size_t most) {
    const size_t len = conn->out.len < most ? conn->out.len : most;
    const ssize_t put = send(conn->peer.fd, conn->out.data, len, MSG_NOSIGNAL);
    if (put > 0) {
        a->counts.sent += (uint64_t)put;
        spec_bytes_drop(&conn->out, (size_t)put);
    } else if (errno != EAGAIN && errno != EINTR) {
        end_conn(a, conn);
    }
}

/* Holding connections write only when they drip. */
static bool wants_write(const attack *a, attack_conn *conn) {
    const attack_act act = a->options.act;
    if (conn->out.len == 0 && (act == ATTACK_PING || act == ATTACK_MUTE)) {
        attack_refill(&a->options, conn);
    }
    return conn->out.len > 0 && act != ATTACK_HOLD;
}

static size_t fill_polls(attack *a) {
    const short reads = a->options.act == ATTACK_MUTE ? 0 : POLLIN;
    a->polls[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (size_t i = 0; i < a->options.count; i++) {
        attack_conn *conn = &a->conns[i];
        const short writes = conn->open && wants_write(a, conn) ? POLLOUT : 0;
        a->polls[i + 1] = (struct pollfd){.fd = conn->open ? conn->peer.fd : -1,
                                          .events = (short)(reads | writes)};
    }
    return a->options.count + 1;
}

static void drip(attack *a) {
    const long now = spec_now_ms();
    if (a->options.drip_ms == 0 || now < a->drip_at) {
        return;
    }
    a->drip_at = now + a->options.drip_ms;
    for (size_t i = 0; i < a->options.count; i++) {
        attack_conn *conn = &a->conns[i];
        /* The last byte stays: it would be honest. */
        if (conn->open && conn->out.len > 1) {
            write_conn(a, conn, 1);
        }
    }
}

/* Answers a line of standard input; false at its end. */
static bool answer(const attack *a) {
    char line[64];
    const ssize_t got = read(STDIN_FILENO, line, sizeof line);
    if (got > 0) {
        (void)printf("state open=%zu closed=%zu sent=%llu received=%llu\n", a->counts.open,
                     a->counts.closed, (unsigned long long)a->counts.sent,
                     (unsigned long long)a->counts.received);
        (void)fflush(stdout);
    }
    return got > 0;
}

static bool round_of(attack *a) {
    const size_t count = fill_polls(a);
    if (poll(a->polls, count, ROUND_MS) < 0 && errno != EINTR) {
        spec_die("attack: poll: %s", strerror(errno));
    }
    for (size_t i = 1; i < count; i++) {
        attack_conn *conn = &a->conns[i - 1];
        const short came = a->polls[i].revents;
        if (!conn->open || came == 0) {
            continue;
        }
        if ((came & POLLIN) != 0) {
            read_conn(a, conn);
        } else if ((came & (POLLERR | POLLHUP)) != 0) {
            end_conn(a, conn);
        }
        if (conn->open && (came & POLLOUT) != 0) {
            write_conn(a, conn, SIZE_MAX);
        }
    }
    drip(a);
    return a->polls[0].revents == 0 || answer(a);
}

static void open_all(attack *a) {
    for (size_t i = 0; i < a->options.count; i++) {
        attack_conn *conn = &a->conns[i];
        conn->open = attack_open(&a->options, i, conn);
        a->counts.open += conn->open;
        a->counts.refused += !conn->open;
        if (!conn->open) {
            spec_peer_close(&conn->peer);
        }
    }
}

int main(int argc, char **argv) {
    attack a = {.options = read_options(argc, argv)};
    if (sodium_init() < 0) {
        spec_die("attack: no random source");
    }
    raise_descriptor_limit();
    a.conns = calloc(a.options.count, sizeof *a.conns);
    a.polls = calloc(a.options.count + 1, sizeof *a.polls);
    if (a.conns == NULL || a.polls == NULL) {
        spec_die("attack: out of memory");
    }
    const long begun = spec_now_ms();
    if (a.options.act == ATTACK_CHURN) {
        a.counts.refused = a.options.count;
        a.counts.closed = attack_churn(&a.options);
        a.options.count = 0;
    } else {
        open_all(&a);
    }
    (void)printf("ready open=%zu refused=%zu closed=%zu ms=%ld\n", a.counts.open, a.counts.refused,
                 a.counts.closed, spec_now_ms() - begun);
    (void)fflush(stdout);
    while (round_of(&a)) {
    }
    for (size_t i = 0; i < a.options.count; i++) {
        spec_peer_fini(&a.conns[i].peer);
        spec_bytes_fini(&a.conns[i].out);
    }
    free(a.conns);
    free(a.polls);
    return 0;
}
