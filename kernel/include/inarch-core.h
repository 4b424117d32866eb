/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live patches by the core (kernel/core/): one API, three consistency models.
 *
 * A patch is described as for the kernel's own livepatch, by its struct klp_patch with objects, functions, callbacks
 * and states; <linux/livepatch.h> tells what their fields mean. What differs is who carries it: a module that hands
 * its patch to inarch_enable_patch() instead of klp_enable_patch() chooses a model for it, and everything else
 * in the module stays as it was. The core writes to no field of these structures but klp_object.mod, which it sets
 * before it calls an object's callbacks, as the kernel does.
 *
 *	static int __init patch_init(void)
 *	{
 *		return inarch_enable_patch(&patch, INARCH_KGRAFT);
 *	}
 *
 * The patch's module is one for the kernel's livepatch, too (MODULE_INFO(livepatch, "Y")): sections with the name
 * .klp.rela.OBJECT.SECTION are applied by the kernel (vmlinux) and by the core (modules, when they are there).
 */
#ifndef INARCH_CORE_H
#define INARCH_CORE_H

#include <linux/livepatch.h>

/*
 * How tasks go over from the old code to the new one.
 *
 * INARCH_KGRAFT: each task by itself, when it crosses the border between kernel and user space; a thread of the
 *	kernel where it comes round; interrupts and the idle task with their processor. Nothing is stopped. Only
 *	functions with an entry for ftrace.
 * INARCH_KPATCH: all at one instant. The machine stands still while it is made sure that no task is in one of the
 *	functions; old and new code never run at the same time.
 * INARCH_HYBRID: each task by itself, when it crosses that border, or while it sleeps in none of the functions.
 */
enum inarch_model {
	INARCH_KGRAFT = 1,
	INARCH_KPATCH,
	INARCH_HYBRID,
};

/**
 * inarch_enable_patch() - begin to carry a patch
 * @patch:	the patch; its module must be the caller's, and still in its init
 * @model:	how tasks go over
 *
 * For INARCH_KGRAFT and INARCH_HYBRID the transition has begun when this returns, and goes on by itself; for
 * INARCH_KPATCH it is over. From then on the patch is at /sys/kernel/inarch/MODULE/. The core holds a reference to the
 * module until the patch is disabled and no task can be in its code.
 *
 * Context: process context, may sleep.
 * Return: 0, or a negative error after which nothing has changed:
 *	-EINVAL		the patch is not well formed, or a function is not there
 *	-EBUSY		a transition is under way, somebody else holds one of the functions, or (INARCH_KPATCH) a task
 *			was in one of them at every try; the log says who
 *	-EOPNOTSUPP	the model can't carry one of the functions
 *	-ENOMEM		no memory
 */
int inarch_enable_patch(struct klp_patch *patch, enum inarch_model model);

/**
 * inarch_get_prev_state() - what the patches that are there already say of a system state
 * @id:		the state's id
 *
 * To be called from a callback of the patch that is being enabled; it may look at the data of the state that it is
 * about to take over. The kernel's klp_get_prev_state() does not know the core's patches; klp_get_state(), which asks
 * a patch for its own, and the kernel's shadow variables serve both.
 *
 * Return: the struct klp_state of the newest enabled patch that has it, or NULL.
 */
struct klp_state *inarch_get_prev_state(unsigned long id);

#endif
