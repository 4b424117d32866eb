// SPDX-License-Identifier: GPL-3.0-or-later
// The words of C for a type, as a person would declare it: `struct page *`, `u8 [16]`, `int (*)(struct inode *)`.
import { type Btf, Kind } from './read.ts'

const qualifiers: Readonly<Record<number, string>> = {
  [Kind.const]: 'const',
  [Kind.volatile]: 'volatile',
  [Kind.restrict]: 'restrict',
}

const tags: Readonly<Record<number, string>> = {
  [Kind.struct]: 'struct',
  [Kind.union]: 'union',
  [Kind.enum]: 'enum',
  [Kind.enum64]: 'enum',
  // What is only announced is nearly always a struct.
  [Kind.forward]: 'struct',
}

/** What lies behind typedefs, qualifiers and tags. */
export function resolve(btf: Btf, type: number): number {
  for (;;) {
    const kind = btf.kind(type)
    const isWrapped =
      kind === Kind.typedef || kind === Kind.typeTag || kind === Kind.declarationTag || kind in qualifiers
    if (!isWrapped) return type
    type = btf.target(type)
  }
}

/** @param how.plain behind typedefs and without qualifiers, so that types that are the same are spelled the same */
export function spell(btf: Btf, type: number, how: { readonly plain?: boolean } = {}): string {
  return declare(btf, type, '', how.plain === true, 0).trim()
}

/** Functions that take functions that take functions … */
const deepestPrototype = 3

function declare(btf: Btf, type: number, inner: string, plain: boolean, depth: number): string {
  if (plain) type = resolve(btf, type)
  const kind = btf.kind(type)
  const word = qualifiers[kind]
  if (kind === Kind.typeTag || kind === Kind.declarationTag) return declare(btf, btf.target(type), inner, plain, depth)
  if (word !== undefined) {
    const target = btf.target(type)
    if (btf.kind(target) === Kind.pointer) return declare(btf, target, `${word} ${inner}`, plain, depth)
    return `${word} ${declare(btf, target, inner, plain, depth)}`
  }
  if (kind === Kind.pointer) {
    const target = plain ? resolve(btf, btf.target(type)) : btf.target(type)
    const isGrouped = btf.kind(target) === Kind.array || btf.kind(target) === Kind.prototype
    return declare(btf, target, isGrouped ? `(*${inner})` : `*${inner}`, plain, depth)
  }
  if (kind === Kind.array) {
    const { element, count } = btf.array(type)
    return declare(btf, element, `${inner}[${count === 0 ? '' : count}]`, plain, depth)
  }
  if (kind === Kind.prototype) {
    const parameters = btf.parameters(type)
    const list =
      depth > deepestPrototype
        ? ['…']
        : parameters.map((one, i) =>
            one.type === 0 && i === parameters.length - 1 ? '...' : declare(btf, one.type, '', plain, depth + 1).trim(),
          )
    return declare(btf, btf.target(type), `${inner}(${list.join(', ') || 'void'})`, plain, depth)
  }
  const name = btf.name(type)
  const tag = tags[kind]
  const own = type === 0 ? 'void' : tag === undefined ? name : `${tag} ${name === '' ? '{…}' : name}`
  return inner === '' ? own : `${own} ${inner}`
}
