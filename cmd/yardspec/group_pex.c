/* SPDX-License-Identifier: Apache-2.0 */
/* Peer exchange on channel 00.  A node asks the peers that it dialed, so a list that it wants can
 * only be given to a target that dials; to others every list is one too many.
 *
 * The addresses told lead nowhere: port 9 of 127.0.0.2. */
#include <string.h>

#include "cmd/yardspec/cases.h"
#include "reactors/pex/pex_codec.h"

#define ANSWERS_MAX 6 /* a bucket of 4, and what trickles in meanwhile */
#define QUIET_MS    8000

static sy_pex_encoding encoding_of(const spec_peer *peer) {
    return peer->profile == SPEC_TENDERMINT ? SY_PEX_AMINO : SY_PEX_PROTO;
}

static void send_request(spec_peer *peer) {
    uint8_t request[SY_PEX_REQUEST_CAP];
    spec_bytes out = {0};
    const size_t len = sy_pex_encode_request(encoding_of(peer), request);
    spec_peer_add_message(peer, 0, request, len, &out);
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
}

/* The next message on channel 00 must be of this kind. */
static bool want_kind(spec_run *run, spec_peer *peer, sy_pex_kind kind, sy_pex_message *ret) {
    const char *what = kind == SY_PEX_REQUEST ? "a request for addresses" : "a list of addresses";
    static spec_bytes message; /* the result points into it */
    sy_detail why;
    sy_detail_clear(&why);
    const spec_came came = spec_wait_message(peer, 0, &message);
    if (came != SPEC_CAME_DATA) {
        spec_fail(run, what, "%s", spec_came_text(run, peer, came));
        return false;
    }
    if (sy_pex_decode(encoding_of(peer), message.data, message.len, ret, &why) != SY_OK ||
        ret->kind != kind) {
        spec_fail(run, what, "%s%s%s", spec_show(message.data, message.len),
                  why.text[0] != '\0' ? ": " : "", why.text);
        return false;
    }
    return true;
}

/* A target that dialed has asked. */
static spec_peer *dial_asked(spec_run *run) {
    static sy_pex_message request;
    spec_peer *peer = spec_dial_info(run);
    return peer != NULL && want_kind(run, peer, SY_PEX_REQUEST, &request) ? peer : NULL;
}

static void judge(spec_run *run, const spec_row *row, spec_peer *peer) {
    if (row->expect == SPEC_REFUSE) {
        spec_judge_closed(run, peer);
    } else {
        spec_judge_open(run, peer);
    }
}

static void run_bytes(spec_run *run, const spec_row *row, const char *bytes) {
    const bool asked = (row->flags & SPEC_F_LISTEN) != 0;
    spec_peer *peer = asked ? dial_asked(run) : spec_dial_open(run);
    spec_bytes body = {0};
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    spec_expand(run, peer, bytes, &body);
    spec_peer_add_message(peer, 0, body.data, body.len, &out);
    spec_note_sent(run, "on channel 00 %s", spec_show(body.data, body.len));
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&body);
    spec_bytes_fini(&out);
    judge(run, row, peer);
}

/* arg addresses in one list. */
static void run_long_list(spec_run *run, const spec_row *row) {
    spec_peer *peer = dial_asked(run);
    spec_bytes list = {0};
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    for (long i = 0; i < row->arg; i++) {
        if (peer->profile == SPEC_TENDERMINT) {
            spec_expand(run, peer, "0a[0a[*40:61]12[*10:00 ffff 7f000002]1809]", &list);
        } else {
            spec_expand(run, peer, "0a[0a[*40:61]12['127.0.0.2']1809]", &list);
        }
    }
    if (peer->profile == SPEC_TENDERMINT) {
        spec_bytes_insert(&list, 0, "\x1c\xbb\x67\x6b", 4);
    } else {
        spec_bytes_uvarint(&out, list.len);
        spec_bytes_insert(&list, 0, out.data, out.len);
        spec_bytes_insert(&list, 0, "\x12", 1);
        out.len = 0;
    }
    spec_note_sent(run, "a list of %ld addresses", row->arg);
    spec_peer_add_message(peer, 0, list.data, list.len, &out);
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&list);
    spec_bytes_fini(&out);
    judge(run, row, peer);
}

static void run_answer(spec_run *run, const spec_row *row) {
    static sy_pex_message list;
    spec_peer *peer = spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "a request for addresses");
    send_request(peer);
    if (!want_kind(run, peer, SY_PEX_ADDRS, &list)) {
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (row->arg == 1 && list.addrs[i].ip.len != 16) {
            spec_fail(run, "IPs of 16 bytes", "one of %zu", list.addrs[i].ip.len);
        }
    }
    spec_pass(run, "a list of %zu addresses", list.count);
}

/* arg requests at once: some are answered, and the connection stays. */
static void run_requests(spec_run *run, const spec_row *row) {
    spec_peer *peer = spec_dial_open(run);
    size_t answers = 0;
    if (peer == NULL) {
        return;
    }
    for (long i = 0; i < row->arg; i++) {
        send_request(peer);
    }
    spec_note_sent(run, "%ld requests at once", row->arg);
    for (int pongs = 0; pongs < 3;) {
        sy_packet packet;
        spec_peer_send_ping(peer);
        const spec_came came = spec_peer_recv_packet(peer, &packet);
        if (came != SPEC_CAME_DATA) {
            spec_fail(run, "that it stays open", "after %zu answers: %s", answers,
                      spec_came_text(run, peer, came));
            return;
        }
        answers += packet.kind == SY_PACKET_KIND_MSG && packet.channel == 0 && packet.eof;
        pongs += packet.kind == SY_PACKET_KIND_PONG;
    }
    if (answers == 0 || answers > ANSWERS_MAX) {
        spec_fail(run, "1 to 6 answers", "%zu", answers);
    } else {
        spec_pass(run, "%zu answers, and it stays open", answers);
    }
}

/* A visitor of a seed.  arg requests at once: one list, whole, and then the end; 0: nothing, and
 * the end after seed_visit. */
static void run_seed(spec_run *run, const spec_row *row) {
    static sy_pex_message list;
    if (!run->settings.seed_mode || (row->arg == 0 && run->settings.visit_ms == 0)) {
        spec_skip(run, "whether the target is a seed is not known: --setting seed_mode=true");
        return;
    }
    spec_peer *peer = spec_dial_open(run);
    spec_bytes more = {0};
    if (peer == NULL) {
        return;
    }
    for (long i = 0; i < row->arg; i++) {
        send_request(peer);
    }
    spec_note_sent(run, "%ld requests for addresses to a seed", row->arg);
    if (row->arg > 0 && !want_kind(run, peer, SY_PEX_ADDRS, &list)) {
        return;
    }
    if (row->arg == 0) {
        peer->timeout_ms = (int)run->settings.visit_ms + 2000;
    }
    const spec_came came = spec_wait_message(peer, 0, &more);
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "%s the end", row->arg > 0 ? "one list and" : "");
    } else {
        spec_fail(run, "the end", "%s",
                  came == SPEC_CAME_DATA ? "a second list" : spec_came_text(run, peer, came));
    }
    spec_bytes_fini(&more);
}

/* One channel, and it is that of peer exchange. */
static void run_seed_channels(spec_run *run, const spec_row *row) {
    const spec_target *target = &run->target;
    (void)row;
    if (!run->settings.seed_mode) {
        spec_skip(run, "whether the target is a seed is not known: --setting seed_mode=true");
    } else if (target->channel_count != 1 || target->channels[0] != 0) {
        spec_fail(run, "channel 00 alone", "%s",
                  spec_show(target->channels, target->channel_count));
    } else {
        spec_pass(run, "channel 00 alone");
    }
}

static void run_asked(spec_run *run, const spec_row *row) {
    (void)row;
    if (dial_asked(run) != NULL) {
        spec_pass(run, "a request");
    }
}

/* Neither before the answer nor within 10 s of the last does it ask again. */
static void run_no_second(spec_run *run, const spec_row *row) {
    spec_peer *peer = dial_asked(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    if (row->arg == 1) {
        spec_expand(run, peer, peer->profile == SPEC_TENDERMINT ? "1cbb676b" : "1200", &out);
        spec_bytes packet = {0};
        spec_peer_add_message(peer, 0, out.data, out.len, &packet);
        spec_peer_send_stream(peer, packet.data, packet.len);
        spec_bytes_fini(&packet);
        spec_note_sent(run, "an empty list");
    }
    const int timeout_ms = peer->timeout_ms;
    peer->timeout_ms = QUIET_MS;
    const spec_came came = spec_wait_message(peer, 0, &out);
    peer->timeout_ms = timeout_ms;
    if (came == SPEC_CAME_DATA) {
        spec_fail(run, "no second request", "%s", spec_show(out.data, out.len));
    } else {
        spec_judge_open(run, peer);
    }
    spec_bytes_fini(&out);
}

/* The answer to its request is taken, one more is not. */
static void run_list_again(spec_run *run, const spec_row *row) {
    spec_peer *peer = dial_asked(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    const bool amino = peer->profile == SPEC_TENDERMINT;
    spec_expand(run, peer, amino ? "[b05b4f2c 1001 1a[1cbb676b]]" : "[1a[1001 1a[1200]]]", &out);
    spec_peer_send_stream(peer, out.data, out.len);
    if (spec_do_open(run, peer)) {
        spec_note_sent(run, "two lists for one request");
        spec_peer_send_stream(peer, out.data, out.len);
        judge(run, row, peer);
    }
    spec_bytes_fini(&out);
}

#define ID      "0a[*40:61]"
#define TM_IP   "12[*10:00 ffff 7f000002]"
#define CB_IP   "12['127.0.0.2']"
#define PORT    "1809"
#define TM_L(x) "1cbb676b " x
#define CB_L(x) "12[" x "]"
#define TM_GOOD "0a[" ID TM_IP PORT "]"
#define CB_GOOD "0a[" ID CB_IP PORT "]"
#define UNASKED SPEC_F_PEX | SPEC_F_DIAL
#define WANTED  SPEC_F_PEX | SPEC_F_LISTEN
#define LIST(id, clause, title, tm, cb, expect)                                                    \
    { "list-" id, clause, NULL, title, tm, cb, expect, WANTED }

static const spec_row rows[] = {
    {"pex-answer", "PEX-01", "PEX-03", "a request is answered with a list", .flags = UNASKED,
     .run = run_answer},
    {"pex-answer-ip", "PEX-02", NULL, "IPs in the list have 16 bytes", .flags = UNASKED | SPEC_F_TM,
     .run = run_answer, .arg = 1},
    {"pex-requests-3", "PEX-14", NULL, "three requests at once", .flags = UNASKED,
     .run = run_requests, .arg = 3},
    {"pex-requests-12", "PEX-14", NULL, "twelve requests at once", .flags = UNASKED,
     .run = run_requests, .arg = 12},
    {"pex-unasked", "PEX-16", NULL, "a list that nobody asked for", TM_L(TM_GOOD), CB_L(CB_GOOD),
     .flags = UNASKED},
    {"pex-unasked-empty", "PEX-16", NULL, "an empty list that nobody asked for", TM_L(""), CB_L(""),
     .flags = UNASKED},
    {"pex-empty", "PEX-15", "PEX-04", "an empty message", "", "", .flags = UNASKED},
    {"pex-kind", "PEX-15", "PEX-04", "no message of peer exchange", "15c3d289", "1a00",
     .flags = UNASKED},
    {"pex-short", "PEX-15", NULL, "three bytes of a request", "723a31", NULL, .flags = UNASKED},
    {"pex-left", "PEX-15", NULL, "half a field behind a request", "723a31cd 0a", "0a00 12",
     .flags = UNASKED},
    {"pex-request-unknown", "PEX-04", NULL, "an unknown field in a request", NULL, "0a[2801]",
     SPEC_ACCEPT, UNASKED},
    {"pex-unknown", "PEX-04", NULL, "a request and an unknown field", NULL, "0a00 2801",
     SPEC_ACCEPT, UNASKED},
    {"pex-last-counts", "PEX-04", NULL, "a list, then a request: the last counts", NULL,
     "12[" CB_GOOD "] 0a00", SPEC_ACCEPT, UNASKED},
    {"pex-last-list", "PEX-04", NULL, "a request, then a list: the last counts", NULL,
     "0a00 12[" CB_GOOD "]", .flags = UNASKED},
    {"pex-max", "PEX-08", NULL, "a request of 64000 bytes", "723a31cd 0a[*63992:70]",
     "0a[2a[*63992:70]]", SPEC_ACCEPT, UNASKED},
    {"pex-max-1", "PEX-08", NULL, "a request of 64001 bytes", "723a31cd 0a[*63993:70]",
     "0a[2a[*63993:70]]", .flags = UNASKED},
    {"seed-channels", "SEED-09", NULL, "the channels of a seed", .flags = UNASKED,
     .run = run_seed_channels},
    {"seed-answer", "SEED-02", NULL, "a seed answers and closes", .flags = UNASKED, .run = run_seed,
     .arg = 1},
    {"seed-once", "SEED-01", NULL, "a seed answers once", .flags = UNASKED, .run = run_seed,
     .arg = 3},
    {"seed-visit", "SEED-03", NULL, "a visitor that asks nothing", .flags = UNASKED,
     .run = run_seed, .arg = 0},
    /* To a target that has asked. */
    {"pex-asks", "PEX-10", NULL, "it asks whom it dialed", .flags = WANTED, .run = run_asked},
    {"pex-asks-once", "PEX-11", NULL, "one request at a time", .flags = WANTED | SPEC_F_SLOW,
     .run = run_no_second, .arg = 0},
    {"pex-asks-rarely", "PEX-12", NULL, "no second request within 10 s",
     .flags = WANTED | SPEC_F_SLOW, .run = run_no_second, .arg = 1},
    {"list-again", "PEX-16", NULL, "a second list for one request", .flags = WANTED,
     .run = run_list_again},
    {"list-250", "PEX-09", NULL, "a list of 250 addresses", .expect = SPEC_ACCEPT, .flags = WANTED,
     .run = run_long_list, .arg = 250},
    {"list-251", "PEX-09", NULL, "a list of 251 addresses", .flags = WANTED, .run = run_long_list,
     .arg = 251},
    LIST("good", "PEX-07", "a list", TM_L(TM_GOOD TM_GOOD), CB_L(CB_GOOD CB_GOOD), SPEC_ACCEPT),
    LIST("ip-4", "PEX-02", "an IP of 4 bytes", TM_L("0a[" ID "12[7f000002]" PORT "]"), NULL,
         SPEC_ACCEPT),
    LIST("ip-5", "PEX-07", "an IP of 5 bytes is left out", TM_L("0a[" ID "12[7f00000201]" PORT "]"),
         NULL, SPEC_ACCEPT),
    LIST("id-short", "PEX-07", "an ID of 39 digits is left out",
         TM_L("0a[0a[*39:61]" TM_IP PORT "]"), CB_L("0a[0a[*39:61]" CB_IP PORT "]"), SPEC_ACCEPT),
    LIST("id-upper", "PEX-07", "an ID in upper case is left out",
         TM_L("0a[0a[*40:41]" TM_IP PORT "]"), CB_L("0a[0a[*40:41]" CB_IP PORT "]"), SPEC_ACCEPT),
    LIST("id-none", "PEX-07", "an address without ID is left out", TM_L("0a[" TM_IP PORT "]"),
         CB_L("0a[" CB_IP PORT "]"), SPEC_ACCEPT),
    LIST("port-0", "PEX-07", "an address with port 0 is left out", TM_L("0a[" ID TM_IP "]"),
         CB_L("0a[" ID CB_IP "]"), SPEC_ACCEPT),
    LIST("port-65535", "PEX-07", "port 65535", TM_L("0a[" ID TM_IP "18ffff03]"),
         CB_L("0a[" ID CB_IP "18ffff03]"), SPEC_ACCEPT),
    LIST("port-65536", "PEX-05", "port 65536", TM_L("0a[" ID TM_IP "18808004]"), NULL, SPEC_REFUSE),
    LIST("port-65536-proto", "PEX-06", "port 65536", NULL, CB_L("0a[" ID CB_IP "18808004]"),
         SPEC_REFUSE),
    LIST("ip-text", "PEX-06", "an IP that is none", NULL,
         CB_L("0a[" ID "12['127.0.0.256']" PORT "]"), SPEC_REFUSE),
    LIST("ip-name", "PEX-06", "a name for an IP", NULL, CB_L("0a[" ID "12['localhost']" PORT "]"),
         SPEC_REFUSE),
    LIST("order", "PEX-05", "the IP before the ID", TM_L("0a[" TM_IP ID PORT "]"), NULL,
         SPEC_REFUSE),
    LIST("nil", "PEX-05", "an address of length 0", TM_L("0a00"), NULL, SPEC_REFUSE),
    LIST("length", "PEX-05", "a length of an address in two bytes for one",
         TM_L("0a be00" ID "12[*10:00 ffff 7f000002]"
              "1809"),
         NULL, SPEC_REFUSE),
    LIST("unknown", "PEX-04", "an unknown field in an address", NULL,
         CB_L("0a[" ID CB_IP PORT "2001]"), SPEC_ACCEPT),
    LIST("cut", "PEX-15", "an address longer than the list", TM_L("0a7f" ID), "12 2c 0a7f" ID,
         SPEC_REFUSE),
};

const spec_group spec_group_pex = {"pex", rows, sizeof rows / sizeof rows[0], run_bytes};
