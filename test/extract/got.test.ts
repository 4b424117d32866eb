// SPDX-License-Identifier: GPL-3.0-or-later
// Position-independent code is carried without the table that it goes through.
import { describe, expect, test } from 'vitest'
import { compareObjects } from '../../src/diff/change.ts'
import { relocationType } from '../../src/elf/format.ts'
import { compile, extractionOf, rules } from '../objects.ts'

const flags = ['-fpic', '-mcmodel=small', '-fno-plt']
const text = (n: number) => `
  extern int level; int act(int *); int leave(int);
  int use(int a) { return act(&level) + level + a * ${n}; }
  int last(int a) { return leave(a + ${n}); }`

describe('a reference through a global offset table', () => {
  test('becomes direct when it is carried', () => {
    const change = compareObjects(compile(text(3), ...flags), compile(text(5), ...flags), 'unit.c')
    const before = change.after.functions.flatMap((atom) => change.after.relocations(atom))
    expect(before.some(({ type }) => type === relocationType.rexGotpcrelx)).toBe(true)
    expect(before.some(({ type }) => type === relocationType.gotpcrelx)).toBe(true)
    const extraction = extractionOf([change])
    expect(rules(extraction.findings)).toEqual([])
    const code = extraction.draft.sections.filter(({ name }) => name.startsWith('.text'))
    const types = new Set(code.flatMap(({ relocations }) => relocations.map(({ type }) => type)))
    expect([...types].every((type) => type === relocationType.pc32 || type === relocationType.plt32)).toBe(true)
    const bytes = code.map(({ data }) => (data as Buffer).toString('hex')).join()
    // lea, and call and jmp without a table
    expect(bytes).toMatch(/488d[0-3][5d]/)
    expect(bytes).toContain('67e8')
    expect(bytes).toMatch(/e90000000090/)
  })

  test('that no instruction can replace is refused', () => {
    const asm = (n: number) => `int use(int a) { asm volatile("cmp level@GOTPCREL(%rip), %rax"); return a + ${n}; }`
    const extraction = extractionOf([compareObjects(compile(asm(1)), compile(asm(2)), 'unit.c')])
    expect(rules(extraction.findings)).toEqual(['error unknown-relocation'])
  })
})
