// SPDX-License-Identifier: GPL-3.0-or-later
// What matters by its content makes everything different that refers to it.
import { isPcRelative, symbolType } from '../../elf/format.ts'
import { relocationWords, symbolWords } from '../../elf/outline.ts'
import { relocationCount, relocationsAt } from '../../elf/part.ts'
import { isFront } from '../object/compiler-names.ts'
import { isCode, isLabel } from '../object/split-object.ts'
import { mark, naming, role, type Side, typeOf } from './scanned-object.ts'

/** What a reference to a symbol has to do with what differs. */
const doubt = { none: 0, middle: 1, wherever: 2 } as const

/** More rounds than any compiler's output needs. */
const mostRounds = 8

/**
 * What matters by its content makes everything different that refers to it.
 * @returns false when there is no end of it
 */
export function spread(b: Side, a: Side): boolean {
  const told: Uint8Array[] = [new Uint8Array(b.outline.sections), new Uint8Array(a.outline.sections)]
  for (let round = 0; round < mostRounds; round++) {
    let some = false
    for (const [nth, side, other] of [
      [0, b, a],
      [1, a, b],
    ] as const) {
      const doubtful = new Uint8Array(side.outline.symbols)
      let any = false
      for (let section = 1; section < side.outline.sections; section++) {
        if (side.differs[section] === 0 || told[nth]![section] === 1) continue
        told[nth]![section] = 1
        some = true
        any = markDoubtful(side, section, doubtful) || any
      }
      if (any) markReferrers(side, other, doubtful)
    }
    if (!some) return true
  }
  return false
}

/** Marks the symbols of a section that differs through which a reference may now mean something else. */
function markDoubtful(side: Side, section: number, doubtful: Uint8Array): boolean {
  const { outline } = side
  const own = side.symbolsOf(section)
  // What has one name is the same thing for everybody, whatever is in it; unless that is not its name any more.
  const renamed = own.some((symbol) => side.symbols[symbol]! < 0)
  const kind = renamed ? naming.content : side.namingOf(section)
  let any = false
  for (const symbol of own) {
    const type = typeOf(outline, symbol)
    const byName = type !== symbolType.section && !isLabel(side.nameOf(symbol))
    const safe =
      kind === naming.one ? byName || type === symbolType.section : kind === naming.several && byName
    if (!safe) doubtful[symbol] = doubt.wherever
    // What does not begin at the entry of a function runs what differs.
    else if (isCode({ flags: outline.flags[section]! })) doubtful[symbol] = doubt.middle
    else continue
    any = true
  }
  return any
}

/** True when a reference leads elsewhere than to where its function begins. */
function isInMiddle(side: Side, from: number, word: number): boolean {
  const { outline } = side
  const { words } = outline
  const symbol = words[word + 3]!
  const entry = typeOf(outline, symbol) === symbolType.section ? entryOf(side, outline.home[symbol]!) : 0
  const behind = isPcRelative(words[word + 2]!) && isCode({ flags: outline.flags[from]! }) ? 4 : 0
  return (words[word + 4]! | 0) + behind !== entry
}

/** Where the one function of a section begins. */
function entryOf(side: Side, section: number): number {
  const { words, symbolTable } = side.outline
  const own = side
    .symbolsOf(section)
    .find((symbol) => typeOf(side.outline, symbol) === symbolType.function && !isFront(side.nameOf(symbol)))
  return own === undefined ? 0 : words[symbolTable + own * symbolWords + 2]!
}

function markReferrers(side: Side, other: Side, doubtful: Uint8Array): void {
  const { outline, roles, differs } = side
  const { words } = outline
  const isMeant = (from: number, word: number) => {
    const doubts = doubtful[words[word + 3]!]
    return doubts === doubt.wherever || (doubts === doubt.middle && isInMiddle(side, from, word))
  }
  for (let section = 1; section < outline.sections; section++) {
    if (roles[section] !== role.ordinary || differs[section] === 1) continue
    const count = relocationCount(outline, section)
    const from = count === 0 ? 0 : relocationsAt(outline, section)
    const end = from + count * relocationWords
    for (let word = from; word < end; word += relocationWords)
      if (isMeant(section, word)) {
        mark(side, other, section)
        break
      }
  }
  for (const table of side.tables) {
    const from = relocationsAt(outline, table.section)
    // The first relocation of a row leads to its owner.
    for (let nth = 0; nth < table.count; nth++)
      for (let own = 1; own < table.relocations; own++)
        if (isMeant(table.section, from + (nth * table.relocations + own) * relocationWords)) {
          const owner = table.owner(nth)
          if (owner >= 0) mark(side, other, owner)
        }
  }
}
