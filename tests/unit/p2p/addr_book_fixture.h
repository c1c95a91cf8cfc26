/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the address book share: a book on a counting allocator, and short ways to say
 * addresses. */
#ifndef SY_TESTS_ADDR_BOOK_FIXTURE_H
#define SY_TESTS_ADDR_BOOK_FIXTURE_H

#include <switchyard/addr_book.h>

#include "p2p/addr_book_internal.h"
#include "tests/support/test_mem.h"

#define FX_T0 ((int64_t)1700000000 * 1000000000)

typedef struct fx_book {
    test_mem tm;
    sy_addr_book *book;
    sy_addr_source src;
    int64_t now;
} fx_book;

void fx_book_init(fx_book *fx, bool strict, uint64_t seed);
void fx_book_fini(fx_book *fx);

/* Node n at an IPv4 address (host order) and port. */
sy_net_addr fx_addr(uint32_t n, uint32_t ip, uint16_t port);
sy_net_addr fx_addr_text(uint32_t n, const char *ip, uint16_t port);

sy_addr_verdict fx_tell(fx_book *fx, sy_net_addr addr, sy_net_addr source);
sy_addr_verdict fx_tell_as(fx_book *fx, sy_net_addr addr, sy_net_addr source, sy_addr_told told);
void fx_good(fx_book *fx, sy_net_addr addr);
void fx_fail(fx_book *fx, sy_net_addr addr, unsigned times);
size_t fx_size(const fx_book *fx);

#define FX_IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

#endif
