/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/saver.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/yard/files.h"
#include "cmd/yard/util.h"

#define STACK_LEN ((size_t)256 << 10)

typedef struct job {
    char *path; /* NULL: free; ours until close, so that the writer may read it without the lock */
    char *text; /* NULL: nothing to write */
    size_t len;
    unsigned mode;
} job;

struct yard_saver {
    void (*drop)(void *user, char *text);
    void *user;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    job jobs[YARD_SAVER_PATHS];
    bool stopping;
    char *error;
};

/* Without the lock. */
static void write_job(yard_saver *saver, const job *work) {
    char *why = NULL;
    const bool ok = yard_file_write(work->path, work->text, work->len, work->mode, &why);
    saver->drop(saver->user, work->text);
    if (!ok) {
        (void)pthread_mutex_lock(&saver->mutex);
        free(saver->error);
        saver->error = why;
        (void)pthread_mutex_unlock(&saver->mutex);
    }
}

/* The first job that waits, taken out; with the lock. */
static bool take(yard_saver *saver, job *ret_job) {
    for (size_t i = 0; i < YARD_SAVER_PATHS; i++) {
        if (saver->jobs[i].text != NULL) {
            *ret_job = saver->jobs[i];
            saver->jobs[i].text = NULL;
            return true;
        }
    }
    return false;
}

static void *run(void *arg) {
    yard_saver *saver = arg;
    job work;
    (void)pthread_mutex_lock(&saver->mutex);
    for (;;) {
        if (take(saver, &work)) {
            (void)pthread_mutex_unlock(&saver->mutex);
            write_job(saver, &work);
            (void)pthread_mutex_lock(&saver->mutex);
        } else if (saver->stopping) {
            break;
        } else {
            (void)pthread_cond_wait(&saver->changed, &saver->mutex);
        }
    }
    (void)pthread_mutex_unlock(&saver->mutex);
    return NULL;
}

/* Signals are for the loop. */
static bool start_thread(yard_saver *saver) {
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attr;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_LEN);
    const int failed = pthread_create(&saver->thread, &attr, run, saver);
    (void)pthread_attr_destroy(&attr);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

yard_saver *yard_saver_new(void (*drop)(void *user, char *text), void *user) {
    yard_saver *saver = yard_alloc(1, sizeof *saver);
    saver->drop = drop;
    saver->user = user;
    (void)pthread_mutex_init(&saver->mutex, NULL);
    (void)pthread_cond_init(&saver->changed, NULL);
    saver->has_thread = start_thread(saver);
    return saver;
}

char *yard_saver_close(yard_saver *saver) {
    if (saver == NULL) {
        return NULL;
    }
    if (saver->has_thread) {
        (void)pthread_mutex_lock(&saver->mutex);
        saver->stopping = true;
        (void)pthread_cond_signal(&saver->changed);
        (void)pthread_mutex_unlock(&saver->mutex);
        (void)pthread_join(saver->thread, NULL);
    }
    (void)pthread_cond_destroy(&saver->changed);
    (void)pthread_mutex_destroy(&saver->mutex);
    for (size_t i = 0; i < YARD_SAVER_PATHS; i++) {
        free(saver->jobs[i].path);
    }
    char *error = saver->error;
    free(saver);
    return error;
}

/* The job of that path, or a free one; with the lock. */
static job *job_of(yard_saver *saver, const char *path) {
    for (size_t i = 0; i < YARD_SAVER_PATHS; i++) {
        job *at = &saver->jobs[i];
        if (at->path == NULL) {
            at->path = yard_strdup(path);
        }
        if (strcmp(at->path, path) == 0) {
            return at;
        }
    }
    abort(); /* more paths than YARD_SAVER_PATHS */
}

void yard_saver_put(yard_saver *saver, const char *path, char *text, size_t len, unsigned mode) {
    (void)pthread_mutex_lock(&saver->mutex);
    job *at = job_of(saver, path);
    char *old = at->text;
    at->text = text;
    at->len = len;
    at->mode = mode;
    (void)pthread_cond_signal(&saver->changed);
    job now;
    const bool at_once = !saver->has_thread && take(saver, &now);
    (void)pthread_mutex_unlock(&saver->mutex);
    if (old != NULL) {
        saver->drop(saver->user, old);
    }
    if (at_once) {
        write_job(saver, &now);
    }
}

char *yard_saver_error(yard_saver *saver) {
    (void)pthread_mutex_lock(&saver->mutex);
    char *error = saver->error;
    saver->error = NULL;
    (void)pthread_mutex_unlock(&saver->mutex);
    return error;
}
