/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */
#ifndef MENSHEN_CNGHTTP2_SHIM_H
#define MENSHEN_CNGHTTP2_SHIM_H
#include <nghttp2/nghttp2.h>
#endif
