// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

// What the load client, the stand-in provider and the activation timer must agree on.
#pragma once

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/// The one plain answer the provider gives: 621 bytes, compared byte for byte by the client.
static const char completion[] =
    "{\"id\":\"chatcmpl-bench0123456789abcde\",\"object\":\"chat.completion\",\"created\":1700000000,"
    "\"model\":\"gpt-bench\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\""
    "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. "
    "How vexingly quick daft zebras jump! Sphinx of black quartz, judge my vow. "
    "The five boxing wizards jump quickly.\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":211,\"completion_tokens\":57,\"total_tokens\":268,"
    "\"prompt_tokens_details\":{\"cached_tokens\":0}},\"system_fingerprint\":\"fp_bench00001\"}";
static const size_t completion_length = sizeof completion - 1;

static inline int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static inline void *checked(void *memory) {
    if (!memory) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    return memory;
}

_Noreturn static inline void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

/// One chat-completions request of about `body_bytes`, whose body begins with `start`. The 20 digits at `counter_at`
/// are for the client to fill, so that no two prompts are the same and no cache can answer.
static inline char *build_request(
    const char *start, size_t body_bytes, const char *token, size_t *length, size_t *counter_at) {
    static const char words[] = "Lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor. ";
    static const char tail[] = "\"}]}";
    char *body = checked(malloc(body_bytes + 1024)), *request = checked(malloc(body_bytes + 2048));
    size_t n = sprintf(body, "%.400s\"messages\":[{\"role\":\"user\",\"content\":\"", start), number = n;
    n += sprintf(body + n, "%020d ", 0);
    for (size_t i = 0; n + sizeof tail - 1 < body_bytes; i++) body[n++] = words[i % (sizeof words - 1)];
    n += sprintf(body + n, "%s", tail);
    size_t head = sprintf(
        request,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nUser-Agent: OpenAI/Python 1.60.0\r\n"
        "Accept: application/json\r\nContent-Type: application/json\r\nAuthorization: Bearer %.200s\r\n"
        "X-Stainless-Lang: python\r\nContent-Length: %zu\r\n\r\n",
        token, n);
    memcpy(request + head, body, n);
    free(body);
    *length = head + n;
    *counter_at = head + number;
    return request;
}

/// Understands unix:PATH and tcp:127.0.0.1:PORT, nothing that leaves this machine; 0 for anything else.
static inline socklen_t parse_target(const char *text, struct sockaddr_storage *address) {
    struct sockaddr_un *local = (void *)address;
    struct sockaddr_in *inet = (void *)address;
    int port;
    if (!strncmp(text, "unix:", 5) && strlen(text + 5) < sizeof local->sun_path) {
        local->sun_family = AF_UNIX;
        strcpy(local->sun_path, text + 5);
        return sizeof *local;
    }
    if (sscanf(text, "tcp:127.0.0.1:%d", &port) != 1) return 0;
    inet->sin_family = AF_INET;
    inet->sin_port = htons(port);
    inet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof *inet;
}
