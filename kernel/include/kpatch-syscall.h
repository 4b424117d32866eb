/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System calls in patches written for kpatch. The body of a SYSCALL_DEFINEn is an inline function, which
 * has no entry for ftrace when the compiler gives it code of its own. KPATCH_SYSCALL_DEFINEn makes sure
 * that it gets none: the body becomes a part of the functions around it, which have one. Inarch replaces
 * these in any case; a patch may as well leave SYSCALL_DEFINEn as it is.
 */
#ifndef INARCH_KPATCH_SYSCALL_H
#define INARCH_KPATCH_SYSCALL_H

#include <linux/syscalls.h>
#include <linux/version.h>
#include "kpatch-macros.h"

#define KPATCH_SYSCALL_DEFINE1(name, ...) KPATCH_SYSCALL_DEFINEx(1, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE2(name, ...) KPATCH_SYSCALL_DEFINEx(2, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE3(name, ...) KPATCH_SYSCALL_DEFINEx(3, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE4(name, ...) KPATCH_SYSCALL_DEFINEx(4, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE5(name, ...) KPATCH_SYSCALL_DEFINEx(5, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE6(name, ...) KPATCH_SYSCALL_DEFINEx(6, _##name, __VA_ARGS__)

/* What SYSCALL_DEFINEx calls the body. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(4, 17, 0)
#define INARCH_SYSCALL_BODY(name)	__do_sys##name
#else
#define INARCH_SYSCALL_BODY(name)	SYSC##name
#endif

/* An attribute of the first declaration holds for those that follow. */
#define KPATCH_SYSCALL_DEFINEx(x, name, ...)					\
	static __always_inline							\
	long INARCH_SYSCALL_BODY(name)(__MAP(x, __SC_DECL, __VA_ARGS__));	\
	SYSCALL_DEFINEx(x, name, __VA_ARGS__)

/* kpatch's macro names the tables about system calls; here they stay as they are. */
#define KPATCH_IGNORE_SYSCALL_SECTIONS						\
	KPATCH_IGNORE_SECTION("__syscalls_metadata");				\
	KPATCH_IGNORE_SECTION("_ftrace_events")

#endif
