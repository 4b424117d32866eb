// SPDX-License-Identifier: GPL-3.0-or-later
// What the names mean in the compiled source of a live patch.
import { describe, expect, test } from 'vitest'
import { splitObject } from '../../../src/diff/object/split-object.ts'
import { linkDirectory } from '../../../src/module/engines/directory-object.ts'
import { knownData } from '../../../src/module/engines/known-data.ts'
import type { SourceObject } from '../../../src/module/engines/source-objects.ts'
import { compile } from '../../objects.ts'
import { namesOf, type SmallKernel } from '../small-kernel.ts'

const label = (object: string, name: string, position: number) =>
  `__asm__("__livepatch_symbol.${object}.${position}.${name}")`

const wrapper = compile('extern char livepatch_f[]; void *table = livepatch_f;')
const skeleton = compile('int skeleton;')

function unit(text: string, before = 'int f(int a) { return a; }', file = 'a.c', object = 'vmlinux'): SourceObject {
  return {
    file,
    unit: `kernel/${file}`,
    object,
    compiled: compile(text),
    before: splitObject(compile(before)),
  }
}

/** What each undefined name is bound to, and the rules of the findings. */
function linked(kernel: SmallKernel, ...units: SourceObject[]) {
  const names = namesOf(kernel)
  const data = new Map(units.map((one) => [one, knownData(one, names, new Set())]))
  const kept = (one: SourceObject) => data.get(one)!.kept
  const made = linkDirectory({ units, wrapper, findings: [] }, skeleton, names, kept)
  const findings = made.findings.map(({ finding }) => finding)
  const bound = [...made.bindings].filter(([{ name }]) => name !== '__fentry__')
  return {
    bindings: Object.fromEntries(bound.map(([{ name }, binding]) => [name, binding])),
    rules: findings.filter(({ symbol }) => symbol !== '__fentry__').map(({ rule }) => rule),
    hints: findings.map(({ hint }) => hint ?? ''),
    draft: made.draft,
  }
}

describe('a name that a file uses', () => {
  const uses = (declaration: string) => unit(`${declaration}; int livepatch_f(int a) { return used(a); }`)

  test('and that another file defines is the live patch’s own', () => {
    const other = unit('int used(int a) { return a + 1; }', 'int g;', 'b.c')
    const { bindings, rules } = linked({}, uses('int used(int)'), other)
    expect(bindings.used).toEqual({ kind: 'own', name: 'used' })
    expect(rules).toEqual([])
  })

  test('and that the kernel has once is bound to it', () => {
    const { bindings } = linked({ symbols: { 'vmlinux used': [{ type: 'T' }] } }, uses('int used(int)'))
    expect(bindings.used).toMatchObject({ kind: 'livepatch', object: 'vmlinux', sympos: 0 })
  })

  test('and that the kernel has several times is refused, with the places to choose from', () => {
    const symbols = {
      'vmlinux used': [
        { type: 't', address: 0x10n },
        { type: 't', address: 0x20n },
      ],
    }
    const before = 'static __attribute__((noinline)) int used(int a) { return a * 3; } int f(int a) { return used(a); }'
    const one = unit('int used(int); int livepatch_f(int a) { return used(a); }', before)
    const { rules, hints } = linked({ symbols }, one)
    expect(rules).toEqual(['ambiguous-symbol'])
    expect(hints).toContain('Say which one is meant with LIVEPATCH_SYMBOL. By position, they are 1: t 10, 2: t 20')
  })

  test('and that a label puts at a position is bound to that one', () => {
    const symbols = { 'vmlinux used': [{ type: 't' }, { type: 't' }] }
    const one = uses(`int used(int) ${label('vmlinux', 'used', 2)}`)
    const { bindings, rules } = linked({ symbols }, one)
    expect(bindings['__livepatch_symbol.vmlinux.2.used']).toMatchObject({ name: 'used', sympos: 2 })
    expect(rules).toEqual([])
  })

  test.each([
    ['at a position that is not there', 3, 'ambiguous-symbol'],
    ['without the position that it needs', 0, 'ambiguous-symbol'],
  ])('and that a label puts %s is refused', (_, position, rule) => {
    const symbols = { 'vmlinux used': [{ type: 't' }, { type: 't' }] }
    const one = uses(`int used(int) ${label('vmlinux', 'used', position)}`)
    expect(linked({ symbols }, one).rules).toEqual([rule])
  })

  test('and that a label looks for where it is not is refused', () => {
    expect(linked({}, uses(`int used(int) ${label('vmlinux', 'used', 0)}`)).rules).toEqual(['no-symbol'])
  })

  test('of its module waits for the module', () => {
    const one = unit(
      `int used(int) ${label('ext4', 'used', 0)}; int livepatch_f(int a) { return used(a); }`,
      'int f;',
      'a.c',
      'ext4',
    )
    const { bindings } = linked({ symbols: { 'ext4 used': [{ type: 't' }] } }, one)
    expect(bindings['__livepatch_symbol.ext4.0.used']).toEqual({
      kind: 'livepatch',
      object: 'ext4',
      when: 'ext4',
      name: 'used',
      sympos: 0,
    })
  })
})

// arch/x86/include/asm/runtime-const.h: the code has a number, and only its table names the variable.
test('a variable that code has as a constant of boot is bound like any other name', () => {
  const constant = (name: string) =>
    `({ unsigned long v; asm("movabs $0x0123456789abcdef, %0; 1: .pushsection runtime_ptr_${name}, ` +
    `\\"a\\"; .long 1b - 8 - .; .popsection" : "=r" (v)); v; })`
  const symbols = { 'vmlinux limit': [{ type: 'D' }], 'vmlinux table': [{ type: 'd' }] }
  const made = (...texts: string[]) => {
    const units = texts.map((text, nth) => unit(text, 'int f;', `${nth}.c`))
    const { bindings, rules, draft } = linked({ symbols }, ...units)
    const led = draft.sections.flatMap(({ relocations }) => relocations.map(({ symbol }) => symbol))
    // The wrapper's own is not asked about.
    const open = led.filter(({ name, place }) => place === 'undefined' && !/^(__fentry__|livepatch_)/.test(name))
    expect(rules.filter((rule) => rule !== 'no-symbol')).toEqual([])
    for (const { name } of open) expect(Object.keys(bindings)).toContain(name)
    for (const symbol of open) expect(draft.symbols).toContain(symbol)
    return { names: [...new Set(open.map(({ name }) => name))].sort(), rules }
  }
  const one = `unsigned long livepatch_f(void) { return ${constant('limit')}; }`
  expect(made(one).names).toEqual(['limit'])
  const both = `unsigned long livepatch_f(void) { return ${constant('limit')} + ${constant('table')}; }`
  expect(made(both).names).toEqual(['limit', 'table'])
  const again = `extern unsigned long limit; unsigned long livepatch_f(void) { return limit + ${constant('limit')}; }`
  expect(made(again).names).toEqual(['limit'])
  expect(made(one, one.replace('_f', '_g')).names).toEqual(['limit'])
  const nowhere = linked({}, unit(one))
  expect(nowhere.rules).toEqual(['no-symbol'])
})

test('two files that define the same name are refused', () => {
  const one = unit('int livepatch_f(int a) { return a; }')
  expect(linked({}, one, unit('int livepatch_f(int a) { return a; }', 'int f;', 'b.c')).rules).toEqual([
    'duplicate-definition',
  ])
})

test('a note of a patch’s macro is refused: the tables are in the wrapper', () => {
  const note = 'int livepatch_f(int a) { return a; } static int note __attribute__((used, section(".inarch.states")));'
  expect(linked({}, unit(note)).rules).toEqual(['note-in-source'])
})

describe('functions of one name in two files', () => {
  const apart = '__attribute__((noinline))'
  const functions = (...units: SourceObject[]) =>
    linked({}, ...units)
      .draft.symbols.filter(({ type, place }) => type === 'function' && place !== 'undefined')
      .map(({ name }) => name)

  test('are told apart, with their cold parts', () => {
    const text = (name: string) =>
      `static __attribute__((noipa)) int cold(int a) __asm__("same.cold"); static int cold(int a) { return a * 7; }
       static ${apart} int same(int a) { return a == 7 ? cold(a) : a * 5; }
       int ${name}(int a) { return same(a) + same(a + 1); }`
    const found = functions(unit(text('livepatch_f')), unit(text('livepatch_g'), 'int g;', 'b.c'))
    expect(found).toEqual(expect.arrayContaining(['same', 'same.cold', 'same..2', 'same..2.cold']))
    expect(new Set(found).size).toBe(found.length)
  })

  test('leave the name to the one that other files call', () => {
    const own = `static ${apart} int same(int a) { return a * 5; } int livepatch_f(int a) { return same(a); }`
    const found = functions(unit(own), unit('int same(int a) { return a * 3; }', 'int g;', 'b.c'))
    expect(found.toSorted()).toEqual(['livepatch_f', 'same', 'same..2'])
  })

  test('are three when there are three', () => {
    const text = (name: string) =>
      `static ${apart} int same(int a) { return a * 5; } int ${name}(int a) { return same(a); }`
    const found = functions(unit(text('f1')), unit(text('f2'), 'int g;', 'b.c'), unit(text('f3'), 'int h;', 'c.c'))
    expect(found.filter((name) => name.startsWith('same'))).toEqual(['same', 'same..2', 'same..3'])
  })
})

test('no two sections of the module have the same name', () => {
  const text = (name: string) => `static int same(int a) { return a * 5; } int (*${name})(int) = same;`
  const { draft } = linked({}, unit(text('p')), unit(text('q'), 'int g;', 'b.c'))
  const names = draft.sections.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(names).toContain('.text.same')
})
