// SPDX-License-Identifier: GPL-3.0-or-later
// What an extraction asks about the running kernel, and what it asks about one unit that is extracted: plain facts,
// which nothing that is carried changes.
import type { Change } from '../diff/change.ts'
import { coldParent } from '../diff/object/compiler-names.ts'
import { isInitOrExit } from '../diff/object/init-sections.ts'
import type { Atom } from '../diff/object/split-object.ts'
import { grouped } from '../ground/values/grouped.ts'
import { lazy } from '../ground/values/remembered.ts'
import type { Reference } from './object-builder.ts'
import type { Roots } from './roots.ts'

/** What the extraction must know about the kernel. */
export interface KernelLookup {
  /** True when the kernel object has a symbol of this name, exported or not. */
  has(object: string, name: string): boolean
  /** True when it has only one; without it, when it has one. */
  isOnly?(object: string, name: string): boolean
  /** False when the objects tell nothing about ftrace: then every function may be replaced. */
  readonly judgesHooks?: boolean
  /** False when a function can be replaced without a hook. */
  readonly needsHooks?: boolean
}

/** One changed unit and the kernel object (`vmlinux` or a module) that it is part of. */
export interface UnitChange {
  readonly change: Change
  readonly object: string
}

/** A global definition of one of the changed units, for the others. */
export interface GlobalDefinition extends UnitChange {
  readonly atom: Atom
}

/** Why the patch is refused. */
export interface Refusal {
  readonly rule: string
  readonly symbol: string
  readonly message: string
  readonly hint: string
}

export type Refuse = (rule: string, symbol: string, message: string, hint?: string) => void

/** Global definitions of all changed units, by name. */
export function globalDefinitions(units: readonly UnitChange[]): ReadonlyMap<string, GlobalDefinition> {
  const found = new Map<string, GlobalDefinition>()
  for (const { change, object } of units)
    for (const atom of change.after.atoms)
      for (const symbol of [atom.symbol, ...atom.aliases])
        if (symbol !== undefined && symbol.binding !== 'local') found.set(symbol.name, { atom, object, change })
  return found
}

/** What the running kernel has of an atom; undefined also for what it has freed. */
export function livingCounterpart({ correlation }: Change, atom: Atom): Atom | undefined {
  const counterpart = correlation.counterpartOf(atom)
  return counterpart === undefined || isInitOrExit(counterpart.section) ? undefined : counterpart
}

/** The facts about one unit. */
export class UnitLookup {
  readonly change: Change
  readonly object: string
  /** Functions after the patch that are replaced, or come along inside their callers. */
  readonly changed: ReadonlySet<Atom>
  readonly embedded: ReadonlySet<Atom>
  readonly added: ReadonlySet<Atom>
  private readonly families = lazy(() => grouped(this.change.after.functions, familyName))

  constructor(
    private readonly kernel: KernelLookup,
    { change, object }: UnitChange,
    roots: Roots,
    readonly definitions: ReadonlyMap<string, GlobalDefinition>,
  ) {
    this.change = change
    this.object = object
    this.changed = new Set([...roots.replaced, ...roots.embedded].map(({ after }) => after))
    this.embedded = new Set(roots.embedded.map(({ after }) => after))
    this.added = new Set(change.added)
  }

  /** True when the unit's kernel object has a symbol of this name. */
  hasSymbol(name: string): boolean {
    return this.kernel.has(this.object, name)
  }

  /** True for a constant of which the running kernel's own copy is meant, since it is known which that is. */
  isKept(atom: Atom): boolean {
    const { correlation, keptTables, keptConstants } = this.change
    const name = correlation.counterpartOf(atom)?.name
    if (name === undefined || !this.hasSymbol(name)) return false
    const isOnly = () => this.kernel.isOnly?.(this.object, name) ?? true
    return keptTables.has(atom) || (keptConstants.has(atom) && isOnly())
  }

  /** Something of the running kernel, as the unit means it. */
  reference(name: string, definition: Atom | undefined, needed = true): Reference {
    const { change, object } = this
    return { name, from: object, unit: change.unit, definition, change, needed }
  }

  /** A function of the unit with its cold parts, of any of them. */
  family(atom: Atom): readonly Atom[] {
    return this.families().get(familyName(atom)) ?? []
  }
}

function familyName({ name, file }: Atom): string {
  return `${file} ${coldParent(name)}`
}
