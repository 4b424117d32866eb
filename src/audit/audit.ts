// SPDX-License-Identifier: GPL-3.0-or-later
// The last look at a live patch, by code that did not make it. The audit gets the finished module, the patched objects
// and the kernel, and nothing that the build concluded; from these it derives again what must hold, in this order:
//
//  1. The kernel can load the module (loading.ts).
//  2. Each reference, into the kernel or in the module, leads to something of the right kind that stays
//     (references.ts, static-calls.ts).
//  3. What struct klp_patch says (livepatch-tables.ts) is to be replaced is, at that very place, a function of a
//     patched file, and it calls back what the author asks for (roots.ts, requested.ts).
//  4. From there module and patched object are walked in step: of code, of data and of tables about code the same bytes
//     (same-code.ts, but for what rewritten.ts and recompiled-code.ts know), and each reference means the same
//     (translation.ts).
//  5. What lies in the kernel is what the object's symbol means, by code that runs; what the module has of its own the
//     kernel has not (identity.ts).
//  6. Whatever changed and was not met on the walk is missing (completeness.ts).
//
// docs/audit.md tells it at length. It may be wrong in its own way, but not in the build's.
import type { Finding } from '../ground/finding.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { type Model, modelIn } from '../kernel/model.ts'
import { findModule } from '../kernel/modules.ts'
import { type KernelTables, kernelNames } from '../match/names.ts'
import { checkCompleteness } from './completeness.ts'
import { complaints, type Inspection } from './inspection.ts'
import { type LivepatchTables, livepatchTables, type Structures } from './livepatch-tables.ts'
import { checkLoading } from './loading.ts'
import { livepatchName, objectOfTable } from './meaning.ts'
import { type ObjectView, viewOf } from './object-view.ts'
import { checkReferences } from './references.ts'
import { requestedSections } from './requested.ts'
import { rootsOf } from './roots.ts'
import { checkStaticCalls } from './static-calls.ts'
import { checkTranslation, type ModuleCode } from './translation.ts'
import { type PatchedUnit, type UnitView, unitView } from './unit.ts'

export type { PatchedUnit, SourceTexts } from './unit.ts'

export interface Audited {
  /** The finished module. */
  readonly bytes: Buffer
  readonly file: string
  readonly structures: Structures
  readonly units: readonly PatchedUnit[]
  readonly code: ModuleCode
  /**
   * The files of a module's own source, compiled, where it was made from source: of what the compiler made other code
   * than in the patched units, the module must have this.
   */
  readonly parts?: readonly PatchedUnit[]
  /** Whether the operator wants it to replace every earlier live patch; undefined where its own source says so. */
  readonly replace?: boolean
  /** How tasks are to go over to its code, as it was asked for. */
  readonly model: Model
  /** What the build said: a part that it tells to be left out is not missing. */
  readonly told: readonly Finding[]
  /** What the kernel says of itself, where it was read before. */
  readonly tables?: Promise<KernelTables>
}

/** What the module itself and the kernel tell: its form, and whether everything it refers to is there. */
export async function auditModule(kernel: Kernel, bytes: Buffer, file: string): Promise<Finding[]> {
  return await auditing(kernel, viewOf(bytes, file), [], undefined, () => undefined)
}

/** The whole audit. @returns what is wrong; nothing when all is well */
export async function audit(kernel: Kernel, audited: Audited): Promise<Finding[]> {
  const { bytes, file, structures, units, code, parts = [], replace, tables: kernelTables } = audited
  const module = viewOf(bytes, file)
  const objects = units.map(({ object }) => object)
  return await auditing(kernel, module, objects, kernelTables, (inspection) => {
    const { names, complain } = inspection
    const wrong = (what: string) => complain('audit-replaced', file, what)
    const told = modelIn(module.object)
    if (!('model' in told)) complain('audit-model', file, `Nobody knows how tasks go over to its code: ${told.doubt}`)
    else if (told.model !== audited.model)
      complain('audit-model', file, `The module has the model ${told.model}, and ${audited.model} was asked for`)
    const tables = livepatchTables(module, structures)
    if (tables === undefined || tables.functions.length + tables.callbacks.length === 0)
      return wrong('The module does not say what it replaces')
    const { stray } = tables
    if (stray !== undefined)
      wrong(
        `Offset ${stray.offset} of ${stray.section.name}, which the kernel's livepatch code takes for ` +
          'its own, is not zero',
      )
    if (replace !== undefined && tables.replace !== replace)
      wrong(`The module would ${replace ? 'not ' : ''}replace earlier live patches`)
    const views = units.map((unit) => unitView(unit, names))
    const asked = new Map(views.map((unit) => [unit.unit, requestedSections(unit)]))
    const isAskedFor = ({ unit }: UnitView, section: string) => asked.get(unit)?.has(section) === true
    holdAgainst(views, code, isAskedFor, tables, inspection, audited.told)
    // What the author asks for stands in the patch, and not in what was extracted.
    const ofParts = parts.map((part) => unitView(part, names))
    if (ofParts.length > 0) holdAgainst(ofParts, 'from-directory', isAskedFor, tables, inspection, audited.told)
  })
}

/** Looks at the module's form, and at what else is asked. */
async function auditing(
  kernel: Kernel,
  module: ObjectView,
  objects: readonly string[],
  tables: Promise<KernelTables> | undefined,
  look: (inspection: Inspection) => void,
): Promise<Finding[]> {
  const findings: Finding[] = []
  const names = await namesFor(kernel, module, objects, tables)
  const inspection = { module, names, complain: complaints(findings) }
  try {
    checkLoading(inspection)
    checkReferences(inspection)
    checkStaticCalls(inspection)
    look(inspection)
  } finally {
    names.close()
  }
  return findings
}

/** What the build says of a function of which the compiler made other code in the live patch's own source. */
const otherCode: readonly string[] = ['same-by-source', 'extract-differs']

/** What it says of one that the unit has only inside of others. */
const noCode: readonly string[] = ['not-compared', ...otherCode]

function holdAgainst(
  views: readonly UnitView[],
  code: ModuleCode,
  isAskedFor: (unit: UnitView, section: string) => boolean,
  tables: LivepatchTables,
  inspection: Inspection,
  told: readonly Finding[],
): void {
  const isTold =
    (...rules: readonly string[]) =>
    ({ unit }: UnitView, name: string) =>
      told.some((one) => rules.includes(one.rule) && one.unit === unit && one.symbol === name)
  const ifAnew = (rules: readonly string[]) => isTold(...(code === 'compiled-anew' ? rules : []))
  const { roots, replaces, isReplaced } = rootsOf(inspection, views, tables, code, ifAnew(noCode))
  const making = { code, isOther: ifAnew(otherCode), isCopyTold: isTold('copy-not-shared'), isAskedFor }
  const carried = checkTranslation(inspection, views, roots, replaces, making)
  // What a directory does not have, its author left out.
  if (code !== 'from-directory') checkCompleteness(inspection, views, carried, isReplaced, told)
}

/** The names of everything that the module speaks of. */
async function namesFor(
  kernel: Kernel,
  { object }: ObjectView,
  objects: readonly string[],
  tables: Promise<KernelTables> | undefined,
) {
  const wanted = new Set([
    ...objects,
    ...object.symbols.flatMap(({ name }) => livepatchName(name)?.object ?? []),
    ...object.sections.flatMap(({ name }) => objectOfTable(name) ?? []),
  ])
  const there: string[] = []
  for (const name of wanted) if (name === 'vmlinux' || (await findModule(kernel, name)) !== undefined) there.push(name)
  return await kernelNames(kernel, there, tables)
}
