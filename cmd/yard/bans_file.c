/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/bans_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <switchyard/assert.h>

#include "cmd/yard/files.h"
#include "cmd/yard/util.h"

/* SY_BANS_MAX entries with every byte of a reason escaped, twice over. */
#define BANS_FILE_MAX ((size_t)8 << 20)
#define BANS_MODE     0644

sy_walltime yard_walltime(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (sy_walltime){(int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec};
}

/* A path that cannot be followed for another reason is none that nobody has written to yet: who is
 * banned there is not known. */
static bool is_missing(const char *path) {
    struct stat st;
    return lstat(path, &st) != 0 && errno == ENOENT;
}

yard_bans_state yard_bans_read(const char *path, sy_walltime wall, sy_gate *ret_gate,
                               char **ret_why) {
    sy_gate gate;
    sy_detail detail;
    char *text;
    size_t len;
    sy_gate_init(&gate, sy_mem_libc());
    if (is_missing(path)) {
        *ret_gate = gate;
        return YARD_BANS_READ;
    }
    if (!yard_file_read(path, BANS_FILE_MAX, &text, &len, ret_why)) {
        return YARD_BANS_UNREADABLE;
    }
    sy_detail_clear(&detail);
    const sy_err err = sy_gate_decode(&gate, text, len, &detail, wall);
    free(text);
    if (err != SY_OK) {
        *ret_why = yard_format("%s: %s%s%s", path, sy_strerror(err),
                               detail.text[0] == '\0' ? "" : ": ", detail.text);
        return YARD_BANS_DAMAGED;
    }
    *ret_gate = gate;
    return YARD_BANS_READ;
}

char *yard_bans_text(const sy_gate *gate, size_t *ret_len) {
    const size_t len = sy_gate_encode(gate, NULL, 0);
    char *text = yard_alloc(len + 2, 1);
    const size_t written = sy_gate_encode(gate, text, len + 1);
    SY_ASSERT(written == len);
    *ret_len = len;
    return text;
}

bool yard_bans_write(const char *path, const sy_gate *gate, char **ret_why) {
    size_t len;
    char *text = yard_bans_text(gate, &len);
    if (len == 0) { /* no text at all is not even an empty list */
        *ret_why = yard_format("%s: %s", path, sy_strerror(SY_ERR_NOMEM));
        free(text);
        return false;
    }
    text[len++] = '\n';
    const bool ok = yard_file_write(path, text, len, BANS_MODE, ret_why);
    free(text);
    return ok;
}
