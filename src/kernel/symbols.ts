// SPDX-License-Identifier: GPL-3.0-or-later
// The symbols of the kernel proper. The table is kept as the text of its System.map: a few names are
// found faster by searching the text than by building a map of all 150,000 symbols, and an address by
// bisecting it, for the lines are in the order of their addresses.
import { readFile } from 'node:fs/promises'
import { Fault } from '../ground/fault.ts'
import type { Kernel } from './kernel.ts'

export interface KernelSymbol {
  readonly name: string
  readonly address: bigint
  /** What nm(1) calls the type: `T`, `t`, `d`, … */
  readonly type: string
  /** The position among the symbols of this name, from 1, as livepatch counts it. */
  readonly sympos: number
}

export interface Symbols {
  /** All symbols of this name, by `sympos`. */
  lookup(name: string): readonly KernelSymbol[]
  /** `lookup` for many names at once; a name without a symbol is absent. */
  lookupAll(names: ReadonlySet<string>): ReadonlyMap<string, readonly KernelSymbol[]>
  /** The symbols that start exactly at `address`. */
  at(address: bigint): readonly KernelSymbol[]
  /** The last symbol at or before `address` (of aliases, the first); undefined before the first one. */
  nearest(address: bigint): { readonly symbol: KernelSymbol; readonly offset: bigint } | undefined
}

const newline = 0x0a
/** `ffffffff81000000 T ` */
const prefix = 19

/** Searching the whole text for each name wins up to about this many names. */
const fewNames = 12

/** Searching costs some ms each time, an index some tens of ms once. */
const fewLookups = 2

/** @returns a function that finds the starts of the lines with a name, in the order of the text */
function indexLines(text: Buffer): (name: string) => readonly number[] {
  const capacity = Math.ceil(text.length / (prefix + 1)) + 1
  const starts = new Uint32Array(capacity)
  const hashes = new Uint32Array(capacity)
  let count = 0
  for (let at = 0; at < text.length; ) {
    let hash = 0x811c9dc5
    let end = at + prefix
    for (let byte = text[end]; end < text.length && byte !== newline; byte = text[++end])
      hash = Math.imul(hash ^ byte!, 0x01000193)
    starts[count] = at
    hashes[count++] = hash
    at = end + 1
  }
  const mask = 2 ** Math.ceil(Math.log2(count + 1)) - 1
  const first = new Uint32Array(mask + 1)
  const next = new Uint32Array(count + 1)
  for (let line = count; line > 0; line--) {
    const bucket = hashes[line - 1]! & mask
    next[line] = first[bucket]!
    first[bucket] = line
  }
  return (name) => {
    const wanted = Buffer.from(name, 'latin1')
    let hash = 0x811c9dc5
    for (const byte of wanted) hash = Math.imul(hash ^ byte, 0x01000193)
    hash >>>= 0
    const found: number[] = []
    for (let line = first[hash & mask]!; line > 0; line = next[line]!) {
      const start = starts[line - 1]!
      const end = start + prefix + wanted.length
      if (hashes[line - 1] !== hash || (end < text.length && text[end] !== newline)) continue
      if (text.subarray(start + prefix, end).equals(wanted)) found.push(start)
    }
    return found
  }
}

/** Reads the text of a System.map, whose lines must be in the order of their addresses. */
export function parseSymbols(text: Buffer): Symbols {
  const lineStart = (offset: number) => (offset <= 0 ? 0 : text.lastIndexOf(newline, offset - 1) + 1)
  const lineEnd = (start: number) => {
    const end = text.indexOf(newline, start)
    return end < 0 ? text.length : end
  }
  const addressAt = (start: number) => {
    const digits = text.toString('latin1', start, start + 16)
    if (!/^[0-9a-f]{16}$/.test(digits))
      throw new Fault('environment', 'symbols-unreadable', 'The kernel’s list of symbols is damaged', {
        remedy: 'Remove the kernel with `inarch kernels prune` and fetch it again',
      })
    return BigInt(`0x${digits}`)
  }
  const symbolAt = (start: number, name: string, sympos: number): KernelSymbol => ({
    name,
    address: addressAt(start),
    type: String.fromCharCode(text[start + 17]!),
    sympos,
  })

  let lookups = 0
  let index: ((name: string) => readonly number[]) | undefined

  function lookup(name: string): KernelSymbol[] {
    const found: KernelSymbol[] = []
    if (name === '' || /\s/.test(name)) return found
    if (index === undefined && ++lookups > fewLookups) index = indexLines(text)
    if (index !== undefined) {
      for (const start of index(name)) found.push(symbolAt(start, name, found.length + 1))
      return found
    }
    const needle = Buffer.from(` ${name}\n`, 'latin1')
    for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + needle.length - 1))
      found.push(symbolAt(at - prefix + 1, name, found.length + 1))
    return found
  }

  function named(start: number): KernelSymbol {
    const name = text.toString('latin1', start + prefix, lineEnd(start))
    const address = addressAt(start)
    let sympos = 0
    // Aliases of one name at one address do not occur twice in a table.
    for (const symbol of lookup(name)) {
      sympos = symbol.sympos
      if (symbol.address === address) break
    }
    return symbolAt(start, name, sympos)
  }

  /** The start of the first line whose address is `address` or more; the text's length when none is. */
  function firstFrom(address: bigint): number {
    let low = 0
    let high = text.length
    while (low < high) {
      const middle = lineStart((low + high) >> 1)
      if (addressAt(middle) < address) low = lineEnd(middle) + 1
      else high = middle
    }
    return Math.min(low, text.length)
  }

  function at(address: bigint): KernelSymbol[] {
    const found: KernelSymbol[] = []
    for (let start = firstFrom(address); start < text.length; start = lineEnd(start) + 1) {
      if (addressAt(start) !== address) break
      found.push(named(start))
    }
    return found
  }

  return {
    lookup,
    at,
    lookupAll(names) {
      const found = new Map<string, KernelSymbol[]>()
      if (names.size <= fewNames) {
        for (const name of names) {
          const symbols = lookup(name)
          if (symbols.length > 0) found.set(name, symbols)
        }
        return found
      }
      for (let start = 0; start < text.length; ) {
        const end = lineEnd(start)
        const name = text.toString('latin1', start + prefix, end)
        if (names.has(name)) {
          const symbols = found.get(name) ?? []
          symbols.push(symbolAt(start, name, symbols.length + 1))
          found.set(name, symbols)
        }
        start = end + 1
      }
      return found
    },
    nearest(address) {
      const after = firstFrom(address + 1n)
      if (after === 0) return undefined
      const last = addressAt(lineStart(after - 1))
      const symbol = named(firstFrom(last))
      return { symbol, offset: address - last }
    },
  }
}

/**
 * The symbols of the kernel proper.
 * @throws Fault `environment/symbols-missing`
 */
export async function readSymbols(kernel: Kernel): Promise<Symbols> {
  try {
    return parseSymbols(await readFile(kernel.systemMap))
  } catch (error) {
    throw new Fault('environment', 'symbols-missing', `The symbols of ${kernel.release} can’t be read`, {
      detail: (error as Error).message,
      cause: error,
    })
  }
}
