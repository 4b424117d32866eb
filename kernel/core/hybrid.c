// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hybrid model, which the kernel's own livepatch has, too: each task goes over by itself, at the border to user
 * space, or where it sleeps, when its stack holds none of the functions. An interrupt sees what the task sees that it
 * interrupts.
 */
#include "core.h"
#include <linux/workqueue.h>

extern struct task_struct *idle_task(int cpu);

bool notrace inarch_hybrid_is_new(void)
{
	return inarch_view_is_new(current);
}
NOKPROBE_SYMBOL(inarch_hybrid_is_new);

/* The idle task of a processor hardly ever leaves it; while this thread runs there, it does not. */
static void inarch_hybrid_here(struct work_struct *work)
{
	struct task_struct *idle;

	preempt_disable();
	idle = idle_task(smp_processor_id());
	if (!inarch_stack_look(idle).result)
		inarch_view_move(idle);
	preempt_enable();
}

static void inarch_hybrid_move(struct task_struct *task, void *idle_left)
{
	if (is_idle_task(task))
		*(bool *)idle_left = true;
	else
		inarch_stack_move(task, NULL);
}

static int inarch_hybrid_advance(void)
{
	bool idle_left = false;
	unsigned int left = inarch_views_visit(inarch_hybrid_move, &idle_left);

	if (idle_left)
		schedule_on_each_cpu(inarch_hybrid_here);
	if (left)
		left = inarch_views_visit(NULL, NULL);
	return !left && inarch_views_are_over() ? 0 : -EAGAIN;
}

const struct inarch_model_ops inarch_hybrid = {
	.name = "hybrid",
	.without_ftrace = true,
	.begin = inarch_views_begin,
	.open = inarch_border_open,
	.advance = inarch_hybrid_advance,
	.turn = inarch_views_turn,
	.force = inarch_views_force,
	.close = inarch_border_close,
	.end = inarch_views_end,
	.why = inarch_stack_words,
};
