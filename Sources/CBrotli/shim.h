/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */
#ifndef MENSHEN_CBROTLI_SHIM_H
#define MENSHEN_CBROTLI_SHIM_H
#include <brotli/decode.h>
#endif
