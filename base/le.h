/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian numbers of fixed size in bytes.  Any alignment, any thread. */
#ifndef SY_BASE_LE_H
#define SY_BASE_LE_H

#include <stdint.h>
#include <string.h>

/* One instruction when the size is a constant and the processor little-endian. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SY_LE_NATIVE 1
#else
#define SY_LE_NATIVE 0
#endif

/* size bytes (1..8) at p. */
static inline uint64_t sy_load_le(const uint8_t *p, unsigned size) {
    uint64_t x = 0;
#if SY_LE_NATIVE
    memcpy(&x, p, size);
#else
    for (unsigned i = 0; i < size; i++) {
        x |= (uint64_t)p[i] << (8 * i);
    }
#endif
    return x;
}

/* The lowest size bytes (1..8) of x. */
static inline void sy_store_le(uint8_t *p, uint64_t x, unsigned size) {
#if SY_LE_NATIVE
    memcpy(p, &x, size);
#else
    for (unsigned i = 0; i < size; i++) {
        p[i] = (uint8_t)(x >> (8 * i));
    }
#endif
}

#endif
