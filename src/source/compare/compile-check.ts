// SPDX-License-Identifier: GPL-3.0-or-later
// The compiler is the judge of an extract: it must go through with the unit's own flags, without a warning that the
// unit itself does not cause, and each function must be the machine code that the unit has.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { macroHeaders } from '../../build/compiler/author-macros.ts'
import { runCompiler } from '../../build/compiler/compiler-run.ts'
import { type ObjectFile, readObject } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import { withScratch } from '../../ground/scratch.ts'
import { refusedFlag, refusedInput } from '../view/compiler-flags.ts'
import type { SourceUnit } from '../view/request.ts'
import { withoutSideOutputs } from '../view/unit-view.ts'
import { attributeFlag, readAttributes } from './function-attributes.ts'
import { compilesByItself, type Likeness, likenessOf, type Wanted, type Way } from './likeness.ts'

/** Flags with which each function and datum has a section of its own, and nothing hides the relocations. */
const divided = ['-ffunction-sections', '-fdata-sections', '-fno-lto']

export interface CompiledUnit {
  readonly object: ObjectFile
  /** What the compiler said about it. */
  readonly messages: string
}

interface Run {
  readonly ok: boolean
  readonly messages: string
  readonly object: () => Promise<ObjectFile>
}

async function compile(job: Job, unit: SourceUnit, input: string, own: readonly string[], dir: string): Promise<Run> {
  const output = path.join(dir, 'judged.o')
  const { ok, messages } = await runCompiler(
    job,
    unit.compiler,
    [...own, ...withoutSideOutputs(unit.flags), ...divided, '-c', '-o', output, input],
    { cwd: unit.cwd },
  )
  return {
    ok,
    messages,
    object: async () => readObject(await readFile(output), path.basename(input).replace(/\.c$/, '.o')),
  }
}

/**
 * Makes sure that a unit is C and compiles.
 * @throws Fault `usage/not-c`, `patch/does-not-compile`, `usage/unknown-flag`
 */
export async function compileUnit(job: Job, unit: SourceUnit): Promise<CompiledUnit> {
  refuseOtherLanguages(unit)
  return await withScratch(async (dir) => {
    const run = await compile(job, unit, unit.file, [], dir)
    if (run.ok) return { object: await run.object(), messages: run.messages }
    refusedFlag(unit, run.messages)
    refusedInput(unit, run.messages)
    const lines = run.messages.split('\n')
    const first = Math.max(
      lines.findIndex((line) => /\b[Ee]rror: /.test(line)),
      0,
    )
    throw new Fault('patch', 'does-not-compile', `${unit.file} does not compile`, {
      remedy: 'Check that the flags behind -- are those with which the file is compiled',
      detail: lines
        .slice(first, first + 3)
        .join('\n')
        .trimEnd(),
    })
  })
}

/** @throws Fault `usage/not-c` */
function refuseOtherLanguages({ file, compiler, flags }: SourceUnit): void {
  const language = flags.flatMap((flag, at) =>
    flag === '-x' ? (flags[at + 1] ?? []) : (/^-x(.+)/.exec(flag)?.[1] ?? []),
  )[0]
  const isOther =
    (language !== undefined && language !== 'c') ||
    /\.(?:cc|cp|cxx|cpp|c\+\+|C|CPP|hh|hpp|m|mm|f90|rs|s|S|o|a|so|ko)$/.test(file) ||
    /(?:g|clang|c)\+\+(?:-\d+)?$/.test(path.basename(compiler)) ||
    flags.some((flag) => /^-?-std=(?:c|gnu)\+\+/.test(flag))
  if (isOther)
    throw new Fault('usage', 'not-c', `${file} is no file in C, so no function can be cut out of it`, {
      remedy: 'Name a C file, and the C compiler behind --',
    })
}

/** Where the compiler speaks, without the place: `warning: unused variable ‘x’`. */
function warningsOf(messages: string): string[] {
  return messages.split('\n').flatMap((line) => /\b(?:warning|[Ee]rror): .*/.exec(line)?.[0] ?? [])
}

/**
 * Compiles an extract and says what the compiler has against it and not against the unit, and in which functions the
 * two are not the same.
 */
export async function checkExtract(
  job: Job,
  unit: SourceUnit,
  text: string,
  whole: CompiledUnit,
  wanted: readonly Wanted[],
): Promise<Finding[]> {
  const known = new Set(warningsOf(whole.messages))
  return await withScratch(async (dir) => {
    const file = path.join(dir, path.basename(unit.file))
    await writeFile(file, text, 'latin1')
    const own = ['-iquote', path.dirname(unit.file), ...macroHeaders().flags]
    const run = await compile(job, unit, file, own, dir)
    const said = [...new Set(warningsOf(run.messages))].filter((message) => !known.has(message))
    const findings = said.map((message): Finding => {
      const isError = /^[Ee]rror/.test(message)
      return {
        severity: isError ? 'error' : 'warning',
        rule: isError ? 'extract-does-not-compile' : 'extract-warns',
        unit: unit.file,
        message: `The compiler says about the extract: ${message.replace(/^(?:warning|[Ee]rror): /, '')}`,
      }
    })
    if (run.ok)
      return [...findings, ...(await differences(job, unit, file, own, whole, await run.object(), wanted, dir))]
    if (findings.some(({ severity }) => severity === 'error')) return findings
    const message = `The compiler does not take the extract: ${run.messages.trim().split('\n')[0]}`
    return [...findings, { severity: 'error', rule: 'extract-does-not-compile', unit: unit.file, message }]
  })
}

async function differences(
  job: Job,
  unit: SourceUnit,
  file: string,
  own: readonly string[],
  whole: CompiledUnit,
  extract: ObjectFile,
  wanted: readonly Wanted[],
  dir: string,
): Promise<Finding[]> {
  const again = async (way: Way) => {
    if (!compilesByItself(unit.compiler)) return undefined
    const dump = path.join(dir, 'attributes')
    const isolated: SourceUnit = { ...unit, flags: way(unit.flags) }
    const compileIsolated = async (input: string, flags: readonly string[]) => {
      const run = await compile(job, isolated, input, [...flags, attributeFlag(dump)], dir)
      return run.ok ? { object: await run.object(), attributes: await readAttributes(dump) } : undefined
    }
    const whole = await compileIsolated(unit.file, [])
    const extract = whole && (await compileIsolated(file, own))
    return whole && extract && { unit: whole, extract }
  }
  const likenesses = await likenessOf(
    { unit: whole.object, extract },
    wanted,
    again,
    undefined,
    // Copies of variables are told, or were asked for.
    () => true,
  )
  return wanted.flatMap(({ name }) => likenessFindings(unit.file, name, likenesses.get(name)))
}

/** Differences that the compiler may have chosen. The text may have made them, too, so a person looks at them. */
const chosen: ReadonlySet<string> = new Set<Likeness['code']>([
  'other-inlining',
  'other-split',
  'other-clone',
  'other-calls',
  'other-registers',
  'other-order-of-blocks',
  'other-section',
])

/** What is to be said about a function of an extract that is not what its unit has. */
export function likenessFindings(unit: string, symbol: string, likeness: Likeness | undefined): Finding[] {
  if (likeness === undefined || likeness.code === 'identical') return []
  const { code, explanation = 'the reason is not known' } = likeness
  const about = { symbol, unit }
  if (code === 'same-by-source')
    return [
      {
        ...about,
        severity: 'note',
        rule: 'same-by-source',
        message:
          `${symbol} is the same by its source, and the compiler makes other code of it among fewer ` +
          `functions: ${explanation}`,
      },
    ]
  if (code === 'missing')
    return [
      {
        ...about,
        severity: 'note',
        rule: 'not-compared',
        message:
          `${symbol} has no code of its own in ${unit}, so the extract can't be compared with it: ` + `${explanation}`,
      },
    ]
  return [
    {
      ...about,
      severity: chosen.has(code) ? 'warning' : 'error',
      rule: 'extract-differs',
      message: `The extract makes other code of ${symbol} than ${unit} (${code}): ${explanation}`,
      hint: 'Compare both by hand; where they do not do the same, report it as a fault of Inarch with the file',
    },
  ]
}
