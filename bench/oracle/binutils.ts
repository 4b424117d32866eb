// SPDX-License-Identifier: GPL-3.0-or-later
// An object as binutils tell it (`readelf -SsrW`, `objdump -d`), in plain numbers and texts. Nothing of Inarch's own
// reading of the format has a part in it: it is what the oracle holds against Inarch.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface ToldSection {
  readonly index: number
  readonly name: string
  readonly type: string
  /** readelf's letters: A, X, M, S, W. */
  readonly flags: string
  readonly entry: number
  readonly size: number
  readonly bytes: Buffer
}

export interface ToldSymbol {
  readonly index: number
  readonly name: string
  readonly type: string
  readonly value: number
  readonly size: number
  /** Undefined for what another object defines. */
  readonly section: ToldSection | undefined
}

export interface ToldRelocation {
  readonly offset: number
  readonly type: string
  readonly symbol: ToldSymbol
  readonly addend: number
}

export interface ToldInstruction {
  readonly start: number
  readonly end: number
  /** As objdump spells it. */
  readonly text: string
}

export interface ToldObject {
  readonly sections: readonly ToldSection[]
  readonly symbols: readonly ToldSymbol[]
  /** By the section's index, ordered by offset. */
  readonly relocations: ReadonlyMap<number, readonly ToldRelocation[]>
  /** By the section's name and the offset in it. */
  instruction(section: ToldSection, offset: number): ToldInstruction | undefined
}

function tell(program: string, args: readonly string[]): string {
  return execFileSync(program, args, {
    encoding: 'latin1',
    maxBuffer: 2 ** 30,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

const sectionLine =
  /^\s*\[\s*(\d+)\]\s+(\S*)\s+([A-Z_0-9]+)\s+[0-9a-f]{16}\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([A-Za-z]*)\s+(\d+)\s+(\d+)\s+\d+$/

/** @param file a relocatable object */
export function toldBy(file: string): ToldObject {
  const bytes = readFileSync(file)
  const sections: ToldSection[] = []
  /** The sections that relocation sections are about, in their order. */
  const relocated: number[] = []
  for (const line of tell('readelf', ['-SW', file]).split('\n')) {
    const found = sectionLine.exec(line)
    if (found === null) continue
    const [, index, name = '', type = '', at, size, entry, flags = '', , info] = found
    const [start, length] = [Number.parseInt(at!, 16), Number.parseInt(size!, 16)]
    sections[Number(index)] = {
      index: Number(index),
      ...{ name, type, flags, size: length, entry: Number.parseInt(entry!, 16) },
      bytes: type === 'NOBITS' || type === 'NULL' ? Buffer.alloc(0) : bytes.subarray(start, start + length),
    }
    if (type === 'RELA') relocated.push(Number(info))
  }
  const symbols: ToldSymbol[] = []
  for (const line of tell('readelf', ['-sW', file]).split('\n')) {
    const found = /^\s*(\d+): ([0-9a-f]{16})\s+(\S+) (\S+)\s+\S+\s+\S+\s+(?:\[.*\]\s+)?(\S+)(?: (\S*))?/.exec(line)
    if (found === null) continue
    const [, index, value, size, type = '', where, name = ''] = found
    const section = /^\d+$/.test(where!) ? sections[Number(where)] : undefined
    symbols[Number(index)] = {
      index: Number(index),
      name: type === 'SECTION' ? (section?.name ?? '') : where === 'ABS' ? `absolute ${value}` : name,
      ...{ type, section, size: Number(size), value: Number.parseInt(value!, 16) },
    }
  }
  const relocations = new Map<number, ToldRelocation[]>()
  let list: ToldRelocation[] = []
  for (const line of tell('readelf', ['-rW', file]).split('\n')) {
    if (line.startsWith('Relocation section')) {
      list = []
      relocations.set(relocated.shift() ?? 0, list)
      continue
    }
    const found = /^([0-9a-f]{16})\s+([0-9a-f]{8})[0-9a-f]{8} (\S+)\s+(.*)$/.exec(line)
    if (found === null) continue
    const [, offset, symbol, type = '', rest = ''] = found
    const [, sign, addend] = /(?:^|([+-]) )([0-9a-f]+)$/.exec(rest) ?? []
    if (type === 'R_X86_64_NONE') continue
    list.push({
      offset: Number.parseInt(offset!, 16),
      type,
      symbol: symbols[Number.parseInt(symbol!, 16)]!,
      addend: Number.parseInt(addend ?? '0', 16) * (sign === '-' ? -1 : 1),
    })
  }
  for (const own of relocations.values()) own.sort((a, b) => a.offset - b.offset)

  const code = new Map<string, Map<number, ToldInstruction>>()
  let current = new Map<number, ToldInstruction>()
  for (const line of tell('objdump', ['-dw', file]).split('\n')) {
    const opened = /^Disassembly of section (.*):$/.exec(line)
    if (opened !== null) {
      current = new Map()
      code.set(opened[1]!, current)
      continue
    }
    const found = /^\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*(?:\t(.*))?$/.exec(line)
    if (found === null) continue
    const start = Number.parseInt(found[1]!, 16)
    current.set(start, {
      start,
      end: start + found[2]!.trim().split(' ').length,
      text: (found[3] ?? '').trim(),
    })
  }
  return {
    sections: sections.filter((section) => section !== undefined),
    symbols,
    relocations,
    instruction(section, offset) {
      const own = code.get(section.name)
      for (let start = offset; start > offset - 16; start--) {
        const found = own?.get(start)
        if (found !== undefined) return found.end > offset ? found : undefined
      }
      return undefined
    },
  }
}
