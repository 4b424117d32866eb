// SPDX-License-Identifier: GPL-3.0-or-later
// What must be replaced in each unit that a patch changes, found from its source: the functions whose tokens differ
// behind the preprocessor, then those into which the compiler put them, up to ones that can be replaced.
import { readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import type { CompiledPairs } from '../build/compile.ts'
import { dumpBefore } from '../build/ipa-dump.ts'
import type { UnitPair } from '../build/objects.ts'
import { preprocess } from '../build/preprocess.ts'
import type { Bench } from '../build/sides.ts'
import { openUnits, type Unit } from '../build/units.ts'
import { type Change, compareObjects } from '../diff/change.ts'
import { sourceName } from '../diff/names.ts'
import { readObject } from '../elf/read.ts'
import { isInitOrExit, isTraced } from '../extract/roots.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import { parseModuleSymbols } from '../kernel/modsyms.ts'
import { openModule } from '../kernel/modules.ts'
import { readSymbols } from '../kernel/symbols.ts'
import { compareTexts, type TextChange } from './changed.ts'
import { dataFindings, declarationFindings } from './data-change.ts'
import { readInlining } from './ipa-clones.ts'
import { functionsToReplace, type Replaced } from './replaced.ts'

/** What a patch changes in one unit, seen from its source. */
export interface SourceChange {
  /** The source's path. */
  readonly unit: string
  /** The kernel object that the unit is part of: `vmlinux` or a module's name. */
  readonly object: string
  /** The functions to replace, ordered by name. */
  readonly functions: readonly Replaced[]
  /**
   * Symbols of code that changes and can't be replaced alone, such as `foo.isra.0`: the functions that use it are replaced
   * in its place.
   */
  readonly embedded: readonly string[]
  /** The functions whose own text changes, those of headers that the unit uses among them. */
  readonly changed: readonly string[]
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Variables; `function.variable` for one inside a function. */
  readonly data: readonly { readonly name: string; readonly change: 'added' | 'changed' | 'removed' }[]
  /** Types whose declarations change, such as `struct foo`. */
  readonly types: readonly string[]
  readonly findings: readonly Finding[]
  /** Both objects compared, for whoever binds names of the unit. */
  readonly compared: Change
}

/**
 * Finds what must be replaced in each unit.
 * @param compiled from `compilePairs`, whose directory must still be there
 * @throws Fault `patch/does-not-preprocess`, and what `dumpBefore` throws
 */
export async function findSourceChanges(job: Job, compiled: CompiledPairs): Promise<SourceChange[]> {
  const { pairs, bench } = compiled
  if (bench === undefined || pairs.length === 0) return []
  const title = `Comparing the source of ${pairs.length} ${pairs.length === 1 ? 'unit' : 'units'}`
  return await job.journal.step(title, async (step) => {
    const units = await openUnits(job, bench.kernel)
    const limit = pLimit(os.availableParallelism())
    let done = 0
    const found = await Promise.all(
      pairs.map((pair) =>
        limit(async () => {
          const unit = units.find(pair.unit).find(({ home }) => home !== 'elsewhere')
          if (unit === undefined) throw new Fault('unexpected', 'no-unit', `${pair.unit} is no unit`)
          const change = await sourceChange(job, bench, unit, pair)
          step.progress(`${++done} of ${pairs.length}`)
          return change
        }),
      ),
    )
    const count = found.reduce((sum, { functions }) => sum + functions.length, 0)
    step.result(`${count} ${count === 1 ? 'function' : 'functions'} to replace`)
    return found
  })
}

/** Numbers that move when a line or an expression is added elsewhere are the same on both sides. */
const unnumbered = ['-w', '-D__LINE__=0', '-D__COUNTER__=0']

async function textsOf(job: Job, bench: Bench, unit: Unit): Promise<[before: string, after: string]> {
  const [before, after] = await Promise.all(
    [bench.kernel.source, bench.shadow].map((tree, side) =>
      preprocess(
        job,
        bench.kernel,
        unit,
        tree,
        path.join(bench.dir, 'text', `${unit.object}.${side}.i`),
        unnumbered,
      ),
    ),
  )
  if (before === undefined || after === undefined)
    throw new Fault(
      'patch',
      'does-not-preprocess',
      `${unit.source} compiles, but the preprocessor alone can't read it`,
      { remedy: 'Build this fix with --engine binary' },
    )
  return [before, after]
}

async function sourceChange(job: Job, bench: Bench, unit: Unit, pair: UnitPair): Promise<SourceChange> {
  const name = pair.unit
  const object = pair.module ?? 'vmlinux'
  if (pair.before === undefined)
    throw new Fault('refused', 'new-unit', `${name} is new, and kbuild does not know it`)
  const [[textBefore, textAfter], dump] = await Promise.all([
    textsOf(job, bench, unit),
    dumpBefore(job, bench, unit, pair.before),
  ])
  const compared = compareObjects(
    readObject(readFileSync(pair.before), `${name} (before)`),
    readObject(readFileSync(pair.after), `${name} (after)`),
    name,
  )
  const text = compareTexts(textBefore, textAfter, bench.changes)
  const changed = text === undefined ? new Map<string, string[]>() : changedFunctions(text, compared)
  const findings: Finding[] = []
  if (text !== undefined) {
    findings.push(...dataFindings(name, text, compared), ...declarationFindings(name, text))
    for (const one of text.transient) {
      if (!changed.has(one) && !text.added.includes(one)) continue
      changed.delete(one)
      if (!isIgnored(compared, one)) findings.push(initCode(name, one))
    }
  }
  const outcome =
    text === undefined
      ? undefined
      : functionsToReplace(
          { unit: name, object: compared.before, text: text.before, inlining: readInlining(dump) },
          changed,
          isTraced(compared.before),
        )
  const replaced = outcome?.replaced ?? []
  findings.push(
    ...(outcome?.findings ?? []),
    ...(await missingSymbols(bench, name, object, replaced)),
    ...onlyCompiled(name, compared, outcome?.reached ?? new Set(), text),
  )
  const said = new Set(findings.map(({ rule, symbol }) => `${rule} ${symbol}`))
  findings.push(...compared.findings.filter(({ rule, symbol }) => !said.has(`${rule} ${symbol}`)))
  return {
    unit: name,
    object,
    functions: replaced,
    embedded: outcome?.embedded ?? [],
    changed: [...changed.keys()].sort(),
    added: text?.added ?? [],
    removed: text?.removed ?? [],
    data: text?.data.map(({ name: datum, change }) => ({ name: datum, change })) ?? [],
    types: text?.declarations.filter(({ isType }) => isType).map(({ title }) => title) ?? [],
    findings,
    compared,
  }
}

function isIgnored({ directives: { ignored } }: Change, name: string): boolean {
  return ignored.functions.has(name)
}

/** The functions that change, with why: by their own text, by a type, a constant or a copy that they use, or by the author's will. */
function changedFunctions(text: TextChange, compared: Change): Map<string, string[]> {
  const { directives, before, after, changed, copied } = compared
  const found = new Map<string, string[]>()
  const add = (name: string, reason: string) => {
    if (isIgnored(compared, name)) return
    const known = found.get(name)
    if (known === undefined) found.set(name, [reason])
    else if (!known.includes(reason)) known.push(reason)
  }
  const usersOf = (word: string) =>
    text.before.itemsWith(word).flatMap((item) => text.before.functionName(item) ?? [])
  const isDatum = (name: string) => before.data.some((piece) => piece.name === name)
  for (const [name, reasons] of text.functions) for (const reason of reasons) add(name, reason)
  for (const { name, change } of text.data)
    if (change === 'changed' && !name.includes('.') && !isDatum(name))
      for (const user of usersOf(name)) add(user, `it uses the constant ${name}, which changes`)
  for (const { name } of copied)
    for (const user of usersOf(sourceName(name)))
      add(user, `it uses ${name}, of which the live patch has a copy of its own`)
  // What a changed type means for a function only the compiler knows.
  const code = new Set(changed.map(({ before: piece }) => sourceName(piece.name)))
  for (const { title, words } of text.declarations)
    for (const word of words)
      for (const user of usersOf(word))
        if (code.has(user) && !text.functions.has(user))
          add(user, `it uses ${title}, whose declaration changes`)
  for (const name of directives.included.functions) add(name, 'the patch asks for it')
  for (const piece of after.functions)
    if (directives.included.sections.has(piece.section.name))
      add(sourceName(piece.name), 'the patch asks for it')
  return found
}

function initCode(unit: string, symbol: string): Finding {
  return {
    severity: 'error',
    rule: 'init-code',
    symbol,
    unit,
    message: `${symbol} runs only while the kernel or the module starts or ends, so replacing it has no effect`,
    hint: 'Do what it should have done in a callback (INARCH_PRE_PATCH), and leave this part out (INARCH_IGNORE_FUNCTION)',
  }
}

/** Functions that the kernel itself does not have: then its source is not this one. */
async function missingSymbols(
  { kernel }: Bench,
  unit: string,
  object: string,
  replaced: readonly Replaced[],
): Promise<Finding[]> {
  if (replaced.length === 0) return []
  const { lookup } =
    object === 'vmlinux' ? await readSymbols(kernel) : parseModuleSymbols(await openModule(kernel, object))
  return replaced
    .filter(({ symbol }) => lookup(symbol).length === 0)
    .map(
      ({ symbol }): Finding => ({
        severity: 'error',
        rule: 'no-symbol',
        symbol,
        unit,
        message: `${object} has no symbol ${symbol}`,
        hint: 'Check that the kernel is the one the source belongs to',
      }),
    )
}

/** Functions whose code differs although they and what they contained before the patch say the same. */
function onlyCompiled(
  unit: string,
  { changed, after }: Change,
  reached: ReadonlySet<string>,
  text: TextChange | undefined,
): Finding[] {
  const compiled = new Set(after.functions.map(({ name }) => name))
  const vanished = [...reached].filter((name) => !compiled.has(name))
  return changed.flatMap(({ before, reasons }): Finding[] => {
    const name = sourceName(before.name)
    if (reached.has(name) || isInitOrExit(before)) return []
    const inside = vanished.find((one) =>
      text?.after.itemsWith(one).some((item) => text.after.functionName(item) === name),
    )
    const why = inside === undefined ? reasons[0] : `it now inlines ${inside}, which is replaced by itself`
    return [
      {
        severity: 'note',
        rule: 'same-source-other-code',
        symbol: before.name,
        unit,
        message: `The compiler makes other code of ${before.name} with the patch, although its source is the same: ${why}`,
        hint: 'Build with --engine both to see whether it matters',
      },
    ]
  })
}
