// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel rewrites while it loads a patch may not depend on a module that comes later; what it does not
// look at may wait.
import { describe, expect, test } from 'vitest'
import type { SectionDraft } from '../../../src/elf/write.ts'
import type { Finding } from '../../../src/ground/finding.ts'
import type { Binding } from '../../../src/module/bind/bind.ts'
import { leaveOutTracepoints, moveLivepatchRelocations } from '../../../src/module/link/livepatch-relocations.ts'
import { changeOf, extractionOf } from '../../objects.ts'

type Late = Binding & { kind: 'livepatch' }

/** The patch of a function with `code`, in which every reference is resolved when `when` is there. */
function patchOf(code: string, when: string) {
  const unit = (n: number) =>
    `extern long the_key, __tracepoint_seen; void callee(void); int f(int a) { ${code} return a + ${n}; }`
  const { draft, references } = extractionOf([changeOf(unit(1000), unit(1001))])
  const late = new Map(
    [...references]
      .filter(([, { name }]) => name !== '__fentry__')
      .map(([symbol, { name }]): [typeof symbol, Late] => [
        symbol,
        { kind: 'livepatch', object: when, name, sympos: 0, when },
      ]),
  )
  const findings: Finding[] = []
  const section = (name: string) => draft.sections.find((one) => one.name === name)!
  return { draft, late, findings, section }
}

const jump = (key: string) =>
  `{ __label__ yes; asm goto("1: .byte 0x0f,0x1f,0x44,0x00,0x00\\n.pushsection ` +
  `__jump_table,\\"aw\\"\\n.long 1b - ., %l[yes] - .\\n.quad %c0 - .\\n.popsection" :: "i"(&${key}) :: ` +
  'yes); a *= 3; yes:; }'
const replaced =
  'asm volatile("661: nop; nop; nop; nop; nop\\n662:\\n.pushsection .altinstructions,\\"a\\"\\n.long ' +
  '661b - ., 663f - .\\n.word 3\\n.byte 662b-661b, 664f-663f\\n.popsection\\n.pushsection ' +
  '.altinstr_replacement,\\"ax\\"\\n663: call callee\\n664:\\n.popsection");'
const staticCall =
  'asm volatile("9: call callee\\n.pushsection .static_call_sites,\\"aw\\"\\n.long 9b - ., the_key - .\\n.popsection");'

const names = (sections: readonly SectionDraft[]) =>
  sections.flatMap(({ livepatchRelocations = [] }) => livepatchRelocations.map(({ name }) => name))

describe('a reference that livepatch resolves', () => {
  test.each([
    ['the key of a jump label', '__jump_table', jump('the_key'), 'the_key'],
    ['a call in an alternative', '.altinstr_replacement', replaced, 'callee'],
    ['the key of a static call', '.static_call_sites', staticCall, 'the_key'],
  ])('in a module is refused by name, with the way out: %s', (_, table, code, name) => {
    const { draft, late, findings, section } = patchOf(code, 'thing')
    moveLivepatchRelocations(section(table), late, draft, findings)
    expect(findings.map(({ severity, rule, symbol }) => [severity, rule, symbol])).toEqual([
      ['error', 'late-special-section', name],
    ])
    expect(findings[0]?.message).toContain('thing')
    expect(findings[0]?.hint).toMatch(/static keys/)
  })

  test.each([
    ['the key of a jump label', '__jump_table', jump('the_key')],
    ['a call in an alternative', '.altinstr_replacement', replaced],
    ['the key of a static call', '.static_call_sites', staticCall],
  ])('in vmlinux is resolved before the kernel looks: %s', (_, table, code) => {
    const { draft, late, findings, section } = patchOf(code, 'vmlinux')
    moveLivepatchRelocations(section(table), late, draft, findings)
    expect(findings).toEqual([])
    expect(names(draft.sections)).toContain(`.klp.rela.vmlinux.${table}`)
  })

  describe.each([
    [12, '.byte 5, 5'],
    [13, '.byte 5, 5, 0'],
    [14, '.long 0; .byte 5, 5'],
  ])('from code beside an alternative with entries of %i bytes', (size, rest) => {
    /**
     * Five bytes that are replaced, and a call behind them; the padding that the last field tells of is none of its
     * length.
     */
    const alternative = (inside: boolean) =>
      `asm volatile("661: ${inside ? 'call callee' : '.byte 0x0f, 0x1f, 0x44, 0, 0'}\\n662: ` +
      `${inside ? '' : 'call callee'}\\n.pushsection .altinstructions,\\"a\\"\\n.long 661b - ., 663f - ` +
      `.\\n${size === 14 ? '' : '.word 3\\n'}${rest.replaceAll('; ', '\\n')}\\n.popsection\\n.pushsection ` +
      `.altinstr_replacement,\\"ax\\"\\n663: .byte 0x0f, 0x1f, 0x44, 0, 0\\n.popsection");`

    test.each([
      ['inside', true, ['late-special-section']],
      ['right behind', false, []],
    ])('%s what is replaced', (_, inside, rules) => {
      const code = alternative(inside)
      const { draft, late, findings, section } = patchOf(code + code, 'thing')
      expect((section('.altinstructions').data as Buffer).length).toBe(2 * size)
      moveLivepatchRelocations(section('.text.f'), late, draft, findings)
      expect([...new Set(findings.map(({ rule }) => rule))]).toEqual(rules)
    })
  })

  test('from code between alternatives of which one has no replacement (until 5.12)', () => {
    const entry = (place: string, replacement: string) =>
      `.long ${place} - .${replacement}\\n.word 3\\n.byte 5, 5, 0\\n`
    const code =
      `asm volatile("1: .byte 0x0f, 0x1f, 0x44, 0, 0\\n2: call callee\\n3:\\n.pushsection ` +
      `.altinstructions,\\"a\\"\\n${entry('1b', '\\n.long 0')}${entry('2b', ', 4f - .')}.popsection\\n.pushsection ` +
      `.altinstr_replacement,\\"ax\\"\\n4: .byte 0x0f, 0x1f, 0x44, 0, 0\\n.popsection");`
    const { draft, late, findings, section } = patchOf(code, 'thing')
    moveLivepatchRelocations(section('.text.f'), late, draft, findings)
    expect(findings.map(({ rule }) => rule)).toEqual(['late-special-section'])
  })

  test('from code that nobody rewrites may wait for its module', () => {
    const { draft, late, findings, section } = patchOf(`callee(); ${jump('the_key')}`, 'thing')
    moveLivepatchRelocations(section('.text.f'), late, draft, findings)
    expect(findings).toEqual([])
    expect(names(draft.sections)).toEqual(['.klp.rela.thing..text.f'])
  })

  test('from a call that the kernel rewrites may not', () => {
    const { draft, late, findings, section } = patchOf(staticCall, 'thing')
    moveLivepatchRelocations(section('.text.f'), late, draft, findings)
    expect(findings.map(({ rule, symbol }) => [rule, symbol])).toEqual([['late-special-section', 'callee']])
  })
})

describe("a module's tracepoint", () => {
  test('stays off in replaced code, which is worth a note; other jump labels stay', () => {
    const { late, findings, section } = patchOf(`${jump('__tracepoint_seen')} ${jump('the_key')}`, 'thing')
    const table = section('__jump_table')
    leaveOutTracepoints(table, late, findings)
    expect(findings.map(({ severity, rule }) => [severity, rule])).toEqual([['note', 'tracepoint-lost']])
    expect(findings[0]?.message).toContain('seen')
    expect(table.relocations).toHaveLength(3)
    expect((table.data as Buffer).length).toBe(16)
    expect(late.get(table.relocations[2]!.symbol)?.name).toBe('the_key')
  })

  test("of vmlinux is the kernel's own", () => {
    const { late, findings, section } = patchOf(jump('__tracepoint_seen'), 'vmlinux')
    leaveOutTracepoints(section('__jump_table'), late, findings)
    expect(findings).toEqual([])
    expect(section('__jump_table').relocations).toHaveLength(3)
  })
})
