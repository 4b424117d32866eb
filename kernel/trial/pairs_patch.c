// SPDX-License-Identifier: GPL-2.0-only
/* The live patch of pairs.c, by the model that its parameter names; 0 is the kernel's own livepatch. */
#include <linux/livepatch.h>
#include <linux/module.h>
#include "inarch-core.h"
#include "pairs.h"

static int model;
module_param(model, int, 0400);

static noinline int new_first(void)
{
	return PAIRS_NEW;
}

static noinline int new_second(void)
{
	return PAIRS_NEW;
}

static noinline int new_held(const struct pairs *pairs, bool sleeps)
{
	int first = pairs->first();

	pairs->between(sleeps);
	return first == PAIRS_NEW && pairs->second() == PAIRS_NEW ? PAIRS_NEW : PAIRS_MIXED;
}

static struct klp_func funcs[] = {
	{ .old_name = "pairs_first", .new_func = new_first },
	{ .old_name = "pairs_second", .new_func = new_second },
	{ .old_name = "pairs_held", .new_func = new_held },
	{}
};

static struct klp_object objects[] = { { .name = "pairs", .funcs = funcs }, {} };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init pairs_patch_init(void)
{
	return model ? inarch_enable_patch(&patch, model) : klp_enable_patch(&patch);
}

static void __exit pairs_patch_exit(void)
{
}

module_init(pairs_patch_init);
module_exit(pairs_patch_exit);
MODULE_DESCRIPTION("Replaces functions that belong together");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
