// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a patch is about: symbols of the kernel and of modules, the relocations that refer to them, and modules that
 * come and go while it is enabled.
 */
#include "core.h"
#include <linux/elf.h>
#include <linux/kallsyms.h>
#include <linux/memory.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include <linux/string.h>

/* Of the kernel, and not exported. */
extern struct list_head modules;
extern struct mutex module_mutex;
extern struct module *find_module(const char *name);

struct inarch_search {
	const char *object;
	const char *name;
	/* 0: it has to be the only one. */
	unsigned long sympos;
	unsigned long count;
	unsigned long address;
	/* Called for each; NULL: the search is for one. */
	void (*each)(unsigned long address, void *data);
	void *data;
};

static int inarch_found(struct inarch_search *search, unsigned long address)
{
	if (search->each) {
		search->each(address, search->data);
		return 0;
	}
	search->address = address;
	search->count++;
	return search->sympos ? search->count == search->sympos : search->count > 1;
}

static int inarch_found_in_kernel(void *data, unsigned long address)
{
	return inarch_found(data, address);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
static int inarch_found_in_module(void *data, const char *name, struct module *mod, unsigned long address)
{
	struct inarch_search *search = data;

	return !strcmp(mod->name, search->object) && !strcmp(name, search->name) ? inarch_found(search, address) : 0;
}

#define inarch_each_in_module(search) module_kallsyms_on_each_symbol(inarch_found_in_module, search)
#else
static int inarch_found_in_module(void *data, const char *name, unsigned long address)
{
	struct inarch_search *search = data;

	return !strcmp(name, search->name) ? inarch_found(search, address) : 0;
}

#define inarch_each_in_module(search) module_kallsyms_on_each_symbol((search)->object, inarch_found_in_module, search)
#endif

static void inarch_search(struct inarch_search *search)
{
	if (search->object)
		inarch_each_in_module(search);
	else
		kallsyms_on_each_match_symbol(inarch_found_in_kernel, search->name, search);
}

/**
 * inarch_find_symbol() - where a symbol is
 * @object: a module's name; NULL for the kernel's own
 * @sympos: the how many-th of this name, from 1; 0 when it has to be the only one
 */
int inarch_find_symbol(const char *object, const char *name, unsigned long sympos, unsigned long *address)
{
	struct inarch_search search = { .object = object, .name = name, .sympos = sympos };

	inarch_search(&search);
	*address = search.address;
	if (search.count == (sympos ?: 1))
		return 0;
	if (!search.count)
		pr_err("%s has no symbol %s\n", object ?: "vmlinux", name);
	else if (!sympos)
		pr_err("%s has more than one symbol %s, and the patch does not say which\n", object ?: "vmlinux", name);
	else
		pr_err("%s has %lu symbols %s, and the patch wants number %lu\n", object ?: "vmlinux", search.count, name,
		       sympos);
	return -EINVAL;
}

static void inarch_note_cold_part(unsigned long address, void *data)
{
	struct inarch_func *func = data;
	unsigned long size;

	if (func->cold_parts == INARCH_COLD_PARTS || !kallsyms_lookup_size_offset(address, &size, NULL))
		return;
	func->cold[func->cold_parts++] = (struct inarch_range){ address, address + size };
}

/* Of several functions of one name nobody knows whose part it is: all count. */
static void inarch_find_cold_parts(struct inarch_func *func)
{
	char name[KSYM_NAME_LEN];
	struct inarch_search search = {
		.object = func->object->name,
		.name = name,
		.each = inarch_note_cold_part,
		.data = func,
	};

	func->cold_parts = 0;
	if (snprintf(name, sizeof(name), "%s.cold", func->name) < sizeof(name))
		inarch_search(&search);
}

static int inarch_bind_func(struct inarch_func *func)
{
	int err = inarch_find_symbol(func->object->name, func->name, func->sympos, &func->old);

	if (err)
		return err;
	if (!kallsyms_lookup_size_offset(func->old, &func->old_size, NULL) ||
	    (func->new_code && !kallsyms_lookup_size_offset((unsigned long)func->new_code, &func->new_size, NULL))) {
		pr_err("%s: how long it is, or what replaces it, is not known\n", func->name);
		return -ENOENT;
	}
	inarch_find_cold_parts(func);
	return 0;
}

static bool inarch_is_for(const struct klp_modinfo *info, const Elf_Shdr *section, const char *object)
{
	const char *name = info->secstrings + section->sh_name;
	size_t length = strlen(object);

	return (section->sh_flags & SHF_RELA_LIVEPATCH) && !strncmp(name, ".klp.rela.", 10) &&
	       !strncmp(name + 10, object, length) && name[10 + length] == '.';
}

static int inarch_apply_relocations(struct inarch_object *object)
{
	struct module *mod = object->patch->mod;
	struct klp_modinfo *info = mod->klp_info;
	unsigned int i;
	int err;

	for (i = 1; i < info->hdr.e_shnum; i++) {
		if (!inarch_is_for(info, info->sechdrs + i, object->name))
			continue;
		err = klp_apply_section_relocs(mod, info->sechdrs, info->secstrings, mod->core_kallsyms.strtab,
					       info->symndx, i, object->name);
		if (err)
			return err;
	}
	return 0;
}

/* When the module comes again, the kernel refuses to write where something stands already. */
static void inarch_clear_relocations(struct inarch_object *object)
{
	static const u64 zero;
	struct klp_modinfo *info = object->patch->mod->klp_info;
	unsigned int i;

	mutex_lock(&text_mutex);
	for (i = 1; i < info->hdr.e_shnum; i++) {
		const Elf_Shdr *section = info->sechdrs + i;
		const Elf_Rela *rela = (const Elf_Rela *)section->sh_addr;
		const Elf_Rela *end;
		unsigned long target;

		if (!inarch_is_for(info, section, object->name))
			continue;
		end = rela + section->sh_size / sizeof(*rela);
		target = info->sechdrs[section->sh_info].sh_addr;
		for (; rela < end; rela++)
			inarch_write_code((void *)(target + rela->r_offset), &zero,
					  inarch_relocation_size(ELF64_R_TYPE(rela->r_info)));
	}
	inarch_written_code();
	mutex_unlock(&text_mutex);
}

/* The object is there: its functions are found, and what the patch refers to in it is filled in. */
int inarch_bind_object(struct inarch_object *object)
{
	struct inarch_func *func;
	int err = 0;

	if (object->name && object->says)
		err = inarch_apply_relocations(object);
	if (!err)
		inarch_for_each_func(object, func) {
			err = inarch_bind_func(func);
			if (err)
				break;
		}
	if (err)
		inarch_unbind_object(object);
	return err;
}

void inarch_unbind_object(struct inarch_object *object)
{
	struct inarch_func *func;

	inarch_for_each_func(object, func)
		func->old = 0;
	if (!object->name)
		return;
	/* While the module stays, a task may still be in the code: one that was forced to leave it. */
	if (object->says && !(object->patch->forced && object->mod && object->mod->state == MODULE_STATE_LIVE))
		inarch_clear_relocations(object);
	object->mod = NULL;
	if (object->says)
		object->says->mod = NULL;
}

/*
 * The modules that are there for us: from when their coming has been told until their going is. In between the kernel
 * knows them already, or still, and they may not be touched.
 */
struct inarch_arrived {
	struct module *mod;
	struct list_head node;
};
static LIST_HEAD(inarch_arrived);

static struct inarch_arrived *inarch_find_arrived(const struct module *mod)
{
	struct inarch_arrived *arrived;

	list_for_each_entry(arrived, &inarch_arrived, node)
		if (arrived->mod == mod)
			return arrived;
	return NULL;
}

static int inarch_note_arrival(struct module *mod)
{
	struct inarch_arrived *arrived;

	if (inarch_find_arrived(mod))
		return 0;
	arrived = kmalloc(sizeof(*arrived), GFP_KERNEL);
	if (!arrived)
		return -ENOMEM;
	arrived->mod = mod;
	list_add(&arrived->node, &inarch_arrived);
	return 0;
}

static void inarch_forget_arrival(const struct module *mod)
{
	struct inarch_arrived *arrived = inarch_find_arrived(mod);

	if (!arrived)
		return;
	list_del(&arrived->node);
	kfree(arrived);
}

/* Its going is told under inarch_mutex, so no reference is needed. */
void inarch_find_module(struct inarch_object *object)
{
	struct module *mod = NULL;

	if (object->name) {
		rcu_read_lock_sched();
		mod = find_module(object->name);
		rcu_read_unlock_sched();
		if (mod && !inarch_find_arrived(mod))
			mod = NULL;
	}
	object->mod = mod;
	if (object->says)
		object->says->mod = mod;
}

static void inarch_object_goes(struct inarch_object *object)
{
	if (object->patch != inarch_transition.patch)
		inarch_call_pre_unpatch(object);
	pr_notice("reverting patch '%s' on unloading module '%s'\n", object->patch->mod->name, object->name);
	inarch_unpatch_object(object);
	inarch_call_post_unpatch(object);
	inarch_unbind_object(object);
}

static int inarch_object_comes(struct inarch_object *object, struct module *mod)
{
	int err;

	object->mod = mod;
	if (object->says)
		object->says->mod = mod;
	err = inarch_bind_object(object);
	if (err)
		return err;
	pr_notice("applying patch '%s' to loading module '%s'\n", object->patch->mod->name, mod->name);
	err = inarch_call_pre_patch(object);
	if (err) {
		inarch_unbind_object(object);
		return err;
	}
	err = inarch_patch_object(object);
	if (err) {
		inarch_call_post_unpatch(object);
		inarch_unbind_object(object);
		return err;
	}
	if (object->patch != inarch_transition.patch)
		inarch_call_post_patch(object);
	return 0;
}

/* Up to, not including, limit. */
static void inarch_module_goes(struct module *mod, const struct inarch_patch *limit)
{
	struct inarch_patch *patch;
	struct inarch_object *object;

	list_for_each_entry(patch, &inarch_patches, node) {
		if (patch == limit)
			return;
		inarch_for_each_object(patch, object)
			if (object->name && object->mod == mod)
				inarch_object_goes(object);
	}
}

static int inarch_module_comes(struct module *mod)
{
	struct inarch_patch *patch;
	struct inarch_object *object;
	int err = inarch_note_arrival(mod);

	if (err)
		return err;
	list_for_each_entry(patch, &inarch_patches, node)
		inarch_for_each_object(patch, object) {
			if (!object->name || strcmp(object->name, mod->name))
				continue;
			err = inarch_object_comes(object, mod);
			if (!err)
				continue;
			pr_err("patch '%s' can't be applied to module '%s' (%d), which is not loaded for that\n",
			       patch->mod->name, mod->name, err);
			inarch_module_goes(mod, patch);
			inarch_forget_arrival(mod);
			return err;
		}
	inarch_entries_rest();
	return 0;
}

static int inarch_on_module(struct notifier_block *block, unsigned long state, void *data)
{
	struct module *mod = data;
	int err = 0;

	if (state != MODULE_STATE_COMING && state != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	mutex_lock(&inarch_mutex);
	if (state == MODULE_STATE_COMING) {
		err = inarch_module_comes(mod);
	} else {
		inarch_module_goes(mod, NULL);
		inarch_forget_arrival(mod);
	}
	mutex_unlock(&inarch_mutex);
	return notifier_from_errno(err);
}

static struct notifier_block inarch_module_notifier = {
	.notifier_call = inarch_on_module,
	/* Before any other that may call the module's functions. */
	.priority = INT_MAX - 1,
};

int inarch_modules_init(void)
{
	struct module *mod;
	int err;

	mutex_lock(&inarch_mutex);
	err = register_module_notifier(&inarch_module_notifier);
	if (err)
		goto unlock;
	/* Those whose coming was told before. One that comes now is told of behind this mutex. */
	mutex_lock(&module_mutex);
	list_for_each_entry(mod, &modules, list)
		if (mod->state == MODULE_STATE_LIVE && !err)
			err = inarch_note_arrival(mod);
	mutex_unlock(&module_mutex);
unlock:
	mutex_unlock(&inarch_mutex);
	if (err)
		inarch_modules_exit();
	return err;
}

void inarch_modules_exit(void)
{
	unregister_module_notifier(&inarch_module_notifier);
	while (!list_empty(&inarch_arrived))
		inarch_forget_arrival(list_first_entry(&inarch_arrived, struct inarch_arrived, node)->mod);
}
