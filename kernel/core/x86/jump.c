// SPDX-License-Identifier: GPL-2.0-only
/*
 * A jump of five bytes in code that runs. It stands behind the five bytes of ftrace's entry, never over them: ftrace
 * stops for good when it finds something there that it did not write.
 */
#include "core.h"
#include <linux/jump_label.h>
#include <linux/kprobes.h>
#include <linux/memory.h>
#include <linux/static_call.h>
#include <asm/alternative.h>
#include <asm/text-patching.h>

/* Who registers a probe copies the instruction first and writes its breakpoint later; this keeps both together. */
extern struct mutex kprobe_mutex;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define inarch_poke_live(at, opcode, size, emulate) smp_text_poke_single(at, opcode, size, emulate)
#else
#define inarch_poke_live(at, opcode, size, emulate) text_poke_bp(at, opcode, size, emulate)
#endif

static void inarch_jump_encode(unsigned char *jump, unsigned long site, const void *target)
{
	s32 distance = (unsigned long)target - (site + INARCH_JUMP_SIZE);

	jump[0] = 0xe9;
	memcpy(jump + 1, &distance, sizeof(distance));
}

/*
 * Whether nobody else writes to these bytes: a jump label, a static call, a lock that is left out on one processor,
 * ftrace, a probe. Later ones are kept out by what they do themselves: a probe within the jump is at no instruction.
 */
static bool inarch_jump_fits(unsigned long site, unsigned long end)
{
	void *first = (void *)site;
	void *last = (void *)(site + INARCH_JUMP_SIZE - 1);
	unsigned long at;
	bool free = true;

	if (site + INARCH_JUMP_SIZE > end)
		return false;
	jump_label_lock();
	preempt_disable();
	for (at = site; at < site + INARCH_JUMP_SIZE; at++)
		free = free && !get_kprobe((void *)at);
	free = free && !jump_label_text_reserved(first, last) && !static_call_text_reserved(first, last) &&
	       !alternatives_text_reserved(first, last) && !ftrace_text_reserved(first, last);
	preempt_enable();
	jump_label_unlock();
	return free;
}

int inarch_jump_write(struct inarch_jump *jump, unsigned long site, unsigned long end, void *target)
{
	int err = -EBUSY;

	mutex_lock(&kprobe_mutex);
	if (inarch_jump_fits(site, end)) {
		jump->site = site;
		inarch_jump_encode(jump->jump, site, target);
		mutex_lock(&text_mutex);
		memcpy(jump->old, (void *)site, INARCH_JUMP_SIZE);
		/* Who comes to the breakpoint meanwhile goes where the jump goes. */
		inarch_poke_live((void *)site, jump->jump, INARCH_JUMP_SIZE, NULL);
		mutex_unlock(&text_mutex);
		err = 0;
	}
	mutex_unlock(&kprobe_mutex);
	return err;
}

int inarch_jump_erase(struct inarch_jump *jump)
{
	int err = 0;

	mutex_lock(&kprobe_mutex);
	mutex_lock(&text_mutex);
	if (memcmp((void *)jump->site, jump->jump, INARCH_JUMP_SIZE))
		err = -EBUSY;
	else
		/* Who is at the first byte came before the handler did, and is to go where the jump went. */
		inarch_poke_live((void *)jump->site, jump->old, INARCH_JUMP_SIZE, jump->jump);
	mutex_unlock(&text_mutex);
	mutex_unlock(&kprobe_mutex);
	return err;
}
