/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */
#ifndef MENSHEN_CSQLITE_SHIM_H
#define MENSHEN_CSQLITE_SHIM_H
#include <sqlite3.h>
#endif
