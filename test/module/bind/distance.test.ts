// SPDX-License-Identifier: GPL-3.0-or-later
// Which private symbols of vmlinux are reached by their distance from an exported one, and what the kernel may follow
// before the module has seen in which image it is.
import { describe, expect, test } from 'vitest'
import type { SymbolDraft } from '../../../src/elf/write.ts'
import { undefinedSymbol } from '../../../src/elf/write.ts'
import type { Binding } from '../../../src/module/bind/bind.ts'
import { anchor, distanceFromAnchor } from '../../../src/module/bind/distance.ts'
import { moveLivepatchRelocations } from '../../../src/module/link/livepatch-relocations.ts'
import { changeOf, extractionOf } from '../../objects.ts'
import { namesOf, type SmallKernel } from '../small-kernel.ts'

type LivepatchBinding = Binding & { kind: 'livepatch' }

const base = 0xffff_ffff_8100_0000n
const at = (offset: number, type = 't') => ({ address: base + BigInt(offset), type })

const kernel: SmallKernel = {
  exports: { [anchor]: 'vmlinux' },
  symbols: {
    'vmlinux _stext': [at(0, 'T')],
    'vmlinux _end': [at(0x200_0000, 'B')],
    [`vmlinux ${anchor}`]: [at(0x100_0000, 'D')],
    'vmlinux helper': [at(0x1000), at(0x2000), at(0x2000_0000)],
    'vmlinux __do_helper': [at(0x2000)],
    'vmlinux state': [at(0x180_0000, 'b')],
    'vmlinux per_cpu_state': [{ address: 0x1d3c0n, type: 'A' }],
    'ext4 helper': [{ type: 't' }],
  },
}

const to = (object: string, name: string, sympos = 0, other: SmallKernel = kernel) =>
  distanceFromAnchor(namesOf(other))({ kind: 'livepatch', object, when: object, name, sympos })

describe('a private symbol of vmlinux', () => {
  test('lies at a distance from the exported one, on either side', () => {
    expect(to('vmlinux', 'state')).toEqual({ bytes: 0x80_0000, names: ['state'] })
    expect(to('vmlinux', 'helper', 1)).toEqual({ bytes: 0x1000 - 0x100_0000, names: ['helper'] })
  })

  test('is meant by its position, and known by every name of its place', () => {
    expect(to('vmlinux', 'helper', 2)).toEqual({
      bytes: 0x2000 - 0x100_0000,
      names: ['helper', '__do_helper'],
    })
  })

  test('is looked up by name where no distance holds, or the kernel could not name the place', () => {
    expect(to('vmlinux', 'per_cpu_state')).toBeUndefined()
    expect(to('vmlinux', 'helper', 3)).toBeUndefined()
    expect(to('vmlinux', '_end')).toBeUndefined()
    expect(to('vmlinux', 'nothing')).toBeUndefined()
    expect(to('ext4', 'helper')).toBeUndefined()
  })

  test('is looked up by name in a kernel that does not export the one to measure from', () => {
    expect(to('vmlinux', 'state', 0, { ...kernel, exports: {} })).toBeUndefined()
    const two = { ...kernel.symbols, [`vmlinux ${anchor}`]: [at(0x100_0000, 'D'), at(0x110_0000)] }
    expect(to('vmlinux', 'state', 0, { ...kernel, symbols: two })).toBeUndefined()
  })
})

/** The relocations of a patched function that refers to `callee` and `the_key`, which lie at a distance. */
function relocationsOf(code: string) {
  const unit = (n: number) => `extern long the_key; void callee(void); int f(int a) { ${code} return a + ${n}; }`
  const { draft, references } = extractionOf([changeOf(unit(1000), unit(1001))])
  const livepatchSymbols = new Map<SymbolDraft, LivepatchBinding>()
  for (const [symbol, { name }] of references)
    if (name !== '__fentry__')
      livepatchSymbols.set(symbol, { kind: 'livepatch', object: 'vmlinux', when: 'vmlinux', name, sympos: 0 })
  const from = undefinedSymbol(anchor)
  const fromAnchor = new Map([...livepatchSymbols.keys()].map((symbol) => [symbol, { anchor: from, bytes: -0x1000 }]))
  for (const section of draft.sections) moveLivepatchRelocations(section, livepatchSymbols, draft, [], fromAnchor)
  return draft.sections.flatMap(({ name: section, relocations, livepatchRelocations = [] }) => [
    ...relocations.filter(({ symbol }) => symbol === from).map(({ addend }) => ({ section, by: 'distance', addend })),
    ...livepatchRelocations.flatMap((one) => one.relocations.map(({ addend }) => ({ section, by: 'name', addend }))),
  ])
}

describe('a reference', () => {
  test('from code is by distance, with the addend that it had', () => {
    expect(relocationsOf('callee();')).toEqual([{ section: '.text.f', by: 'distance', addend: -0x1004 }])
  })

  test.each([
    [
      'the key of a jump label',
      '__jump_table',
      '{ __label__ yes; asm goto("1: .byte 0x0f,0x1f,0x44,0x00,0x00\\n.pushsection ' +
        '__jump_table,\\"aw\\"\\n.long 1b - ., %l[yes] - .\\n.quad %c0 - .\\n.popsection" :: ' +
        '"i"(&the_key) :: yes); a *= 3; yes:; }',
    ],
    [
      'the key of a static call',
      '.static_call_sites',
      'asm volatile("9: nop\\n.pushsection .static_call_sites,\\"aw\\"\\n.long 9b - ., the_key - .\\n.popsection");',
    ],
    [
      'a call in an alternative',
      '.altinstr_replacement',
      'asm volatile("661: nop; nop; nop; nop; nop\\n662:\\n.pushsection ' +
        '.altinstructions,\\"a\\"\\n.long 661b - ., 663f - .\\n.word 3\\n.byte 662b-661b, ' +
        '664f-663f\\n.popsection\\n.pushsection .altinstr_replacement,\\"ax\\"\\n663: call ' +
        'callee\\n664:\\n.popsection");',
    ],
    [
      'an operand of code that an alternative replaces',
      '.text.f',
      'asm volatile("661: call *the_key(%%rip)\\n662:\\n.pushsection .altinstructions,\\"a\\"\\n.long ' +
        '661b - ., 663f - .\\n.word 3\\n.byte 662b-661b, 664f-663f\\n.popsection\\n.pushsection ' +
        '.altinstr_replacement,\\"ax\\"\\n663: nop\\n664:\\n.popsection" ::);',
    ],
    [
      'a table that the kernel knows by its name',
      '__param',
      'asm volatile(".pushsection __param,\\"a\\"\\n661: .quad the_key\\n.popsection\\n.pushsection ' +
        '.discard.addressable\\n.quad 661b\\n.popsection\\nlea 661b(%%rip), %%rax" ::: "rax");',
    ],
  ])('that the kernel follows while it loads the module is by name: %s', (_, section, code) => {
    const found = relocationsOf(code)
    expect(found.filter((one) => one.section === section).map(({ by }) => by)).toEqual(['name'])
  })
})
