// SPDX-License-Identifier: GPL-3.0-or-later
// Compiles what stands for a unit of the kernel without being a patched copy of it: the unit as the kernel has it, and
// the C files of a live patch's source, with the flags of the unit they belong to.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Job } from '../ground/job.ts'
import { remembered } from '../ground/values/remembered.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { macroHeaders } from './compiler/author-macros.ts'
import { type BuildTrees, compileSide } from './compiler/compile-unit.ts'
import { compilerIdentity } from './compiler/compiler.ts'
import type { CompilerRun } from './compiler/compiler-run.ts'
import { InputTree } from './compiler/inputs.ts'
import { climbedDirectories } from './headers/header-units.ts'
import { openSurvey } from './headers/survey.ts'
import { generatedFor } from './kbuild/generated.ts'
import { makeShadow, type ShadowFile } from './kbuild/shadow-tree.ts'
import type { Unit, Units } from './kbuild/units.ts'

/** A bench on which nothing is patched. @param dir an empty directory for the objects */
export async function openBuildTrees(job: Job, kernel: Kernel, known: Units, dir: string): Promise<BuildTrees> {
  const since = Date.now()
  await mkdir(path.join(dir, 'tmp'), { recursive: true })
  return {
    kernel,
    known,
    changes: [],
    dir,
    shadow: kernel.source,
    climbed: [],
    identity: `${await compilerIdentity(kernel.compiler)} ${macroHeaders().digest}`,
    inputs: new InputTree(kernel.source),
    since,
    meanwhile() {},
    generated: remembered((unit) => generatedFor(job, kernel, unit)),
  }
}

/** Where C files of our own are compiled. */
export interface Tree {
  readonly tree: string
  /** The files in which it differs from the kernel's source. */
  readonly own: readonly ShadowFile[]
}

/**
 * The tree in which C files of our own are compiled: the kernel's source, with other headers in the place of some.
 * @param headers by their paths in the tree
 * @param used the units whose flags are used
 */
export async function treeWithHeaders(
  job: Job,
  bench: BuildTrees,
  units: Units,
  headers: readonly ShadowFile[],
  used: readonly Unit[],
): Promise<Tree> {
  if (headers.length === 0) return { tree: bench.kernel.source, own: [] }
  // A directory that is a link would lead `../` out of the tree.
  const beside = used.map(({ source }) => ({ path: `${path.posix.dirname(source)}/.inarch`, text: '' }))
  const own = [...headers, ...new Map(beside.map((file) => [file.path, file])).values()]
  const tree = path.join(bench.dir, 'tree')
  const climbed = climbedDirectories(
    await openSurvey(job, bench.kernel, units),
    used.map(({ source }) => source),
  )
  makeShadow(bench.kernel.source, tree, own, climbed)
  return { tree, own }
}

/**
 * Compiles a C file with the flags of a unit, as if it stood beside that unit.
 * @param file absolute path
 * @param output where the object goes
 * @throws Fault `environment/command-needs-shell`
 */
export async function compileAs(
  job: Job,
  bench: BuildTrees,
  unit: Unit,
  file: string,
  output: string,
  { tree, own }: Tree,
): Promise<CompilerRun> {
  const { flags = [], source, argument } = unit
  const isSanitized = flags.some((flag) => flag.startsWith('-fsanitize='))
  const compiled = isSanitized ? await underOtherName(file, argument, `${output}.c`) : file
  // A copy does not lie beside what its file includes.
  const around = isSanitized ? ['-iquote', path.dirname(file)] : []
  const beside = [...around, '-iquote', path.posix.dirname(source)]
  // Warnings that print their place say the unit's, as before.
  const place = `-fmacro-prefix-map=${file}=${argument}`
  const stand: Unit =
    unit.flags === undefined ? unit : { ...unit, argument: compiled, flags: [...flags, ...beside, place] }
  const run = await compileSide(
    job,
    bench,
    stand,
    {
      unit: stand,
      cwd: tree,
      output,
      key: undefined,
      temporary: path.join(bench.dir, 'tmp'),
      mayRead: [macroHeaders().dir, path.dirname(file), path.dirname(compiled)],
    },
    own,
  )
  if (!isSanitized) return run
  return {
    ...run,
    messages: run.messages
      .split('\n')
      .map((line) => underOwnName(line, argument, file))
      .join('\n'),
  }
}

/** A line of the compiler's messages, which begins with a place or says from where a file is included. */
export function underOwnName(line: string, name: string, file: string): string {
  const [lead = ''] = /^(?:In file included from | +from )?/.exec(line) ?? []
  return line.startsWith(`${name}:`, lead.length) ? `${lead}${file}${line.slice(lead.length + name.length)}` : line
}

/**
 * What UBSAN tells of a place has the name of the compiled file, which no option of gcc maps: the file under the name
 * of the unit.
 */
async function underOtherName(file: string, name: string, copy: string): Promise<string> {
  await mkdir(path.dirname(copy), { recursive: true })
  await writeFile(copy, `# 1 "${name}"\n${await readFile(file, 'latin1')}`, 'latin1')
  return copy
}
