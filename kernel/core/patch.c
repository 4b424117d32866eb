// SPDX-License-Identifier: GPL-2.0-only
/*
 * A patch: what a module hands over, and what the core keeps about it. The module's own struct klp_patch is only read.
 */
#include "core.h"
#include <linux/completion.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

DEFINE_MUTEX(inarch_mutex);
LIST_HEAD(inarch_patches);
bool inarch_forced;

static struct klp_callbacks *inarch_callbacks_of(struct inarch_object *object)
{
	return object->says ? &object->says->callbacks : NULL;
}

int inarch_call_pre_patch(struct inarch_object *object)
{
	struct klp_callbacks *callbacks = inarch_callbacks_of(object);
	int err = callbacks && callbacks->pre_patch ? callbacks->pre_patch(object->says) : 0;

	if (err)
		pr_warn("pre-patch callback failed for object '%s' (%d)\n", object->name ?: "vmlinux", err);
	object->prepared = !err;
	return err;
}

void inarch_call_post_patch(struct inarch_object *object)
{
	struct klp_callbacks *callbacks = inarch_callbacks_of(object);

	if (callbacks && callbacks->post_patch)
		callbacks->post_patch(object->says);
}

void inarch_call_pre_unpatch(struct inarch_object *object)
{
	struct klp_callbacks *callbacks = inarch_callbacks_of(object);

	if (callbacks && callbacks->pre_unpatch)
		callbacks->pre_unpatch(object->says);
}

void inarch_call_post_unpatch(struct inarch_object *object)
{
	struct klp_callbacks *callbacks = inarch_callbacks_of(object);

	if (callbacks && callbacks->post_unpatch && object->prepared)
		callbacks->post_unpatch(object->says);
	object->prepared = false;
}

void inarch_unpatch_object(struct inarch_object *object)
{
	inarch_entries_pop(object);
	object->patched = false;
}

int inarch_patch_object(struct inarch_object *object)
{
	int err = inarch_entries_push(object);

	object->patched = !err;
	return err;
}

/* The same function, as klp_patch names it: position 0 is 1 when there is only one. */
static bool inarch_is_same_func(const struct inarch_func *a, const struct inarch_func *b)
{
	return !strcmp(a->name, b->name) && (a->sympos ?: 1) == (b->sympos ?: 1);
}

static bool inarch_is_same_object(const struct inarch_object *a, const struct inarch_object *b)
{
	return a->name && b->name ? !strcmp(a->name, b->name) : a->name == b->name;
}

static struct inarch_func *inarch_add_func(struct inarch_object *object, const char *name, unsigned long sympos,
					   void *new_code)
{
	struct inarch_func *func = kzalloc(sizeof(*func), GFP_KERNEL);

	if (!func)
		return NULL;
	func->name = name;
	func->sympos = sympos;
	func->new_code = new_code;
	func->model = object->patch->model;
	func->object = object;
	kobject_init(&func->kobj, &inarch_func_ktype);
	list_add_tail(&func->node, &object->funcs);
	return func;
}

static struct inarch_object *inarch_add_object(struct inarch_patch *patch, struct klp_object *says, const char *name)
{
	struct inarch_object *object = kzalloc(sizeof(*object), GFP_KERNEL);

	if (!object)
		return NULL;
	object->says = says;
	object->name = name;
	object->patch = patch;
	INIT_LIST_HEAD(&object->funcs);
	kobject_init(&object->kobj, &inarch_object_ktype);
	list_add_tail(&object->node, &patch->objects);
	return object;
}

/* What an older patch replaces and this one does not goes back to the old code with it. */
static int inarch_add_undone_funcs(struct inarch_patch *patch, struct inarch_object *older)
{
	struct inarch_object *object = NULL, *one;
	struct inarch_func *func, *own;

	inarch_for_each_object(patch, one)
		if (inarch_is_same_object(one, older))
			object = one;
	inarch_for_each_func(older, func) {
		bool has = !func->new_code;

		if (object)
			inarch_for_each_func(object, own)
				has = has || inarch_is_same_func(own, func);
		if (has)
			continue;
		if (!object)
			object = inarch_add_object(patch, NULL, older->name ? kstrdup(older->name, GFP_KERNEL) : NULL);
		if (!object || (older->name && !object->name))
			return -ENOMEM;
		/* The older patch may be gone before this one. */
		own = inarch_add_func(object, NULL, func->sympos, NULL);
		if (!own)
			return -ENOMEM;
		own->name = kstrdup(func->name, GFP_KERNEL);
		if (!own->name)
			return -ENOMEM;
	}
	return 0;
}

static int inarch_add_undone(struct inarch_patch *patch)
{
	struct inarch_patch *older;
	struct inarch_object *object;
	int err;

	list_for_each_entry(older, &inarch_patches, node)
		inarch_for_each_object(older, object) {
			err = inarch_add_undone_funcs(patch, object);
			if (err)
				return err;
		}
	return 0;
}

static void inarch_free_func(struct inarch_func *func)
{
	/* Only names of what an older patch brought are the core's own. */
	if (!func->new_code)
		kfree(func->name);
	list_del(&func->node);
	kfree(func);
}

static void inarch_free_object(struct inarch_object *object)
{
	struct inarch_func *func, *next;

	list_for_each_entry_safe(func, next, &object->funcs, node)
		inarch_free_func(func);
	if (!object->says)
		kfree(object->name);
	list_del(&object->node);
	kfree(object);
}

/* All kobjects have been released. */
static void inarch_free_patch(struct inarch_patch *patch)
{
	struct inarch_object *object, *next;

	list_for_each_entry_safe(object, next, &patch->objects, node)
		inarch_free_object(object);
	kfree(patch);
}

static void inarch_remove_patch(struct inarch_patch *patch)
{
	struct module *mod = patch->mod;
	bool stays = patch->forced;

	inarch_sysfs_remove(patch);
	inarch_free_patch(patch);
	if (!stays)
		module_put(mod);
}

static void inarch_free_work(struct work_struct *work)
{
	inarch_remove_patch(container_of(work, struct inarch_patch, free_work));
}

void inarch_retire(struct inarch_patch *patch)
{
	struct inarch_object *object;

	patch->enabled = false;
	inarch_for_each_object(patch, object)
		if (object->name && object->mod)
			inarch_unbind_object(object);
	list_del_init(&patch->node);
	/* Its attributes wait for inarch_mutex, which is held here, so they go later. */
	schedule_work(&patch->free_work);
}

void inarch_retire_replaced(struct inarch_patch *by)
{
	struct inarch_patch *older, *next;
	struct inarch_object *object;

	if (!by->says->replace)
		return;
	list_for_each_entry_safe(older, next, &inarch_patches, node) {
		if (older == by)
			break;
		inarch_for_each_object(older, object)
			if (object->patched)
				inarch_unpatch_object(object);
	}
	/* The old code stands alone again where this patch brings nothing. */
	inarch_for_each_object(by, object)
		inarch_entries_pop_undone(object);
	list_for_each_entry_safe(older, next, &inarch_patches, node) {
		if (older == by)
			break;
		pr_notice("'%s': replaced by '%s'\n", older->mod->name, by->mod->name);
		inarch_retire(older);
	}
}

/* A state of the same name that is newer than the patch's own would be taken over by who does not know it. */
static bool inarch_is_compatible(const struct klp_patch *says)
{
	struct inarch_patch *older;
	struct klp_state *state, *own;

	list_for_each_entry(older, &inarch_patches, node)
		for (state = older->says->states; state && state->id; state++) {
			bool known = false;

			for (own = says->states; own && own->id; own++) {
				if (own->id != state->id)
					continue;
				known = true;
				if (own->version < state->version)
					return false;
			}
			if (!known && says->replace)
				return false;
		}
	return true;
}

static struct inarch_patch *inarch_patch_of(struct klp_patch *says, enum inarch_model model)
{
	struct inarch_patch *patch = kzalloc(sizeof(*patch), GFP_KERNEL);
	struct klp_object *says_object;
	struct klp_func *says_func;

	if (!patch)
		return NULL;
	patch->says = says;
	patch->mod = says->mod;
	patch->model = model;
	INIT_LIST_HEAD(&patch->objects);
	init_completion(&patch->released);
	INIT_WORK(&patch->free_work, inarch_free_work);
	kobject_init(&patch->kobj, &inarch_patch_ktype);
	klp_for_each_object_static(says, says_object) {
		struct inarch_object *object = inarch_add_object(patch, says_object, says_object->name);

		if (!object)
			goto no_memory;
		klp_for_each_func_static(says_object, says_func)
			if (!inarch_add_func(object, says_func->old_name, says_func->old_sympos, says_func->new_func))
				goto no_memory;
	}
	return patch;
no_memory:
	inarch_free_patch(patch);
	return NULL;
}

static int inarch_check(const struct klp_patch *says, enum inarch_model model)
{
	struct klp_object *object;
	struct klp_func *func;

	if (!says || !says->mod || !says->objs || !inarch_model_ops(model))
		return -EINVAL;
	if (says->mod->state != MODULE_STATE_COMING || !is_livepatch_module(says->mod))
		return -EINVAL;
	klp_for_each_object_static(says, object) {
		if (!object->funcs || (object->name && strlen(object->name) >= MODULE_NAME_LEN))
			return -EINVAL;
		klp_for_each_func_static(object, func)
			if (!func->old_name || !func->new_func || strlen(func->old_name) >= KSYM_NAME_LEN)
				return -EINVAL;
	}
	return 0;
}

static void inarch_unbind_all(struct inarch_patch *patch)
{
	struct inarch_object *object;

	inarch_for_each_object(patch, object)
		if (object->name && object->mod)
			inarch_unbind_object(object);
}

static int inarch_bind_all(struct inarch_patch *patch)
{
	struct inarch_object *object;
	int err;

	inarch_for_each_object(patch, object) {
		inarch_find_module(object);
		if (!inarch_is_loaded(object))
			continue;
		err = inarch_bind_object(object);
		if (err)
			return err;
	}
	return 0;
}

static int inarch_enable(struct inarch_patch *patch)
{
	struct inarch_object *object;
	int err = inarch_transition_init(patch, true);

	if (err)
		return err;
	inarch_for_each_object(patch, object) {
		if (!inarch_is_loaded(object))
			continue;
		err = inarch_call_pre_patch(object);
		if (!err)
			err = inarch_patch_object(object);
		if (err)
			goto cancel;
	}
	patch->enabled = true;
	err = inarch_transition_start();
	if (!err)
		return 0;
cancel:
	patch->enabled = false;
	inarch_transition_cancel();
	return err;
}

int inarch_enable_patch(struct klp_patch *says, enum inarch_model model)
{
	struct inarch_patch *patch;
	int err = inarch_check(says, model);

	if (err) {
		pr_err("what was handed over is no patch\n");
		return err;
	}
	mutex_lock(&inarch_mutex);
	if (inarch_transition.patch) {
		pr_err("'%s': the transition of '%s' is under way\n", says->mod->name, inarch_transition.patch->mod->name);
		err = -EBUSY;
		goto unlock;
	}
	if (!inarch_is_compatible(says)) {
		pr_err("'%s': a patch that is enabled has a state that this one does not know\n", says->mod->name);
		err = -EINVAL;
		goto unlock;
	}
	err = -ENODEV;
	if (!try_module_get(says->mod))
		goto unlock;
	err = -ENOMEM;
	patch = inarch_patch_of(says, model);
	if (!patch)
		goto put;
	err = 0;
	if (says->replace)
		err = inarch_add_undone(patch);
	if (!err)
		err = inarch_bind_all(patch);
	if (!err)
		err = inarch_sysfs_add(patch);
	if (!err) {
		list_add_tail(&patch->node, &inarch_patches);
		err = inarch_enable(patch);
		if (err)
			list_del_init(&patch->node);
	}
	if (!err)
		goto unlock;
	inarch_unbind_all(patch);
	mutex_unlock(&inarch_mutex);
	/* Outside: somebody may be waiting in its attributes. */
	inarch_remove_patch(patch);
	return err;
put:
	module_put(says->mod);
unlock:
	mutex_unlock(&inarch_mutex);
	return err;
}
EXPORT_SYMBOL_GPL(inarch_enable_patch);

/* Under inarch_mutex. */
int inarch_disable_patch(struct inarch_patch *patch)
{
	struct inarch_object *object;
	int err;

	if (inarch_transition.patch)
		return -EBUSY;
	err = inarch_transition_init(patch, false);
	if (err)
		return err;
	inarch_for_each_object(patch, object)
		if (object->patched)
			inarch_call_pre_unpatch(object);
	patch->enabled = false;
	err = inarch_transition_start();
	if (!err)
		return 0;
	/* It is enabled still, and says so to its callbacks. */
	patch->enabled = true;
	inarch_transition_cancel();
	return err;
}

struct klp_state *inarch_get_prev_state(unsigned long id)
{
	struct klp_state *state, *found = NULL;
	struct inarch_patch *patch;

	/* Called by callbacks, under inarch_mutex; the one that is being enabled is the last. */
	list_for_each_entry(patch, &inarch_patches, node) {
		if (patch == inarch_transition.patch)
			break;
		for (state = patch->says->states; state && state->id; state++)
			if (state->id == id)
				found = state;
	}
	return found;
}
EXPORT_SYMBOL_GPL(inarch_get_prev_state);
