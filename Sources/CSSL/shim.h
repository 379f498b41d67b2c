/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */
#ifndef MENSHEN_CSSL_SHIM_H
#define MENSHEN_CSSL_SHIM_H
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* What libssl reads and writes during one call: records that came, and records that are to be sent. One for all
   connections of a thread. */
typedef struct cssl_pipe {
    const unsigned char *in;
    size_t in_left;
    unsigned char *out;
    size_t out_used;
    size_t out_room;
    /* The certificate that a handshake was refused for, owned, with OpenSSL's X509_V_ERR_... */
    X509 *refused;
    int error;
    /* The list of revoked certificates that is not in its time, owned. */
    X509_CRL *refused_list;
    /* The other side has asked for a certificate of ours. */
    int asks;
} cssl_pipe;

static inline cssl_pipe *cssl_pipe_of(const SSL *ssl) { return BIO_get_data(SSL_get_rbio(ssl)); }

/* The end of the input is never shown: libssl would answer a closed socket with an alert, and forget the session. */
static inline int cssl_pipe_read(BIO *bio, char *to, int count) {
    cssl_pipe *pipe = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (pipe->in_left == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t taken = pipe->in_left < (size_t)count ? pipe->in_left : (size_t)count;
    memcpy(to, pipe->in, taken);
    pipe->in += taken;
    pipe->in_left -= taken;
    return (int)taken;
}
static inline int cssl_pipe_write(BIO *bio, const char *from, int count) {
    cssl_pipe *pipe = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t room = pipe->out_room - pipe->out_used;
    if (room == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    size_t taken = room < (size_t)count ? room : (size_t)count;
    memcpy(pipe->out + pipe->out_used, from, taken);
    pipe->out_used += taken;
    return (int)taken;
}
static inline long cssl_pipe_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}
static inline int cssl_pipe_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}
/* Once per process; NULL without memory. */
static inline BIO_METHOD *cssl_pipe_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "menshen");
    if (method
        && !(BIO_meth_set_read(method, cssl_pipe_read) && BIO_meth_set_write(method, cssl_pipe_write)
             && BIO_meth_set_ctrl(method, cssl_pipe_control) && BIO_meth_set_create(method, cssl_pipe_create))) {
        BIO_meth_free(method);
        method = NULL;
    }
    return method;
}

/* Keeps what is wrong with which certificate, for the message. */
static inline int cssl_verified(int is_good, X509_STORE_CTX *chain) {
    if (is_good) return 1;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    cssl_pipe *pipe = cssl_pipe_of(ssl);
    pipe->error = X509_STORE_CTX_get_error(chain);
    X509 *current = X509_STORE_CTX_get_current_cert(chain);
    if (current && X509_up_ref(current)) {
        X509_free(pipe->refused);
        pipe->refused = current;
    }
    X509_CRL *list = X509_STORE_CTX_get0_current_crl(chain);
    if (list && X509_CRL_up_ref(list)) {
        X509_CRL_free(pipe->refused_list);
        pipe->refused_list = list;
    }
    return 0;
}

/* Called when the other side asks for a certificate of ours. */
static inline int cssl_asked(SSL *ssl, void *nothing) {
    (void)nothing;
    cssl_pipe_of(ssl)->asks = 1;
    return 1;
}

/* Nobody is there to ask for a passphrase; libcrypto would ask the terminal. */
static inline int cssl_no_passphrase(char *to, int room, int writes, void *was_asked) {
    (void)to, (void)room, (void)writes;
    if (was_asked) *(int *)was_asked = 1;
    return -1;
}
/* The private key in a PEM text, owned by the caller; NULL without one that can be read. */
static inline EVP_PKEY *cssl_read_key(const void *text, int count, int *is_encrypted) {
    BIO *bio = BIO_new_mem_buf(text, count);
    if (!bio) return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, cssl_no_passphrase, is_encrypted);
    BIO_free(bio);
    return key;
}

/* Macros that Swift does not see. */
static inline int cssl_set_minimum_version(SSL_CTX *context) {
    return (int)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}
static inline void cssl_set_modes(SSL_CTX *context) {
    SSL_CTX_set_mode(
        context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}
static inline void cssl_keep_tickets(SSL_CTX *context, int (*made)(SSL *, SSL_SESSION *)) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, made);
}
static inline int cssl_set_server_name(SSL *ssl, const char *name) { return (int)SSL_set_tlsext_host_name(ssl, name); }
static inline void cssl_set_owner(SSL *ssl, void *owner) { SSL_set_app_data(ssl, owner); }
static inline void *cssl_owner(const SSL *ssl) { return SSL_get_app_data(ssl); }
static inline int cssl_is_tls12(const SSL *ssl) { return SSL_version(ssl) == TLS1_2_VERSION; }

/* What a message says of a certificate: text of the other side's, so only what can be printed. */
typedef struct cssl_text {
    char bytes[256];
    size_t used;
} cssl_text;
static inline void cssl_add(cssl_text *text, const char *from, size_t count) {
    for (size_t index = 0; index < count && text->used + 1 < sizeof text->bytes; index++)
        text->bytes[text->used++] = from[index] > 0x20 && from[index] < 0x7f ? from[index] : ' ';
    text->bytes[text->used] = 0;
}
static inline void cssl_add_name(cssl_text *text, X509_NAME *name) {
    char line[256];
    const char *made = X509_NAME_oneline(name, line, sizeof line);
    if (made) cssl_add(text, made, strlen(made));
}
/* The names it is for: "a.example, *.b.example". */
static inline cssl_text cssl_names(X509 *certificate) {
    cssl_text text = {{0}, 0};
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int index = 0; index < sk_GENERAL_NAME_num(names); index++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
        char address[64];
        const char *from = NULL;
        size_t count = 0;
        if (name->type == GEN_DNS) {
            from = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
            count = (size_t)ASN1_STRING_length(name->d.dNSName);
        } else if (name->type == GEN_IPADD && ASN1_STRING_length(name->d.iPAddress) == 4) {
            const unsigned char *byte = ASN1_STRING_get0_data(name->d.iPAddress);
            count = (size_t)snprintf(address, sizeof address, "%d.%d.%d.%d", byte[0], byte[1], byte[2], byte[3]);
            from = address;
        }
        if (!from) continue;
        if (text.used) cssl_add(&text, ", ", 2);
        cssl_add(&text, from, count);
    }
    GENERAL_NAMES_free(names);
    if (!text.used) cssl_add_name(&text, X509_get_subject_name(certificate));
    return text;
}
static inline cssl_text cssl_subject(X509 *certificate) {
    cssl_text text = {{0}, 0};
    cssl_add_name(&text, X509_get_subject_name(certificate));
    return text;
}
static inline cssl_text cssl_issuer(X509 *certificate) {
    cssl_text text = {{0}, 0};
    cssl_add_name(&text, X509_get_issuer_name(certificate));
    return text;
}
/* "2026-11-28 14:00 UTC". */
static inline cssl_text cssl_time_text(const ASN1_TIME *time) {
    cssl_text text = {{0}, 0};
    struct tm at;
    char line[64];
    if (time && ASN1_TIME_to_tm(time, &at) && strftime(line, sizeof line, "%Y-%m-%d %H:%M UTC", &at))
        cssl_add(&text, line, strlen(line));
    return text;
}
static inline cssl_text cssl_time(X509 *certificate, int is_end) {
    return cssl_time_text(is_end ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate));
}
static inline cssl_text cssl_list_time(X509_CRL *list, int is_end) {
    return cssl_time_text(is_end ? X509_CRL_get0_nextUpdate(list) : X509_CRL_get0_lastUpdate(list));
}
#endif
