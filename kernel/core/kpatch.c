// SPDX-License-Identifier: GPL-2.0-only
/*
 * kpatch's model: everybody at one instant. All processors stand still, it is looked that no task is in one of the
 * functions, and then one word makes old into new. Old and new code never run at the same time.
 *
 * Otherwise than the original: the stacks are looked at while everything runs, and those who run meanwhile are noted as
 * the scheduler changes to or from them; while the machine stands only these are looked at again. So it stands for
 * a time that grows with what is going on, and not with the number of tasks.
 */
#include "core.h"
#include <linux/cpu.h>
#include <linux/hash.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/tracepoint.h>

extern int task_curr(const struct task_struct *task);
extern struct task_struct *idle_task(int cpu);

/*
 * Where the instant is. NMIs come while the machine stands, too. One that calls a replaced function while it is being
 * looked takes the old one, and says so: the rest of it must see the same, so nothing changes this time.
 */
enum inarch_instant {
	INARCH_BEFORE,
	INARCH_LOOKING,
	INARCH_SPOILT,
	INARCH_OVER,
};
static atomic_t inarch_instant = ATOMIC_INIT(INARCH_BEFORE);
static bool inarch_kpatch_target;

bool notrace inarch_kpatch_is_new(void)
{
	int instant = atomic_read(&inarch_instant);

	if (instant == INARCH_LOOKING && in_nmi())
		instant = atomic_cmpxchg(&inarch_instant, INARCH_LOOKING, INARCH_SPOILT);
	return (instant == INARCH_OVER) == READ_ONCE(inarch_kpatch_target);
}
NOKPROBE_SYMBOL(inarch_kpatch_is_new);

/* Who has run on a processor since the first look: a hash table, so that two that take turns need two places. */
#define INARCH_RAN_BITS 11
struct inarch_ran {
	struct task_struct *tasks[1 << INARCH_RAN_BITS];
	unsigned int count;
	/* There were more: all are looked at. */
	bool full;
};
static struct inarch_ran __percpu *inarch_ran;

static void inarch_note(struct inarch_ran *ran, struct task_struct *task)
{
	unsigned int at = hash_ptr(task, INARCH_RAN_BITS);

	if (is_idle_task(task))
		return;
	while (ran->tasks[at] && ran->tasks[at] != task)
		at = (at + 1) % ARRAY_SIZE(ran->tasks);
	if (ran->tasks[at])
		return;
	/* Never quite full, or the search above would not end. */
	if (ran->count + 1 >= ARRAY_SIZE(ran->tasks) * 3 / 4) {
		ran->full = true;
		return;
	}
	ran->tasks[at] = get_task_struct(task);
	ran->count++;
}

/* Interrupts are off, and the processor's table is its own. */
static void inarch_on_switch(void *data, bool preempt, struct task_struct *prev, struct task_struct *next,
			     unsigned int prev_state)
{
	struct inarch_ran *ran = this_cpu_ptr(inarch_ran);

	if (ran->full)
		return;
	inarch_note(ran, prev);
	inarch_note(ran, next);
}

static void inarch_find_switch(struct tracepoint *tracepoint, void *found)
{
	if (!strcmp(tracepoint->name, "sched_switch"))
		*(struct tracepoint **)found = tracepoint;
}

static struct tracepoint *inarch_switch_tracepoint(void)
{
	static struct tracepoint *found;

	if (!found)
		for_each_kernel_tracepoint(inarch_find_switch, &found);
	return found;
}

/* Whoever was in the way, to be told when all tries are over. */
static struct {
	pid_t pid;
	char name[TASK_COMM_LEN];
	const char *func;
} inarch_in_the_way;

static int inarch_note_in_the_way(struct task_struct *task, struct inarch_stack_finding finding)
{
	inarch_in_the_way.pid = task->pid;
	strscpy(inarch_in_the_way.name, task->comm, sizeof(inarch_in_the_way.name));
	inarch_in_the_way.func = finding.func;
	return -EAGAIN;
}

/* The machine stands: nobody but the stoppers runs. */
static int inarch_look_stopped(struct task_struct *task)
{
	struct inarch_stack_finding finding;

	if (task_curr(task) || (READ_ONCE(task->__state) == TASK_DEAD))
		return 0;
	finding = inarch_stack_look(task);
	return finding.result ? inarch_note_in_the_way(task, finding) : 0;
}

static int inarch_look_at_those_who_ran(void)
{
	int cpu, err = 0;
	unsigned int i;

	for_each_online_cpu(cpu) {
		const struct inarch_ran *ran = per_cpu_ptr(inarch_ran, cpu);

		for (i = 0; i < ARRAY_SIZE(ran->tasks) && ran->count && !err; i++)
			if (ran->tasks[i])
				err = inarch_look_stopped(ran->tasks[i]);
		if (!err)
			err = inarch_look_stopped(idle_task(cpu));
	}
	return err;
}

static int inarch_look_at_all_stopped(void)
{
	struct task_struct *group, *task;
	int cpu, err;

	for_each_process_thread(group, task) {
		err = inarch_look_stopped(task);
		if (err)
			return err;
	}
	for_each_online_cpu(cpu) {
		err = inarch_look_stopped(idle_task(cpu));
		if (err)
			return err;
	}
	return 0;
}

static bool inarch_too_many_ran(void)
{
	bool full = false;
	int cpu;

	for_each_possible_cpu(cpu)
		full = full || per_cpu_ptr(inarch_ran, cpu)->full;
	return full;
}

/* All processors stand, with interrupts off; this one works. */
static int inarch_at_once(void *data)
{
	int err = inarch_too_many_ran() ? inarch_look_at_all_stopped() : inarch_look_at_those_who_ran();

	if (err)
		return err;
	/* The one word. Behind it everybody sees the other code, an NMI on another processor included. */
	if (atomic_cmpxchg(&inarch_instant, INARCH_LOOKING, INARCH_OVER) != INARCH_LOOKING)
		return -EAGAIN;
	return 0;
}

/* While everything runs. Who runs right now will be noted when it stops to. */
static int inarch_look_beforehand(void)
{
	struct task_struct *group, *task;
	int err = 0;

	rcu_read_lock();
	for_each_process_thread(group, task) {
		struct inarch_stack_finding finding;

		if (READ_ONCE(task->__state) == TASK_DEAD)
			continue;
		finding = inarch_stack_check(task);
		if (finding.result == -EBUSY || task == current)
			continue;
		if (finding.result) {
			err = inarch_note_in_the_way(task, finding);
			break;
		}
	}
	rcu_read_unlock();
	return err;
}

/* On its own processor with interrupts off, so that the scheduler is not noting there. */
static void inarch_forget_who_ran(void *data)
{
	struct inarch_ran *ran = this_cpu_ptr(inarch_ran);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ran->tasks) && ran->count; i++)
		if (ran->tasks[i])
			put_task_struct(ran->tasks[i]);
	memset(ran, 0, sizeof(*ran));
}

static int inarch_kpatch_try(void)
{
	int err;

	on_each_cpu(inarch_forget_who_ran, NULL, 1);
	err = inarch_look_beforehand();
	if (err)
		return err;
	atomic_set(&inarch_instant, INARCH_LOOKING);
	err = stop_machine(inarch_at_once, NULL, NULL);
	if (err)
		atomic_set(&inarch_instant, INARCH_BEFORE);
	return err;
}

static int inarch_kpatch_begin(bool new)
{
	int err;

	if (!inarch_switch_tracepoint())
		return -ENOENT;
	inarch_ran = alloc_percpu(struct inarch_ran);
	if (!inarch_ran)
		return -ENOMEM;
	err = tracepoint_probe_register(inarch_switch_tracepoint(), inarch_on_switch, NULL);
	if (err) {
		free_percpu(inarch_ran);
		return err;
	}
	atomic_set(&inarch_instant, INARCH_BEFORE);
	WRITE_ONCE(inarch_kpatch_target, new);
	return 0;
}

/* The original tried three times; a task that sleeps in a function will not have left it so soon. */
#define INARCH_TRIES 10

static int inarch_kpatch_advance(void)
{
	int tries, err = -EAGAIN;

	memset(&inarch_in_the_way, 0, sizeof(inarch_in_the_way));
	for (tries = 0; tries < INARCH_TRIES && err == -EAGAIN; tries++) {
		if (tries)
			schedule_timeout_uninterruptible(1 << min(tries, 5));
		err = inarch_kpatch_try();
	}
	if (err != -EAGAIN)
		return err;
	if (inarch_in_the_way.func)
		pr_err("%s (%d) was in %s at every try\n", inarch_in_the_way.name, inarch_in_the_way.pid,
		       inarch_in_the_way.func);
	else if (inarch_in_the_way.pid)
		pr_err("the stack of %s (%d) can't be read for certain\n", inarch_in_the_way.name,
		       inarch_in_the_way.pid);
	else
		pr_err("an NMI came in between at every try\n");
	return -EBUSY;
}

static void inarch_kpatch_end(void)
{
	unsigned int i;
	int cpu;

	tracepoint_probe_unregister(inarch_switch_tracepoint(), inarch_on_switch, NULL);
	tracepoint_synchronize_unregister();
	for_each_possible_cpu(cpu)
		for (i = 0; i < ARRAY_SIZE(inarch_ran->tasks); i++)
			if (per_cpu_ptr(inarch_ran, cpu)->tasks[i])
				put_task_struct(per_cpu_ptr(inarch_ran, cpu)->tasks[i]);
	free_percpu(inarch_ran);
	inarch_ran = NULL;
}

const struct inarch_model_ops inarch_kpatch = {
	.name = "kpatch",
	.without_ftrace = true,
	.begin = inarch_kpatch_begin,
	.advance = inarch_kpatch_advance,
	.end = inarch_kpatch_end,
};
