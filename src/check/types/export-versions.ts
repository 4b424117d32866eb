// SPDX-License-Identifier: GPL-3.0-or-later
// The versions (CRCs) of a unit's exported symbols, computed as the kernel's build does it: by its own genksyms from
// the unit's text behind the preprocessor.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { preprocess } from '../../build/compiler/preprocess.ts'
import { command } from '../../ground/command.ts'
import type { Job } from '../../ground/job.ts'
import type { StudiedUnit, Subject } from '../subject/subject.ts'

/** The exported symbols of the unit as it is before the patch, by its own words and by what the kernel exports. */
export function exportedBy({ kernel, changes, names }: Subject, { unit, object }: StudiedUnit): string[] {
  const change = changes.find((one) => one.path === unit.source)
  const text = change?.before ?? readFileSync(path.join(kernel.source, unit.source), 'latin1')
  const said = [...text.matchAll(/^[ \t]*EXPORT_\w*SYMBOL\w*\s*\(\s*(\w+)/gm)].map(([, name]) => name!)
  return [...new Set(said)].filter((name) => names.exported(name)?.module === object)
}

/**
 * The version of each exported symbol of one side.
 * @returns undefined when the kernel has no genksyms, or makes its versions in another way
 */
export async function versionsOf(
  job: Job,
  { kernel, bench }: Subject,
  { unit }: StudiedUnit,
  side: 'before' | 'after',
): Promise<ReadonlyMap<string, number> | undefined> {
  const genksyms = path.join(kernel.source, 'scripts/genksyms/genksyms')
  if (!existsSync(genksyms)) return undefined
  const tree = side === 'before' ? kernel.source : bench.shadow
  const output = path.join(bench.dir, 'text', 'exports', side, `${unit.object}.i`)
  const text = await preprocess(job, kernel, unit, tree, output, ['-w', '-D__GENKSYMS__'])
  if (text === undefined) return undefined
  const { exitCode, stdout } = await command(genksyms, [], {
    signal: job.signal,
    allowFailure: true,
    input: Buffer.from(text, 'latin1'),
  })
  if (exitCode !== 0) return undefined
  return new Map(
    [...stdout.matchAll(/^(?:#SYMVER (\w+)|__crc_(\w+) =) (0x[0-9a-f]+)/gm)].map(
      ([, said, assigned, crc]) => [said ?? assigned!, Number(crc) >>> 0] as const,
    ),
  )
}
