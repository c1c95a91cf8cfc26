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
    {"none", 0, "", ""},
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
