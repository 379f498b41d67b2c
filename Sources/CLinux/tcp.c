/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

/* The kernel's tcp_info as far as it is needed: glibc's structure ends earlier. */
struct long_tcp_info {
    struct tcp_info common;
    uint64_t pacing_rate;
    uint64_t max_pacing_rate;
    uint64_t bytes_acked;
};
_Static_assert(offsetof(struct long_tcp_info, bytes_acked) == 120, "struct tcp_info of linux/tcp.h");

int64_t clinux_acknowledged(int fd) {
    struct long_tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return -errno;
    return size == sizeof info ? (int64_t)info.bytes_acked : -EOPNOTSUPP;
}
