// SPDX-License-Identifier: GPL-3.0-or-later
// Where the walk through a module begins: what it tells the kernel to replace and to call back, and which function of
// which patched unit each of these must be.

import type { Inspection } from './inspection.ts'
import type { LivepatchTables, TableFunction } from './livepatch-tables.ts'
import { isSamePlace, type KernelPlace, resolve } from './meaning.ts'
import { isFunction, type Named, type ObjectView, type Place } from './object-view.ts'
import { type RequestedCallback, requestedCallbacks, requestedStates } from './requested.ts'
import type { ModuleCode, Root } from './translation.ts'
import { sourceName, type UnitView } from './unit.ts'

interface Roots {
  readonly roots: readonly Root[]
  /** True for the begin of a function of the kernel that is replaced. */
  replaces(place: KernelPlace): boolean
  /** Whether a unit's function is replaced. */
  isReplaced(unit: UnitView, name: string): boolean
}

/** @param hasNoCode whether the build says that a unit has no code of a replaced function alone */
export function rootsOf(
  inspection: Inspection,
  units: readonly UnitView[],
  tables: LivepatchTables,
  code: ModuleCode,
  hasNoCode: (unit: UnitView, name: string) => boolean,
): Roots {
  const { module, names, complain } = inspection
  const places: KernelPlace[] = []
  const replaced: Root[] = []
  for (const one of tables.functions) {
    const { object, name, replacement, position } = one
    const wrong = (what: string, rule = 'audit-replaced') => complain(rule, name, what)
    const own = functionAt(module, replacement)
    if (own === undefined)
      wrong(`What is to replace ${name} is no function with a name, whose extent the kernel could tell`)
    const address = resolve(names, one)
    if (address === undefined) {
      wrong(`The kernel would not find ${name} of ${object}, position ${position}, to replace it`)
      continue
    }
    if (object === 'vmlinux' && names.freed(address))
      wrong(`${name} is to be replaced, and the kernel frees it when it has started`, 'audit-freed')
    const place = { object, address }
    if (places.some((other) => isSamePlace(other, place))) wrong(`The module replaces ${name} of ${object} twice`)
    places.push(place)
    const home = units.find((unit) => isHome(unit, one, address))
    if (home === undefined) {
      if (units.length > 0)
        wrong(
          `What the kernel has at ${name} of ${object}, position ${position}, is the code of none of the patched files`,
        )
      continue
    }
    // The files of a directory take the place of the units, and call things as they like.
    const wanted = code === 'from-directory' ? plainName(own) : undefined
    const extent = replacementIn(home, wanted ?? name, name)
    if (extent !== undefined || hasNoCode(home, name)) replaced.push({ place: replacement, unit: home, extent, name })
    else wrong(`${name} is to be replaced, and ${home.unit} has no such function after the patch`)
  }
  const calledBack = code === 'from-directory' ? callbacksOfFiles : callbacksOfAuthor
  return {
    roots: [...replaced, ...calledBack(inspection, units, tables)],
    replaces: (place) => places.some((one) => isSamePlace(one, place)),
    isReplaced: ({ unit }, name) =>
      replaced.some((one) => one.unit.unit === unit && (one.name === name || one.extent?.name === name)),
  }
}

function functionAt(module: ObjectView, place: Place): Named | undefined {
  return module.at(place).find(isFunction)
}

/** What a function of the module is called, without what makes its name differ from another one's. */
function plainName(extent: Named | undefined): string | undefined {
  return extent?.name.replace(/\.\.\d+$/, '')
}

/** Whether the kernel has the unit's code at the address. */
function isHome({ object, before }: UnitView, wanted: TableFunction, address: bigint): boolean {
  const { view } = before
  const isIt = (one: Named) => isFunction(one) && view.namesOf(one).includes(wanted.name)
  if (object !== wanted.object || !view.named.some(isIt)) return false
  return before.finder.findAt(wanted.name, address) !== undefined
}

/** What the unit has after the patch in the place of what the kernel calls `name`. */
function replacementIn({ after: { view } }: UnitView, wanted: string, name: string): Named | undefined {
  const functions = view.named.filter(isFunction)
  return (
    functions.find((one) => view.namesOf(one).includes(wanted)) ??
    functions.find((one) => sourceName(one.name) === sourceName(name))
  )
}

/** Of a directory's files any function may be called back. */
function callbacksOfFiles({ module }: Inspection, units: readonly UnitView[], { callbacks }: LivepatchTables): Root[] {
  return callbacks.flatMap(({ object, place }) => {
    const name = plainName(functionAt(module, place)) ?? ''
    for (const unit of units) {
      const extent = unit.after.view.called(name).find(isFunction)
      if (unit.object === object && extent !== undefined) return [{ place, unit, extent, name }]
    }
    return []
  })
}

/** The callbacks and the states are those for which the author asks. */
function callbacksOfAuthor(
  { complain }: Inspection,
  units: readonly UnitView[],
  { callbacks, states }: LivepatchTables,
): Root[] {
  const asked = units.flatMap(requestedCallbacks)
  const roots: Root[] = []
  for (const { object, kind, place } of callbacks) {
    const index = asked.findIndex((one) => one.unit.object === object && one.kind === kind)
    const [found] = index < 0 ? [] : asked.splice(index, 1)
    if (found !== undefined) roots.push({ ...found, place, name: found.extent.name })
    else complain('audit-replaced', kind, `The module has a callback (${kind}) of ${object} that nobody asks for`)
  }
  const title = ({ kind, extent }: RequestedCallback) => `${extent.name} (${kind})`
  for (const one of asked)
    complain('audit-missing', title(one), `The author asks for the callback ${title(one)}, and the module has none`)
  const wanted = units.flatMap(requestedStates)
  const other = [...states, ...wanted].find((one) => !states.includes(one) || !wanted.includes(one))
  if (other !== undefined)
    complain(
      'audit-replaced',
      'states',
      `The module and the patched files differ about the state with id and version ${other}`,
    )
  return roots
}
