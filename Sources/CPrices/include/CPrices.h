/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */

/* The table of list prices, as contrib/prices/generate has made it. */
#ifndef MENSHEN_CPRICES_H
#define MENSHEN_CPRICES_H

#include <stddef.h>

const unsigned char *cprices_address(void);
extern const size_t cprices_size;

#endif
