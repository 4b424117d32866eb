/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a source patch can say to Inarch beyond its changes. A patched C file includes it behind its
 * other headers:
 *
 *	#include "inarch.h"
 *
 * The macros leave notes in sections of their own, which Inarch reads and takes out again: nothing of
 * them gets into the live patch but the functions that they name. docs/authoring.md teaches how to use
 * them; here stands what each one means.
 */
#ifndef INARCH_H
#define INARCH_H

#include <linux/livepatch.h>
#include <linux/stringify.h>

/*
 * Callbacks: functions that the kernel calls before and after it switches to the patched code, and back.
 * They are called for the kernel object that the C file belongs to: vmlinux, or its module, whenever it
 * is there while the live patch is enabled. An object has one callback of each kind at the most.
 *
 *	static int prepare(struct klp_object *obj) { ...; return 0; }
 *	INARCH_PRE_PATCH(prepare);
 *
 * INARCH_PRE_PATCH	int fn(struct klp_object *): before anything is switched. It may refuse with an error
 *			code: then the live patch is not enabled, or the module that comes is not loaded.
 * INARCH_POST_PATCH	void fn(struct klp_object *): when every task runs patched code.
 * INARCH_PRE_UNPATCH	void fn(struct klp_object *): before the live patch is taken back; undoes what the
 *			post-patch callback did.
 * INARCH_POST_UNPATCH	void fn(struct klp_object *): when no task runs patched code any more; undoes what
 *			the pre-patch callback did. Called only if that one succeeded.
 *
 * All may sleep. Linux 4.15 or later.
 */
#define INARCH_PRE_PATCH(fn)	INARCH_CALLBACK(int, pre_patch, fn)
#define INARCH_POST_PATCH(fn)	INARCH_CALLBACK(void, post_patch, fn)
#define INARCH_PRE_UNPATCH(fn)	INARCH_CALLBACK(void, pre_unpatch, fn)
#define INARCH_POST_UNPATCH(fn)	INARCH_CALLBACK(void, post_unpatch, fn)

#define INARCH_CALLBACK(type, kind, fn)						\
	static type (*const inarch_##kind##_##fn)(struct klp_object *)		\
	__attribute__((__used__, __section__(".inarch.callbacks." #kind))) = fn

/*
 * State: declares that the live patch changes something of the system that outlives it, so that a later
 * live patch can take over instead of beginning anew. `name` is for people; `id` (not 0) is what the
 * kernel knows it by; `version` grows with every incompatible change. The kernel refuses a replacing live
 * patch that does not declare a state of the one before it, or declares an older version.
 *
 *	INARCH_STATE(console_level, 1, 1);
 *
 * inarch_get_state(id)	the struct klp_state of this live patch; its `data` may be used freely.
 * klp_get_prev_state(id)	the one of the live patches that are there already, or NULL; the kernel's own
 *			function, for callbacks.
 *
 * Linux 5.4 or later.
 */
#define INARCH_STATE(name, id, version)						\
	_Static_assert((id) != 0, "the id of a state can't be 0");		\
	static const struct inarch_state inarch_state_##name			\
	__attribute__((__used__, __section__(".inarch.states"))) = { (id), (version) }

#define inarch_get_state(id)	klp_get_state(&inarch_patch, (id))

struct inarch_state {
	unsigned long id;
	unsigned int version;
};

/* This live patch, as the kernel knows it. */
extern struct klp_patch inarch_patch;

/*
 * Leaves a function, or everything in a section, as the running kernel has it, although the patch or the
 * compiler changed it. For side effects of a change that are known to be harmless. A section is what the
 * compiler puts a thing into under -ffunction-sections -fdata-sections, such as ".data.some_variable".
 */
#define INARCH_IGNORE_FUNCTION(fn)	INARCH_NOTE("ignore.functions", __stringify(fn))
#define INARCH_IGNORE_SECTION(name)	INARCH_NOTE("ignore.sections", name)

/*
 * Replaces a function, or every function in a section, although it did not change. Data in such a section
 * get a copy of their own in the live patch, with the values that the patch gives them, and every function
 * of the C file that uses them is replaced, so that all of it uses the copy.
 */
#define INARCH_INCLUDE_FUNCTION(fn)	INARCH_NOTE("include.functions", __stringify(fn))
#define INARCH_INCLUDE_SECTION(name)	INARCH_NOTE("include.sections", name)

#define INARCH_NOTE(what, text)							\
	asm(".pushsection .inarch." what ", \"\"\n"				\
	    "\t.asciz \"" text "\"\n"						\
	    "\t.popsection")

#endif
