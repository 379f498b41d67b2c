/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */
#ifndef MENSHEN_CZSTD_SHIM_H
#define MENSHEN_CZSTD_SHIM_H
#include <zstd.h>
#include <zstd_errors.h>
#endif
