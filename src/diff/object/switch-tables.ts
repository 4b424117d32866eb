// SPDX-License-Identifier: GPL-3.0-or-later
// Tables of places in a function, which compilers make of a switch: of addresses, or, in position-independent code, of
// distances from the table's own beginning (`.long .L3-.L4`). The object's format counts a distance from the field that
// holds it, so that the field's own distance from the table's beginning comes on top in the addend. Where a table
// begins is seen from the code that uses it.
import { isCode, relocationSize, relocationType } from '../../elf/format.ts'
import { type ObjectFile, type Relocation, type Section, within } from '../../elf/read.ts'
import { getOrInsertComputed, lazy } from '../../ground/values/remembered.ts'
import { type Atom, lastFrom } from './atoms.ts'
import { isColdPart } from './compiler-names.ts'

export interface SwitchTables {
  /** The function, or cold part, that an entry in a nameless constant leads to; undefined when it is none. */
  ledTo(from: Section, entry: Relocation): Atom | undefined
  /**
   * Where a table begins and ends in a section that tables of several functions share.
   * @returns undefined when none begins at `place`
   */
  extentAt(section: Section, place: number): { readonly start: number; readonly end: number } | undefined
}

/** What begins where code refers to. */
interface Table {
  readonly start: number
  readonly atom: Atom
  readonly user: Atom
}

interface Tables {
  /** Of a section, ordered by start. */
  readonly list: readonly Table[]
  /** The atoms that several functions use. */
  readonly shared: ReadonlySet<Atom>
}

/**
 * @param pieceAt what a byte of a section belongs to
 * @param placeOf where in its section a reference of code leads; undefined when that is unknown
 */
export function switchTables(
  object: ObjectFile,
  atomAt: (section: Section, offset: number) => Atom | undefined,
  placeOf: (from: Section, relocation: Relocation) => number | undefined,
): SwitchTables {
  const tables = lazy(() => findTables(object, atomAt, placeOf))
  const entryLeadsTo = ({ symbol, addend, offset, type }: Relocation, table: Table) => {
    const to = symbol.section
    if (to === undefined || !isCode(to)) return undefined
    const own = atomAt(to, symbol.value + addend - (isDistance(type) ? offset - table.start : 0))
    return own !== undefined && (own === table.user || isColdPart(own.name)) ? own : undefined
  }
  return {
    ledTo(from, entry) {
      const to = entry.symbol.section
      if (!isDistance(entry.type) || isCode(from) || to === undefined || !isCode(to)) return undefined
      if (atomAt(from, entry.offset)?.kind !== 'constant') return undefined
      const table = lastFrom(tables().get(from)?.list ?? [], entry.offset)
      return table && entryLeadsTo(entry, table)
    },
    extentAt(section, place) {
      const own = tables().get(section)
      const table = lastFrom(own?.list ?? [], place)
      if (own === undefined || table?.start !== place || !own.shared.has(table.atom)) return undefined
      let end = place
      for (const entry of within(object.relocations(section), place, table.atom.end)) {
        const isNext = entry.offset === end && (end === place || lastFrom(own.list, end) === table)
        if (!isNext || entryLeadsTo(entry, table) === undefined) break
        end += relocationSize(entry.type)
      }
      return end === place ? undefined : { start: place, end }
    },
  }
}

function isDistance(type: number): boolean {
  return type === relocationType.pc32
}

function findTables(
  object: ObjectFile,
  atomAt: (section: Section, offset: number) => Atom | undefined,
  placeOf: (from: Section, relocation: Relocation) => number | undefined,
): Map<Section, Tables> {
  const found = new Map<Section, Map<number, Table>>()
  const users = new Map<Atom, Atom>()
  const shared = new Set<Atom>()
  for (const from of object.sections) {
    if (!isCode(from)) continue
    for (const relocation of object.relocations(from)) {
      const { section } = relocation.symbol
      if (section === undefined || isCode(section)) continue
      const user = atomAt(from, relocation.offset)
      const start = user && placeOf(from, relocation)
      const atom = start === undefined ? undefined : atomAt(section, start)
      if (user === undefined || start === undefined || atom?.kind !== 'constant') continue
      if ((users.get(atom) ?? user) !== user) shared.add(atom)
      users.set(atom, user)
      const tables = getOrInsertComputed(found, section, () => new Map<number, Table>())
      if (!tables.has(start)) tables.set(start, { start, atom, user })
    }
  }
  const inOrder = (tables: ReadonlyMap<number, Table>) => [...tables.values()].sort((a, b) => a.start - b.start)
  return new Map([...found].map(([section, tables]) => [section, { list: inOrder(tables), shared }]))
}
