// SPDX-License-Identifier: GPL-2.0-only
/*
 * kGraft's model: each task has its own view of the world, old or new, and takes the other one when it comes round: a
 * process at the border to user space, a thread of the kernel in its loop, an idle task in its. Nothing is stopped, and
 * nobody waits.
 *
 * An interrupt is not the task that it interrupts: it has a view of its own, its processor's. That one changes in a
 * thread that is bound to the processor, when no interrupt is under way there; the same moment finds the idle task at
 * the end of its loop, where it was put aside for the thread.
 *
 * Otherwise than the original: kGraft marked the loop of each kernel thread in the source. Here a thread that sleeps
 * in its own loop, and calls none of the functions that tell of a round (kthread.c), goes over where it sleeps, if its
 * stack holds none of the replaced functions; a worker only between two works. Processes never do.
 */
#include "core.h"
#include <linux/cpu.h>
#include <linux/kallsyms.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/workqueue.h>

extern struct task_struct *idle_task(int cpu);

/* What interrupts of the processor see. */
static DEFINE_PER_CPU(bool, inarch_interrupts_new);
static bool inarch_kgraft_target;
/* Idle tasks and interrupts go over together; how many processors have not. */
static bool inarch_processors_left;

bool notrace inarch_kgraft_is_new(void)
{
	if (in_task())
		return inarch_view_is_new(current);
	return raw_cpu_read(inarch_interrupts_new);
}
NOKPROBE_SYMBOL(inarch_kgraft_is_new);

static void inarch_kgraft_here(struct work_struct *work)
{
	this_cpu_write(inarch_interrupts_new, inarch_kgraft_target);
	/* It does not run: this thread does, on its processor. */
	preempt_disable();
	inarch_view_move(idle_task(smp_processor_id()));
	preempt_enable();
}

static int inarch_kgraft_begin(bool new)
{
	int cpu, err;

	for_each_possible_cpu(cpu)
		per_cpu(inarch_interrupts_new, cpu) = !new;
	err = inarch_views_begin(new);
	if (err)
		return err;
	inarch_kgraft_target = new;
	inarch_processors_left = true;
	return 0;
}

static int inarch_kgraft_processors(void)
{
	int cpu, err;

	cpus_read_lock();
	/* One that is away has no interrupts, and its idle task begins anew when it comes. */
	for_each_possible_cpu(cpu)
		if (!cpu_online(cpu)) {
			per_cpu(inarch_interrupts_new, cpu) = inarch_kgraft_target;
			inarch_view_move(idle_task(cpu));
		}
	cpus_read_unlock();
	err = schedule_on_each_cpu(inarch_kgraft_here);
	if (!err)
		inarch_processors_left = false;
	return err;
}

/* In it a worker is amid a work, and not between two. */
static struct inarch_range inarch_work_runs;

static void inarch_kgraft_move(struct task_struct *task, void *data)
{
	if (is_idle_task(task))
		inarch_processors_left = true;
	else if (task->flags & PF_KTHREAD)
		inarch_stack_move(task, &inarch_work_runs);
}

static int inarch_kgraft_advance(void)
{
	if (inarch_processors_left)
		inarch_kgraft_processors();
	if (inarch_views_visit(inarch_kgraft_move, NULL) || inarch_processors_left)
		return -EAGAIN;
	return inarch_views_are_over() ? 0 : -EAGAIN;
}

static int inarch_kgraft_open(void)
{
	unsigned long size;
	int err;

	err = inarch_find_symbol(NULL, "process_one_work", 0, &inarch_work_runs.start);
	if (err)
		return err;
	if (!kallsyms_lookup_size_offset(inarch_work_runs.start, &size, NULL))
		return -ENOENT;
	inarch_work_runs.end = inarch_work_runs.start + size;
	err = inarch_rounds_open();
	if (err)
		return err;
	err = inarch_border_open();
	if (err)
		inarch_rounds_close();
	return err;
}

static void inarch_kgraft_close(void)
{
	inarch_border_close();
	inarch_rounds_close();
}

static void inarch_kgraft_turn(void)
{
	inarch_kgraft_target = !inarch_kgraft_target;
	inarch_processors_left = true;
	inarch_views_turn();
}

static void inarch_kgraft_force(void)
{
	while (inarch_kgraft_processors())
		schedule_timeout_uninterruptible(1);
	inarch_views_force();
}

static void inarch_kgraft_why(struct task_struct *task, char *words, size_t size)
{
	if (task->flags & PF_KTHREAD)
		inarch_stack_words(task, words, size);
	else
		strscpy(words, "has not left the kernel", size);
}

const struct inarch_model_ops inarch_kgraft = {
	.name = "kgraft",
	.begin = inarch_kgraft_begin,
	.open = inarch_kgraft_open,
	.advance = inarch_kgraft_advance,
	.turn = inarch_kgraft_turn,
	.force = inarch_kgraft_force,
	.close = inarch_kgraft_close,
	.end = inarch_views_end,
	.why = inarch_kgraft_why,
};
