/* SPDX-License-Identifier: Apache-2.0 */
/* The other role: the target dials us.  It makes one connection at a time and comes again when that
 * one has ended, as a node does with a persistent peer. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/yardspec/run.h"

#define BACKLOG  16
#define FRESH_MS 500

bool spec_listen(spec_run *run, const sy_endpoint *endpoint, const char **ret_why) {
    struct sockaddr_storage addr;
    const socklen_t len = spec_sockaddr(endpoint, &addr);
    const int one = 1;
    run->listen_fd = socket(addr.ss_family, SOCK_STREAM, 0);
    if (run->listen_fd < 0) {
        *ret_why = strerror(errno);
        return false;
    }
    (void)fcntl(run->listen_fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(run->listen_fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(run->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(run->listen_fd, (const struct sockaddr *)&addr, len) != 0 ||
        listen(run->listen_fd, BACKLOG) != 0) {
        *ret_why = strerror(errno);
        return false;
    }
    run->target.endpoint = *endpoint;
    run->target.endpoint.port = spec_local_port(run->listen_fd);
    return true;
}

void spec_unlisten(spec_run *run) {
    if (run->next_fd >= 0) {
        (void)close(run->next_fd);
        run->next_fd = -1;
    }
    if (run->listen_fd >= 0) {
        (void)close(run->listen_fd);
        run->listen_fd = -1;
    }
}

/* One that waited for us for long has lost some of its time for the handshake. */
static bool is_fresh(int fd) {
    struct tcp_info info;
    socklen_t len = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
           info.tcpi_last_data_recv < FRESH_MS;
}

/* The dialer speaks first, and its first byte shows its profile; the byte stays in the socket. */
static bool is_of_profile(spec_run *run, int fd) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint8_t first = 0;
    if (poll(&wait, 1, run->timeout_ms) != 1 || recv(fd, &first, 1, MSG_PEEK) != 1) {
        return false;
    }
    if (!is_fresh(fd)) {
        return false;
    }
    const spec_profile profile = first == 0x21 ? SPEC_TENDERMINT : SPEC_COMETBFT;
    if (run->target.profile == SPEC_BOTH && (first == 0x21 || first == 0x22)) {
        run->target.profile = profile;
    }
    return run->target.profile == profile;
}

int spec_accept(spec_run *run) {
    const long until = spec_now_ms() + run->wait_ms;
    if (run->next_fd >= 0) {
        const int fd = run->next_fd;
        run->next_fd = -1;
        return fd;
    }
    for (;;) {
        struct pollfd wait = {.fd = run->listen_fd, .events = POLLIN};
        const long left = until - spec_now_ms();
        if (left <= 0 || poll(&wait, 1, (int)left) == 0) {
            return -1;
        }
        const int fd = accept(run->listen_fd, NULL, NULL);
        if (fd < 0) {
            continue;
        }
        run->dials++;
        if (is_of_profile(run, fd)) {
            return fd;
        }
        (void)close(fd); /* another profile, too old, or given up already */
    }
}
