// SPDX-License-Identifier: GPL-3.0-or-later
// Who calls whom in the running kernel, read from its machine code: direct calls and jumps, and where the address of a
// function is taken, in code or in data. Calls through pointers are not in it. What the compiler inlined is part of
// the function that holds it; a function's cold part (`.cold`) counts as the function.
import { addTo } from '../ground/values/grouped.ts'
import { lazy } from '../ground/values/remembered.ts'
import { lastUpTo } from '../ground/values/sorted.ts'
import { kernelAddressIn } from '../x86/address-taking.ts'
import { placeOf } from '../x86/branch.ts'
import { decodeInstruction } from '../x86/instruction.ts'
import type { CodeMap, Region } from './code-map.ts'

/** Pairs (of, to) as compressed rows: those of row `i` are `values[rows[i]]` up to `values[rows[i + 1]]`. */
export interface Rows {
  readonly rows: Uint32Array
  readonly values: Uint32Array
}

/** The graph as it is kept. Functions are counted from 0 in the order of their addresses. */
export interface CallTable {
  /** Addresses, counted from `codeBase`. */
  readonly starts: Uint32Array
  /** Bytes. */
  readonly sizes: Uint32Array
  /** The names of each function, aliases behind spaces. */
  readonly names: readonly string[]
  /** Functions that each calls or jumps to. */
  readonly calls: Rows
  /** Functions whose address each takes in its code. */
  readonly takes: Rows
  /** Addresses in data, counted from `codeBase`, that hold a pointer to each. */
  readonly held: Rows
}

export interface CallGraph {
  /** How many functions there are. */
  readonly count: number
  readonly starts: Uint32Array
  readonly sizes: Uint32Array
  name(of: number): string
  /** All functions of this name, in the order of their addresses. */
  named(name: string): readonly number[]
  /** The function at this address, counted from `codeBase`, or in which it lies. */
  at(address: number): number | undefined
  callees(of: number): Uint32Array
  callers(of: number): Uint32Array
  takes(of: number): Uint32Array
  /** Functions whose code takes the address of this one. */
  takers(of: number): Uint32Array
  /** Where in data pointers to it lie, counted from `codeBase`. */
  held(of: number): Uint32Array
}

/** Collects pairs and sorts them into rows, each pair once. */
class Pairs {
  private of = new Uint32Array(1 << 16)
  private to = new Uint32Array(1 << 16)
  private length = 0

  add(of: number, to: number): void {
    if (this.length === this.of.length) {
      this.of = grown(this.of)
      this.to = grown(this.to)
    }
    this.of[this.length] = of
    this.to[this.length++] = to
  }

  rows(count: number): Rows {
    const begin = new Uint32Array(count + 1)
    for (let at = 0; at < this.length; at++) begin[this.of[at]! + 1]!++
    for (let row = 0; row < count; row++) begin[row + 1]! += begin[row]!
    const next = begin.slice()
    const all = new Uint32Array(this.length)
    for (let at = 0; at < this.length; at++) all[next[this.of[at]!]!++] = this.to[at]!
    const rows = new Uint32Array(count + 1)
    let kept = 0
    for (let row = 0; row < count; row++) {
      let last = -1
      for (const value of all.subarray(begin[row]!, begin[row + 1]!).sort())
        if (value !== last) {
          all[kept++] = value
          last = value
        }
      rows[row + 1] = kept
    }
    return { rows, values: all.slice(0, kept) }
  }
}

function grown(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length)
  larger.set(array)
  return larger
}

/** Reads all code and data of a kernel object. For vmlinux this takes about a second. */
export function readCalls(map: CodeMap): CallTable {
  const { starts, sizes, names } = map
  const index = new Map<number, number>()
  for (const [of, start] of starts.entries()) index.set(start, of)
  const calls = new Pairs()
  const takes = new Pairs()
  const held = new Pairs()
  for (const region of map.regions) {
    if (region.executable) readCode(map, index, region, calls, takes)
    else readPointers(region, index, map.lists, held)
  }
  return {
    starts,
    sizes,
    names,
    calls: withoutColdParts(names, calls.rows(starts.length)),
    takes: takes.rows(starts.length),
    held: held.rows(starts.length),
  }
}

function readCode(
  { starts, sizes }: CodeMap,
  index: ReadonlyMap<number, number>,
  { start: base, bytes }: Region,
  calls: Pairs,
  takes: Pairs,
): void {
  for (let of = lastUpTo(starts, base - 1) + 1; of < starts.length; of++) {
    const start = starts[of]! - base
    if (start >= bytes.length) break
    const end = Math.min(start + sizes[of]!, bytes.length)
    for (let at = start; at < end; ) {
      const instruction = decodeInstruction(bytes, at)
      // Data between functions, or padding.
      if (instruction === undefined) break
      const { branch, memory } = instruction
      at = instruction.end
      if (branch >= 0) {
        if (at - branch !== 4) continue
        const to = index.get(base + placeOf(instruction))
        if (to !== undefined && to !== of) calls.add(of, to)
        continue
      }
      if (memory >= 0) {
        const to = index.get(base + placeOf(instruction))
        if (to !== undefined) takes.add(of, to)
      }
      const address = kernelAddressIn(instruction)
      const to = address === undefined ? undefined : index.get(address)
      if (to !== undefined) takes.add(of, to)
    }
  }
}

function readPointers(
  { start, bytes }: Region,
  index: ReadonlyMap<number, number>,
  lists: CodeMap['lists'],
  held: Pairs,
): void {
  for (let at = (8 - (start & 7)) & 7; at + 8 <= bytes.length; at += 8) {
    if (bytes.readUInt32LE(at + 4) !== 0xffff_ffff) continue
    const to = index.get(bytes.readUInt32LE(at) - 0x8000_0000)
    if (to === undefined || lists.some(([from, end]) => start + at >= from && start + at < end)) continue
    held.add(to, start + at)
  }
}

/** Gives what a cold part calls to the function that jumps there. */
function withoutColdParts(names: readonly string[], { rows, values }: Rows): Rows {
  const merged = new Pairs()
  const isCold = names.map((name) => name.split(' ', 1)[0]?.endsWith('.cold') === true)
  const add = (of: number, from: number, depth: number) => {
    for (let at = rows[from]!; at < rows[from + 1]!; at++) {
      const to = values[at]!
      if (isCold[to] === true && depth < 2) add(of, to, depth + 1)
      if (to !== of) merged.add(of, to)
    }
  }
  for (let of = 0; of < names.length; of++) add(of, of, 0)
  return merged.rows(names.length)
}

function reversed({ rows, values }: Rows, count: number): Rows {
  const pairs = new Pairs()
  for (let of = 0; of < count; of++) for (let at = rows[of]!; at < rows[of + 1]!; at++) pairs.add(values[at]!, of)
  return pairs.rows(count)
}

const row = ({ rows, values }: Rows, of: number) => values.subarray(rows[of], rows[of + 1])

/** The questions that one asks of a graph. */
export function callGraph({ starts, sizes, names, calls, takes, held }: CallTable): CallGraph {
  const count = starts.length
  const callers = lazy(() => reversed(calls, count))
  const takers = lazy(() => reversed(takes, count))
  const byName = lazy(() => {
    const found = new Map<string, number[]>()
    for (const [of, all] of names.entries()) for (const one of all.split(' ')) addTo(found, one, of)
    return found
  })
  return {
    count,
    starts,
    sizes,
    name: (of) => names[of]?.split(' ', 1)[0] ?? '',
    named: (name) => byName().get(name) ?? [],
    at(address) {
      const of = lastUpTo(starts, address)
      return of >= 0 && (address === starts[of] || address < starts[of]! + sizes[of]!) ? of : undefined
    },
    callees: (of) => row(calls, of),
    callers: (of) => row(callers(), of),
    takes: (of) => row(takes, of),
    takers: (of) => row(takers(), of),
    held: (of) => row(held, of),
  }
}
