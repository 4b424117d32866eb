// SPDX-License-Identifier: GPL-3.0-or-later
// Thread-local variables: objects that have them are read and compared like others; code that uses them can't be
// carried.
import { describe, expect, test } from 'vitest'
import { compareObjects } from '../../src/diff/change.ts'
import { compile, extractionOf } from '../objects.ts'

const unit = (change: { tick?: number; plain?: number; first?: number; tuck?: number }) => `
  __thread int counter = ${change.first ?? 5}; static __thread int hidden; extern __thread int outside;
  int tick(int a) { return counter += a * ${change.tick ?? 3}; }
  int tock(int a) { return hidden += a; }
  int tuck(int a) { return outside + a + ${change.tuck ?? 3}; }
  int plain(int a) { return a + ${change.plain ?? 3}; }`

describe.each([
  ['at a fixed distance', ['-ftls-model=local-exec', '-mcmodel=small']],
  ['found by a call', ['-fpic', '-mcmodel=small', '-ftls-model=global-dynamic']],
  ['found by a table', ['-fpic', '-mcmodel=small', '-ftls-model=initial-exec']],
] as const)('a thread-local variable %s', (_, flags) => {
  const changeOf = (change: Parameters<typeof unit>[0]) =>
    compareObjects(compile(unit({}), ...flags), compile(unit(change), ...flags), 'unit.c')
  const names = (change: ReturnType<typeof changeOf>) => change.changed.map(({ after }) => after.name)

  test('has its name in the object, as the code does that uses it', () => {
    const object = compile(unit({}), ...flags)
    const named = object.symbols.filter(({ type }) => type === 'tls').map(({ name, place }) => `${name} ${place}`)
    expect(named.sort()).toEqual(['counter section', 'hidden section', 'outside undefined'])
    expect(names(changeOf({}))).toEqual([])
  })

  test('is no obstacle to a function that has nothing to do with it', () => {
    const change = changeOf({ plain: 4 })
    expect(names(change)).toEqual(['plain'])
    expect(extractionOf([change]).findings).toEqual([])
  })

  test.each(['tick', 'tuck'] as const)('can not be carried with %s, in one sentence', (name) => {
    const change = changeOf({ [name]: 4 })
    expect(names(change)).toEqual([name])
    const variable = name === 'tick' ? 'counter' : 'outside'
    expect(extractionOf([change]).findings.map(({ rule, message }) => [rule, message])).toContainEqual([
      'unknown-relocation',
      `${name} uses the thread-local variable ${variable}, which a kernel module can't reach`,
    ])
  })

  test('that begins with another value is a change of data', () => {
    const change = changeOf({ first: 6 })
    expect(change.changedData.map((atom) => atom.name)).toEqual(['counter'])
  })
})
