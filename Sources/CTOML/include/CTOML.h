/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */

/* toml++ behind a C face: one call parses a text into a flat list of nodes, one call releases everything. */
#ifndef MENSHEN_CTOML_H
#define MENSHEN_CTOML_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CTOML_STRING = 1,
    CTOML_INTEGER,
    CTOML_FLOAT,
    CTOML_BOOLEAN,
    CTOML_DATE_TIME,
    CTOML_ARRAY,
    CTOML_TABLE
};

/* Line and column from 1; a column counts Unicode scalars, not bytes. */
struct ctoml_place {
    uint32_t line;
    uint32_t column;
};

/* Not terminated; belongs to the document. */
struct ctoml_text {
    const char *bytes;
    size_t count;
};

/* One value. The list is in pre-order: a table's or array's `children` follow it, each with its own children. */
struct ctoml_node {
    uint32_t kind;
    uint32_t children;
    struct ctoml_place place;
    struct ctoml_place key_place;
    /* Empty for the root and for an array's elements. */
    struct ctoml_text key;
    /* A string's text, or a date-time in RFC 3339 form. */
    struct ctoml_text text;
    /* An integer's value; 0 or 1 for a boolean. */
    int64_t integer;
    double number;
};

struct ctoml_error {
    struct ctoml_place place;
    /* Terminated, and cut if it is longer. */
    char message[512];
};

typedef struct ctoml_document ctoml_document;

/* NULL if the text is not TOML; `error` says why and where. The text may be released afterwards. */
ctoml_document *ctoml_parse(const char *bytes, size_t count, struct ctoml_error *error);
const struct ctoml_node *ctoml_nodes(const ctoml_document *document, size_t *count);
void ctoml_free(ctoml_document *document);

#ifdef __cplusplus
}
#endif
#endif
