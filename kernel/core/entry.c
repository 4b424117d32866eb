// SPDX-License-Identifier: GPL-2.0-only
/*
 * An entry: one old function that is replaced, and how its callers are led away.
 *
 * While a transition is under way a handler decides for each call. It is reached by ftrace or, where the function has
 * no place for ftrace, by a breakpoint (a kprobe). When all tasks have gone over nobody is in the old function any
 * more and nobody comes to it, so its bytes are free: a jump to the new function takes the handler's place, behind
 * ftrace's five bytes, or over the breakpoint.
 *
 *	awake					at rest
 *	call ftrace's trampoline -> handler	nop
 *	old code				jmp new
 *	breakpoint -> handler			jmp new
 *
 * Going to rest: (1) the transition is complete; (2) the jump is written, and nobody comes to it, as the handler stands
 * before it; (3) the handler is taken away. Waking: (1) the handler is there again; (2) who had passed its place before
 * is waited for; (3) the jump is erased. So each call is led away at every moment.
 */
#include "core.h"
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/rcupdate.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define inarch_go_on_at(fregs, ip) ftrace_instruction_pointer_set(fregs, ip)
#else
#define inarch_go_on_at(fregs, ip) ftrace_regs_set_instruction_pointer(fregs, ip)
#endif

enum inarch_rest {
	INARCH_AWAKE,
	INARCH_RESTS,
	/* The handler is there again, and so is the jump. */
	INARCH_WAKES,
	/* It can't rest: the bytes are not free. It stays awake, which is right, and slower. */
	INARCH_SLEEPLESS,
};

struct inarch_entry {
	unsigned long old;
	/* Where the function ends; a jump may not reach beyond it. */
	unsigned long end;
	/* ftrace's place in it; 0: there is none, and a breakpoint is used. */
	unsigned long ftrace;
	struct ftrace_ops ops;
	struct kprobe probe;
	enum inarch_rest rest;
	struct inarch_jump jump;
	/* Newest first; the handler reads it. */
	struct list_head funcs;
	struct list_head node;
};

static LIST_HEAD(inarch_entries);

/* What a caller gets who comes now. NULL: the old function. */
static __always_inline void *inarch_entry_choose(struct inarch_entry *entry)
{
	struct inarch_func *func = list_first_or_null_rcu(&entry->funcs, struct inarch_func, stack_node);

	/* The handler is taken away and waited for before the last function is. */
	if (!func)
		return NULL;
	/*
	 * Pairs with smp_wmb() in inarch_transition_init(): who finds the function here knows that a transition is under
	 * way.
	 */
	smp_rmb();
	/* Pairs with smp_store_release() in inarch_set_transition(): the views are there. */
	if (smp_load_acquire(&func->transition)) {
		bool new;

		switch (func->model) {
		case INARCH_KGRAFT:
			new = inarch_kgraft_is_new();
			break;
		case INARCH_KPATCH:
			new = inarch_kpatch_is_new();
			break;
		default:
			new = inarch_hybrid_is_new();
		}
		if (!new) {
			func = list_entry_rcu(func->stack_node.next, struct inarch_func, stack_node);
			if (&func->stack_node == &entry->funcs)
				return NULL;
		}
	}
	return func->new_code;
}

static void notrace inarch_ftrace_handler(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
					  struct ftrace_regs *fregs)
{
	struct inarch_entry *entry = container_of(ops, struct inarch_entry, ops);
	void *chosen;
	int bit;

	/* Preemption is off from here on, which inarch_synchronize() waits for. */
	bit = ftrace_test_recursion_trylock(ip, parent_ip);
	if (WARN_ON_ONCE(bit < 0))
		return;
	chosen = inarch_entry_choose(entry);
	if (chosen)
		inarch_go_on_at(fregs, (unsigned long)chosen);
	ftrace_test_recursion_unlock(bit);
}

static int inarch_probe_handler(struct kprobe *probe, struct pt_regs *regs)
{
	struct inarch_entry *entry = container_of(probe, struct inarch_entry, probe);
	void *chosen = inarch_entry_choose(entry);

	if (!chosen)
		return 0;
	instruction_pointer_set(regs, (unsigned long)chosen);
	/* There is no instruction to step over. */
	return 1;
}
NOKPROBE_SYMBOL(inarch_probe_handler);

/* With it kprobes writes no jump of its own over the function, which would not ask the handler's ip. */
static void inarch_probe_stays(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}
NOKPROBE_SYMBOL(inarch_probe_stays);

static void inarch_do_nothing(struct work_struct *work)
{
}

void inarch_synchronize(void)
{
	/*
	 * Each processor runs a thread of its own: whoever was in a handler, or in an interrupt, is through, also where
	 * RCU does not watch.
	 */
	while (schedule_on_each_cpu(inarch_do_nothing))
		schedule_timeout_uninterruptible(1);
}

static struct inarch_entry *inarch_entry_find(unsigned long old)
{
	struct inarch_entry *entry;

	list_for_each_entry(entry, &inarch_entries, node)
		if (entry->old == old)
			return entry;
	return NULL;
}

static int inarch_handler_on(struct inarch_entry *entry)
{
	int err;

	if (!entry->ftrace)
		return enable_kprobe(&entry->probe);
	err = ftrace_set_filter_ip(&entry->ops, entry->ftrace, 0, 0);
	if (err)
		return err;
	err = register_ftrace_function(&entry->ops);
	if (err)
		ftrace_set_filter_ip(&entry->ops, entry->ftrace, 1, 0);
	return err;
}

static void inarch_handler_off(struct inarch_entry *entry)
{
	if (!entry->ftrace) {
		WARN_ON(disable_kprobe(&entry->probe));
		return;
	}
	WARN_ON(unregister_ftrace_function(&entry->ops));
	WARN_ON(ftrace_set_filter_ip(&entry->ops, entry->ftrace, 1, 0));
}

/* What the caller is told, beside the error, when somebody else holds the function. */
static void inarch_entry_refused(const struct inarch_func *func, int err)
{
	if (err == -EBUSY)
		pr_err("%s is held by somebody else: a live patch of the kernel's own, a probe with a post handler, or fmod_ret\n",
		       func->name);
	else
		pr_err("%s can't be led away (%d)\n", func->name, err);
}

static struct inarch_entry *inarch_entry_make(struct inarch_func *func)
{
	struct inarch_entry *entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	int err;

	if (!entry)
		return ERR_PTR(-ENOMEM);
	entry->old = func->old;
	entry->end = func->old + func->old_size;
	entry->ftrace = ftrace_location(func->old);
	INIT_LIST_HEAD(&entry->funcs);
	list_add_rcu(&func->stack_node, &entry->funcs);
	if (entry->ftrace) {
		entry->ops.func = inarch_ftrace_handler;
		entry->ops.flags = FTRACE_OPS_FL_DYNAMIC | FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT;
#ifndef CONFIG_HAVE_DYNAMIC_FTRACE_WITH_ARGS
		entry->ops.flags |= FTRACE_OPS_FL_SAVE_REGS;
#endif
		err = inarch_handler_on(entry);
	} else if (!inarch_model_ops(func->model)->without_ftrace) {
		pr_err("%s has no place for ftrace, which the model %s needs\n", func->name,
		       inarch_model_ops(func->model)->name);
		err = -EOPNOTSUPP;
		goto free;
	} else {
		entry->probe.addr = (kprobe_opcode_t *)func->old;
		entry->probe.pre_handler = inarch_probe_handler;
		entry->probe.post_handler = inarch_probe_stays;
		err = register_kprobe(&entry->probe);
	}
	if (!err) {
		list_add(&entry->node, &inarch_entries);
		return entry;
	}
	inarch_entry_refused(func, err);
free:
	list_del_rcu(&func->stack_node);
	kfree(entry);
	return ERR_PTR(err);
}

/* To rest: the handler's place is taken by the jump. */
static void inarch_entry_lay_down(struct inarch_entry *entry)
{
	struct inarch_func *func = list_first_entry(&entry->funcs, struct inarch_func, stack_node);
	int err;

	/* The old code itself is wanted: there is nothing to jump to. */
	if (!func->new_code) {
		entry->rest = INARCH_SLEEPLESS;
		return;
	}
	if (entry->ftrace)
		err = inarch_jump_write(&entry->jump, entry->ftrace + MCOUNT_INSN_SIZE, entry->end, func->new_code);
	else
		err = inarch_jump_write_tail(&entry->jump, entry->old, entry->end, func->new_code);
	if (err) {
		entry->rest = INARCH_SLEEPLESS;
		return;
	}
	if (!entry->ftrace) {
		/* kprobes writes it in place of its breakpoint. */
		entry->jump.old[0] = entry->probe.opcode;
		entry->probe.opcode = entry->jump.jump[0];
	}
	inarch_handler_off(entry);
	entry->rest = INARCH_RESTS;
}

/* Calls each entry that one of the patch's functions stands on, or will. */
static int inarch_each_entry_of(struct inarch_patch *patch, int (*act)(struct inarch_entry *entry))
{
	struct inarch_object *object;
	struct inarch_func *func;
	int err;

	inarch_for_each_object(patch, object)
		if (inarch_is_loaded(object))
			inarch_for_each_func(object, func) {
				struct inarch_entry *entry = inarch_entry_find(func->old);

				err = entry ? act(entry) : 0;
				if (err)
					return err;
			}
	return 0;
}

static int inarch_entry_begin_to_wake(struct inarch_entry *entry)
{
	int err;

	if (entry->rest == INARCH_SLEEPLESS)
		entry->rest = INARCH_AWAKE;
	if (entry->rest != INARCH_RESTS)
		return 0;
	err = inarch_handler_on(entry);
	if (err) {
		inarch_entry_refused(list_first_entry(&entry->funcs, struct inarch_func, stack_node), err);
		return err;
	}
	entry->rest = INARCH_WAKES;
	return 0;
}

static int inarch_entry_end_to_wake(struct inarch_entry *entry)
{
	if (entry->rest != INARCH_WAKES)
		return 0;
	if (!entry->ftrace) {
		inarch_jump_erase_tail(&entry->jump);
		entry->probe.opcode = entry->jump.old[0];
	} else if (inarch_jump_erase(&entry->jump)) {
		pr_err("%pS is no longer the jump that was written there: a probe has to go first\n",
		       (void *)entry->jump.site);
		return -EBUSY;
	}
	entry->rest = INARCH_AWAKE;
	return 0;
}

static int inarch_entry_back_to_rest(struct inarch_entry *entry)
{
	if (entry->rest == INARCH_WAKES) {
		inarch_handler_off(entry);
		entry->rest = INARCH_RESTS;
	}
	return 0;
}

int inarch_entries_wake(struct inarch_patch *patch)
{
	struct inarch_entry *entry;
	bool any = false;
	int err = inarch_each_entry_of(patch, inarch_entry_begin_to_wake);

	list_for_each_entry(entry, &inarch_entries, node)
		any = any || entry->rest == INARCH_WAKES;
	if (any && !err) {
		/* Between ftrace's place and the jump there may be some who came before: preempted, or interrupts. */
		inarch_synchronize();
		synchronize_rcu_tasks();
		err = inarch_each_entry_of(patch, inarch_entry_end_to_wake);
	}
	if (err)
		inarch_each_entry_of(patch, inarch_entry_back_to_rest);
	return err;
}

int inarch_entry_push(struct inarch_func *func)
{
	struct inarch_entry *entry = inarch_entry_find(func->old);

	if (!entry) {
		entry = inarch_entry_make(func);
		if (IS_ERR(entry))
			return PTR_ERR(entry);
	} else if (!entry->ftrace && !inarch_model_ops(func->model)->without_ftrace) {
		pr_err("%s has no place for ftrace, which the model %s needs\n", func->name,
		       inarch_model_ops(func->model)->name);
		return -EOPNOTSUPP;
	} else {
		/* Awake, by inarch_entries_wake(). */
		list_add_rcu(&func->stack_node, &entry->funcs);
	}
	func->entry = entry;
	return 0;
}

void inarch_entry_pop(struct inarch_func *func)
{
	struct inarch_entry *entry = func->entry;

	if (!entry)
		return;
	func->entry = NULL;
	if (!list_is_singular(&entry->funcs)) {
		list_del_rcu(&func->stack_node);
		return;
	}
	/* A module's code that goes away may keep its jump. Both of these wait until nobody is in the handler. */
	if (!entry->ftrace)
		unregister_kprobe(&entry->probe);
	else if (entry->rest != INARCH_RESTS)
		inarch_handler_off(entry);
	list_del_rcu(&func->stack_node);
	list_del(&entry->node);
	kfree(entry);
}

void inarch_entry_before(struct inarch_func *func, struct inarch_range *range)
{
	struct inarch_entry *entry = func->entry;
	struct inarch_func *before;

	if (entry && !list_is_last(&func->stack_node, &entry->funcs)) {
		before = list_next_entry(func, stack_node);
		if (before->new_code) {
			range->start = (unsigned long)before->new_code;
			range->end = range->start + before->new_size;
			return;
		}
	}
	range->start = func->old;
	range->end = func->old + func->old_size;
}

const char *inarch_entry_way(const struct inarch_func *func)
{
	const struct inarch_entry *entry = func->entry;

	if (!entry)
		return "none";
	if (entry->rest == INARCH_RESTS)
		return "jump";
	return entry->ftrace ? "ftrace" : "probe";
}

/* One at a time: each takes a while, and others want the mutex. */
static bool inarch_one_rests(void)
{
	struct inarch_entry *entry;
	bool found = false;

	mutex_lock(&inarch_mutex);
	/* After force somebody may be in old code for ever. */
	if (!inarch_transition.patch && !inarch_forced)
		list_for_each_entry(entry, &inarch_entries, node)
			if (entry->rest == INARCH_AWAKE) {
				inarch_entry_lay_down(entry);
				found = true;
				break;
			}
	mutex_unlock(&inarch_mutex);
	return found;
}

static void inarch_rest_work(struct work_struct *work)
{
	while (inarch_one_rests())
		cond_resched();
}
static DECLARE_DELAYED_WORK(inarch_rest_later, inarch_rest_work);

void inarch_entries_rest(void)
{
	schedule_delayed_work(&inarch_rest_later, 1);
}

void inarch_entries_exit(void)
{
	cancel_delayed_work_sync(&inarch_rest_later);
}
