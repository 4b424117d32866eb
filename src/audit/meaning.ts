// SPDX-License-Identifier: GPL-3.0-or-later
// What a reference of the finished module means when the kernel has resolved it: a place of the module, or an address of
// one of the kernel's objects. An exported symbol with a distance is an address like any other.
import type { ElfSymbol, Relocation, Section } from '../elf/read.ts'
import type { Names } from '../match/names.ts'
import type { ObjectView, Place } from './object-view.ts'

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
  return object === undefined || meant === undefined
    ? undefined
    : { object, name: meant, position: Number(position) }
}

/** The address to which the kernel resolves a name and a position; undefined when it does not. */
export function resolve(names: Names, { object, name, position }: LivepatchName): bigint | undefined {
  const symbols = names.symbols(object, name)
  if (position === 0) return symbols.length === 1 ? symbols[0]?.address : undefined
  return symbols[position - 1]?.address
}

/** The addresses that a name means for code of another unit: what is global in the object, or exported to it. */
export function linked(names: Names, object: string, name: string): KernelPlace[] {
  const found = (where: string) =>
    names
      .symbols(where, name)
      .filter(({ type }) => type === type.toUpperCase())
      .map(({ address }) => ({ object: where, address }))
  const own = found(object)
  if (own.length > 0) return own
  const exported = names.exported(name)
  return exported === undefined ? found('vmlinux') : found(exported.module)
}

export function meaningOf(names: Names, module: ObjectView, from: Section, relocation: Relocation): Meaning {
  const target = module.target(from, relocation)
  if (target.kind === 'number') return target
  if (target.kind === 'place') return { kind: 'own', place: target.place, symbol: target.symbol }
  const { symbol, offset } = target
  const stated = symbol.place === 'livepatch' ? livepatchName(symbol.name) : undefined
  const name = stated?.name ?? symbol.name
  const object = stated?.object ?? names.exported(name)?.module
  const base =
    stated === undefined
      ? object === undefined
        ? undefined
        : linked(names, object, name)[0]?.address
      : resolve(names, stated)
  if (object === undefined || base === undefined) return { kind: 'unknown', name }
  return { kind: 'kernel', at: { object, address: BigInt.asUintN(64, base + BigInt(offset)) }, name }
}
