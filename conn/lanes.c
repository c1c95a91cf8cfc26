/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/lanes.h"

#include <string.h>

#include "conn/lanes_internal.h"

/* Best first. */
enum kind {
    AVX512,
    AVX2,
    KINDS
};

static const char *const names[KINDS] = {[AVX512] = "avx512", [AVX2] = "avx2"};

/* NULL when this processor does not run it. */
static const sy_lanes *lanes_of(size_t kind) {
#if SY_LANES_X86
    /* The compiler's run time asks the processor, and the system whether it saves the registers. */
    switch (kind) {
    case AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma")
                   ? &sy_lanes_avx512
                   : NULL;
    case AVX2:
        return __builtin_cpu_supports("avx2") ? &sy_lanes_avx2 : NULL;
    }
#endif
    (void)kind;
    return NULL;
}

const sy_lanes *sy_lanes_at(size_t index) {
    for (size_t i = 0; i < KINDS; i++) {
        const sy_lanes *lanes = lanes_of(i);
        if (lanes != NULL && index-- == 0) {
            return lanes;
        }
    }
    return NULL;
}

const sy_lanes *sy_lanes_best(void) {
    return sy_lanes_at(0);
}

/* KINDS when there is none of that name. */
static size_t kind_of(const char *name) {
    size_t kind = 0;
    while (kind < KINDS && strcmp(names[kind], name) != 0) {
        kind++;
    }
    return kind;
}

const sy_lanes *sy_lanes_find(const char *name) {
    return lanes_of(kind_of(name));
}

const char *sy_lanes_name(const char *name) {
    const size_t kind = kind_of(name);
    return kind < KINDS ? names[kind] : NULL;
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
