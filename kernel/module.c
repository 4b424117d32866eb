// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every module of Inarch's has: what kbuild would generate for it, and what looks at the kernel before anything
 * else of the module runs. It is compiled once for each kernel. The core (kernel/core/) has it as it is; livepatch.c
 * includes it, and adds what a live patch has.
 *
 * INARCH_INIT is called when the kernel is the right one: init_module, if nobody says otherwise.
 */
#define INCLUDE_VERMAGIC
#include <linux/build-salt.h>
#include <linux/elf.h>
#include <linux/kallsyms.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/utsname.h>
#include <linux/vermagic.h>
#if defined(CONFIG_UNWINDER_ORC) && __has_include(<asm/orc_header.h>)
#include <asm/orc_header.h>
ORC_HEADER;
#endif

#ifndef INARCH_INIT
#define INARCH_INIT init_module
#endif

/*
 * The one image of the kernel that this module was made for. Made by Inarch (src/module/link/kernel-references.ts);
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

/*
 * Runs before anything else of the module, and touches nothing by its distance before it is known that this is the
 * image in which it was measured. What the kernel follows before (jump labels, static calls) is bound by name.
 */
static int __init inarch_begin(void)
{
	if (!inarch_is_version() || (inarch_image.build_id_size && !inarch_is_build()) || !inarch_are_there())
		return -ENOEXEC;
	return INARCH_INIT();
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

/* Read by src/module/structures/template.ts, in this order. */
static const unsigned int inarch_module_layout[] __used __section(".inarch.layout.module") = {
	FIELD(module, name),
	sizeof_field(struct module, name),
	sizeof(struct modversion_info),
	FIELD(modversion_info, crc),
	FIELD(modversion_info, name),
};
