/* SPDX-License-Identifier: Apache-2.0 */
/* The main of a target that is built without libFuzzer: runs every file and every file of every
 * folder named on the command line, in order of their names.  A folder that is missing or empty is
 * an error, so that a replay cannot pass by running nothing. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/support/fuzz.h"

#define INPUT_MAX ((size_t)4 << 20)
#define PATH_CAP  4096

static size_t ran;

static _Noreturn void die(const char *what, const char *path) {
    (void)fprintf(stderr, "replay: %s: %s\n", path, what);
    exit(1);
}

static void run_file(const char *path) {
    static uint8_t data[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        die("cannot be opened", path);
    }
    const size_t len = fread(data, 1, sizeof data, file);
    if (ferror(file) != 0 || len == sizeof data) {
        die("cannot be read", path);
    }
    (void)fclose(file);
    if (getenv("FUZZ_VERBOSE") != NULL) {
        (void)fprintf(stderr, "replay: %s\n", path);
    }
    uint8_t *exact = fuzz_exact(data, len);
    (void)LLVMFuzzerTestOneInput(exact, len);
    fuzz_exact_del(exact);
    ran++;
}

static int is_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void run_folder(const char *path) {
    struct dirent **entries = NULL;
    const int count = scandir(path, &entries, is_visible, alphasort);
    if (count <= 0) {
        die("no inputs", path);
    }
    for (int i = 0; i < count; i++) {
        char name[PATH_CAP];
        const int len = snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (len < 0 || (size_t)len >= sizeof name) {
            die("name too long", path);
        }
        run_file(name);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            die("not there", argv[i]);
        }
        if (S_ISDIR(st.st_mode)) {
            run_folder(argv[i]);
        } else {
            run_file(argv[i]);
        }
    }
    if (ran == 0) {
        die("nothing to run", argv[0]);
    }
    (void)printf("replay: %zu inputs\n", ran);
    return 0;
}
