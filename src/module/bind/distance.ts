// SPDX-License-Identifier: GPL-3.0-or-later
// vmlinux is linked as one atom, so in one image any address of it lies at a known distance from any symbol that it
// exports, wherever the kernel was put at boot. A reference by distance is an ordinary relocation: the kernel looks
// nothing up, and the name need not be the only one. It holds in this very image only, which the module checks
// first (kernel/module.c).
import type { KernelNames } from '../../match/names.ts'
import type { Binding } from './bind.ts'

/**
 * How private symbols of vmlinux are reached: by distance, or by name and position, as the kernel's own livepatch does.
 */
export const bindModes = ['distance', 'klp'] as const
export type BindMode = (typeof bindModes)[number]

/**
 * The exported symbol from which distances are measured: the one that also tells which image this is, so every live
 * patch has it anyway.
 */
export const anchor = 'init_uts_ns'

export interface Distance {
  /** From the anchor to the symbol. */
  readonly bytes: number
  /** What the kernel may call the address: the symbol's name and its aliases. */
  readonly names: readonly string[]
}

/** Bytes; the kernel's image has less than a quarter of it (KERNEL_IMAGE_SIZE), so relocations reach all of it. */
const farthest = 0x7fff_0000

/**
 * @returns for a symbol of vmlinux, where it lies; undefined for one that has no fixed distance (data of each
 * processor),
 *   that the kernel can't name (the edges of the image), or that is freed after boot
 */
export function distanceFromAnchor(
  names: Pick<KernelNames, 'symbols' | 'at' | 'exported' | 'freed'>,
): (binding: Binding) => Distance | undefined {
  const only = (name: string): bigint | undefined => {
    const [first, ...others] = names.symbols('vmlinux', name)
    return others.length === 0 ? first?.address : undefined
  }
  const from = names.exported(anchor)?.module === 'vmlinux' ? only(anchor) : undefined
  const [start, end] = [only('_stext'), only('_end')]
  return (binding) => {
    if (binding.kind !== 'livepatch' || binding.object !== 'vmlinux') return undefined
    if (from === undefined || start === undefined || end === undefined) return undefined
    const address = names.symbols('vmlinux', binding.name)[Math.max(0, binding.sympos - 1)]?.address
    if (address === undefined || address < start || address >= end || names.freed(address)) return undefined
    const bytes = Number(address - from)
    if (Math.abs(bytes) > farthest) return undefined
    const called = names.at('vmlinux', address).map(({ name }) => name)
    return { bytes, names: [...new Set([binding.name, ...called])] }
  }
}
