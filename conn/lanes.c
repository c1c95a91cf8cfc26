/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/lanes.h"

#include "conn/lanes_internal.h"

const sy_lanes *sy_lanes_best(void) {
#if SY_LANES_X86
    /* The compiler's run time asks the processor, and the system whether it saves the registers. */
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma")) {
        return &sy_lanes_avx512;
    }
#endif
    return NULL;
}

size_t sy_lanes_take(const sy_lanes *lanes, size_t frames) {
    if (lanes == NULL || frames < lanes->frames_min) {
        return 0;
    }
    if (frames > SY_LANES_FRAMES) {
        return SY_LANES_FRAMES;
    }
    /* Half the lanes filled are as fast as all of them, and a few frames more than half are not. */
    return frames > SY_LANES_FRAMES / 2 && frames < SY_LANES_FRAMES - 3 ? SY_LANES_FRAMES / 2
                                                                        : frames;
}
