// SPDX-License-Identifier: GPL-3.0-or-later
// Switches that the compiler makes tables of, in position-independent code, too, whose tables hold distances from their
// own beginning.
import { describe, expect, it } from 'vitest'
import { type Change, compareObjects } from '../../../src/diff/change.ts'
import { splitObject } from '../../../src/diff/object/split-object.ts'
import { type ObjectFile, readObject } from '../../../src/elf/read.ts'
import { writeObject } from '../../../src/elf/write.ts'
import { extract } from '../../../src/extract/extraction.ts'
import { compilers, compileWith, rules } from '../../objects.ts'

const independent = ['-fPIE', '-mcmodel=small', '-fjump-tables']
const cases = [...Array(40).keys()]

/** Functions of which much is a table, so that distances counted from its beginning reach far behind them. */
function unit(what: { readonly case?: number; readonly of?: string; readonly small?: number } = {}): string {
  const arm = (n: number, of: string) => {
    const isOther = n === what.case && (what.of ?? 'pick') === of
    return `case ${n}: return ${isOther ? 'halt(b - 1)' : `${of === 'pick' ? 'act' : 'go'}(b + ${n * 9})`};`
  }
  const choose = (name: string) =>
    `int ${name}(int a, int b) { switch (a) { ${cases.map((n) => arm(n, name)).join(' ')} } return 0; }`
  return `
    int act(int); int go(int); int halt(int);
    static __attribute__((noinline)) int small(int a) { return act(a) * ${what.small ?? 3}; }
    ${choose('pick')}
    int between(int a) { return small(a + 1); }
    ${choose('take')}
    int last(int a) { return small(a + 2); }`
}

const sections = [
  { name: 'sections for each function', more: ['-fdata-sections'] },
  { name: 'sections that all share', more: ['-fno-function-sections', '-fno-data-sections'] },
]

/** The extraction, for objects without ftrace's entries. */
const extractionOf = (changes: readonly Change[]) =>
  extract(
    changes.map((change) => ({ change, object: 'vmlinux' })),
    { has: () => true, judgesHooks: false },
  )

/** Names that the entries of nameless tables lead to. */
function ledTo(object: ObjectFile): string[] {
  const parts = splitObject(object)
  const names = parts.atoms
    .filter(({ kind, section }) => kind === 'constant' && section.name.startsWith('.rodata'))
    .flatMap((atom) => parts.relocations(atom).map((one) => parts.target(atom.section, one)))
    .map((target) => (target.kind === 'atom' ? target.atom.name : target.kind))
  return [...new Set(names)].sort()
}

/** One of each kind. */
const kinds = ['gcc-', 'clang-'].flatMap((kind) => compilers.findLast((name) => name.startsWith(kind)) ?? [])

describe.each(kinds)('%s', (compiler) => {
  describe.each(sections)('in $name', ({ more }) => {
    const build = (text: string, flags = independent) =>
      readObject(compileWith(compiler, text, [...flags, ...more], []), 'unit.o')

    it('an entry of a table leads to the function that uses it, whatever the distance', () => {
      expect(ledTo(build(unit()))).toEqual(['pick', 'take'])
    })

    it('a function with a table that changes is found alone, and carried with its own table', () => {
      const change = compareObjects(build(unit()), build(unit({ case: 30 })), 'unit.c')
      expect(change.changed.map(({ after }) => after.name)).toEqual(['pick'])
      const { draft, findings } = extractionOf([change])
      expect(rules(findings)).toEqual([])
      const carried = readObject(writeObject(draft), 'carried.o')
      expect(ledTo(carried)).toEqual(['pick'])
      // Each way that the patched function takes is one of the carried function.
      const ways = (object: ObjectFile) => {
        const parts = splitObject(object)
        const atom = parts.functions.find(({ name }) => name === 'pick')!
        const tables = parts.atoms.filter(
          ({ kind, section }) => kind === 'constant' && section.name.startsWith('.rodata'),
        )
        return tables
          .flatMap((table) =>
            parts.relocations(table).map((one) => ({ one, target: parts.target(table.section, one) })),
          )
          .flatMap(({ target }) =>
            target.kind === 'atom' && target.atom.name === 'pick'
              ? [target.offset - (atom.symbol!.value - atom.start)]
              : [],
          )
      }
      expect(ways(carried)).toEqual(ways(change.after.object))
      expect(ways(carried).length).toBe(cases.length)
    })

    it('a function in front that changes leaves those with tables as they are', () => {
      const change = compareObjects(build(unit()), build(unit({ small: 1234567 })), 'unit.c')
      expect(change.changed.map(({ after }) => after.name)).toEqual(['small'])
      expect(rules(extractionOf([change]).findings)).toEqual([])
    })

    it('the same holds for tables of addresses', () => {
      const flags = ['-fjump-tables']
      expect(ledTo(build(unit(), flags))).toEqual(['pick', 'take'])
      const change = compareObjects(build(unit(), flags), build(unit({ case: 30, of: 'take' }), flags), 'unit.c')
      expect(change.changed.map(({ after }) => after.name)).toEqual(['take'])
      expect(rules(extractionOf([change]).findings)).toEqual([])
    })
  })

  it('two ways of a switch that change places are a change, though the code is the same', () => {
    const text = (a: string, b: string) => `
      int act(int); int go(int);
      int pick(int a, int b) { switch (a) {
        ${cases.map((n) => `case ${n}: return ${n === 7 ? a : n === 8 ? b : `act(b + ${n * 9})`};`).join(' ')}
      } return 0; }`
    const build = (source: string) =>
      readObject(compileWith(compiler, source, [...independent, '-fdata-sections'], []), 'unit.o')
    const change = compareObjects(build(text('act(b)', 'go(b)')), build(text('go(b)', 'act(b)')), 'unit.c')
    expect(change.changed.map(({ after }) => after.name)).toEqual(['pick'])
  })

  it('distances from the field itself are left as they are', () => {
    const text = `
      int act(int);
      int first(int a) { return act(a) + 1; }
      int second(int a) { return act(a) + 2; }
      int use(int a) { int *t; asm("lea 1f(%%rip), %0\\n.pushsection .rodata,\\"a\\"\\n.balign 4\\n1: .long first - .\\n.long second - .\\n.popsection" : "=r"(t)); return t[a]; }`
    const object = readObject(compileWith(compiler, text, [...independent, '-fdata-sections'], []), 'unit.o')
    expect(ledTo(object)).toEqual(['first', 'second'])
  })
})
