// SPDX-License-Identifier: GPL-3.0-or-later
// The last look at a live patch, by code that did not make it. The audit gets the finished module, the patched objects
// and the kernel, and nothing that the build concluded; from these it derives again what must hold. It may be wrong in
// its own way, but not in the build's: docs/audit.md.
import type { Finding } from '../ground/finding.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { findModule } from '../kernel/modules.ts'
import { type Names, namesOf } from '../match/names.ts'
import { type Complain, complaints } from './complaint.ts'
import { checkCompleteness } from './completeness.ts'
import { livepatchTables, type StructureSizes, type TableFunction } from './livepatch-tables.ts'
import { checkLoading } from './loading.ts'
import { type KernelPlace, livepatchName, resolve } from './meaning.ts'
import { type ObjectView, type Place, viewOf } from './object-view.ts'
import { checkReach } from './reach.ts'
import { checkTranslation, type ModuleCode, type Root } from './translation.ts'
import { isFunction, type PatchedUnit, sourceName, type UnitView, unitView } from './unit.ts'

export type { PatchedUnit, SourceTexts } from './unit.ts'

export interface Audited {
  /** The finished module. */
  readonly bytes: Buffer
  readonly file: string
  /** Of the kernel's livepatch structures. */
  readonly sizes: StructureSizes
  readonly units: readonly PatchedUnit[]
  readonly code: ModuleCode
  /** What the build said: a part that it tells to be left out is not missing. */
  readonly told: readonly Finding[]
}

/** What the module itself and the kernel tell: its form, and whether everything it refers to is there. */
export async function auditModule(kernel: Kernel, bytes: Buffer, file: string): Promise<Finding[]> {
  const findings: Finding[] = []
  const module = viewOf(bytes, file)
  const names = await namesFor(kernel, module, [])
  try {
    checkForm(module, names, complaints(findings))
  } finally {
    names.close()
  }
  return findings
}

/** The whole audit. @returns what is wrong; nothing when all is well */
export async function audit(
  kernel: Kernel,
  { bytes, file, sizes, units, code, told }: Audited,
): Promise<Finding[]> {
  const findings: Finding[] = []
  const complain = complaints(findings)
  const module = viewOf(bytes, file)
  const names = await namesFor(
    kernel,
    module,
    units.map(({ object }) => object),
  )
  try {
    checkForm(module, names, complain)
    const tables = livepatchTables(module, sizes)
    if (tables === undefined || tables.functions.length + tables.callbacks.length === 0) {
      complain('audit-replaced', file, 'The module does not say what it replaces')
      return findings
    }
    const views = units.map((unit) => unitView(unit, names))
    const isTold = (rules: ReadonlySet<string>) => (unit: UnitView, name: string) =>
      code === 'compiled-anew' &&
      told.some((one) => rules.has(one.rule) && one.unit === unit.unit && one.symbol === name)
    const replaced = tables.functions.map((one) => ({
      one,
      ...replacedBy(
        names,
        views,
        one,
        code === 'from-directory' ? nameIn(module) : undefined,
        isTold(noCode),
        complain,
      ),
    }))
    const replacements = new Set(replaced.map(({ at }) => at && key(at)))
    const roots = replaced.flatMap(({ root }) => root ?? [])
    for (const { object, place } of tables.callbacks) {
      const root = callbackAt(module, views, object, place)
      if (root !== undefined) roots.push(root)
    }
    const isCopyTold = ({ unit }: UnitView, name: string) =>
      told.some((one) => one.rule === 'copy-not-shared' && one.unit === unit && one.symbol === name)
    const carried = checkTranslation(
      module,
      names,
      views,
      roots,
      (place) => replacements.has(key(place)),
      { code, isOther: isTold(otherCode), isCopyTold },
      complain,
    )
    // What a directory does not have, its author left out.
    if (code === 'from-directory') return findings
    const isReplaced = ({ unit }: UnitView, name: string) =>
      replaced.some(
        ({ root, one }) =>
          root?.unit.unit === unit && (one.name === name || root.extent?.symbol?.name === name),
      )
    checkCompleteness(views, carried, isReplaced, told, complain)
  } finally {
    names.close()
  }
  return findings
}

/** What the build says of a function of which the compiler made other code in the live patch's own source. */
const otherCode: ReadonlySet<string> = new Set(['same-by-source', 'extract-differs'])

/** What it says of one that the unit has only inside of others. */
const noCode: ReadonlySet<string> = new Set(['not-compared', ...otherCode])

function key({ object, address }: KernelPlace): string {
  return `${object} ${address}`
}

function checkForm(module: ObjectView, names: Names, complain: Complain): void {
  checkLoading(module, names, complain)
  checkReach(module, names, complain)
}

/** The names of everything that the module speaks of. */
async function namesFor(kernel: Kernel, { object }: ObjectView, objects: readonly string[]) {
  const wanted = new Set(objects)
  for (const { name } of object.symbols) {
    const meant = livepatchName(name)
    if (meant !== undefined) wanted.add(meant.object)
  }
  for (const { name } of object.sections) {
    const [, when] = /^\.klp\.rela\.([^.]+)\./.exec(name) ?? []
    if (when !== undefined) wanted.add(when)
  }
  const there: string[] = []
  for (const name of wanted)
    if (name === 'vmlinux' || (await findModule(kernel, name)) !== undefined) there.push(name)
  return await namesOf(kernel, there)
}

/** Where the kernel will find the function that is replaced, and which function of which unit that is. */
function replacedBy(
  names: Names,
  units: readonly UnitView[],
  one: TableFunction,
  nameOf: ((place: Place) => string | undefined) | undefined,
  hasNoCode: (unit: UnitView, name: string) => boolean,
  complain: Complain,
): { at?: KernelPlace; root?: Root } {
  const { object, name, position, replacement } = one
  const address = resolve(names, one)
  if (address === undefined) {
    complain(
      'audit-replaced',
      name,
      `The kernel would not find ${name} of ${object}, position ${position}, to replace it`,
    )
    return {}
  }
  const at = { object, address }
  if (object === 'vmlinux' && names.freed(address)) {
    complain('audit-freed', name, `${name} is to be replaced, and the kernel frees it when it has started`)
    return { at }
  }
  const homes = units.filter(
    (unit) =>
      unit.object === object &&
      unit.before.view.named.some(
        (extent) => isFunction(extent) && unit.before.view.namesOf(extent).includes(name),
      ),
  )
  const home = homes.find(({ before }) => before.finder.findAt(name, address) !== undefined)
  if (home === undefined) {
    if (units.length > 0)
      complain(
        'audit-replaced',
        name,
        `What the kernel has at ${name} of ${object}, position ${position}, is the code of none of the patched files`,
      )
    return { at }
  }
  const { view } = home.after
  const extents = view.named.filter(isFunction)
  const wanted = nameOf?.(replacement) ?? name
  const extent =
    extents.find((candidate) => view.namesOf(candidate).includes(wanted)) ??
    extents.find(({ symbol }) => sourceName(symbol?.name ?? '') === sourceName(name))
  if (extent === undefined && !hasNoCode(home, name)) {
    complain(
      'audit-replaced',
      name,
      `${name} is to be replaced, and ${home.unit} has no such function after the patch`,
    )
    return { at }
  }
  return { at, root: { place: replacement, unit: home, extent, name } }
}

/** What a function of the module is called, without what makes its name differ from another one's. */
function nameIn(module: ObjectView) {
  return ({ section, offset }: Place): string | undefined =>
    module.named
      .find((one) => one.section === section && one.start === offset)
      ?.symbol?.name.replace(/\.\.\d+$/, '')
}

/** The function of a unit that is called back: it has the same name there. */
function callbackAt(
  module: ObjectView,
  units: readonly UnitView[],
  object: string,
  place: Root['place'],
): Root | undefined {
  const own = nameIn(module)(place)
  for (const unit of units) {
    if (unit.object !== object) continue
    const extent = unit.after.view.named.find((one) => isFunction(one) && one.symbol?.name === own)
    if (extent !== undefined) return { place, unit, extent, name: extent.symbol?.name ?? '' }
  }
  return undefined
}
