// SPDX-License-Identifier: GPL-3.0-or-later
// Whether anything that the patch changes is missing from the module. A function of the patched object is accounted for
// when it is what the compiler made before, when its code is what the kernel runs, when it is replaced, when the module
// carries it and nobody else calls the kernel's, or when the build said something about it.
import type { Finding } from '../ground/finding.ts'
import type { Names } from '../match/names.ts'
import type { Complain } from './complaint.ts'
import { counterparts } from './counterparts.ts'
import { isDiagnostic } from './identity.ts'
import { type Extent, isFreed, isFunction, isWritable } from './object-view.ts'
import type { Carried } from './translation.ts'
import type { Side, UnitView } from './unit.ts'

/**
 * What the build may say about a part that is not in the module: the author leaves it out, or its bytes differ and what it
 * does not. Whatever else is said about a function, the function must be there.
 */
const leavesOut: ReadonlySet<string> = new Set(['ignored', 'line-numbers', 'same-source-other-code'])

/** What the compiler puts aside of a function, since it seldom runs. */
const cold = /\.cold(\.\d+)?$/

export function checkCompleteness(
  running: Names,
  units: readonly UnitView[],
  carried: Carried,
  isReplaced: (unit: UnitView, name: string) => boolean,
  told: readonly Finding[],
  complain: Complain,
): void {
  const left = told.filter(({ rule }) => leavesOut.has(rule))
  for (const unit of units) {
    const { before, after } = unit
    const brought = carried.get(unit) ?? new Set<string>()
    const comes = (name: string) => brought.has(name) || isReplaced(unit, name)
    const pairs = counterparts(
      before,
      after,
      (extent) => !after.view.namesOf(extent).some((name) => comes(name.replace(cold, ''))),
    )
    /** A private function whose callers come with the module, or are only inside of what comes, and so have their own of it. */
    const isOnlyInside = (name: string, seen = new Set([name])): boolean => {
      const extent = after.view.named.find(({ symbol }) => symbol?.name === name)
      const users = [...after.users(name)].map((user) => user.replace(cold, ''))
      if (extent?.symbol?.binding !== 'local' || !isFunction(extent) || users.length === 0) return false
      return users.every((user) => {
        if (seen.has(user) || comes(user)) return true
        seen.add(user)
        return isOnlyInside(user, seen)
      })
    }
    const isLeftOut = (name: string) =>
      left.some((one) => one.symbol === name && (one.unit === undefined || one.unit === unit.unit))
    for (const extent of after.view.named) {
      const part = extent.symbol?.name ?? ''
      const old = pairs.of(extent)
      if (old === undefined && isOfAnotherFile(unit, extent, running))
        complain(
          'audit-missing',
          part,
          `${part} is new in ${unit.unit}, and the kernel has it from another file, which goes on with its own`,
          unit.unit,
        )
      if (old === undefined || isFreed(extent.section) || isFreed(old.section)) continue
      if (pairs.isAsBefore(extent)) continue
      // The cold part of a function comes and stays with it.
      const parent = part.replace(cold, '')
      const whole =
        (parent === part ? undefined : after.view.named.find(({ symbol }) => symbol?.name === parent)) ??
        extent
      const name = whole.symbol?.name ?? ''
      const names = after.view.namesOf(whole)
      if ([...names, extent.section.name].some(isLeftOut)) continue
      if (isFunction(whole)) {
        if (names.some((one) => isReplaced(unit, one))) continue
        if (after.finder.find(name).length > 0) continue
        if (!brought.has(name)) {
          if (isUsed(after, whole) && !isOnlyInside(name))
            complain('audit-missing', name, `${name} changes, and the module does not have it`, unit.unit)
          continue
        }
        const others = [...after.users(name)].filter((user) => !brought.has(user) && !isInit(after, user))
        const open = whole.symbol?.binding !== 'local'
        if (open || others.length > 0)
          complain(
            'audit-missing',
            name,
            `${name} changes, and the module has it without replacing it: ${others[0] ?? 'other files'} would go on with the old one`,
            unit.unit,
          )
      } else if (isNamedDatum(extent) && !brought.has(name) && !isDiagnostic(extent))
        complain(
          'audit-missing',
          name,
          `The value of ${name} changes, and the running kernel keeps its own`,
          unit.unit,
        )
    }
  }
}

/** A global function or variable that is new in its unit, and that the kernel has by the same name. */
function isOfAnotherFile({ object, before }: UnitView, { symbol, section }: Extent, names: Names): boolean {
  if (symbol === undefined || symbol.binding === 'local' || isFreed(section)) return false
  if (before.view.object.symbols.some((one) => one.name === symbol.name && one.section !== undefined))
    return false
  return names.symbols(object, symbol.name).some(({ type }) => type !== type.toLowerCase())
}

/** Anybody could call it, or something of the unit does. */
function isUsed(after: Side, { symbol }: Extent): boolean {
  return symbol?.binding !== 'local' || after.users(symbol.name).size > 0
}

function isInit({ view }: Side, name: string): boolean {
  return view.named.some(({ symbol, section }) => symbol?.name === name && isFreed(section))
}

/** Ordinary data with a name of the source, of which the kernel goes on using its own. */
function isNamedDatum({ section, symbol }: Extent): boolean {
  return (
    /^\.(data|bss|rodata)\b/.test(section.name) &&
    (isWritable(section) || !(symbol?.name ?? '.').includes('.'))
  )
}
