// SPDX-License-Identifier: GPL-2.0-only
/*
 * The live patch of pairs.c, by the model that its parameter names; 0 is the kernel's own livepatch. 4 is no model at
 * all: probes that lead the calls away, one function after the other, whoever is where. With it mixed pairs must show.
 */
#include <linux/kprobes.h>
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

#define NO_MODEL 4

static int lead_away(struct kprobe *probe, struct pt_regs *regs);
static void stay_a_probe(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

#define PROBE(name) { .symbol_name = "pairs:" name, .pre_handler = lead_away, .post_handler = stay_a_probe }
static struct kprobe probes[] = { PROBE("pairs_first"), PROBE("pairs_second"), PROBE("pairs_held") };
static struct kprobe *all_probes[] = { &probes[0], &probes[1], &probes[2] };

static int lead_away(struct kprobe *probe, struct pt_regs *regs)
{
	instruction_pointer_set(regs, (unsigned long)funcs[probe - probes].new_func);
	return 1;
}

static int __init pairs_patch_init(void)
{
	if (model == NO_MODEL)
		return register_kprobes(all_probes, ARRAY_SIZE(all_probes));
	return model ? inarch_enable_patch(&patch, model) : klp_enable_patch(&patch);
}

static void __exit pairs_patch_exit(void)
{
	if (model == NO_MODEL)
		unregister_kprobes(all_probes, ARRAY_SIZE(all_probes));
}

module_init(pairs_patch_init);
module_exit(pairs_patch_exit);
MODULE_DESCRIPTION("Replaces functions that belong together");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
