/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */
#ifndef MENSHEN_CZLIB_SHIM_H
#define MENSHEN_CZLIB_SHIM_H
#include <zlib.h>
#endif
