// SPDX-License-Identifier: GPL-3.0-or-later
// Functions and tables that the patch stores or passes in place of others: as a timer's callback, a work item's
// function, an object's operations. What old code has set up keeps the old one. (Where the function is the same and
// only its code changes there is no danger: the kernel redirects it at its entry.)
import type { Atom, SplitObject } from '../../../diff/object/split-object.ts'
import { listed } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import type { KernelNames } from '../../../match/names.ts'
import { loadsAddress } from '../../../x86/address-taking.ts'
import { escapingDataIn } from '../../semantics/memory/escaping-data.ts'
import { changedFunctionsOf } from '../../subject/changed-functions.ts'
import { type Found, warning } from '../../subject/rule.ts'
import type { StudiedUnit, Subject } from '../../subject/subject.ts'
import { isOnlyCalledSynchronously } from '../../subject/synchronous-callbacks.ts'

/** What a function refers to otherwise than by calling it: functions, and tables of functions. */
export function addressesTaken(
  names: Pick<KernelNames, 'symbols' | 'exported'>,
  split: SplitObject,
  atom: Atom,
  object: string,
): Map<string, Atom | undefined> {
  const found = new Map<string, Atom | undefined>()
  for (const relocation of split.relocations(atom)) {
    const instruction = split.instructionAt(atom.section, relocation.offset)
    if (instruction === undefined || instruction.branch === relocation.offset) continue
    const target = split.target(atom.section, relocation)
    if (target.kind === 'external') {
      // Another unit's symbol is a global one, and the module's own goes before the kernel's.
      const { module = 'vmlinux' } = names.exported(target.name) ?? {}
      const symbols = [object, module, 'vmlinux'].flatMap((one) => names.symbols(one, target.name))
      const symbol = symbols.find(({ type }) => /[A-Z]/.test(type)) ?? symbols[0]
      if (symbol !== undefined && /^[tw]$/i.test(symbol.type)) found.set(target.name, undefined)
    } else if (target.kind === 'atom' && target.atom !== atom) {
      const { atom: other } = target
      const isTable = other.kind === 'data' && holdsFunctions(split, other)
      if (other.kind === 'function' || (isTable && loadsAddress(instruction, relocation.offset)))
        found.set(other.name, other)
    }
  }
  return found
}

/** True for a table of operations. */
function holdsFunctions(split: SplitObject, atom: Atom): boolean {
  return split.relocations(atom).some((relocation) => {
    const target = split.target(atom.section, relocation)
    return target.kind === 'atom' && target.atom.kind === 'function'
  })
}

/** The functions and tables whose addresses one function no longer stores or passes, and those it now does. */
interface Exchange {
  readonly name: string
  readonly gone: readonly string[]
  readonly come: readonly string[]
  /** Those of `come` that are new tables. */
  readonly tables: readonly string[]
}

function exchangesIn(subject: Subject, { change, object }: StudiedUnit): Exchange[] {
  const { all } = changedFunctionsOf(subject)
  const added = new Set(change.addedData)
  return change.changed.map(({ before, after }) => {
    const old = addressesTaken(subject.names, change.before, before, object)
    const young = addressesTaken(subject.names, change.after, after, object)
    const text = all.find(({ name }) => name === after.name)
    const gone = [...old.keys()].filter((name) => !young.has(name) && !isOnlyCalledSynchronously(text?.before, name))
    const come = [...young.keys()].filter((name) => !old.has(name) && !isOnlyCalledSynchronously(text?.after, name))
    const tables = come.filter((name) => {
      const atom = young.get(name)
      return atom !== undefined && added.has(atom)
    })
    return { name: after.name, gone, come, tables }
  })
}

function pointerFindings(subject: Subject, studied: StudiedUnit): Found[] {
  const isSwap = ({ gone, come }: Exchange) => gone.length > 0 && come.length > 0
  const all = exchangesIn(subject, studied).filter((one) => isSwap(one) || one.tables.length > 0)
  const groups = grouped(all, (one) => (isSwap(one) ? `${one.gone} ${one.come}` : `${one.tables}`))
  return [...groups.values()].map((group): Found => {
    const [{ gone, come, tables }] = group as [Exchange]
    const names = group.map(({ name }) => name)
    const does = group.length === 1 ? 'stores or passes' : 'store or pass'
    const [lost, won] = [listed(gone), listed(come)]
    const place = { symbol: names[0]!, unit: studied.change.unit, functions: [...names, ...gone, ...come] }
    if (isSwap(group[0]!))
      return {
        ...place,
        message:
          `${listed(names)} ${does} ${won} in place of ${lost}; what the old code has set up still ` +
          `leads to ${lost}`,
      }
    return {
      ...place,
      message:
        `${listed(names)} ${does} the address of the new table ${listed(tables)}, which is part of ` +
        'the live patch; after unload it dangles',
      hint: 'Undo in a callback (INARCH_PRE_UNPATCH) what the patched code has set up, or never unload the live patch',
    }
  })
}

/** Objects that the live patch brings, and what keeps them. */
function keptFindings({ change }: StudiedUnit): Found[] {
  const added = new Set(change.addedData)
  const told = new Set<string>()
  return [...change.changed.map(({ after }) => after), ...change.added].flatMap((one) =>
    escapingDataIn(change.after, one, (datum) => added.has(datum)).flatMap(({ datum, by }): Found | [] => {
      // What holds functions is told as a table.
      const key = `${datum.name} ${by ?? ''}`
      if (told.has(key) || holdsFunctions(change.after, datum)) return []
      told.add(key)
      const how = by === undefined ? 'through a pointer to what may keep it' : `to ${by}, which keeps it`
      return {
        symbol: one.name,
        unit: change.unit,
        message:
          `${one.name} passes the address of ${datum.name}, which is part of the live patch, ${how}; ` +
          'after unload it dangles',
        hint:
          'Keep such an object in memory that is allocated, undo in a callback (INARCH_PRE_UNPATCH) ' +
          'what keeps it, or never unload the live patch',
      }
    }),
  )
}

export const livePointer = warning(
  'live-pointer',
  'A callback, or a table of operations, that a changed function stores or passes in place of another ' +
    'one: to a timer, a work item, an object; and an object of the live patch itself, such as a wait ' +
    'queue, whose address is passed to code that keeps it',
  'Timers, work items and objects that the old code has set up keep the old one; both kinds are in ' +
    'the kernel until the last of them is gone',
  'Change the callback that is set already instead of setting another one, or let both understand the ' +
    'same objects',
  [
    'kernel/livepatch/patch.c: klp_ftrace_handler',
    'kernel/time/timer.c: call_timer_fn',
    'kernel/workqueue.c: worker->current_func = work->func',
  ],
  (subject) => subject.units.flatMap((studied) => [...pointerFindings(subject, studied), ...keptFindings(studied)]),
)
