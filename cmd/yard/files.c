/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include <switchyard/detail.h>

#include "cmd/yard/util.h"

/* Ends of temporary files.  Nobody names a copy of his own like that; mkstemp(3) puts letters and
 * digits for the X. */
#define TEMPORARY_MARK ".tmp-"
#define TEMPORARY_END  TEMPORARY_MARK "XXXXXX"

static bool fail(char **ret_why, const char *path, const char *what) {
    *ret_why = yard_format("%s: %s", path, what);
    return false;
}

static bool fail_errno(char **ret_why, const char *path) {
    return fail(ret_why, path, strerror(errno));
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Up to max + 1 bytes, to see when there are more. */
static ssize_t read_all(int fd, char *out, size_t max) {
    size_t len = 0;
    while (len <= max) {
        const ssize_t got = read(fd, out + len, max + 1 - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    return (ssize_t)len;
}

bool yard_file_read(const char *path, size_t max, char **ret_text, size_t *ret_len,
                    char **ret_why) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail_errno(ret_why, path);
    }
    char *text = yard_alloc(max + 2, 1);
    const ssize_t len = read_all(fd, text, max);
    const int error = errno;
    (void)close(fd);
    if (len < 0 || (size_t)len > max) {
        sodium_memzero(text, max + 2);
        free(text);
        if (len < 0) {
            return fail(ret_why, path, strerror(error));
        }
        *ret_why = yard_format("%s: longer than %zu bytes", path, max);
        return false;
    }
    text[len] = '\0';
    *ret_text = text;
    *ret_len = (size_t)len;
    return true;
}

bool yard_file_exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        const ssize_t put = write(fd, data, len);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return false;
        }
        data += put;
        len -= (size_t)put;
    }
    return true;
}

static char *dir_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return yard_strdup(".");
    }
    return slash == path ? yard_strdup("/") : yard_strndup(path, (size_t)(slash - path));
}

static bool sync_dir(const char *path, char **ret_why) {
    char *dir = dir_of(path);
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok) {
        (void)fail_errno(ret_why, dir);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(dir);
    return ok;
}

/* Is this the name of a temporary file beside base? */
static bool is_temporary(const char *name, const char *base) {
    const size_t len = strlen(base);
    if (strncmp(name, base, len) != 0 || strlen(name + len) != sizeof TEMPORARY_END - 1 ||
        strncmp(name + len, TEMPORARY_MARK, sizeof TEMPORARY_MARK - 1) != 0) {
        return false;
    }
    for (const char *at = name + len + sizeof TEMPORARY_MARK - 1; *at != '\0'; at++) {
        if (isalnum((unsigned char)*at) == 0) {
            return false;
        }
    }
    return true;
}

size_t yard_file_sweep(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    char *dir = dir_of(path);
    DIR *entries = opendir(dir);
    size_t count = 0;
    for (const struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        if (is_temporary(entry->d_name, base)) {
            char *stale = yard_format("%s/%s", dir, entry->d_name);
            count += unlink(stale) == 0;
            free(stale);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    free(dir);
    return count;
}

bool yard_file_write(const char *path, const void *data, size_t len, unsigned mode,
                     char **ret_why) {
    char *temp = yard_format("%s" TEMPORARY_END, path);
    const int fd = mkstemp(temp);
    if (fd < 0) {
        const bool failed = fail_errno(ret_why, path);
        free(temp);
        return failed;
    }
    bool ok = fchmod(fd, (mode_t)mode) == 0 && write_all(fd, data, len) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && rename(temp, path) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok) {
        (void)unlink(temp);
        (void)fail(ret_why, path, strerror(error));
    }
    free(temp);
    return ok && sync_dir(path, ret_why);
}

bool yard_file_set_aside(const char *path, char **ret_aside, char **ret_why) {
    char *aside = yard_format("%s.damaged-%lld", path, (long long)time(NULL));
    if (rename(path, aside) != 0) {
        *ret_why = yard_format("%s: cannot be set aside: %s", path, strerror(errno));
        free(aside);
        return false;
    }
    *ret_aside = aside;
    return true;
}

bool yard_dir_make(const char *path, unsigned mode, char **ret_why) {
    char *part = yard_strdup(path);
    for (char *at = part + 1;; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        const bool last = *at == '\0';
        *at = '\0';
        if (mkdir(part, (mode_t)mode) != 0 && errno != EEXIST) {
            const bool failed = fail_errno(ret_why, part);
            free(part);
            return failed;
        }
        if (last) {
            break;
        }
        *at = '/';
    }
    free(part);
    struct stat st;
    if (stat(path, &st) != 0) {
        return fail_errno(ret_why, path);
    }
    return S_ISDIR(st.st_mode) || fail(ret_why, path, "is not a directory");
}

/* ---- The node key ---------------------------------------------------------------------------- */

bool yard_key_read(const char *path, sy_node_key *ret_key, bool *ret_open_to_others,
                   char **ret_why) {
    char *text;
    size_t len;
    if (!yard_file_read(path, SY_NODE_KEY_JSON_MAX, &text, &len, ret_why)) {
        return false;
    }
    sy_detail detail;
    sy_detail_clear(&detail);
    const sy_err err = sy_node_key_decode_json(text, len, ret_key, &detail);
    sodium_memzero(text, len);
    free(text);
    if (err != SY_OK) {
        *ret_why = yard_format("%s: %s%s%s", path, sy_strerror(err),
                               detail.text[0] == '\0' ? "" : ": ", detail.text);
        return false;
    }
    if (ret_open_to_others != NULL) {
        struct stat st;
        *ret_open_to_others = stat(path, &st) == 0 && (st.st_mode & 077) != 0;
    }
    return true;
}

bool yard_key_create(const char *path, sy_node_key *ret_key, char **ret_why) {
    if (yard_file_exists(path)) {
        return fail(ret_why, path, "exists already; a node key is never overwritten");
    }
    if (sodium_init() < 0) {
        return fail(ret_why, path, "no random source");
    }
    uint8_t seed[SY_SEED_LEN];
    char json[SY_NODE_KEY_JSON_CAP];
    randombytes_buf(seed, sizeof seed);
    sy_node_key_from_seed(seed, ret_key);
    sodium_memzero(seed, sizeof seed);
    const size_t len = sy_node_key_encode_json(ret_key, json);
    /* SPEC ID-14 */
    const bool ok = yard_file_write(path, json, len, 0600, ret_why);
    sodium_memzero(json, sizeof json);
    if (!ok) {
        sy_node_key_wipe(ret_key);
    }
    return ok;
}
