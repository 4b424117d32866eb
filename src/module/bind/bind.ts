// SPDX-License-Identifier: GPL-3.0-or-later
// Binds what carried code refers to, to the running kernel. An exported symbol of vmlinux stays an
// ordinary undefined symbol with its version; anything else becomes a livepatch symbol, which the
// kernel resolves by object, name and position. A position is never guessed: it comes from the code.
// Format: the kernel's Documentation/livepatch/module-elf-format.rst.

import type { Change } from '../../diff/change.ts'
import type { Atom } from '../../diff/object/split-object.ts'
import type { Reference } from '../../extract/extraction.ts'
import type { Finding } from '../../ground/finding.ts'
import { type Comparison, closestOf, compare } from '../../match/compare.ts'
import { expectationOf } from '../../match/expect.ts'
import { confirm, locate } from '../../match/locate.ts'
import type { KernelNames } from '../../match/names.ts'
import { placementBy } from '../../match/placements.ts'
import { type MatchRecord, packExpectation } from '../../match/record.ts'
import { mapUnit } from '../../match/unit-map.ts'
import { patchSymbol } from '../structures/tables.ts'
import { noteDifference } from './mismatch.ts'

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

export interface Binder {
  /** @returns how the reference is resolved; undefined when it can't be (a finding says why) */
  bind(reference: Reference): Binding | undefined
  /** @returns the position of a replaced function's name in its kernel object; undefined as above */
  replacement(object: string, atom: Atom, change: UnpatchedUnit): number | undefined
  /** How a replaced function was recognised; undefined for one that was not. */
  recordOf(atom: Atom): MatchRecord | undefined
  readonly findings: readonly Finding[]
}

export function binder(names: KernelNames): Binder {
  const findings: Finding[] = []
  const records = new Map<Atom, MatchRecord>()
  const fail = (rule: string, symbol: string, unit: string, message: string, hint: string): undefined => {
    findings.push({ severity: 'error', rule, symbol, unit, message, hint })
    return undefined
  }

  /** Says that a function is not what runs; `use` is what the patch has to do with it. */
  const differs = (
    object: string,
    atom: Atom,
    { unit, before }: UnpatchedUnit,
    results: readonly Comparison[],
    use: 'replaced' | 'called',
  ): undefined => {
    const closest = closestOf(results)
    if (closest === undefined) return undefined
    const finding: Finding = {
      severity: 'error',
      rule: 'code-differs',
      symbol: atom.name,
      unit,
      message:
        `The code of ${atom.name} in the kernel is not what the compiler makes of ${unit} before ` +
        `the patch${use === 'called' ? ', and the patch refers to it' : ''}`,
      hint: 'Check that source, configuration and compiler are those of the kernel',
    }
    noteDifference(finding, { object, before, atom, mismatch: closest })
    findings.push(finding)
    return undefined
  }

  /** False when the code that runs does not have a private symbol where its name says. */
  const isThere = (object: string, atom: Atom, change: UnpatchedUnit, sympos: number): boolean => {
    if (atom.symbol?.binding !== 'local' || (atom.kind !== 'function' && atom.kind !== 'data')) return true
    const address = names.symbols(object, atom.name)[Math.max(0, sympos - 1)]?.address
    if (address === undefined) return true
    const running = names.running(object)
    const told = confirm(running, change.before, atom, address)
    if (told === 'confirmed') return true
    if (told === 'unknown') {
      findings.push({
        severity: 'note',
        rule: 'unconfirmed-symbol',
        symbol: atom.name,
        unit: change.unit,
        message:
          `The patch refers to ${atom.name}, whose place only its name tells: no code of ` +
          `${change.unit} that runs leads to it`,
      })
      return true
    }
    if (atom.kind === 'function')
      differs(object, atom, change, [compare(expectationOf(change.before, atom), running, address)], 'called')
    else
      fail(
        'code-differs',
        atom.name,
        change.unit,
        `The code of ${change.unit} that runs has its ${atom.name} elsewhere than the kernel's table of symbols says`,
        'Check that source, configuration and compiler are those of the kernel',
      )
    return false
  }

  const disputed = new Set<string>()
  /** False when functions of the unit that run do not agree where a private symbol is. */
  const isAgreedOn = (object: string, symbol: string, { unit, before }: UnpatchedUnit): boolean => {
    const dispute = mapUnit(names.running(object), before).disputes.get(symbol)
    if (dispute === undefined) return true
    const key = `${unit} ${symbol}`
    if (disputed.has(key)) return false
    disputed.add(key)
    const [one, other] = dispute.functions
    fail(
      'code-differs',
      symbol,
      unit,
      dispute.rival === undefined
        ? `In the kernel ${one} and ${other} of ${unit} have the private ${symbol} in two places, so ` +
            'not both are what the compiler makes of the source before the patch'
        : `In the kernel ${other} of ${unit} has a private symbol where ${one} has another (${symbol}, ` +
            `${dispute.rival}), so not both are what the compiler makes of the source before the patch`,
      'Check that source, configuration and compiler are those of the kernel',
    )
    return false
  }

  /** What livepatch calls sympos: 0 for a unique name. */
  const position = (object: string, atom: Atom, change: UnpatchedUnit): number | undefined => {
    const symbols = names.symbols(object, atom.name)
    const { unit } = change
    const [only] = symbols
    if (only === undefined)
      return fail(
        'no-symbol',
        atom.name,
        unit,
        `${object} has no symbol ${atom.name}`,
        'Check that the kernel is the one the source belongs to',
      )
    if (symbols.length === 1 && !only.crowded) return 0
    const address = symbols.length === 1 ? only.address : locate(names.running(object), change.before, atom)
    const index = symbols.findIndex((symbol) => symbol.address === address)
    if (address === undefined || index < 0)
      return fail(
        'ambiguous-symbol',
        atom.name,
        unit,
        `${object} has ${symbols.length} symbols named ${atom.name}, and its code does not tell which ` +
          `one belongs to ${unit}`,
        'Fix the bug in a function whose name is unique',
      )
    // The patch may be loaded before the module and after it: both times it must mean the same one.
    if (symbols[index]?.whileLoading !== index + 1)
      return fail(
        'ambiguous-symbol',
        atom.name,
        unit,
        `While ${object} is being loaded, it has a further symbol ${atom.name}, and the kernel counts ` +
          'them differently then',
        'Fix the bug in a function whose name is unique',
      )
    return index + 1
  }

  /** False, with a finding, for what the kernel has freed when it had started. */
  const lasts = (object: string, address: bigint | undefined, name: string, unit: string): boolean => {
    if (object !== 'vmlinux' || address === undefined || !names.freed(address)) return true
    fail(
      'freed-after-boot',
      name,
      unit,
      `The patched code of ${unit} uses ${name}, which the kernel freed when it had started`,
      'Do what it does in a function of the patch',
    )
    return false
  }

  return {
    findings,
    recordOf: (atom) => records.get(atom),
    replacement(object, atom, change) {
      const running = names.running(object)
      const symbols = names.symbols(object, atom.name)
      const expected = expectationOf(change.before, atom)
      const results = symbols.map(({ address }) => compare(expected, running, address))
      const fitting = results.filter(({ matches }) => matches).length
      if (symbols.length > 0 && fitting === 0)
        return atom.symbol?.binding === 'weak'
          ? fail(
              'weak-function',
              atom.name,
              change.unit,
              `${atom.name} of ${change.unit} is only a fallback (__weak); the kernel runs another ` +
                'function of this name',
              'Patch the function that overrides it',
            )
          : differs(object, atom, change, results, 'replaced')
      const sympos = position(object, atom, change)
      if (sympos === undefined) return undefined
      const found = results[Math.max(0, sympos - 1)]
      if (found?.matches === true) {
        const own = found.fixed.flatMap((one) => placementBy(one) ?? [])
        if (!own.every((one) => isAgreedOn(object, one.name, change))) return undefined
      }
      const address = symbols[Math.max(0, sympos - 1)]?.address
      if (found?.matches === true && address !== undefined)
        records.set(atom, {
          by: symbols.length === 1 ? 'name' : fitting === 1 ? 'code' : 'surroundings',
          ...(object === 'vmlinux' ? { address: address.toString(16).padStart(16, '0') } : {}),
          fields: found.fixed.length,
          unconfirmed: found.unconfirmed,
          expected: packExpectation(expected),
        })
      return sympos
    },
    bind(reference) {
      const { name, from, unit, definition } = reference
      if (name === patchSymbol && definition === undefined) return { kind: 'own', name }
      const exported = names.exported(name)
      const global = definition === undefined || definition.symbol?.binding !== 'local'
      if (exported !== undefined && global && exported.module === 'vmlinux')
        if (definition === undefined || from === 'vmlinux')
          return { kind: 'exported', name, crc: exported.crc, namespace: exported.namespace }
      if (definition !== undefined) {
        if (definition.symbol?.binding === 'local' && !isAgreedOn(from, definition.name, reference.change))
          return undefined
        const sympos = position(from, definition, reference.change)
        const address = names.symbols(from, name)[Math.max(0, (sympos ?? 0) - 1)]?.address
        return sympos === undefined ||
          !isThere(from, definition, reference.change, sympos) ||
          !lasts(from, address, name, unit)
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
        if (!names.needs(from).includes(exported.module))
          findings.push({
            severity: 'warning',
            rule: 'module-needed',
            symbol: name,
            unit,
            message:
              `The patched code of ${from} uses ${name} of the module ${exported.module}, which ${from} ` +
              `does not load: without it neither the live patch nor ${from} can be loaded`,
            hint: `See to it that ${exported.module} is loaded first, or do without ${name}`,
          })
        return { kind: 'livepatch', object: exported.module, when: from, name, sympos: 0 }
      }
      for (const object of from === 'vmlinux' ? [from] : [from, 'vmlinux']) {
        const symbols = names.symbols(object, name)
        if (symbols.length === 0) continue
        // Another unit's private symbol of this name is not meant.
        const globals = symbols.flatMap((symbol, index) =>
          symbol.type === symbol.type.toUpperCase() ? [{ symbol, position: index + 1 }] : [],
        )
        const [only] = globals
        if (only === undefined) continue
        const { crowded, whileLoading, address } = only.symbol
        if (!lasts(object, address, name, unit)) return undefined
        const sympos =
          symbols.length === 1 && !crowded
            ? 0
            : globals.length === 1 && whileLoading === only.position
              ? only.position
              : undefined
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
