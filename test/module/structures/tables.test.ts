// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's livepatch structures, filled in without a compiler. The layout here is none that a kernel has,
// so that nothing is right by accident.
import { describe, expect, test } from 'vitest'
import { readObject } from '../../../src/elf/read.ts'
import { undefinedSymbol, writeObject } from '../../../src/elf/write.ts'
import type { CarriedCallback } from '../../../src/extract/callbacks.ts'
import { type Contents, livepatchTables, unsupported } from '../../../src/module/structures/tables.ts'
import type { Layout } from '../../../src/module/structures/template.ts'
import { layout } from '../small-layout.ts'

const callback = (kind: CarriedCallback['kind'], name: string, object: string): CarriedCallback => ({
  kind,
  name,
  object,
  unit: 'unit.c',
  symbol: undefinedSymbol(name),
})
const contents: Contents = {
  functions: [],
  callbacks: [callback('post_unpatch', 'leave', 'dummy'), callback('pre_patch', 'enter', 'vmlinux')],
  states: [
    { name: 'first', id: 3, version: 9, unit: 'unit.c' },
    { name: 'second', id: 2 ** 40, version: 1, unit: 'unit.c' },
  ],
  replace: true,
}

/** The tables as an object, with the callbacks' symbols in it. */
function tablesOf(from: Layout) {
  const draft = livepatchTables(from, contents, new Map())
  const symbols = [...draft.symbols, ...contents.callbacks.map(({ symbol }) => symbol)]
  const object = readObject(writeObject({ sections: draft.sections, symbols }), 'tables.o')
  const data = object.sections.find(({ name }) => name === '.data.livepatch')!
  const text = object.sections.find(({ name }) => name === '.rodata.livepatch')!
  const pointers = new Map(
    object
      .relocations(data)
      .map(({ offset, symbol, addend }) => [
        offset,
        symbol.section === text
          ? text.data.subarray(addend, text.data.indexOf(0, addend)).toString()
          : symbol.section === data
            ? addend
            : symbol.name,
      ]),
  )
  return { data: data.data, pointers }
}

describe('the livepatch structures', () => {
  const { data, pointers } = tablesOf(layout)
  const objects = Number(pointers.get(layout.patch.objs))

  test('name the module and the objects, vmlinux first and without a name', () => {
    expect(pointers.get(layout.patch.mod)).toBe('__this_module')
    expect(data[layout.patch.replace]).toBe(1)
    expect(pointers.get(objects + layout.object.name)).toBeUndefined()
    expect(pointers.get(objects + layout.object.size + layout.object.name)).toBe('dummy')
  })

  test('give an object without functions an empty list of them, as the kernel asks for one', () => {
    for (const index of [0, 1]) {
      const list = Number(pointers.get(objects + index * layout.object.size + layout.object.funcs))
      expect(list).toBeGreaterThan(objects + 2 * layout.object.size)
      expect(data.subarray(list, list + layout.func.size).every((byte) => byte === 0)).toBe(true)
      for (const member of [layout.func.oldName, layout.func.newFunc])
        expect(pointers.get(list + member)).toBeUndefined()
    }
    const end = objects + 2 * layout.object.size
    expect([pointers.get(end + layout.object.name), pointers.get(end + layout.object.funcs)]).toEqual([
      undefined,
      undefined,
    ])
  })

  test('lead to the callbacks of each object', () => {
    const { pre_patch, post_patch, pre_unpatch, post_unpatch } = layout.object.callbacks!
    const at = (index: number, member: number) => pointers.get(objects + index * layout.object.size + member)
    const all = [pre_patch, post_patch, pre_unpatch, post_unpatch]
    expect(all.map((member) => at(0, member))).toEqual(['enter', undefined, undefined, undefined])
    expect(all.map((member) => at(1, member))).toEqual([undefined, undefined, undefined, 'leave'])
  })

  test('list the states, and end with one without an id', () => {
    const states = Number(pointers.get(layout.patch.states!))
    const { size, id, version } = layout.state
    const read = [0, 1, 2].map((index) => {
      const at = states + index * size
      return [data.readBigUInt64LE(at + id), data.readUInt32LE(at + version)]
    })
    expect(read).toEqual([
      [3n, 9],
      [2n ** 40n, 1],
      [0n, 0],
    ])
  })
})

test('a kernel whose livepatch has no callbacks or states is told from one that has', () => {
  const old: Layout = {
    ...layout,
    patch: { ...layout.patch, states: undefined },
    object: { ...layout.object, callbacks: undefined },
  }
  expect(unsupported(layout, contents)).toEqual([])
  expect(unsupported(old, contents).map(({ rule, symbol }) => [rule, symbol])).toEqual([
    ['callbacks-unsupported', 'leave'],
    ['states-unsupported', 'first'],
  ])
  expect(unsupported(old, { ...contents, callbacks: [], states: [] })).toEqual([])
})
