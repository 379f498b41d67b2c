/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */

#include "CPrices.h"

static const unsigned char table[] = {
#embed "prices.tsv"
};

const size_t cprices_size = sizeof table;

const unsigned char *cprices_address(void) { return table; }
