// SPDX-License-Identifier: GPL-3.0-or-later
// Compiles one side of a unit, before or after the patch, with the arguments that kbuild uses, but with
// a section for each function and datum, and without debug information, which changes no code, takes
// a tenth of the time and makes nine tenths of the object. objtool is left to whoever makes a module of the objects.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { FileChange, Origin } from '../patch/patch.ts'
import { asking, ipaFormat, keepDump, readAnswer } from './ipa-record.ts'
import { keepLineNumbers } from './lines.ts'
import { macroHeaders } from './macros.ts'
import { loadObject, storeObject } from './object-cache.ts'
import { makeShadow, type ShadowFile } from './shadow.ts'
import type { Unit } from './units.ts'

/** The compiler's arguments for a unit, without the object to write. */
function compileArguments(unit: Unit): string[] {
  if (unit.flags === undefined)
    throw new Fault(
      'environment',
      'command-needs-shell',
      `kbuild compiles ${unit.source} with a shell command that Inarch can't read`,
    )
  const flags = unit.flags.filter((flag) => !/^-g/.test(flag))
  return [...flags, '-ffunction-sections', '-fdata-sections', '-c', unit.argument]
}

/** How one side of one unit is compiled, and how its object is recognised in the cache. */
export interface Compilation {
  readonly unit: Unit
  readonly cwd: string
  readonly output: string
  /** Undefined when the object must not be kept: the source may change without notice. */
  readonly key: string | undefined
  /** Where the compiler puts its temporary files. */
  readonly temporary: string
}

function digest(parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part, 'latin1')
  return hash.digest('hex')
}

export interface CompilerRun {
  readonly ok: boolean
  readonly messages: string
}

async function runCompiler(job: Job, kernel: Kernel, compilation: Compilation): Promise<CompilerRun> {
  await mkdir(path.dirname(compilation.output), { recursive: true })
  const args = [...compileArguments(compilation.unit), ...macroHeaders().flags, '-o', compilation.output]
  const result = await command(kernel.compiler.program, args, {
    cwd: compilation.cwd,
    env: { TMPDIR: compilation.temporary },
    signal: job.signal,
    allowFailure: true,
  })
  return { ok: result.exitCode === 0, messages: result.stderr }
}

/** Gets one object from the cache or the compiler. */
async function compile(job: Job, kernel: Kernel, compilation: Compilation): Promise<CompilerRun> {
  if (compilation.key !== undefined) {
    const kept = await loadObject(compilation.key)
    if (kept !== undefined) {
      await mkdir(path.dirname(compilation.output), { recursive: true })
      await writeFile(compilation.output, kept)
      return { ok: true, messages: '' }
    }
  }
  const run = await runCompiler(job, kernel, compilation)
  if (run.ok && compilation.key !== undefined)
    await storeObject(compilation.key, await readFile(compilation.output))
  return run
}

/** The compiler's messages from the first error on, at most 30 lines of them. */
export function errorLines(messages: string): string {
  const lines = messages.trimEnd().split('\n')
  const first = lines.findIndex((line) => /\berror: /.test(line))
  return lines.slice(Math.max(0, first), Math.max(0, first) + 30).join('\n')
}

const missingFile = /fatal error: ([^:\n]+): No such file or directory/

function sourceError(kernel: Kernel, unit: Unit, messages: string): Fault {
  const missing = missingFile.exec(messages)?.[1]
  if (missing !== undefined)
    return new Fault(
      'environment',
      'generated-file-missing',
      `${unit.source} includes ${missing}, which is not in the source of ${kernel.release} and which kbuild did not generate`,
      {
        detail: errorLines(messages),
        remedy: 'Use --build-dir with a built tree of this kernel',
      },
    )
  return new Fault(
    'environment',
    'source-does-not-compile',
    `${unit.source} does not compile even without the patch`,
    {
      detail: errorLines(messages),
      remedy: `Check that ${kernel.compiler.program} is ${kernel.compiler.versionText}`,
    },
  )
}

/** Maps the first error of the patched side to the patch's own line. */
function patchError(unit: Unit, changes: readonly FileChange[], messages: string): Fault {
  const error = /^([^\s:][^:\n]*):(\d+):(?:\d+:)? (?:fatal )?error: (.*)$/m.exec(messages)
  const options = { detail: errorLines(messages) }
  if (error === null)
    return new Fault('patch', 'compile-error', `${unit.source} does not compile with the patch`, options)
  const [, file, line, message] = error as unknown as [string, string, string, string]
  const change = changes.find((one) => path.posix.normalize(file) === one.path)
  const origin = change === undefined ? undefined : nearestOrigin(change.origins, Number(line))
  const place =
    origin === undefined
      ? `${file}:${line}`
      : origin.exact
        ? `${origin.patch}:${origin.line}`
        : `${file}:${line}, near ${origin.patch}:${origin.line}`
  return new Fault('patch', 'compile-error', `${place}: ${message}`, options)
}

/** What wrote a line, or what wrote a line close above or below it: a lost brace is noticed later. */
function nearestOrigin(
  origins: ReadonlyMap<number, Origin>,
  line: number,
): (Origin & { readonly exact: boolean }) | undefined {
  for (let distance = 0; distance <= 20; distance++)
    for (const candidate of [line - distance, line + distance]) {
      const origin = origins.get(candidate)
      if (origin !== undefined) return { ...origin, exact: distance === 0 }
    }
  return undefined
}

/** What the shadow has of its own: the changed files, with their lines numbered as before or not. */
export function shadowFiles(
  kernel: Kernel,
  units: readonly Unit[],
  changes: readonly FileChange[],
  numbered: boolean,
): ShadowFile[] {
  const changed = changes.map((change): ShadowFile => {
    const { after, lineage } = change
    const text =
      numbered && after !== undefined && /\.[ch]$/.test(change.path) ? keepLineNumbers(after, lineage) : after
    return { path: change.path, text }
  })
  // A unit that only includes a changed file must lie in a real directory, or its `../` would lead into
  // the original tree.
  const including = units
    .map((unit) => unit.source)
    .filter((source) => !changes.some((change) => change.path === source))
    .map((source) => ({ path: source, text: readFileSync(path.join(kernel.source, source), 'latin1') }))
  return [...changed, ...including]
}

/** Both trees and what their objects depend on; shared by all units of one call. */
export interface Bench {
  readonly kernel: Kernel
  readonly changes: readonly FileChange[]
  readonly dir: string
  readonly shadow: string
  /** Directories that every shadow needs as real ones, because paths lead through them and back up. */
  readonly climbed: readonly string[]
  readonly identity: string
  /** What kbuild generates for a unit; made once. */
  readonly generated: (unit: Unit) => Promise<readonly ShadowFile[]>
}

/** One side of one unit; `own` are the files in which the side differs from the source tree. */
export async function compileSide(
  job: Job,
  bench: Bench,
  unit: Unit,
  compilation: Compilation,
  own: readonly ShadowFile[],
): Promise<CompilerRun> {
  const { kernel } = bench
  const run = await compile(job, kernel, compilation)
  if (run.ok || !missingFile.test(run.messages)) return run
  const generated = await bench.generated(unit)
  if (generated.length === 0) return run
  const tree = `${compilation.output}.tree`
  makeShadow(kernel.source, tree, [...generated, ...own], bench.climbed)
  return await compile(job, kernel, { ...compilation, cwd: tree })
}

/** The unit's object before the patch. */
export async function compileBefore(job: Job, bench: Bench, unit: Unit): Promise<string> {
  const { kernel, dir } = bench
  const output = path.join(dir, 'before', unit.object)
  const compilation: Compilation = {
    unit: asking(unit, kernel.compiler, output),
    cwd: kernel.source,
    output,
    key: keyOf(bench, unit, []),
    temporary: path.join(dir, 'tmp'),
  }
  const run = await compileSide(job, bench, unit, compilation, [])
  if (!run.ok) throw sourceError(kernel, unit, run.messages)
  const dump = await readAnswer(kernel.compiler, output, run.messages)
  // Empty when the object came from the cache.
  if (dump.clones !== '' || dump.remarks !== '') await keepDump(keyOf(bench, unit, [ipaFormat]), output, dump)
  return output
}

/** The unit's object after the patch. */
export async function compileAfter(job: Job, bench: Bench, unit: Unit): Promise<string> {
  const { kernel, dir, changes } = bench
  const compilation: Compilation = {
    unit,
    cwd: bench.shadow,
    output: path.join(dir, 'after', unit.object),
    key: keyOf(
      bench,
      unit,
      changes.flatMap((change) => [change.path, change.after ?? '']),
    ),
    temporary: path.join(dir, 'tmp'),
  }
  const run = await compileSide(job, bench, unit, compilation, shadowFiles(kernel, [unit], changes, true))
  if (run.ok) return compilation.output
  // Said again with the lines as they are, not as the #line directives have them. If it compiles then,
  // the directives were to blame, and an object with other line numbers is still right.
  const files = shadowFiles(kernel, [unit], changes, false)
  const plain = path.join(dir, 'plain', unit.object)
  makeShadow(kernel.source, plain, files, bench.climbed)
  const again = await compileSide(job, bench, unit, { ...compilation, cwd: plain, key: undefined }, files)
  if (!again.ok) throw patchError(unit, changes, again.messages)
  return compilation.output
}

/** A kernel from the archive never changes; a build directory may, behind our back. */
export function keyOf(bench: Bench, unit: Unit, content: readonly string[]): string | undefined {
  const { kernel } = bench
  if (kernel.origin !== 'debian') return undefined
  return digest([
    kernel.release,
    kernel.version,
    bench.identity,
    unit.source,
    ...compileArguments(unit),
    '\0',
    ...content,
  ])
}
