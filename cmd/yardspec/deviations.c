/* SPDX-License-Identifier: Apache-2.0 */
/* Known deviations: what released versions do otherwise than the specification says, each seen in
 * the exchange of bytes that docs/conformance.md describes.  A failure that a row covers is
 * reported as a deviation, unless --strict. */
#include <string.h>

#include "cmd/yardspec/cases.h"

typedef struct deviation {
    const char *id; /* of the case */
    unsigned profiles;
    const char *versions; /* beginning of the version that NodeInfo names; "" for all */
    const char *text;
} deviation;

static const deviation known[] = {
    {"tm-eph-early", SPEC_TENDERMINT, "0.22",
     "it reads the whole key message before it looks at it"},
    {"first-http", SPEC_TENDERMINT, "0.22",
     "it waits for the 71 bytes that the first letter announces"},
    {"tm-low-order-1", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-2", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-3", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-4", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-5", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-6", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-7", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-8", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-9", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-10", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-11", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-12", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-13", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-low-order-14", SPEC_TENDERMINT, "0.22", "it does not look for keys of low order"},
    {"tm-reflected", SPEC_TENDERMINT, "0.22",
     "it notices a reflected key one frame later, when nothing can be opened"},
    {"tm-sig-high", SPEC_TENDERMINT, "0.22",
     "its Ed25519 does not compare the scalar with the group order"},
    {"tm-key-none", SPEC_TENDERMINT, "0.22",
     "it uses a key that is not there: nil dereference, the process ends"},
    {"tm-auth-empty", SPEC_TENDERMINT, "0.22",
     "it uses a key that is not there: nil dereference, the process ends"},
    {"tm-empty-auth", SPEC_TENDERMINT, "0.22",
     "an empty frame reads as a byte 00, an empty message: nil dereference"},
    {"tm-auth-prefix", SPEC_TENDERMINT, "0.22", "it accepts length prefixes of any form"},
    {"tm-auth-1025", SPEC_TENDERMINT, "0.22", "its limit is 1 MiB"},
    {"tm-auth-announced", SPEC_TENDERMINT, "0.22", "its limit is 1 MiB"},
    {"tm-empty-16", SPEC_TENDERMINT, "0.22", "an empty frame reads as a byte 00"},
    {"tm-empty-again", SPEC_TENDERMINT, "0.22", "an empty frame reads as a byte 00"},
    {"ni-prefix", SPEC_TENDERMINT, "0.22", "it accepts length prefixes of any form"},
    {"tm-version-letters", SPEC_TENDERMINT, "0.22", "it only counts the parts of a version"},
    {"tm-version-third", SPEC_TENDERMINT, "0.22", "it only counts the parts of a version"},
    {"duplicate-silent", SPEC_TENDERMINT, "0.22",
     "it keeps the older connection whether or not it is alive"},
    {"not-delayed", SPEC_TENDERMINT, "0.22", "its listener serves one connection after the other"},
    {"payload-1025", SPEC_TENDERMINT, "0.22",
     "its limit is on the encoded packet, with 10 bytes to spare"},
    {"payload-1030", SPEC_TENDERMINT, "0.22",
     "its limit is on the encoded packet, with 10 bytes to spare"},
    {"ping-flood", SPEC_TENDERMINT, "0.22", "it does not count pings"},
    {"cb-eph-31", SPEC_COMETBFT, "", "a short key is filled with zero bytes"},
    {"cb-eph-33", SPEC_COMETBFT, "", "a long key is cut"},
    {"cb-eph-trailing", SPEC_COMETBFT, "", "unknown fields are skipped in the key message too"},
    {"cb-reflected", SPEC_COMETBFT, "",
     "it notices a reflected key one frame later, when nothing can be opened"},
    {"cb-key-twice", SPEC_COMETBFT, "", "a message that comes twice is merged"},
    {"cb-auth-varint", SPEC_COMETBFT, "",
     "a varint of an unknown field is skipped without a look at its size"},
    {"cb-ni-varint-long", SPEC_COMETBFT, "",
     "a varint of an unknown field is skipped without a look at its size"},
    {"cb-auth-prefix", SPEC_COMETBFT, "", "it accepts length prefixes of any form"},
    {"ni-prefix", SPEC_COMETBFT, "", "it accepts length prefixes of any form"},
    {"cb-auth-1025", SPEC_COMETBFT, "", "its limit is 1 MiB"},
    {"cb-auth-announced", SPEC_COMETBFT, "", "its limit is 1 MiB"},
    {"cb-empty-16", SPEC_COMETBFT, "", "an empty frame reads as a byte"},
    {"cb-empty-again", SPEC_COMETBFT, "", "an empty frame reads as a byte"},
    {"cb-sends-zero-padding", SPEC_COMETBFT, "",
     "the padding shows older plaintext of the connection"},
    {"cb-ni-versions-twice", SPEC_COMETBFT, "", "a message that comes twice is merged"},
    {"cb-ni-other-twice", SPEC_COMETBFT, "", "a message that comes twice is merged"},
    {"cb-eph-early", SPEC_COMETBFT, "", "it reads the whole key message before it looks at it"},
    {"first-http", SPEC_COMETBFT, "", "it waits for the 71 bytes that the first letter announces"},
    {"duplicate-silent", SPEC_COMETBFT, "",
     "it keeps the older connection whether or not it is alive"},
    {"payload-1025", SPEC_COMETBFT, "", "its limit is on the encoded packet: 1034 bytes"},
    {"ping-flood", SPEC_COMETBFT, "", "it does not count pings"},
};

const char *spec_deviation(const spec_target *target, const spec_case *one) {
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const deviation *row = &known[i];
        if (strcmp(row->id, one->id) == 0 && (row->profiles & (unsigned)target->profile) != 0 &&
            strncmp(target->version, row->versions, strlen(row->versions)) == 0) {
            return row->text;
        }
    }
    return NULL;
}
