// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

// Measured times and their quantiles.
#pragma once

#include "http.h"

/// Nanoseconds, in no order until they are printed.
struct samples {
    int64_t *values;
    size_t count, capacity;
};

static inline void add(struct samples *s, int64_t nanoseconds) {
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 65536;
        s->values = checked(realloc(s->values, s->capacity * sizeof *s->values));
    }
    s->values[s->count++] = nanoseconds > 0 ? nanoseconds : 0;
}
static inline int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}
static inline double quantile(const struct samples *s, double q) {
    return s->count ? s->values[(size_t)(q * (s->count - 1) + 0.5)] / 1000.0 : -1;
}
static inline void print_samples(const char *name, struct samples *s) {
    if (s->count) qsort(s->values, s->count, sizeof *s->values, compare);
    printf(
        "\"%s\":{\"count\":%zu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f},", name, s->count,
        quantile(s, .5), quantile(s, .9), quantile(s, .99), quantile(s, 1));
}
