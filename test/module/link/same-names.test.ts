// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch in which one name means several things: what the kernel exports, what a unit has for itself, and what
// the module's own skeleton takes from the kernel.
import { describe, expect, test } from 'vitest'
import { readObject } from '../../../src/elf/read.ts'
import { writeObject } from '../../../src/elf/write.ts'
import { Binder, type Binding } from '../../../src/module/bind/bind.ts'
import { nameReferences } from '../../../src/module/link/assemble.ts'
import { finish } from '../../../src/module/link/finish.ts'
import { changeOf, extractionOf } from '../../objects.ts'
import { namesOf } from '../small-kernel.ts'
import { layout } from '../small-layout.ts'

const noinline = '__attribute__((noinline))'
/** A unit that has `used` for itself, and calls it only with the patch. */
const own = (n: number) =>
  `int state; static ${noinline} int used(int a) { return a + state++; } int g(int a) { return used(a); } ` +
  `int f(int a) { return ${n > 1 ? `used(a) + ${n}` : 'a'}; }`
/** One that calls another's. */
const others = (n: number) => `int used(int); int h(int a) { return ${n > 1 ? 'used(a)' : 'a'}; }`
const names = namesOf({
  symbols: Object.fromEntries(['used', 'state'].map((name) => [`vmlinux ${name}`, [{ type: 't' }]])),
  exports: Object.fromEntries(['used', 'state', '__fentry__'].map((name) => [name, 'vmlinux'])),
})

/** The references of two units, each by its name in the object that objtool gets. */
function namedIn(units: readonly ((n: number) => string)[], imported: readonly string[]) {
  const { draft, references } = extractionOf(units.map((unit, index) => changeOf(unit(1), unit(2), `${index}.c`)))
  const binder = new Binder(names)
  const bindings = new Map(
    [...references].flatMap(([symbol, reference]) => {
      const binding = binder.bind(reference)
      return binding === undefined ? [] : [[symbol, binding] as const]
    }),
  )
  const named = new Map<string, Binding>()
  const renamed = nameReferences({ draft, references, bindings }, named, {
    defined: new Set(),
    imported: new Set(imported),
  })
  return { named, draft: renamed.draft }
}

const kinds = (named: ReadonlyMap<string, Binding>) =>
  [...named].filter(([, { name }]) => name === 'used').map(([name, { kind }]) => `${name} ${kind}`)

describe('one name', () => {
  test('for a private symbol and for an export becomes two, and the export keeps its version', () => {
    const { named, draft } = namedIn([own, others], [])
    expect(kinds(named)).toEqual(['used livepatch', 'used..2 exported'])
    const target = { names, identity: { release: '1', version: '#1', buildId: undefined }, mode: 'klp' as const }
    const { bytes, findings } = finish(writeObject(draft), named, target, layout, [])
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
    const module = readObject(bytes, 'livepatch.ko')
    const undefinedNames = module.symbols.filter(({ place }) => place === 'undefined').map(({ name }) => name)
    expect(undefinedNames).toContain('used')
    expect(undefinedNames.join()).not.toContain('..')
    const versions = module.sections.find(({ name }) => name === '__versions')!.data.toString('latin1')
    expect(versions.split(/\0+/)).toContain('used')
  })

  test('for a private symbol and for what the skeleton takes from the kernel becomes two', () => {
    expect(kinds(namedIn([own], ['used']).named)).toEqual(['used..2 livepatch'])
    expect(kinds(namedIn([others], ['used']).named)).toEqual(['used exported'])
    expect(kinds(namedIn([own], []).named)).toEqual(['used livepatch'])
  })
})
