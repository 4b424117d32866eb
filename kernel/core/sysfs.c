// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/inarch, in the shape of /sys/kernel/livepatch:
 *
 *	PATCH/enabled		1, or 0 when it is on its way back; write 0 to revert, also in the middle
 *	PATCH/transition	1 while tasks go over
 *	PATCH/force		write 1: the tasks that are left are taken for gone over
 *	PATCH/replace		1 when it replaced all older ones
 *	PATCH/model		kgraft, kpatch or hybrid
 *	PATCH/tasks		the tasks that are left: PID NAME: why
 *	PATCH/wake		write 1: those of them that sleep are woken
 *	PATCH/OBJECT/patched	1 when the object is there and replaced
 *	PATCH/OBJECT/FUNC,POS/way	how its callers are led away: ftrace, probe, jump
 */
#include "core.h"
#include <linux/completion.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

static struct kobject *inarch_root;

static struct inarch_patch *inarch_patch_at(struct kobject *kobj)
{
	return container_of(kobj, struct inarch_patch, kobj);
}

static bool inarch_is_in_transition(const struct inarch_patch *patch)
{
	return patch == READ_ONCE(inarch_transition.patch);
}

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attribute, char *page)
{
	return sysfs_emit(page, "%d\n", inarch_patch_at(kobj)->enabled);
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attribute, const char *page, size_t count)
{
	struct inarch_patch *patch = inarch_patch_at(kobj);
	bool enabled;
	int err = kstrtobool(page, &enabled);

	if (err)
		return err;
	mutex_lock(&inarch_mutex);
	if (patch->enabled == enabled || list_empty(&patch->node))
		err = -EINVAL;
	else if (inarch_is_in_transition(patch))
		inarch_transition_reverse();
	else
		/* One that is disabled is not enabled again: its module is to be loaded again. */
		err = enabled ? -EINVAL : inarch_disable_patch(patch);
	mutex_unlock(&inarch_mutex);
	return err ?: count;
}

static ssize_t transition_show(struct kobject *kobj, struct kobj_attribute *attribute, char *page)
{
	return sysfs_emit(page, "%d\n", inarch_is_in_transition(inarch_patch_at(kobj)));
}

static ssize_t replace_show(struct kobject *kobj, struct kobj_attribute *attribute, char *page)
{
	return sysfs_emit(page, "%d\n", inarch_patch_at(kobj)->says->replace);
}

static ssize_t model_show(struct kobject *kobj, struct kobj_attribute *attribute, char *page)
{
	return sysfs_emit(page, "%s\n", inarch_model_ops(inarch_patch_at(kobj)->model)->name);
}

static ssize_t inarch_in_transition_store(struct kobject *kobj, const char *page, size_t count, void (*act)(void))
{
	bool wanted;
	int err = kstrtobool(page, &wanted);

	if (err)
		return err;
	if (!wanted)
		return -EINVAL;
	mutex_lock(&inarch_mutex);
	if (inarch_is_in_transition(inarch_patch_at(kobj)))
		act();
	else
		err = -EINVAL;
	mutex_unlock(&inarch_mutex);
	return err ?: count;
}

static ssize_t force_store(struct kobject *kobj, struct kobj_attribute *attribute, const char *page, size_t count)
{
	return inarch_in_transition_store(kobj, page, count, inarch_transition_force);
}

static ssize_t wake_store(struct kobject *kobj, struct kobj_attribute *attribute, const char *page, size_t count)
{
	return inarch_in_transition_store(kobj, page, count, inarch_transition_wake);
}

struct inarch_told {
	char *page;
	int size;
	unsigned int more;
};

static void inarch_tell_task(struct task_struct *task, void *data)
{
	struct inarch_told *told = data;
	char why[KSYM_NAME_LEN];
	char name[TASK_COMM_LEN];

	/* Room for one more line, and for how many there are besides. */
	if (told->size > PAGE_SIZE - KSYM_NAME_LEN - 128) {
		told->more++;
		return;
	}
	inarch_transition.ops->why(task, why, sizeof(why));
	get_task_comm(name, task);
	told->size += sysfs_emit_at(told->page, told->size, "%d %s: %s\n", task->pid, name, why);
}

static ssize_t tasks_show(struct kobject *kobj, struct kobj_attribute *attribute, char *page)
{
	struct inarch_told told = { .page = page };

	mutex_lock(&inarch_mutex);
	if (inarch_is_in_transition(inarch_patch_at(kobj)) && inarch_transition.ops->why)
		inarch_views_visit(inarch_tell_task, &told);
	mutex_unlock(&inarch_mutex);
	if (told.more)
		told.size += sysfs_emit_at(page, told.size, "and %u more\n", told.more);
	return told.size;
}

static ssize_t patched_show(struct kobject *kobj, struct kobj_attribute *attribute, char *page)
{
	return sysfs_emit(page, "%d\n", container_of(kobj, struct inarch_object, kobj)->patched);
}

static ssize_t way_show(struct kobject *kobj, struct kobj_attribute *attribute, char *page)
{
	ssize_t size;

	mutex_lock(&inarch_mutex);
	size = sysfs_emit(page, "%s\n", inarch_entry_way(container_of(kobj, struct inarch_func, kobj)));
	mutex_unlock(&inarch_mutex);
	return size;
}

static struct kobj_attribute inarch_enabled = __ATTR_RW(enabled);
static struct kobj_attribute inarch_transition_attribute = __ATTR_RO(transition);
static struct kobj_attribute inarch_replace = __ATTR_RO(replace);
static struct kobj_attribute inarch_model_attribute = __ATTR_RO(model);
static struct kobj_attribute inarch_tasks = __ATTR_RO(tasks);
static struct kobj_attribute inarch_force = __ATTR_WO(force);
static struct kobj_attribute inarch_wake = __ATTR_WO(wake);
static struct attribute *inarch_patch_attrs[] = {
	&inarch_enabled.attr, &inarch_transition_attribute.attr, &inarch_replace.attr, &inarch_model_attribute.attr,
	&inarch_tasks.attr,   &inarch_force.attr,		 &inarch_wake.attr,    NULL,
};
ATTRIBUTE_GROUPS(inarch_patch);

static struct kobj_attribute inarch_patched = __ATTR_RO(patched);
static struct attribute *inarch_object_attrs[] = { &inarch_patched.attr, NULL };
ATTRIBUTE_GROUPS(inarch_object);

static struct kobj_attribute inarch_way = __ATTR_RO(way);
static struct attribute *inarch_func_attrs[] = { &inarch_way.attr, NULL };
ATTRIBUTE_GROUPS(inarch_func);

static void inarch_release_patch(struct kobject *kobj)
{
	complete(&inarch_patch_at(kobj)->released);
}

/* Its patch's memory is freed when the patch has been released, which holds on to it: it is its parent. */
static void inarch_release_part(struct kobject *kobj)
{
}

const struct kobj_type inarch_patch_ktype = {
	.release = inarch_release_patch,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = inarch_patch_groups,
};
const struct kobj_type inarch_object_ktype = {
	.release = inarch_release_part,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = inarch_object_groups,
};
const struct kobj_type inarch_func_ktype = {
	.release = inarch_release_part,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = inarch_func_groups,
};

static int inarch_sysfs_add_object(struct inarch_object *object)
{
	struct inarch_func *func;
	int err = kobject_add(&object->kobj, &object->patch->kobj, "%s", object->name ?: "vmlinux");

	if (err)
		return err;
	inarch_for_each_func(object, func) {
		err = kobject_add(&func->kobj, &object->kobj, "%s,%lu", func->name, func->sympos ?: 1);
		if (err)
			return err;
	}
	return 0;
}

int inarch_sysfs_add(struct inarch_patch *patch)
{
	struct inarch_object *object;
	int err = kobject_add(&patch->kobj, inarch_root, "%s", patch->mod->name);

	if (!err)
		inarch_for_each_object(patch, object) {
			err = inarch_sysfs_add_object(object);
			if (err)
				break;
		}
	return err;
}

/* Waits until nobody is in its attributes; inarch_mutex is not held. */
void inarch_sysfs_remove(struct inarch_patch *patch)
{
	struct inarch_object *object;
	struct inarch_func *func;

	inarch_for_each_object(patch, object) {
		inarch_for_each_func(object, func)
			kobject_put(&func->kobj);
		kobject_put(&object->kobj);
	}
	kobject_put(&patch->kobj);
	wait_for_completion(&patch->released);
}

int inarch_sysfs_init(void)
{
	inarch_root = kobject_create_and_add("inarch", kernel_kobj);
	return inarch_root ? 0 : -ENOMEM;
}

void inarch_sysfs_exit(void)
{
	kobject_put(inarch_root);
}
