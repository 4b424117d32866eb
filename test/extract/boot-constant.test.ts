// SPDX-License-Identifier: GPL-3.0-or-later
// Constants that the kernel writes into its own code while it starts, and per-CPU variables.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { writeObject } from '../../src/elf/write.ts'
import { changedNames, changeOf, extractionOf, rules, work } from '../objects.ts'

/** The macros of asm/runtime-const.h, in our words; a register can be chosen. */
const macros = `
#define boot_ptr(sym, reg) ({ register unsigned long r asm(reg); \\
  asm("movabs $0x0123456789abcdef,%0\\n1:\\n.pushsection runtime_ptr_" #sym ",\\"a\\"\\n.long 1b - 8 - .\\n.popsection" : "=r"(r)); r; })
#define boot_shift(value, sym) ({ unsigned r = (value); \\
  asm("shrl $12,%k0\\n1:\\n.pushsection runtime_shift_" #sym ",\\"a\\"\\n.long 1b - 1 - .\\n.popsection" : "+r"(r)); r; })
extern unsigned long LIMIT;
`
const limited = (reg: string, n: number) =>
  `${macros} int other(unsigned long a) { return a < boot_ptr(LIMIT, "rcx"); }
   int f(unsigned long a) { return a + ${n} < boot_ptr(LIMIT, "${reg}"); }`

describe('a constant of the running kernel’s own code', () => {
  test.each(['rax', 'rdx', 'r8', 'r13'])('in %s is loaded from its variable', (reg) => {
    const extraction = extractionOf([changeOf(limited(reg, 1), limited(reg, 2))])
    expect(extraction.findings).toEqual([])
    expect(extraction.replaced.map(({ before }) => before.name)).toEqual(['f'])
    const file = path.join(work, `carried-${reg}.o`)
    writeFileSync(file, writeObject(extraction.draft))
    const code = execFileSync('objdump', ['-drw', file], { encoding: 'latin1' })
    expect(code).not.toContain('123456789abcdef')
    expect(code).toMatch(new RegExp(`mov +0x0\\(%rip\\),%${reg} .*R_X86_64_PC32\\s+LIMIT-0x4`))
    expect(execFileSync('readelf', ['-SW', file], { encoding: 'latin1' })).not.toContain('runtime_ptr')
  })

  test('that is the number of a shift is refused by name', () => {
    const shifted = (n: number) =>
      `${macros} unsigned f(unsigned a) { return boot_shift(a, bits) + ${n}; } unsigned g(unsigned a) { ` +
      'return boot_shift(a, bits); }'
    const extraction = extractionOf([changeOf(shifted(1), shifted(2))])
    expect(rules(extraction.findings)).toEqual(['error boot-constant'])
    expect(extraction.findings[0]).toMatchObject({ symbol: 'f' })
    expect(extraction.findings[0]?.message).toContain('bits')
  })

  test('is no change where another function gets one', () => {
    const one = `${macros} int f(unsigned long a) { return a < boot_ptr(LIMIT, "rcx"); }`
    expect(
      changedNames(`${one} int g(int a) { return a; }`, `${one} int g(int a) { return a + boot_ptr(LIMIT, "rcx"); }`),
    ).toEqual(['g'])
  })
})

test('new per-CPU variables go together into the one section that the module loader copies for each CPU', () => {
  const source = (percpu: string, f: string) =>
    `#define per_cpu(suffix) __attribute__((section(".data..percpu" suffix)))
     ${percpu} int f(void) { ${f} }`
  const extraction = extractionOf([
    changeOf(
      source('', 'return 1;'),
      source(
        'static per_cpu("") int plain = 1; static per_cpu("..read_mostly") int seldom = 2;',
        'asm volatile("incl %%gs:%0" : "+m"(plain)); return seldom;',
      ),
    ),
  ])
  expect(extraction.findings).toEqual([])
  expect(extraction.carried.map(({ name }) => name).sort()).toEqual(['plain', 'seldom'])
  const percpu = extraction.draft.sections.filter(({ name }) => name.startsWith('.data..percpu'))
  expect(percpu.map(({ name, data }) => [name, typeof data === 'number' ? data : data.length])).toEqual([
    ['.data..percpu', 8],
  ])
})
