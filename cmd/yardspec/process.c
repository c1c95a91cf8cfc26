/* SPDX-License-Identifier: Apache-2.0 */
/* Which process is at the other end of a connection, and how much memory it has: for a target on
 * this machine, from /proc. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/yardspec/run.h"

/* The socket with these ports, as the system numbers it; 0: none.  Ports are in hexadecimal behind
 * the last colon of the second and third word. */
static unsigned long find_inode(const char *path, unsigned local, unsigned remote) {
    FILE *file = fopen(path, "r");
    char line[512];
    unsigned long inode = 0;
    while (file != NULL && inode == 0 && fgets(line, sizeof line, file) != NULL) {
        unsigned from = 0;
        unsigned to = 0;
        unsigned long found = 0;
        if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %*x %*s %*s %*s %*d %*d %lu", &from,
                   &to, &found) == 3 &&
            from == local && to == remote) {
            inode = found;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return inode;
}

static bool has_socket(const char *pid, unsigned long inode) {
    char path[300];
    char wanted[64];
    char link[64];
    (void)snprintf(path, sizeof path, "/proc/%s/fd", pid);
    (void)snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *folder = opendir(path);
    bool found = false;
    const struct dirent *entry;
    while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
        (void)snprintf(path, sizeof path, "/proc/%s/fd/%s", pid, entry->d_name);
        const ssize_t len = readlink(path, link, sizeof link - 1);
        link[len > 0 ? len : 0] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return found;
}

static long find_owner(unsigned long inode) {
    DIR *folder = opendir("/proc");
    long pid = 0;
    const struct dirent *entry;
    while (folder != NULL && pid == 0 && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            has_socket(entry->d_name, inode)) {
            pid = strtol(entry->d_name, NULL, 10);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return pid;
}

long spec_target_pid(const spec_run *run, const spec_peer *peer) {
    if (run->target_pid > 0 || peer->fd < 0) {
        return run->target_pid;
    }
    const unsigned theirs = spec_remote_port(peer->fd);
    unsigned long inode = find_inode("/proc/net/tcp", theirs, peer->port);
    if (inode == 0) {
        inode = find_inode("/proc/net/tcp6", theirs, peer->port);
    }
    return inode == 0 ? 0 : find_owner(inode);
}

long spec_process_memory(long pid) {
    char path[64];
    char line[256];
    long kib = -1;
    (void)snprintf(path, sizeof path, "/proc/%ld/status", pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && kib < 0 && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "RssAnon: %ld kB", &kib);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib < 0 ? -1 : kib * 1024;
}
