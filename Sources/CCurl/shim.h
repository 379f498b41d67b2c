/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */
#ifndef MENSHEN_CCURL_SHIM_H
#define MENSHEN_CCURL_SHIM_H
#include <curl/curl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* curl_easy_setopt and its kin are variadic, which Swift cannot call: one inline wrapper per argument type. */
static inline CURLcode ccurl_set_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_off(CURL *h, CURLoption o, curl_off_t v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_pointer(CURL *h, CURLoption o, const void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_string(CURL *h, CURLoption o, const char *v) { return curl_easy_setopt(h, o, v); }

typedef size_t (*ccurl_data_callback)(char *, size_t, size_t, void *);
static inline CURLcode ccurl_set_data_callback(CURL *h, CURLoption o, ccurl_data_callback v) { return curl_easy_setopt(h, o, v); }
typedef int (*ccurl_sockopt_callback)(void *, curl_socket_t, curlsocktype);
static inline CURLcode ccurl_set_sockopt_callback(CURL *h, ccurl_sockopt_callback v) { return curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, v); }
typedef int (*ccurl_close_callback)(void *, curl_socket_t);
static inline CURLcode ccurl_set_close_callback(CURL *h, ccurl_close_callback v) { return curl_easy_setopt(h, CURLOPT_CLOSESOCKETFUNCTION, v); }

/* For each transfer libcurl makes a block of CURLOPT_BUFFERSIZE and 1, into which it only reads answers. No other of its
   blocks has this size: buffers that grow are powers of two. */
static inline long ccurl_read_buffer(void) { return 16000; }
static inline size_t ccurl_read_block(void) { return ((size_t)ccurl_read_buffer() + 1 + 8 + 15) / 16 * 16 - 8; }

/* libcurl makes each request's head, with the key in it, in memory that it frees as it is: wiped first, here. The block
   above never holds the key, and to overwrite it would push a request's working set out of the first-level cache. */
static inline void ccurl_wipe_and_free(void *memory) {
    if (!memory) return;
    size_t size = malloc_usable_size(memory);
    if (size != ccurl_read_block()) explicit_bzero(memory, size);
    free(memory);
}
static inline void *ccurl_wipe_and_resize(void *memory, size_t size) {
    size_t room = memory ? malloc_usable_size(memory) : 0;
    if (memory && size <= room) return memory;
    /* What grows once is a head, which libcurl lets grow from 32 bytes by doubling: a few hundred at least. */
    void *larger = malloc(memory && size < 1024 ? 1024 : size);
    if (!larger) return NULL;
    if (memory) memcpy(larger, memory, room);
    ccurl_wipe_and_free(memory);
    return larger;
}
/* glibc's calloc does not look into the thread's own store of small blocks. */
static inline void *ccurl_zeroed(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    void *memory = malloc(bytes);
    /* Or the compiler makes a call of calloc of this. */
    __asm__ volatile("" : "+r"(memory));
    if (memory) memset(memory, 0, bytes);
    return memory;
}
static inline CURLcode ccurl_global_init(void) {
    return curl_global_init_mem(
        CURL_GLOBAL_DEFAULT, malloc, ccurl_wipe_and_free, ccurl_wipe_and_resize, strdup, ccurl_zeroed);
}

static inline CURLcode ccurl_get_pointer(CURL *h, CURLINFO i, void **v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode ccurl_get_long(CURL *h, CURLINFO i, long *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode ccurl_get_socket(CURL *h, CURLINFO i, curl_socket_t *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode ccurl_get_off(CURL *h, CURLINFO i, curl_off_t *v) { return curl_easy_getinfo(h, i, v); }

static inline CURLMcode ccurl_multi_set_long(CURLM *h, CURLMoption o, long v) { return curl_multi_setopt(h, o, v); }
static inline CURLMcode ccurl_multi_set_pointer(CURLM *h, CURLMoption o, void *v) { return curl_multi_setopt(h, o, v); }
typedef int (*ccurl_socket_callback)(CURL *, curl_socket_t, int, void *, void *);
static inline CURLMcode ccurl_multi_set_socket_callback(CURLM *h, ccurl_socket_callback v) { return curl_multi_setopt(h, CURLMOPT_SOCKETFUNCTION, v); }
typedef int (*ccurl_timer_callback)(CURLM *, long, void *);
static inline CURLMcode ccurl_multi_set_timer_callback(CURLM *h, ccurl_timer_callback v) { return curl_multi_setopt(h, CURLMOPT_TIMERFUNCTION, v); }

/* The result of a finished transfer sits in a union, which Swift imports without its members' names. */
static inline CURLcode ccurl_message_result(const CURLMsg *m) { return m->data.result; }

/* Macros that the importer drops. */
static inline size_t ccurl_writefunc_pause(void) { return CURL_WRITEFUNC_PAUSE; }
static inline size_t ccurl_readfunc_pause(void) { return CURL_READFUNC_PAUSE; }
static inline size_t ccurl_readfunc_abort(void) { return CURL_READFUNC_ABORT; }
static inline int ccurl_pause_continue(void) { return CURLPAUSE_CONT; }
static inline int ccurl_pause_send(void) { return CURLPAUSE_SEND; }
#endif
