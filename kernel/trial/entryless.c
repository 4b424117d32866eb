// SPDX-License-Identifier: GPL-2.0-only
/*
 * A live patch of hex_to_bin(), which has no place for ftrace, as all of lib/ is compiled without; by the model that
 * its parameter names. /sys/module/entryless/parameters/z says what the function makes of a z: -1, or 42 when it is
 * patched.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include "inarch-core.h"

static int model;
module_param(model, int, 0400);

static int get_z(char *text, const struct kernel_param *parameter)
{
	return sprintf(text, "%d\n", hex_to_bin('z'));
}

static const struct kernel_param_ops z_ops = { .get = get_z };
module_param_cb(z, &z_ops, NULL, 0444);

static int new_hex_to_bin(unsigned char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit == 'z' ? 42 : -1;
}

static struct klp_func funcs[] = { { .old_name = "hex_to_bin", .new_func = new_hex_to_bin }, {} };

static struct klp_object objects[] = { { .funcs = funcs }, {} };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init entryless_init(void)
{
	return inarch_enable_patch(&patch, model);
}

static void __exit entryless_exit(void)
{
}

module_init(entryless_init);
module_exit(entryless_exit);
MODULE_DESCRIPTION("Replaces a function that ftrace does not know");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
