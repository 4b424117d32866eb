// SPDX-License-Identifier: GPL-3.0-or-later
// What the compiler says it did with the functions of a unit before the patch: which it put into which, of which it
// made forms of their own, which it made one of. It costs a compilation, so its words are kept beside the objects.
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { loadObject, storeObject } from './object-cache.ts'
import { type Bench, compileSide, keyOf } from './sides.ts'
import type { Unit } from './units.ts'

/** The compiler's own words. */
export interface IpaDump {
  /** gcc's -fdump-ipa-clones; empty for clang. */
  readonly clones: string
  /** gcc's -fopt-info-ipa-optimized, or clang's -Rpass=inline. */
  readonly remarks: string
}

/** Changes when what is asked or how it is kept does. */
const format = 'ipa-dump-1'

function isClang(bench: Bench): boolean {
  return /\bclang\b/.test(bench.kernel.compiler.versionText)
}

/**
 * Compiles the unit once more as it is before the patch, and keeps what the compiler says.
 * @param object the unit's object before the patch; what is compiled with the dump must be the same
 * @throws Fault `unexpected/dump-changes-object`; `environment/source-does-not-compile`
 */
export async function dumpBefore(job: Job, bench: Bench, unit: Unit, object: string): Promise<IpaDump> {
  const key = keyOf(bench, unit, [format])
  const kept = key === undefined ? undefined : await loadObject(key)
  if (kept !== undefined) return JSON.parse(gunzipSync(kept).toString('latin1')) as IpaDump
  const dir = path.join(bench.dir, 'ipa', path.dirname(unit.object))
  await mkdir(dir, { recursive: true })
  const base = path.join(dir, path.basename(unit.object))
  const files = { clones: `${base}.clones`, remarks: `${base}.remarks`, object: `${base}.again` }
  const asked = isClang(bench)
    ? ['-Rpass=inline', '-fdiagnostics-color=never']
    : [`-fdump-ipa-clones=${files.clones}`, `-fopt-info-ipa-optimized=${files.remarks}`]
  const saying: Unit = { ...unit, ...(unit.flags === undefined ? {} : { flags: [...unit.flags, ...asked] }) }
  const run = await compileSide(
    job,
    bench,
    saying,
    {
      unit: saying,
      cwd: bench.kernel.source,
      output: files.object,
      key: undefined,
      temporary: path.join(bench.dir, 'tmp'),
    },
    [],
  )
  if (!run.ok)
    throw new Fault(
      'environment',
      'source-does-not-compile',
      `${unit.source} does not compile when ${bench.kernel.compiler.program} is asked what it inlines`,
      { detail: run.messages.trimEnd().split('\n').slice(0, 30).join('\n') },
    )
  if (!(await readFile(files.object)).equals(await readFile(object)))
    throw new Fault(
      'unexpected',
      'dump-changes-object',
      `${bench.kernel.compiler.program} makes another object of ${unit.source} when it is asked what it inlines`,
      { remedy: 'Report this with the kernel version and the compiler' },
    )
  const read = (file: string) => readFile(file, 'latin1').catch(() => '')
  const dump: IpaDump = isClang(bench)
    ? { clones: '', remarks: run.messages }
    : { clones: await read(files.clones), remarks: await read(files.remarks) }
  await Promise.all(Object.values(files).map((file) => rm(file, { force: true })))
  if (key !== undefined) await storeObject(key, gzipSync(Buffer.from(JSON.stringify(dump), 'latin1')))
  return dump
}
