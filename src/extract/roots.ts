// SPDX-License-Identifier: GPL-3.0-or-later
// Which functions of a change are replaced in the running kernel. ftrace redirects a function at its
// entry; a changed function without that hook (notrace, as the kernel's `inline` makes every function
// that is inlined after all) can only come along inside its callers, so these are replaced instead.

import type { FunctionChange } from '../diff/apply-directives.ts'
import type { Change } from '../diff/change.ts'
import { coldParent, isColdPart } from '../diff/object/compiler-names.ts'
import { isInitOrExit } from '../diff/object/init-sections.ts'
import { type Atom, placeOf, type SplitObject } from '../diff/object/split-object.ts'
import type { ElfSymbol } from '../elf/read.ts'
import type { Finding } from '../ground/finding.ts'
import { fentry, hookOf, mayHaveHook } from '../x86/entry.ts'

export interface Roots {
  readonly replaced: readonly FunctionChange[]
  /** Changed, and carried by their callers. */
  readonly embedded: readonly FunctionChange[]
  /** Changed, but neither can be done. */
  readonly refused: readonly FunctionChange[]
}

/**
 * @param judged false when the objects tell nothing about ftrace: then every function may be replaced
 * @param needed false when a function without a hook can be replaced, where that is the only way
 */
export function rootsOf(change: Change, judged = true, needed = true): Roots {
  const { after, correlation } = change
  const replaced: FunctionChange[] = []
  const embedded: FunctionChange[] = []
  const refused: FunctionChange[] = []
  // What ran only while the kernel started is freed: nothing is left that could be replaced.
  const open = change.changed.filter((one) => !isInitOrExit(one.before.section) && !isInitOrExit(one.after.section))
  const seen = new Set(open.map(({ after: atom }) => atom))
  // The list grows while it is gone through.
  for (const one of open) {
    if (!judged || hasEntryHook(change, one.before)) {
      replaced.push(one)
      continue
    }
    const callers = callersOf(after, one.after)
    if (callers === undefined) {
      const list = needed || isUninstrumented(one.before) ? refused : replaced
      list.push(one)
      continue
    }
    embedded.push(one)
    for (const caller of callers) {
      const before = correlation.counterpartOf(caller)
      if (before === undefined || seen.has(caller) || isInitOrExit(caller.section) || isInitOrExit(before.section))
        continue
      seen.add(caller)
      const reason = `it calls ${one.after.name}, which changes and has no ftrace entry of its own`
      open.push({ before, after: caller, reasons: [reason] })
    }
  }
  return { replaced, embedded, refused }
}

/** True for code that may not be interrupted by anything that instruments it: no jump may be written into it. */
export function isUninstrumented({ section: { name } }: Pick<Atom, 'section'>): boolean {
  return /^\.(?:noinstr|entry|irqentry|softirqentry|cpuidle|kprobes)\b/.test(name)
}

/**
 * That a function can't be replaced: one that changes, one whose address is taken as well, or one that a wrapper lists.
 */
export function notTraceable(
  symbol: string,
  unit: string,
  how: 'changed' | 'address-taken' | 'listed' = 'changed',
): Finding & { readonly symbol: string; readonly hint: string } {
  const what = how === 'listed' ? symbol : `${symbol} changes, but it`
  const why = how === 'address-taken' ? ', and its address is taken,' : ' (notrace, noinstr or the like),'
  return {
    severity: 'error',
    rule: 'not-traceable',
    symbol,
    unit,
    message: `${what} has no ftrace entry${why} so it can't be replaced`,
    hint:
      `${how === 'listed' ? 'Replace its callers instead' : 'Fix the bug in its callers instead'}; or, if it is not ` +
      'noinstr, take --model kpatch or hybrid, which need no such entry',
  }
}

/** True when the function begins with ftrace's hook: a call of __fentry__, behind ENDBR at the most. */
export function hasEntryHook({ before }: Pick<Change, 'before'>, atom: Atom): boolean {
  const isEntry = (place: number) => mayHaveHook(atom.symbol?.value ?? atom.start, place)
  return (
    before.relocations(atom).some(({ symbol, offset }) => isFentry(symbol) && isEntry(hookOf(offset))) ||
    // The call may be a nop already, which a table remembers.
    before.tableEntries(atom).some((entry) => entry.table.name === '__mcount_loc' && isEntry(placeOf(entry)))
  )
}

/** True when an object was compiled with ftrace's hooks, so that a function without one can be told. */
export function isTraced({ object }: SplitObject): boolean {
  return object.symbols.some(isFentry) || object.sections.some(({ name }) => name === '__mcount_loc')
}

function isFentry({ name }: ElfSymbol): boolean {
  return name === fentry
}

/** The functions that refer to a private function; undefined when others may call it, or data point to it. */
export function callersOf(split: SplitObject, callee: Atom): Atom[] | undefined {
  const names = [callee.symbol, ...callee.aliases]
  if (names.some((symbol) => symbol === undefined || symbol.binding !== 'local')) return undefined
  const callers = new Set<Atom>()
  for (const atom of split.referrers(callee)) {
    if (atom === callee || (isColdPart(atom.name) && coldParent(atom.name) === callee.name)) continue
    if (atom.kind !== 'function') return undefined
    if (!isColdPart(atom.name)) callers.add(atom)
    else {
      const parent = split.functions.find((candidate) => candidate.name === coldParent(atom.name))
      if (parent === undefined) return undefined
      callers.add(parent)
    }
  }
  return [...callers]
}
