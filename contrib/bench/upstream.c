// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

// A stand-in OpenAI-shaped provider: one thread, epoll, HTTP/1.1 keep-alive, loopback only.
//
//   upstream --key KEY --token TOKEN        prints the port it listens on, then serves until it is killed
//
// POST …/chat/completions   the fixed answer of http.h
//   with "stream":true      server-sent events; the model "stream-NxMms" asks for N chunks, one every M ms, then a
//                           finish chunk, a usage chunk and [DONE]. Each of the N chunks carries " t=NANOSECONDS."
//                           of CLOCK_MONOTONIC when it was written, so a client on this machine can tell its lag.
// GET /__stats              counters. "bad_key": requests without KEY; "token_leaks": heads that contain TOKEN.
#define _GNU_SOURCE
#include "http.h"

#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int fd;
    char *in;
    size_t in_length, in_capacity;
    // The request being read; valid while have_head.
    bool have_head, chunked, close_after;
    size_t head_length, body_length;
    // Chunked request body: decoded bytes, and how far `in` has been decoded.
    char *decoded;
    size_t decoded_length, decoded_capacity, decoded_to;
    char method[8], path[256], authorization[512];
    char *out;
    size_t out_length, out_sent, out_capacity;
    bool wants_out;
    // The stream being sent; in the heap while it waits for its next chunk.
    bool streaming;
    int chunks, chunks_sent, heap_index;
    int64_t interval, started, due;
};

static int epoll_fd;
static const char *token = "";
static char expected_authorization[512];
static struct {
    unsigned long long requests, bad_key, token_leaks, body_bytes, refused;
    unsigned long long chunks, streams_started, streams_done, streams_aborted;
    long long late_us_max;
} stats;

// MARK: streams by the time of their next chunk, a binary heap

static struct connection **heap;
static int heap_count, heap_capacity;

static void heap_set(int index, struct connection *c) {
    heap[index] = c;
    c->heap_index = index;
}
static void heap_up(int index) {
    struct connection *c = heap[index];
    for (int parent; index && heap[parent = (index - 1) / 2]->due > c->due; index = parent)
        heap_set(index, heap[parent]);
    heap_set(index, c);
}
static void heap_down(int index) {
    struct connection *c = heap[index];
    for (;;) {
        int child = 2 * index + 1;
        if (child >= heap_count) break;
        if (child + 1 < heap_count && heap[child + 1]->due < heap[child]->due) child++;
        if (heap[child]->due >= c->due) break;
        heap_set(index, heap[child]);
        index = child;
    }
    heap_set(index, c);
}
static void heap_push(struct connection *c) {
    if (heap_count == heap_capacity) {
        heap_capacity = heap_capacity ? heap_capacity * 2 : 1024;
        heap = checked(realloc(heap, heap_capacity * sizeof *heap));
    }
    heap_set(heap_count++, c);
    heap_up(heap_count - 1);
}
static void heap_remove(struct connection *c) {
    int index = c->heap_index;
    if (index < 0) return;
    c->heap_index = -1;
    if (--heap_count == index) return;
    struct connection *last = heap[heap_count];
    heap_set(index, last);
    heap_up(index);
    heap_down(last->heap_index);
}

// MARK: output

static void want_output(struct connection *c, bool wanted) {
    if (c->wants_out == wanted) return;
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | (wanted ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
    c->wants_out = wanted;
}
/// false: the connection is dead, or is to be closed now.
static bool flush(struct connection *c) {
    while (c->out_sent < c->out_length) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_length - c->out_sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            want_output(c, true);
            return true;
        }
        if (n < 0) return false;
        c->out_sent += n;
    }
    c->out_sent = c->out_length = 0;
    want_output(c, false);
    return !c->close_after || c->streaming || c->have_head;
}
static bool put(struct connection *c, const char *bytes, size_t length) {
    if (c->out_length + length > c->out_capacity) {
        c->out_capacity = (c->out_length + length) * 2;
        c->out = checked(realloc(c->out, c->out_capacity));
    }
    memcpy(c->out + c->out_length, bytes, length);
    c->out_length += length;
    return flush(c);
}
static bool answer(struct connection *c, int status, const char *body, size_t length) {
    char b[4096];
    int n = snprintf(
        b, sizeof b, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", status,
        status == 200 ? "OK" : "Error", length, c->close_after ? "Connection: close\r\n" : "");
    memcpy(b + n, body, length);
    return put(c, b, n + length);
}

#define EVENT                                                                                                          \
    "data: {\"id\":\"chatcmpl-bench0123456789abcde\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"     \
    "\"model\":\"gpt-bench\","

static size_t chunk(char *to, size_t room, const char *event) {
    return snprintf(to, room, "%zx\r\n%s\r\n", strlen(event), event);
}
/// Sends the chunk that is due now; the last one brings the end of the stream with it.
static bool step(struct connection *c) {
    char event[512], b[2048];
    size_t n = 0;
    int64_t now = now_ns();
    if (c->chunks_sent == 0)
        n = snprintf(
            b, sizeof b,
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
            "Transfer-Encoding: chunked\r\n%s\r\n",
            c->close_after ? "Connection: close\r\n" : "");
    else if ((now - c->due) / 1000 > stats.late_us_max)
        stats.late_us_max = (now - c->due) / 1000;
    snprintf(
        event, sizeof event,
        EVENT "\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\" t=%lld.\"},\"logprobs\":null,"
              "\"finish_reason\":null}]}\n\n",
        c->chunks_sent == 0 ? "\"role\":\"assistant\"," : "", (long long)now);
    n += chunk(b + n, sizeof b - n, event);
    c->chunks_sent++;
    stats.chunks++;
    c->due = c->started + c->interval * c->chunks_sent;
    if (c->chunks_sent < c->chunks) return put(c, b, n);

    n += chunk(
        b + n, sizeof b - n,
        EVENT "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n");
    snprintf(
        event, sizeof event,
        EVENT "\"choices\":[],\"usage\":{\"prompt_tokens\":211,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n"
              "data: [DONE]\n\n",
        c->chunks, c->chunks + 211);
    n += chunk(b + n, sizeof b - n, event);
    n += snprintf(b + n, sizeof b - n, "0\r\n\r\n");
    c->streaming = false;
    stats.streams_done++;
    return put(c, b, n);
}

// MARK: input

static bool handle(struct connection *c, const char *body, size_t length) {
    if (!strcmp(c->path, "/__stats")) {
        char b[1024];
        int n = snprintf(
            b, sizeof b,
            "{\"requests\":%llu,\"bad_key\":%llu,\"token_leaks\":%llu,\"streams_started\":%llu,\"streams_done\":%llu,"
            "\"streams_aborted\":%llu,\"chunks\":%llu,\"body_bytes\":%llu,\"refused\":%llu,\"late_us_max\":%lld}\n",
            stats.requests, stats.bad_key, stats.token_leaks, stats.streams_started, stats.streams_done,
            stats.streams_aborted, stats.chunks, stats.body_bytes, stats.refused, stats.late_us_max);
        stats.late_us_max = 0;
        return answer(c, 200, b, n);
    }
    static const char suffix[] = "/chat/completions";
    size_t path_length = strlen(c->path);
    if (strcmp(c->method, "POST") || path_length < sizeof suffix - 1
        || strcmp(c->path + path_length - (sizeof suffix - 1), suffix)) {
        static const char no[] = "{\"error\":{\"message\":\"not found\",\"type\":\"invalid_request_error\"}}";
        stats.refused++;
        return answer(c, 404, no, sizeof no - 1);
    }
    stats.requests++;
    stats.body_bytes += length;
    if (strcmp(c->authorization, expected_authorization)) stats.bad_key++;
    // The load client names the model and asks for the stream at the very start of its body.
    size_t window = length < 512 ? length : 512;
    if (!memmem(body, window, "\"stream\":true", 13)) return answer(c, 200, completion, completion_length);

    const char *model = memmem(body, window, "\"stream-", 8);
    int milliseconds = 20;
    c->chunks = 50;
    if (model) sscanf(model, "\"stream-%dx%dms", &c->chunks, &milliseconds);
    if (c->chunks < 1) c->chunks = 1;
    c->interval = milliseconds * INT64_C(1000000);
    c->chunks_sent = 0;
    c->started = now_ns();
    c->streaming = true;
    stats.streams_started++;
    if (!step(c)) return false;
    if (c->streaming) heap_push(c);
    return true;
}

static bool parse_head(struct connection *c, char *end) {
    c->head_length = end + 4 - c->in;
    c->have_head = true;
    c->chunked = c->close_after = false;
    c->body_length = c->decoded_length = 0;
    c->decoded_to = c->head_length;
    c->authorization[0] = 0;
    if (sscanf(c->in, "%7s %255s", c->method, c->path) != 2) return false;
    if (token[0] && memmem(c->in, c->head_length, token, strlen(token))) stats.token_leaks++;
    bool expects = false;
    for (char *line = memmem(c->in, c->head_length, "\r\n", 2); line && line < end;) {
        line += 2;
        char *line_end = memmem(line, end + 2 - line, "\r\n", 2);
        if (!line_end) break;
        size_t left = line_end - line;
        if (!strncasecmp(line, "content-length:", 15)) c->body_length = strtoull(line + 15, NULL, 10);
        else if (!strncasecmp(line, "transfer-encoding:", 18) && memmem(line, left, "chunked", 7)) c->chunked = true;
        else if (!strncasecmp(line, "connection:", 11) && memmem(line, left, "close", 5)) c->close_after = true;
        else if (!strncasecmp(line, "expect:", 7)) expects = true;
        else if (!strncasecmp(line, "authorization:", 14)) {
            const char *value = line + 14;
            while (*value == ' ') value++;
            snprintf(c->authorization, sizeof c->authorization, "%.*s", (int)(line_end - value), value);
        }
        line = line_end;
    }
    return !expects || put(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}
/// Length of the request in `in` once its chunked body is decoded whole; 0 while bytes are missing.
static size_t decode_chunks(struct connection *c) {
    for (;;) {
        char *at = c->in + c->decoded_to, *limit = c->in + c->in_length;
        char *line_end = at < limit ? memmem(at, limit - at, "\r\n", 2) : NULL;
        if (!line_end) return 0;
        size_t size = strtoull(at, NULL, 16), line = line_end + 2 - at;
        if ((size_t)(limit - at) < line + size + 2) return 0;
        if (size == 0) return c->decoded_to + line + 2; // no trailers expected
        if (c->decoded_length + size > c->decoded_capacity) {
            c->decoded_capacity = (c->decoded_length + size) * 2;
            c->decoded = checked(realloc(c->decoded, c->decoded_capacity));
        }
        memcpy(c->decoded + c->decoded_length, at + line, size);
        c->decoded_length += size;
        c->decoded_to += line + size + 2;
    }
}
/// Handles every whole request that has arrived; false: close.
static bool consume(struct connection *c) {
    while (!c->streaming && c->in_length) {
        if (!c->have_head) {
            char *end = memmem(c->in, c->in_length, "\r\n\r\n", 4);
            if (!end) return c->in_length < 65536;
            if (!parse_head(c, end)) return false;
        }
        size_t used = c->chunked ? decode_chunks(c) : c->head_length + c->body_length;
        if (!used || c->in_length < used) return true;
        c->have_head = false;
        bool alive = c->chunked ? handle(c, c->decoded, c->decoded_length)
                                : handle(c, c->in + c->head_length, c->body_length);
        if (!alive) return false;
        memmove(c->in, c->in + used, c->in_length - used);
        c->in_length -= used;
    }
    return true;
}
static bool readable(struct connection *c) {
    for (;;) {
        size_t wanted = c->in_length + 4096;
        if (c->have_head && !c->chunked && c->head_length + c->body_length > wanted)
            wanted = c->head_length + c->body_length + 4096;
        if (c->in_capacity < wanted) {
            c->in_capacity = wanted > c->in_capacity * 2 ? wanted : c->in_capacity * 2;
            c->in = checked(realloc(c->in, c->in_capacity));
        }
        size_t room = c->in_capacity - c->in_length;
        ssize_t n = recv(c->fd, c->in + c->in_length, room, 0);
        if (n == 0) return false;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        c->in_length += n;
        if (!consume(c)) return false;
        if ((size_t)n < room) return true;
    }
}

static void discard(struct connection *c) {
    if (c->streaming) stats.streams_aborted++;
    heap_remove(c);
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c->decoded);
    free(c);
}
static void accept_all(int listener) {
    for (int i = 0; i < 256; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *c = checked(calloc(1, sizeof *c));
        c->fd = fd;
        c->heap_index = -1;
        struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"key", 1, 0, 'k'}, {"token", 1, 0, 't'}, {0}};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'k') snprintf(expected_authorization, sizeof expected_authorization, "Bearer %s", optarg);
        else if (o == 't') token = optarg;
        else return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (void *)&address, length) || listen(listener, 4096)) die("listen");
    if (getsockname(listener, (void *)&address, &length)) die("getsockname");
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    struct epoll_event events[512];
    for (;;) {
        struct timespec wait = {0}, *timeout = NULL;
        if (heap_count) {
            int64_t left = heap[0]->due - now_ns();
            if (left > 0) wait = (struct timespec){left / 1000000000, left % 1000000000};
            timeout = &wait;
        }
        int n = epoll_pwait2(epoll_fd, events, 512, timeout, NULL);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) {
                accept_all(listener);
                continue;
            }
            bool alive = !(events[i].events & EPOLLOUT) || flush(c);
            if (alive && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))) alive = readable(c);
            if (!alive) discard(c);
        }
        for (int64_t now = now_ns(); heap_count && heap[0]->due <= now;) {
            struct connection *c = heap[0];
            heap_remove(c);
            bool alive = step(c);
            if (alive && c->streaming) heap_push(c);
            else if (!alive || !consume(c)) discard(c);
        }
    }
}
