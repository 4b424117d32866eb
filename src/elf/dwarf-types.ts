// SPDX-License-Identifier: GPL-3.0-or-later
// The type of a variable from debug information: what the source calls it, and what its bytes are to whoever reads
// them. Format: DWARF 4 (dwarfstd.org), sections 5 and 7.5.
import { type Abbreviation, Cursor, readValue, Unreadable } from './dwarf-entries.ts'

export interface DwarfType {
  /** As the source says it. */
  readonly text: string
  /** The same for types whose bytes mean the same: behind typedefs and qualifiers, `long` and `long long` alike. */
  readonly meaning: string
}

const tag = {
  array: 0x01,
  enumeration: 0x04,
  parameter: 0x05,
  member: 0x0d,
  pointer: 0x0f,
  struct: 0x13,
  function: 0x15,
  typedef: 0x16,
  union: 0x17,
  rest: 0x18,
  subrange: 0x21,
  base: 0x24,
  constant: 0x26,
  enumerator: 0x28,
  volatile: 0x35,
  restrict: 0x37,
  atomic: 0x47,
} as const

const attribute = {
  name: 0x03,
  size: 0x0b,
  upperBound: 0x2f,
  count: 0x37,
  place: 0x38,
  encoding: 0x3e,
  type: 0x49,
} as const

/** DW_ATE_*: a `char` is a number like any other. */
const encodings: Readonly<Record<number, string>> = {
  2: 'bool',
  4: 'float',
  5: 'signed',
  6: 'signed',
  7: 'unsigned',
  8: 'unsigned',
}

const tags: Readonly<Record<number, string>> = {
  [tag.struct]: 'struct',
  [tag.union]: 'union',
  [tag.enumeration]: 'enum',
}

/** Types in types; more are cut off, which no variable of the kernel needs. */
const deepest = 16
/** Entries that the spelling of one type may take. */
const mostEntries = 10_000

interface Entry {
  readonly tag: number
  readonly name?: string
  /** Offset of another entry. */
  readonly type?: number
  readonly numbers: ReadonlyMap<number, number>
  readonly end: number
  readonly hasChildren: boolean
}

/**
 * @param unit offset in `info` of the compilation unit
 * @param stringAt the string that an offset in `info` leads to
 * @returns what reads the type at an offset in `info`, undefined where it is not understood
 */
export function typesOf(
  info: Buffer,
  table: ReadonlyMap<number, Abbreviation>,
  unit: number,
  stringAt: (at: number) => string | undefined,
): (at: number | undefined) => DwarfType | undefined {
  let left = 0
  return (at) => {
    left = mostEntries
    try {
      return at === undefined ? undefined : typeAt(at, 0)
    } catch (error) {
      if (error instanceof Unreadable || error instanceof RangeError) return undefined
      throw error
    }
  }

  function entryAt(at: number): Entry | undefined {
    if (left-- === 0) throw new Unreadable()
    const cursor = new Cursor(info, at)
    const code = cursor.leb()
    if (code === 0) return undefined
    const abbreviation = table.get(code)
    if (abbreviation === undefined) throw new Unreadable()
    const numbers = new Map<number, number>()
    let name: string | undefined
    for (const [what, form] of abbreviation.attributes) {
      const from = cursor.at
      const value = readValue(cursor, form)
      if (what !== attribute.name) numbers.set(what, value)
      else name = form === 0x08 ? new Cursor(info, from).text() : stringAt(from)
    }
    const type = numbers.get(attribute.type)
    return {
      tag: abbreviation.tag,
      ...(name === undefined ? {} : { name }),
      ...(type === undefined ? {} : { type: unit + type }),
      numbers,
      end: cursor.at,
      hasChildren: abbreviation.hasChildren,
    }
  }

  /** What stands inside of an entry, down to one level. */
  function childrenOf(entry: Entry): Entry[] {
    const found: Entry[] = []
    if (!entry.hasChildren) return found
    let depth = 1
    for (let at = entry.end; depth > 0; ) {
      const child = entryAt(at)
      if (child === undefined) {
        depth--
        at++
        continue
      }
      if (depth === 1) found.push(child)
      if (child.hasChildren) depth++
      at = child.end
    }
    return found
  }

  function typeAt(at: number | undefined, depth: number): DwarfType {
    if (at === undefined) return { text: 'void', meaning: 'void' }
    if (depth > deepest) return { text: '…', meaning: '…' }
    const entry = entryAt(at)
    if (entry === undefined) throw new Unreadable()
    const within = () => typeAt(entry.type, depth + 1)
    const { name } = entry
    switch (entry.tag) {
      case tag.base: {
        const encoding = entry.numbers.get(attribute.encoding) ?? 0
        const meaning = `${encodings[encoding] ?? encoding}${entry.numbers.get(attribute.size)}`
        return { text: name ?? meaning, meaning }
      }
      case tag.typedef: {
        const { text, meaning } = within()
        return { text: name ?? text, meaning }
      }
      case tag.constant:
      case tag.volatile:
      case tag.restrict:
      case tag.atomic:
        return within()
      case tag.pointer: {
        const { text, meaning } = within()
        return { text: `${text}${text.endsWith('*') ? '' : ' '}*`, meaning: `*${meaning}` }
      }
      case tag.array: {
        const { text, meaning } = within()
        const bounds = childrenOf(entry)
          .filter((child) => child.tag === tag.subrange)
          .map(({ numbers }) => {
            const last = numbers.get(attribute.upperBound)
            return `[${numbers.get(attribute.count) ?? (last === undefined ? '' : last + 1)}]`
          })
          .join('')
        return { text: text + bounds, meaning: meaning + bounds }
      }
      case tag.function: {
        const parameters = childrenOf(entry).map((child) =>
          child.tag === tag.rest ? { text: '...', meaning: '...' } : typeAt(child.type, depth + 1),
        )
        const spell = (kind: 'text' | 'meaning') =>
          `${within()[kind]} (${parameters.map((one) => one[kind]).join(', ')})`
        return { text: spell('text'), meaning: spell('meaning') }
      }
      case tag.struct:
      case tag.union:
      case tag.enumeration: {
        const kind = tags[entry.tag]!
        if (name !== undefined) return { text: `${kind} ${name}`, meaning: `${kind} ${name}` }
        const members = childrenOf(entry).map((child) =>
          child.tag === tag.enumerator
            ? (child.name ?? '')
            : `${typeAt(child.type, depth + 1).meaning} ${child.name ?? ''}@${child.numbers.get(attribute.place) ?? 0}`,
        )
        return { text: `${kind} without a name`, meaning: `${kind} { ${members.join('; ')} }` }
      }
      default:
        throw new Unreadable()
    }
  }
}
