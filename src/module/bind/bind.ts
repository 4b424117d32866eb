// SPDX-License-Identifier: GPL-3.0-or-later
// Binds what carried code refers to, to the running kernel. An exported symbol of vmlinux stays an
// ordinary undefined symbol with its version; anything else becomes a livepatch symbol, which the
// kernel resolves by object, name and position. A position is never guessed: it comes from the code.
// Format: the kernel's Documentation/livepatch/module-elf-format.rst.

import type { Change } from '../../diff/change.ts'
import type { Atom } from '../../diff/object/split-object.ts'
import type { Reference } from '../../extract/extraction.ts'
import type { Finding } from '../../ground/finding.ts'
import { isForNamedModules } from '../../kernel/exports.ts'
import { coreModule } from '../../kernel/model.ts'
import { type Comparison, closestOf } from '../../match/compare.ts'
import type { KernelNames } from '../../match/names.ts'
import { placementBy } from '../../match/placements.ts'
import { type MatchRecord, packExpectation } from '../../match/record.ts'
import { patchSymbol } from '../structures/tables.ts'
import type { BindingFinding } from './mismatch.ts'

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
  /** What the live patch itself defines: its structures. */
  | { readonly kind: 'own'; readonly name: string }

/** A unit as the kernel runs it. */
export type UnpatchedUnit = Pick<Change, 'unit' | 'before'>

const checkInputs = 'Check that source, configuration and compiler are those of the kernel'

/** Binds references to one kernel, and keeps what is to be said about them. */
export class Binder {
  readonly #findings: BindingFinding[] = []
  readonly #records = new Map<Atom, MatchRecord>()
  /** Private symbols on whose place functions do not agree, by `unit symbol`: each is told once. */
  readonly #disputed = new Set<string>()

  constructor(private readonly names: KernelNames) {}

  get findings(): readonly BindingFinding[] {
    return this.#findings
  }

  /** How a replaced function was recognised; undefined for one that was not. */
  recordOf(atom: Atom): MatchRecord | undefined {
    return this.#records.get(atom)
  }

  /** @returns how the reference is resolved; undefined when it can't be (a finding says why) */
  bind(reference: Reference): Binding | undefined {
    const { name, from, definition } = reference
    if (name === patchSymbol && definition === undefined) return { kind: 'own', name }
    const exported = this.names.exported(name)
    const global = definition === undefined || definition.symbol?.binding !== 'local'
    // As the linker does: what a module defines itself comes before what others export.
    if (definition === undefined && from !== 'vmlinux' && this.#globals(from, name).length > 0)
      return this.#bindByName(reference)
    const isThere = exported?.module === 'vmlinux' || exported?.module === coreModule
    if (exported !== undefined && global && isThere && !isForNamedModules(exported.namespace))
      if (definition === undefined || from === 'vmlinux')
        return { kind: 'exported', name, crc: exported.crc, namespace: exported.namespace }
    if (definition !== undefined) return this.#bindDefined(reference, definition)
    if (exported !== undefined && exported.module !== from && exported.module !== 'vmlinux')
      return this.#bindToModule(reference, exported.module)
    return this.#bindByName(reference)
  }

  /** @returns the position of a replaced function's name in its kernel object; undefined as above */
  replacement(object: string, atom: Atom, change: UnpatchedUnit): number | undefined {
    const symbols = this.names.symbols(object, atom.name)
    const matcher = this.names.matcher(object, change.before)
    const results = symbols.map(({ address }) => matcher.compareAt(atom, address))
    const fitting = results.filter(({ matches }) => matches).length
    if (symbols.length > 0 && fitting === 0)
      return atom.symbol?.binding === 'weak'
        ? this.#refuse(
            'weak-function',
            atom.name,
            change.unit,
            `${atom.name} of ${change.unit} is only a fallback (__weak); the kernel runs another ` +
              'function of this name',
            'Patch the function that overrides it',
          )
        : this.#refuseMismatch(object, atom, change, results, 'replaced')
    const sympos = this.#position(object, atom, change)
    if (sympos === undefined) return undefined
    const found = results[Math.max(0, sympos - 1)]
    if (found?.matches !== true) return this.#refuseMismatch(object, atom, change, results, 'replaced')
    const own = found.fixed.flatMap((one) => placementBy(one) ?? [])
    if (!own.every((one) => this.#isAgreedOn(object, one.name, change))) return undefined
    const address = symbols[Math.max(0, sympos - 1)]?.address
    if (address !== undefined)
      this.#records.set(atom, {
        by: symbols.length === 1 ? 'name' : fitting === 1 ? 'code' : 'surroundings',
        ...(object === 'vmlinux' ? { address: address.toString(16).padStart(16, '0') } : {}),
        fields: found.fixed.length,
        unconfirmed: found.unconfirmed,
        expected: packExpectation(matcher.expected(atom)),
      })
    return sympos
  }

  /** What the unit itself defines: its code tells which symbol it is. */
  #bindDefined({ name, from, unit, change }: Reference, definition: Atom): Binding | undefined {
    if (definition.symbol?.binding === 'local' && !this.#isAgreedOn(from, definition.name, change)) return undefined
    const sympos = this.#position(from, definition, change)
    if (sympos === undefined) return undefined
    const address = this.names.symbols(from, name)[Math.max(0, sympos - 1)]?.address
    if (!this.#isThere(from, definition, change, sympos) || !this.#lasts(from, address, name, unit)) return undefined
    return { kind: 'livepatch', object: from, when: from, name, sympos }
  }

  /** What another module exports. */
  #bindToModule({ name, from, unit }: Reference, module: string): Binding | undefined {
    if (from === 'vmlinux')
      return this.#refuse(
        'module-symbol',
        name,
        unit,
        `Code of vmlinux would refer to ${name} of the module ${module}, which may not be loaded`,
        'Avoid the call in this part of the fix',
      )
    if (!this.names.needs(from).includes(module))
      this.#add({
        severity: 'warning',
        rule: 'module-needed',
        symbol: name,
        unit,
        message:
          `The patched code of ${from} uses ${name} of the module ${module}, which ${from} ` +
          `does not load: without it neither the live patch nor ${from} can be loaded`,
        hint: `See to it that ${module} is loaded first, or do without ${name}`,
      })
    const sympos = this.#positionOfGlobal(module, name, unit)
    return sympos === undefined ? undefined : { kind: 'livepatch', object: module, when: from, name, sympos }
  }

  /** A global symbol of the code's own object, or of vmlinux. */
  #bindByName({ name, from, unit, needed }: Reference): Binding | undefined {
    for (const object of from === 'vmlinux' ? [from] : [from, 'vmlinux']) {
      const [only] = this.#globals(object, name)
      if (only === undefined) continue
      if (!this.#lasts(object, only.address, name, unit)) return undefined
      const sympos = this.#positionOfGlobal(object, name, unit)
      return sympos === undefined ? undefined : { kind: 'livepatch', object, when: object, name, sympos }
    }
    if (!needed) return undefined
    return this.#refuse(
      'no-symbol',
      name,
      unit,
      `The patched code refers to ${name}, which ${from} does not have`,
      'Check that the patch is complete: a new function must be part of it',
    )
  }

  /** The global symbols of a name, with their positions; another unit's private one of this name is not meant. */
  #globals(object: string, name: string) {
    return this.names
      .symbols(object, name)
      .flatMap((symbol, index) =>
        symbol.type === symbol.type.toUpperCase() ? [{ ...symbol, position: index + 1 }] : [],
      )
  }

  /** What livepatch calls sympos, of the only global symbol of a name. */
  #positionOfGlobal(object: string, name: string, unit: string): number | undefined {
    const { length } = this.names.symbols(object, name)
    const [only, ...others] = this.#globals(object, name)
    if (only !== undefined && length === 1 && !only.crowded) return 0
    if (only !== undefined && others.length === 0 && only.whileLoading === only.position) return only.position
    return this.#refuse(
      'ambiguous-symbol',
      name,
      unit,
      `${object} has ${length} symbols named ${name}, and it can't be told which one is meant`,
      'Avoid the symbol in the patch',
    )
  }

  /** What livepatch calls sympos: 0 for a unique name. */
  #position(object: string, atom: Atom, { unit, before }: UnpatchedUnit): number | undefined {
    const symbols = this.names.symbols(object, atom.name)
    const [only] = symbols
    if (only === undefined)
      return this.#refuse(
        'no-symbol',
        atom.name,
        unit,
        `${object} has no symbol ${atom.name}`,
        'Check that the kernel is the one the source belongs to',
      )
    if (symbols.length === 1 && !only.crowded) return 0
    const address = symbols.length === 1 ? only.address : this.names.matcher(object, before).locate(atom)
    const index = symbols.findIndex((symbol) => symbol.address === address)
    if (address === undefined || index < 0)
      return this.#refuse(
        'ambiguous-symbol',
        atom.name,
        unit,
        `${object} has ${symbols.length} symbols named ${atom.name}, and its code does not tell which ` +
          `one belongs to ${unit}`,
        'Fix the bug in a function whose name is unique',
      )
    // The patch may be loaded before the module and after it: both times it must mean the same one.
    if (symbols[index]?.whileLoading !== index + 1)
      return this.#refuse(
        'ambiguous-symbol',
        atom.name,
        unit,
        `While ${object} is being loaded, it has a further symbol ${atom.name}, and the kernel counts ` +
          'them differently then',
        'Fix the bug in a function whose name is unique',
      )
    return index + 1
  }

  /** False when the code that runs does not have a private symbol where its name says. */
  #isThere(object: string, atom: Atom, change: UnpatchedUnit, sympos: number): boolean {
    if (atom.symbol?.binding !== 'local' || (atom.kind !== 'function' && atom.kind !== 'data')) return true
    const address = this.names.symbols(object, atom.name)[Math.max(0, sympos - 1)]?.address
    if (address === undefined) return true
    const matcher = this.names.matcher(object, change.before)
    const told = matcher.confirm(atom, address)
    if (told === 'confirmed') return true
    if (told === 'unknown') {
      this.#add({
        severity: 'note',
        rule: 'unconfirmed-symbol',
        symbol: atom.name,
        unit: change.unit,
        message:
          `The patch refers to ${atom.name}, whose address only its name tells: no running code of ` +
          `${change.unit} refers to it`,
      })
      return true
    }
    if (atom.kind === 'function') {
      this.#refuseMismatch(object, atom, change, [matcher.compareAt(atom, address)], 'called')
    } else
      this.#refuse(
        'code-differs',
        atom.name,
        change.unit,
        `The running code of ${change.unit} has ${atom.name} at another address than the kernel's symbol table`,
        checkInputs,
      )
    return false
  }

  /** False when functions of the unit that run do not agree where a private symbol is. */
  #isAgreedOn(object: string, symbol: string, { unit, before }: UnpatchedUnit): boolean {
    const dispute = this.names.matcher(object, before).map.disputes.get(symbol)
    if (dispute === undefined) return true
    const key = `${unit} ${symbol}`
    if (this.#disputed.has(key)) return false
    this.#disputed.add(key)
    const [one, other] = dispute.functions
    this.#refuse(
      'code-differs',
      symbol,
      unit,
      dispute.rival === undefined
        ? `In the kernel ${one} and ${other} of ${unit} refer to the static ${symbol} at two addresses, so ` +
            'not both are what the compiler makes of the source before the patch'
        : `In the kernel ${other} of ${unit} refers to one static symbol where ${one} refers to another (${symbol}, ` +
            `${dispute.rival}), so not both are what the compiler makes of the source before the patch`,
      checkInputs,
    )
    return false
  }

  /** False, with a finding, for what the kernel has freed when it had started. */
  #lasts(object: string, address: bigint | undefined, name: string, unit: string): boolean {
    if (object !== 'vmlinux' || address === undefined || !this.names.freed(address)) return true
    this.#refuse(
      'freed-after-boot',
      name,
      unit,
      `The patched code of ${unit} uses ${name}, which the kernel freed when it had started`,
      'Do what it does in a function of the patch',
    )
    return false
  }

  /** Says that a function is not what runs; `use` is what the patch has to do with it. */
  #refuseMismatch(
    object: string,
    atom: Atom,
    { unit, before }: UnpatchedUnit,
    results: readonly Comparison[],
    use: 'replaced' | 'called',
  ): undefined {
    const mismatch = closestOf(results)
    if (mismatch === undefined) return
    const message =
      `The code of ${atom.name} in the kernel is not what the compiler makes of ${unit} before ` +
      `the patch${use === 'called' ? ', and the patch refers to it' : ''}`
    this.#add(
      { severity: 'error', rule: 'code-differs', symbol: atom.name, unit, message, hint: checkInputs },
      { object, before, mismatch },
    )
  }

  #refuse(rule: string, symbol: string, unit: string, message: string, hint: string): undefined {
    this.#add({ severity: 'error', rule, symbol, unit, message, hint })
  }

  #add(finding: Finding, about?: BindingFinding['about']): void {
    this.#findings.push(about === undefined ? { finding } : { finding, about })
  }
}
