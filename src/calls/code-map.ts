// SPDX-License-Identifier: GPL-3.0-or-later
// A whole kernel object, vmlinux or a module, as bytes at addresses with the functions that lie there: what the call
// graph is read from. Addresses are counted from the start of the kernel's own 2 GB (`codeBase`), so that they are
// numbers.
import { readFile } from 'node:fs/promises'
import { sectionFlag, sectionType } from '../elf/format.ts'
import { bytesAt, readLinkedSections } from '../elf/linked.ts'
import { readObject } from '../elf/read.ts'
import { badImage } from '../kernel/image/vmlinux.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { layOutModule } from '../match/running.ts'

/** Where the addresses of a code map count from. */
export const codeBase = 0xffff_ffff_8000_0000n

export interface Region {
  readonly start: number
  readonly bytes: Buffer
  readonly executable: boolean
}

export interface CodeMap {
  readonly regions: readonly Region[]
  /** Functions, and names that the object takes from elsewhere (of size 0), by their addresses. */
  readonly starts: Uint32Array
  /** Bytes, up to the next symbol. */
  readonly sizes: Uint32Array
  /** The names of each; aliases follow the first one behind a space. */
  readonly names: readonly string[]
  /** Data that list functions without meaning to call them: start and end. */
  readonly lists: readonly (readonly [number, number])[]
}

interface Named {
  readonly at: number
  readonly name: string
  readonly size: number
}

/** Names of places, not of functions. */
const edge = /^_{1,2}(?:s|e|sinit|einit)?text$|_text_(?:start|end)$|^_(?:stext|etext|sinittext|einittext)$/

/** Tables of vmlinux that hold the address of every function that can be traced, or must not be probed. */
const listEdges = [
  ['__start_mcount_loc', '__stop_mcount_loc'],
  ['__start_kprobe_blacklist', '__stop_kprobe_blacklist'],
] as const

/** @param named in the order of their addresses */
function mapOf(regions: readonly Region[], named: readonly Named[], lists: CodeMap['lists'] = []): CodeMap {
  const starts: number[] = []
  const sizes: number[] = []
  const names: string[] = []
  for (const { at, name, size } of named) {
    if (starts.at(-1) === at) {
      const known = names.pop() ?? ''
      const first = known.split(' ', 1)[0] ?? ''
      names.push(edge.test(first) ? `${name} ${known}` : `${known} ${name}`)
      continue
    }
    starts.push(at)
    sizes.push(size)
    names.push(name)
  }
  return { regions, starts: Uint32Array.from(starts), sizes: Uint32Array.from(sizes), names, lists }
}

/**
 * The code of vmlinux, by its section headers and its symbols.
 * @throws Fault `environment/bad-image`
 */
export async function mapKernel(kernel: Kernel): Promise<CodeMap> {
  const [image, symbols] = await Promise.all([readFile(kernel.vmlinux), readFile(kernel.systemMap)])
  const regions = regionsOf(image, kernel.vmlinux)
  const code = regions.filter(({ executable }) => executable)
  const named: Named[] = []
  const places: number[] = []
  const edges = new Map<string, number>(listEdges.flat().map((name) => [name, 0]))
  for (let at = 0; at < symbols.length; ) {
    const newline = symbols.indexOf(0x0a, at)
    const end = newline < 0 ? symbols.length : newline
    // `ffffffff81000000 T name`: what is lower is no address in the kernel's 2 GB.
    if (symbols.toString('latin1', at, at + 8) === 'ffffffff') {
      const place = Number.parseInt(symbols.toString('latin1', at + 8, at + 16), 16) - 0x8000_0000
      const type = symbols[at + 17] ?? 0
      places.push(place)
      // t, T, w, W
      if ((type | 0x20) === 0x74 || (type | 0x20) === 0x77)
        named.push({ at: place, name: symbols.toString('latin1', at + 19, end), size: 0 })
      else if (symbols[at + 19] === 0x5f) {
        const name = symbols.toString('latin1', at + 19, end)
        if (edges.has(name)) edges.set(name, place)
      }
    }
    at = end + 1
  }
  places.sort((a, b) => a - b)
  let region = 0
  let next = 0
  const sized: Named[] = []
  for (const one of named.sort((a, b) => a.at - b.at)) {
    while (region < code.length && one.at >= code[region]!.start + code[region]!.bytes.length) region++
    const inside = code[region]
    if (inside === undefined) break
    if (one.at < inside.start) continue
    while (next < places.length && places[next]! <= one.at) next++
    const end = Math.min(places[next] ?? Number.POSITIVE_INFINITY, inside.start + inside.bytes.length)
    sized.push({ ...one, size: end - one.at })
  }
  const lists = listEdges.map(([from, to]) => [edges.get(from) ?? 0, edges.get(to) ?? 0] as const)
  return mapOf(regions, sized, lists)
}

function regionsOf(image: Buffer, file: string): Region[] {
  const bad = badImage(file)
  const regions: Region[] = []
  let total = 0
  for (const { type, flags, address, offset, size } of readLinkedSections(bytesAt(image), bad)) {
    if (type !== sectionType.progbits || (flags & sectionFlag.alloc) === 0 || address < codeBase) continue
    if (offset + size > image.length) throw bad('a section lies outside the file')
    total += size
    if (total > image.length) throw bad('its sections lie on one another')
    regions.push({
      start: Number(address - codeBase),
      bytes: image.subarray(offset, offset + size),
      executable: (flags & sectionFlag.exec) !== 0,
    })
  }
  return regions.sort((a, b) => a.start - b.start)
}

/**
 * The code of a module, laid out as its loader would; what it takes from elsewhere has an address and no code.
 * @param bytes the module's file, decompressed
 */
export function mapModule(bytes: Buffer, name: string): CodeMap {
  const module = readObject(bytes, name)
  const defined = module.symbols.filter(({ section }) => section !== undefined)
  const laid = layOutModule(module, defined)
  const offsetOf = (address: bigint | undefined) => (address === undefined ? undefined : Number(address - codeBase))
  const regions: Region[] = []
  for (const section of module.sections) {
    const start = offsetOf(laid.addressAt(section, 0))
    const address = laid.addressAt(section, 0)
    if (start === undefined || address === undefined || section.data.length === 0) continue
    const content = laid.read(address, section.data.length)
    if (content === undefined) continue
    regions.push({ start, bytes: content, executable: (section.flags & sectionFlag.exec) !== 0 })
  }
  const named: Named[] = []
  for (const { name, type, section, value, size } of defined) {
    const at = section && offsetOf(laid.addressAt(section, value))
    if (type === 'function' && at !== undefined) named.push({ at, name, size })
  }
  for (const { name, place } of module.symbols) {
    const at = place === 'undefined' ? offsetOf(laid.addressesOf(name)[0]) : undefined
    if (at !== undefined) named.push({ at, name, size: 0 })
  }
  return mapOf(
    regions.sort((a, b) => a.start - b.start),
    named.sort((a, b) => a.at - b.at),
  )
}
