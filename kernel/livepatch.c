// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of a live patch module that is the same for every patch. It is compiled once for each
 * kernel; Inarch then adds the replacement code and fills in `inarch_patch`, whose layout in this
 * very kernel it reads from the section `.inarch.layout`.
 *
 * A live patch whose source people can edit has its own beginning, end and `inarch_patch`, in C. For it
 * INARCH_OWN_WRAPPER leaves only what kbuild would generate for a module.
 */
#define INCLUDE_VERMAGIC
#include <linux/build-salt.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/stddef.h>
#include <linux/vermagic.h>
#include <linux/version.h>
#if defined(CONFIG_UNWINDER_ORC) && __has_include(<asm/orc_header.h>)
#include <asm/orc_header.h>
ORC_HEADER;
#endif

#ifndef INARCH_OWN_WRAPPER
/* Made by Inarch: the objects, their functions and the callbacks of this patch. */
extern struct klp_patch inarch_patch;

static int __init inarch_init(void)
{
	return klp_enable_patch(&inarch_patch);
}

static void __exit inarch_exit(void)
{
}

module_init(inarch_init);
module_exit(inarch_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
#endif

MODULE_INFO(vermagic, VERMAGIC_STRING);
#if defined(CONFIG_RETPOLINE) || defined(CONFIG_MITIGATION_RETPOLINE)
MODULE_INFO(retpoline, "Y");
#endif
BUILD_SALT;

/* Inarch writes the module's name into it. */
__visible struct module __this_module __section(".gnu.linkonce.this_module") = {
	.init = init_module,
	.exit = cleanup_module,
	.arch = MODULE_ARCH_INIT,
};

#define FIELD(type, member) offsetof(struct type, member)
/* For what this kernel does not have. */
#define ABSENT 0xffffffff

/* Read by src/module/template.ts, in this order. */
static const unsigned int inarch_layout[] __used __section(".inarch.layout") = {
	sizeof(struct klp_patch),
	FIELD(klp_patch, mod),
	FIELD(klp_patch, objs),
	FIELD(klp_patch, replace),
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 4, 0)
	FIELD(klp_patch, states),
#else
	ABSENT,
#endif
	sizeof(struct klp_object),
	FIELD(klp_object, name),
	FIELD(klp_object, funcs),
#if LINUX_VERSION_CODE >= KERNEL_VERSION(4, 15, 0)
	FIELD(klp_object, callbacks.pre_patch),
	FIELD(klp_object, callbacks.post_patch),
	FIELD(klp_object, callbacks.pre_unpatch),
	FIELD(klp_object, callbacks.post_unpatch),
#else
	ABSENT, ABSENT, ABSENT, ABSENT,
#endif
	sizeof(struct klp_func),
	FIELD(klp_func, old_name),
	FIELD(klp_func, new_func),
	FIELD(klp_func, old_sympos),
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 4, 0)
	sizeof(struct klp_state),
	FIELD(klp_state, id),
	FIELD(klp_state, version),
#else
	ABSENT, ABSENT, ABSENT,
#endif
	FIELD(module, name),
	sizeof_field(struct module, name),
	sizeof(struct modversion_info),
	FIELD(modversion_info, crc),
	FIELD(modversion_info, name),
};
