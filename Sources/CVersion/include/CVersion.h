/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */

/* What the build knows of itself. */
#ifndef MENSHEN_CVERSION_H
#define MENSHEN_CVERSION_H

/* The commit, or "unknown". */
const char *cversion_commit(void);

#endif
