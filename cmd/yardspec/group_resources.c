/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers cost: the private memory of the target's process while many connections wait at
 * one stage.  Only for a target on this machine whose /proc we may read. */
#include <poll.h>
#include <string.h>

#include "cmd/yardspec/cases.h"

#define CONNECTIONS     96
#define CONNECTIONS_MIN 16
#define LIMIT_EACH      4096         /* SW-05 */
#define LIMIT_ONCE      (256 * 1024) /* pages of the allocator, tables that grow */
#define SETTLE_MS       300

typedef enum stage {
    HALF_KEY,      /* half an ephemeral key */
    KEY_ANNOUNCED, /* a key message that announces 10,000 bytes */
    AUTH_ANNOUNCED,
    AUTH_PART, /* most of the longest authentication message */
} stage;

static const spec_frame honest = {0};

/* false: the target does not serve so many at once. */
static bool take_stage(spec_peer *peer, stage at) {
    static const uint8_t announced[2] = {0x90, 0x4e}; /* 10000 */
    static const uint8_t part[600] = {0xfe, 0x07};    /* 1022 */
    uint8_t msg[SY_EPH_MSG_MAX];
    const size_t len = spec_peer_encode_ephemeral(peer, msg);
    switch (at) {
    case HALF_KEY:
        spec_peer_send(peer, msg, 17);
        return true;
    case KEY_ANNOUNCED:
        spec_peer_send(peer, announced, sizeof announced);
        return true;
    case AUTH_ANNOUNCED:
    case AUTH_PART:
        break;
    }
    spec_peer_send(peer, msg, len);
    if (spec_peer_recv_ephemeral(peer) != SPEC_CAME_DATA) {
        return false;
    }
    if (at == AUTH_ANNOUNCED) {
        spec_peer_send_frame(peer, &honest, announced, sizeof announced);
    } else {
        spec_peer_send_frame(peer, &honest, part, sizeof part);
    }
    return true;
}

/* Until the target has accepted nobody owns the socket. */
static long find_pid(const spec_run *run, const spec_peer *probe) {
    long pid = 0;
    for (int i = 0; i < 20 && pid == 0; i++) {
        pid = spec_target_pid(run, probe);
        (void)poll(NULL, 0, pid == 0 ? 25 : 0);
    }
    return pid;
}

static void run_memory(spec_run *run, const spec_row *row) {
    spec_peer *probe = spec_dial(run);
    if (probe == NULL) {
        return;
    }
    const long pid = find_pid(run, probe);
    spec_peer_close(probe);
    (void)poll(NULL, 0, SETTLE_MS);
    const long before = pid > 0 ? spec_process_memory(pid) : -1;
    if (before < 0) {
        spec_skip(run, "the target's process is not found on this machine: --target-pid names it");
        return;
    }
    long count = 0;
    for (bool served = true; served && count < CONNECTIONS; count += served) {
        spec_peer *peer = spec_dial(run);
        if (peer == NULL) {
            return;
        }
        served = take_stage(peer, (stage)row->arg);
    }
    spec_note_sent(run, "%ld connections, each with %s", count, row->title);
    (void)poll(NULL, 0, SETTLE_MS);
    const long grown = spec_process_memory(pid) - before;
    if (count < CONNECTIONS_MIN) {
        spec_skip(run, "the target serves only %ld silent connections at once", count);
    } else if (grown > count * LIMIT_EACH + LIMIT_ONCE) {
        spec_fail(run, "at most 4096 bytes for each, and 256 KiB once",
                  "process %ld has %ld bytes more, %ld for each", pid, grown, grown / count);
    } else {
        spec_pass(run, "process %ld has %ld bytes more, %ld for each", pid, grown, grown / count);
    }
}

static const spec_row rows[] = {
    {"memory-head", "SW-05", NULL, "half an ephemeral key", .flags = SPEC_F_DIAL, .run = run_memory,
     .arg = HALF_KEY},
    {"memory-key", "SW-05", NULL, "a first message that announces 10000 bytes",
     .flags = SPEC_F_DIAL, .run = run_memory, .arg = KEY_ANNOUNCED},
    {"memory-auth", "SW-05", NULL, "a key, and 10000 bytes of authentication announced",
     .flags = SPEC_F_DIAL, .run = run_memory, .arg = AUTH_ANNOUNCED},
    {"memory-auth-part", "SW-05", NULL, "a key, and 600 of 1024 bytes of authentication",
     .flags = SPEC_F_DIAL, .run = run_memory, .arg = AUTH_PART},
};

const spec_group spec_group_resources = {"resources", rows, sizeof rows / sizeof rows[0], NULL};
