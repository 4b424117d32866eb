// SPDX-License-Identifier: GPL-3.0-or-later
// The symbols of a module, counted as livepatch counts them. While a module is being loaded the kernel
// walks its whole symbol table; once it is initialised, only the core part that remains in memory
// (is_core_symbol in kernel/module/kallsyms.c). A livepatch that is loaded before the module meets the
// first count, one that is loaded after it the second.
import { namesOf } from '../elf/strings.ts'
import { Fault } from '../ground/fault.ts'

export interface ModuleSymbol {
  readonly name: string
  /** The section that it lies in; undefined for absolute symbols. */
  readonly section: string | undefined
  /** Offset in its section, bytes. */
  readonly value: number
  /** Bytes. */
  readonly size: number
  /** ELF's STT_*: 1 object, 2 function. */
  readonly type: number
  /** ELF's STB_*: 0 local, 1 global, 2 weak. */
  readonly binding: number
  /** The position in the initialised module, from 1; 0 when the symbol is gone by then (`__init`). */
  readonly sympos: number
  /** The position while the module is being loaded, from 1. */
  readonly symposLoading: number
}

export interface ModuleSymbols {
  readonly all: readonly ModuleSymbol[]
  /** All symbols of this name, in the table's order. */
  lookup(name: string): readonly ModuleSymbol[]
}

function bad(why: string): Fault {
  return new Fault('environment', 'module-unreadable', `A module’s symbols can’t be read: ${why}`)
}

/**
 * Reads the symbol table of a module's bytes (a relocatable x86-64 ELF file, gABI).
 * @throws Fault `environment/module-unreadable`
 */
export function parseModuleSymbols(bytes: Buffer): ModuleSymbols {
  const number = (at: bigint | number) => {
    const value = Number(at)
    if (!Number.isSafeInteger(value)) throw bad('an offset is out of range')
    return value
  }
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1)
    throw bad('it is not a 64-bit little-endian ELF file')
  const headers = number(bytes.readBigUInt64LE(40))
  const entry = bytes.readUInt16LE(58)
  const count = bytes.readUInt16LE(60)
  const namesAt = bytes.readUInt16LE(62)
  if (entry !== 64 || headers + count * 64 > bytes.length || namesAt >= count)
    throw bad('its section headers lie outside of the file')
  const section = (index: number) => {
    const at = headers + index * 64
    const type = bytes.readUInt32LE(at + 4)
    const offset = number(bytes.readBigUInt64LE(at + 24))
    const size = number(bytes.readBigUInt64LE(at + 32))
    if (type !== 8 && offset + size > bytes.length) throw bad('a section lies outside of the file')
    return {
      nameAt: bytes.readUInt32LE(at),
      type,
      flags: number(bytes.readBigUInt64LE(at + 8)),
      link: bytes.readUInt32LE(at + 40),
      data: type === 8 ? Buffer.alloc(0) : bytes.subarray(offset, offset + size),
    }
  }
  const sections = Array.from({ length: count }, (_, index) => section(index))
  const sectionNameAt = namesOf(sections[namesAt]!.data, bad)
  const sectionNames = sections.map((one) => (one.type === 0 ? '' : sectionNameAt(one.nameAt)))
  const table = sections.find((one) => one.type === 2)
  if (table === undefined) throw bad('it has no symbol table')
  const strings = sections[table.link]?.data
  if (strings === undefined) throw bad('its symbol table has no names')
  const nameAt = namesOf(strings, bad)

  const core = new Map<string, number>()
  const loading = new Map<string, number>()
  const next = (counts: Map<string, number>, name: string) => {
    const position = (counts.get(name) ?? 0) + 1
    counts.set(name, position)
    return position
  }
  const all: ModuleSymbol[] = []
  for (let at = 24; at + 24 <= table.data.length; at += 24) {
    const info = table.data[at + 4]!
    const index = table.data.readUInt16LE(at + 6)
    const name = nameAt(table.data.readUInt32LE(at))
    if (index === 0 || name === '') continue
    const home = sections[index]
    const homeName = sectionNames[index] ?? ''
    const stays = home !== undefined && (home.flags & 2) !== 0 && !homeName.startsWith('.init')
    all.push({
      name,
      section: home === undefined ? undefined : homeName,
      value: number(table.data.readBigUInt64LE(at + 8)),
      size: number(table.data.readBigUInt64LE(at + 16)),
      type: info & 15,
      binding: info >> 4,
      sympos: stays ? next(core, name) : 0,
      symposLoading: next(loading, name),
    })
  }
  const byName = new Map<string, ModuleSymbol[]>()
  for (const symbol of all) {
    const list = byName.get(symbol.name)
    if (list === undefined) byName.set(symbol.name, [symbol])
    else list.push(symbol)
  }
  return { all, lookup: (name) => byName.get(name) ?? [] }
}
