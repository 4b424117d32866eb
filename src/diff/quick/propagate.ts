// SPDX-License-Identifier: GPL-3.0-or-later
// What matters by its content makes everything different that refers to it.
import { isPcRelative, symbolType } from '../../elf/format.ts'
import { relocationCount, relocationsAt, typeOf, valueOfSymbol } from '../../elf/outline.ts'
import { relocationWord } from '../../elf/structures.ts'
import { isFront } from '../object/compiler-names.ts'
import { isCode, isLabel } from '../object/split-object.ts'
import { mark, naming, role, type ScannedObject } from './scanned-object.ts'

/** What a reference to a symbol has to do with what differs. */
const doubt = { none: 0, middle: 1, wherever: 2 } as const

/** More rounds than any compiler's output needs. */
const mostRounds = 8

/**
 * What matters by its content makes everything different that refers to it.
 * @returns false when there is no end of it
 */
export function propagate(b: ScannedObject, a: ScannedObject): boolean {
  const told: Uint8Array[] = [new Uint8Array(b.outline.sections), new Uint8Array(a.outline.sections)]
  for (let round = 0; round < mostRounds; round++) {
    let some = false
    for (const [nth, scanned, other] of [
      [0, b, a],
      [1, a, b],
    ] as const) {
      const doubtful = new Uint8Array(scanned.outline.symbols)
      let any = false
      for (let section = 1; section < scanned.outline.sections; section++) {
        if (scanned.differs[section] === 0 || told[nth]![section] === 1) continue
        told[nth]![section] = 1
        some = true
        any = markDoubtful(scanned, section, doubtful) || any
      }
      if (any) markReferrers(scanned, other, doubtful)
    }
    if (!some) return true
  }
  return false
}

/** Marks the symbols of a section that differs through which a reference may now mean something else. */
function markDoubtful(scanned: ScannedObject, section: number, doubtful: Uint8Array): boolean {
  const { outline } = scanned
  const own = scanned.symbolsOf(section)
  // What has one name is the same thing for everybody, whatever is in it; unless that is not its name any more.
  const renamed = own.some((symbol) => scanned.symbols[symbol]! < 0)
  const kind = renamed ? naming.content : scanned.namingOf(section)
  let any = false
  for (const symbol of own) {
    const type = typeOf(outline, symbol)
    const byName = type !== symbolType.section && !isLabel(scanned.nameOf(symbol))
    const safe = kind === naming.one ? byName || type === symbolType.section : kind === naming.several && byName
    if (!safe) doubtful[symbol] = doubt.wherever
    // What does not begin at the entry of a function runs what differs.
    else if (isCode({ flags: outline.flags[section]! })) doubtful[symbol] = doubt.middle
    else continue
    any = true
  }
  return any
}

/** True when a reference leads elsewhere than to where its function begins. */
function isInMiddle(scanned: ScannedObject, from: number, word: number): boolean {
  const { outline } = scanned
  const { words } = outline
  const symbol = words[word + relocationWord.symbol]!
  const entry = typeOf(outline, symbol) === symbolType.section ? entryOf(scanned, outline.home[symbol]!) : 0
  const behind = isPcRelative(words[word + relocationWord.type]!) && isCode({ flags: outline.flags[from]! }) ? 4 : 0
  return (words[word + relocationWord.addend]! | 0) + behind !== entry
}

/** Where the one function of a section begins. */
function entryOf(scanned: ScannedObject, section: number): number {
  const own = scanned
    .symbolsOf(section)
    .find((symbol) => typeOf(scanned.outline, symbol) === symbolType.function && !isFront(scanned.nameOf(symbol)))
  return own === undefined ? 0 : valueOfSymbol(scanned.outline, own)
}

function markReferrers(scanned: ScannedObject, other: ScannedObject, doubtful: Uint8Array): void {
  const { outline, roles, differs } = scanned
  const { words } = outline
  const isMeant = (from: number, word: number) => {
    const doubts = doubtful[words[word + relocationWord.symbol]!]
    return doubts === doubt.wherever || (doubts === doubt.middle && isInMiddle(scanned, from, word))
  }
  for (let section = 1; section < outline.sections; section++) {
    if (roles[section] !== role.ordinary || differs[section] === 1) continue
    const count = relocationCount(outline, section)
    const from = count === 0 ? 0 : relocationsAt(outline, section)
    const end = from + count * relocationWord.count
    for (let word = from; word < end; word += relocationWord.count)
      if (isMeant(section, word)) {
        mark(scanned, other, section)
        break
      }
  }
  for (const table of scanned.tables) {
    const from = relocationsAt(outline, table.section)
    // The first relocation of a row leads to its owner.
    for (let nth = 0; nth < table.count; nth++)
      for (let own = 1; own < table.relocations; own++)
        if (isMeant(table.section, from + (nth * table.relocations + own) * relocationWord.count)) {
          const owner = table.owner(nth)
          if (owner >= 0) mark(scanned, other, owner)
        }
  }
}
