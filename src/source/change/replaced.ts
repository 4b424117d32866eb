// SPDX-License-Identifier: GPL-3.0-or-later
// From the functions whose text changes to those that must be replaced: ftrace redirects a function at its entry,
// so what the compiler put into others, made forms of or gave no entry is replaced with the functions around
// it, up to ones that have a symbol and an entry.

import type { Outline } from '../../c/expanded/outline.ts'
import { coldParent, isColdPart, sourceName } from '../../diff/object/compiler-names.ts'
import { isInitOrExit } from '../../diff/object/init-sections.ts'
import type { Atom, SplitObject } from '../../diff/object/split-object.ts'
import { callersOf, hasEntryHook, notTraceable } from '../../extract/roots.ts'
import type { Finding } from '../../ground/finding.ts'
import { addToSet } from '../../ground/values/grouped.ts'
import type { Inlining } from './ipa-clones.ts'

export interface Replaced {
  /** The function's name in C. */
  readonly name: string
  /** The symbol to replace: the name in C, or another name of the same place, as SYSCALL_DEFINE0 makes them. */
  readonly symbol: string
  /** The first is the plainest. */
  readonly reasons: readonly string[]
}

/** What becomes of the functions that change. */
export interface Replacement {
  /** Ordered by name. */
  readonly replaced: readonly Replaced[]
  /** By the symbol of code that changes and can't be replaced alone: the functions that use it, by their names in C. */
  readonly embedded: ReadonlyMap<string, readonly string[]>
  /** Every function of the source that comes along, replaced or not. */
  readonly reached: ReadonlySet<string>
  readonly findings: readonly Finding[]
}

/** A unit as the kernel has it. */
export interface Unpatched {
  readonly unit: string
  readonly object: SplitObject
  readonly text: Outline
  readonly inlining: Inlining
}

interface Need {
  readonly name: string
  readonly reasons: string[]
}

/** The functions in whose text a name stands. */
function usersInText(text: Outline, name: string): Set<string> {
  const users = text.itemsWith(name).flatMap((item) => text.functionName(item) ?? [])
  return new Set(users.filter((user) => user !== name))
}

/** All atoms of each function of the source, without cold parts. */
function atomsByName(object: SplitObject): Map<string, Set<Atom>> {
  const found = new Map<string, Set<Atom>>()
  for (const atom of object.functions) {
    if (isColdPart(atom.name)) continue
    for (const symbol of namesOf(atom)) addToSet(found, sourceName(symbol), atom)
  }
  return found
}

function namesOf(atom: Atom): string[] {
  return [atom.symbol, ...atom.aliases].flatMap((symbol) => symbol?.name ?? [])
}

function isNamed(atom: Atom, name: string): boolean {
  return namesOf(atom).includes(name)
}

/** What the compiler did to make a form of a function. */
function formOf(symbol: string): string {
  if (symbol.includes('.isra')) return 'takes other arguments than its source says (isra)'
  if (symbol.includes('.constprop')) return 'knows some of its arguments (constprop)'
  if (symbol.includes('.part')) return 'is only a part of it'
  return 'is not called as its source says'
}

/**
 * @param changed the functions whose text changes, with the reasons; those that the unit has no use for are left out
 */
export function functionsToReplace(unpatched: Unpatched, changed: ReadonlyMap<string, readonly string[]>): Replacement {
  const { unit, object, text, inlining } = unpatched
  const atoms = atomsByName(object)
  const needs = new Map<string, Need>()
  const todo: Need[] = []
  const findings: Finding[] = []
  const replaced: Replaced[] = []
  const embedded = new Map<string, readonly string[]>()
  const done = new Set<Atom>()
  const need = (name: string, reason: string) => {
    const known = needs.get(name)
    if (known !== undefined) {
      if (!known.reasons.includes(reason)) known.reasons.push(reason)
      return
    }
    const one = { name, reasons: [reason] }
    needs.set(name, one)
    todo.push(one)
  }
  for (const [name, reasons] of changed) for (const reason of reasons) need(name, reason)
  /** How a function changes, in the words of its own reason. */
  const whatOf = (name: string): string => {
    const reason = changed.get(name)?.[0]
    if (reason === undefined) return ', and with it what changes'
    return reason === 'its body changes' ? ', whose body changes' : ` (${reason})`
  }
  for (const one of todo) {
    const { name } = one
    const own = [...(atoms.get(name) ?? [])]
    const twins = inlining.merged(name)
    for (const container of containersOf(name)) need(container, `the compiler inlined ${name} into it${whatOf(name)}`)
    for (const twin of twins) throughTwin(name, twin)
    if (own.length === 0 && inlining.containers(name).size === 0 && twins.size === 0)
      for (const user of usersInText(text, name)) need(user, `it uses ${name}${whatOf(name)}`)
    for (const atom of own) {
      if (isInitOrExit(atom.section)) continue
      if (isNamed(atom, name) && hasEntryHook({ before: object }, atom)) {
        // Of several names of one place the symbol is the one that is compared and found in the kernel.
        if (!done.has(atom)) replaced.push({ name, symbol: atom.name, reasons: one.reasons })
        done.add(atom)
        for (const twin of twins) redirected(atom, name, twin)
        continue
      }
      const callers = callersOf(object, atom)
      if (callers === undefined) {
        findings.push(notTraceable(name, unit))
        continue
      }
      const users = callers
        .filter(({ section }) => !isInitOrExit(section))
        .map((one) => sourceName(coldParent(one.name)))
      embedded.set(atom.name, users)
      const why = isNamed(atom, name)
        ? `it calls ${name}, which changes and has no ftrace entry of its own`
        : `it calls ${atom.name}, a form of ${name} that ${formOf(atom.name)}, so it can't be replaced alone`
      for (const user of users) need(user, why)
    }
  }
  return {
    replaced: replaced.sort((a, b) => (a.name < b.name ? -1 : 1)),
    embedded,
    reached: new Set([...needs.keys(), ...[...done].flatMap(namesOf)]),
    findings,
  }

  /** The functions that hold this one's code, and not that of another one which was the same. */
  function containersOf(name: string): string[] {
    const containers = [...inlining.containers(name)]
    const twins = inlining.merged(name)
    if (twins.size === 0) return containers
    const users = usersInText(text, name)
    const others = new Set([...twins].flatMap((twin) => [twin, ...usersInText(text, twin)]))
    return containers.filter((container) => users.has(container) || !others.has(container))
  }

  /** Uses of a function that the compiler turned to its twin, which had the same code. */
  function throughTwin(name: string, twin: string): void {
    const users = usersInText(text, name)
    const why = `the compiler took ${twin}, which had the same code, in place of ${name}${whatOf(name)}`
    for (const container of inlining.containers(twin)) if (users.has(container)) need(container, why)
    for (const atom of atoms.get(twin) ?? []) {
      // One atom of code with both names.
      if (isNamed(atom, name)) continue
      for (const user of usersInCode(object, atom)) if (users.has(user)) need(user, why)
    }
  }

  /** Who calls this atom in place of its twin would get the replacement, too. */
  function redirected(atom: Atom, name: string, twin: string): void {
    const users = usersInText(text, name)
    const others = usersInText(text, twin)
    for (const user of usersInCode(object, atom))
      if (!users.has(user) && (user === twin || others.has(user)))
        need(user, `the compiler made it call ${name}, which changes, in place of ${twin}`)
  }
}

/** The functions of the source whose code refers to an atom. */
function usersInCode(object: SplitObject, atom: Atom): Set<string> {
  const users = object.referrers(atom).filter((user) => user.kind === 'function' && user !== atom)
  return new Set(users.map((user) => sourceName(user.name)))
}
