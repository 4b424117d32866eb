// SPDX-License-Identifier: GPL-3.0-or-later
// The last look at a live patch, by code that did not make it. The audit gets the finished module, the patched objects
// and the kernel, and nothing that the build concluded; from these it derives again what must hold, in this order:
//
//  1. The kernel can load the module, and what lasts does not use what is freed (loading.ts).
//  2. Each reference into the kernel leads to something of the right kind that is there after boot (reach.ts).
//  3. What struct klp_patch says (livepatch-tables.ts) is to be replaced is, at that very place, a function of a patched
//     file, and it calls back what the author asks for (roots.ts, asked.ts).
//  4. From there module and patched object are walked in step: the same bytes (same-code.ts, but for what rewritten.ts and
//     anew.ts know), the same tables about code (same-tables.ts), and each reference means the same (translation.ts).
//  5. What lies in the kernel is what the object's symbol means, by code that runs; what the module has of its own the kernel
//     has not (identity.ts).
//  6. Whatever changed and was not met on the walk is missing (completeness.ts).
//
// docs/audit.md tells it at length. It may be wrong in its own way, but not in the build's.
import type { Finding } from '../ground/finding.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { findModule } from '../kernel/modules.ts'
import { type Names, namesOf } from '../match/names.ts'
import { sectionsAskedFor } from './asked.ts'
import { type Complain, complaints } from './complaint.ts'
import { checkCompleteness } from './completeness.ts'
import { type LivepatchTables, livepatchTables, type Structures } from './livepatch-tables.ts'
import { checkLoading } from './loading.ts'
import { livepatchName } from './meaning.ts'
import { type ObjectView, viewOf } from './object-view.ts'
import { checkReach } from './reach.ts'
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
   * The files of a module's own source, compiled, where it was made from source: of what the compiler made other code than in the
   * patched units, the module must have this.
   */
  readonly parts?: readonly PatchedUnit[]
  /** Whether the operator wants it to replace every earlier live patch; undefined where its own source says so. */
  readonly replace?: boolean
  /** What the build said: a part that it tells to be left out is not missing. */
  readonly told: readonly Finding[]
}

/** What the module itself and the kernel tell: its form, and whether everything it refers to is there. */
export async function auditModule(kernel: Kernel, bytes: Buffer, file: string): Promise<Finding[]> {
  return await auditing(kernel, viewOf(bytes, file), [], () => undefined)
}

/** The whole audit. @returns what is wrong; nothing when all is well */
export async function audit(kernel: Kernel, audited: Audited): Promise<Finding[]> {
  const { bytes, file, structures, units, code, parts = [], replace } = audited
  const module = viewOf(bytes, file)
  const objects = units.map(({ object }) => object)
  return await auditing(kernel, module, objects, (names, complain) => {
    const tables = livepatchTables(module, structures)
    if (tables === undefined || tables.functions.length + tables.callbacks.length === 0)
      return complain('audit-replaced', file, 'The module does not say what it replaces')
    const { stray } = tables
    if (stray !== undefined)
      complain(
        'audit-replaced',
        file,
        `Offset ${stray.offset} of ${stray.section.name}, which the kernel's livepatch code takes for its own, is not zero`,
      )
    if (replace !== undefined && tables.replace !== replace)
      complain(
        'audit-replaced',
        file,
        `The module would ${replace ? 'not ' : ''}replace earlier live patches`,
      )
    const views = units.map((unit) => unitView(unit, names))
    const asked = sectionsAskedFor(views)
    holdAgainst(views, code, asked, tables, module, audited, names, complain)
    // What the author asks for stands in the patch, and not in what was extracted.
    const ofParts = parts.map((part) => unitView(part, names))
    if (ofParts.length > 0)
      holdAgainst(ofParts, 'from-directory', asked, tables, module, audited, names, complain)
  })
}

/** Looks at the module's form, and at what else is asked. */
async function auditing(
  kernel: Kernel,
  module: ObjectView,
  objects: readonly string[],
  look: (names: Names, complain: Complain) => void,
): Promise<Finding[]> {
  const findings: Finding[] = []
  const complain = complaints(findings)
  const names = await namesFor(kernel, module, objects)
  try {
    checkLoading(module, names, complain)
    checkReach(module, names, complain)
    checkStaticCalls(module, names, complain)
    look(names, complain)
  } finally {
    names.close()
  }
  return findings
}

/** What the build says of a function of which the compiler made other code in the live patch's own source. */
const otherCode: ReadonlySet<string> = new Set(['same-by-source', 'extract-differs'])

/** What it says of one that the unit has only inside of others. */
const noCode: ReadonlySet<string> = new Set(['not-compared', ...otherCode])

function holdAgainst(
  views: readonly UnitView[],
  code: ModuleCode,
  isAskedFor: (unit: UnitView, section: string) => boolean,
  tables: LivepatchTables,
  module: ObjectView,
  { told }: Audited,
  names: Names,
  complain: Complain,
): void {
  const isTold = (rules: ReadonlySet<string>) => (unit: UnitView, name: string) =>
    code === 'compiled-anew' &&
    told.some((one) => rules.has(one.rule) && one.unit === unit.unit && one.symbol === name)
  const { roots, replaces, isReplaced } = rootsOf(
    module,
    names,
    views,
    tables,
    code,
    isTold(noCode),
    complain,
  )
  const isCopyTold = ({ unit }: UnitView, name: string) =>
    told.some((one) => one.rule === 'copy-not-shared' && one.unit === unit && one.symbol === name)
  const making = { code, isOther: isTold(otherCode), isCopyTold, isAskedFor }
  const carried = checkTranslation(module, names, views, roots, replaces, making, complain)
  // What a directory does not have, its author left out.
  if (code !== 'from-directory') checkCompleteness(names, views, carried, isReplaced, told, complain)
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
