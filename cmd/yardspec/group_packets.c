/* SPDX-License-Identifier: Apache-2.0 */
/* Packets: what the decoder accepts and refuses.  $c is a channel that the target serves, $u one
 * that it does not. */
#include <string.h>

#include "cmd/yardspec/cases.h"

static void judge_echo(spec_run *run, spec_peer *peer, const char *wanted) {
    spec_bytes want = {0};
    spec_bytes back = {0};
    spec_expand(run, peer, wanted, &want);
    const spec_came came = spec_wait_message(peer, spec_served_channel(run), &back);
    if (came != SPEC_CAME_DATA) {
        spec_fail(run, "the message back", "%s", spec_came_text(run, peer, came));
    } else if (back.len != want.len ||
               (want.len > 0 && memcmp(back.data, want.data, want.len) != 0)) {
        spec_fail(run, "the message back", "%s", spec_show(back.data, back.len));
    } else {
        spec_judge_open(run, peer);
    }
    spec_bytes_fini(&want);
    spec_bytes_fini(&back);
}

static void run_packet(spec_run *run, const spec_row *row, const char *bytes) {
    spec_peer *peer = spec_dial_open(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    if (run->target.channel_count == 0) {
        spec_skip(run, "the target serves no channel");
        return;
    }
    spec_expand(run, peer, bytes, &out);
    spec_note_sent(run, "packets %s", spec_show(out.data, out.len));
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    if (row->expect == SPEC_ECHO) {
        judge_echo(run, peer, row->data);
    } else if (row->expect == SPEC_ACCEPT) {
        spec_judge_open(run, peer);
    } else if ((row->flags & SPEC_F_HOLD) == 0) {
        spec_judge_closed(run, peer);
    } else {
        const spec_came came = spec_wait_pong(peer);
        if (came == SPEC_CAME_CLOSED) {
            spec_pass(run, "the connection was closed");
        } else {
            spec_fail(run, "that the connection is closed", "%s", spec_came_text(run, peer, came));
        }
    }
}

#define BAD(id, clause, title, tm, cb)                                                             \
    { id, clause, NULL, title, tm, cb, SPEC_REFUSE }
#define GOOD(id, clause, title, tm, cb)                                                            \
    { id, clause, NULL, title, tm, cb, SPEC_ACCEPT }
#define ECHO(id, clause, title, tm, cb, data)                                                      \
    { id, clause, NULL, title, tm, cb, SPEC_ECHO, 0, data }
#define SPLIT(id, clause, clause_cb, title, tm, cb, expect)                                        \
    { id, clause, clause_cb, title, tm, cb, expect }

/* The type of a message packet in amino. */
#define M "b05b4f2c"

static const spec_row rows[] = {
    /* Lengths. */
    GOOD("length-long", "MX-04", "a packet length in two bytes for one", "8400 15c3d289",
         "8200 0a00"),
    GOOD("length-ten", "MX-04", "a packet length in ten bytes", "84808080808080808000 15c3d289",
         "82808080808080808000 0a00"),
    {"length-eleven", "MX-05", NULL, "a packet length of eleven bytes", "8480808080808080808000",
     "8280808080808080808000", .flags = SPEC_F_HOLD},
    {"length-65-bits", "MX-05", NULL, "a packet length of 65 bits", "80808080808080808002",
     "80808080808080808002", .flags = SPEC_F_HOLD},
    {"length-over", "MX-06", NULL, "a packet length of 1057, and no body", "a108", "a108",
     .flags = SPEC_F_HOLD},
    {"length-2-63", "MX-06", NULL, "a packet length of 2^63, and no body", "80808080808080808001",
     "80808080808080808001", .flags = SPEC_F_HOLD},
    BAD("length-0", "MX-07", "a packet of length 0", "00", "00"),
    /* Kinds. */
    BAD("kind-short", "MX-08", "three bytes", "[15c3d2]", NULL),
    BAD("kind-unknown", "MX-08", "the type of a key", "[1624de64]", NULL),
    BAD("kind-next", "MX-08", "a type that differs in one bit", "[15c3d28b]", NULL),
    GOOD("kind-long-ping", "MX-09", "the long form of ping", "[00e37e84 15c3d289]", NULL),
    GOOD("kind-long-pong", "MX-09", "the long form of pong", "[00887a12 8a797fe2]", NULL),
    GOOD("kind-long-msg", "MX-09", "the long form of a message", "[00f1bb97" M "08$c 1a['x']]",
         NULL),
    BAD("kind-long-wrong", "MX-08", "the long form with a wrong byte", "[00e37e85 15c3d289]", NULL),
    BAD("kind-none", "MX-17", "none of ping, pong and message", NULL, "[2805]"),
    GOOD("kind-two", "MX-16", "a ping and a message", NULL, "[0a00 1a[08$c 1a['x']]]"),
    GOOD("kind-last", "MX-16", "a message on an unknown channel, then a ping", NULL,
         "[1a[08$u 1a['x']] 0a00]"),
    BAD("kind-last-bad", "MX-16", "a ping, then a message on an unknown channel", NULL,
        "[0a00 1a[08$u 1a['x']]]"),
    BAD("kind-inner-bad", "MX-16", "a malformed message, then a ping", NULL, "[1a[0a] 0a00]"),
    GOOD("ping-unknown", "MX-10", "an unknown field in a ping", "[15c3d289 0801]", NULL),
    GOOD("ping-unknown-proto", "MX-15", "an unknown field in a ping", NULL, "[0a[2801]]"),
    GOOD("pong-unknown", "MX-10", "an unknown field in a pong", "[8a797fe2 0801]", NULL),
    /* Fields. */
    SPLIT("field-unknown", "MX-10", "MX-15", "an unknown field in a message",
          "[" M "08$c 1a['x'] 2202abcd]", "[1a[08$c 1a['x'] 2202abcd]]", SPEC_ACCEPT),
    SPLIT("field-unknown-packet", "MX-15", NULL, "an unknown field in the packet", NULL,
          "[1a[08$c 1a['x']] 4801]", SPEC_ACCEPT),
    SPLIT("field-zero", "MX-10", "MX-15", "an end mark of 0 written out",
          "[" M "08$c 1000 1a['x']]", "[1a[08$c 1000 1a['x']]]", SPEC_ACCEPT),
    SPLIT("field-long", "MX-10", "MX-15", "a data length in two bytes for one",
          "[" M "08$c 1a 8100 'x']", "[1a[08$c 1a 8100 'x']]", SPEC_ACCEPT),
    SPLIT("field-order", "MX-12", NULL, "the end mark before the channel", "[" M "1000 08$c]", NULL,
          SPEC_REFUSE),
    SPLIT("field-any-order", "MX-15", NULL, "data before the channel", NULL, "[1a[1a['x'] 08$c]]",
          SPEC_ACCEPT),
    SPLIT("field-twice", "MX-12", NULL, "the channel twice", "[" M "08$c 08$c]", NULL, SPEC_REFUSE),
    SPLIT("field-0", "MX-12", "MX-18", "field number 0", "[" M "0001 08$c]", "[1a[08$c 0001]]",
          SPEC_REFUSE),
    SPLIT("field-0-ping", "MX-12", "MX-18", "field number 0 in a ping", "[15c3d289 0001]",
          "[0a[0001]]", SPEC_REFUSE),
    SPLIT("field-type", "MX-11", "MX-18", "the channel as bytes", "[" M "0a01 30]", "[1a[0a01 30]]",
          SPEC_REFUSE),
    SPLIT("field-type-data", "MX-11", "MX-18", "the data as a varint", "[" M "08$c 1801]",
          "[1a[08$c 1801]]", SPEC_REFUSE),
    SPLIT("field-group", "MX-11", "MX-18", "wire type 3", "[" M "08$c 2b01]", "[1a[08$c 2b01]]",
          SPEC_REFUSE),
    SPLIT("field-group-ping", "MX-11", "MX-18", "wire type 3 in a ping", "[15c3d289 0b01]",
          "[0a[0b01]]", SPEC_REFUSE),
    SPLIT("field-cut", "MX-11", "MX-18", "data longer than the packet",
          "[" M "08$c 1a06 68656c6c6f]", "[1a[08$c 1a06 68656c6c6f]]", SPEC_REFUSE),
    SPLIT("field-left", "MX-11", "MX-18", "half a field behind the data", "[" M "08$c 1a['x'] 22]",
          "[1a[08$c 1a['x'] 22]]", SPEC_REFUSE),
    SPLIT("field-varint", "MX-13", "MX-18", "a varint of more than 64 bits",
          "[" M "08 ffffffffffffffffff7f]", "[1a[08 ffffffffffffffffff7f]]", SPEC_REFUSE),
    /* Channels. */
    BAD("channel-unknown", "MX-26", "a channel that is not served", "[" M "08$u 1a['x']]",
        "[1a[08$u 1a['x']]]"),
    BAD("channel-unknown-last", "MX-26", "a whole message on a channel that is not served",
        "[" M "08$u 1001 1a['x']]", "[1a[08$u 1001 1a['x']]]"),
    SPLIT("channel-256", "MX-13", "MX-27", "a channel above 255", "[" M "088002]", "[1a[088002]]",
          SPEC_REFUSE),
    SPLIT("channel-modulo", "MX-13", "MX-27", "256 more than a channel that is served",
          "[" M "08a002 1a['x']]", "[1a[08a002 1a['x']]]", SPEC_REFUSE),
    SPLIT("channel-negative", "MX-27", NULL, "channel -1", NULL,
          "[1a[08 ffffffffffffffffff01 1a['x']]]", SPEC_REFUSE),
    SPLIT("channel-2-32", "MX-13", "MX-27", "2^32", "[" M "08 8080808010 1a['x']]",
          "[1a[08 8080808010 1a['x']]]", SPEC_REFUSE),
    /* Payloads. */
    GOOD("payload-1024", "MX-20", "a payload of 1024 bytes", "[" M "08$c 1a[*1024:61]]",
         "[1a[08$c 1a[*1024:61]]]"),
    BAD("payload-1025", "MX-20", "a payload of 1025 bytes", "[" M "08$c 1a[*1025:61]]",
        "[1a[08$c 1a[*1025:61]]]"),
    BAD("payload-1030", "MX-20", "a payload of 1030 bytes", "[" M "08$c 1a[*1030:61]]",
        "[1a[08$c 1a[*1030:61]]]"),
    GOOD("payload-empty", "MX-20", "pieces without data", "[" M "08$c] [" M "08$c]",
         "[1a[08$c]] [1a[08$c]]"),
    /* Whole messages, which come back. */
    ECHO("echo-1", "MX-25", "a message of one byte", "[" M "08$c 1001 1a['x']]",
         "[1a[08$c 1001 1a['x']]]", "'x'"),
    ECHO("echo-1024", "MX-20", "a last piece of 1024 bytes", "[" M "08$c 1001 1a[*1024:61]]",
         "[1a[08$c 1001 1a[*1024:61]]]", "*1024:61"),
    {"last-1024-high", "MX-20", NULL, "a last piece of 1024 bytes on a channel from 80 on",
     "[" M "08$h 1001 1a[*1024:61]]", "[1a[08$h 1001 1a[*1024:61]]]", SPEC_ACCEPT, SPEC_F_HIGH},
    {"last-1023-high", "MX-20", NULL, "a last piece of 1023 bytes on a channel from 80 on",
     "[" M "08$h 1001 1a[*1023:61]]", "[1a[08$h 1001 1a[*1023:61]]]", SPEC_ACCEPT, SPEC_F_HIGH},
    {"last-1025-high", "MX-20", NULL, "a last piece of 1025 bytes on a channel from 80 on",
     "[" M "08$h 1001 1a[*1025:61]]", "[1a[08$h 1001 1a[*1025:61]]]", SPEC_REFUSE, SPEC_F_HIGH},
    ECHO("echo-pieces", "MX-25", "three pieces with a ping between",
         "[" M "08$c 1a['ab']] [15c3d289] [" M "08$c 1a['cd']] [" M "08$c 1001 1a['e']]",
         "[1a[08$c 1a['ab']]] [0a00] [1a[08$c 1a['cd']]] [1a[08$c 1001 1a['e']]]", "'abcde'"),
    ECHO("echo-end-empty", "MX-25", "a last piece without data",
         "[" M "08$c 1a['ab']] [" M "08$c 1001]", "[1a[08$c 1a['ab']]] [1a[08$c 1001]]", "'ab'"),
    ECHO("echo-empty", "MX-24", "an empty message", "[" M "08$c 1001]", "[1a[08$c 1001]]", ""),
    ECHO("end-2", "MX-14", "an end mark of 2 does not end a message",
         "[" M "08$c 1002 1a['ab']] [" M "08$c 1001 1a['c']]", NULL, "'abc'"),
    ECHO("end-2-proto", "MX-19", "an end mark of 2 ends a message", NULL,
         "[1a[08$c 1002 1a['ab']]]", "'ab'"),
    ECHO("echo-long-form", "MX-10", "a channel in two bytes for one", "[" M "08$d 1001 1a['x']]",
         NULL, "'x'"),
    ECHO("echo-reordered", "MX-15", "fields backwards", NULL, "[1a[1a['xyz'] 1001 08$c]]", "'xyz'"),
    ECHO("echo-last-counts", "MX-16", "two messages in a packet: the last counts", NULL,
         "[1a[08$c 1001 1a['no']] 1a[08$c 1001 1a['yes']]]", "'yes'"),
};

const spec_group spec_group_packets = {"packets", rows, sizeof rows / sizeof rows[0], run_packet};
