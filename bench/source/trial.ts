// SPDX-License-Identifier: GPL-3.0-or-later
// One unit of a kernel, some of its functions: each is extracted, its extract compiled as the unit is, and the
// machine code compared with that of the whole unit.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { macroHeaders } from '../../src/build/compiler/author-macros.ts'
import type { Unit } from '../../src/build/kbuild/units.ts'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { type ObjectFile, readObject } from '../../src/elf/read.ts'
import { command } from '../../src/ground/command.ts'
import { Fault } from '../../src/ground/fault.ts'
import type { Job } from '../../src/ground/job.ts'
import { withScratch } from '../../src/ground/scratch.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { KernelNames } from '../../src/match/names.ts'
import { withoutAddedEndbr } from '../../src/module/engines/source-likeness.ts'
import { type Inlining, readInlining } from '../../src/source/change/ipa-clones.ts'
import { runningNames } from '../../src/source/change/running-names.ts'
import { attributeFlag, readAttributes } from '../../src/source/compare/function-attributes.ts'
import { type Likeness, likenessOf } from '../../src/source/compare/likeness.ts'
import { compareFunctions } from '../../src/source/compare/same-code.ts'
import { extractSource } from '../../src/source/extract/extraction.ts'
import type { SourceUnit } from '../../src/source/view/request.ts'
import { childrenTime } from './time.ts'

/** `identical`, a class of difference, or how far it came. */
export type Outcome = 'identical' | 'not-extracted' | 'refused' | 'does-not-compile' | Likeness['code']

export interface Trial {
  readonly name: string
  readonly outcome: Outcome
  /** Where the code differs: whether it is the same when each function is compiled by itself. */
  readonly isSameBySource?: boolean
  /** One sentence, or the compiler's message; empty when all is well. */
  readonly message: string
  /** A warning about the extract that the whole unit does not have. */
  readonly warning?: string
  /** Data that can be written of which the extract made a copy: always a mistake. */
  readonly copies: readonly string[]
  /** ms of the processor: the extraction itself, and the preprocessor that it ran. */
  readonly ms: { readonly extraction: number; readonly preprocessor: number }
  /** The extract, when there is one. */
  readonly text?: string
}

export interface UnitTrial {
  readonly source: string
  /** ms of the processor that the compiler needed for the whole unit. */
  readonly compiler: number
  readonly functions: readonly Trial[]
  /** Bytes: the most that the process held. */
  readonly memory: number
}

export interface Setting {
  readonly job: Job
  /** Gives the functions names of their own, as a live patch does. */
  readonly rename?: boolean
  readonly kernel: Kernel
  readonly names: KernelNames
}

/** How a unit is compiled here: without debug information, with a section for each function and datum. */
function flagsOf(unit: Unit): string[] {
  return [
    ...(unit.flags ?? []).filter((flag) => !flag.startsWith('-g')),
    '-ffunction-sections',
    '-fdata-sections',
    ...macroHeaders().flags,
  ]
}

interface Compiled {
  readonly object: ObjectFile
  readonly messages: string
}

/** @returns the object, or the compiler's messages */
async function compile(
  { job, kernel }: Setting,
  flags: readonly string[],
  input: string,
  dir: string,
  as = 'unit',
): Promise<Compiled | string> {
  const output = path.join(dir, `${as}.o`)
  const { exitCode, stderr } = await command(kernel.compiler.program, [...flags, '-c', '-o', output, input], {
    cwd: kernel.source,
    env: { TMPDIR: dir },
    signal: job.signal,
    allowFailure: true,
  })
  return exitCode === 0 ? { object: readObject(readFileSync(output), input), messages: stderr } : stderr
}

/** The functions that the C file defines, or a C file that it includes, by gcc's own account (-aux-info). */
function definedIn(account: string): ReadonlySet<string> {
  const found = new Set<string>()
  for (const line of account.split('\n')) {
    const [, file, name] = /^\/\* (.*):\d+:[NO]F \*\/ .*?(\w+) \(.*\);/.exec(line) ?? []
    if (file?.endsWith('.c') === true && name !== undefined) found.add(name)
  }
  return found
}

/**
 * Functions that can be tried: defined in C in the unit's own file or in one that it includes, with a symbol of their
 * own, and not gone after the start.
 */
function eligible(object: ObjectFile, defined: ReadonlySet<string>): string[] {
  return splitObject(object)
    .functions.filter(({ section }) => !/^\.(init|exit|head|ref)\.|^\.static_call/.test(section.name))
    .map(({ name }) => name)
    .filter((name) => defined.has(name))
}

/**
 * Compiles the unit and tries some of its functions.
 * @param choose from the names of all that can be tried
 * @returns undefined when the unit can't be compiled by itself, or has no such function
 */
export async function tryUnit(
  setting: Setting,
  unit: Unit,
  choose: (names: readonly string[]) => readonly string[],
): Promise<UnitTrial | undefined> {
  return await withScratch(async (dir) => {
    const flags = flagsOf(unit)
    const account = path.join(dir, 'functions')
    const clones = path.join(dir, 'clones')
    const start = childrenTime()
    const whole = await compile(
      setting,
      [...flags, '-aux-info', account, `-fdump-ipa-clones=${clones}`],
      unit.argument,
      dir,
    )
    const compiler = childrenTime() - start
    if (typeof whole === 'string') return undefined
    const names = choose(eligible(whole.object, definedIn(readFileSync(account, 'latin1'))))
    if (names.length === 0) return undefined
    const inlining = readInlining({ clones: readFileSync(clones, 'latin1'), remarks: '' })
    const functions: Trial[] = []
    for (const name of names) functions.push(await tryFunction(setting, unit, flags, whole, inlining, name, dir))
    return { source: unit.source, compiler, functions, memory: process.resourceUsage().maxRSS * 1024 }
  })
}

async function tryFunction(
  setting: Setting,
  unit: Unit,
  flags: readonly string[],
  whole: Compiled,
  inlining: Inlining,
  name: string,
  dir: string,
): Promise<Trial> {
  const { job, kernel, names } = setting
  const as = setting.rename === true ? `livepatch_${name}` : name
  const object = unit.modules[0] ?? 'vmlinux'
  const sourceUnit: SourceUnit = {
    file: unit.argument,
    cwd: kernel.source,
    compiler: kernel.compiler.program,
    flags,
  }
  const [before, childrenBefore] = [process.cpuUsage(), childrenTime()]
  const spent = () => {
    const { user, system } = process.cpuUsage(before)
    return { extraction: (user + system) / 1000, preprocessor: childrenTime() - childrenBefore }
  }
  let text: string
  try {
    const running = runningNames({
      object,
      code: whole.object,
      count: (symbol) => names.symbols(object, symbol).length,
      // Nothing is loaded here, so any will do.
      positionOf: () => 1,
      extracted: { names: [name], inlining },
    })
    const extracted = await extractSource(job, {
      unit: sourceUnit,
      functions: [name],
      ...running,
      rename: (one) => (one === name ? as : one),
      privateCopy: (one) => `livepatch_${one}`,
      includes: 'keep',
    })
    const error = extracted.findings.find(({ severity }) => severity === 'error')
    if (error !== undefined)
      return {
        name,
        outcome: 'refused',
        message: `${error.rule}: ${error.message}`,
        copies: [],
        ms: spent(),
        text: extracted.text,
      }
    text = extracted.text
  } catch (error) {
    if (job.signal.aborted) throw error
    const message = error instanceof Fault ? `${error.code}: ${error.message}` : String((error as Error).stack)
    return { name, outcome: 'not-extracted', message, copies: [], ms: spent() }
  }
  const ms = spent()
  const file = path.join(dir, `${path.basename(unit.source, '.c')}-${name}.c`)
  await writeFile(file, text, 'latin1')
  const result = await compile(setting, [...flags, '-iquote', path.dirname(unit.argument)], file, dir)
  if (typeof result === 'string')
    return { name, outcome: 'does-not-compile', message: firstMessage(result, 'error'), copies: [], ms, text }
  const warning = newWarning(whole.messages, result.messages)
  const wanted = [{ name, as }]
  const sides = withoutAddedEndbr({ unit: whole.object, extract: result.object }, wanted)
  // A copy that the compiler took in has a name of its own, too.
  const nameOf = (symbol: string) => (symbol === as ? name : symbol.replace(/^livepatch_/, ''))
  const agreement = compareFunctions(sides.unit, sides.extract, wanted, nameOf).get(name)!
  const [likeness] = (
    await likenessOf(
      sides,
      wanted,
      async (way) => {
        const beside = ['-iquote', path.dirname(unit.argument)]
        const alone = async (input: string, as: string, more: readonly string[] = []) => {
          const dump = path.join(dir, `${as}.attributes`)
          const compiled = await compile(setting, [...way(flags), attributeFlag(dump), ...more], input, dir, as)
          return typeof compiled === 'string'
            ? undefined
            : { object: compiled.object, attributes: await readAttributes(dump) }
        }
        const [one, other] = await Promise.all([alone(unit.argument, 'whole'), alone(file, 'own', beside)])
        if (one === undefined || other === undefined) return undefined
        const plain = withoutAddedEndbr({ unit: one.object, extract: other.object }, wanted)
        return { unit: { ...one, object: plain.unit }, extract: { ...other, object: plain.extract } }
      },
      nameOf,
    )
  ).values()
  const copies = agreement.carried.filter((one) => one.class === 'second-copy').map((one) => one.name)
  const found = { name, copies, ms, text, ...(warning === undefined ? {} : { warning }) }
  const said = likeness?.code
  if (agreement.identical && (said === 'other-section' || said === 'other-attributes'))
    return { ...found, outcome: said, message: likeness?.explanation ?? '' }
  return agreement.identical
    ? { ...found, outcome: 'identical', message: '' }
    : {
        ...found,
        outcome: agreement.class,
        message: agreement.message,
        isSameBySource: likeness?.code === 'same-by-source',
      }
}

function firstMessage(messages: string, kind: string): string {
  const lines = messages.split('\n')
  const first = lines.findIndex((line) => line.includes(`${kind}: `))
  return lines.slice(Math.max(first, 0), Math.max(first, 0) + 3).join('\n')
}

/** A warning about the extract that the whole unit does not have. */
function newWarning(before: string, after: string): string | undefined {
  const said = (messages: string) => messages.split('\n').filter((line) => line.includes('warning: '))
  const text = (line: string) => line.slice(line.indexOf('warning: '))
  const known = new Set(said(before).map(text))
  return said(after).find((line) => !known.has(text(line)))
}
