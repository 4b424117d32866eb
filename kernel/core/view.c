// SPDX-License-Identifier: GPL-2.0-only
/*
 * A view: whether a task sees old or new code while a transition is under way.
 *
 * A stock kernel has no room for it in struct task_struct, so it stands in a table by the task's address. A handler
 * reads the table without a lock; tasks are added to it, and those that have died taken out, under inarch_views_lock.
 * A task that is not in it sees what the transition was begun for. So most need no place: one that is born to a task
 * which has moved, and all of them when the transition goes back to nothing.
 */
#include "core.h"
#include <linux/cpumask.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/tracepoint.h>

extern rwlock_t tasklist_lock;
extern struct task_struct *idle_task(int cpu);

struct inarch_view {
	struct task_struct *task;
	/* The next one in its bucket. */
	struct inarch_view *next;
	bool new;
	/* It was allocated by itself, and not with the others. */
	bool alone;
	/* The next one of the dead, when it has been taken out. */
	struct inarch_view *next_dead;
};

static struct {
	struct inarch_view **buckets;
	unsigned int bits;
	/* Those that were allocated together; the first `used` are in use. */
	struct inarch_view *together;
	unsigned int used;
	unsigned int size;
	/* What a task sees that is not in the table: where the transition went first. */
	bool others;
	/* Where it goes now. */
	bool target;
} inarch_views;

static DEFINE_RAW_SPINLOCK(inarch_views_lock);

static struct inarch_view **inarch_bucket_of(const struct task_struct *task)
{
	return &inarch_views.buckets[hash_ptr(task, inarch_views.bits)];
}

static __always_inline struct inarch_view *inarch_view_find(const struct task_struct *task)
{
	/* Pairs with smp_store_release() in inarch_view_add(): a view that is seen is filled in. */
	struct inarch_view *view = smp_load_acquire(inarch_bucket_of(task));

	while (view && view->task != task)
		view = READ_ONCE(view->next);
	return view;
}

bool notrace inarch_view_is_new(struct task_struct *task)
{
	const struct inarch_view *view = inarch_view_find(task);

	return view ? READ_ONCE(view->new) : inarch_views.others;
}
NOKPROBE_SYMBOL(inarch_view_is_new);

void notrace inarch_view_move(struct task_struct *task)
{
	struct inarch_view *view = inarch_view_find(task);

	if (view)
		WRITE_ONCE(view->new, READ_ONCE(inarch_views.target));
}

/* Under inarch_views_lock. The task can't go while it is in the table, or its address could be another's. */
static bool inarch_view_add(struct task_struct *task, bool new)
{
	struct inarch_view **bucket = inarch_bucket_of(task);
	struct inarch_view *view;

	if (inarch_view_find(task))
		return true;
	if (inarch_views.used < inarch_views.size) {
		view = &inarch_views.together[inarch_views.used++];
		view->alone = false;
	} else {
		view = kmalloc(sizeof(*view), GFP_ATOMIC | __GFP_NOWARN);
		if (!view)
			return false;
		view->alone = true;
	}
	view->task = get_task_struct(task);
	view->new = new;
	view->next = *bucket;
	/* Pairs with smp_load_acquire() in inarch_view_find(). */
	smp_store_release(bucket, view);
	return true;
}

/*
 * A child sees what its parent sees. It does not run yet. When there is no memory it sees what the others do, which is
 * right, too: none of its code has run.
 */
static void inarch_view_inherit(void *data, struct task_struct *parent, struct task_struct *child)
{
	unsigned long flags;
	bool new;

	raw_spin_lock_irqsave(&inarch_views_lock, flags);
	new = inarch_view_is_new(parent);
	if (new != inarch_views.others)
		inarch_view_add(child, new);
	raw_spin_unlock_irqrestore(&inarch_views_lock, flags);
}

static void inarch_find_fork(struct tracepoint *tracepoint, void *found)
{
	if (!strcmp(tracepoint->name, "sched_process_fork"))
		*(struct tracepoint **)found = tracepoint;
}

static struct tracepoint *inarch_fork_tracepoint(void)
{
	static struct tracepoint *found;

	if (!found)
		for_each_kernel_tracepoint(inarch_find_fork, &found);
	return found;
}

static unsigned int inarch_count_tasks(void)
{
	struct task_struct *group, *task;
	unsigned int count = num_possible_cpus();

	rcu_read_lock();
	for_each_process_thread(group, task)
		count++;
	rcu_read_unlock();
	return count;
}

static void inarch_views_free(void)
{
	unsigned int i;

	if (!inarch_views.buckets)
		return;
	for (i = 0; i < 1U << inarch_views.bits; i++) {
		struct inarch_view *view = inarch_views.buckets[i];

		while (view) {
			struct inarch_view *next = view->next;

			put_task_struct(view->task);
			if (view->alone)
				kfree(view);
			view = next;
		}
	}
	kvfree(inarch_views.buckets);
	kvfree(inarch_views.together);
	memset(&inarch_views, 0, sizeof(inarch_views));
}

/* All tasks that there are see the other than new. */
int inarch_views_begin(bool new)
{
	struct task_struct *group, *task;
	unsigned int count = inarch_count_tasks();
	unsigned long flags;
	bool all = true;
	int cpu, err;

	inarch_views.size = count + count / 8 + 64;
	inarch_views.bits = ilog2(roundup_pow_of_two(inarch_views.size));
	inarch_views.used = 0;
	inarch_views.others = new;
	inarch_views.target = new;
	inarch_views.together = kvcalloc(inarch_views.size, sizeof(struct inarch_view), GFP_KERNEL);
	inarch_views.buckets = kvcalloc(1UL << inarch_views.bits, sizeof(struct inarch_view *), GFP_KERNEL);
	if (!inarch_views.together || !inarch_views.buckets) {
		kvfree(inarch_views.together);
		kvfree(inarch_views.buckets);
		memset(&inarch_views, 0, sizeof(inarch_views));
		return -ENOMEM;
	}
	if (!inarch_fork_tracepoint()) {
		inarch_views_free();
		return -ENOENT;
	}
	/*
	 * First who is born, then who is there: one that is born while the others are listed is either seen by the
	 * list or born to somebody who is in it.
	 */
	err = tracepoint_probe_register(inarch_fork_tracepoint(), inarch_view_inherit, NULL);
	if (err) {
		inarch_views_free();
		return err;
	}
	cpus_read_lock();
	read_lock(&tasklist_lock);
	raw_spin_lock_irqsave(&inarch_views_lock, flags);
	for_each_process_thread(group, task)
		all = all && inarch_view_add(task, !new);
	for_each_possible_cpu(cpu)
		all = all && inarch_view_add(idle_task(cpu), !new);
	raw_spin_unlock_irqrestore(&inarch_views_lock, flags);
	read_unlock(&tasklist_lock);
	cpus_read_unlock();
	if (all)
		return 0;
	inarch_views_end();
	return -ENOMEM;
}

/* No function is in transition any more. */
void inarch_views_end(void)
{
	tracepoint_probe_unregister(inarch_fork_tracepoint(), inarch_view_inherit, NULL);
	tracepoint_synchronize_unregister();
	inarch_synchronize();
	inarch_views_free();
}

void inarch_views_turn(void)
{
	WRITE_ONCE(inarch_views.target, !inarch_views.target);
}

/* Those that are not in the table, and do not see where it goes, are put into it: only when it has turned. */
static unsigned int inarch_views_complete(void)
{
	struct task_struct *group, *task;
	unsigned int missing = 0;
	unsigned long flags;

	if (inarch_views.others == inarch_views.target)
		return 0;
	read_lock(&tasklist_lock);
	for_each_process_thread(group, task) {
		raw_spin_lock_irqsave(&inarch_views_lock, flags);
		if (!inarch_view_add(task, inarch_views.others))
			missing++;
		raw_spin_unlock_irqrestore(&inarch_views_lock, flags);
	}
	read_unlock(&tasklist_lock);
	return missing;
}

/* It will not run again, or not before its processor comes back. */
static bool inarch_is_out(const struct task_struct *task)
{
	if (is_idle_task(task))
		return !cpu_online(task_cpu(task));
	return READ_ONCE(task->__state) == TASK_DEAD && !READ_ONCE(task->on_cpu);
}

/* The dead are many after a while of forking, and each holds its memory. */
static void inarch_views_reap(void)
{
	struct inarch_view *dead = NULL;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < 1U << inarch_views.bits; i++) {
		struct inarch_view **place = &inarch_views.buckets[i];

		raw_spin_lock_irqsave(&inarch_views_lock, flags);
		while (*place) {
			struct inarch_view *view = *place;

			if (!view->alone || !inarch_is_out(view->task)) {
				place = &view->next;
				continue;
			}
			/* Its `next` stays for who is reading it. */
			WRITE_ONCE(*place, view->next);
			view->next_dead = dead;
			dead = view;
		}
		raw_spin_unlock_irqrestore(&inarch_views_lock, flags);
	}
	if (!dead)
		return;
	inarch_synchronize();
	while (dead) {
		struct inarch_view *next = dead->next_dead;

		put_task_struct(dead->task);
		kfree(dead);
		dead = next;
	}
}

unsigned int inarch_views_visit(void (*visit)(struct task_struct *task, void *data), void *data)
{
	unsigned int left = inarch_views_complete();
	unsigned int alone = 0;
	unsigned int i;

	for (i = 0; i < 1U << inarch_views.bits; i++) {
		struct inarch_view *view = smp_load_acquire(&inarch_views.buckets[i]);

		for (; view; view = READ_ONCE(view->next)) {
			alone += view->alone;
			if (READ_ONCE(view->new) == inarch_views.target || inarch_is_out(view->task))
				continue;
			if (visit)
				visit(view->task, data);
			left += READ_ONCE(view->new) != inarch_views.target;
		}
		if (!(i % 64))
			cond_resched();
	}
	if (alone > 1024)
		inarch_views_reap();
	return left;
}

/* Whether nobody is left, now: a child that is being born to one who has not moved has its parent in the table. */
bool inarch_views_are_over(void)
{
	unsigned long flags;
	unsigned int i;
	bool over = !inarch_views_complete();

	raw_spin_lock_irqsave(&inarch_views_lock, flags);
	for (i = 0; over && i < 1U << inarch_views.bits; i++) {
		struct inarch_view *view = inarch_views.buckets[i];

		for (; view; view = view->next)
			if (view->new != inarch_views.target && !inarch_is_out(view->task))
				over = false;
	}
	raw_spin_unlock_irqrestore(&inarch_views_lock, flags);
	return over;
}

static void inarch_view_force(struct task_struct *task, void *data)
{
	inarch_view_move(task);
}

void inarch_views_force(void)
{
	while (inarch_views_visit(inarch_view_force, NULL))
		cond_resched();
}
