/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the core know of each other. One noun, one file:
 *
 *	patch.c		a patch: its objects and functions; enabling, disabling, replacing
 *	entry.c		an entry: the old function, and what stands at its beginning
 *	view.c		a view: whether a task sees old or new code
 *	border.c	where tasks leave the kernel
 *	kthread.c	where threads of the kernel come round
 *	stack.c		whether a task is in code that is to be left
 *	transition.c	the one transition under way
 *	kgraft.c, kpatch.c, hybrid.c	the models
 *	modules.c	symbols, relocations, and modules that come and go
 *	sysfs.c		/sys/kernel/inarch
 *	x86/		all that is of one architecture
 *
 * inarch_mutex guards everything but what the handler reads (entry.c, view.c).
 */
#ifndef INARCH_CORE_INTERNAL_H
#define INARCH_CORE_INTERNAL_H

#ifndef pr_fmt
#define pr_fmt(fmt) "inarch: " fmt
#endif

#include <linux/ftrace.h>
#include <linux/kobject.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/version.h>
#include "inarch-core.h"

extern struct mutex inarch_mutex;

/* Addresses from start up to, not including, end. */
struct inarch_range {
	unsigned long start;
	unsigned long end;
};

/* What the compiler split off a function as unlikely: NAME.cold. More of one name than this are not kept apart. */
#define INARCH_COLD_PARTS 4

struct inarch_func {
	const char *name;
	unsigned long sympos;
	/* What the patch brings; NULL for one that an older patch replaces and this one does not (replace). */
	void *new_code;
	unsigned long new_size;
	/* The rest is valid while the object is there. */
	unsigned long old;
	unsigned long old_size;
	struct inarch_range cold[INARCH_COLD_PARTS];
	unsigned int cold_parts;
	struct inarch_entry *entry;
	/* In inarch_entry.funcs: the newest first. */
	struct list_head stack_node;
	/* While a transition is under way some see this function, and some the one before it. */
	bool transition;
	enum inarch_model model;
	struct inarch_object *object;
	struct list_head node;
	struct kobject kobj;
};

struct inarch_object {
	/* Of the patch; NULL when only an older patch has this object (replace). */
	struct klp_object *says;
	/* NULL for vmlinux. */
	const char *name;
	struct module *mod;
	/* Its functions are replaced: entries have been made for them. */
	bool patched;
	/* post_unpatch runs only where pre_patch has run. */
	bool prepared;
	struct list_head funcs;
	struct inarch_patch *patch;
	struct list_head node;
	struct kobject kobj;
};

struct inarch_patch {
	struct klp_patch *says;
	struct module *mod;
	enum inarch_model model;
	struct list_head objects;
	bool enabled;
	/* Tasks were taken for moved that were not: its code stays for ever. */
	bool forced;
	/* In inarch_patches: the oldest first. */
	struct list_head node;
	struct kobject kobj;
	struct completion released;
	struct work_struct free_work;
};

extern struct list_head inarch_patches;
/* A patch was forced, ever: tasks may be in any old code. */
extern bool inarch_forced;

#define inarch_for_each_object(patch, object) list_for_each_entry(object, &(patch)->objects, node)
#define inarch_for_each_func(object, func) list_for_each_entry(func, &(object)->funcs, node)

static inline bool inarch_is_loaded(const struct inarch_object *object)
{
	return !object->name || object->mod;
}

/* patch.c */
int inarch_disable_patch(struct inarch_patch *patch);
int inarch_patch_object(struct inarch_object *object);
void inarch_unpatch_object(struct inarch_object *object);
/* When the transition is complete. */
void inarch_retire_replaced(struct inarch_patch *by);
void inarch_retire(struct inarch_patch *patch);
int inarch_call_pre_patch(struct inarch_object *object);
void inarch_call_post_patch(struct inarch_object *object);
void inarch_call_pre_unpatch(struct inarch_object *object);
void inarch_call_post_unpatch(struct inarch_object *object);

/* modules.c */
int inarch_find_symbol(const char *object, const char *name, unsigned long sympos, unsigned long *address);
int inarch_bind_object(struct inarch_object *object);
void inarch_unbind_object(struct inarch_object *object);
void inarch_find_module(struct inarch_object *object);
int inarch_modules_init(void);
void inarch_modules_exit(void);

/* entry.c */
/* Puts an object's functions on top of their entries; on an error, none. */
int inarch_entries_push(struct inarch_object *object);
void inarch_entries_pop(struct inarch_object *object);
/* Only those that bring nothing: what an older patch replaced, and this one does not. */
void inarch_entries_pop_undone(struct inarch_object *object);
/*
 * Before a patch's functions are in transition: all calls of them come by their handlers from now on. On an error all
 * is as it was.
 */
int inarch_entries_wake(struct inarch_patch *patch);
/* Puts jumps where handlers are no longer needed, soon. */
void inarch_entries_rest(void);
void inarch_entries_exit(void);
/* The code that func's callers get who do not see func. */
void inarch_entry_before(struct inarch_func *func, struct inarch_range *range);
/* How calls are led away: "ftrace", "probe" or "jump". */
const char *inarch_entry_way(const struct inarch_func *func);
/* Everybody who was in a handler has left it. */
void inarch_synchronize(void);

/* view.c */
int inarch_views_begin(bool new);
void inarch_views_end(void);
bool inarch_view_is_new(struct task_struct *task);
/* Of the current task, on its border; or of one that does not run, and is kept from it. */
void inarch_view_move(struct task_struct *task);
/* Back: what moved is to move again. */
void inarch_views_turn(void);
/* Calls visit for each task that has not moved; the number of those that are left. */
unsigned int inarch_views_visit(void (*visit)(struct task_struct *task, void *data), void *data);
void inarch_views_force(void);

/* Whether nobody is left, for certain. */
bool inarch_views_are_over(void);

/* border.c */
int inarch_border_open(void);
void inarch_border_close(void);
void inarch_wake_up(struct task_struct *task);
int inarch_border_init(void);
void inarch_border_exit(void);

/* kthread.c */
int inarch_rounds_open(void);
void inarch_rounds_close(void);

/* stack.c */
struct inarch_stack_finding {
	/* 0: none of the code is in its stack. -EBUSY: it runs. -EADDRINUSE: in func. -EINVAL: not known. */
	int result;
	const char *func;
};
int inarch_leaving_init(void);
void inarch_leaving_free(void);
/* To be called where the task can't run. */
struct inarch_stack_finding inarch_stack_look(struct task_struct *task);
/* Looks at a task that does not run, and moves it when it is in none of the code, nor in that range (NULL: none). */
struct inarch_stack_finding inarch_stack_move(struct task_struct *task, const struct inarch_range *nor);
struct inarch_stack_finding inarch_stack_check(struct task_struct *task);
void inarch_stack_words(struct task_struct *task, char *words, size_t size);

/* transition.c */
struct inarch_transition {
	/* NULL: none is under way. */
	struct inarch_patch *patch;
	const struct inarch_model_ops *ops;
	/* Where it goes. */
	bool new;
};
extern struct inarch_transition inarch_transition;
/* Everybody still sees what was before. */
int inarch_transition_init(struct inarch_patch *patch, bool new);
/* Begins to move; when it returns an error, inarch_transition_cancel() is to follow. */
int inarch_transition_start(void);
/* Nobody has moved yet. */
void inarch_transition_cancel(void);
void inarch_transition_reverse(void);
void inarch_transition_force(void);
void inarch_transition_wake(void);
void inarch_transition_exit(void);

/* The models: what differs between them. */
struct inarch_model_ops {
	const char *name;
	/* Functions that ftrace has no place in can be carried. */
	bool without_ftrace;
	/* Before any function is in transition. Everybody sees what was before, until open. */
	int (*begin)(bool new);
	/* From here on tasks go over. NULL: they do in advance. */
	int (*open)(void);
	/* Called again and again: those that may go over do. 0 when all have; -EAGAIN; another error ends it. */
	int (*advance)(void);
	/* Goes back in the middle. NULL: there is no middle. */
	void (*turn)(void);
	/* All who are left are taken for moved. NULL: there are none. */
	void (*force)(void);
	/* Nobody goes over any more. */
	void (*close)(void);
	/* No function is in transition any more. */
	void (*end)(void);
	/* Why a task has not gone over, in a few words. */
	void (*why)(struct task_struct *task, char *words, size_t size);
};
extern const struct inarch_model_ops inarch_kgraft, inarch_kpatch, inarch_hybrid;
const struct inarch_model_ops *inarch_model_ops(enum inarch_model model);

bool inarch_kgraft_is_new(void);
bool inarch_kpatch_is_new(void);
bool inarch_hybrid_is_new(void);

/* sysfs.c */
int inarch_sysfs_add(struct inarch_patch *patch);
void inarch_sysfs_remove(struct inarch_patch *patch);
int inarch_sysfs_init(void);
void inarch_sysfs_exit(void);
extern const struct kobj_type inarch_patch_ktype, inarch_object_ktype, inarch_func_ktype;

/* Of one architecture. */

/* Bytes of a jump that reaches all code of the kernel. */
#define INARCH_JUMP_SIZE 5

struct inarch_jump {
	unsigned long site;
	unsigned char old[INARCH_JUMP_SIZE];
	unsigned char jump[INARCH_JUMP_SIZE];
};
/*
 * Nobody may be within the bytes, but any may be at the first one. The function's code ends at end.
 * -EBUSY: the bytes are not its alone, or somebody else writes to them.
 */
int inarch_jump_write(struct inarch_jump *jump, unsigned long site, unsigned long end, void *target);
/* -EBUSY: something else stands there now. */
int inarch_jump_erase(struct inarch_jump *jump);
/* Bytes that the loader writes for a relocation of this type; 0 for none. */
size_t inarch_relocation_size(unsigned int type);
/* Under text_mutex: into code that may not be written to otherwise; and then, that all processors see it. */
void inarch_write_code(void *at, const void *bytes, size_t size);
void inarch_written_code(void);

#endif
