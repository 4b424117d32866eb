// SPDX-License-Identifier: GPL-3.0-or-later
// Reads BTF, the compact description of C types that compilers put into `.BTF` and that the kernel carries of itself.
// The format is the kernel's Documentation/bpf/btf.rst. A view over the bytes: each type is found by its number, and
// what is read is checked once, when it is opened, so that later no number of a type is
// out of range or part of a circle.
import { Fault } from '../../../ground/fault.ts'
import { remembered } from '../../../ground/values/remembered.ts'
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
  /** How many types there are, with `void`. */
  readonly count: number
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
/** What a type without edges leads to. */
const nothing: readonly number[] = []
const smallestHeader = 24
/** Bytes of a type before what depends on its kind. */
const headLength = 12

/** Bytes behind the head: fixed, and for each of `vlen` items; by kind, none for the others. */
const tails: Readonly<Record<number, readonly [fixed: number, each: number]>> = {
  [Kind.int]: [4, 0],
  [Kind.array]: [12, 0],
  [Kind.struct]: [0, 12],
  [Kind.union]: [0, 12],
  [Kind.enum]: [0, 8],
  [Kind.prototype]: [0, 8],
  [Kind.variable]: [4, 0],
  [Kind.section]: [0, 12],
  [Kind.declarationTag]: [4, 0],
  [Kind.enum64]: [0, 12],
}

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

/** Bytes; the kernel takes names of 511 (KSYM_NAME_LEN). */
const longestName = 4096

/**
 * Opens the content of a section `.BTF`.
 * @param source what to call it in a fault
 * @throws Fault `environment/unreadable-btf` for anything that the format does not allow
 */
export function readBtf(bytes: Uint8Array, source: string): Btf {
  const bad = (why: string): never => {
    throw new Fault('environment', 'unreadable-btf', `The types in ${source} can't be read: ${why}`, {
      remedy: 'Report this with the kernel version and the compiler',
    })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < smallestHeader) bad('the header is cut off')
  if (view.getUint16(0, true) !== magic) bad('they do not begin as BTF does')
  if (view.getUint8(2) !== 1) bad(`their format has the version ${view.getUint8(2)}, not 1`)
  const wordAt = (at: number) => view.getUint32(at, true)
  const headerLength = wordAt(4)
  if (headerLength < smallestHeader || headerLength > bytes.length) bad('the header is cut off')
  const typeStart = headerLength + wordAt(8)
  const typeEnd = typeStart + wordAt(12)
  const stringStart = headerLength + wordAt(16)
  const stringEnd = stringStart + wordAt(20)
  if (typeEnd > bytes.length || stringEnd > bytes.length) bad('they are cut off')
  if (typeStart % 4 !== 0) bad('the types do not begin at a multiple of 4')
  const strings = bytes.subarray(stringStart, stringEnd)
  if (strings.length > 0 && strings.at(-1) !== 0) bad('a string has no end')
  const nameAt = namesIn(strings, bad)

  /** Where each type stands; `void` stands nowhere. */
  const places = [0]
  for (let at = typeStart; at < typeEnd; ) {
    const type = places.length
    if (at + headLength > typeEnd) bad(`type ${type} is cut off`)
    const kind = (wordAt(at + 4) >>> 24) & 0x1f
    if (kind === Kind.void || kind > Kind.enum64) bad(`type ${type} is of a kind that is not known (${kind})`)
    const [fixed, each] = tails[kind] ?? [0, 0]
    places.push(at)
    at += headLength + fixed + each * (wordAt(at + 4) & 0xffff)
    if (at > typeEnd) bad(`type ${type} is cut off`)
  }
  const count = places.length
  const isOwn = (type: number) => type > 0 && type < count
  const info = (type: number) => wordAt(places[type]! + 4)
  const kindOf = (type: number) => (isOwn(type) ? (info(type) >>> 24) & 0x1f : Kind.void)
  /** The 32-bit word of a type behind its head. */
  const word = (type: number, index: number) => wordAt(places[type]! + headLength + 4 * index)
  /** What `make` says of each item behind the head of a type; given the index of the item's first word. */
  const items = <T>(type: number, words: number, make: (index: number) => T): T[] =>
    Array.from({ length: info(type) & 0xffff }, (_, item) => make(words * item))
  const sizeOrTarget = (type: number, isTarget: boolean) =>
    isOwn(type) && hasTarget.has(kindOf(type)) === isTarget ? wordAt(places[type]! + 8) : 0
  const isRecord = (kind: number) => kind === Kind.struct || kind === Kind.union

  const btf: Btf = {
    count,
    kind: kindOf,
    name: (type) => (isOwn(type) ? nameAt(wordAt(places[type]!)) : ''),
    size: (type) => sizeOrTarget(type, false),
    target: (type) => sizeOrTarget(type, true),
    array: (type) =>
      kindOf(type) === Kind.array ? { element: word(type, 0), count: word(type, 2) } : { element: 0, count: 0 },
    members(type) {
      if (!isRecord(kindOf(type))) return []
      const flagged = info(type) >>> 31 === 1
      return items(type, 3, (at) => {
        const place = word(type, at + 2)
        const member = { name: nameAt(word(type, at)), type: word(type, at + 1) }
        return flagged
          ? { ...member, offset: place & 0xffffff, width: place >>> 24 }
          : { ...member, ...plainBits(btf, member.type, place) }
      })
    },
    enumerators(type) {
      const kind = kindOf(type)
      if (kind !== Kind.enum && kind !== Kind.enum64) return []
      const words = kind === Kind.enum ? 2 : 3
      const fit = info(type) >>> 31 === 1 ? BigInt.asIntN : BigInt.asUintN
      return items(type, words, (at) => {
        const high = kind === Kind.enum ? 0n : BigInt(word(type, at + 2)) << 32n
        return { name: nameAt(word(type, at)), value: fit(32 * (words - 1), high | BigInt(word(type, at + 1))) }
      })
    },
    parameters: (type) =>
      kindOf(type) === Kind.prototype
        ? items(type, 2, (at) => ({ name: nameAt(word(type, at)), type: word(type, at + 1) }))
        : [],
    int: (type) =>
      kindOf(type) === Kind.int
        ? { signed: ((word(type, 0) >>> 24) & 1) === 1, bits: word(type, 0) & 0xff }
        : { signed: false, bits: 0 },
    ofKind: (wanted) => [...places.keys()].filter((type) => type > 0 && kindOf(type) === wanted),
  }
  for (let type = 1; type < count; type++) checkType(type)
  /** In the order of a way through them that looks into the last one first. */
  const inner = (type: number, words: number) => items(type, words, (at) => word(type, at + 1)).reverse()
  const target = (type: number) => [btf.target(type)]
  // What a type is made of.
  checkCircles(
    count,
    (type) => {
      const kind = kindOf(type)
      if (kind === Kind.array) return [word(type, 0)]
      if (isRecord(kind)) return inner(type, 3)
      const passes = kind !== Kind.pointer && kind !== Kind.prototype && hasTarget.has(kind)
      return passes ? target(type) : nothing
    },
    bad,
  )
  // What the words for it are made of: a struct has a name, or its members are left out.
  checkCircles(
    count,
    (type) => {
      const kind = kindOf(type)
      if (kind === Kind.array) return [word(type, 0)]
      if (kind === Kind.prototype) return [...target(type), ...inner(type, 2)]
      return hasTarget.has(kind) ? target(type) : nothing
    },
    bad,
  )
  return btf

  function checkType(type: number): void {
    const checkName = (offset: number) => {
      if (offset >= Math.max(strings.length, 1)) bad(`a name of type ${type} is not there`)
    }
    const checkId = (id: number) => {
      if (id >= count) bad(`type ${type} refers to type ${id} of ${count}`)
    }
    checkName(wordAt(places[type]!))
    const kind = kindOf(type)
    if (hasTarget.has(kind)) checkId(wordAt(places[type]! + 8))
    if (kind === Kind.array) for (const index of [0, 1]) checkId(word(type, index))
    const each = (tails[kind]?.[1] ?? 0) / 4
    if (each === 0) return
    items(type, each, (at) => {
      if (kind === Kind.section) return checkId(word(type, at))
      checkName(word(type, at))
      if (isRecord(kind) || kind === Kind.prototype) checkId(word(type, at + 1))
    })
  }
}

/** In a struct without the flag a bit field is a member whose int is narrower than its bytes. */
function plainBits(btf: Btf, type: number, offset: number): { offset: number; width: number } {
  if (btf.kind(type) !== Kind.int) return { offset, width: 0 }
  const { bits } = btf.int(type)
  return { offset, width: bits === btf.size(type) * 8 ? 0 : bits }
}

/** The names in a table of strings, by their offset; beyond its end there is none. */
function namesIn(strings: Uint8Array, bad: (why: string) => never): (offset: number) => string {
  const buffer = Buffer.from(strings.buffer, strings.byteOffset, strings.byteLength)
  // Many names may lie on the same bytes.
  return remembered((offset) => {
    if (offset >= strings.length) return ''
    const place = buffer.subarray(offset, offset + longestName)
    const end = place.indexOf(0)
    return end < 0 ? bad('a name is impossibly long') : place.toString('latin1', 0, end)
  })
}
