// SPDX-License-Identifier: GPL-3.0-or-later
// Which symbol a place of a module belongs to. A module may have very many symbols, and very many places that are asked
// for: neither is gone through for each of the other.
import type { ElfSymbol, ObjectFile, Section } from '../../elf/read.ts'
import { addTo } from '../../ground/values/grouped.ts'
import { getOrInsertComputed, remembered } from '../../ground/values/remembered.ts'
import { lastUpTo } from '../../ground/values/sorted.ts'

/** The symbols of one section, over the pieces between their ends. */
class Cover {
  /** Where pieces begin, in order. */
  private readonly starts: readonly number[]
  private readonly owners: (ElfSymbol | undefined)[]

  /** @param symbols where two are at a place, the first one has it */
  constructor(symbols: readonly ElfSymbol[]) {
    this.starts = [...new Set(symbols.flatMap(({ value, size }) => [value, value + size]))].sort((a, b) => a - b)
    const pieceAt = new Map(this.starts.map((start, piece) => [start, piece]))
    this.owners = new Array(this.starts.length)
    /** From a piece that has an owner to one behind it; what was gone through is not gone through again. */
    const free = this.starts.map((_, piece) => piece)
    const nextFree = (piece: number): number => {
      let found = piece
      while (free[found] !== undefined && free[found] !== found) found = free[found]!
      for (let at = piece; free[at] !== undefined && free[at] !== found; ) {
        const next = free[at]!
        free[at] = found
        at = next
      }
      return found
    }
    for (const symbol of symbols) {
      const end = pieceAt.get(symbol.value + symbol.size)!
      for (let piece = nextFree(pieceAt.get(symbol.value)!); piece < end; piece = nextFree(piece)) {
        this.owners[piece] = symbol
        free[piece] = piece + 1
      }
    }
  }

  at(offset: number): ElfSymbol | undefined {
    return this.owners[lastUpTo(this.starts, offset)]
  }
}

export interface NamedPlaces {
  /** The first symbol with a name, in the order of the table, whose bytes have this place. */
  at(section: Section, offset: number): ElfSymbol | undefined
  /** The first function that begins at this place. */
  functionAt(section: Section, offset: number): ElfSymbol | undefined
}

export function namedPlaces(module: ObjectFile): NamedPlaces {
  const bySection = new Map<Section, ElfSymbol[]>()
  const functions = new Map<Section, Map<number, ElfSymbol>>()
  for (const symbol of module.symbols) {
    const { section, type, name, size, value } = symbol
    if (section === undefined || type === 'section' || size === 0) continue
    if (name !== '') addTo(bySection, section, symbol)
    if (type !== 'function') continue
    const starts = getOrInsertComputed(functions, section, () => new Map<number, ElfSymbol>())
    if (!starts.has(value)) starts.set(value, symbol)
  }
  const coverOf = remembered((section: Section) => new Cover(bySection.get(section) ?? []))
  return {
    at: (section, offset) => coverOf(section).at(offset),
    functionAt: (section, offset) => functions.get(section)?.get(offset),
  }
}
