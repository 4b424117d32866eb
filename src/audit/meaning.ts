// SPDX-License-Identifier: GPL-3.0-or-later
// What a reference of the finished module means when the kernel has resolved it: a place of the module, or an address
// of one of the kernel's objects. An exported symbol with a distance is an address like any other.
import type { ElfSymbol } from '../elf/read.ts'
import type { KernelNames } from '../match/names.ts'
import type { Place, Reference } from './object-view.ts'

/** An address in vmlinux as it was linked, or in a module as it would be laid out. */
export interface KernelPlace {
  readonly object: string
  readonly address: bigint
}

export type Meaning =
  | { readonly kind: 'own'; readonly place: Place; readonly symbol: ElfSymbol }
  | { readonly kind: 'kernel'; readonly at: KernelPlace; readonly name: string }
  | { readonly kind: 'number'; readonly value: number }
  /** The kernel can't resolve it, or nobody can say to what; another check tells why. */
  | { readonly kind: 'unknown'; readonly name: string }

/** `.klp.sym.OBJECT.NAME,POSITION` */
export interface LivepatchName {
  readonly object: string
  readonly name: string
  readonly position: number
}

/** @returns undefined when the name is not one that the kernel understands */
export function livepatchName(name: string): LivepatchName | undefined {
  const [, object, meant, position] = /^\.klp\.sym\.([^.,]+)\.([^,]+),(\d{1,6})$/.exec(name) ?? []
  return object === undefined || meant === undefined ? undefined : { object, name: meant, position: Number(position) }
}

/** The object whose coming makes the kernel apply a table of livepatch relocations, `.klp.rela.OBJECT.SECTION`. */
export function objectOfTable(name: string): string | undefined {
  return /^\.klp\.rela\.([^.]+)\./.exec(name)?.[1]
}

/** The address to which the kernel resolves a name and a position; undefined when it does not. */
export function resolve(names: KernelNames, { object, name, position }: LivepatchName): bigint | undefined {
  const symbols = names.symbols(object, name)
  if (position === 0) return symbols.length === 1 ? symbols[0]?.address : undefined
  return symbols[position - 1]?.address
}

/** The addresses that a name means for code of another unit: what is global in the object, or exported to it. */
export function linked(names: KernelNames, object: string, name: string): KernelPlace[] {
  const found = (where: string) =>
    names
      .symbols(where, name)
      .filter(({ type }) => type === type.toUpperCase())
      .map(({ address }) => ({ object: where, address }))
  const own = found(object)
  return own.length > 0 ? own : found(names.exported(name)?.module ?? 'vmlinux')
}

export function isSamePlace(one: KernelPlace, other: KernelPlace): boolean {
  return one.object === other.object && one.address === other.address
}

export function movedBy({ object, address }: KernelPlace, distance: number): KernelPlace {
  return { object, address: BigInt.asUintN(64, address + BigInt(distance)) }
}

/** What the kernel has at a place, for a message. */
export function nameAt(names: KernelNames, { object, address }: KernelPlace): string {
  return names.at(object, address)[0]?.name ?? `0x${address.toString(16)} of ${object}`
}

export function meaningOf(names: KernelNames, { target }: Reference): Meaning {
  if (target.kind === 'number') return target
  if (target.kind === 'place') return { kind: 'own', place: target.place, symbol: target.symbol }
  const { symbol, offset } = target
  const stated = symbol.place === 'livepatch' ? livepatchName(symbol.name) : undefined
  const name = stated?.name ?? symbol.name
  const object = stated?.object ?? names.exported(name)?.module
  if (object === undefined) return { kind: 'unknown', name }
  const address = stated === undefined ? linked(names, object, name)[0]?.address : resolve(names, stated)
  if (address === undefined) return { kind: 'unknown', name }
  return { kind: 'kernel', at: movedBy({ object, address }, offset), name }
}
