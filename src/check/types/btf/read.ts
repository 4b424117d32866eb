// SPDX-License-Identifier: GPL-3.0-or-later
// Reads BTF, the compact description of C types that compilers put into `.BTF` and that the kernel carries of itself.
// The format is the kernel's Documentation/bpf/btf.rst. A view over the bytes: each type is found by its number, and
// what is read is checked once, when it is opened, so that nobody behind it meets a number that leads nowhere or in a
// circle.
import { Fault } from '../../../ground/fault.ts'
import { checkCircles } from './circles.ts'

/** The numbers are the format's own. */
export const Kind = {
  /** Only of type 0; also where gcc has no words for a type, such as a vector. */
  void: 0,
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  prototype: 13,
  variable: 14,
  section: 15,
  float: 16,
  declarationTag: 17,
  typeTag: 18,
  enum64: 19,
} as const

export interface Member {
  /** Empty for an anonymous struct or union. */
  readonly name: string
  readonly type: number
  /** In bits, from the start of the struct. */
  readonly offset: number
  /** Width in bits; 0 for what is no bit field. */
  readonly width: number
}

export interface Enumerator {
  readonly name: string
  readonly value: bigint
}

export interface Parameter {
  /** Empty in most prototypes. */
  readonly name: string
  /** 0 in the last place: the function takes any number more. */
  readonly type: number
}

/** A type is a number from 0 (`void`) to `count - 1`. */
export interface Btf {
  /** How many types there are, `void` and those of the base included. */
  readonly count: number
  /** The names of these types and of those of the base. */
  readonly strings: StringTable
  /** One of `Kind`. */
  kind(type: number): number
  /** Empty where there is none. */
  name(type: number): string
  /** Bytes, as far as the type itself says so: int, float, struct, union, enum, section. */
  size(type: number): number
  /** What a pointer, typedef, qualifier, tag, variable or function is about; what a prototype returns. */
  target(type: number): number
  /** Of an array. */
  array(type: number): { readonly element: number; readonly count: number }
  /** Of a struct or a union. */
  members(type: number): readonly Member[]
  /** Of an enum of either width. */
  enumerators(type: number): readonly Enumerator[]
  /** Of a prototype. */
  parameters(type: number): readonly Parameter[]
  /** Of an int: whether it is signed, and its width in bits. */
  int(type: number): { readonly signed: boolean; readonly bits: number }
  /** Every type of a kind, in order. */
  ofKind(kind: number): number[]
}

const magic = 0xeb9f
const smallestHeader = 24
/** Bytes of a type before what depends on its kind. */
const headLength = 12

/** Bytes behind the head: fixed, and for each of `vlen` items; by kind. */
const tails: readonly (readonly [fixed: number, each: number])[] = [
  [0, 0],
  [4, 0],
  [0, 0],
  [12, 0],
  [0, 12],
  [0, 12],
  [0, 8],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 8],
  [4, 0],
  [0, 12],
  [0, 0],
  [4, 0],
  [0, 0],
  [0, 12],
]

/** Kinds whose third word is a type, not a size. */
const hasTarget = new Set<number>([
  Kind.pointer,
  Kind.typedef,
  Kind.volatile,
  Kind.const,
  Kind.restrict,
  Kind.function,
  Kind.prototype,
  Kind.variable,
  Kind.declarationTag,
  Kind.typeTag,
])

export interface StringTable {
  /** Bytes, with those of the base. */
  readonly length: number
  at(offset: number): string
}

/** Bytes; the kernel takes names of 511 (KSYM_NAME_LEN). */
const longestName = 4096

const nothing: readonly number[] = []

/**
 * Opens the content of a section `.BTF`.
 * @param source what to call it in a fault
 * @param base the types on which these are built, as a module's are on the kernel's
 * @throws Fault `environment/unreadable-btf` for anything that the format does not allow
 */
export function readBtf(bytes: Uint8Array, source: string, base?: Btf): Btf {
  const bad = (why: string): never => {
    throw new Fault('environment', 'unreadable-btf', `The types in ${source} can't be read: ${why}`, {
      remedy: 'Report this with the kernel version and the compiler',
    })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < smallestHeader) bad('the header is cut off')
  if (view.getUint16(0, true) !== magic) bad('they do not begin as BTF does')
  if (view.getUint8(2) !== 1) bad(`their format has the version ${view.getUint8(2)}, not 1`)
  const headerLength = view.getUint32(4, true)
  const [typeOffset, typeLength, stringOffset, stringLength] = [8, 12, 16, 20].map((at) =>
    view.getUint32(at, true),
  ) as [number, number, number, number]
  if (headerLength < smallestHeader || headerLength > bytes.length) bad('the header is cut off')
  const typeStart = headerLength + typeOffset
  const typeEnd = typeStart + typeLength
  const stringStart = headerLength + stringOffset
  if (typeEnd > bytes.length || stringStart + stringLength > bytes.length) bad('they are cut off')
  if (typeStart % 4 !== 0) bad('the types do not begin at a multiple of 4')
  const strings = readStrings(bytes.subarray(stringStart, stringStart + stringLength), base?.strings, bad)
  if (strings === undefined) return bad('a string has no end')

  const first = base?.count ?? 1
  // No type takes less than its head, so this is how many there can be.
  const places = new Uint32Array(Math.floor(typeLength / headLength))
  let own = 0
  for (let at = typeStart; at < typeEnd; own++) {
    if (at + headLength > typeEnd) bad(`type ${first + own} is cut off`)
    const info = view.getUint32(at + 4, true)
    const tail = tails[(info >>> 24) & 0x1f]
    if (tail === undefined || ((info >>> 24) & 0x1f) === 0)
      return bad(`type ${first + own} is of a kind that is not known (${(info >>> 24) & 0x1f})`)
    places[own] = at
    at += headLength + tail[0] + tail[1] * (info & 0xffff)
    if (at > typeEnd) bad(`type ${first + own} is cut off`)
  }
  const count = first + own
  const ownKind = (type: number) => (view.getUint32(places[type - first]! + 4, true) >>> 24) & 0x1f
  const info = (type: number) => view.getUint32(places[type - first]! + 4, true)
  /** The 32-bit word of a type behind its head. */
  const word = (type: number, index: number) => view.getUint32(places[type - first]! + headLength + 4 * index, true)
  const range = (type: number) => Array.from({ length: info(type) & 0xffff }, (_, i) => i)
  /** Answers for a type of the base by asking the base. */
  const or =
    <T>(mine: (type: number) => T, theirs: ((type: number) => T) | undefined, none: T) =>
    (type: number): T =>
      type >= first && type < count ? mine(type) : type > 0 && theirs !== undefined ? theirs(type) : none

  const kind = or<number>(ownKind, base?.kind, Kind.void)
  const btf: Btf = {
    count,
    strings,
    kind,
    name: or((type) => strings.at(view.getUint32(places[type - first]!, true)), base?.name, ''),
    size: or(
      (type) => (hasTarget.has(ownKind(type)) ? 0 : view.getUint32(places[type - first]! + 8, true)),
      base?.size,
      0,
    ),
    target: or(
      (type) => (hasTarget.has(ownKind(type)) ? view.getUint32(places[type - first]! + 8, true) : 0),
      base?.target,
      0,
    ),
    array: or(
      (type) =>
        ownKind(type) === Kind.array ? { element: word(type, 0), count: word(type, 2) } : { element: 0, count: 0 },
      base?.array,
      { element: 0, count: 0 },
    ),
    members: or<readonly Member[]>(
      (type) => {
        if (ownKind(type) !== Kind.struct && ownKind(type) !== Kind.union) return []
        const flagged = info(type) >>> 31 === 1
        return range(type).map((i) => {
          const place = word(type, 3 * i + 2)
          const member = { name: strings.at(word(type, 3 * i)), type: word(type, 3 * i + 1) }
          return flagged
            ? { ...member, offset: place & 0xffffff, width: place >>> 24 }
            : { ...member, ...plainBits(btf, member.type, place) }
        })
      },
      base?.members,
      [],
    ),
    enumerators: or<readonly Enumerator[]>(
      (type) => {
        const signed = info(type) >>> 31 === 1
        if (ownKind(type) === Kind.enum)
          return range(type).map((i) => {
            const value = word(type, 2 * i + 1)
            return { name: strings.at(word(type, 2 * i)), value: BigInt(signed ? value | 0 : value) }
          })
        if (ownKind(type) !== Kind.enum64) return []
        return range(type).map((i) => {
          const value = (BigInt(word(type, 3 * i + 2)) << 32n) | BigInt(word(type, 3 * i + 1))
          return { name: strings.at(word(type, 3 * i)), value: signed ? BigInt.asIntN(64, value) : value }
        })
      },
      base?.enumerators,
      [],
    ),
    parameters: or<readonly Parameter[]>(
      (type) =>
        ownKind(type) === Kind.prototype
          ? range(type).map((i) => ({ name: strings.at(word(type, 2 * i)), type: word(type, 2 * i + 1) }))
          : [],
      base?.parameters,
      [],
    ),
    int: or(
      (type) =>
        ownKind(type) === Kind.int
          ? { signed: ((word(type, 0) >>> 24) & 1) === 1, bits: word(type, 0) & 0xff }
          : { signed: false, bits: 0 },
      base?.int,
      { signed: false, bits: 0 },
    ),
    ofKind(wanted) {
      const found: number[] = base?.ofKind(wanted) ?? []
      for (let type = first; type < count; type++) if (ownKind(type) === wanted) found.push(type)
      return found
    },
  }
  for (let type = first; type < count; type++) checkType(type)
  const inner = (type: number, each: number): number[] => {
    const found: number[] = []
    for (let i = info(type) & 0xffff; i-- > 0; ) found.push(word(type, each * i + 1))
    return found
  }
  const target = (type: number) => [view.getUint32(places[type - first]! + 8, true)]
  // What a type is made of.
  checkCircles(
    first,
    count,
    (type) => {
      const which = ownKind(type)
      if (which === Kind.array) return [word(type, 0)]
      if (which === Kind.struct || which === Kind.union) return inner(type, 3)
      const passes = which !== Kind.pointer && which !== Kind.prototype && hasTarget.has(which)
      return passes ? target(type) : nothing
    },
    bad,
  )
  // What the words for it are made of: a struct has a name, or its members are left out.
  checkCircles(
    first,
    count,
    (type) => {
      const which = ownKind(type)
      if (which === Kind.array) return [word(type, 0)]
      if (which === Kind.prototype) return [...target(type), ...inner(type, 2)]
      return hasTarget.has(which) ? target(type) : nothing
    },
    bad,
  )
  return btf

  function checkType(type: number): void {
    const at = places[type - first]!
    const checkName = (offset: number) => {
      if (offset >= strings!.length) bad(`a name of type ${type} is not there`)
    }
    const checkId = (id: number) => {
      if (id >= count) bad(`type ${type} refers to type ${id} of ${count}`)
    }
    checkName(view.getUint32(at, true))
    const which = ownKind(type)
    if (hasTarget.has(which)) checkId(view.getUint32(at + 8, true))
    const items = info(type) & 0xffff
    if (which === Kind.array) {
      checkId(word(type, 0))
      checkId(word(type, 1))
    } else if (which === Kind.struct || which === Kind.union) {
      for (let i = 0; i < items; i++) {
        checkName(word(type, 3 * i))
        checkId(word(type, 3 * i + 1))
      }
    } else if (which === Kind.enum || which === Kind.prototype) {
      for (let i = 0; i < items; i++) {
        checkName(word(type, 2 * i))
        if (which === Kind.prototype) checkId(word(type, 2 * i + 1))
      }
    } else if (which === Kind.enum64) for (let i = 0; i < items; i++) checkName(word(type, 3 * i))
    else if (which === Kind.section) for (let i = 0; i < items; i++) checkId(word(type, 3 * i))
  }
}

/** In a struct without the flag a bit field is a member whose int is narrower than its bytes. */
function plainBits(btf: Btf, type: number, offset: number): { offset: number; width: number } {
  if (btf.kind(type) !== Kind.int) return { offset, width: 0 }
  const { bits } = btf.int(type)
  return bits === btf.size(type) * 8 ? { offset, width: 0 } : { offset, width: bits }
}

/** @returns undefined when the last string has no end */
function readStrings(
  bytes: Uint8Array,
  base: StringTable | undefined,
  bad: (why: string) => never,
): StringTable | undefined {
  if (bytes.length > 0 && bytes[bytes.length - 1] !== 0) return undefined
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const start = base?.length ?? 0
  const known = new Map<number, string>()
  return {
    length: start + Math.max(bytes.length, base === undefined ? 1 : 0),
    at(offset) {
      if (base !== undefined && offset < start) return base.at(offset)
      const own = offset - start
      if (own >= bytes.length) return ''
      let text = known.get(own)
      if (text === undefined) {
        // Many names may lie on the same bytes.
        const place = buffer.subarray(own, own + longestName)
        const end = place.indexOf(0)
        if (end < 0) return bad('a name is impossibly long')
        text = place.toString('latin1', 0, end)
        known.set(own, text)
      }
      return text
    },
  }
}
