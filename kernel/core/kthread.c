// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where threads of the kernel come round. kGraft marked these places in the source of each thread; a stock kernel has
 * no marks, but nearly all threads call one of a few functions once in a round, and ftrace and tracepoints tell of it.
 */
#include "core.h"
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/tracepoint.h>

/* In the loop of a thread that may be stopped, parked or frozen. */
static void *const inarch_loop_functions[] = {
	kthread_should_stop,
	kthread_should_park,
	kthread_freezable_should_stop,
	__refrigerator,
};

static void notrace inarch_round_by_ftrace(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
					   struct ftrace_regs *fregs)
{
	if (in_task() && (current->flags & PF_KTHREAD))
		inarch_view_move(current);
}

static struct ftrace_ops inarch_round_ops = {
	.func = inarch_round_by_ftrace,
};

/* Between two works of a workqueue, or of a kthread_worker; the arguments are not looked at. */
static void inarch_round_by_work(void *data)
{
	if (in_task() && (current->flags & PF_KTHREAD))
		inarch_view_move(current);
}

static struct {
	const char *name;
	struct tracepoint *tracepoint;
	bool registered;
} inarch_work_tracepoints[] = {
	{ "workqueue_execute_start" },
	{ "workqueue_execute_end" },
	{ "sched_kthread_work_execute_start" },
	{ "sched_kthread_work_execute_end" },
};

static void inarch_find_work(struct tracepoint *tracepoint, void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(inarch_work_tracepoints); i++)
		if (!strcmp(tracepoint->name, inarch_work_tracepoints[i].name))
			inarch_work_tracepoints[i].tracepoint = tracepoint;
}

int inarch_rounds_open(void)
{
	unsigned int i;
	int err = -ENOENT;

	for_each_kernel_tracepoint(inarch_find_work, NULL);
	for (i = 0; i < ARRAY_SIZE(inarch_loop_functions); i++) {
		unsigned long place = ftrace_location((unsigned long)inarch_loop_functions[i]);

		err = place ? ftrace_set_filter_ip(&inarch_round_ops, place, 0, 0) : -ENOENT;
		if (err)
			return err;
	}
	err = register_ftrace_function(&inarch_round_ops);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(inarch_work_tracepoints) && !err; i++) {
		if (!inarch_work_tracepoints[i].tracepoint)
			continue;
		err = tracepoint_probe_register(inarch_work_tracepoints[i].tracepoint, inarch_round_by_work, NULL);
		inarch_work_tracepoints[i].registered = !err;
	}
	if (err)
		inarch_rounds_close();
	return err;
}

void inarch_rounds_close(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(inarch_work_tracepoints); i++)
		if (inarch_work_tracepoints[i].registered) {
			tracepoint_probe_unregister(inarch_work_tracepoints[i].tracepoint, inarch_round_by_work, NULL);
			inarch_work_tracepoints[i].registered = false;
		}
	tracepoint_synchronize_unregister();
	unregister_ftrace_function(&inarch_round_ops);
}
