// SPDX-License-Identifier: GPL-3.0-or-later
// What compilers do to names: clones, parts, numbers, statics that move, and places that change. A thing is
// recognised by what it is.
import { expect } from 'vitest'
import { sheet } from '../cases.ts'

const gcc = /^gcc/

/** A function with a numbered symbol, and one that calls it twice. */
const clone = (symbol: string, stem: string, body: string) => `
  static noinline int ${stem}(int) NAMED("${symbol}");
  static noinline int ${stem}(int a) { ${body} }
  int ${stem}_user(int a) { return ${stem}(a) + ${stem}(a ^ 5); }`

sheet({
  title: 'a clone',
  cases: [
    {
      title: 'isra that is only renumbered is no change, nor are its callers',
      before: clone('walk_list.isra.0', 'walk_list', 'return get() * a + 1100;'),
      after: clone('walk_list.isra.14', 'walk_list', 'return get() * a + 1100;'),
    },
    {
      title: 'isra that is renumbered and changes is found, and only that one',
      before: clone('walk_tree.isra.2', 'walk_tree', 'return get() * a + 1200;'),
      after: clone('walk_tree.isra.1', 'walk_tree', 'return get() * a + 1200 + 1;'),
      changed: ['walk_tree'],
    },
    {
      title: 'constprop, part and isra in one name is told apart from its siblings by its callers',
      before: `
        static noinline int mix(int) NAMED("mix.constprop.0.isra.0"); static noinline int mix(int a) { return get() * a; }
        static noinline int mix2(int) NAMED("mix.constprop.1.isra.0"); static noinline int mix2(int a) { return get() - a; }
        int mix_first(int a) { return mix(a) + mix(a ^ 5); } int mix_second(int a) { return mix2(a) + mix2(a ^ 9); }`,
      after: `
        static noinline int mix(int) NAMED("mix.constprop.1.isra.0"); static noinline int mix(int a) { return get() * a; }
        static noinline int mix2(int) NAMED("mix.constprop.0.isra.0"); static noinline int mix2(int a) { return get() - a; }
        int mix_first(int a) { return mix(a) + mix(a ^ 5); } int mix_second(int a) { return mix2(a) + mix2(a ^ 9); }`,
    },
    {
      title: 'that appears is new, and its callers change',
      before: clone('divide', 'divide', 'return get() / a;'),
      after: clone('divide.constprop.0', 'divide', 'return get() / 3 + a;'),
      changed: ['divide_user'],
      added: ['divide'],
      removed: ['divide'],
    },
    {
      title: 'that vanishes leaves its callers changed',
      before: clone('modulo.isra.0.constprop.7', 'modulo', 'return get() % 3 + a;'),
      after: clone('modulo', 'modulo', 'return get() % a;'),
      changed: ['modulo_user'],
      added: ['modulo'],
      removed: ['modulo'],
    },
    {
      title: 'part that is split off is new, and its function changes',
      before: 'int split_it(int a) { return unlikely(a) ? get() * 3 : 7; }',
      after: `static noinline int split_part(int) NAMED("split_it.part.0"); static noinline int split_part(int a) { return get() * 3 + a; }
        int split_it(int a) { return unlikely(a) ? split_part(a) : 7; }`,
      changed: ['split_it'],
      added: ['split_it'],
    },
    {
      title: 'of a whole-program build (lto_priv) is the static function that it was, and so is its data',
      before: `${clone('private_one', 'private_one', 'return get() * a + 1300;')}
        static int private_count; int private_next(void) { return private_count++; }`,
      after: `${clone('private_one.lto_priv.0', 'private_one', 'return get() * a + 1300;')}
        static int private_count NAMED("private_count.lto_priv.3");
        int private_next(void) { return private_count++ + 1; }`,
      changed: ['private_next'],
      refers: ['private_count'],
    },
    {
      title: 'of a thin whole-program build (llvm) keeps its identity whatever its hash is',
      before: `${clone('promoted.llvm.1234567890123456789', 'promoted', 'return get() * a + 1400;')}
        static int promoted_count NAMED("promoted_count.llvm.99");
        int promoted_next(void) { return promoted_count++; }`,
      after: `${clone('promoted.llvm.9876543210', 'promoted', 'return get() * a + 1400;')}
        static int promoted_count NAMED("promoted_count.llvm.12");
        int promoted_next(void) { return promoted_count++ + 1; }`,
      changed: ['promoted_next'],
      refers: ['promoted_count'],
    },
    {
      title: 'that the compiler itself makes for a constant changes what uses it, and nothing else',
      before: `extern int cp_k; static noinline int cp_scale(int a, int by) { return get() * by + a / by + cp_k; }
        int cp_user(int a, int b) { return cp_scale(a, b); } int cp_other(int a) { return a * 5 + get(); }`,
      after: `extern int cp_k; static noinline int cp_scale(int a, int by) { return get() * by + a / by + cp_k; }
        int cp_user(int a, int b) { return cp_scale(a, 12); } int cp_other(int a) { return a * 5 + get(); }`,
      changed: ['cp_user'],
      added: ['cp_scale'],
      removed: ['cp_scale'],
      compilers: gcc,
    },
    {
      title: 'that the compiler itself makes of a structure (isra) is new where it was not',
      before: `struct pair { int a, b, c; }; static noinline int sum_pair(struct pair *p, int n) { use(p); return p->a * n; }
        int sum_user(struct pair *p) { return sum_pair(p, 3) + sum_pair(p + 1, 4); } int sum_other(int a) { return a + get(); }`,
      after: `struct pair { int a, b, c; }; static noinline int sum_pair(struct pair *p, int n) { return p->a * n + get(); }
        int sum_user(struct pair *p) { return sum_pair(p, 3) + sum_pair(p + 1, 4); } int sum_other(int a) { return a + get(); }`,
      changed: ['sum_user'],
      added: ['sum_pair'],
      removed: ['sum_pair'],
      compilers: gcc,
    },
  ],
})

const refuses = (text: string) => `if (unlikely(a > 5)) { die(); say("${text}"); }`
/** A function as gcc 8 and its like made it, with a numbered cold part; in assembly, since no newer one does. */
const numberedCold = (name: string, number: number, code: string, cold: string) => `
  asm(".pushsection .text.${name},\\"ax\\",@progbits; .globl ${name}; .type ${name},@function; ${name}: call __fentry__; test %edi,%edi; jne ${name}.cold.${number}; ${code}; ret; .size ${name}, .-${name}; .popsection;"
      ".pushsection .text.unlikely.${name},\\"ax\\",@progbits; .type ${name}.cold.${number},@function; ${name}.cold.${number}: ${cold}; jmp ${name}+9; .size ${name}.cold.${number}, .-${name}.cold.${number}; .popsection");`

/** gcc 8 called the cold part of a clone after another clone; only who jumps there tells whose it is. */
const orphanedCold = (code: string) => `
  asm(".pushsection .text.adopter,\\"ax\\",@progbits; .globl adopter; .type adopter,@function; adopter: call __fentry__; test %edi,%edi; jne orphan.isra.2.cold.7; ret; .size adopter, .-adopter; .popsection;"
      ".pushsection .text.unlikely.orphan,\\"ax\\",@progbits; .type orphan.isra.2.cold.7,@function; orphan.isra.2.cold.7: ${code}; ret; .size orphan.isra.2.cold.7, .-orphan.isra.2.cold.7; .popsection");`

sheet({
  title: 'a cold part',
  cases: [
    {
      title: 'that appears belongs to its function',
      before: 'int warm(int a) { if (unlikely(a > 5)) return 9; return get() + a; }',
      after: `int warm(int a) { ${refuses('too warm')} return get() + a; }`,
      changed: ['warm'],
    },
    {
      title: 'that vanishes is missed by nobody',
      before: `int chill(int a) { ${refuses('too cold')} return get() + a; }`,
      after: 'int chill(int a) { return get() + a; }',
      changed: ['chill'],
    },
    {
      title: 'that changes alone changes its function',
      before: `int tepid(int a) { ${refuses('tepid one')} return get() + a; }`,
      after: `int tepid(int a) { ${refuses('tepid two')} return get() + a; }`,
      changed: ['tepid'],
    },
    {
      title: 'of a clone is one of the clone, whatever the numbers are',
      before: `static noinline int icy(int) NAMED("icy.isra.0"); static noinline int icy(int a) { ${refuses('icy')} return get() * a; }
        int icy_user(int a) { return icy(a) + icy(a * 3); }`,
      after: `static noinline int icy(int) NAMED("icy.isra.3"); static noinline int icy(int a) { ${refuses('icy')} return get() * a; }
        int icy_user(int a) { return icy(a) + icy(a * 3); }`,
    },
    {
      title: 'of a clone whose number and content change is found',
      before: `static noinline int polar(int) NAMED("polar.isra.0"); static noinline int polar(int a) { ${refuses('polar')} return get() * a; }
        int polar_user(int a) { return polar(a) + polar(a * 3); }`,
      after: `static noinline int polar(int) NAMED("polar.isra.3"); static noinline int polar(int a) { ${refuses('polar bear')} return get() * a; }
        int polar_user(int a) { return polar(a) + polar(a * 3); }`,
      changed: ['polar'],
    },
    {
      title: 'with a number (gcc 8) is no change when only the number is another',
      before: numberedCold('frost', 12, 'xor %eax,%eax', 'ud2'),
      after: numberedCold('frost', 31, 'xor %eax,%eax', 'ud2'),
    },
    {
      title: 'with a number (gcc 8) that changes alone changes its function',
      before: numberedCold('hail', 13, 'xor %eax,%eax', 'ud2'),
      after: numberedCold('hail', 14, 'xor %eax,%eax', 'call die'),
      changed: ['hail'],
    },
    {
      title: 'stays the same when only its function changes',
      before: `int sleet(int a) { ${refuses('sleet')} return get() + a; }`,
      after: `int sleet(int a) { ${refuses('sleet')} return get() * a; }`,
      changed: ['sleet'],
      carried: [],
    },
    {
      title: 'whose function has another name than it belongs to the code that jumps to it',
      before: `${orphanedCold('call die')}`,
      after: `${orphanedCold('call undo')}`,
      changed: ['adopter'],
    },
    {
      title: 'without a name (gcc before 8 leaves an empty section) is nothing',
      before:
        'int thaw(int a) { return get() + a; } asm(".pushsection ' +
        '.text.unlikely.thaw,\\"ax\\",@progbits; .popsection");',
      after: 'int thaw(int a) { return get() + a; }',
    },
  ],
})

sheet({
  title: 'a static local variable',
  cases: [
    {
      title: 'is numbered anew: no change, and each function keeps its own',
      before:
        'int tick_a(void) { static int ticks; return ticks += 1; } int tick_b(void) { static int ' +
        'ticks; return ticks += 2; }',
      after: `int tick_z(void) { static int ticks; return ticks += 9; }
        int tick_a(void) { static int ticks; return ticks += 1; } int tick_b(void) { static int ticks; return ticks += 2; }`,
      added: ['tick_z'],
      newData: ['ticks'],
    },
    {
      title: 'with numbers of five digits, as gcc before 10 made them, is recognised',
      before: `static int old_hits NAMED("old_hits.28123"); int hit_old(void) { return old_hits++; }
        static int old_hits2 NAMED("old_hits.28131"); int hit_old2(void) { return old_hits2 += 2; }`,
      after: `static int old_hits NAMED("old_hits.28155"); int hit_old(void) { return old_hits++; }
        static int old_hits2 NAMED("old_hits.28163"); int hit_old2(void) { return old_hits2 += 3; }`,
      changed: ['hit_old2'],
      refers: ['old_hits'],
    },
    {
      title: 'is told apart from one of its name when the two swap their numbers',
      before: `static int swapped_a NAMED("swapped.0"), swapped_b NAMED("swapped.1");
        int swap_first(void) { return swapped_a++; } int swap_second(void) { return swapped_b += 3; }`,
      after: `static int swapped_a NAMED("swapped.1"), swapped_b NAMED("swapped.0");
        int swap_first(void) { return swapped_a++; } int swap_second(void) { return swapped_b += 3; }`,
    },
    {
      title: 'that another function uses instead is a change',
      before: `static int lent_a NAMED("lent.0"), lent_b NAMED("lent.1");
        int lend_first(void) { return lent_a++; } int lend_second(void) { return lent_b += 3; } int lend_third(void) { return lent_a * lent_b; }`,
      after: `static int lent_a NAMED("lent.0"), lent_b NAMED("lent.1");
        int lend_first(void) { return lent_a++; } int lend_second(void) { return lent_b += 3; } int lend_third(void) { return lent_a * lent_a; }`,
      changed: ['lend_third'],
    },
    {
      title: 'goes with its code into a part that is split off, and stays the one that the kernel has',
      before: 'int move_in(int a) { static int moved = 4; if (unlikely(a)) return moved += get(); return a; }',
      after: `static int moved NAMED("moved.7") = 4;
        static noinline int move_part(int) NAMED("move_in.part.0"); static noinline int move_part(int a) { return moved += get(); }
        int move_in(int a) { if (unlikely(a)) return move_part(a); return a; }`,
      changed: ['move_in'],
      added: ['move_in'],
      refers: ['moved'],
      compilers: gcc,
    },
    {
      title: 'stays the same when its function becomes a clone',
      before: `static int cloned_count NAMED("cloned_count.0"); static noinline int become(int) NAMED("become");
        static noinline int become(int a) { return cloned_count += a; } int become_user(int a) { return become(a) + become(get()); }`,
      after: `static int cloned_count NAMED("cloned_count.4"); static noinline int become(int) NAMED("become.constprop.0");
        static noinline int become(int a) { return cloned_count += 3 + a; } int become_user(int a) { return become(a) + become(get()); }`,
      changed: ['become_user'],
      added: ['become'],
      removed: ['become'],
      refers: ['cloned_count'],
    },
    {
      title: 'that grows is refused by name',
      before: 'int grow_it(int i) { static int grown[2]; return grown[i]++; }',
      after: 'int grow_it(int i) { static int grown[4]; return grown[i]++; }',
      refused: ['data-changed grown'],
    },
    {
      title: 'of a function that is inlined elsewhere is still one variable',
      before: `static inline __attribute__((always_inline)) int shared_tick(void) { static int shared_n; return shared_n++; }
        int tick_here(void) { return shared_tick(); } int tick_there(void) { return shared_tick() + 1; }`,
      after: `static inline __attribute__((always_inline)) int shared_tick(void) { static int shared_n; return shared_n++; }
        int tick_here(void) { return shared_tick(); } int tick_there(void) { return shared_tick() + 2; }`,
      changed: ['tick_there'],
      refers: ['shared_n'],
      owns: [],
    },
  ],
})

sheet({
  title: 'a name that is counted',
  cases: [
    {
      title: '__UNIQUE_ID_ with another number is no change',
      before:
        'static int __UNIQUE_ID_first12 __used = 1; static int __UNIQUE_ID_second13 __used = 2; int ' +
        'unique_one(void) { return get(); }',
      after:
        'static int __UNIQUE_ID_fresh12 __used = 5; static int __UNIQUE_ID_first13 __used = 1; static ' +
        'int __UNIQUE_ID_second14 __used = 2; int unique_one(void) { return get(); }',
      newData: ['__UNIQUE_ID_fresh12'],
    },
    {
      title: '__UNIQUE_ID_ with an underscore before the number is the same',
      before: 'static int __UNIQUE_ID_third_12 __used = 1;',
      after: 'static int __UNIQUE_ID_third_40 __used = 1;',
    },
    {
      title: '__UNIQUE_ID_ with another initial value is a change of data',
      before: 'static int __UNIQUE_ID_fourth15 __used = 1;',
      after: 'static int __UNIQUE_ID_fourth19 __used = 3;',
      refused: ['data-changed __UNIQUE_ID_fourth19'],
    },
    {
      title: 'a compound literal of a file keeps its place',
      before:
        'struct lit { const char *name; int n; }; struct lit *lit_a = &(struct lit){ "a", 1 }; struct ' +
        'lit *lit_b = &(struct lit){ "b", 2 }; int lit_use(void) { return lit_a->n; }',
      after:
        'struct lit { const char *name; int n; }; struct lit *lit_a = &(struct lit){ "a", 1 }; struct ' +
        'lit *lit_b = &(struct lit){ "b", 2 }; int lit_use(void) { return lit_b->n; }',
      changed: ['lit_use'],
    },
  ],
})

sheet({
  title: 'a place',
  prelude: `
    #define SCHED __section(".sched.text")
    #define RM __section(".data..read_mostly")`,
  cases: [
    {
      title: 'a global function that becomes static, and one that becomes global, are no change',
      before:
        'static noinline int go_out(int a) { return get() + a; } noinline int go_in(int a) { return ' +
        'get() - a; } int go_use(int a) { return go_out(a) * 7; } int go_use2(int a) { return go_in(a) * 9; }',
      after:
        'noinline int go_out(int a) { return get() + a; } static noinline int go_in(int a) { return ' +
        'get() - a; } int go_use(int a) { return go_out(a) * 7; } int go_use2(int a) { return go_in(a) * 9; }',
      compilers: /./,
    },
    {
      title: 'a global variable that becomes static, and back, stays the variable of the kernel',
      before: 'int var_in = 3; static int var_out = 4; int var_use(void) { return var_in++ + var_out++; }',
      after: 'static int var_in = 3; int var_out = 4; int var_use(void) { return var_in++ + var_out++ + 1; }',
      changed: ['var_use'],
      refers: ['var_in', 'var_out'],
    },
    {
      title: 'a function that moves to another section has changed, and says so',
      before: 'int mover(int a) { return get() + a; }',
      after: '__section(".mover.text") int mover(int a) { return get() + a; }',
      changed: ['mover'],
      check: ({ changed }) => {
        const reasons = changed.find(({ after }) => after.name === 'mover')?.reasons.join()
        expect(reasons).toContain('.mover.text')
      },
    },
    {
      title: 'a function that the compiler thinks hot or cold now has not changed',
      before: 'int temper(int a) { return get() + a; }',
      after: '__section(".text.hot.temper") int temper(int a) { return get() + a; }',
    },
    {
      title: 'of functions that share a section only those that change are found',
      before:
        'SCHED noinline int sched_a(int a) { return get() + a; } SCHED noinline int sched_b(int a) ' +
        '{ return get() * a + sched_a(a); } SCHED noinline int sched_c(int a) { return sched_b(a) ^ sched_a(4); }',
      after:
        'SCHED noinline int sched_a(int a) { return get() + a; } SCHED noinline int sched_b(int a) ' +
        '{ return get() * a + sched_a(a) / 7; } SCHED noinline int sched_c(int a) { return sched_b(a) ^ sched_a(4); }',
      changed: ['sched_b'],
    },
    {
      title: 'of variables that share a section each is its own, wherever it stands',
      before:
        'static int rm_a RM = 1; static long rm_b RM = 2; int rm_use(void) { return rm_a + rm_b; } ' +
        'void rm_set(int x) { rm_a = x; rm_b = x; } int rm_first(void) { return rm_a; }',
      after:
        'static long rm_new RM = 9; static int rm_a RM = 1; static long rm_b RM = 2; int ' +
        'rm_use(void) { return rm_a + rm_b; } void rm_set(int x) { rm_a = x; rm_b = x; } int ' +
        'rm_first(void) { return rm_a + rm_new; } void rm_more(int x) { rm_new = x; }',
      changed: ['rm_first'],
      added: ['rm_more'],
      newData: ['rm_new'],
      refers: ['rm_a'],
    },
    {
      title: 'padding in front of a function (call depth tracking, __pfx_) does not count',
      before:
        'asm(".pushsection .text.padded,\\"ax\\",@progbits; .globl padded; .type padded,@function; ' +
        '.type __pfx_padded,@function; __pfx_padded: .rept 16; nop; .endr; .size __pfx_padded,16; ' +
        'padded: call __fentry__; mov $5,%eax; ret; .size padded, .-padded; .popsection");',
      after:
        'asm(".pushsection .text.padded,\\"ax\\",@progbits; .globl padded; .type padded,@function; ' +
        '.rept 16; nop; .endr; padded: call __fentry__; mov $5,%eax; ret; .size padded, .-padded; .popsection");',
    },
    {
      title: 'a function behind padding that changes is replaced whole, entered where it begins',
      before:
        'asm(".pushsection .text.cushioned,\\"ax\\",@progbits; .globl cushioned; .type ' +
        'cushioned,@function; .rept 16; nop; .endr; cushioned: call __fentry__; mov $5,%eax; ret; .size ' +
        'cushioned, .-cushioned; .popsection");',
      after:
        'asm(".pushsection .text.cushioned,\\"ax\\",@progbits; .globl cushioned; .type ' +
        'cushioned,@function; .rept 16; nop; .endr; cushioned: call __fentry__; mov $6,%eax; ret; .size ' +
        'cushioned, .-cushioned; .popsection");',
      changed: ['cushioned'],
      check: (_, { replaced }) =>
        expect(replaced.find(({ symbol }) => symbol.name === 'cushioned')?.symbol.value).toBe(16),
    },
    {
      title: 'a symbol without a type (assembly in C) is referred to by its name',
      before:
        'asm(".pushsection .rodata.blob,\\"a\\"; .globl blob_start, blob_end; blob_start: .ascii ' +
        '\\"data\\"; blob_end: .popsection"); extern char blob_start[], blob_end[]; long ' +
        'blob_size(void) { return blob_end - blob_start; }',
      after:
        'asm(".pushsection .rodata.blob,\\"a\\"; .globl blob_start, blob_end; blob_start: .ascii ' +
        '\\"data\\"; blob_end: .popsection"); extern char blob_start[], blob_end[]; long ' +
        'blob_size(void) { return blob_end - blob_start + 1; }',
      changed: ['blob_size'],
    },
  ],
})

sheet({
  title: 'with a list of entry hooks (-mrecord-mcount)',
  flags: ['-mrecord-mcount'],
  cases: [
    {
      title: 'what has an entry hook is what it is without',
      before: 'int hooked(int a) { return get() + a; } int hooked_two(int a) { return get() - a; }',
      after:
        'int hooked_new(int a) { return a; } int hooked(int a) { return get() + a; } int hooked_two(int ' +
        'a) { return get() - a - 1; }',
      changed: ['hooked_two'],
      added: ['hooked_new'],
      compilers: gcc,
    },
  ],
})

sheet({
  title: 'with room for a call in front of each function',
  flags: ['-fpatchable-function-entry=16,16'],
  cases: [
    {
      title: 'functions are what they are without',
      before: 'int roomy(int a) { return get() + a; } int roomy_two(int a) { return get() - a; }',
      after:
        'int roomy_new(int a) { return a; } int roomy(int a) { return get() + a; } int roomy_two(int a) ' +
        '{ return get() - a - 1; }',
      changed: ['roomy_two'],
      added: ['roomy_new'],
    },
  ],
})

sheet({
  title: 'without entry hooks',
  hooks: false,
  cases: [
    {
      title: 'changes are found all the same, and each function that can not be replaced is named',
      before: 'int plain_a(int a) { return get() + a; } int plain_b(int a) { return get() * a; }',
      after: 'int plain_a(int a) { return get() + a; } int plain_b(int a) { return get() * a + 1; }',
      changed: ['plain_b'],
      refused: ['not-traceable plain_b'],
    },
  ],
})
