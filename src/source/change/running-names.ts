// SPDX-License-Identifier: GPL-3.0-or-later
// Which symbol of the running kernel a C name of a unit stands for. The unit's object, compiled as the kernel's own
// was, says what became of a name: it has a symbol of its own, the compiler numbered it, or it is gone, because all
// that used it inlined it.

import { isColdPart, sourceName, stem } from '../../diff/object/compiler-names.ts'
import { type Atom, type SplitObject, splitObject } from '../../diff/object/split-object.ts'
import type { ObjectFile } from '../../elf/read.ts'
import { grouped } from '../../ground/values/grouped.ts'
import type { RunningSymbol, SourceRequest } from '../view/request.ts'
import type { Inlining } from './ipa-clones.ts'

export interface RunningUnit {
  /** `vmlinux`, or the module that holds the unit. */
  readonly object: string
  /** The unit as it runs: compiled with one section for each function and datum. */
  readonly code: ObjectFile
  /** How many symbols of this name the kernel object has. */
  readonly count: (symbol: string) => number
  /** Which of several symbols an atom of the unit is, from 1; undefined when that can't be told. */
  readonly positionOf?: (unit: SplitObject, atom: Atom) => number | undefined
  /** The symbol that a variable of the patched source has in the unit as it runs, where that is known. */
  readonly kept?: (name: string) => string | undefined
  /** Functions that are extracted, and what the compiler put into which. */
  readonly extracted?: { readonly names: readonly string[]; readonly inlining: Inlining }
}

/**
 * Answers what an extraction asks about the running kernel. A function that the compiler put into the extracted ones,
 * though it has a symbol for others' sake, is copied like one that has none: then the extract is the same code as the
 * unit's.
 * @returns what answers undefined for a name that the kernel has no symbol of, or none that can be told apart from
 * others
 */
export function runningNames(unit: RunningUnit): Pick<SourceRequest, 'externalize' | 'inlining'> {
  const atoms = splitObject(unit.code)
  const functions = byName(atoms.functions)
  const data = byName(atoms.data)
  const numbered = grouped(
    atoms.data.filter(({ name }) => stem(name) !== name),
    ({ name }) => stem(name),
  )
  let used: ReadonlySet<string> | undefined

  const bind = (atom: Atom | undefined, symbol = atom?.name): RunningSymbol | undefined => {
    if (atom === undefined || symbol === undefined) return undefined
    const count = unit.count(symbol)
    if (count === 0) return undefined
    if (count === 1) return { object: unit.object, symbol }
    const position = unit.positionOf?.(atoms, atom)
    return position === undefined ? undefined : { object: unit.object, symbol, position }
  }

  return {
    externalize(name, kind, _isInline, label = name) {
      if (kind === 'function') return isInlined(name) ? undefined : bind(functions.get(label), label)
      const kept = unit.kept?.(name)
      if (kept !== undefined) return bind(data.get(kept), kept)
      const dot = name.indexOf('.')
      if (dot < 0) return bind(data.get(label), label)
      // clang puts the function in front, gcc a number behind.
      return bind(data.get(name) ?? staticLocal(name.slice(0, dot), name.slice(dot + 1)))
    },
    inlining(name) {
      if (isInlined(name)) return 'inline'
      return isCloned(name) ? 'noinline' : undefined
    },
  }

  /** True when the extracted functions call a form of it with other parameters. */
  function isCloned(name: string): boolean {
    if (unit.extracted === undefined || functions.has(name)) return false
    used ??= usedBy(atoms, unit.extracted.names)
    return [...used].some((one) => sourceName(one) === name && !/\.part\.\d/.test(one) && !isColdPart(one))
  }

  function isInlined(name: string): boolean {
    if (unit.extracted === undefined || !isPutInto(name, unit.extracted)) return false
    used ??= usedBy(atoms, unit.extracted.names)
    return !used.has(name)
  }

  /** The static local of a function; undefined when there are several of its name and the code does not tell which. */
  function staticLocal(owner: string, variable: string): Atom | undefined {
    const candidates = numbered.get(variable) ?? []
    // What the compiler put a function into uses its variables, too.
    const owners = new Set([owner])
    for (const one of owners)
      for (const container of unit.extracted?.inlining.containers(one) ?? []) owners.add(container)
    const codeUsing = (candidate: Atom) => atoms.referrers(candidate).filter(({ kind }) => kind === 'function')
    const used = candidates.filter((candidate) => codeUsing(candidate).some((atom) => isCalled(atom, owners)))
    // Only a table may refer to it, such as that of a static key's branches.
    const [only] = candidates
    if (candidates.length === 1 && codeUsing(only!).length === 0) return only
    return used.length === 1 ? used[0] : undefined
  }
}

/** Whether a function, or a form of it, has one of some names; SYSCALL_DEFINE0 gives it several. */
function isCalled({ name, aliases }: Atom, names: ReadonlySet<string>): boolean {
  return [name, ...aliases.map((one) => one.name)].some((one) => names.has(sourceName(one)))
}

function byName(atoms: readonly Atom[]): ReadonlyMap<string, Atom> {
  const found = new Map<string, Atom>()
  for (const atom of atoms) {
    if (isColdPart(atom.name)) continue
    for (const symbol of [atom.symbol, ...atom.aliases])
      if (symbol !== undefined && !found.has(symbol.name)) found.set(symbol.name, atom)
  }
  return found
}

/** True when the compiler put a function into one of some, straight or with what it put it into before. */
function isPutInto(name: string, { names, inlining }: NonNullable<RunningUnit['extracted']>): boolean {
  const seen = new Set([name])
  for (const one of seen) for (const container of inlining.containers(one)) seen.add(container)
  seen.delete(name)
  return names.some((extracted) => seen.has(extracted))
}

/** The names that the code of some functions refers to, with that of their parts and clones. */
function usedBy(unit: SplitObject, names: readonly string[]): ReadonlySet<string> {
  const wanted = new Set(names)
  const used = new Set<string>()
  const parts = new Set(unit.functions.filter((atom) => isCalled(atom, wanted)))
  for (const part of parts)
    for (const relocation of unit.relocations(part)) {
      const target = unit.target(part.section, relocation)
      if (target.kind === 'external') used.add(target.name)
      if (target.kind !== 'atom') continue
      for (const symbol of [target.atom.symbol, ...target.atom.aliases]) if (symbol !== undefined) used.add(symbol.name)
      if (target.atom.kind === 'function' && target.atom.name.includes('.')) parts.add(target.atom)
    }
  return used
}
