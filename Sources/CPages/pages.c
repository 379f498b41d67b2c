/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */

#include "CPages.h"

static const unsigned char style[] = {
#embed "assets/menshen.css"
};

static const unsigned char script[] = {
#embed "assets/menshen.js"
};

const size_t cpages_style_size = sizeof style;
const size_t cpages_script_size = sizeof script;

const unsigned char *cpages_style(void) { return style; }
const unsigned char *cpages_script(void) { return script; }
