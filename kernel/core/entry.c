// SPDX-License-Identifier: GPL-2.0-only
/*
 * An entry: one old function that is replaced, and how its callers are led away.
 *
 * While a transition is under way a handler decides for each call. It is reached by ftrace or, where the function has
 * no place for ftrace, by a breakpoint (a kprobe). When all tasks have gone over nobody is in the old function any
 * more and nobody comes to it, so its bytes are free: a jump to the new function takes the handler's place, behind
 * ftrace's five bytes.
 *
 *	awake					at rest
 *	call ftrace's trampoline -> handler	nop
 *	old code				jmp new
 *
 * A breakpoint stays. Whoever puts a probe on the same place shares it, with the instruction that kprobes has copied
 * from there, and would step over that one into a jump's tail.
 *
 * Going to rest: (1) the transition is complete; (2) the jump is written, and nobody comes to it, as the handler stands
 * before it; (3) the handler is taken away. Waking: (1) the handler is there again; (2) who had passed its place before
 * is waited for; (3) the jump is erased. So each call is led away at every moment.
 *
 * To tell ftrace of one function costs as much as to tell it of a hundred, some million instructions and a wait for
 * all tasks. So entries that are made together are a group, of which ftrace knows as one, and they wake and rest
 * together.
 */
#include "core.h"
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/rcupdate.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/workqueue.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define inarch_go_on_at(fregs, ip) ftrace_instruction_pointer_set(fregs, ip)
#else
#define inarch_go_on_at(fregs, ip) ftrace_regs_set_instruction_pointer(fregs, ip)
#endif

enum inarch_rest {
	/* The handler is there, and no jump. */
	INARCH_AWAKE,
	/* The jump is there, and no handler. */
	INARCH_RESTS,
	/* Both are. */
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
	struct kprobe probe;
	enum inarch_rest rest;
	struct inarch_jump jump;
	/* Newest first; the handler reads it. */
	struct list_head funcs;
	struct inarch_group *group;
	/* In inarch_entries. */
	struct list_head node;
};

/* Entries that were made together. */
struct inarch_group {
	struct ftrace_ops ops;
	bool registered;
	/* Those with a place for ftrace, sorted by it; one that is gone is NULL in `all`, and stays in `places`. */
	unsigned long *places;
	struct inarch_entry **all;
	unsigned int count;
	unsigned int gone;
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

static __always_inline struct inarch_entry *inarch_entry_at(const struct inarch_group *group, unsigned long ip)
{
	unsigned int low = 0, high = group->count;

	while (high - low > 1) {
		unsigned int middle = (low + high) / 2;

		if (group->places[middle] <= ip)
			low = middle;
		else
			high = middle;
	}
	return group->places[low] == ip ? READ_ONCE(group->all[low]) : NULL;
}

static void notrace inarch_ftrace_handler(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
					  struct ftrace_regs *fregs)
{
	struct inarch_entry *entry;
	void *chosen = NULL;
	int bit;

	/* Preemption is off from here on, which inarch_synchronize() waits for. */
	bit = ftrace_test_recursion_trylock(ip, parent_ip);
	if (WARN_ON_ONCE(bit < 0))
		return;
	entry = inarch_entry_at(container_of(ops, struct inarch_group, ops), ip);
	if (entry)
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

/* What the caller is told, beside the error, when somebody else holds a function. */
static void inarch_entry_refused(const char *name, int err)
{
	if (err == -EBUSY)
		pr_err("%s, or one with it, is held by somebody else: a live patch, a post handler's probe, or fmod_ret\n",
		       name);
	else
		pr_err("%s, or one with it, can't be led away (%d)\n", name, err);
}

static const char *inarch_entry_name(const struct inarch_entry *entry)
{
	return list_first_entry(&entry->funcs, struct inarch_func, stack_node)->name;
}

/* Collects the places of those of a group's entries that are in a state. */
static unsigned int inarch_group_places(const struct inarch_group *group, enum inarch_rest rest, unsigned long *places)
{
	unsigned int i, count = 0;

	for (i = 0; i < group->count; i++)
		if (group->all[i] && group->all[i]->rest == rest)
			places[count++] = group->places[i];
	return count;
}

static void inarch_group_free(struct inarch_group *group)
{
	if (group->registered) {
		WARN_ON(unregister_ftrace_function(&group->ops));
		group->registered = false;
	}
	ftrace_free_filter(&group->ops);
	kvfree(group->places);
	kvfree(group->all);
	kfree(group);
}

static int inarch_by_place(const void *a, const void *b)
{
	unsigned long left = (*(struct inarch_entry *const *)a)->ftrace;
	unsigned long right = (*(struct inarch_entry *const *)b)->ftrace;

	return left < right ? -1 : left > right;
}

/* All of an object's entries that have no handler yet. */
static int inarch_group_make(struct inarch_object *object)
{
	struct inarch_group *group;
	struct inarch_func *func;
	unsigned int i, count = 0;
	int err = -ENOMEM;

	inarch_for_each_func(object, func)
		count += func->entry && func->entry->ftrace && !func->entry->group;
	if (!count)
		return 0;
	group = kzalloc(sizeof(*group), GFP_KERNEL);
	if (!group)
		return -ENOMEM;
	group->places = kvmalloc_array(count, sizeof(*group->places), GFP_KERNEL);
	group->all = kvmalloc_array(count, sizeof(*group->all), GFP_KERNEL);
	if (!group->places || !group->all)
		goto free;
	/* Two names of one function share its entry, which is here once. */
	inarch_for_each_func(object, func)
		if (func->entry && func->entry->ftrace && !func->entry->group) {
			func->entry->group = group;
			group->all[group->count++] = func->entry;
		}
	count = group->count;
	sort(group->all, count, sizeof(*group->all), inarch_by_place, NULL);
	for (i = 0; i < count; i++)
		group->places[i] = group->all[i]->ftrace;
	group->ops.func = inarch_ftrace_handler;
	group->ops.flags = FTRACE_OPS_FL_DYNAMIC | FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT;
#ifndef CONFIG_HAVE_DYNAMIC_FTRACE_WITH_ARGS
	group->ops.flags |= FTRACE_OPS_FL_SAVE_REGS;
#endif
	err = ftrace_set_filter_ips(&group->ops, group->places, count, 0, 0);
	if (!err)
		err = register_ftrace_function(&group->ops);
	if (err) {
		inarch_entry_refused(inarch_entry_name(group->all[0]), err);
		goto free;
	}
	group->registered = true;
	return 0;
free:
	for (i = 0; i < group->count; i++)
		group->all[i]->group = NULL;
	inarch_group_free(group);
	return err;
}

/* The handlers of those that rest or wake come back. */
static int inarch_group_on(struct inarch_group *group)
{
	unsigned long *places;
	unsigned int count;
	int err;

	if (!group->registered) {
		err = register_ftrace_function(&group->ops);
		group->registered = !err;
		return err;
	}
	places = kvmalloc_array(group->count, sizeof(*places), GFP_KERNEL);
	if (!places)
		return -ENOMEM;
	count = inarch_group_places(group, INARCH_RESTS, places);
	err = count ? ftrace_set_filter_ips(&group->ops, places, count, 0, 0) : 0;
	kvfree(places);
	return err;
}

/* The handlers of those in whose place a jump stands go. What is left in the filter is what can't rest. */
static int inarch_group_off(struct inarch_group *group, enum inarch_rest rest)
{
	unsigned long *places;
	unsigned int count;
	int err = 0;

	places = kvmalloc_array(group->count, sizeof(*places), GFP_KERNEL);
	if (!places)
		return -ENOMEM;
	count = inarch_group_places(group, rest, places);
	if (count == group->count - group->gone) {
		/* A filter without places would be one of all functions, so it stays as it is. */
		err = unregister_ftrace_function(&group->ops);
		group->registered = err;
	} else if (count) {
		err = ftrace_set_filter_ips(&group->ops, places, count, 1, 0);
	}
	kvfree(places);
	return WARN_ON(err);
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
	if (!entry->ftrace) {
		entry->probe.addr = (kprobe_opcode_t *)func->old;
		entry->probe.pre_handler = inarch_probe_handler;
		entry->probe.post_handler = inarch_probe_stays;
		err = register_kprobe(&entry->probe);
		if (err) {
			inarch_entry_refused(func->name, err);
			list_del_rcu(&func->stack_node);
			kfree(entry);
			return ERR_PTR(err);
		}
	}
	list_add(&entry->node, &inarch_entries);
	return entry;
}

static int inarch_entry_push(struct inarch_func *func)
{
	const struct inarch_model_ops *ops = inarch_model_ops(func->model);
	struct inarch_entry *entry = inarch_entry_find(func->old);

	if (!ops->without_ftrace && !ftrace_location(func->old)) {
		pr_err("%s has no place for ftrace, which the model %s needs\n", func->name, ops->name);
		return -EOPNOTSUPP;
	}
	if (!entry) {
		entry = inarch_entry_make(func);
		if (IS_ERR(entry))
			return PTR_ERR(entry);
	} else {
		/* Awake, by inarch_entries_wake(). */
		list_add_rcu(&func->stack_node, &entry->funcs);
	}
	func->entry = entry;
	return 0;
}

/* Takes an entry out of its group: the last function has been taken back, or the module goes. */
static void inarch_entry_leave(struct inarch_entry *entry)
{
	struct inarch_group *group = entry->group;
	unsigned int i;

	for (i = 0; i < group->count; i++)
		if (group->all[i] == entry)
			WRITE_ONCE(group->all[i], NULL);
	group->gone++;
	entry->group = NULL;
}

/* All of an object's functions, or those that only bring the old code back. */
static void inarch_entries_take_back(struct inarch_object *object, bool undone_only)
{
	struct inarch_entry *entry, *next;
	struct inarch_func *func;
	LIST_HEAD(last);

	inarch_for_each_func(object, func) {
		entry = func->entry;
		if (!entry || (undone_only && func->new_code))
			continue;
		func->entry = NULL;
		if (list_is_singular(&entry->funcs))
			list_move(&entry->node, &last);
		else
			list_del_rcu(&func->stack_node);
	}
	/* Calls of these go to the old code from here on. A jump is left only in a module's code that goes away. */
	list_for_each_entry_safe(entry, next, &last, node) {
		struct inarch_group *group = entry->group;

		if (!group) {
			/* Also one that never got its group. */
			if (!entry->ftrace)
				unregister_kprobe(&entry->probe);
			continue;
		}
		/* Never the last one: a filter without places is one of all functions. It may not be in it, at rest. */
		if (group->count - group->gone > 1)
			ftrace_set_filter_ip(&group->ops, entry->ftrace, 1, 0);
		inarch_entry_leave(entry);
		if (group->gone == group->count)
			inarch_group_free(group);
	}
	inarch_synchronize();
	list_for_each_entry_safe(entry, next, &last, node) {
		list_del_rcu(&list_first_entry(&entry->funcs, struct inarch_func, stack_node)->stack_node);
		kfree(entry);
	}
}

void inarch_entries_pop(struct inarch_object *object)
{
	inarch_entries_take_back(object, false);
}

void inarch_entries_pop_undone(struct inarch_object *object)
{
	inarch_entries_take_back(object, true);
}

int inarch_entries_push(struct inarch_object *object)
{
	struct inarch_func *func;
	int err = 0;

	inarch_for_each_func(object, func) {
		/* What this patch undoes has been undone. */
		if (!func->new_code && object->patch != inarch_transition.patch)
			continue;
		err = inarch_entry_push(func);
		if (err)
			break;
	}
	if (!err)
		err = inarch_group_make(object);
	if (err)
		inarch_entries_pop(object);
	return err;
}

/* To rest: a jump in the handler's place, which is still there. */
static void inarch_entry_lay_down(struct inarch_entry *entry)
{
	struct inarch_func *func = list_first_entry(&entry->funcs, struct inarch_func, stack_node);
	int err;

	if (entry->rest != INARCH_AWAKE)
		return;
	/* The old code itself is wanted: there is nothing to jump to. */
	if (!func->new_code)
		err = -ENOENT;
	else
		err = inarch_jump_write(&entry->jump, entry->ftrace + MCOUNT_INSN_SIZE, entry->end, func->new_code);
	entry->rest = err ? INARCH_SLEEPLESS : INARCH_WAKES;
}

static void inarch_group_settle(struct inarch_group *group, enum inarch_rest from, enum inarch_rest to)
{
	unsigned int i;

	for (i = 0; i < group->count; i++)
		if (group->all[i] && group->all[i]->rest == from)
			group->all[i]->rest = to;
}

static void inarch_group_rest(struct inarch_group *group)
{
	unsigned int i;

	for (i = 0; i < group->count; i++)
		if (group->all[i])
			inarch_entry_lay_down(group->all[i]);
	if (!inarch_group_off(group, INARCH_WAKES))
		inarch_group_settle(group, INARCH_WAKES, INARCH_RESTS);
}

static int inarch_entry_begin_to_wake(struct inarch_entry *entry)
{
	int err;

	if (entry->rest == INARCH_SLEEPLESS)
		entry->rest = INARCH_AWAKE;
	if (entry->rest != INARCH_RESTS)
		return 0;
	err = inarch_group_on(entry->group);
	if (err)
		inarch_entry_refused(inarch_entry_name(entry), err);
	else
		inarch_group_settle(entry->group, INARCH_RESTS, INARCH_WAKES);
	return err;
}

static int inarch_entry_end_to_wake(struct inarch_entry *entry)
{
	if (entry->rest != INARCH_WAKES)
		return 0;
	if (inarch_jump_erase(&entry->jump)) {
		pr_err("%pS is no longer the jump that was written there: a probe has to go first\n",
		       (void *)entry->jump.site);
		return -EBUSY;
	}
	entry->rest = INARCH_AWAKE;
	return 0;
}

/* Both are there: the handler goes again. */
static void inarch_entry_back_to_rest(struct inarch_entry *entry)
{
	if (entry->rest != INARCH_WAKES)
		return;
	if (!inarch_group_off(entry->group, INARCH_WAKES))
		inarch_group_settle(entry->group, INARCH_WAKES, INARCH_RESTS);
}

static int inarch_patch_begins_to_wake(struct inarch_patch *patch)
{
	struct inarch_object *object;
	struct inarch_func *func;
	int err;

	inarch_for_each_object(patch, object)
		if (inarch_is_loaded(object))
			inarch_for_each_func(object, func) {
				struct inarch_entry *entry = inarch_entry_find(func->old);

				err = entry ? inarch_entry_begin_to_wake(entry) : 0;
				if (err)
					return err;
			}
	return 0;
}

int inarch_entries_wake(struct inarch_patch *patch)
{
	int err = inarch_patch_begins_to_wake(patch);
	struct inarch_entry *entry;
	bool any = false;

	/* Those of a group wake together, so there may be more than the patch's own. */
	list_for_each_entry(entry, &inarch_entries, node)
		any = any || entry->rest == INARCH_WAKES;
	if (!any)
		return err;
	if (!err) {
		/* Between ftrace's place and the jump there may be some who came before: preempted, or interrupts. */
		inarch_synchronize();
		synchronize_rcu_tasks();
		list_for_each_entry(entry, &inarch_entries, node)
			err = inarch_entry_end_to_wake(entry) ?: err;
	}
	if (err)
		list_for_each_entry(entry, &inarch_entries, node)
			inarch_entry_back_to_rest(entry);
	return err;
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

/* One group at a time: each takes a while, and others want the mutex. */
static bool inarch_one_rests(void)
{
	struct inarch_entry *entry;
	bool found = false;

	mutex_lock(&inarch_mutex);
	/* After force somebody may be in old code for ever. */
	if (!inarch_transition.patch && !inarch_forced)
		list_for_each_entry(entry, &inarch_entries, node)
			if (entry->group && entry->rest == INARCH_AWAKE) {
				inarch_group_rest(entry->group);
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
