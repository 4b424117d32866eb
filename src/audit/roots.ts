// SPDX-License-Identifier: GPL-3.0-or-later
// Where the walk through a module begins: what it tells the kernel to replace and to call back, and which function of which
// patched unit each of these must be.
import type { Names } from '../match/names.ts'
import { type AskedCallback, callbacksAskedFor, statesAskedFor } from './asked.ts'
import type { Complain } from './complaint.ts'
import type { LivepatchTables, TableFunction } from './livepatch-tables.ts'
import { type KernelPlace, resolve } from './meaning.ts'
import { type Extent, isFunction, type ObjectView, type Place } from './object-view.ts'
import type { ModuleCode, Root } from './translation.ts'
import { sourceName, type UnitView } from './unit.ts'

interface Roots {
  readonly roots: readonly Root[]
  /** True for the begin of a function of the kernel that is replaced. */
  replaces(place: KernelPlace): boolean
  /** Whether a unit's function is replaced. */
  isReplaced(unit: UnitView, name: string): boolean
}

const key = ({ object, address }: KernelPlace) => `${object} ${address}`

/** @param hasNoCode whether the build says that a unit has no code of a replaced function alone */
export function rootsOf(
  module: ObjectView,
  names: Names,
  units: readonly UnitView[],
  tables: LivepatchTables,
  code: ModuleCode,
  hasNoCode: (unit: UnitView, name: string) => boolean,
  complain: Complain,
): Roots {
  const places = new Set<string>()
  const roots: Root[] = []
  const replaced: { root: Root; name: string }[] = []
  for (const one of tables.functions) {
    const { object, name, replacement } = one
    const own = functionAt(module, replacement)
    if (own === undefined)
      complain(
        'audit-replaced',
        name,
        `What is to replace ${name} is no function with a name, whose extent the kernel could tell`,
      )
    const place = placeOf(names, one, complain)
    if (place === undefined) continue
    if (places.has(key(place)))
      complain('audit-replaced', name, `The module replaces ${name} of ${object} twice`)
    places.add(key(place))
    // The files of a directory take the place of the units, and call things as they like.
    const wanted = code === 'from-directory' ? nameOf(own) : undefined
    const root = rootOf(units, one, place, wanted ?? name, hasNoCode, complain)
    if (root === undefined) continue
    roots.push(root)
    replaced.push({ root, name })
  }
  roots.push(...calledBack(module, units, tables, code, complain))
  return {
    roots,
    replaces: (place) => places.has(key(place)),
    isReplaced: ({ unit }, name) =>
      replaced.some(
        (one) => one.root.unit.unit === unit && (one.name === name || one.root.extent?.symbol?.name === name),
      ),
  }
}

function functionAt({ named }: ObjectView, { section, offset }: Place): Extent | undefined {
  return named.find((one) => isFunction(one) && one.section === section && one.start === offset)
}

/** What a function of the module is called, without what makes its name differ from another one's. */
function nameOf(extent: Extent | undefined): string | undefined {
  return extent?.symbol?.name.replace(/\.\.\d+$/, '')
}

/** Where the kernel will find what is replaced. */
function placeOf(names: Names, one: TableFunction, complain: Complain): KernelPlace | undefined {
  const { object, name, position } = one
  const address = resolve(names, one)
  if (address === undefined)
    complain(
      'audit-replaced',
      name,
      `The kernel would not find ${name} of ${object}, position ${position}, to replace it`,
    )
  else if (object === 'vmlinux' && names.freed(address))
    complain('audit-freed', name, `${name} is to be replaced, and the kernel frees it when it has started`)
  return address === undefined ? undefined : { object, address }
}

/** Which function of which unit that is. */
function rootOf(
  units: readonly UnitView[],
  { object, name, position, replacement }: TableFunction,
  { address }: KernelPlace,
  wanted: string,
  hasNoCode: (unit: UnitView, name: string) => boolean,
  complain: Complain,
): Root | undefined {
  const has = ({ view }: UnitView['before']) =>
    view.named.some((extent) => isFunction(extent) && view.namesOf(extent).includes(name))
  const home = units.find(
    (unit) =>
      unit.object === object && has(unit.before) && unit.before.finder.findAt(name, address) !== undefined,
  )
  if (home === undefined) {
    if (units.length > 0)
      complain(
        'audit-replaced',
        name,
        `What the kernel has at ${name} of ${object}, position ${position}, is the code of none of the patched files`,
      )
    return undefined
  }
  const { view } = home.after
  const extents = view.named.filter(isFunction)
  const extent =
    extents.find((candidate) => view.namesOf(candidate).includes(wanted)) ??
    extents.find(({ symbol }) => sourceName(symbol?.name ?? '') === sourceName(name))
  if (extent !== undefined || hasNoCode(home, name)) return { place: replacement, unit: home, extent, name }
  complain(
    'audit-replaced',
    name,
    `${name} is to be replaced, and ${home.unit} has no such function after the patch`,
  )
  return undefined
}

/** The functions that are called back: those that the author asks for, and for what he asks. */
function calledBack(
  module: ObjectView,
  units: readonly UnitView[],
  { callbacks, states }: LivepatchTables,
  code: ModuleCode,
  complain: Complain,
): Root[] {
  const rootAt = (place: Place, unit: UnitView, extent: Extent): Root => {
    return { place, unit, extent, name: extent.symbol?.name ?? '' }
  }
  if (code === 'from-directory')
    return callbacks.flatMap(({ object, place }) => {
      const own = nameOf(functionAt(module, place))
      for (const unit of units) {
        const extent = unit.after.view.named.find((one) => isFunction(one) && one.symbol?.name === own)
        if (unit.object === object && extent !== undefined) return [rootAt(place, unit, extent)]
      }
      return []
    })
  const asked = units.flatMap((unit) => callbacksAskedFor(unit).map((one) => ({ ...one, unit })))
  const title = ({ kind, extent }: AskedCallback) => `${extent.symbol?.name} (${kind})`
  const roots: Root[] = []
  for (const { object, kind, place } of callbacks) {
    const index = asked.findIndex((one) => one.unit.object === object && one.kind === kind)
    const [found] = index < 0 ? [] : asked.splice(index, 1)
    if (found !== undefined) roots.push(rootAt(place, found.unit, found.extent))
    else
      complain(
        'audit-replaced',
        kind,
        `The module has a callback (${kind}) of ${object} that nobody asks for`,
      )
  }
  for (const one of asked)
    complain(
      'audit-missing',
      title(one),
      `The author asks for the callback ${title(one)}, and the module has none`,
    )
  const wanted = units.flatMap(statesAskedFor)
  const other = [...states, ...wanted].find((one) => !states.includes(one) || !wanted.includes(one))
  if (other !== undefined)
    complain(
      'audit-replaced',
      'states',
      `The module and the patched files differ about the state with id and version ${other}`,
    )
  return roots
}
