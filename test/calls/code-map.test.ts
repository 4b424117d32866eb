// SPDX-License-Identifier: GPL-3.0-or-later
// A kernel object as bytes at addresses: of an image that was linked, and of a module that was not.
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { callGraph, readCalls } from '../../src/calls/call-graph.ts'
import { type CodeMap, codeBase, mapKernel, mapModule } from '../../src/calls/code-map.ts'
import { compileBytes } from '../objects.ts'
import { linkedKernel } from './linked-kernel.ts'

const source = `
void __fentry__(void) { }
int first(int x) { asm volatile(""); return x + 1; }
int again(int x) __attribute__((alias("first")));
__attribute__((section(".init.text"))) int boot(int x) { asm volatile(""); return first(x); }
int last(int x) { asm volatile(""); return first(x) - 1; }
int (*table[])(int) = { first, last };
`

/** Where a function begins and how long it is; undefined when the map has no such name. */
function placeOf({ starts, sizes, names }: CodeMap, name: string) {
  const of = names.findIndex((all) => all.split(' ').includes(name))
  return of < 0 ? undefined : { start: starts[of]!, size: sizes[of]! }
}

describe('the map of a kernel', () => {
  const kernel = linkedKernel(source)
  const addresses = new Map(
    readFileSync(kernel.systemMap, 'latin1')
      .split('\n')
      .map((line) => line.split(' '))
      .map(([address = '0', , name]) => [name, Number(BigInt(`0x${address || 0}`) - codeBase)]),
  )

  test('has every function where the linker put it, up to the next symbol', async () => {
    const map = await mapKernel(kernel)
    for (const name of ['first', 'boot', 'last']) expect(placeOf(map, name)?.start).toBe(addresses.get(name))
    const { start, size } = placeOf(map, 'first')!
    const behind = [...addresses.values()].filter((address) => address > start)
    expect(start + size).toBe(Math.min(...behind))
    expect(placeOf(map, 'again')).toEqual({ start, size })
  })

  test('has its code and its data, and no byte twice', async () => {
    const { regions } = await mapKernel(kernel)
    expect(regions.filter(({ executable }) => executable).length).toBe(2)
    expect(regions.some(({ executable }) => !executable)).toBe(true)
    for (const [nth, { start }] of regions.entries()) {
      const before = regions[nth - 1]
      if (before !== undefined) expect(start).toBeGreaterThanOrEqual(before.start + before.bytes.length)
    }
  })

  test('tells lists of all functions from data that mean to call them', async () => {
    const map = await mapKernel(kernel)
    expect(map.lists[0]).toEqual([addresses.get('__start_mcount_loc'), addresses.get('__stop_mcount_loc')])
    const graph = callGraph(readCalls(map))
    expect([...graph.held(graph.named('first')[0]!)]).toEqual([addresses.get('table')])
  })

  test('is refused when a section lies outside of the file', async () => {
    const bytes = readFileSync(kernel.vmlinux)
    const cut = `${kernel.vmlinux}.cut`
    // The section headers stay, at the end; what lies between is gone.
    const headers = Number(bytes.readBigUInt64LE(40))
    bytes.writeBigUInt64LE(64n, 40)
    writeFileSync(cut, Buffer.concat([bytes.subarray(0, 64), bytes.subarray(headers)]))
    await expect(mapKernel({ ...kernel, vmlinux: cut })).rejects.toMatchObject({ code: 'bad-image' })
  })
})

describe('the map of a module', () => {
  const map = mapModule(compileBytes(`extern int elsewhere(int); int own(int x) { return elsewhere(x) + 1; }`), 'm')

  test('has what the module takes from elsewhere, without code', () => {
    expect(placeOf(map, 'own')?.size).toBeGreaterThan(0)
    expect(placeOf(map, 'elsewhere')?.size).toBe(0)
  })

  test('is laid out as its loader would: a call leads to what it names', () => {
    const graph = callGraph(readCalls(map))
    const callees = [...graph.callees(graph.named('own')[0]!)].map(graph.name)
    expect(callees.sort()).toEqual(['__fentry__', 'elsewhere'])
  })
})
