// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a task is in code that is to be left. Which code that is depends on where the transition goes: to the new
 * functions, and it is what they replace, with what the compiler split off; back, and it is they themselves.
 */
#include "core.h"
#include <linux/kallsyms.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/stacktrace.h>
#include <linux/wait.h>

extern int stack_trace_save_tsk_reliable(struct task_struct *task, unsigned long *store, unsigned int size);
extern int task_call_func(struct task_struct *task, task_call_f func, void *arg);
extern int task_curr(const struct task_struct *task);

struct inarch_leaving {
	unsigned long start;
	unsigned long end;
	const char *func;
};

/* Sorted by start. Guarded by inarch_mutex, which a stopped machine does not need. */
static struct inarch_leaving *inarch_leaving;
static unsigned int inarch_leaving_count;

/* As many as the kernel's livepatch looks at; a deeper stack is not reliable. */
#define INARCH_DEPTH 100
static DEFINE_PER_CPU(unsigned long[INARCH_DEPTH], inarch_frames);

static int inarch_by_start(const void *a, const void *b)
{
	const struct inarch_leaving *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static void inarch_leave(struct inarch_leaving *all, unsigned int *count, unsigned long start, unsigned long end,
			 const char *func)
{
	if (all)
		all[*count] = (struct inarch_leaving){ .start = start, .end = end, .func = func };
	(*count)++;
}

static unsigned int inarch_leaving_fill(struct inarch_leaving *all)
{
	struct inarch_object *object;
	struct inarch_func *func;
	unsigned int count = 0;
	unsigned int i;

	inarch_for_each_object(inarch_transition.patch, object) {
		if (!inarch_is_loaded(object))
			continue;
		inarch_for_each_func(object, func) {
			struct inarch_range range;

			if (inarch_transition.new)
				inarch_entry_before(func, &range);
			else if (func->new_code)
				range = (struct inarch_range){ (unsigned long)func->new_code,
							       (unsigned long)func->new_code + func->new_size };
			else
				range = (struct inarch_range){ func->old, func->old + func->old_size };
			inarch_leave(all, &count, range.start, range.end, func->name);
			if (range.start != func->old)
				continue;
			for (i = 0; i < func->cold_parts; i++)
				inarch_leave(all, &count, func->cold[i].start, func->cold[i].end, func->name);
		}
	}
	return count;
}

int inarch_leaving_init(void)
{
	unsigned int count = inarch_leaving_fill(NULL);
	struct inarch_leaving *all = kvmalloc_array(count + 1, sizeof(*all), GFP_KERNEL);

	if (!all)
		return -ENOMEM;
	inarch_leaving_free();
	inarch_leaving_count = inarch_leaving_fill(all);
	inarch_leaving = all;
	sort(all, inarch_leaving_count, sizeof(*all), inarch_by_start, NULL);
	return 0;
}

void inarch_leaving_free(void)
{
	kvfree(inarch_leaving);
	inarch_leaving = NULL;
	inarch_leaving_count = 0;
}

static const char *inarch_leaving_at(unsigned long address)
{
	unsigned int low = 0, high = inarch_leaving_count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (inarch_leaving[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* The last instruction may be a call, behind which it is not returned to. */
	return low && address <= inarch_leaving[low - 1].end ? inarch_leaving[low - 1].func : NULL;
}

/* Also in code that is not to be left, but in which it may not go over. */
static struct inarch_stack_finding inarch_stack_look_for(struct task_struct *task, const struct inarch_range *nor)
{
	struct inarch_stack_finding finding = {};
	unsigned long *frames;
	int i, count;

	preempt_disable();
	frames = *this_cpu_ptr(&inarch_frames);
	count = stack_trace_save_tsk_reliable(task, frames, INARCH_DEPTH);
	if (count < 0)
		finding.result = -EINVAL;
	for (i = 0; i < count && !finding.result; i++) {
		finding.func = inarch_leaving_at(frames[i]);
		if (finding.func)
			finding.result = -EADDRINUSE;
		else if (nor && frames[i] >= nor->start && frames[i] <= nor->end)
			finding.result = -EAGAIN;
	}
	preempt_enable();
	return finding;
}

struct inarch_stack_finding inarch_stack_look(struct task_struct *task)
{
	return inarch_stack_look_for(task, NULL);
}

struct inarch_stack_request {
	struct inarch_stack_finding finding;
	const struct inarch_range *nor;
	bool move;
};

/* The scheduler keeps the task where it is meanwhile. */
static int inarch_stack_pinned(struct task_struct *task, void *data)
{
	struct inarch_stack_request *request = data;

	if (task_curr(task) && task != current) {
		request->finding = (struct inarch_stack_finding){ .result = -EBUSY };
		return 0;
	}
	request->finding = inarch_stack_look_for(task, request->nor);
	if (request->move && !request->finding.result)
		inarch_view_move(task);
	return 0;
}

struct inarch_stack_finding inarch_stack_move(struct task_struct *task, const struct inarch_range *nor)
{
	struct inarch_stack_request request = { .move = true, .nor = nor };

	task_call_func(task, inarch_stack_pinned, &request);
	return request.finding;
}

struct inarch_stack_finding inarch_stack_check(struct task_struct *task)
{
	struct inarch_stack_request request = {};

	task_call_func(task, inarch_stack_pinned, &request);
	return request.finding;
}

void inarch_stack_words(struct task_struct *task, char *words, size_t size)
{
	struct inarch_stack_finding finding = inarch_stack_check(task);

	switch (finding.result) {
	case -EBUSY:
		strscpy(words, "runs", size);
		break;
	case -EADDRINUSE:
		scnprintf(words, size, "is in %s", finding.func);
		break;
	case 0:
		strscpy(words, "is about to go over", size);
		break;
	default:
		strscpy(words, "its stack can't be read for certain", size);
	}
}
