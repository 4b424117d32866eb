/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the C source of a live patch says to Inarch beyond its code (`inarch build --engine source` writes
 * such source, `inarch build DIRECTORY` compiles it). docs/source-engine.md teaches how to use it.
 */
#ifndef INARCH_SOURCE_H
#define INARCH_SOURCE_H

/*
 * A declaration of something that the running kernel has is enough to use it, exported or not: what no
 * file of the live patch defines is bound to the kernel's own, by its name. Where the name in C is not
 * the symbol's (a variable inside a function is `count.3` there), or where the kernel has several
 * symbols of the name, this macro behind the declarator says which one is meant:
 *
 *	extern int helper(struct page *page) LIVEPATCH_SYMBOL(vmlinux, helper, 2);
 *	extern int calls LIVEPATCH_SYMBOL(nf_tables, count.3, 0);
 *
 * object	the kernel object that has the symbol: vmlinux, or a module's name as the kernel spells it (with _).
 * name		the symbol's name in /proc/kallsyms.
 * position	0 when the object has one symbol of this name; otherwise which of them it is, counted from 1 in
 *		the order of /proc/kallsyms (what livepatch calls sympos).
 */
#define LIVEPATCH_SYMBOL(object, name, position)				\
	__asm__("__livepatch_symbol." #object "." #position "." #name)

/*
 * Declares a function of this live patch for the table in another file of it, which needs nothing of it but
 * its address: its parameters may have types that are private to the C file.
 */
#define LIVEPATCH_REPLACEMENT(function)	extern char function[]

/*
 * A system call that is written with SYSCALL_DEFINE is here its functions and nothing else: the kernel's tables for
 * tracing and for the injection of errors have it already. The header stands behind those of the kernel.
 */
#ifdef SYSCALL_METADATA
#undef SYSCALL_METADATA
#define SYSCALL_METADATA(sname, nb, ...)
#endif
#ifdef ALLOW_ERROR_INJECTION
#undef ALLOW_ERROR_INJECTION
#define ALLOW_ERROR_INJECTION(fname, type)
#endif
/* Without arguments the kernel has one private function and aliases of it, which stay the kernel's. */
#ifdef SYSCALL_DEFINE0
#undef SYSCALL_DEFINE0
#define SYSCALL_DEFINE0(sname) long __do_sys_##sname(const struct pt_regs *__unused)
#endif
#ifdef COMPAT_SYSCALL_DEFINE0
#undef COMPAT_SYSCALL_DEFINE0
#define COMPAT_SYSCALL_DEFINE0(sname) long __do_compat_sys_##sname(const struct pt_regs *__unused)
#endif

#endif
