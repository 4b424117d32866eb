// SPDX-License-Identifier: GPL-3.0-or-later
// Holds each function of a live patch's source against the same function of the patched unit, before anything is
// delivered: the same machine code, or the same when the compiler looks at each function by itself.
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { compileSide, shadowFiles } from '../../build/compiler/compile-unit.ts'
import type { Unit } from '../../build/kbuild/units.ts'
import { stem } from '../../diff/object/compiler-names.ts'
import { readObject } from '../../elf/read.ts'
import type { Job } from '../../ground/job.ts'
import type { SourceChange } from '../../source/change/source-change.ts'
import { attributeFlag, readAttributes } from '../../source/compare/function-attributes.ts'
import type { BothSides } from '../../source/compare/likeness.ts'
import {
  byItself,
  compilesByItself,
  type IsolatedCompilation,
  type Likeness,
  likenessOf,
  type Way,
} from '../../source/compare/likeness.ts'
import { compareFunctions } from '../../source/compare/same-code.ts'
import type { PlannedFunction } from '../../source/directory/plan.ts'
import { hasEndbr, withoutEndbr } from '../link/without-endbr.ts'
import type { CompiledFix } from '../manifest/request.ts'
import type { SourceObject } from './source-objects.ts'
import type { WrittenSource } from './written-source.ts'

/** A replaced function, by its unit and its symbol. */
export function likenessKey({ unit, oldName }: Pick<PlannedFunction, 'unit' | 'oldName'>): string {
  return `${unit} ${oldName}`
}

/**
 * @param objects the compiled files of the source
 * @returns by `likenessKey`
 */
export async function sourceLikeness(
  job: Job,
  fix: CompiledFix,
  { source, provenance, replacements, changes, tree }: WrittenSource,
  objects: readonly SourceObject[],
): Promise<ReadonlyMap<string, Likeness>> {
  const found = new Map<string, Likeness>()
  const names = new Map(replacements.map(({ oldName, replacement }) => [replacement, oldName]))
  for (const { unit, file, compiled: extract } of objects) {
    const isNew = isNewIn(changes.find((one) => one.unit === unit))
    const pair = fix.compiled.pairs.find((one) => one.unit === unit)
    const planned = replacements.filter((one) => one.unit === unit)
    if (pair === undefined || planned.length === 0) continue
    const wanted = planned.map(({ oldName, replacement }) => ({ name: oldName, as: replacement }))
    const likenesses = await likenessOf(
      withoutAddedEndbr({ unit: readObject(readFileSync(pair.after), `${unit} (after)`), extract }, wanted),
      wanted,
      async (way) => {
        const compile = compilerByItself(job, fix, unit, way)
        const [whole, part] = await Promise.all([compile?.(tree), compile?.(tree, path.join(source.dir, file))])
        if (whole === undefined || part === undefined) return undefined
        const plain = withoutAddedEndbr({ unit: whole.object, extract: part.object }, wanted)
        return { unit: { ...whole, object: plain.unit }, extract: { ...part, object: plain.extract } }
      },
      (symbol) => names.get(symbol) ?? symbol,
      (name, of) => provenance.own.get(unit)?.has(stem(name)) === true || (of.length > 0 && of.every(isNew)),
    )
    for (const one of planned) {
      const likeness = likenesses.get(one.oldName)
      if (likeness !== undefined) found.set(likenessKey(one), likeness)
    }
  }
  return found
}

/** Whether a symbol of the patched unit is a variable that the running kernel has not: also that of a new function. */
function isNewIn(change: SourceChange | undefined): (symbol: string) => boolean {
  if (change === undefined) return () => false
  const { after, correlation } = change.compared
  const symbols = new Set(
    after.data
      .filter((atom) => correlation.counterpartOf(atom) === undefined && !correlation.ambiguous.has(atom))
      .map(({ name }) => name),
  )
  return (symbol) => symbols.has(symbol)
}

/** Compiles the unit as a tree has it, or a file in its place. */
type Compiler = (tree: string, file?: string) => Promise<IsolatedCompilation | undefined>

/** A function whose address the wrapper has begins with a landing pad, also where it was private. */
export function withoutAddedEndbr(
  { unit, extract }: BothSides,
  wanted: readonly { name: string; as: string }[],
): BothSides {
  const onlyHere = wanted.filter(({ name, as }) => hasEndbr(extract, as) && !hasEndbr(unit, name))
  return { unit, extract: withoutEndbr(extract, new Set(onlyHere.map(({ as }) => as))) }
}

/**
 * Of functions whose code the fix changes, those that it does not change when the compiler looks at each by itself:
 * only what it takes in, or knows of its callers, is other than before.
 */
export async function unchangedByThemselves(
  job: Job,
  fix: CompiledFix,
  unit: string,
  names: readonly string[],
  tree: string,
): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set()
  const compile = compilerByItself(job, fix, unit, (flags) => [...flags, ...byItself])
  const [before, after] = await Promise.all([compile?.(fix.kernel.source), compile?.(tree)])
  if (before === undefined || after === undefined) return new Set()
  const agreements = compareFunctions(
    before.object,
    after.object,
    names.map((name) => ({ name, as: name })),
  )
  return new Set(names.filter((name) => agreements.get(name)?.identical === true))
}

/** What compiles a unit in a tree, or a file in its place, each function by itself. */
function compilerByItself(
  job: Job,
  { kernel, dir, compiled: { bench } }: CompiledFix,
  source: string,
  way: Way,
): Compiler | undefined {
  if (!compilesByItself(kernel.compiler.program)) return undefined
  const unit = bench.known.find(source).find(({ home }) => home !== 'elsewhere')
  if (unit?.flags === undefined) return undefined
  const place = path.join(dir, 'by-itself')
  mkdirSync(place, { recursive: true })
  const part = mkdtempSync(path.join(place, `${source.replaceAll('/', '-')}-`))
  let number = 0
  return async (tree: string, file?: string): Promise<IsolatedCompilation | undefined> => {
    const output = path.join(part, `${++number}.o`)
    const attributes = `${output}.attributes`
    const flags = [...way(unit.flags!), attributeFlag(attributes)]
    const own = tree === kernel.source ? [] : shadowFiles(kernel, [unit], bench.changes, false)
    const one: Unit =
      file === undefined
        ? { ...unit, flags }
        : {
            ...unit,
            argument: file,
            flags: [...flags, '-iquote', path.posix.dirname(source), `-fmacro-prefix-map=${file}=${unit.argument}`],
          }
    const compilation = {
      unit: one,
      cwd: tree,
      output,
      key: undefined,
      temporary: path.join(bench.dir, 'tmp'),
    }
    const { ok } = await compileSide(job, bench, one, compilation, own)
    return ok
      ? { object: readObject(readFileSync(output), source), attributes: await readAttributes(attributes) }
      : undefined
  }
}
