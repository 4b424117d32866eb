// SPDX-License-Identifier: GPL-2.0-only
/* One of two live patches that meet in a function. */
#define STACK_NAME "one"
#define STACK_OTHER "loadavg_proc_show"
#include "stack_patch.h"
