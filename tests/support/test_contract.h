/* SPDX-License-Identifier: Apache-2.0 */
/* Runs code that is expected to break a contract, without ending the test program. */
#ifndef SY_TESTS_TEST_CONTRACT_H
#define SY_TESTS_TEST_CONTRACT_H

/* Calls fn(user) with an assertion handler that jumps back here.  Returns the kind of the assertion
 * that failed ("contract", "invariant", "verify", "unreachable"), NULL when none did.  Not
 * re-entrant; what fn had allocated when it was left stays allocated. */
const char *test_contract(void (*fn)(void *user), void *user);

#endif
