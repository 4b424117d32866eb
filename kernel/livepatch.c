// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of a live patch module that is the same for every patch. It is compiled once for each
 * kernel; Inarch then adds the replacement code and fills in `inarch_patch`, whose layout in this
 * very kernel it reads from the section `.inarch.layout`.
 *
 * A live patch whose source people can edit has its own beginning, end and `inarch_patch`, in C. For it
 * INARCH_OWN_WRAPPER leaves only what kbuild would generate for a module, and what looks at the kernel first.
 */
#define INCLUDE_VERMAGIC
#include <linux/build-salt.h>
#include <linux/elf.h>
#include <linux/kallsyms.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/utsname.h>
#include <linux/vermagic.h>
#include <linux/version.h>
#ifdef INARCH_CLEARS_RELOCATIONS
#include <linux/memory.h>
#include <asm/text-patching.h>
#endif
#if defined(CONFIG_UNWINDER_ORC) && __has_include(<asm/orc_header.h>)
#include <asm/orc_header.h>
ORC_HEADER;
#endif

/* Made by Inarch, or the author's: the objects, their functions and the callbacks of this patch. */
extern struct klp_patch inarch_patch;

#ifndef INARCH_OWN_WRAPPER
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

/*
 * The one image of the kernel that this live patch was made for. Made by Inarch (src/module/link/kernel-references.ts);
 * bytes only, so that it has the same layout everywhere.
 */
struct inarch_image {
	char release[__NEW_UTS_LEN + 1];
	char version[__NEW_UTS_LEN + 1];
	unsigned char build_id_size;
	unsigned char build_id[32];
};
extern const struct inarch_image inarch_image;

/*
 * What is reached by its distance from an exported symbol: where it should be, and each name that this address
 * has, one behind the other, with an empty one at the end. The last entry has no names.
 */
struct inarch_reference {
	unsigned long address;
	const char *names;
};
extern const struct inarch_reference inarch_references[];

/* With MODVERSIONS the kernel loads a module of another release, too, when the checksums are the same. */
static bool __init inarch_is_version(void)
{
	const struct new_utsname *name = &init_uts_ns.name;

	if (!strcmp(name->release, inarch_image.release) && !strcmp(name->version, inarch_image.version))
		return true;
	pr_err("%s: made for %s %s, and this kernel is %s %s\n", THIS_MODULE->name, inarch_image.release,
	       inarch_image.version, name->release, name->version);
	return false;
}

/* The GNU build-id in the kernel's notes; NULL when there is none. */
static const unsigned char * __init inarch_build_id(const char *notes, size_t size, size_t *id_size)
{
	size_t at = 0;

	while (size - at >= sizeof(Elf64_Nhdr)) {
		const Elf64_Nhdr *note = (const void *)(notes + at);
		size_t name = at + sizeof(*note);
		size_t id = name + ALIGN((size_t)note->n_namesz, 4);
		size_t end = id + ALIGN((size_t)note->n_descsz, 4);

		if (id > size || end > size)
			break;
		if (note->n_type == 3 && note->n_namesz == 4 && !memcmp(notes + name, "GNU", 4)) {
			*id_size = note->n_descsz;
			return notes + id;
		}
		at = end;
	}
	return NULL;
}

/*
 * Two builds of one version have the same names, but not the same addresses. The notes are read through the
 * attribute behind /sys/kernel/notes: a file could be another one where the module is loaded.
 */
static bool __init inarch_is_build(void)
{
	struct kernfs_node *node = kernfs_find_and_get_ns(kernel_kobj->sd, "notes", NULL);
	const size_t wanted = inarch_image.build_id_size;
	const unsigned char *id = NULL;
	size_t size = 0;
	char *notes = NULL;

	if (node) {
		struct bin_attribute *attribute = node->priv;

		notes = kzalloc(attribute->size, GFP_KERNEL);
		if (notes && attribute->read(NULL, kernel_kobj, attribute, notes, 0, attribute->size) > 0)
			id = inarch_build_id(notes, attribute->size, &size);
		kernfs_put(node);
	}
	if (id && size == wanted && !memcmp(id, inarch_image.build_id, size)) {
		kfree(notes);
		return true;
	}
	pr_err("%s: made for the build %*phN of this kernel, and this is %*phN\n", THIS_MODULE->name, (int)wanted,
	       inarch_image.build_id, (int)min_t(size_t, size, 32), id ?: (const unsigned char *)"");
	kfree(notes);
	return false;
}

static bool __init inarch_is_called(const char *symbol, const char *name)
{
	size_t length = strlen(name);

	/* A module's symbol has the module's name behind it, in brackets. */
	return !strncmp(symbol, name, length) && !strncmp(symbol + length, "+0x0/", 5) && !strchr(symbol, '[');
}

/* The build-id says that all of them are right; this is who checks the sum. */
static bool __init inarch_are_there(void)
{
	static char symbol[KSYM_SYMBOL_LEN] __initdata;
	const struct inarch_reference *one;

	for (one = inarch_references; one->names; one++) {
		const char *name = one->names;

		sprint_symbol(symbol, one->address);
		while (*name && !inarch_is_called(symbol, name))
			name += strlen(name) + 1;
		if (*name)
			continue;
		pr_err("%s: where %s should be, this kernel has %s\n", THIS_MODULE->name, one->names, symbol);
		return false;
	}
	return true;
}

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
#else
static void __init inarch_watch_modules(void)
{
}
#endif

/*
 * Runs before anything else of the live patch, and touches nothing by its distance before it is known that this
 * is the image in which it was measured. What the kernel follows before (jump labels, static calls) is bound by
 * name.
 */
static int __init inarch_begin(void)
{
	if (!inarch_is_version() || (inarch_image.build_id_size && !inarch_is_build()) || !inarch_are_there())
		return -ENOEXEC;
	inarch_watch_modules();
	return init_module();
}

MODULE_INFO(vermagic, VERMAGIC_STRING);
#if defined(CONFIG_RETPOLINE) || defined(CONFIG_MITIGATION_RETPOLINE)
MODULE_INFO(retpoline, "Y");
#endif
BUILD_SALT;

/* Inarch writes the module's name into it. */
__visible struct module __this_module __section(".gnu.linkonce.this_module") = {
	.init = inarch_begin,
	.exit = cleanup_module,
	.arch = MODULE_ARCH_INIT,
};

#define FIELD(type, member) offsetof(struct type, member)
/* For what this kernel does not have. */
#define ABSENT 0xffffffff

/* Read by src/module/structures/template.ts, in this order. */
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
