// SPDX-License-Identifier: GPL-3.0-or-later
// DO_ONCE and jump labels, for texts that tests compile.

/** As in include/linux/once.h and jump_label.h: each use makes a flag and the key of a jump label. */
export const once = `
typedef _Bool bool; struct static_key { int n; unsigned long entries; };
#define JUMP_LABEL(code, key, by) asm goto("1: " code "\\n.pushsection __jump_table, \\"aw\\"\\n.balign 8\\n.long 1b - .\\n.long %l[yes] - .\\n.quad %c0 + %c1 - .\\n.popsection" :: "i"(key), "i"(by) :: yes); return 0; yes: return 1
static inline __attribute__((always_inline)) bool is_on(struct static_key *const key) { JUMP_LABEL(".byte 0x0f,0x1f,0x44,0x00,0x00", key, 0); }
static inline __attribute__((always_inline)) bool is_off(struct static_key *const key) { JUMP_LABEL("jmp %l[yes]", key, 1); }
bool __do_once_start(bool *, unsigned long *); void __do_once_done(bool *, struct static_key *, unsigned long *, void *);
void get_random_bytes(void *, unsigned long);
#define unlikely(x) __builtin_expect(!!(x), 0)
#define DO_ONCE(func, ...) ({ static bool __attribute__((section(".data..once"))) ___done; static struct static_key ___once_key = { 1, 1 }; \\
  if (unlikely(!is_off(&___once_key))) { unsigned long flags; \\
    if (unlikely(__do_once_start(&___done, &flags))) { func(__VA_ARGS__); __do_once_done(&___done, &___once_key, &flags, (void *)0); } } })
`
