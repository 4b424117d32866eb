/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A live patch of what /proc/version and one more file say, by the model that its parameter names. Two of them meet in
 * the first function, and not in the second.
 */
#include <linux/module.h>
#include <linux/seq_file.h>
#include "inarch-core.h"

static int model;
module_param(model, int, 0400);
static bool replace;
module_param(replace, bool, 0400);

static int new_version(struct seq_file *file, void *data)
{
	seq_puts(file, STACK_NAME "\n");
	return 0;
}

static int new_other(struct seq_file *file, void *data)
{
	seq_puts(file, STACK_NAME "\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "version_proc_show", .new_func = new_version },
	{ .old_name = STACK_OTHER, .new_func = new_other },
	{}
};

static struct klp_object objects[] = { { .funcs = funcs }, {} };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init stack_patch_init(void)
{
	patch.replace = replace;
	return inarch_enable_patch(&patch, model);
}

static void __exit stack_patch_exit(void)
{
}

module_init(stack_patch_init);
module_exit(stack_patch_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
