/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names that patches written for kpatch use, so that they build unchanged. Each has the meaning that
 * kpatch's guide for patch authors gives it; docs/from-kpatch.md tells where Inarch goes about it in
 * another way. New patches use inarch.h.
 */
#ifndef INARCH_KPATCH_MACROS_H
#define INARCH_KPATCH_MACROS_H

#include <linux/compiler.h>
#include <linux/printk.h>
#include "inarch.h"

/* What kpatch calls the argument of a callback. */
typedef struct klp_object patch_object;

/* Callbacks of the object that the C file belongs to. Only the first returns something: 0, or an error. */
#define KPATCH_PRE_PATCH_CALLBACK(fn)		INARCH_PRE_PATCH(fn)
#define KPATCH_POST_PATCH_CALLBACK(fn)		INARCH_POST_PATCH(fn)
#define KPATCH_PRE_UNPATCH_CALLBACK(fn)		INARCH_PRE_UNPATCH(fn)
#define KPATCH_POST_UNPATCH_CALLBACK(fn)	INARCH_POST_UNPATCH(fn)

/* Changes that stay out of the live patch. */
#define KPATCH_IGNORE_SECTION(name)		INARCH_IGNORE_SECTION(name)
#define KPATCH_IGNORE_FUNCTION(fn)		INARCH_IGNORE_FUNCTION(fn)

/*
 * Asked kpatch's own core to switch a function at once, even while it ran. The kernel's livepatch has no
 * such thing: every task is switched when it is safe. Inarch says so and goes on.
 */
#define KPATCH_FORCE_UNSAFE(fn)			INARCH_NOTE("unsafe", __stringify(fn))

/*
 * printk on a path of its own. The kernel's printk is marked cold, so a call may bring the compiler to
 * move or split the code around it; it does not know here that the call is always made.
 */
#define KPATCH_PRINTK(fmt, ...)							\
({										\
	unsigned long inarch_always = 1;					\
	asm("" : "+r" (inarch_always));						\
	if (inarch_always)							\
		printk(fmt, ##__VA_ARGS__);					\
})
#define KPATCH_PRINTK_DEFERRED(fmt, ...)					\
({										\
	unsigned long inarch_always = 1;					\
	asm("" : "+r" (inarch_always));						\
	if (inarch_always)							\
		printk_deferred(fmt, ##__VA_ARGS__);				\
})

/*
 * Calls what a static call leads to now, through its key: KPATCH_STATIC_CALL(name)(arguments). For static
 * calls of a module, whose call sites a live patch can't have.
 */
#define KPATCH_STATIC_CALL(name)						\
	((typeof(&STATIC_CALL_TRAMP(name)))READ_ONCE(STATIC_CALL_KEY(name).func))

#endif
