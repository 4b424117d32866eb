// SPDX-License-Identifier: GPL-3.0-or-later
// Whether anything that the patch changes is missing from the module. A function of the patched object is accounted for
// when it is what the compiler made before, when its code is what the kernel runs, when it is replaced, when the module
// carries it and nobody else calls the kernel's, or when the build said something about it.
import { isWritable } from '../elf/format.ts'
import type { Finding } from '../ground/finding.ts'
import type { KernelNames } from '../match/names.ts'
import { counterparts } from './counterparts.ts'
import { isDiagnostic } from './identity.ts'
import type { Inspection } from './inspection.ts'
import { isFreed, isFunction, type Named } from './object-view.ts'
import type { Carried } from './translation.ts'
import type { UnitView } from './unit.ts'

/**
 * What the build may say about a part that is not in the module: the author leaves it out, or its bytes differ and what
 * it does not. Whatever else is said about a function, the function must be there.
 */
const leavesOut: ReadonlySet<string> = new Set(['ignored', 'line-numbers', 'same-source-other-code'])

/** What the compiler puts aside of a function, since it seldom runs. */
const cold = /\.cold(\.\d+)?$/

export function checkCompleteness(
  { names, complain }: Pick<Inspection, 'names' | 'complain'>,
  units: readonly UnitView[],
  carried: Carried,
  isReplaced: (unit: UnitView, name: string) => boolean,
  told: readonly Finding[],
): void {
  const left = told.filter(({ rule }) => leavesOut.has(rule))
  for (const unit of units) {
    const { before, after } = unit
    const { view } = after
    const brought = carried.get(unit) ?? new Set<string>()
    const comes = (name: string) => brought.has(name) || isReplaced(unit, name)
    const pairs = counterparts(
      before,
      after,
      (extent) => !view.namesOf(extent).some((name) => comes(name.replace(cold, ''))),
    )
    /**
     * A private function whose callers come with the module, or are only inside of what comes, and so have their own of
     * it.
     */
    const isOnlyInside = (name: string, seen = new Set([name])): boolean => {
      const [extent] = view.called(name)
      const users = [...after.users(name)].map((user) => user.replace(cold, ''))
      if (extent?.symbol.binding !== 'local' || !isFunction(extent) || users.length === 0) return false
      return users.every((user) => {
        if (seen.has(user) || comes(user)) return true
        seen.add(user)
        return isOnlyInside(user, seen)
      })
    }
    const isLeftOut = (name: string) =>
      left.some((one) => one.symbol === name && (one.unit === undefined || one.unit === unit.unit))
    for (const extent of view.named) {
      const part = extent.name
      const old = pairs.of(extent)
      // The cold part of a function comes and stays with it.
      const whole = (cold.test(part) ? view.called(part.replace(cold, ''))[0] : undefined) ?? extent
      const { name } = whole
      const missing = (symbol: string, message: string) => complain('audit-missing', symbol, message, unit.unit)
      if (old === undefined && isOfAnotherFile(unit, extent, names))
        missing(
          part,
          `${part} is new in ${unit.unit}, and the kernel has it from another file, which goes on with its own`,
        )
      if (old === undefined || isFreed(extent.section) || isFreed(old.section)) continue
      if (pairs.isAsBefore(extent)) continue
      const aliases = view.namesOf(whole)
      if ([...aliases, extent.section.name].some(isLeftOut)) continue
      if (!isFunction(whole)) {
        if (isNamedDatum(extent) && !brought.has(name) && !isDiagnostic(extent))
          missing(name, `The value of ${name} changes, and the running kernel keeps its own`)
        continue
      }
      if (aliases.some((one) => isReplaced(unit, one)) || after.finder.find(name).length > 0) continue
      const isOpen = whole.symbol.binding !== 'local'
      const isInit = (user: string) => view.called(user).some(({ section }) => isFreed(section))
      const users = [...after.users(name)]
      const other = users.find((user) => !brought.has(user) && !isInit(user))
      // Anybody could call it, or something of the unit does.
      const isUsed = isOpen || users.length > 0
      if (!brought.has(name)) {
        if (isUsed && !isOnlyInside(name)) missing(name, `${name} changes, and the module does not have it`)
      } else if (isOpen || other !== undefined)
        missing(
          name,
          `${name} changes, and the module has it without replacing it: ${other ?? 'other files'} would ` +
            'go on with the old one',
        )
    }
  }
}

/** A global function or variable that is new in its unit, and that the kernel has by the same name. */
function isOfAnotherFile({ object, before }: UnitView, { name, symbol, section }: Named, names: KernelNames): boolean {
  if (symbol.binding === 'local' || isFreed(section)) return false
  if (before.view.object.symbols.some((one) => one.name === name && one.section !== undefined)) return false
  return names.symbols(object, name).some(({ type }) => type !== type.toLowerCase())
}

/** Ordinary data with a name of the source, of which the kernel goes on using its own. */
function isNamedDatum({ section, name }: Named): boolean {
  return /^\.(data|bss|rodata)\b/.test(section.name) && (isWritable(section) || !name.includes('.'))
}
