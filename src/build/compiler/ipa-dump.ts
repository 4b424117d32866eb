// SPDX-License-Identifier: GPL-3.0-or-later
// What the compiler says it did with the functions of a unit before the patch: which it put into which, of which it
// made forms of their own, which it made one of. The side before the patch is compiled with the question; where its
// object comes from a cache that has no answer, the unit is compiled once more.
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import type { Unit } from '../kbuild/units.ts'
import { type BuildTrees, compileSide, dumpKey } from './compile-unit.ts'
import { asking, type IpaDump, keepDump, keptDump, readAnswer } from './ipa-record.ts'

export type { IpaDump }

/**
 * Compiles the unit once more as it is before the patch, and keeps what the compiler says.
 * @param object the unit's object before the patch; what is compiled with the dump must be the same
 * @throws Fault `unexpected/dump-changes-object`; `environment/source-does-not-compile`
 */
export async function dumpBefore(job: Job, bench: BuildTrees, unit: Unit, object: string): Promise<IpaDump> {
  const key = dumpKey(bench, unit)
  const kept = await keptDump(key, object)
  if (kept !== undefined) return kept
  const { compiler } = bench.kernel
  const dir = path.join(bench.dir, 'ipa', path.dirname(unit.object))
  await mkdir(dir, { recursive: true })
  const base = path.join(dir, path.basename(unit.object))
  const again = `${base}.again`
  const saying = asking(unit, compiler, base)
  const run = await compileSide(
    job,
    bench,
    saying,
    {
      unit: saying,
      cwd: bench.kernel.source,
      output: again,
      key: undefined,
      temporary: path.join(bench.dir, 'tmp'),
    },
    [],
  )
  if (!run.ok)
    throw new Fault(
      'environment',
      'source-does-not-compile',
      `${unit.source} does not compile when ${compiler.program} is asked what it inlines`,
      { detail: run.messages.trimEnd().split('\n').slice(0, 30).join('\n') },
    )
  if (!(await readFile(again)).equals(await readFile(object)))
    throw new Fault(
      'unexpected',
      'dump-changes-object',
      `${compiler.program} makes another object of ${unit.source} when it is asked what it inlines`,
      { remedy: 'Report this with the kernel version and the compiler' },
    )
  await rm(again, { force: true })
  const dump = await readAnswer(compiler, base, run.messages)
  await keepDump(key, object, dump)
  return dump
}
