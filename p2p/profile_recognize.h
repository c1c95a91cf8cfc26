/* SPDX-License-Identifier: Apache-2.0 */
/* How connections of each profile begin.  For profiles and sessions. */
#ifndef SY_P2P_PROFILE_RECOGNIZE_H
#define SY_P2P_PROFILE_RECOGNIZE_H

#include "p2p/session.h"

/* The functions of sy_profile. */
sy_recognition sy_recognize_tendermint(const uint8_t *in, size_t len);
sy_recognition sy_recognize_cometbft(const uint8_t *in, size_t len);
sy_recognition sy_recognize_plain(const uint8_t *in, size_t len);

/* Static text: what the first bytes of a stream look like, a profile or another protocol that
 * people run by mistake; NULL when they look like nothing known.  *ret_certain is false while so
 * few bytes came that it could still be something else. */
const char *sy_profile_lookalike(const uint8_t *in, size_t len, bool *ret_certain);

#endif
