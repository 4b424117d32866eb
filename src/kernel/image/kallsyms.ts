// SPDX-License-Identifier: GPL-3.0-or-later
// Decodes the table of all symbols that a kernel carries in itself (scripts/kallsyms.c writes it,
// kernel/kallsyms.c reads it). The image has no symbols that say where the table is, so its parts are
// found by their shape, and each is proven by the others: the token index by the token table, the
// count and the names by the markers, the base and the offsets by the order of the addresses.
//
// Linux to 6.3: offsets, relative_base, num_syms, names, markers, [seqs_of_names], token_table, token_index
// Linux from 6.4: num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names
// Linux 7.2: the same in steps of 4 bytes instead of 8 and without relative_base: each offset counts from its own place
import { bytesAt, readSegments } from '../../elf/linked.ts'
import { Fault } from '../../ground/fault.ts'

/** The decoded table; the arrays run side by side, in the table's order. */
export interface Kallsyms {
  readonly count: number
  readonly names: readonly string[]
  /** What nm(1) calls the type, one character code each. */
  readonly types: Uint8Array
  readonly addresses: BigUint64Array
}

function bad(why: string): Fault {
  return new Fault('environment', 'kallsyms-unreadable', `The kernel image’s symbol table can’t be read: ${why}`, {
    remedy: 'The kernel must be built with CONFIG_KALLSYMS=y, for x86-64',
  })
}

/** Bytes of a name: the kernel's own limit (KSYM_NAME_LEN) is 512. */
const longestName = 1024
/** A kernel with everything in it has a million; and the characters of their names. */
const [mostSymbols, mostCharacters] = [1 << 22, 1 << 28]

/** The parts of a table begin at multiples of so many bytes. */
type Step = 4 | 8

const aligned = (offset: number, step: Step) => (offset + step - 1) & -step

interface Tokens {
  readonly table: number
  /** Where the token index ends. */
  readonly end: number
  readonly strings: readonly string[]
}

/** Finds the 256 tokens: digits stand for themselves, so `0\0 1\0 … 9\0` is a part of the table. */
function findTokens(bytes: Buffer, step: Step): Tokens {
  const digits = Buffer.from('0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00', 'latin1')
  for (let at = bytes.indexOf(digits); at >= 0; at = bytes.indexOf(digits, at + 1)) {
    let end = at
    for (let token = 0x30; token < 256 && end > 0 && end - at <= 0x10000; token++) end = bytes.indexOf(0, end) + 1
    const index = aligned(end, step)
    if (end <= 0 || end - at > 0x10000 || index + 512 > bytes.length) continue
    const table = at - bytes.readUInt16LE(index + 0x30 * 2)
    if (table < 0 || table % step !== 0) continue
    const strings: string[] = []
    let next = 0
    for (let token = 0; token < 256; token++) {
      if (bytes.readUInt16LE(index + token * 2) !== next) break
      const place = bytes.subarray(table + next, table + next + longestName)
      const stop = place.indexOf(0)
      if (stop < 0) break
      strings.push(place.toString('latin1', 0, stop))
      next += stop + 1
    }
    if (strings.length === 256) return { table, end: index + 512, strings }
  }
  throw bad('no token table was found')
}

/** Finds the markers: offsets into the names, one for every 256 symbols, the first of them 0. */
function findMarkers(bytes: Buffer, tokens: Tokens, step: Step): { at: number; markers: Uint32Array } {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
  // 256 symbols take 2 bytes each at least and, two-byte lengths included, 514 at most.
  const follows = (word: number) => {
    const step = words[word]! - words[word - 1]!
    return step >= 512 && step <= 256 * 514
  }
  let best = { at: -1, length: 0 }
  const first = Math.max(0, tokens.table - (64 << 20)) >> 2
  for (let word = (tokens.table >> 2) - 2; word >= first; word -= step >> 2) {
    if (words[word] !== 0 || !follows(word + 1)) continue
    let length = 2
    while ((word + length) << 2 < tokens.table && follows(word + length)) length++
    if (length > best.length) best = { at: word, length }
  }
  if (best.length < 4) throw bad('no markers were found')
  return { at: best.at * 4, markers: words.subarray(best.at, best.at + best.length) }
}

/** Where each symbol's entry starts, when `names` holds `count` symbols that fit the markers. */
function walkNames(
  bytes: Buffer,
  names: number,
  count: number,
  markers: Uint32Array,
  end: number,
  step: Step,
): readonly number[] | undefined {
  const starts: number[] = []
  let at = names
  for (let i = 0; i < count; i++) {
    if (at >= end || ((i & 255) === 0 && at - names !== markers[i >> 8])) return undefined
    starts.push(at)
    const low = bytes[at]!
    const length = low & 0x80 ? (low & 0x7f) | (bytes[at + 1]! << 7) : low
    if (length === 0) return undefined
    at += length + (low & 0x80 ? 2 : 1)
  }
  return at <= end && aligned(at, step) === end ? starts : undefined
}

/** Finds the count and the names, which end where the markers start. */
function findNames(
  bytes: Buffer,
  at: number,
  markers: Uint32Array,
  step: Step,
): { label: number; starts: readonly number[] } {
  const last = at - markers[markers.length - 1]!
  for (let names = last & -step; names >= Math.max(step, last - 256 * 514 - step); names -= step) {
    const count = bytes.readUInt32LE(names - step)
    if (count > mostSymbols || (count + 255) >> 8 !== markers.length) continue
    if (step === 8 && bytes.readUInt32LE(names - 4) !== 0) continue
    const starts = walkNames(bytes, names, count, markers, at, step)
    if (starts !== undefined) return { label: names - step, starts }
  }
  throw bad('the names do not fit the markers')
}

/** The addresses, when `base` and `offsets` are what they claim: addresses come in order. */
function readAddresses(bytes: Buffer, base: number, offsets: number, count: number): BigUint64Array | undefined {
  if (offsets < 0 || base + 8 > bytes.length || offsets + count * 4 > bytes.length) return undefined
  if (bytes.readUInt32LE(base + 4) !== 0xffffffff) return undefined
  const relative = bytes.readBigUInt64LE(base)
  let absolutePercpu = false
  for (let i = 0; i < count && !absolutePercpu; i++) absolutePercpu = bytes.readInt32LE(offsets + i * 4) < 0
  const addresses = new BigUint64Array(count)
  let previous = 0n
  for (let i = 0; i < count; i++) {
    const signed = bytes.readInt32LE(offsets + i * 4)
    // CONFIG_KALLSYMS_ABSOLUTE_PERCPU: a negative offset is relative, any other is the value itself.
    const address = !absolutePercpu
      ? relative + BigInt(signed >>> 0)
      : signed < 0
        ? BigInt.asUintN(64, relative - 1n - BigInt(signed))
        : BigInt(signed)
    if (address < previous) return undefined
    addresses[i] = previous = address
  }
  return addresses
}

/** The addresses, when each offset counts from its own place in memory, and they come in order. */
function readOwnRelative(bytes: Buffer, offsets: number, count: number): BigUint64Array | undefined {
  if (offsets + count * 4 > bytes.length) return undefined
  const segment = readSegments(bytesAt(bytes), bad).find(
    ({ offset, size }) => offset <= BigInt(offsets) && BigInt(offsets + count * 4) <= offset + size,
  )
  if (segment === undefined) return undefined
  const place = segment.address - segment.offset + BigInt(offsets)
  const addresses = new BigUint64Array(count)
  let previous = 0xffffffff00000000n
  for (let i = 0; i < count; i++) {
    const address = place + BigInt(i * 4 + bytes.readInt32LE(offsets + i * 4))
    if (address < previous || address >> 64n !== 0n) return undefined
    addresses[i] = previous = address
  }
  return addresses
}

interface Table {
  readonly tokens: Tokens
  /** Where each symbol's name starts, as an offset in the file. */
  readonly starts: readonly number[]
  readonly addresses: BigUint64Array
}

/** @throws Fault `environment/kallsyms-unreadable` when there is none that is laid out in such steps */
function findTable(bytes: Buffer, step: Step): Table {
  const tokens = findTokens(bytes, step)
  const { at, markers } = findMarkers(bytes, tokens, step)
  const { label, starts } = findNames(bytes, at, markers, step)
  const count = starts.length
  const after = aligned(tokens.end, step)
  const addresses =
    step === 4
      ? readOwnRelative(bytes, after, count)
      : (readAddresses(bytes, label - 8, label - 8 - aligned(count * 4, 8), count) ??
        readAddresses(bytes, aligned(after + count * 4, 8), after, count))
  if (addresses === undefined) throw bad('the addresses are not where they are expected')
  return { tokens, starts, addresses }
}

/** The table in whichever steps it is laid out. */
function tableOf(bytes: Buffer): Table {
  try {
    return findTable(bytes, 8)
  } catch (error) {
    try {
      return findTable(bytes, 4)
    } catch {
      throw error
    }
  }
}

/**
 * Decodes the symbol table of a kernel.
 * @param vmlinux the kernel proper, an ELF file; its symbols may be stripped
 * @throws Fault `environment/kallsyms-unreadable`
 */
export function decodeKallsyms(vmlinux: Buffer): Kallsyms {
  // Labels are aligned in memory, and sections keep that alignment in the file.
  const bytes = vmlinux.byteOffset % 8 === 0 ? vmlinux : Buffer.from(new Uint8Array(vmlinux).buffer)
  const { tokens, starts, addresses } = tableOf(bytes)
  const count = starts.length

  const names: string[] = new Array(count)
  const types = new Uint8Array(count)
  let characters = 0
  for (let i = 0; i < count; i++) {
    let position = starts[i]!
    let length = bytes[position++]!
    if (length & 0x80) length = (length & 0x7f) | (bytes[position++]! << 7)
    let name = ''
    for (const end = position + length; position < end && name.length <= longestName; position++)
      name += tokens.strings[bytes[position]!]!
    characters += name.length
    if (name.length > longestName || characters > mostCharacters) throw bad('a name is impossibly long')
    types[i] = name.charCodeAt(0)
    names[i] = name.slice(1)
  }
  correctTypes(names, types, addresses)
  return { count, names, types, addresses }
}

/** What nm(1) says of a symbol in an executable section, and what it says of one in a section of data. */
const dataInstead = new Map([...'Tt'].map((type) => [type.charCodeAt(0), type === 'T' ? 0x44 : 0x64]))

/**
 * Tells data from code where one section holds both: `.data` of Linux 7.2 is executable, as the code that starts
 * another kernel lies in it (arch/x86/kernel/relocate_kernel_64.S), and then nm calls all that is in it code.
 */
function correctTypes(names: readonly string[], types: Uint8Array, addresses: BigUint64Array): void {
  const place = new Map<string, bigint>()
  for (const edge of ['_sdata', '_edata', '__relocate_kernel_start', '__relocate_kernel_end']) {
    const index = names.indexOf(edge)
    if (index >= 0) place.set(edge, addresses[index]!)
  }
  const [begin, end] = [place.get('_sdata'), place.get('_edata')]
  if (begin === undefined || end === undefined) return
  const code = [place.get('__relocate_kernel_start') ?? end, place.get('__relocate_kernel_end') ?? end] as const
  for (const [i, address] of addresses.entries()) {
    if (address < begin || address >= end || (address >= code[0] && address < code[1])) continue
    types[i] = dataInstead.get(types[i]!) ?? types[i]!
  }
}

/** The table as the text of a `System.map`: `ADDRESS TYPE NAME` lines in the table's order. */
export function systemMapText(kallsyms: Kallsyms): string {
  const lines: string[] = new Array(kallsyms.count)
  for (let i = 0; i < kallsyms.count; i++)
    lines[i] =
      `${kallsyms.addresses[i]!.toString(16).padStart(16, '0')} ` +
      `${String.fromCharCode(kallsyms.types[i]!)} ${kallsyms.names[i]}\n`
  return lines.join('')
}
