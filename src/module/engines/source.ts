// SPDX-License-Identifier: GPL-3.0-or-later
// The source engine: patches in, a directory with the live patch's C source out, and the module that it compiles to.
import path from 'node:path'
import { objectionsAmong, withConsent } from '../../check/consent.ts'
import { Fault } from '../../ground/fault.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import { isDirectory } from '../../ground/is-directory.ts'
import type { Job } from '../../ground/job.ts'
import { readTables } from '../../match/names.ts'
import { likenessFindings } from '../../source/compare/compile-check.ts'
import type { Likeness } from '../../source/compare/likeness.ts'
import type { BuiltModule } from '../manifest/output.ts'
import { makeDirectoryModule, partsOf } from './directory.ts'
import type { StudiedFix } from './draft.ts'
import { likenessKey, sourceLikeness } from './source-likeness.ts'
import { sourceDirectoryOf, type WrittenSource, writeFixAsSource } from './written-source.ts'

/** A module made from source, with what it was made of. */
export interface SourceModule extends BuiltModule {
  readonly directory: string
  readonly source: WrittenSource
  /** How each replaced function is to the patched unit's, by `likenessKey`. */
  readonly likeness: ReadonlyMap<string, Likeness>
}

/**
 * @throws Fault `usage/directory-exists` when a directory is in the way, whose files somebody may have edited
 */
export function checkFree(output: string, name: string): void {
  const place = sourceDirectoryOf(output, name)
  if (isDirectory(place))
    throw new Fault('usage', 'directory-exists', `${place} is there already, and may have been edited`, {
      remedy: `Build it as it is with \`inarch build ${place}\`, remove it, or choose another place with --output`,
    })
}

/**
 * Writes the source of a live patch to `output`/livepatch-`name` and makes the module of it, in memory.
 * @throws as `writeFixAsSource` and `makeDirectoryModule`; the directory stays, for whoever wants to mend it
 */
export async function makeSource(job: Job, fix: StudiedFix): Promise<SourceModule> {
  const { kernel, request, name, facts } = fix
  const written = await writeFixAsSource(job, fix)
  const { source, provenance } = written
  try {
    const tables = facts.once(readTables, kernel)
    const made = await makeDirectoryModule(job, kernel, source, request.bind, tables, provenance)
    const { bytes, manifest, layout, objects } = made
    const likeness = await job.journal.step('Comparing the source with the patched units', async (step) => {
      const found = await sourceLikeness(job, fix, written, objects)
      const same = [...found.values()].filter(({ code }) => code === 'identical').length
      step.result(`${same} of ${inNumbers(found.size, 'function')} identical`)
      return found
    })
    const inputs = request.patches.map(({ file, sha256 }) => ({ file: path.basename(file), sha256 }))
    return {
      bytes,
      manifest: { ...manifest, inputs: [...inputs, ...manifest.inputs] },
      layout,
      parts: partsOf(objects),
      likeness,
      directory: source.dir,
      source: written,
    }
  } catch (error) {
    if (!(error instanceof Fault) || error.kind === 'environment' || error.kind === 'unexpected') throw error
    const { kind, code, message, detail, findings } = error
    const place = sourceDirectoryOf(request.output, name)
    throw new Fault(kind, code, `The source in ${place} does not make a live patch: ${message}`, {
      findings,
      detail,
      remedy: `Mend it there and build it with \`inarch build ${place}\`, or take the binary engine`,
      cause: error,
    })
  }
}

/**
 * The source engine's live patch: what is delivered must be the patched units' functions.
 * @throws Fault `refused/extract-differs`, also where the compiler may have chosen otherwise and nobody has allowed it;
 * and as
 *   `makeSource`
 */
export async function makeFromSource(job: Job, fix: StudiedFix): Promise<SourceModule> {
  const made = await makeSource(job, fix)
  const findings = withConsent(
    made.source.replacements.flatMap((one) =>
      likenessFindings(one.unit, one.oldName, made.likeness.get(likenessKey(one))),
    ),
    new Set(fix.request.allow),
  )
  const objections = objectionsAmong(findings)
  if (objections.length > 0)
    throw new Fault('refused', 'extract-differs', `The source in ${made.directory} is not what the patched units are`, {
      findings,
      remedy: objections.some(({ severity }) => severity === 'error')
        ? 'Look at the functions that are named, or take the binary engine'
        : 'Look at the functions that are named; when they do the same, say so: --allow ' +
          'extract-differs. Or take the binary engine',
    })
  const { manifest } = made
  return { ...made, manifest: { ...manifest, findings: [...manifest.findings, ...findings] } }
}
