// SPDX-License-Identifier: GPL-2.0-only
/* Writing to the code of a live patch: what relocations filled in, and what is taken out again. */
#include "core.h"
#include <linux/elf.h>
#include <linux/memory.h>
#include <asm/text-patching.h>

size_t inarch_relocation_size(unsigned int type)
{
	switch (type) {
	case R_X86_64_NONE:
		return 0;
	case R_X86_64_64:
	case R_X86_64_PC64:
		return 8;
	default:
		return 4;
	}
}

void inarch_write_code(void *at, const void *bytes, size_t size)
{
	if (size)
		text_poke(at, bytes, size);
}

void inarch_written_code(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
	smp_text_poke_sync_each_cpu();
#else
	text_poke_sync();
#endif
}
