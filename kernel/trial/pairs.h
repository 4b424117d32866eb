/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions that belong together, and what each call of them says: which one it was. */
#ifndef INARCH_PAIRS_H
#define INARCH_PAIRS_H

#include <linux/types.h>

#define PAIRS_OLD 0
#define PAIRS_NEW 1
/* Of a pair: one was old, and one new. */
#define PAIRS_MIXED 2

struct pairs {
	int (*first)(void);
	int (*second)(void);
	void (*between)(bool sleeps);
};

#endif
