// SPDX-License-Identifier: GPL-3.0-or-later
// Compiles the source of a live patch: each C file with the flags of the unit that it stands for, the wrapper with
// those of a module; and beside them the units as the kernel has them, by which is judged what the names mean.
import { readFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import { objections } from '../../build/classify-changes.ts'
import { errorLines } from '../../build/compiler/compile-errors.ts'
import { compileBefore } from '../../build/compiler/compile-unit.ts'
import type { CompilerRun } from '../../build/compiler/compiler-run.ts'
import type { Unit, Units } from '../../build/kbuild/units.ts'
import { compileAs, openBuildTrees, treeWithHeaders } from '../../build/unpatched-units.ts'
import { type SplitObject, splitObject } from '../../diff/object/split-object.ts'
import { type ObjectFile, readObject } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import { inputKinds, readInput } from '../../ground/input.ts'
import type { Job } from '../../ground/job.ts'
import { checkCompiler } from '../../kernel/compiler.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { headersDirectory, type SourceDirectory, wrapperFile } from '../../source/directory/layout.ts'
import { moduleNameOf } from '../manifest/output.ts'
import type { Template } from '../structures/template.ts'

/** A C file of the directory, compiled. */
export interface SourceObject {
  /** Name in the directory. */
  readonly file: string
  /** The unit that it stands for, as a path in the kernel's tree. */
  readonly unit: string
  /** The kernel object that has the unit: `vmlinux` or a module. */
  readonly object: string
  readonly compiled: ObjectFile
  /** The unit as the kernel has it. */
  readonly before: SplitObject
}

export interface CompiledDirectory {
  readonly units: readonly SourceObject[]
  readonly wrapper: ObjectFile
  readonly findings: readonly Finding[]
}

/** The unit that a file stands for. */
function unitOf(kernel: Kernel, units: Units, source: string, findings: Finding[]): Unit | undefined {
  const all = units.find(source)
  const [unit] = [...all].sort((a, b) => Number(a.home === 'elsewhere') - Number(b.home === 'elsewhere'))
  if (unit === undefined)
    throw new Fault('usage', 'unknown-unit', `${kernel.release} is not built of a file ${source}`, {
      remedy: 'Name the unit by its path in the kernel’s tree, under `units` in inarch.json',
    })
  findings.push(...objections(unit, all, false))
  return unit.home === 'elsewhere' ? undefined : unit
}

function compileError(file: string, messages: string): Fault {
  const lines = errorLines(messages)
  const [, line, message] = /:(\d+):(?:\d+:)? (?:fatal )?error: (.*)$/m.exec(lines) ?? []
  const place = line === undefined ? `${file} does not compile` : `${file}:${line}: ${message}`
  return new Fault('patch', 'compile-error', place, { detail: lines })
}

/** What the compiler warns of, each once. */
function warningsIn(file: string, unit: string, messages: string): Finding[] {
  const found = [...messages.matchAll(/^[^\n]*?:(\d+):\d+: warning: (.*)$/gm)]
  return found.map(
    ([, line, message]): Finding => ({
      severity: 'note',
      rule: 'compiler-warning',
      unit,
      message: `${file}:${line}: ${message}`,
    }),
  )
}

/**
 * @param dir an empty directory for the objects
 * @throws Fault `patch/compile-error` with the file's line; `usage/unknown-unit`, `usage/missing-file`; and what the
 *   compiler's own absence and a source that does not compile give
 */
export async function compileDirectory(
  job: Job,
  kernel: Kernel,
  source: SourceDirectory,
  template: Template,
  units: Units,
  dir: string,
): Promise<CompiledDirectory> {
  await checkCompiler(kernel, job.signal)
  const findings: Finding[] = []
  const used = source.units.flatMap(({ file, source: place }) => {
    const unit = unitOf(kernel, units, place, findings)
    return unit === undefined ? [] : [{ file, unit }]
  })
  const bench = await openBuildTrees(job, kernel, units, dir)
  const headers = await Promise.all(
    source.headers.map(async (header) => ({
      path: header,
      text: await textOf(source, path.join(headersDirectory, header)),
    })),
  )
  const tree = await treeWithHeaders(
    job,
    bench,
    units,
    headers,
    used.map(({ unit }) => unit),
  )
  await Promise.all([wrapperFile, ...used.map(({ file }) => file)].map((file) => textOf(source, file)))
  const limit = pLimit(os.availableParallelism())
  const finished = (file: string, place: string, run: CompilerRun) => {
    if (!run.ok) throw compileError(file, run.messages)
    findings.push(...warningsIn(file, place, run.messages))
  }
  const count = used.length + 1
  return await job.journal.step(`Compiling ${count} files of ${path.basename(source.dir)}`, async (step) => {
    const wrapper = limit(async () => {
      const output = path.join(dir, 'wrapper.o')
      const typical = units.typicalOfModules()
      if (typical === undefined) throw new Fault('environment', 'no-modules', `${kernel.release} has no modules`)
      const unit: Unit = { ...typical, source: wrapperFile, flags: template.flags(moduleNameOf(source.name)) }
      finished(
        wrapperFile,
        wrapperFile,
        await compileAs(job, bench, unit, path.join(source.dir, wrapperFile), output, tree),
      )
      return readObject(await readFile(output), wrapperFile)
    })
    const objects = used.map(async ({ file, unit }): Promise<SourceObject> => {
      const output = path.join(dir, 'source', `${file}.o`)
      const [run, before] = await Promise.all([
        limit(() => compileAs(job, bench, unit, path.join(source.dir, file), output, tree)),
        limit(() => compileBefore(job, bench, unit)),
      ])
      finished(file, unit.source, run)
      return {
        file,
        unit: unit.source,
        object: unit.modules[0] ?? 'vmlinux',
        compiled: readObject(await readFile(output), file),
        before: splitObject(readObject(await readFile(before), `${unit.source} (before)`)),
      }
    })
    const results = await Promise.allSettled([wrapper, ...objects])
    for (const result of results) if (result.status === 'rejected') throw result.reason
    step.result(`${count} objects`)
    return { wrapper: await wrapper, units: await Promise.all(objects), findings }
  })
}

/** A file of the directory; latin1. The compiler, which waits for what a pipe may give, comes after this. */
async function textOf({ dir }: SourceDirectory, file: string): Promise<string> {
  const kind = {
    ...inputKinds.source,
    missing: 'missing-file',
    remedy: 'inarch.json names it; put it back, or take it out there',
  }
  return (await readInput(path.join(dir, file), kind)).toString('latin1')
}
