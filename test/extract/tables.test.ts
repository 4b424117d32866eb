// SPDX-License-Identifier: GPL-3.0-or-later
// Tables that say something about places in the code, in the layouts that kernels have had. An entry goes with the
// code that it is about, and with no other; an entry that changes changes its function.
import { expect } from 'vitest'
import type { Extraction } from '../../src/extract/extraction.ts'
import { type Case, sheet } from '../cases.ts'

/** How one table looks in one kernel. */
interface Form {
  /** C of one entry in the middle of a function; `variant` is what its meaning may change to. */
  code(variant: 0 | 1): string
  /** Sections besides the table from which something has to come along. */
  readonly brings?: readonly string[]
  /** False where the entry has nothing that could change alone. */
  readonly mayChange?: boolean
  readonly declares?: string
}

/** Relocations of a table that lead into a carried function. */
function leadsInto({ draft }: Extraction, table: string, name: string): number {
  const home = draft.symbols.find((symbol) => symbol.name === name && symbol.type === 'function')?.place
  return draft.sections
    .filter((section) => section.name === table)
    .flatMap(({ relocations }) => relocations)
    .filter(({ symbol }) => typeof home === 'object' && symbol.place === home).length
}

function hasSection({ draft }: Extraction, name: string): boolean {
  return draft.sections.some((section) => section.name === name && section.relocations !== undefined)
}

/** `one` changes and has two entries, `other` does not and has one, `entry` differs in its entry alone. */
function tableCases(kernel: string, table: string, form: Form): Case[] {
  const id = `t_${table.replace(/\W+/g, '')}`
  const { code, declares = '', brings = [], mayChange = true } = form
  const text = (n: number) =>
    `${declares.replaceAll('ID', id)}
     int ${id}_one(int a) { ${code(0)} a += get(); ${code(0)} return a + ${n}; }
     int ${id}_other(int a) { a -= get(); ${code(0)} return a; }`.replaceAll('ID', id)
  const goes: Case = {
    title: `${table} of ${kernel}: an entry goes with its function only`,
    before: text(1000),
    after: text(1001),
    changed: [`${id}_one`],
    check(_, extraction) {
      const own = leadsInto(extraction, table, `${id}_one`)
      expect(own).toBeGreaterThanOrEqual(2)
      expect(own % 2).toBe(0)
      expect(leadsInto(extraction, table, `${id}_other`)).toBe(0)
      for (const name of brings) expect(hasSection(extraction, name)).toBe(true)
    },
  }
  if (!mayChange) return [goes]
  const entry = (variant: 0 | 1) =>
    `int ${id}_entry(int a) { a ^= get(); ${code(variant)} return a; }`.replaceAll('ID', id)
  return [
    goes,
    {
      title: `${table} of ${kernel}: an entry that changes alone changes its function`,
      before: entry(0),
      after: entry(1),
      changed: [`${id}_entry`],
    },
  ]
}

const push = (section: string, flags: string, text: string) =>
  `.pushsection ${section},\\"${flags}\\"\\n${text}\\n.popsection\\n`
const volatileAsm = (text: string, operands = '') => `asm volatile("${text}"${operands});`

/** struct bug_entry with the file's name and the line, and without. */
const bugs = (verbose: boolean): Form => ({
  code: (variant) =>
    verbose
      ? volatileAsm(
          `1: ud2\\n${push('__bug_table', 'aw', `2: .long 1b - 2b, %c0 - 2b\\n.word 77, ${variant}\\n.org 2b+12`)}`,
          ' :: "i"("kernel/thing.c")',
        )
      : volatileAsm(`1: ud2\\n${push('__bug_table', 'aw', `2: .long 1b - 2b\\n.word ${variant}\\n.org 2b+8`)}`),
})
/** struct alt_instr: the feature in 2 or 4 bytes, and a last byte of padding or none. */
const alternatives = (feature: '.word' | '.long', padding: boolean): Form => ({
  code: (variant) =>
    volatileAsm(
      '661: .byte 0x0f,0x1f,0x00\\n662:\\n' +
        push(
          '.altinstructions',
          'a',
          `.long 661b - ., 663f - .\\n${feature} ${3 + variant}\\n` +
            `.byte 662b-661b, 664f-663f${padding ? ', 0' : ''}`,
        ) +
        push('.altinstr_replacement', 'ax', '663: stac\\n664:'),
    ),
  brings: ['.altinstr_replacement'],
})
/** struct exception_table_entry of 4.4 with the repair in .fixup; from 4.6 with a handler. */
const faults = (handler: boolean): Form => ({
  code: (variant) =>
    volatileAsm(
      '1: mov (%1), %0\\n2:\\n' +
        push('.fixup', 'ax', `3: mov $${variant - 14}, %0\\njmp 2b`) +
        push('__ex_table', 'a', `.long 1b - ., 3b - .${handler ? ', ID_handler - .' : ''}`),
      ' : "=r"(a) : "r"((long)a)',
    ),
  brings: ['.fixup'],
  declares: handler ? 'int ID_handler(void *regs) { return get() + 0x7000; }' : '',
})
const typedFaults: Form = {
  code: (variant) =>
    volatileAsm(
      `1: mov (%1), %0\\n2:\\n${push('__ex_table', 'a', `.long 1b - ., 2b - ., ${3 + variant}`)}`,
      ' : "=r"(a) : "r"((long)a)',
    ),
}
const jumps = (relative: boolean): Form => ({
  declares: 'extern long ID_key, ID_key2;',
  code: (variant) => {
    const key = `"i"(&ID_key${variant === 1 ? '2' : ''})`
    const entry = relative ? '.long 1b - ., %l[yes] - .\\n.quad %c0 - .' : '.balign 8\\n.quad 1b, %l[yes], %c0'
    return (
      '{ __label__ yes; asm goto("1: .byte ' +
      `0x0f,0x1f,0x44,0x00,0x00\\n${push('__jump_table', 'aw', entry)}" :: ${key} :: yes); a *= 3; yes:; }`
    )
  },
})
const paravirt: Form = {
  declares: 'extern void (*ID_ops)(void);',
  code: (variant) =>
    volatileAsm(
      '771: call *ID_ops(%%rip)\\n772:\\n' +
        push('.parainstructions', 'a', `.balign 8\\n.quad 771b\\n.byte ${5 + variant}\\n.byte 772b-771b\\n.balign 8`),
      ' ::: "memory"',
    ),
}
/** A list of places: nothing in it can change alone. */
const places = (section: string, instruction: string, entry = '.long 9b - .', declares = ''): Form => ({
  code: () => volatileAsm(`9: ${instruction}\\n${push(section, 'a', entry)}`, ' ::: "memory"'),
  mayChange: false,
  declares,
})
const staticCalls: Form = {
  declares: 'extern long ID_SCK, ID_SCK2; void ID_tramp(void);',
  code: (variant) =>
    volatileAsm(
      `9: call ID_tramp\\n${push('.static_call_sites', 'aw', `.long 9b - ., ID_SCK${variant === 1 ? '2' : ''} - .`)}`,
      ' ::: "memory"',
    ),
}

type Kernel = readonly [name: string, tables: Readonly<Record<string, Form>>]

const kernels: readonly Kernel[] = [
  [
    'Linux 4.4',
    {
      __bug_table: bugs(true),
      '.altinstructions': alternatives('.word', true),
      __ex_table: faults(false),
      __jump_table: jumps(false),
      '.parainstructions': paravirt,
      '.smp_locks': places('.smp_locks', 'lock incl (%%rsp)'),
    },
  ],
  [
    'Linux 4.14',
    {
      __bug_table: bugs(false),
      __ex_table: faults(true),
      '.discard.reachable': places('.discard.reachable', 'nop', '.long 9b - .'),
      '.discard.retpoline_safe': places('.discard.retpoline_safe', 'call *%%rax', '.quad 9b'),
    },
  ],
  [
    'Linux 6.1',
    {
      __bug_table: bugs(true),
      '.altinstructions': alternatives('.word', false),
      __ex_table: typedFaults,
      __jump_table: jumps(true),
      '.static_call_sites': staticCalls,
      '.retpoline_sites': places('.retpoline_sites', 'call __x86_indirect_thunk_rax'),
      '.return_sites': places('.return_sites', 'jmp __x86_return_thunk'),
      '.discard.annotate_type': places('.discard.annotate_type', 'nop', '.long 9b - .'),
    },
  ],
  [
    'Linux 6.12',
    {
      '.altinstructions': alternatives('.long', false),
      '.call_sites': places('.call_sites', 'call ID_callee', '.long 9b - .'),
      '.cfi_sites': places('.cfi_sites', 'nop', '.long 9b - .'),
    },
  ],
]

for (const [kernel, tables] of kernels)
  sheet({
    title: `tables of ${kernel}`,
    cases: Object.entries(tables).flatMap(([table, form]) => tableCases(kernel, table, form)),
  })

const assembled = (name: string, code: string) =>
  `asm(".pushsection .text.${name},\\"ax\\",@progbits; .globl ${name}; .type ${name},@function; ` +
  `${name}: ${code}; ret; .size ${name}, .-${name}; .popsection");`

sheet({
  title: 'what objtool adds',
  cases: [
    {
      title: '.orc_unwind and .orc_unwind_ip are neither compared nor carried',
      before:
        `${assembled('unwound', 'call __fentry__; mov $1, %eax')} asm(".pushsection ` +
        `.orc_unwind,\\"a\\"; .long 1, 2; .popsection; .pushsection .orc_unwind_ip,\\"a\\"; .long ` +
        'unwound - .; .popsection");',
      after:
        `${assembled('unwound', 'call __fentry__; mov $2, %eax')} asm(".pushsection ` +
        `.orc_unwind,\\"a\\"; .long 3, 4, 5; .popsection; .pushsection .orc_unwind_ip,\\"a\\"; .long ` +
        'unwound - ., 0; .popsection");',
      changed: ['unwound'],
      check: (_, extraction) => {
        expect(hasSection(extraction, '.orc_unwind')).toBe(false)
        expect(hasSection(extraction, '.orc_unwind_ip')).toBe(false)
      },
    },
    {
      title: 'an entry in .ibt_endbr_seal that comes or goes with other code is no change',
      before:
        `${assembled('sealed', 'endbr64; call __fentry__; mov $1, %eax')} asm(".pushsection ` +
        `.ibt_endbr_seal,\\"a\\"; .long sealed - .; .popsection");`,
      after: `${assembled('sealed', 'endbr64; call __fentry__; mov $1, %eax')}`,
    },
    {
      title: 'a list of entry hooks made by recordmcount or objtool is no change',
      before:
        `${assembled('listed', 'call __fentry__; mov $1, %eax')} asm(".pushsection ` +
        `__mcount_loc,\\"a\\"; .quad listed; .popsection");`,
      after: `${assembled('listed', 'call __fentry__; mov $1, %eax')}`,
    },
  ],
})

const lockEntry = places('.smp_locks', 'lock incl (%%rsp)')
sheet({
  title: 'the order of tables',
  cases: [
    {
      title: 'in the object, which code in front decides, is no change',
      before: `int order_it(int a) { a += get(); ${lockEntry.code(0)} ${typedFaults.code(0)} return a; }`,
      after:
        `int order_front(int a) { ${typedFaults.code(0)} return a; } int order_it(int a) { a += ` +
        `get(); ${lockEntry.code(0)} ${typedFaults.code(0)} return a; }`,
      added: ['order_front'],
    },
  ],
})

sheet({
  title: 'out-of-line code',
  cases: [
    {
      title: '.altinstr_aux comes along where a carried function jumps to it, and no other part of it',
      before: `${assembled('aux_one', 'call __fentry__; jmp 6f; 1: mov $1, %eax; .pushsection .altinstr_aux,\\"ax\\"; 6: testb $1, aux_feature(%rip); jnz 1b; jmp 1b; .popsection')}
        ${assembled('aux_two', 'call __fentry__; jmp 6f; 1: mov $3, %eax; .pushsection .altinstr_aux,\\"ax\\"; 6: testb $4, aux_feature2(%rip); jnz 1b; jmp 1b; .popsection')}`,
      after: `${assembled('aux_one', 'call __fentry__; jmp 6f; 1: mov $2, %eax; .pushsection .altinstr_aux,\\"ax\\"; 6: testb $1, aux_feature(%rip); jnz 1b; jmp 1b; .popsection')}
        ${assembled('aux_two', 'call __fentry__; jmp 6f; 1: mov $3, %eax; .pushsection .altinstr_aux,\\"ax\\"; 6: testb $4, aux_feature2(%rip); jnz 1b; jmp 1b; .popsection')}`,
      changed: ['aux_one'],
      refers: ['aux_feature'],
      owns: ['aux_feature2', 'aux_two'],
    },
    {
      title: '.altinstr_aux that changes alone changes the function that jumps to it',
      before: assembled(
        'aux_only',
        'call __fentry__; jmp 6f; 1: mov $1, %eax; .pushsection .altinstr_aux,\\"ax\\"; 6: testb $1, ' +
          'aux_three(%rip); jnz 1b; jmp 1b; .popsection',
      ),
      after: assembled(
        'aux_only',
        'call __fentry__; jmp 6f; 1: mov $1, %eax; .pushsection .altinstr_aux,\\"ax\\"; 6: testb $2, ' +
          'aux_three(%rip); jnz 1b; jmp 1b; .popsection',
      ),
      changed: ['aux_only'],
    },
  ],
})
