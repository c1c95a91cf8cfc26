/* SPDX-License-Identifier: Apache-2.0 */
/* What every session begins with, whatever its profile: the way back to the profile's functions.
 * For implementations of profiles only. */
#ifndef SY_P2P_SESSION_INTERNAL_H
#define SY_P2P_SESSION_INTERNAL_H

#include "p2p/session.h"

struct sy_session {
    const sy_profile *profile;
};

#endif
