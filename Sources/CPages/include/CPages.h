/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */

/* The style sheet and the script of the dashboard, as they lie in assets. */
#ifndef MENSHEN_CPAGES_H
#define MENSHEN_CPAGES_H

#include <stddef.h>

const unsigned char *cpages_style(void);
const unsigned char *cpages_script(void);
extern const size_t cpages_style_size;
extern const size_t cpages_script_size;

#endif
