/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */

/* System calls and constants that Swift cannot reach by itself: variadic functions, transparent unions, macros and
 * structures behind _GNU_SOURCE. Each function returns a negative errno on failure and never sets errno for its caller. */
#ifndef MENSHEN_CLINUX_H
#define MENSHEN_CLINUX_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CLINUX_READABLE = 1, CLINUX_WRITABLE = 2, CLINUX_HANGUP = 4, CLINUX_ERROR = 8 };

/* One readiness report. `token` is what was given when the descriptor was added. */
struct clinux_event {
    uint64_t token;
    uint32_t ready;
};

int clinux_epoll_create(void);
/* `interest` is a set of CLINUX_READABLE and _WRITABLE; `exclusive` wakes one of several waiting loops. */
int clinux_epoll_add(int epoll, int fd, uint32_t interest, uint64_t token, int exclusive);
int clinux_epoll_modify(int epoll, int fd, uint32_t interest, uint64_t token);
int clinux_epoll_remove(int epoll, int fd);
/* Waits at most `timeout_us` microseconds (negative: for ever); an interruption by a signal counts as no event. */
int clinux_epoll_wait(int epoll, struct clinux_event *events, int capacity, int64_t timeout_us);

int clinux_eventfd(void);
/* Waits for a sem_t, at most `timeout_us` microseconds (negative: for ever), which no change of the clock makes longer. */
void clinux_semaphore_wait(void *semaphore, int64_t timeout_us);
/* A descriptor that becomes readable when one of `signals` arrives; the signals are blocked in the calling thread, which
 * is to be the one that reads it. A library's thread that has them unblocked (Subprocess's waits in epoll_pwait with an
 * empty mask) hands them over to that thread instead of dying of them. */
int clinux_signalfd(const int *signals, size_t count);

enum { CLINUX_UNIX = 1, CLINUX_TCP4 = 2, CLINUX_TCP6 = 3, CLINUX_OTHER = 4 };

/* Non-blocking, close-on-exec sockets. */
int clinux_listen_unix(const char *path, int backlog);
int clinux_listen_tcp(const char *address, uint16_t port, int backlog);
int clinux_connect_unix(const char *path);
int clinux_connect_tcp(const char *address, uint16_t port);
int clinux_accept(int fd);
/* CLINUX_UNIX, _TCP4, _TCP6 or _OTHER of a socket. */
int clinux_socket_family(int fd);
/* Writes "address" of the own (`peer` 0) or other end into `buffer`, its port to `port`; a Unix socket gives its path. */
int clinux_socket_address(int fd, int peer, char *buffer, size_t size, uint16_t *port);
/* Bytes that the peer's kernel has taken of a TCP connection since it was made, the SYN included; -EOPNOTSUPP elsewhere. */
int64_t clinux_acknowledged(int fd);
int clinux_set_nodelay(int fd);
int clinux_set_nonblocking(int fd, int on);

/* Peer of a Unix socket as of its connect(2). */
int clinux_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid);
/* Its supplementary groups at that time (Linux 4.13): how many there are, also if there is room for `capacity` only. */
int clinux_peer_groups(int fd, gid_t *groups, size_t capacity);
/* A pidfd of the peer (Linux 6.5), or a negative errno: -ENOPROTOOPT where the kernel has none, -EINVAL/-ESRCH for a reaped peer. */
int clinux_peer_pidfd(int fd);

/* sendmsg(2) of one datagram to a Unix socket path, with a descriptor attached if `pass` is not negative. */
ssize_t clinux_send_datagram(int fd, const char *path, const void *bytes, size_t count, int pass);
int clinux_datagram_socket(void);
/* One whose datagrams go to that address; "@name" is an abstract one, as in $NOTIFY_SOCKET. */
int clinux_connect_datagram(const char *path);
/* A sealed memory file holding `count` bytes: how an entry too large for one datagram reaches the journal. */
int clinux_sealed_memory(const char *name, const void *bytes, size_t count);

int clinux_set_dumpable(int on);
int clinux_get_dumpable(void);
int clinux_no_core(void);
/* Raises the soft limit of open files to the hard one and returns it. */
int64_t clinux_raise_open_files(void);
int clinux_reserve_descriptors(int count);
void clinux_set_thread_name(const char *name);
uint64_t clinux_monotonic_us(void);
uint64_t clinux_realtime_us(void);
void clinux_ignore_sigpipe(void);
/* 1 if the signal is ignored, as nohup(1) leaves SIGHUP. */
int clinux_is_ignored(int number);
/* Columns and rows of the terminal behind a descriptor; 0 if it is none or does not say. */
int clinux_terminal_columns(int descriptor);
int clinux_terminal_rows(int descriptor);
/* From now on a fault of the process first gives the terminal the settings that it has now, and writes `words`, which stay
 * where they are, to standard output. */
void clinux_restore_terminal_on_crash(int descriptor, const char *words);

/* One heap for all threads, grown in large steps: a thread's own heap grows by an mprotect(2) per few kilobytes, four of
 * them for each new stream. Call before other threads start. */
void clinux_share_heap(void);
/* Gives freed memory back to the kernel. */
void clinux_trim_heap(void);
/* Gives back the pages of code and constants that have been touched so far, in every loaded object; what is needed
 * again comes back from the page cache at the next touch. */
void clinux_release_code(void);
#endif
