/* SPDX-License-Identifier: Apache-2.0 */
/* The multiplexer between a stream from the input and queues filled by the input: packets honest
 * and raw, any cuts, time steps, allocation failures, sends in between.  What it delivers and what
 * it sends are compared with a second reader.  FUZZ_CODEC says in which encoding.
 *
 * Header: flags, two bytes about memory.  Then operations, see step(). */
#include "tests/fuzz/support/mux_rig.h"

static void step(mux_rig *r, uint8_t op, fuzz_in *in) {
    uint16_t channel = 0;
    if (op < 0x40) {
        mux_rig_raw(r, fuzz_take(in, (size_t)op + 1), 1);
    } else if (op < 0xa0) {
        mux_rig_packet(r, op, in);
    } else if (op < 0xb0) {
        mux_rig_control(r, op, in);
    } else if (op < 0xc8) {
        mux_rig_feed(r, op % 2 == 0 ? fuzz_u8(in) : fuzz_u16(in));
    } else if (op < 0xe0) {
        mux_rig_queue(r, op, in);
    } else if (op < 0xf0) {
        mux_rig_send(r, op % 2 == 0 ? fuzz_u8(in) : fuzz_u16(in));
    } else if (op < 0xf6) {
        mux_rig_time(r, in);
    } else if (op < 0xf8) {
        mux_rig_read_dry(r);
    } else if (op < 0xfa) {
        sy_mux_ping(r->mux, r->now);
    } else if (op < 0xfc) {
        r->world.tm.fail_at = r->world.tm.calls + fuzz_u8(in);
        r->world.is_tight = true;
    } else {
        while (sy_mux_next_writable(r->mux, &channel)) {
            FUZZ_CHECK(sy_mux_remote_has(r->mux, channel));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static mux_rig r;
    fuzz_in in = fuzz_in_of(data, size);
    if (mux_rig_init(&r, FUZZ_CODEC, &in)) {
        while (fuzz_left(&in) > 0 && r.err == SY_OK && r.pending.len < 256 * 1024) {
            step(&r, fuzz_u8(&in), &in);
            fuzz_world_check(&r.world);
        }
        mux_rig_settle(&r);
        mux_rig_check_end(&r);
    } else {
        FUZZ_CHECK(r.world.is_tight);
    }
    fuzz_count(r.mux != NULL && r.err == SY_OK);
    mux_rig_fini(&r);
    return 0;
}
