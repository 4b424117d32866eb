// SPDX-License-Identifier: GPL-3.0-or-later
// ftrace redirects a function at its entry. One without that hook can't be replaced, and is refused by name, unless
// the functions that call it can be replaced instead. And what carried code refers to has to be found.
import { expect } from 'vitest'
import { sheet } from '../cases.ts'

const gcc = /^gcc/

const hooks = (kind: string) => [
  {
    title: `${kind} a traced function is replaced`,
    before: 'int hooked(int a) { return get() + a * 25; }',
    after: 'int hooked(int a) { return get() - a * 25; }',
    changed: ['hooked'],
    carried: [],
  },
  {
    title: `${kind} a notrace function that anybody may call is refused by name`,
    before: 'notrace int unhooked(int a) { return get() + a * 24; }',
    after: 'notrace int unhooked(int a) { return get() - a * 24; }',
    changed: ['unhooked'],
    refused: ['not-traceable unhooked'],
  },
  {
    title: `${kind} a noinstr function is refused by name`,
    before:
      '__section(".noinstr.text") notrace noinline int no_instr(int a) { return get() + a * 26; } ' +
      '__section(".noinstr.text") notrace noinline int no_instr_too(int a) { return get() ^ a; }',
    after:
      '__section(".noinstr.text") notrace noinline int no_instr(int a) { return get() - a * 26; } ' +
      '__section(".noinstr.text") notrace noinline int no_instr_too(int a) { return get() ^ a; }',
    changed: ['no_instr'],
    refused: ['not-traceable no_instr'],
  },
  {
    title: `${kind} a notrace function whose callers are known comes with them`,
    before:
      'static notrace noinline int inner(int a) { return get() + a * 21; } int outer(int a) { return ' +
      'inner(a) + inner(a * 3); }',
    after:
      'static notrace noinline int inner(int a) { return get() - a * 21; } int outer(int a) { return ' +
      'inner(a) + inner(a * 3); }',
    changed: ['inner'],
    carried: ['inner'],
  },
  {
    title: `${kind} a notrace function comes with the callers of its callers`,
    before:
      'static notrace noinline int inmost(int a) { return get() + a * 22; } static notrace noinline int ' +
      'middle(int a) { return inmost(a) * inmost(a + 7); } int outmost(int a) { return middle(a) + middle(a * 3); }',
    after:
      'static notrace noinline int inmost(int a) { return get() - a * 22; } static notrace noinline int ' +
      'middle(int a) { return inmost(a) * inmost(a + 7); } int outmost(int a) { return middle(a) + middle(a * 3); }',
    changed: ['inmost'],
    carried: ['inmost', 'middle'],
  },
  {
    title: `${kind} a notrace function that data point to is refused by name`,
    before:
      'static notrace noinline int pointed(int a) { return get() + a * 23; } int (*pointer)(int) = ' +
      'pointed; int pointing(int a) { return pointed(a) + pointed(a * 3); }',
    after:
      'static notrace noinline int pointed(int a) { return get() - a * 23; } int (*pointer)(int) = ' +
      'pointed; int pointing(int a) { return pointed(a) + pointed(a * 3); }',
    changed: ['pointed'],
    refused: ['not-traceable pointed'],
  },
  {
    title: `${kind} a function that loses its hook is replaced by the one that the kernel has`,
    before: 'int loses(int a) { return get() + a * 27; }',
    after: 'notrace int loses(int a) { return get() - a * 27; }',
    changed: ['loses'],
  },
  {
    title: `${kind} a function that gets a hook can't use it: the kernel's has none`,
    before: 'notrace int gains(int a) { return get() + a * 28; }',
    after: 'int gains(int a) { return get() - a * 28; }',
    changed: ['gains'],
    refused: ['not-traceable gains'],
  },
  {
    title: `${kind} a new function needs no hook`,
    before: 'int hook_user(int a) { return get() + a; }',
    after:
      'static notrace noinline int hook_new(int a) { return get() * a; } int hook_user(int a) { return ' +
      'get() + hook_new(a) + hook_new(9); }',
    changed: ['hook_user'],
    added: ['hook_new'],
    carried: ['hook_new'],
  },
]

sheet({ title: 'hooks', cases: hooks('with __fentry__') })
sheet({ title: 'hooks and IBT', flags: ['-fcf-protection=branch'], cases: hooks('behind ENDBR') })
sheet({
  title: 'hooks and call depth tracking',
  flags: ['-fcf-protection=branch', '-fpatchable-function-entry=16,16'],
  cases: hooks('behind padding and ENDBR'),
})
sheet({
  title: 'hooks and their list',
  flags: ['-mrecord-mcount'],
  cases: hooks('with -mrecord-mcount').map((one) => ({ ...one, compilers: gcc })),
})

const assembled = (name: string, code: string, size = `.-${name}`) =>
  `asm(".pushsection .text.${name},\\"ax\\",@progbits; .globl ${name}; .type ${name},@function; ` +
  `${name}: ${code}; ret; .size ${name}, ${size}; .popsection");`
/** A function with a label inside it. */
const entered = assembled(
  'entered',
  'call __fentry__; mov $1, %eax; .globl entered_inside; entered_inside: mov $2, %ecx',
)

sheet({
  title: 'a reference that can not be followed',
  cases: [
    {
      title: 'to a static variable for which the kernel has no symbol is refused by name',
      before: 'static int unlisted = 4; int unlisted_user(void) { return unlisted++; }',
      after: 'static int unlisted = 4; int unlisted_user(void) { return unlisted++ + 1; }',
      changed: ['unlisted_user'],
      missing: ['unlisted'],
      refused: ['no-symbol unlisted'],
    },
    {
      title: 'to a static function for which the kernel has no symbol brings a copy of it',
      before:
        'static noinline int nameless(int a) { return get() * a; } int nameless_user(int a) { return ' +
        'nameless(a) + nameless(9); }',
      after:
        'static noinline int nameless(int a) { return get() * a; } int nameless_user(int a) { return ' +
        'nameless(a) - nameless(9); }',
      changed: ['nameless_user'],
      missing: ['nameless'],
      carried: ['nameless'],
    },
    {
      title: 'to a function that changes but that the kernel does not have is refused by name',
      before: 'int unknown_fn(int a) { return get() * a; }',
      after: 'int unknown_fn(int a) { return get() * a + 1; }',
      changed: ['unknown_fn'],
      missing: ['unknown_fn'],
      refused: ['not-in-kernel unknown_fn'],
    },
    {
      title: 'to an absolute address is refused by the name of its function',
      before:
        'asm(".globl fixed_place; .set fixed_place, 0x1234"); ' +
        `${assembled('absolute_user', 'call __fentry__; call fixed_place; mov $1, %ecx')}`,
      after:
        'asm(".globl fixed_place; .set fixed_place, 0x1234"); ' +
        `${assembled('absolute_user', 'call __fentry__; call fixed_place; mov $2, %ecx')}`,
      changed: ['absolute_user'],
      refused: ['unknown-relocation absolute_user'],
    },
    {
      title: 'into the middle of a function that stays is refused by the name of the one that does it',
      before: `${entered} ${assembled('enters', 'call __fentry__; mov $3, %eax; jmp entered_inside')}`,
      after: `${entered} ${assembled('enters', 'call __fentry__; mov $4, %eax; jmp entered_inside')}`,
      changed: ['enters'],
      refused: ['into-function enters'],
    },
    {
      title: 'to one of two variables that swapped their users is refused by name',
      before: 'int swap_f(void) { static int swap_n; return swap_n++; } int swap_g(void) { return 1; }',
      after: 'int swap_f(void) { return 1; } int swap_g(void) { static int swap_n; return swap_n++; }',
      changed: ['swap_f', 'swap_g'],
      refused: ['ambiguous-static swap_n'],
      compilers: gcc,
    },
    {
      title: 'to the address of a function that is replaced means the one that the kernel runs',
      before:
        'void keep_it(void *); noinline int kept(int a) { return get() + a; } void keeper(void) { keep_it(kept); }',
      after:
        'void keep_it(void *); noinline int kept(int a) { return get() - a; } void keeper(void) { ' +
        'keep_it(kept); get(); }',
      changed: ['kept', 'keeper'],
      refers: ['kept'],
    },
  ],
})

sheet({
  title: 'functions that share a section',
  prelude: '#define SCHED __section(".sched.text")',
  cases: [
    {
      title: "are cut apart: one changes, the others stay the running kernel's",
      before:
        'SCHED noinline int cut_a(int a) { return get() + a; } SCHED noinline int cut_b(int a) { return ' +
        'cut_a(a) * 5 + cut_a(3); } SCHED noinline int cut_c(int a) { return cut_b(a) ^ get(); }',
      after:
        'SCHED noinline int cut_a(int a) { return get() + a; } SCHED noinline int cut_b(int a) { return ' +
        'cut_a(a) * 6 + cut_a(3); } SCHED noinline int cut_c(int a) { return cut_b(a) ^ get(); }',
      changed: ['cut_b'],
      carried: [],
      refers: ['cut_a'],
      check: (_, { draft }) => {
        const sched = draft.sections.filter(({ name }) => name === '.sched.text')
        const functions = draft.symbols.filter(
          ({ type, place }) => type === 'function' && sched.some((section) => section === place),
        )
        expect(functions.map(({ name }) => name)).toEqual(['cut_b'])
      },
    },
  ],
})
