// SPDX-License-Identifier: GPL-3.0-or-later
// WARN() with a text as Linux 7.2 has it (arch/x86/include/asm/bug.h), for C texts of the tests.

/**
 * `WARN_TEXT(flags, format, …)`; `WARN_AT` is the same with a line of one's own.
 * @param size bytes of struct bug_entry
 */
export const warnText = `
struct bug_entry { int addr, format, file; unsigned short line, flags; };
extern void __SCT__WARN_trap(struct bug_entry *bug, ...);
#define WARN_AT(number, fl_, text, ...) do { struct bug_entry *bug; \\
	asm volatile("lea (2f)(%%rip), %[addr]\\n1:\\n.pushsection __bug_table,\\"aw\\"\\n2:\\n" \\
		".long 1b - .\\n.long %c[fmt] - .\\n.long %c[file] - .\\n.word %c[line]\\n.word %c[fl]\\n.org 2b + 16\\n" \\
		".popsection\\n" : [addr] "=r" (bug) \\
		: [fmt] "i" (text), [file] "i" ("kernel/thing.c"), [line] "i" (number), [fl] "i" (fl_)); \\
	__SCT__WARN_trap(bug, ##__VA_ARGS__); asm(""); } while (0)
#define WARN_TEXT(text, ...) WARN_AT(__LINE__, 0x911, text, ##__VA_ARGS__)
`
