// SPDX-License-Identifier: GPL-3.0-or-later
// What a patch changes in one unit, seen from its source: the functions whose tokens differ, those into which the
// compiler put them, up to ones that can be replaced; and what is to be said about data, types and the rest.

import type { IpaDump } from '../../build/compiler/ipa-dump.ts'
import type { Change } from '../../diff/change.ts'
import { sourceName } from '../../diff/object/compiler-names.ts'
import { isInitOrExit } from '../../diff/object/init-sections.ts'
import type { Atom, SplitObject } from '../../diff/object/split-object.ts'
import type { Finding } from '../../ground/finding.ts'
import { addOnce } from '../../ground/values/grouped.ts'
import type { FileChange } from '../../patch/patch.ts'
import { compareTexts, type TextChange } from './changed-items.ts'
import { dataFindings, otherFindings } from './data-change.ts'
import { type Inlining, readInlining } from './ipa-clones.ts'
import { functionsToReplace, type Replaced, type Replacement } from './replaced.ts'

/** What a patch changes in one unit, seen from its source. */
export interface SourceChange {
  /** The source's path. */
  readonly unit: string
  /** The kernel object that the unit is part of: `vmlinux` or a module's name. */
  readonly object: string
  /** The functions to replace, ordered by name. */
  readonly functions: readonly Replaced[]
  /**
   * By the symbol of code that changes and can't be replaced alone, such as `foo.isra.0`: the functions that use it,
   * which are replaced in its place, by their names in C.
   */
  readonly embedded: ReadonlyMap<string, readonly string[]>
  /** The functions whose own text changes, those of headers that the unit uses among them. */
  readonly changed: readonly string[]
  readonly added: readonly string[]
  /** Variables; `function.variable` for one inside a function. */
  readonly data: readonly { readonly name: string; readonly change: 'added' | 'changed' | 'removed' }[]
  readonly findings: readonly Finding[]
  /** Both objects compared, for whoever binds names of the unit. */
  readonly compared: Change
  /** What the compiler put into which function of the unit before the patch. */
  readonly inlining: Inlining
}

/** One unit on both sides of the patch. */
export interface BothSides {
  readonly unit: string
  readonly object: string
  /** Behind the preprocessor, with line markers, and without numbers that move (`__LINE__`, `__COUNTER__`). */
  readonly before: string
  readonly after: string
  /** What the compiler says about the unit before the patch. */
  readonly dump: IpaDump
  readonly compared: Change
}

/** @param changes from `applyPatches`: every file that the patch changes */
export function sourceChangeOf(sides: BothSides, changes: readonly FileChange[]): SourceChange {
  const { unit, object, compared } = sides
  const text = compareTexts(sides.before, sides.after, changes)
  const changed = text === undefined ? new Map<string, string[]>() : changedFunctions(text, compared)
  const findings: Finding[] = []
  if (text !== undefined) {
    findings.push(...dataFindings(unit, text, compared), ...otherFindings(unit, text))
    for (const one of text.transient) {
      if (!changed.has(one) && !text.added.includes(one)) continue
      changed.delete(one)
      // What the objects tell may be milder.
      const isNoted = compared.findings.some(
        ({ rule, severity, symbol }) => rule === 'init-code' && severity === 'note' && symbol === one,
      )
      if (!isNoted && !isIgnored(compared, one)) findings.push(initCode(unit, one))
    }
  }
  const outcome = text === undefined ? undefined : replacementOf(sides, text, changed)
  findings.push(
    ...(outcome?.findings ?? []),
    ...onlyCompiled(compared, outcome?.reached ?? new Set()).map((one) => compiledNote(unit, one)),
  )
  const said = new Set(findings.map(({ rule, symbol }) => `${rule} ${symbol}`))
  findings.push(
    ...compared.findings.filter(({ rule, symbol }) =>
      namesBeside(compared, symbol).every((name) => !said.has(`${rule} ${name}`)),
    ),
  )
  return {
    unit,
    object,
    functions: outcome?.replaced ?? [],
    embedded: outcome?.embedded ?? new Map(),
    changed: [...changed.keys()].sort(),
    added: text?.added ?? [],
    data: text?.data.map(({ name, change }) => ({ name, change })) ?? [],
    findings,
    compared,
    inlining: readInlining(sides.dump),
  }
}

/** What must be replaced, with the functions whose running code holds only as long as the others stay. */
function replacementOf(
  { unit, compared, dump }: BothSides,
  { before: text }: TextChange,
  changed: ReadonlyMap<string, readonly string[]>,
): Replacement {
  const unpatched = { unit, object: compared.before, text, inlining: readInlining(dump) }
  const all = new Map(changed)
  for (;;) {
    const outcome = functionsToReplace(unpatched, all)
    const more = onlyCompiled(compared, outcome.reached).filter(({ before, matters }) => {
      const name = sourceName(before.name)
      return matters && !all.has(name) && !isIgnored(compared, name)
    })
    if (more.length === 0) return outcome
    for (const { before, why } of more) all.set(sourceName(before.name), [why])
  }
}

/** What a finding of the objects is about, by all names of the place: `init_module` is the module's own function. */
function namesBeside({ after }: Change, symbol: string | undefined): (string | undefined)[] {
  const atom = after.functions.find(({ name }) => name === symbol)
  return [symbol, ...(atom?.aliases.map(({ name }) => name) ?? [])]
}

function isIgnored({ directives: { ignored } }: Change, name: string): boolean {
  return ignored.functions.has(name)
}

/**
 * The functions that change, with why: by their own text, by a type, a constant or a copy that they use, or by the
 * author's will.
 */
function changedFunctions(text: TextChange, compared: Change): Map<string, string[]> {
  const { directives, before, after, changed, copied } = compared
  const found = new Map<string, string[]>()
  const add = (name: string, reason: string) => {
    if (!isIgnored(compared, name)) addOnce(found, name, reason)
  }
  const usersOf = (word: string) => text.before.itemsWith(word).flatMap((item) => text.before.functionName(item) ?? [])
  const isDatum = (name: string) => before.data.some((atom) => atom.name === name)
  for (const [name, reasons] of text.functions) for (const reason of reasons) add(name, reason)
  for (const { name, change } of text.data)
    if (change === 'changed' && !name.includes('.') && !isDatum(name))
      for (const user of usersOf(name)) add(user, `it uses the constant ${name}, which changes`)
  for (const { name } of copied)
    for (const user of usersOf(sourceName(name)))
      add(user, `it uses ${name}, of which the live patch has a copy of its own`)
  // What a changed type means for a function only the compiler knows.
  const code = new Set(changed.map(({ before: atom }) => sourceName(atom.name)))
  for (const { title, words } of text.declarations)
    for (const word of words)
      for (const user of usersOf(word))
        if (code.has(user) && !text.functions.has(user)) add(user, `it uses ${title}, whose declaration changes`)
  for (const name of directives.included.functions) add(name, 'the patch asks for it')
  for (const atom of after.functions)
    if (directives.included.sections.has(atom.section.name)) add(sourceName(atom.name), 'the patch asks for it')
  return found
}

function initCode(unit: string, symbol: string): Finding {
  return {
    severity: 'error',
    rule: 'init-code',
    symbol,
    unit,
    message: `${symbol} runs only while the kernel or the module starts or ends, so replacing it has no effect`,
    hint:
      'Do what it should have done in a callback (INARCH_PRE_PATCH), and leave this part out ' +
      '(INARCH_IGNORE_FUNCTION)',
  }
}

/** A function whose code differs although it and what it contained before the patch say the same. */
interface OnlyCompiled {
  readonly before: Atom
  /** How the compiler came to it. */
  readonly why: string
  /** True when the running code can't stay: it holds for the calls, or the callees, that there were. */
  readonly matters: boolean
}

function onlyCompiled(compared: Change, reached: ReadonlySet<string>): OnlyCompiled[] {
  const { changed, before: old, after: young } = compared
  const callers = new Map<string, string>()
  for (const atom of young.functions) {
    const caller = sourceName(atom.name)
    if (reached.has(caller)) for (const callee of calledBy(young, atom)) callers.set(callee, caller)
  }
  return changed.flatMap(({ before, after, reasons }): OnlyCompiled[] => {
    const name = sourceName(before.name)
    if (reached.has(name) || isInitOrExit(before.section)) return []
    const calls = calledBy(young, after)
    const called = [...calledBy(old, before)].filter((one) => reached.has(one))
    const inside = called.find((one) => !calls.has(one))
    if (inside !== undefined)
      return [
        {
          before,
          why: `as it inlines ${inside}; before the patch it calls it, so it need not be replaced`,
          matters: false,
        },
      ]
    const caller = before.symbol?.binding === 'local' ? callers.get(name) : undefined
    if (caller !== undefined)
      return [
        {
          before,
          why: `the compiler made its code for the calls that there were, and ${caller} calls it otherwise`,
          matters: true,
        },
      ]
    const [callee] = called
    if (callee !== undefined)
      return [{ before, why: `the compiler relied on what ${callee} did before the patch`, matters: true }]
    return [{ before, why: `although its source is the same: ${reasons[0] ?? ''}`, matters: false }]
  })
}

function compiledNote(unit: string, { before, why }: OnlyCompiled): Finding {
  return {
    severity: 'note',
    rule: 'same-source-other-code',
    symbol: before.name,
    unit,
    message: `The compiler makes other code of ${before.name} with the patch, ${why}`,
    hint: 'Build with --engine both to see what the other engine makes of it',
  }
}

/** The functions of the source to which an atom refers. */
function calledBy(object: SplitObject, atom: Atom): Set<string> {
  const names = object.relocations(atom).flatMap((relocation) => {
    const target = object.target(atom.section, relocation)
    return target.kind === 'atom' && target.atom.kind === 'function' ? [sourceName(target.atom.name)] : []
  })
  return new Set(names)
}
