// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a call costs: a function that does nearly nothing is called a thousand times, with interrupts off. In a guest
 * whose clock counts instructions, the time is their number.
 *
 *	cat /proc/cost			the clock's nanoseconds for CALLS calls, loop included
 *	echo > /proc/cost		sleeps in another function that is replaced, too, until a signal comes
 */
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#define CALLS 1000

static noinline __noclone int cost_target(int value)
{
	/* Not to be computed beforehand. */
	asm volatile("" : "+r"(value));
	return value + 1;
}

static noinline __noclone int cost_hold(void)
{
	schedule_timeout_interruptible(MAX_SCHEDULE_TIMEOUT);
	return signal_pending(current) ? -EINTR : 0;
}

static u64 cost_measure(void)
{
	unsigned long flags;
	u64 start, end;
	int i, sum = 0;

	local_irq_save(flags);
	start = ktime_get_ns();
	for (i = 0; i < CALLS; i++)
		sum += cost_target(i);
	end = ktime_get_ns();
	local_irq_restore(flags);
	/* As the function says, it is one more each time. */
	return sum == CALLS * (CALLS + 1) / 2 ? end - start : U64_MAX;
}

static int cost_show(struct seq_file *file, void *data)
{
	u64 best = U64_MAX;
	int i;

	/* The first time translates the code; the emulator's own clock may jump. */
	for (i = 0; i < 20; i++)
		best = min(best, cost_measure());
	seq_printf(file, "%llu ns for %d calls\n", best, CALLS);
	return 0;
}

static int cost_open(struct inode *inode, struct file *file)
{
	return single_open(file, cost_show, NULL);
}

static ssize_t cost_write(struct file *file, const char __user *buffer, size_t size, loff_t *offset)
{
	int err = cost_hold();

	return err ?: size;
}

static const struct proc_ops cost_ops = {
	.proc_open = cost_open,
	.proc_read = seq_read,
	.proc_write = cost_write,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

static int __init cost_init(void)
{
	return proc_create("cost", 0600, NULL, &cost_ops) ? 0 : -ENOMEM;
}

static void __exit cost_exit(void)
{
	remove_proc_entry("cost", NULL);
}

module_init(cost_init);
module_exit(cost_exit);
MODULE_DESCRIPTION("A function that costs nearly nothing");
MODULE_LICENSE("GPL");
