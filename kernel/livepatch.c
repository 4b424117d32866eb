// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of a live patch module that is the same for every patch. It is compiled once for each
 * kernel; Inarch then adds the replacement code and fills in `inarch_patch`, whose layout in this
 * very kernel it reads from the section `.inarch.layout.patch`.
 *
 * A live patch whose source people can edit has its own beginning, end and `inarch_patch`, in C. For it
 * INARCH_OWN_WRAPPER leaves only what kbuild would generate for a module, and what looks at the kernel first.
 * With INARCH_MODEL (enum inarch_model) the core carries the live patch, and not the kernel's own livepatch.
 */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/version.h>
#ifdef INARCH_CLEARS_RELOCATIONS
#include <linux/memory.h>
#include <asm/text-patching.h>
#endif
#ifdef INARCH_MODEL
#include "include/inarch-core.h"
#endif

/* Made by Inarch, or the author's: the objects, their functions and the callbacks of this patch. */
extern struct klp_patch inarch_patch;

#ifndef INARCH_OWN_WRAPPER
static int __init inarch_init(void)
{
#ifdef INARCH_MODEL
	return inarch_enable_patch(&inarch_patch, INARCH_MODEL);
#else
	return klp_enable_patch(&inarch_patch);
#endif
}

static void __exit inarch_exit(void)
{
}

module_init(inarch_init);
module_exit(inarch_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
#endif

#ifdef INARCH_CLEARS_RELOCATIONS
/*
 * What the kernel wrote into the live patch when a patched module came, it leaves there when the module goes, before
 * Linux 6.3; and when the module comes again, it refuses it for that ("Skipping invalid relocation target"). So the
 * live patch clears it itself, where later kernels do it (klp_clear_object_relocs).
 */

/* The callbacks of an object that has others in their place. Made by Inarch, large enough; the last one is empty. */
struct inarch_callbacks {
	struct klp_object *object;
	int (*pre_patch)(struct klp_object *object);
	void (*post_unpatch)(struct klp_object *object);
};
extern struct inarch_callbacks inarch_callbacks[];

static void inarch_clear(const struct klp_modinfo *info, const Elf_Shdr *section)
{
	static const u64 zero;
	const Elf_Rela *rela = (const Elf_Rela *)section->sh_addr;
	const Elf_Rela *end = rela + section->sh_size / sizeof(*rela);
	unsigned long target = info->sechdrs[section->sh_info].sh_addr;

	for (; rela < end; rela++)
		switch (ELF64_R_TYPE(rela->r_info)) {
		case R_X86_64_NONE:
			break;
		case R_X86_64_64:
		case R_X86_64_PC64:
			text_poke((void *)(target + rela->r_offset), &zero, 8);
			break;
		default:
			text_poke((void *)(target + rela->r_offset), &zero, 4);
		}
}

static void inarch_clear_if_gone(const struct klp_object *object)
{
	const struct klp_modinfo *info = THIS_MODULE->klp_info;
	size_t length = strlen(object->name);
	unsigned int i;

	/* While the module stays, a task may still be in the code: one that was forced to leave it. */
	if (object->mod->state == MODULE_STATE_LIVE || inarch_patch.forced)
		return;
	mutex_lock(&text_mutex);
	for (i = 1; i < info->hdr.e_shnum; i++) {
		const Elf_Shdr *section = info->sechdrs + i;
		const char *name = info->secstrings + section->sh_name;

		if ((section->sh_flags & SHF_RELA_LIVEPATCH) && !strncmp(name, ".klp.rela.", 10) &&
		    !strncmp(name + 10, object->name, length) && name[10 + length] == '.')
			inarch_clear(info, section);
	}
	text_poke_sync();
	mutex_unlock(&text_mutex);
}

static const struct inarch_callbacks *inarch_own(const struct klp_object *object)
{
	const struct inarch_callbacks *own = inarch_callbacks;

	while (own->object != object)
		own++;
	return own;
}

/* A module that may not be patched does not come. */
static int inarch_pre_patch(struct klp_object *object)
{
	int err = inarch_own(object)->pre_patch(object);

	if (err)
		inarch_clear_if_gone(object);
	return err;
}

static void inarch_post_unpatch(struct klp_object *object)
{
	const struct inarch_callbacks *own = inarch_own(object);

	if (own->post_unpatch)
		own->post_unpatch(object);
	inarch_clear_if_gone(object);
}

static void __init inarch_watch_modules(void)
{
	struct inarch_callbacks *own = inarch_callbacks;
	const struct klp_patch *patch = &inarch_patch;
	struct klp_object *object;

	klp_for_each_object_static(patch, object) {
		struct klp_callbacks *callbacks = &object->callbacks;

		if (!object->name)
			continue;
		own->object = object;
		own->pre_patch = callbacks->pre_patch;
		own->post_unpatch = callbacks->post_unpatch;
		own++;
		if (callbacks->pre_patch)
			callbacks->pre_patch = inarch_pre_patch;
		callbacks->post_unpatch = inarch_post_unpatch;
	}
}

static int __init inarch_watch_and_init(void)
{
	inarch_watch_modules();
	return init_module();
}

#define INARCH_INIT inarch_watch_and_init
#endif

#include "module.c"

/* For what this kernel does not have. */
#define ABSENT 0xffffffff

/* Read by src/module/structures/template.ts, in this order. */
static const unsigned int inarch_layout[] __used __section(".inarch.layout.patch") = {
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
};
