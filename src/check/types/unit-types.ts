// SPDX-License-Identifier: GPL-3.0-or-later
// The types of a unit on both sides of a patch, as its own compiler lays them out: BTF, from the unit's text behind the
// preprocessor with every function's body emptied. Types and prototypes are the same without the bodies, and the
// compiler, which spends nearly all of its time in them, is done in a tenth of it. Types that are declared inside of
// functions are left out so, and rightly: no data that are there have them.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import type { BuildTrees } from '../../build/compiler/compile-unit.ts'
import { runCompiler } from '../../build/compiler/compiler-run.ts'
import type { Unit } from '../../build/kbuild/units.ts'
import type { Outline } from '../../c/expanded/outline.ts'
import { readObject } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import type { StudiedUnit, Subject } from '../subject/subject.ts'
import { type Btf, readBtf } from './btf/read.ts'
import { type UnitTexts, unitTexts } from './unit-outlines.ts'

export interface UnitTypes {
  readonly before: Btf
  readonly after: Btf
}

/** A name with a number that makes it the only one; here all have the same number, so that both sides are alike. */
const numbered = /\b__UNIQUE_ID_\w+/g

/**
 * The text with every function's body emptied, and with what the kernel's macros number apart again by the place where
 * it stands.
 */
export function withoutBodies({ text, items }: Outline): string {
  const parts: string[] = []
  let from = 0
  for (const [index, { start, body, end }] of items.entries()) {
    const head = text.slice(start, body ?? end)
    parts.push(text.slice(from, start))
    parts.push(head.includes('__UNIQUE_ID_') ? head.replace(numbered, (name) => `${name}_${index}`) : head)
    if (body !== undefined) parts.push('{}')
    from = end
  }
  parts.push(text.slice(from))
  return parts.join('')
}

/**
 * @returns undefined when the compiler can't write BTF (gcc can from 12 on), or writes some that can't be read: gcc
 *   12 loses count where a struct has a vector in it
 */
export async function compileTypes(
  job: Job,
  bench: BuildTrees,
  unit: Unit,
  side: 'before' | 'after',
  text: Outline,
): Promise<Btf | undefined> {
  const base = path.join(bench.dir, 'types', side, unit.object)
  await mkdir(path.dirname(base), { recursive: true })
  const input = `${base}.i`
  await writeFile(input, withoutBodies(text), 'latin1')
  const flags = (unit.flags ?? []).filter((flag) => !/^-[gO]/.test(flag))
  // What no code uses counts, too: the bodies are gone.
  const asked = ['-w', '-O0', '-gbtf', '-fno-eliminate-unused-debug-types', '-fpreprocessed']
  const { ok } = await runCompiler(job, bench.kernel.compiler.program, [...flags, ...asked, '-c', '-o', base, input], {
    cwd: bench.kernel.source,
    temporary: path.join(bench.dir, 'tmp'),
  })
  const bytes = ok ? await readFile(base).catch(() => undefined) : undefined
  await Promise.all([rm(input, { force: true }), rm(base, { force: true })])
  const section = bytes && readObject(bytes, unit.object).sections.find(({ name, size }) => name === '.BTF' && size > 0)
  if (section === undefined) return undefined
  try {
    return readBtf(section.data, `${unit.source} (${side})`)
  } catch (error) {
    if (error instanceof Fault && error.code === 'unreadable-btf') return undefined
    throw error
  }
}

/** As many compilers at a time as there are processors, whichever rule asks. */
const limit = pLimit(os.availableParallelism())

/** @returns undefined when the compiler does not tell the types of one of the sides */
export async function compileBothTypes(
  job: Job,
  bench: BuildTrees,
  unit: Unit,
  texts: UnitTexts,
): Promise<UnitTypes | undefined> {
  const [before, after] = await Promise.all([
    limit(() => compileTypes(job, bench, unit, 'before', texts.before)),
    limit(() => compileTypes(job, bench, unit, 'after', texts.after)),
  ])
  return before === undefined || after === undefined ? undefined : { before, after }
}

async function findTypes(studied: StudiedUnit, job: Job, subject: Subject): Promise<UnitTypes | undefined> {
  return compileBothTypes(job, subject.bench, studied.unit, await unitTexts(job, subject, studied))
}

/** A unit's types on both sides; undefined when the compiler does not tell them. */
export function unitTypes(job: Job, subject: Subject, studied: StudiedUnit): Promise<UnitTypes | undefined> {
  return subject.facts.once(findTypes, studied, job, subject)
}
