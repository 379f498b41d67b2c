/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */

#include "CVersion.h"

const char *cversion_commit(void) { return MENSHEN_COMMIT; }
