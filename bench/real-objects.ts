// SPDX-License-Identifier: GPL-3.0-or-later
// Real objects for the benchmarks and the fuzzer: units of a kernel compiled as `inarch build` compiles
// them, kept in the cache, and joined to larger objects by the linker, as link-time optimisation does.
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import { generatedFor } from '../src/build/kbuild/generated.ts'
import { askKbuild } from '../src/build/kbuild/kbuild.ts'
import { makeShadow, type ShadowFile } from '../src/build/kbuild/shadow-tree.ts'
import { openUnits, type Unit } from '../src/build/kbuild/units.ts'
import { cacheRoot } from '../src/ground/cache.ts'
import { command } from '../src/ground/command.ts'
import type { Job } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import type { Kernel } from '../src/kernel/kernel.ts'

/** Where the objects of a kernel are kept. */
export function objectsRoot(kernel: Kernel): string {
  return path.join(cacheRoot(), 'bench', kernel.release)
}

/** The sources of every unit that is part of vmlinux, in the order of their objects' names. */
export async function vmlinuxSources(job: Job, kernel: Kernel): Promise<string[]> {
  const { units: answers } = await askKbuild(job, kernel)
  const sources = answers
    .filter(({ kind, object }) => (kind === 'y' || kind === 'l') && object.endsWith('.o'))
    .sort((a, b) => (a.object < b.object ? -1 : 1))
    .map(({ source }) => path.posix.normalize(source))
  return [...new Set(sources)]
}

export interface CompileOptions {
  /** The other side of pairs: what becomes of a unit's text; undefined leaves the unit out. */
  readonly edit?: (text: string) => string | undefined
  /** How many compilers run at the same time; as many as there are processors by default. */
  readonly jobs?: number
  readonly onProgress?: (done: number, of: number) => void
}

/**
 * Compiles units, without debug information, with a section for each function and datum. What was
 * compiled before is taken as it is. Units that can't be compiled by themselves are left out.
 * @returns the object of each source, in the order of `sources`
 */
export async function compileReal(
  job: Job,
  kernel: Kernel,
  sources: readonly string[],
  options: CompileOptions = {},
): Promise<Map<string, string>> {
  const { edit, jobs = os.availableParallelism(), onProgress } = options
  const units = await openUnits(job, kernel)
  const root = path.join(objectsRoot(kernel), edit === undefined ? 'plain' : 'edited')
  const limit = pLimit(jobs)
  let done = 0
  const objects = await Promise.all(
    sources.map((source) =>
      limit(async () => {
        const unit = units.find(source).find(({ home }) => home !== 'elsewhere')
        const object = unit === undefined ? undefined : await compileOne(job, kernel, unit, edit, root)
        onProgress?.(++done, sources.length)
        return object
      }),
    ),
  )
  return new Map(
    sources.flatMap((source, index) => {
      const object = objects[index]
      return object === undefined ? [] : [[source, object] as const]
    }),
  )
}

async function compileOne(
  job: Job,
  kernel: Kernel,
  unit: Unit,
  edit: CompileOptions['edit'],
  root: string,
): Promise<string | undefined> {
  const kept = path.join(root, unit.object)
  if (existsSync(kept)) return kept
  if (unit.flags === undefined) return undefined
  const changes: ShadowFile[] = []
  if (edit !== undefined) {
    const source = path.join(kernel.source, unit.source)
    // The build generates it.
    if (!existsSync(source)) return undefined
    const text = edit(await readFile(source, 'latin1'))
    if (text === undefined) return undefined
    changes.push({ path: unit.source, text })
  }
  const flags = [...unit.flags.filter((flag) => !flag.startsWith('-g')), '-ffunction-sections', '-fdata-sections']
  return await withScratch(async (dir) => {
    const object = path.join(dir, 'unit.o')
    const compile = async (files: readonly ShadowFile[]) => {
      const tree = path.join(dir, `tree${files.length}`)
      if (files.length > 0) makeShadow(kernel.source, tree, files)
      const { exitCode } = await command(kernel.compiler.program, [...flags, '-c', '-o', object, unit.argument], {
        cwd: files.length > 0 ? tree : kernel.source,
        env: { TMPDIR: dir },
        signal: job.signal,
        allowFailure: true,
      })
      return exitCode === 0
    }
    if (!(await compile(changes))) {
      const generated = await generatedFor(job, kernel, unit)
      if (generated.length === 0 || !(await compile([...generated, ...changes]))) return undefined
    }
    mkdirSync(path.dirname(kept), { recursive: true })
    renameSync(object, kept)
    return kept
  })
}

/** Changes what the last function of a text returns; undefined when it has none that can be changed so. */
export function changeLastReturn(text: string): string | undefined {
  const at = text.lastIndexOf('\treturn 0;\n')
  return at < 0 ? undefined : `${text.slice(0, at)}\treturn 7;\n${text.slice(at + '\treturn 0;\n'.length)}`
}

/** Joins objects to one relocatable object, sections of the same name side by side (`ld -r`). */
export async function linkReal(job: Job, objects: readonly string[], output: string): Promise<void> {
  mkdirSync(path.dirname(output), { recursive: true })
  await command('ld', ['-r', '-m', 'elf_x86_64', '-z', 'noexecstack', '-o', output, ...objects], {
    signal: job.signal,
  })
}
