// SPDX-License-Identifier: GPL-3.0-or-later
// How references of carried code become what the kernel resolves, for a small kernel of the test's own.
import { describe, expect, test } from 'vitest'
import type { Change } from '../../../src/diff/change.ts'
import type { Atom } from '../../../src/diff/object/split-object.ts'
import { Binder, type Binding } from '../../../src/module/bind/bind.ts'
import { changeOf, extractionOf } from '../../objects.ts'
import { namesOf, type SmallKernel } from '../small-kernel.ts'

/** Binds the one reference called `name` of a change. */
function bindOne(kernel: SmallKernel, change: Change, object: string, name: string) {
  const bind = new Binder(namesOf(kernel))
  const { references } = extractionOf([{ change, object }])
  const reference = [...references.values()].find((one) => one.name === name)!
  return { binding: bind.bind(reference), rules: bind.findings.map(({ finding }) => finding.rule) }
}

const calls = (body: string) =>
  changeOf(`${body} int f(int a) { return a; }`, `${body} int f(int a) { return used(a); }`)
const external = calls('int used(int);')
const own = calls(
  'static int state; static __attribute__((noinline)) int used(int a) { return a + state++; } int g(int ' +
    'a) { return used(a); }',
)

describe('a reference to', () => {
  test('what the kernel exports stays an ordinary symbol with its version', () => {
    const kernel = { exports: { used: 'vmlinux NS' }, symbols: { 'vmlinux used': [{ type: 'T' }] } }
    const expected: Binding = { kind: 'exported', name: 'used', crc: 7, namespace: 'NS' }
    expect(bindOne(kernel, external, 'vmlinux', 'used').binding).toEqual(expected)
    expect(bindOne(kernel, external, 'ext4', 'used').binding).toEqual(expected)
  })

  test('what the kernel exports only to modules of certain names is resolved by livepatch', () => {
    const kernel = { exports: { used: 'vmlinux module:kvm,kvm-intel' }, symbols: { 'vmlinux used': [{ type: 'T' }] } }
    for (const from of ['vmlinux', 'kvm'])
      expect(bindOne(kernel, external, from, 'used').binding).toMatchObject({ kind: 'livepatch', object: 'vmlinux' })
  })

  test('a global symbol that is not exported is resolved by livepatch', () => {
    expect(bindOne({ symbols: { 'vmlinux used': [{ type: 'T' }] } }, external, 'vmlinux', 'used').binding).toEqual({
      kind: 'livepatch',
      object: 'vmlinux',
      when: 'vmlinux',
      name: 'used',
      sympos: 0,
    })
  })

  test('a global symbol with private namesakes means the global one', () => {
    const symbols = { 'vmlinux used': [{ type: 't' }, { type: 'T' }, { type: 't' }] }
    expect(bindOne({ symbols }, external, 'vmlinux', 'used').binding).toMatchObject({ sympos: 2 })
  })

  test('a name that only another unit has for itself is refused', () => {
    const { binding, rules } = bindOne({ symbols: { 'vmlinux used': [{ type: 't' }] } }, external, 'vmlinux', 'used')
    expect(binding).toBeUndefined()
    expect(rules).toEqual(['no-symbol'])
  })

  test('what another module exports waits for the module of the code', () => {
    const kernel = { exports: { used: 'jbd2' }, symbols: { 'jbd2 used': [{ type: 'T' }] } }
    expect(bindOne(kernel, external, 'ext4', 'used').binding).toEqual({
      kind: 'livepatch',
      object: 'jbd2',
      when: 'ext4',
      name: 'used',
      sympos: 0,
    })
  })

  test('what another module exports is counted where that module has a private one of the name, too', () => {
    const kernel = { exports: { used: 'jbd2' }, symbols: { 'jbd2 used': [{ type: 't' }, { type: 'T' }] } }
    expect(bindOne(kernel, external, 'ext4', 'used').binding).toMatchObject({ object: 'jbd2', sympos: 2 })
  })

  test('what a module defines itself is meant before an export of that name, as the linker decides', () => {
    const symbols = { 'ext4 used': [{ type: 'T' }] }
    for (const other of ['vmlinux', 'jbd2'])
      expect(bindOne({ exports: { used: other }, symbols }, external, 'ext4', 'used').binding).toMatchObject({
        object: 'ext4',
        sympos: 0,
      })
    const isPrivate = { 'ext4 used': [{ type: 't' }] }
    expect(
      bindOne({ exports: { used: 'vmlinux' }, symbols: isPrivate }, external, 'ext4', 'used').binding,
    ).toMatchObject({
      kind: 'exported',
    })
  })

  test('what a module exports is refused in code of the kernel proper', () => {
    expect(bindOne({ exports: { used: 'jbd2' } }, external, 'vmlinux', 'used').rules).toEqual(['module-symbol'])
  })

  test('a private function of the unit is never an export of the same name', () => {
    const kernel = { exports: { used: 'vmlinux' }, symbols: { 'vmlinux used': [{ type: 't' }] } }
    expect(bindOne(kernel, own, 'vmlinux', 'used').binding).toMatchObject({ kind: 'livepatch', sympos: 0 })
  })

  test('one of several private namesakes is refused when no code tells which', () => {
    const symbols = { 'vmlinux used': [{ type: 't' }, { type: 't' }] }
    expect(bindOne({ symbols }, own, 'vmlinux', 'used').rules).toEqual(['ambiguous-symbol'])
  })

  test('a name that a module has once more while it starts is counted, not taken for unique', () => {
    const last = { 'm used': [{ type: 't', crowded: true, whileLoading: 1 }] }
    expect(bindOne({ symbols: last }, own, 'm', 'used').binding).toMatchObject({ sympos: 1 })
    const first = { 'm used': [{ type: 't', crowded: true, whileLoading: 2 }] }
    expect(bindOne({ symbols: first }, own, 'm', 'used').rules).toEqual(['ambiguous-symbol'])
  })
})

test('a function whose code is not what the kernel runs is not replaced', () => {
  const bind = new Binder(namesOf({ symbols: { 'vmlinux f': [{ type: 'T' }] } }))
  const f = external.before.functions.find(({ name }) => name === 'f') as Atom
  expect(bind.replacement('vmlinux', f, external)).toBeUndefined()
  expect(bind.findings).toMatchObject([{ finding: { severity: 'error', rule: 'code-differs', symbol: 'f' } }])
})
