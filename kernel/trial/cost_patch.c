// SPDX-License-Identifier: GPL-2.0-only
/* The live patch of cost.c, by the model that its parameter names; 0 is the kernel's own livepatch. */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include "inarch-core.h"

static int model;
module_param(model, int, 0400);

static noinline int new_target(int value)
{
	asm volatile("" : "+r"(value));
	return value + 1;
}

static noinline int new_hold(void)
{
	schedule_timeout_interruptible(MAX_SCHEDULE_TIMEOUT);
	return signal_pending(current) ? -EINTR : 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "cost_target", .new_func = new_target },
	{ .old_name = "cost_hold", .new_func = new_hold },
	{}
};

static struct klp_object objects[] = { { .name = "cost", .funcs = funcs }, {} };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init cost_patch_init(void)
{
	return model ? inarch_enable_patch(&patch, model) : klp_enable_patch(&patch);
}

static void __exit cost_patch_exit(void)
{
}

module_init(cost_patch_init);
module_exit(cost_patch_exit);
MODULE_DESCRIPTION("Replaces a function that costs nearly nothing");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
