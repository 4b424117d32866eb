// SPDX-License-Identifier: GPL-3.0-or-later
// What objects of Linux 4.4 to 5.14 have and today's do not: alternatives without a replacement, or with a thunk of the
// kernel's, code for counters that are full. Each is carried with its function, and is a change when it alone changes.
import { expect } from 'vitest'
import type { Extraction } from '../../src/extract/extraction.ts'
import { type Case, sheet } from '../cases.ts'

const push = (section: string, flags: string, text: string) =>
  `.pushsection ${section},\\"${flags}\\"\\n${text}\\n.popsection\\n`
const volatileAsm = (text: string) => `asm volatile("${text}" ::: "memory");`

/** What relocations in a section of the carried object lead to. */
function targets({ draft }: Extraction, name: string): string[] {
  return draft.sections
    .filter((section) => section.name === name)
    .flatMap(({ relocations }) => relocations)
    .map(({ symbol: { name: own, place } }) => (typeof place === 'object' ? place.name : own))
}

function sizeOf({ draft }: Extraction, name: string): number {
  return draft.sections
    .filter((section) => section.name === name)
    .reduce((sum, { data }) => sum + (typeof data === 'number' ? data : data.length), 0)
}

/** `changes` gets another number, `stays` stands behind it with the same code, `alone` differs in `code` only. */
function cases(id: string, title: string, code: (variant: 0 | 1) => string, check: Case['check']): Case[] {
  const both = (n: number) => `
    int ${id}_changes(int a) { a += get(); ${code(0)} ${n === 1 ? '' : code(1)} return a + ${n}000; }
    int ${id}_stays(int a) { a -= get(); ${code(0)} return a; }`
  const alone = (variant: 0 | 1) => `int ${id}_alone(int a) { a ^= get(); ${code(variant)} return a; }`
  return [
    {
      title: `${title}: goes with its function only`,
      before: both(1),
      after: both(2),
      changed: [`${id}_changes`],
      ...(check === undefined ? {} : { check }),
    },
    {
      title: `${title}: changes its function when it changes alone`,
      before: alone(0),
      after: alone(1),
      changed: [`${id}_alone`],
    },
  ]
}

/** As objtool makes them of an indirect call (5.13, 5.14). */
const thunk = (register: string, how = 'call') =>
  volatileAsm(
    '1: .byte 0xe8\\n.long 0\\n2:\\n' +
      push(
        '.altinstructions',
        'a',
        `.long 1b - ., __x86_indirect_alt_${how}_${register} - .\\n.word 0x80ec\\n.byte 5, 3, 0`,
      ),
  )

/** As `static_cpu_has` makes it (4.4 to 5.12): the second of its entries has no replacement. */
const feature = (bit: number) =>
  volatileAsm(
    '1: .byte 0xe9\\n.long 0\\n2:\\n' +
      push('.altinstructions', 'a', '.long 1b - ., 4f - .\\n.word 112\\n.byte 5, 2, 0') +
      push('.altinstr_replacement', 'ax', '4: jmp 4b\\n5:') +
      push('.altinstructions', 'a', `.long 1b - .\\n.long 0\\n.word ${bit}\\n.byte 5, 0, 0`),
  )

/** As `refcount_t` and `atomic_t` are watched (4.15 to 5.4). */
const counter = (handler: string) =>
  volatileAsm(
    'lock incl 8(%%rsp)\\njs 111f\\n' +
      push('.text..refcount', 'ax', '111: lea 8(%%rsp), %%rcx\\n112: .byte 0x0f, 0x0b\\n') +
      '113:\\n' +
      push('__ex_table', 'a', `.balign 4\\n.long 112b - ., 113b - ., ${handler} - .`) +
      push('.discard.unreachable', '', '.long 112b - .'),
  )

sheet({
  title: 'objects of older kernels',
  prelude: 'void ex_handler_refcount(void); void ex_handler_other(void);',
  cases: [
    ...cases(
      'thunk',
      'an alternative whose replacement is a thunk of the kernel’s',
      (variant) => thunk(variant === 0 ? 'rax' : 'r11'),
      (_, extraction) => {
        const referred = [...extraction.references.values()].map(({ name }) => name)
        expect(referred).toContain('__x86_indirect_alt_call_rax')
        expect(referred).toContain('__x86_indirect_alt_call_r11')
      },
    ),
    ...cases('jump', 'a thunk for a jump', (variant) => thunk('rdx', variant === 0 ? 'jmp' : 'call'), undefined),
    ...cases(
      'feature',
      'an alternative without a replacement',
      (variant) => feature(variant + 40),
      (_, extraction) => expect(targets(extraction, '.altinstructions')).toContain('.altinstr_replacement'),
    ),
    ...cases(
      'counter',
      'code for a full counter',
      (variant) => counter(variant === 0 ? 'ex_handler_refcount' : 'ex_handler_other'),
      (_, extraction) => {
        // Three snippets of lea and ud2, with an entry each; that of the function that stays is not among them.
        expect(sizeOf(extraction, '.text..refcount')).toBe(21)
        expect(targets(extraction, '__ex_table').filter((name) => name === '.text..refcount')).toHaveLength(3)
        expect(targets(extraction, '__ex_table').filter((name) => name === 'ex_handler_other')).toHaveLength(2)
      },
    ),
    {
      title: 'an alternative that loses its replacement changes its function',
      before: `int loses(int a) { a ^= get(); ${feature(7)} ${feature(8)} return a; }`,
      after: `int loses(int a) { a ^= get(); ${feature(7)} ${feature(8).replace(', 4f - .', '\\n.long 0')} return a; }`,
      changed: ['loses'],
    },
  ],
})
