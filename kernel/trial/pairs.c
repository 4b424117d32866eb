// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a consistency model promises, tried: two functions that belong together, called one after the other in all the
 * places where code of the kernel runs. A live patch replaces them by ones that belong together, too; an old one with a
 * new one is a mixed pair.
 *
 * There are two kinds of pairs. The calls of a bare pair are made by code that is not replaced: that they fit together
 * is promised only by a model in which a task changes its view at the border of the kernel, or where its thread comes
 * round. The calls of a held pair are made by a function that is replaced with them: each model promises that they fit.
 *
 *	echo PLACE COUNT > /proc/pairs	makes COUNT pairs of each kind in this system call; PLACE: call, sleep
 *	cat /proc/pairs			PLACE KIND: CALLS calls, OLD old, NEW new, MIXED mixed
 *
 * Timers, an interrupt of a clock, works and a thread make pairs all the time while the module is there.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include "pairs.h"

/* Between the two calls of a pair, in rounds of a loop: the longer, the likelier one is caught in between. */
static unsigned int between = 200;
module_param(between, uint, 0600);

enum place { CALL, SLEEP, THREAD, WORK, TIMER, CLOCK, PLACES };
static const char *const places[] = { "call", "sleep", "thread", "work", "timer", "clock" };
enum kind { BARE, HELD, KINDS };
static const char *const kinds[] = { "bare", "held" };

static atomic_long_t counts[PLACES][KINDS][PAIRS_MIXED + 1];

static noinline __noclone int pairs_first(void)
{
	return PAIRS_OLD;
}

static noinline __noclone int pairs_second(void)
{
	return PAIRS_OLD;
}

/* Where time goes by. Sleeps when the place allows it. */
static noinline __noclone void pairs_between(bool sleeps)
{
	unsigned int i;

	for (i = 0; i < between; i++)
		cpu_relax();
	if (sleeps)
		usleep_range(200, 400);
}

/* What the functions are, for the one that replaces pairs_held(). */
static const struct pairs pairs = { pairs_first, pairs_second, pairs_between };

static noinline __noclone int pairs_held(const struct pairs *pairs, bool sleeps)
{
	int first = pairs->first();

	pairs->between(sleeps);
	/* This function is the old one, so both have to be. */
	return first == PAIRS_OLD && pairs->second() == PAIRS_OLD ? PAIRS_OLD : PAIRS_MIXED;
}

static void count(enum place place, enum kind kind, int result)
{
	atomic_long_inc(&counts[place][kind][result]);
}

static void make_pairs(enum place place, bool sleeps)
{
	int first = pairs_first();
	int second;

	pairs_between(sleeps);
	second = pairs_second();
	count(place, BARE, first == second ? first : PAIRS_MIXED);
	count(place, HELD, pairs_held(&pairs, sleeps));
}

static int thread(void *data)
{
	unsigned int round;

	for (round = 1; !kthread_should_stop(); round++) {
		make_pairs(THREAD, false);
		make_pairs(THREAD, false);
		cond_resched();
		/* ftrace waits until each task has slept, on a kernel that can be preempted. */
		if (!(round % 16))
			schedule_timeout_interruptible(1);
	}
	return 0;
}

static void work(struct work_struct *unused);
static DECLARE_DELAYED_WORK(work_item, work);
static void work(struct work_struct *unused)
{
	make_pairs(WORK, true);
	schedule_delayed_work(&work_item, 1);
}

static void timer(struct timer_list *unused);
static DEFINE_TIMER(timer_item, timer);
static void timer(struct timer_list *unused)
{
	make_pairs(TIMER, false);
	mod_timer(&timer_item, jiffies + 1);
}

static struct hrtimer clock;
static enum hrtimer_restart tick(struct hrtimer *timer)
{
	make_pairs(CLOCK, false);
	hrtimer_forward_now(timer, ns_to_ktime(NSEC_PER_MSEC));
	return HRTIMER_RESTART;
}

static ssize_t pairs_write(struct file *file, const char __user *buffer, size_t size, loff_t *offset)
{
	char text[32], place[8];
	unsigned long i, wanted;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buffer, size))
		return -EFAULT;
	text[size] = 0;
	if (sscanf(text, "%7s %lu", place, &wanted) != 2)
		return -EINVAL;
	for (i = 0; i < wanted; i++) {
		if (!strcmp(place, "sleep"))
			make_pairs(SLEEP, true);
		else
			make_pairs(CALL, false);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return size;
}

static int pairs_show(struct seq_file *file, void *data)
{
	enum place place;
	enum kind kind;

	for (place = 0; place < PLACES; place++)
		for (kind = 0; kind < KINDS; kind++) {
			atomic_long_t *of = counts[place][kind];
			long old = atomic_long_read(&of[PAIRS_OLD]);
			long new = atomic_long_read(&of[PAIRS_NEW]);
			long mixed = atomic_long_read(&of[PAIRS_MIXED]);

			seq_printf(file, "%s %s: %ld calls, %ld old, %ld new, %ld mixed\n", places[place], kinds[kind],
				   old + new + mixed, old, new, mixed);
		}
	return 0;
}

static int pairs_open(struct inode *inode, struct file *file)
{
	return single_open(file, pairs_show, NULL);
}

static const struct proc_ops pairs_ops = {
	.proc_open = pairs_open,
	.proc_read = seq_read,
	.proc_write = pairs_write,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

static struct task_struct *thread_task;

static int __init pairs_init(void)
{
	if (!proc_create("pairs", 0600, NULL, &pairs_ops))
		return -ENOMEM;
	thread_task = kthread_run(thread, NULL, "pairs");
	if (IS_ERR(thread_task)) {
		remove_proc_entry("pairs", NULL);
		return PTR_ERR(thread_task);
	}
	schedule_delayed_work(&work_item, 1);
	mod_timer(&timer_item, jiffies + 1);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&clock, tick, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
#else
	hrtimer_init(&clock, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	clock.function = tick;
#endif
	hrtimer_start(&clock, ns_to_ktime(NSEC_PER_MSEC), HRTIMER_MODE_REL_HARD);
	return 0;
}

static void __exit pairs_exit(void)
{
	remove_proc_entry("pairs", NULL);
	hrtimer_cancel(&clock);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	timer_shutdown_sync(&timer_item);
#else
	del_timer_sync(&timer_item);
#endif
	cancel_delayed_work_sync(&work_item);
	kthread_stop(thread_task);
}

module_init(pairs_init);
module_exit(pairs_exit);
MODULE_DESCRIPTION("Functions that belong together");
MODULE_LICENSE("GPL");
