// SPDX-License-Identifier: GPL-2.0-only
/* The core's own beginning and end. */
#include "core.h"

static int __init inarch_core_init(void)
{
	int err = inarch_sysfs_init();

	if (err)
		return err;
	err = inarch_border_init();
	if (err)
		goto no_border;
	err = inarch_modules_init();
	if (err)
		goto no_modules;
	return 0;
no_modules:
	inarch_border_exit();
no_border:
	inarch_sysfs_exit();
	return err;
}

/* Each patch's module holds a reference to this one, so none is left. */
static void __exit inarch_core_exit(void)
{
	inarch_modules_exit();
	inarch_transition_exit();
	inarch_entries_exit();
	inarch_border_exit();
	inarch_sysfs_exit();
}

module_init(inarch_core_init);
module_exit(inarch_core_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
