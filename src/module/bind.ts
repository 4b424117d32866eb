// SPDX-License-Identifier: GPL-3.0-or-later
// Binds what carried code refers to, to the running kernel. An exported symbol of vmlinux stays an
// ordinary undefined symbol with its version; anything else becomes a livepatch symbol, which the
// kernel resolves by object, name and position. A position is never guessed: it comes from the code.
// Format: the kernel's Documentation/livepatch/module-elf-format.rst.
import type { Piece } from '../diff/anatomy.ts'
import type { Change } from '../diff/change.ts'
import type { Reference } from '../extract/extraction.ts'
import type { Finding } from '../ground/finding.ts'
import { type Image, locate } from '../match/locate.ts'

export interface KernelSymbol {
  readonly name: string
  readonly address: bigint
  /** As nm prints it: upper case for a global symbol. */
  readonly type: string
}

export interface KernelExport {
  readonly crc: number
  /** `vmlinux` or a module's name. */
  readonly module: string
  readonly namespace: string
}

/** The names of the kernel, as the rooms before know them. */
export interface Names {
  /** The symbols of this name in a kernel object, in the order in which the kernel counts them. */
  symbols(object: string, name: string): readonly KernelSymbol[]
  exported(name: string): KernelExport | undefined
  /** Opened when a name is ambiguous. */
  image(): Image
}

export type Binding =
  | { readonly kind: 'exported'; readonly name: string; readonly crc: number; readonly namespace: string }
  | {
      readonly kind: 'livepatch'
      /** The object that has the symbol. */
      readonly object: string
      /** The object whose appearance makes the kernel resolve it. */
      readonly when: string
      readonly name: string
      /** 0 when the name is unique in the object. */
      readonly sympos: number
    }

export interface Binder {
  /** @returns how the reference is resolved; undefined when it can't be (a finding says why) */
  bind(reference: Reference): Binding | undefined
  /** @returns the position of a replaced function's name in its kernel object; undefined as above */
  replacement(object: string, piece: Piece, change: Change): number | undefined
  readonly findings: readonly Finding[]
}

export function binder(names: Names): Binder {
  const findings: Finding[] = []
  const fail = (rule: string, symbol: string, unit: string, message: string, hint: string): undefined => {
    findings.push({ severity: 'error', rule, symbol, unit, message, hint })
    return undefined
  }

  const addressesIn = (object: string) => (name: string) =>
    names.symbols(object, name).map(({ address }) => address)

  const position = (object: string, piece: Piece, change: Change): number | undefined => {
    const symbols = names.symbols(object, piece.name)
    const { unit } = change
    if (symbols.length === 1) return 0
    if (symbols.length === 0)
      return fail(
        'no-symbol',
        piece.name,
        unit,
        `${object} has no symbol ${piece.name}`,
        'Check that the kernel is the one the source belongs to',
      )
    if (object === 'vmlinux') {
      const addressesOf = addressesIn(object)
      const address = locate(names.image(), change.before, piece, addressesOf)
      const index = symbols.findIndex((symbol) => symbol.address === address)
      if (address !== undefined && index >= 0) return index + 1
    }
    return fail(
      'ambiguous-symbol',
      piece.name,
      unit,
      `${object} has ${symbols.length} symbols named ${piece.name}, and its code does not tell which one belongs to ${unit}`,
      'Fix the bug in a function whose name is unique',
    )
  }

  return {
    findings,
    replacement(object, piece, change) {
      const isRunning = () => locate(names.image(), change.before, piece, addressesIn(object)) !== undefined
      if (piece.symbol?.binding === 'weak' && object === 'vmlinux' && !isRunning())
        return fail(
          'weak-function',
          piece.name,
          change.unit,
          `${piece.name} of ${change.unit} is only a fallback (__weak); the kernel runs another function of this name`,
          'Patch the function that overrides it',
        )
      return position(object, piece, change)
    },
    bind(reference) {
      const { name, from, unit, definition } = reference
      const exported = names.exported(name)
      const global = definition === undefined || definition.symbol?.binding !== 'local'
      if (exported !== undefined && global && exported.module === 'vmlinux')
        if (definition === undefined || from === 'vmlinux')
          return { kind: 'exported', name, crc: exported.crc, namespace: exported.namespace }
      if (definition !== undefined) {
        const sympos = position(from, definition, reference.change)
        return sympos === undefined
          ? undefined
          : { kind: 'livepatch', object: from, when: from, name, sympos }
      }
      if (exported !== undefined && exported.module !== from) {
        if (from === 'vmlinux')
          return fail(
            'module-symbol',
            name,
            unit,
            `Code of vmlinux would refer to ${name} of the module ${exported.module}, which may not be loaded`,
            'Avoid the call in this part of the fix',
          )
        return { kind: 'livepatch', object: exported.module, when: from, name, sympos: 0 }
      }
      for (const object of from === 'vmlinux' ? [from] : [from, 'vmlinux']) {
        const symbols = names.symbols(object, name)
        if (symbols.length === 0) continue
        const globals = symbols.flatMap((symbol, index) =>
          symbol.type === symbol.type.toUpperCase() ? [index + 1] : [],
        )
        const sympos = symbols.length === 1 ? 0 : globals.length === 1 ? globals[0] : undefined
        if (sympos === undefined)
          return fail(
            'ambiguous-symbol',
            name,
            unit,
            `${object} has ${symbols.length} symbols named ${name}, and it can't be told which one is meant`,
            'Avoid the symbol in the patch',
          )
        return { kind: 'livepatch', object, when: object, name, sympos }
      }
      if (!reference.needed) return undefined
      return fail(
        'no-symbol',
        name,
        unit,
        `The patched code refers to ${name}, which ${from} does not have`,
        'Check that the patch is complete: a new function must be part of it',
      )
    },
  }
}
