// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

// A load client for chat-completion proxies: one thread, epoll, HTTP/1.1, prints one JSON object.
//
//   loadgen --target tcp:127.0.0.1:PORT | unix:PATH --token TOKEN MODE [--timeout SECONDS]
//
// MODE, a closed loop: keep-alive, one request in flight per connection, every prompt unique
//   --callers N  --seconds S | --requests N  [--body-bytes 1024]
// MODE, streams: a new connection each, opened evenly over the ramp
//   --streams N  --ramp-ms R  --chunks N  --interval-ms M
//
// Every answer is checked: status 200, the very bytes of http.h, or a stream with all its chunks, [DONE] and a
// properly framed end. What is wrong is counted by kind in "errors" and never enters a latency.
#define _GNU_SOURCE
#include "samples.h"

#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum state { WAITING, CONNECTING, SENDING, HEAD, BODY, FINISHED };
enum framing { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };
enum result { MORE, COMPLETE, MALFORMED };

struct caller {
    int fd;
    enum state state;
    char *request;
    size_t request_length, sent, counter_at;
    char head[16384];
    size_t head_length;
    int status;
    bool chunked, closing, wrong;
    /// Bytes left of the body, or of the chunk; -1: the head gave no length.
    long long left;
    enum framing framing;
    char size_line[32];
    size_t size_length, body_length;
    char line[4096];
    size_t line_length;
    int chunks;
    bool done_mark;
    int64_t start_at, started;
};

static struct sockaddr_storage target;
static socklen_t target_length;
static const char *token = "";
static int callers = 1, streams, ramp_ms, chunks_expected = 30, interval_ms = 100;
static double seconds, timeout_seconds = 60;
static long long requests;
static size_t body_bytes = 1024;

static struct caller *all;
/// Callers before this one are not waiting to be started.
static int first_waiting;
static int epoll_fd, finished;
static bool stopping;
static long long issued, counter, ok, chunks_seen, reconnects;
static struct samples latency, first_chunk, lag;
static struct {
    long long connect, status, malformed, cut_short, content, timeout;
} errors;
static int last_bad_status;

// MARK: requests

static void watch(struct caller *c, bool output, int operation) {
    struct epoll_event e = {.events = EPOLLIN | (output ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll_fd, operation, c->fd, &e);
}
static void hang_up(struct caller *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}
static void finish(struct caller *c) {
    hang_up(c);
    c->state = FINISHED;
    finished++;
}
static bool send_request(struct caller *c) {
    while (c->sent < c->request_length) {
        ssize_t n = send(c->fd, c->request + c->sent, c->request_length - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            if (c->state != SENDING) watch(c, true, EPOLL_CTL_MOD);
            c->state = SENDING;
            return true;
        }
        if (n < 0) return false;
        c->sent += n;
    }
    if (c->state == SENDING) watch(c, false, EPOLL_CTL_MOD);
    c->state = HEAD;
    return true;
}
static void prepare(struct caller *c) {
    char number[24];
    snprintf(number, sizeof number, "%020lld", counter + issued++);
    memcpy(c->request + c->counter_at, number, 20);
    c->sent = c->head_length = c->body_length = c->line_length = 0;
    c->chunks = c->status = 0;
    c->done_mark = c->wrong = c->closing = false;
}
/// true: connecting or connected; false: try again later (a Unix socket with a full backlog), or given up.
static bool open_connection(struct caller *c) {
    int one = 1;
    c->fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    if (target.ss_family == AF_INET) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (void *)&target, target_length) == 0 || errno == EINPROGRESS) {
        watch(c, true, EPOLL_CTL_ADD);
        c->state = CONNECTING;
        return true;
    }
    bool busy = errno == EAGAIN;
    hang_up(c);
    if (busy) {
        c->start_at = now_ns() + 1000000;
        c->state = WAITING;
        if (c - all < first_waiting) first_waiting = c - all;
    } else {
        errors.connect++;
        finish(c);
    }
    return false;
}
static void start(struct caller *c) {
    if (!c->started) c->started = now_ns();
    if (open_connection(c)) prepare(c);
}

// MARK: answers

static void event_line(struct caller *c, int64_t now) {
    c->line[c->line_length] = 0;
    if (strncmp(c->line, "data:", 5)) return;
    const char *written = strstr(c->line, " t=");
    if (written) {
        add(&lag, now - atoll(written + 3));
        if (!c->chunks++) add(&first_chunk, now - c->started);
        chunks_seen++;
    } else if (strstr(c->line, "[DONE]")) c->done_mark = true;
}
static void body(struct caller *c, const char *bytes, size_t count, int64_t now) {
    if (!streams) {
        c->wrong = c->wrong || c->body_length + count > completion_length
            || memcmp(completion + c->body_length, bytes, count);
        c->body_length += count;
        return;
    }
    while (count) {
        const char *end = memchr(bytes, '\n', count);
        size_t part = end ? (size_t)(end - bytes) : count;
        if (c->line_length + part < sizeof c->line - 1) {
            memcpy(c->line + c->line_length, bytes, part);
            c->line_length += part;
        } else c->wrong = true;
        if (!end) return;
        event_line(c, now);
        c->line_length = 0;
        bytes = end + 1;
        count -= part + 1;
    }
}
/// Takes one whole head off the front of `c->head`; returns its length, 0 while it is incomplete, -1 for nonsense.
static long long parse_head(struct caller *c) {
    c->head[c->head_length] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) return c->head_length + 1 < sizeof c->head ? 0 : -1;
    if (sscanf(c->head, "HTTP/1.%*d %d", &c->status) != 1) return -1;
    c->left = -1;
    c->chunked = false;
    c->framing = CHUNK_SIZE;
    c->size_length = 0;
    for (char *line = strstr(c->head, "\r\n"); line && line < end; line = strstr(line, "\r\n")) {
        line += 2;
        if (!strncasecmp(line, "content-length:", 15)) c->left = atoll(line + 15);
        else if (!strncasecmp(line, "transfer-encoding:", 18)) c->chunked = true;
        else if (!strncasecmp(line, "connection: close", 17)) c->closing = true;
    }
    return end + 4 - c->head;
}
static enum result feed_chunked(struct caller *c, const char *bytes, size_t count, int64_t now) {
    while (count) {
        if (c->framing == CHUNK_DATA) {
            size_t part = (long long)count > c->left ? (size_t)c->left : count;
            body(c, bytes, part, now);
            bytes += part;
            count -= part;
            if (!(c->left -= part)) c->framing = CHUNK_END;
            continue;
        }
        char byte = *bytes++;
        count--;
        if (c->framing == CHUNK_SIZE && byte == '\n') {
            c->size_line[c->size_length] = 0;
            c->left = strtoll(c->size_line, NULL, 16);
            c->framing = c->left > 0 ? CHUNK_DATA : TRAILER;
            c->size_length = 0;
        } else if (c->framing == CHUNK_SIZE) {
            if (c->size_length + 1 >= sizeof c->size_line) return MALFORMED;
            c->size_line[c->size_length++] = byte;
        } else if (c->framing == CHUNK_END && byte == '\n') c->framing = CHUNK_SIZE;
        else if (c->framing == TRAILER && byte == '\n') {
            if (!c->size_length) return count ? MALFORMED : COMPLETE;
            c->size_length = 0;
        } else if (c->framing == TRAILER && byte != '\r') c->size_length = 1;
    }
    return MORE;
}
static enum result feed(struct caller *c, const char *bytes, size_t count, int64_t now) {
    while (c->state == HEAD) {
        size_t had = c->head_length, part = sizeof c->head - 1 - had;
        if (part > count) part = count;
        memcpy(c->head + had, bytes, part);
        c->head_length += part;
        long long length = parse_head(c);
        if (length <= 0) return length < 0 ? MALFORMED : MORE;
        bytes += length - had;
        count -= length - had;
        c->head_length = 0;
        if (c->status >= 200) c->state = BODY; // else an interim head, such as 100 Continue
        else if (!count) return MORE;
    }
    if (c->chunked) return feed_chunked(c, bytes, count, now);
    if (c->left < 0) {
        body(c, bytes, count, now);
        return MORE;
    }
    if ((long long)count > c->left) return MALFORMED;
    body(c, bytes, count, now);
    return (c->left -= count) ? MORE : COMPLETE;
}

// MARK: the loop

static void next(struct caller *c) {
    bool enough = requests && issued >= requests;
    long long bad = errors.connect + errors.status + errors.malformed + errors.cut_short + errors.content;
    if (streams || stopping || enough || bad > 10000) {
        finish(c);
        return;
    }
    c->started = now_ns();
    if (c->fd < 0 || c->closing) {
        hang_up(c);
        reconnects++;
        start(c);
        return;
    }
    prepare(c);
    if (!send_request(c)) {
        errors.connect++;
        hang_up(c);
        next(c);
    }
}
static void complete(struct caller *c, int64_t now) {
    bool whole = streams ? c->chunks == chunks_expected && c->done_mark : c->body_length == completion_length;
    if (c->status != 200) {
        errors.status++;
        last_bad_status = c->status;
    } else if (c->wrong || !whole) errors.content++;
    else {
        ok++;
        add(&latency, now - c->started);
    }
    next(c);
}
static void fail(struct caller *c, long long *kind) {
    ++*kind;
    hang_up(c);
    next(c);
}
static void readable(struct caller *c) {
    static char buffer[262144];
    for (;;) {
        ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        // A body that only the end of the connection ends can't be told from a broken one: that is wrong too.
        if (n <= 0) return fail(c, c->state == BODY ? &errors.cut_short : &errors.connect);
        int64_t now = now_ns();
        if (c->state == SENDING) { // an answer before the whole request was taken: a refusal
            c->state = HEAD;
            c->closing = true;
        }
        enum result result = feed(c, buffer, n, now);
        if (result == MALFORMED) return fail(c, &errors.malformed);
        if (result == COMPLETE) return complete(c, now);
        if ((size_t)n < sizeof buffer) return;
    }
}
static void handle(struct caller *c, uint32_t events) {
    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        c->state = SENDING;
        if (error || !send_request(c)) fail(c, &errors.connect);
        return;
    }
    if (c->state == SENDING && (events & EPOLLOUT) && !send_request(c)) return fail(c, &errors.connect);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
}
static void run(int count) {
    int64_t begin = now_ns(), end = begin + (int64_t)(seconds * 1e9), limit = begin + (int64_t)(timeout_seconds * 1e9);
    for (int i = 0; i < count; i++) all[i].start_at = begin + (streams ? ramp_ms * INT64_C(1000000) * i / count : 0);
    struct epoll_event events[512];
    while (finished < count) {
        int64_t now = now_ns(), wake = limit;
        if (now >= limit) {
            errors.timeout += count - finished;
            return;
        }
        if (seconds > 0 && now >= end) stopping = true;
        else if (seconds > 0) wake = end;
        for (int i = first_waiting; i < count; i++) {
            if (all[i].state == WAITING && all[i].start_at <= now) start(&all[i]);
            if (all[i].state == WAITING) {
                if (all[i].start_at < wake) wake = all[i].start_at;
                break;
            }
            first_waiting = i + 1;
        }
        int64_t wait = wake - now_ns();
        if (wait < 0) wait = 0;
        int n = epoll_pwait2(epoll_fd, events, 512, &(struct timespec){wait / 1000000000, wait % 1000000000}, NULL);
        for (int i = 0; i < n; i++) handle(events[i].data.ptr, events[i].events);
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"target", 1, 0, 'T'}, {"token", 1, 0, 't'}, {"callers", 1, 0, 'c'}, {"seconds", 1, 0, 's'},
        {"requests", 1, 0, 'n'}, {"body-bytes", 1, 0, 'b'}, {"streams", 1, 0, 'S'}, {"ramp-ms", 1, 0, 'r'},
        {"chunks", 1, 0, 'k'}, {"interval-ms", 1, 0, 'i'}, {"timeout", 1, 0, 'x'}, {0}};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (o) {
        case 'T': target_length = parse_target(optarg, &target); break;
        case 't': token = optarg; break;
        case 'c': callers = atoi(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'n': requests = atoll(optarg); break;
        case 'b': body_bytes = strtoull(optarg, NULL, 10); break;
        case 'S': streams = atoi(optarg); break;
        case 'r': ramp_ms = atoi(optarg); break;
        case 'k': chunks_expected = atoi(optarg); break;
        case 'i': interval_ms = atoi(optarg); break;
        case 'x': timeout_seconds = atof(optarg); break;
        default: return 2;
        }
    int count = streams ? streams : callers;
    if (!target_length || count < 1 || (!streams && !requests && seconds <= 0)) {
        fprintf(stderr, "loadgen: a target on 127.0.0.1 or a Unix socket, and a mode with an end, are needed\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    alarm((unsigned)timeout_seconds + 10); // whatever happens, the load ends
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    counter = wall.tv_sec * 1000000000LL + wall.tv_nsec; // prompts differ between runs too
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    char start[200];
    if (streams)
        snprintf(
            start, sizeof start,
            "{\"model\":\"stream-%dx%dms\",\"stream\":true,\"stream_options\":{\"include_usage\":true},",
            chunks_expected, interval_ms);
    else snprintf(start, sizeof start, "{\"model\":\"gpt-bench\",\"temperature\":0.7,");
    all = checked(calloc(count, sizeof *all));
    for (int i = 0; i < count; i++) {
        all[i].fd = -1;
        all[i].request = build_request(start, body_bytes, token, &all[i].request_length, &all[i].counter_at);
    }
    int64_t begin = now_ns();
    run(count);
    double elapsed = (now_ns() - begin) / 1e9;
    printf("{\"elapsed_s\":%.4f,\"issued\":%lld,\"ok\":%lld,\"rps\":%.1f,", elapsed, issued, ok, ok / elapsed);
    print_samples("latency_us", &latency);
    if (streams) {
        print_samples("first_us", &first_chunk);
        print_samples("lag_us", &lag);
        printf("\"chunks\":%lld,", chunks_seen);
    }
    printf(
        "\"errors\":{\"connect\":%lld,\"status\":%lld,\"malformed\":%lld,\"cut_short\":%lld,\"content\":%lld,"
        "\"timeout\":%lld},\"last_bad_status\":%d,\"reconnects\":%lld}\n",
        errors.connect, errors.status, errors.malformed, errors.cut_short, errors.content, errors.timeout,
        last_bad_status, reconnects);
    return 0;
}
