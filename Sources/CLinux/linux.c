/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */
#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5; Debian 12's headers do not have it. */
#endif

static int result(int rc) { return rc < 0 ? -errno : rc; }

static int closing(int fd, int rc) {
    if (rc >= 0) return fd;
    int saved = errno;
    close(fd);
    return -saved;
}

static uint32_t to_epoll(uint32_t interest) {
    uint32_t events = 0;
    if (interest & CLINUX_READABLE) events |= EPOLLIN;
    if (interest & CLINUX_WRITABLE) events |= EPOLLOUT;
    return events;
}

int clinux_epoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return result(epoll_ctl(epoll, operation, fd, &event));
}

int clinux_epoll_add(int epoll, int fd, uint32_t interest, uint64_t token, int exclusive) {
    return control(epoll, EPOLL_CTL_ADD, fd, to_epoll(interest) | (exclusive ? EPOLLEXCLUSIVE : 0), token);
}

int clinux_epoll_modify(int epoll, int fd, uint32_t interest, uint64_t token) {
    return control(epoll, EPOLL_CTL_MOD, fd, to_epoll(interest), token);
}

int clinux_epoll_remove(int epoll, int fd) { return control(epoll, EPOLL_CTL_DEL, fd, 0, 0); }

int clinux_epoll_wait(int epoll, struct clinux_event *events, int capacity, int64_t timeout_us) {
    struct epoll_event ready[256];
    if (capacity > 256) capacity = 256;
    /* Whole milliseconds rounded up: epoll_pwait2 (Linux 5.11) is refused by older seccomp filters. */
    int timeout = timeout_us < 0 ? -1 : timeout_us > 60000000 ? 60000 : (int)((timeout_us + 999) / 1000);
    int count = epoll_wait(epoll, ready, capacity, timeout);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        uint32_t in = ready[i].events, out = 0;
        if (in & EPOLLIN) out |= CLINUX_READABLE;
        if (in & EPOLLOUT) out |= CLINUX_WRITABLE;
        if (in & EPOLLHUP) out |= CLINUX_HANGUP;
        if (in & EPOLLERR) out |= CLINUX_ERROR;
        events[i].token = ready[i].data.u64;
        events[i].ready = out;
    }
    return count;
}

void clinux_semaphore_wait(void *semaphore, int64_t timeout_us) {
    if (timeout_us < 0) {
        sem_wait(semaphore);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + timeout_us % 1000000 * 1000;
    until.tv_sec += timeout_us / 1000000 + nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
}

int clinux_eventfd(void) { return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

/* Kernel's number of the thread that reads the signal descriptor. */
static volatile pid_t signal_reader;

static void hand_over(int signal) {
    int saved = errno;
    syscall(SYS_tgkill, getpid(), signal_reader, signal);
    errno = saved;
}

int clinux_signalfd(const int *signals, size_t count) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++) sigaddset(&set, signals[i]);
    signal_reader = (pid_t)syscall(SYS_gettid);
    struct sigaction action = {.sa_handler = hand_over, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < count; i++)
        if (sigaction(signals[i], &action, NULL) < 0) return -errno;
    int rc = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (rc != 0) return -rc;
    return result(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

static int unix_address(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address->sun_path) return -ENAMETOOLONG;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length + 1);
    return 0;
}

static int new_socket(int family, int type) { return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

int clinux_listen_unix(const char *path, int backlog) {
    struct sockaddr_un address;
    int rc = unix_address(path, &address);
    if (rc < 0) return rc;
    int fd = new_socket(AF_UNIX, SOCK_STREAM);
    if (fd < 0) return -errno;
    /* The mode is fixed before the name exists, so that there is no moment at which others may connect. */
    rc = fchmod(fd, 0600);
    if (rc == 0) rc = bind(fd, (struct sockaddr *)&address, sizeof address);
    if (rc == 0) rc = listen(fd, backlog);
    return closing(fd, rc);
}

static int tcp_address(const char *text, uint16_t port, struct sockaddr_storage *address, socklen_t *size) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *size = sizeof *v4;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *size = sizeof *v6;
        return 0;
    }
    return -EINVAL;
}

int clinux_listen_tcp(const char *text, uint16_t port, int backlog) {
    struct sockaddr_storage address;
    socklen_t size;
    int rc = tcp_address(text, port, &address, &size);
    if (rc < 0) return rc;
    int fd = new_socket(address.ss_family, SOCK_STREAM), on = 1;
    if (fd < 0) return -errno;
    rc = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (rc == 0 && address.ss_family == AF_INET6) rc = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (rc == 0) rc = bind(fd, (struct sockaddr *)&address, size);
    if (rc == 0) rc = listen(fd, backlog);
    return closing(fd, rc);
}

static int connected(int fd, const struct sockaddr *address, socklen_t size) {
    if (fd < 0) return -errno;
    int rc = connect(fd, address, size);
    if (rc < 0 && errno == EINPROGRESS) rc = 0;
    return closing(fd, rc);
}

int clinux_connect_unix(const char *path) {
    struct sockaddr_un address;
    int rc = unix_address(path, &address);
    if (rc < 0) return rc;
    return connected(new_socket(AF_UNIX, SOCK_STREAM), (struct sockaddr *)&address, sizeof address);
}

int clinux_connect_tcp(const char *text, uint16_t port) {
    struct sockaddr_storage address;
    socklen_t size;
    int rc = tcp_address(text, port, &address, &size);
    if (rc < 0) return rc;
    return connected(new_socket(address.ss_family, SOCK_STREAM), (struct sockaddr *)&address, size);
}

int clinux_accept(int fd) { return result(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)); }

static int integer_option(int fd, int level, int option, int *value) {
    socklen_t size = sizeof *value;
    return result(getsockopt(fd, level, option, value, &size));
}

int clinux_socket_family(int fd) {
    int domain;
    int rc = integer_option(fd, SOL_SOCKET, SO_DOMAIN, &domain);
    if (rc < 0) return rc;
    return domain == AF_UNIX ? CLINUX_UNIX : domain == AF_INET ? CLINUX_TCP4 : domain == AF_INET6 ? CLINUX_TCP6 : CLINUX_OTHER;
}

int clinux_socket_address(int fd, int peer, char *buffer, size_t count, uint16_t *port) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    int rc = peer ? getpeername(fd, (struct sockaddr *)&address, &size) : getsockname(fd, (struct sockaddr *)&address, &size);
    if (rc < 0) return -errno;
    *port = 0;
    if (count == 0) return -ENOSPC;
    buffer[0] = 0;
    if (address.ss_family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
        *port = ntohs(v4->sin_port);
        return inet_ntop(AF_INET, &v4->sin_addr, buffer, (socklen_t)count) ? 0 : -errno;
    }
    if (address.ss_family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
        *port = ntohs(v6->sin6_port);
        return inet_ntop(AF_INET6, &v6->sin6_addr, buffer, (socklen_t)count) ? 0 : -errno;
    }
    if (address.ss_family == AF_UNIX) {
        struct sockaddr_un *name = (struct sockaddr_un *)&address;
        size_t length = strnlen(name->sun_path, sizeof name->sun_path);
        if (length >= count) return -ENOSPC;
        memcpy(buffer, name->sun_path, length);
        buffer[length] = 0;
        return 0;
    }
    return -EAFNOSUPPORT;
}

int clinux_set_nodelay(int fd) {
    int on = 1;
    return result(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

static int change_flags(int fd, int get, int set, int bit, int on) {
    int flags = fcntl(fd, get);
    if (flags < 0) return -errno;
    return result(fcntl(fd, set, on ? flags | bit : flags & ~bit));
}

int clinux_set_nonblocking(int fd, int on) { return change_flags(fd, F_GETFL, F_SETFL, O_NONBLOCK, on); }

int clinux_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return -errno;
    *pid = credentials.pid;
    *uid = credentials.uid;
    *gid = credentials.gid;
    return 0;
}

int clinux_peer_pidfd(int fd) {
    int pidfd = -1;
    int rc = integer_option(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd);
    return rc < 0 ? rc : pidfd;
}

int clinux_datagram_socket(void) { return result(new_socket(AF_UNIX, SOCK_DGRAM)); }

int clinux_connect_datagram(const char *path) {
    struct sockaddr_un address;
    int rc = unix_address(path, &address);
    if (rc < 0) return rc;
    socklen_t size = sizeof address;
    if (path[0] == '@') {
        address.sun_path[0] = 0;
        size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    }
    int fd = clinux_datagram_socket();
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) == 0) return fd;
    rc = -errno;
    close(fd);
    return rc;
}

ssize_t clinux_send_datagram(int fd, const char *path, const void *bytes, size_t count, int pass) {
    struct sockaddr_un address;
    int rc = unix_address(path, &address);
    if (rc < 0) return rc;
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &part, .msg_iovlen = count > 0 ? 1 : 0};
    if (pass >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.space;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &pass, sizeof(int));
    }
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

int clinux_sealed_memory(const char *name, const void *bytes, size_t count) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -errno;
    const char *next = bytes;
    while (count > 0) {
        ssize_t written = write(fd, next, count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return closing(fd, -1);
        next += written;
        count -= (size_t)written;
    }
    return closing(fd, fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL));
}

int clinux_set_dumpable(int on) { return result(prctl(PR_SET_DUMPABLE, on ? 1 : 0, 0, 0, 0)); }
int clinux_get_dumpable(void) { return result(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)); }

int clinux_no_core(void) {
    struct rlimit none = {0, 0};
    return result(setrlimit(RLIMIT_CORE, &none));
}

int64_t clinux_raise_open_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    return limit.rlim_cur == RLIM_INFINITY ? INT64_MAX : (int64_t)limit.rlim_cur;
}

int clinux_reserve_descriptors(int count) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, count - 1);
    int code = high < 0 ? -errno : 0;
    if (high >= 0) close(high);
    close(fd);
    return code;
}

void clinux_set_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

static uint64_t microseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clinux_monotonic_us(void) { return microseconds(CLOCK_MONOTONIC); }
uint64_t clinux_realtime_us(void) { return microseconds(CLOCK_REALTIME); }

void clinux_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

void clinux_trim_heap(void) { malloc_trim(0); }

void clinux_share_heap(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TOP_PAD, 1 << 20);
    /* Setting either keeps glibc from moving these by itself; a quiet process gives back what is over 4 MiB. */
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

static int release_object(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    (void)context;
    /* The vdso has no name of a file and no pages to give back. */
    if (object->dlpi_addr == 0) return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_W)) continue;
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
        uintptr_t start = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_filesz + page - 1) & ~(page - 1);
        /* Never written, so nothing is lost. Refused for the vdso, which is no file. */
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void clinux_release_code(void) { dl_iterate_phdr(release_object, NULL); }
