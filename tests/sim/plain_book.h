/* SPDX-License-Identifier: Apache-2.0 */
/* An address book after the rules of the upstream projects and nothing else, to be attacked beside
 * ours: the same buckets, masked groups and constants, but
 *
 *   - an address is drawn by bucket and place, so that who has more addresses is drawn more often;
 *   - a full bucket gives up a bad address or the one with the oldest attempt, whoever told it;
 *   - a newly tested address pushes the oldest tested one out, without a test;
 *   - no share per group, no anchors, no feelers;
 *   - and the reactor, which asks for groups, is told that each address is a group of its own: that
 *     takes its limits per source and the diversity of outbound peers away. */
#ifndef SY_TESTS_SIM_PLAIN_BOOK_H
#define SY_TESTS_SIM_PLAIN_BOOK_H

#include <switchyard/addr_source.h>

typedef struct plain_book plain_book;

plain_book *plain_book_new(uint64_t seed);
void plain_book_del(plain_book *book);
sy_addr_source plain_book_source(plain_book *book);

#endif
