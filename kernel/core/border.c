// SPDX-License-Identifier: GPL-2.0-only
/*
 * The border between kernel and user space. A task that is about to leave the kernel has nothing of it on its stack, so
 * whatever it sees next is seen from the beginning.
 *
 * The kernel tells of it by a user return notifier: at the very end, with interrupts off, behind signals and task work,
 * and for each way out, system call, interrupt or exception. Task work would not do: io_uring, ptrace and KVM run it in
 * the middle of a system call. A notifier is of one processor, and a flag in the task makes the kernel look for it; the
 * flag goes from task to task as they follow each other on the processor.
 */
#include "core.h"
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/user-return-notifier.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

extern int wake_up_state(struct task_struct *task, unsigned int state);

static DEFINE_PER_CPU(struct user_return_notifier, inarch_border_notifier);
static DEFINE_PER_CPU(bool, inarch_border_is_open);
static bool inarch_border_wanted;
static enum cpuhp_state inarch_border_state;

static void inarch_on_border(struct user_return_notifier *notifier)
{
	inarch_view_move(current);
}

/* On its own processor, in a thread that is bound to it. */
static void inarch_border_set(bool open)
{
	struct user_return_notifier *notifier;

	/* Neither another task nor a return of this one may come between; an interrupt returns to the kernel. */
	preempt_disable();
	notifier = this_cpu_ptr(&inarch_border_notifier);
	if (open != __this_cpu_read(inarch_border_is_open)) {
		local_irq_disable();
		if (open) {
			notifier->on_user_return = inarch_on_border;
			user_return_notifier_register(notifier);
		} else {
			user_return_notifier_unregister(notifier);
		}
		local_irq_enable();
		__this_cpu_write(inarch_border_is_open, open);
	}
	preempt_enable();
}

static void inarch_border_open_here(struct work_struct *work)
{
	inarch_border_set(true);
}

static void inarch_border_close_here(struct work_struct *work)
{
	inarch_border_set(false);
}

static int inarch_border_cpu_comes(unsigned int cpu)
{
	if (READ_ONCE(inarch_border_wanted))
		inarch_border_set(true);
	return 0;
}

static int inarch_border_cpu_goes(unsigned int cpu)
{
	inarch_border_set(false);
	return 0;
}

int inarch_border_open(void)
{
	int err;

	WRITE_ONCE(inarch_border_wanted, true);
	/* The thread that runs it is followed by some task, which takes the flag over. */
	err = schedule_on_each_cpu(inarch_border_open_here);
	if (err)
		inarch_border_close();
	return err;
}

void inarch_border_close(void)
{
	WRITE_ONCE(inarch_border_wanted, false);
	while (schedule_on_each_cpu(inarch_border_close_here))
		/* No memory: the notifiers may not outlive what they look at. */
		schedule_timeout_uninterruptible(1);
}

/*
 * Makes a sleeper come to the border, as the kernel's livepatch does: no handler is called, and most system calls begin
 * again unseen. epoll_wait, semop, semtimedop, sigtimedwait, and recv and accept with a timeout return EINTR.
 */
void inarch_wake_up(struct task_struct *task)
{
	if (task->flags & PF_KTHREAD)
		wake_up_state(task, TASK_INTERRUPTIBLE);
	else
		set_notify_signal(task);
}

int inarch_border_init(void)
{
	int state = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "inarch:border", inarch_border_cpu_comes,
					      inarch_border_cpu_goes);

	if (state < 0)
		return state;
	inarch_border_state = state;
	return 0;
}

void inarch_border_exit(void)
{
	cpuhp_remove_state_nocalls(inarch_border_state);
}
