/* SPDX-License-Identifier: Apache-2.0 */
/* Known deviations: what released versions do otherwise than the specification says.  Each row was
 * seen on a version that it names, see docs/conformance.md; the reason is our reading of it.  A
 * failure that a row covers is reported as a deviation, unless --strict.
 *
 * A node is taken for what its NodeInfo says, and anybody may say 0.22.8, our own node does:
 * whoever judges another program than those of the table uses --strict. */
#include <string.h>

#include "cmd/yardspec/cases.h"

typedef struct deviation {
    const char *id; /* of the case */
    unsigned profiles;
    const char *versions; /* beginnings of the versions that NodeInfo may name, with blanks */
    const char *text;
} deviation;

/* Measured, and nothing else. */
#define TENDERMINT  "0.22.8"
#define COMETBFT    "0.34. 0.37. 0.38. 0.39. 0.40. 1.0."
#define ANY         TENDERMINT " " COMETBFT

#define OLDER_STAYS "it keeps the older connection, alive or not, and asks neither"

static const deviation known[] = {
    {"addr-port-6", SPEC_BOTH, ANY, "its port is any number of digits"},
    {"addr-v4-brackets", SPEC_BOTH, ANY, "it takes off brackets around anything"},
    {"addr-v6-zone", SPEC_BOTH, ANY, "its resolver takes a zone"},
    {"duplicate-silent", SPEC_BOTH, ANY, OLDER_STAYS},
    {"duplicate-pinged", SPEC_BOTH, ANY, OLDER_STAYS},
    {"duplicate-message", SPEC_BOTH, ANY, OLDER_STAYS},
    {"duplicate-earlier", SPEC_BOTH, ANY, OLDER_STAYS},
    {"crossed", SPEC_BOTH, ANY, OLDER_STAYS},
    {"prompt", SPEC_BOTH, ANY, "what is queued waits for flush_throttle_timeout"},
    {"ping-flood", SPEC_BOTH, ANY, "it does not count pings"},
    {"no-last-word", SPEC_BOTH, ANY,
     "its pong and its end are made by two routines: either may be first"},
    {"memory-head", SPEC_COMETBFT, COMETBFT, "goroutines and buffers for each"},
    {"memory-key", SPEC_COMETBFT, COMETBFT, "goroutines and buffers for each"},
    {"pex-requests-3", SPEC_BOTH, ANY, "the third request in a row ends the connection"},
    {"pex-requests-12", SPEC_BOTH, ANY, "the third request in a row ends the connection"},
    {"list-251", SPEC_BOTH, ANY, "only the bytes of a list are limited"},
    {"first-http", SPEC_BOTH, ANY, "it waits for the 71 bytes that the first letter announces"},
    {"ni-prefix", SPEC_BOTH, ANY, "it accepts length prefixes of any form"},
    {"keepalive-deaf", SPEC_BOTH, ANY, "its timer is looked at by the routine that is blocked"},
    {"tm-pex-answer-ip", SPEC_TENDERMINT, TENDERMINT, "it tells of peers that named no IP"},
    {"silent-late", SPEC_TENDERMINT, TENDERMINT,
     "keys and authentication have 20 s, and NodeInfo has 20 s anew"},
    {"last-1025-high", SPEC_TENDERMINT, TENDERMINT,
     "its limit is on the encoded packet, with 10 bytes to spare"},
    {"slow-in-time", SPEC_COMETBFT, COMETBFT,
     "handshake_timeout is not used: 3 s for keys and authentication, 3 s for NodeInfo"},
    {"cb-channel-2-32", SPEC_COMETBFT, COMETBFT, "a channel number is cut to 32 bits"},
    {"last-1024-high", SPEC_COMETBFT, COMETBFT,
     "its limit is on the encoded packet: 1034 bytes, and this one has 1035"},
    {"cb-cut-1024-high", SPEC_COMETBFT, COMETBFT,
     "it sends what its own receiver refuses: 1024 bytes in a packet of 1035"},
    {"memory-auth", SPEC_COMETBFT, COMETBFT,
     "goroutines, buffers and the announced bytes for each"},
    {"memory-auth-part", SPEC_COMETBFT, COMETBFT, "goroutines and buffers for each"},
    {"tm-eph-early", SPEC_TENDERMINT, TENDERMINT,
     "it reads the whole key message before it looks at it"},
    {"tm-low-order-1", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-2", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-3", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-4", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-5", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-6", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-7", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-8", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-9", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-10", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-11", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-12", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-13", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-low-order-14", SPEC_TENDERMINT, TENDERMINT, "it does not look for keys of low order"},
    {"tm-reflected", SPEC_TENDERMINT, TENDERMINT,
     "it notices a reflected key one frame later, when nothing can be opened"},
    {"tm-sig-high", SPEC_TENDERMINT, TENDERMINT,
     "its Ed25519 does not compare the scalar with the group order"},
    {"tm-key-none", SPEC_TENDERMINT, TENDERMINT,
     "it uses a key that is not there: nil dereference, the process ends"},
    {"tm-auth-empty", SPEC_TENDERMINT, TENDERMINT,
     "it uses a key that is not there: nil dereference, the process ends"},
    {"tm-empty-auth", SPEC_TENDERMINT, TENDERMINT,
     "an empty frame reads as a byte 00, an empty message: nil dereference"},
    {"tm-auth-prefix", SPEC_TENDERMINT, TENDERMINT, "it accepts length prefixes of any form"},
    {"tm-auth-1025", SPEC_TENDERMINT, TENDERMINT, "its limit is 1 MiB"},
    {"tm-empty-16", SPEC_TENDERMINT, TENDERMINT, "an empty frame reads as a byte 00"},
    {"tm-empty-again", SPEC_TENDERMINT, TENDERMINT, "an empty frame reads as a byte 00"},
    {"tm-version-letters", SPEC_TENDERMINT, TENDERMINT, "it only counts the parts of a version"},
    {"tm-version-third", SPEC_TENDERMINT, TENDERMINT, "it only counts the parts of a version"},
    {"not-delayed", SPEC_TENDERMINT, TENDERMINT,
     "its listener serves one connection after the other"},
    {"payload-1025", SPEC_TENDERMINT, TENDERMINT,
     "its limit is on the encoded packet, with 10 bytes to spare"},
    {"payload-1030", SPEC_TENDERMINT, TENDERMINT,
     "its limit is on the encoded packet, with 10 bytes to spare"},
    {"cb-eph-31", SPEC_COMETBFT, COMETBFT, "a short key is filled with zero bytes"},
    {"cb-eph-33", SPEC_COMETBFT, COMETBFT, "a long key is cut"},
    {"cb-eph-trailing", SPEC_COMETBFT, COMETBFT,
     "unknown fields are skipped in the key message too"},
    {"cb-reflected", SPEC_COMETBFT, COMETBFT,
     "it notices a reflected key one frame later, when nothing can be opened"},
    {"cb-key-twice", SPEC_COMETBFT, COMETBFT, "a message that comes twice is merged"},
    {"cb-auth-varint", SPEC_COMETBFT, COMETBFT,
     "a varint of an unknown field is skipped without a look at its size"},
    {"cb-ni-varint-long", SPEC_COMETBFT, COMETBFT,
     "a varint of an unknown field is skipped without a look at its size"},
    {"cb-auth-prefix", SPEC_COMETBFT, COMETBFT, "it accepts length prefixes of any form"},
    {"cb-auth-1025", SPEC_COMETBFT, COMETBFT, "its limit is 1 MiB"},
    {"cb-auth-announced", SPEC_COMETBFT, COMETBFT, "its limit is 1 MiB"},
    {"cb-empty-16", SPEC_COMETBFT, COMETBFT, "an empty frame reads as a byte"},
    {"cb-empty-again", SPEC_COMETBFT, COMETBFT, "an empty frame reads as a byte"},
    {"cb-sends-zero-padding", SPEC_COMETBFT, COMETBFT,
     "the padding shows older plaintext of the connection"},
    {"cb-ni-versions-twice", SPEC_COMETBFT, COMETBFT, "a message that comes twice is merged"},
    {"cb-ni-other-twice", SPEC_COMETBFT, COMETBFT, "a message that comes twice is merged"},
    {"cb-eph-early", SPEC_COMETBFT, COMETBFT,
     "it reads the whole key message before it looks at it"},
    {"payload-1025", SPEC_COMETBFT, COMETBFT, "its limit is on the encoded packet: 1034 bytes"},
};

static bool is_listed(const char *versions, const char *version) {
    while (*versions != '\0') {
        const size_t len = strcspn(versions, " ");
        if (strncmp(version, versions, len) == 0) {
            return true;
        }
        versions += len + strspn(versions + len, " ");
    }
    return false;
}

const char *spec_deviation(const spec_target *target, const spec_case *one) {
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const deviation *row = &known[i];
        if (strcmp(row->id, one->id) == 0 && (row->profiles & (unsigned)target->profile) != 0 &&
            is_listed(row->versions, target->version)) {
            return row->text;
        }
    }
    return NULL;
}
