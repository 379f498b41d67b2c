/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <sys/socket.h>

int clinux_peer_groups(int fd, gid_t *groups, size_t capacity) {
    socklen_t size = (socklen_t)(capacity * sizeof *groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0 && errno != ERANGE) return -errno;
    return (int)(size / sizeof *groups);
}
