// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one transition that is under way. It begins with everybody seeing what was before, and ends when everybody sees
 * the other; a model (kgraft.c, kpatch.c, hybrid.c) says how.
 *
 * The order of events, when a patch is enabled (the other way it is the same, with the functions there already):
 *	1. The model gives everybody the old view.
 *	2. func->transition is set, and the functions are put on top of their entries: the handlers see them, and the old
 *	   view, and change nothing.
 *	3. The model opens: views change, each at a moment at which its owner is in none of the code.
 *	4. When no old view is left, func->transition is cleared: the handlers no longer ask for views.
 *	5. When no handler can be asking any more, the views go.
 */
#include "core.h"
#include <linux/workqueue.h>

struct inarch_transition inarch_transition;

static void inarch_transition_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(inarch_transition_later, inarch_transition_work);

/* The model has opened, and is to be closed. */
static bool inarch_is_open;

/* At first often, as most go over at once; then seldom. */
static unsigned long inarch_wait;

static void inarch_again_soon(void)
{
	schedule_delayed_work(&inarch_transition_later, inarch_wait);
	inarch_wait = min_t(unsigned long, 2 * inarch_wait, HZ);
}

static void inarch_set_transition(struct inarch_patch *patch, bool transition)
{
	struct inarch_object *object;
	struct inarch_func *func;

	inarch_for_each_object(patch, object)
		inarch_for_each_func(object, func)
			/* Pairs with smp_load_acquire() in inarch_entry_choose(): the views are there before. */
			smp_store_release(&func->transition, transition);
}

static const char *inarch_direction(void)
{
	return inarch_transition.new ? "patching" : "unpatching";
}

int inarch_transition_init(struct inarch_patch *patch, bool new)
{
	/* A function that is replaced already may be at rest, with no handler to ask. */
	int err = inarch_entries_wake(patch);

	if (err) {
		inarch_entries_rest();
		return err;
	}
	inarch_transition.ops = inarch_model_ops(patch->model);
	err = inarch_transition.ops->begin(new);
	if (err) {
		inarch_entries_rest();
		return err;
	}
	inarch_transition.patch = patch;
	inarch_transition.new = new;
	inarch_set_transition(patch, true);
	/* Pairs with smp_rmb() in inarch_entry_choose(): who finds a function on its entry finds it in transition. */
	smp_wmb();
	return 0;
}

/* Everybody sees the same, where it went or, when it was cancelled, where it began. */
static void inarch_transition_end(bool patched)
{
	struct inarch_patch *patch = inarch_transition.patch;
	const struct inarch_model_ops *ops = inarch_transition.ops;
	struct inarch_object *object;

	if (inarch_is_open && ops->close)
		ops->close();
	inarch_is_open = false;
	if (patched) {
		inarch_retire_replaced(patch);
	} else {
		/* While the functions still say that they are in transition: nobody may take them for settled. */
		inarch_for_each_object(patch, object)
			if (object->patched)
				inarch_unpatch_object(object);
	}
	inarch_set_transition(patch, false);
	/* Whoever still asks for a view has to have asked before the views go. */
	inarch_synchronize();
	ops->end();
	inarch_leaving_free();
	inarch_transition.patch = NULL;
	inarch_transition.ops = NULL;
	inarch_for_each_object(patch, object) {
		if (!inarch_is_loaded(object))
			continue;
		if (patched)
			inarch_call_post_patch(object);
		else
			inarch_call_post_unpatch(object);
	}
	inarch_entries_rest();
}

static void inarch_transition_complete(void)
{
	struct inarch_patch *patch = inarch_transition.patch;
	bool new = inarch_transition.new;

	pr_notice("'%s': %s complete\n", patch->mod->name, inarch_direction());
	inarch_transition_end(new);
	if (!new)
		inarch_retire(patch);
}

static int inarch_transition_advance(void)
{
	int err = inarch_leaving_init();

	if (!err)
		err = inarch_transition.ops->advance();
	if (!err)
		inarch_transition_complete();
	return err;
}

int inarch_transition_start(void)
{
	const struct inarch_model_ops *ops = inarch_transition.ops;
	int err;

	pr_notice("'%s': starting %s transition, model %s\n", inarch_transition.patch->mod->name, inarch_direction(),
		  ops->name);
	if (ops->open) {
		err = ops->open();
		if (err)
			return err;
	}
	inarch_is_open = true;
	inarch_wait = 1;
	err = inarch_transition_advance();
	/* Where there is a middle, it goes on by itself. */
	if (err && ops->turn) {
		inarch_again_soon();
		return 0;
	}
	return err;
}

void inarch_transition_cancel(void)
{
	pr_notice("'%s': %s cancelled\n", inarch_transition.patch->mod->name, inarch_direction());
	inarch_transition_end(!inarch_transition.new);
}

static void inarch_transition_work(struct work_struct *work)
{
	mutex_lock(&inarch_mutex);
	if (inarch_transition.patch && inarch_transition_advance())
		inarch_again_soon();
	mutex_unlock(&inarch_mutex);
}

void inarch_transition_reverse(void)
{
	pr_notice("'%s': reversing transition from %s\n", inarch_transition.patch->mod->name, inarch_direction());
	inarch_transition.new = !inarch_transition.new;
	inarch_transition.patch->enabled = inarch_transition.new;
	inarch_transition.ops->turn();
	inarch_wait = 1;
	mod_delayed_work(system_wq, &inarch_transition_later, 0);
}

void inarch_transition_force(void)
{
	pr_warn("'%s': forcing, which may leave tasks in code that is no longer used; its module stays for ever\n",
		inarch_transition.patch->mod->name);
	inarch_forced = true;
	inarch_transition.patch->forced = true;
	inarch_transition.ops->force();
	mod_delayed_work(system_wq, &inarch_transition_later, 0);
}

static void inarch_wake_one(struct task_struct *task, void *data)
{
	if (!is_idle_task(task))
		inarch_wake_up(task);
}

void inarch_transition_wake(void)
{
	pr_notice("'%s': waking the tasks that are left\n", inarch_transition.patch->mod->name);
	inarch_views_visit(inarch_wake_one, NULL);
	inarch_wait = 1;
	mod_delayed_work(system_wq, &inarch_transition_later, 1);
}

void inarch_transition_exit(void)
{
	cancel_delayed_work_sync(&inarch_transition_later);
}

const struct inarch_model_ops *inarch_model_ops(enum inarch_model model)
{
	switch (model) {
	case INARCH_KGRAFT:
		return &inarch_kgraft;
	case INARCH_KPATCH:
		return &inarch_kpatch;
	case INARCH_HYBRID:
		return &inarch_hybrid;
	}
	return NULL;
}
