// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch does not replace an export: its version (CRC) stays that of the running kernel, and so do the modules
// that load. What changes is what the symbol means, if the types behind it do; and what a module needs that is built
// from the patched source.

import type { Job } from '../../../ground/job.ts'
import { toldFirst } from '../../../ground/listed.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { type Found, warning } from '../../subject/rule.ts'
import type { StudiedUnit, Subject } from '../../subject/subject.ts'
import { compareTypes } from '../../types/btf/compare.ts'
import { exportedBy, versionsOf } from '../../types/export-versions.ts'
import { changedSignatures } from '../../types/signatures.ts'
import { typeUnits } from '../../types/type-units.ts'
import { unitTypes } from '../../types/unit-types.ts'

/** True when the file, or any header of the patch, includes other files than before. */
function changesIncludes(changes: readonly FileChange[], source: string): boolean {
  const included = (text = '') => (text.match(/^[ \t]*#[ \t]*include\b.*$/gm) ?? []).sort().join('\n')
  return changes.some(
    ({ path, before, after }) => (path === source || path.endsWith('.h')) && included(before) !== included(after),
  )
}

export const exportCrc = warning(
  'export-crc',
  'A symbol that the kernel or a module exports has another version (CRC) in the patched source, ' +
    'because a type behind it changes',
  'The running kernel keeps the old version: a module for the old types goes on loading and meets ' +
    'new code, and one that is built from the patched source does not load',
  'Keep the types of exported symbols as they are; if no module from elsewhere uses the symbol, allow ' +
    'this, and build modules against the headers of the running kernel, not of the patched source',
  ['Documentation/kbuild/modules.rst: the kernel refuses to load the', 'kernel/module/version.c: check_version'],
  async (subject, job) => {
    const looked = await typeUnits(job, subject)
    // Another header can complete a type that was only named: then the version is another one, too.
    const including = subject.units.filter(({ unit }) => changesIncludes(subject.changes, unit.source))
    const units = [...new Set([...looked.units, ...including])]
    const found = await Promise.all(units.map((studied) => inUnit(subject, job, studied)))
    return found.flat()
  },
)

async function inUnit(subject: Subject, job: Job, studied: StudiedUnit): Promise<Found[]> {
  const exported = exportedBy(subject, studied)
  if (exported.length === 0) return []
  const types = await unitTypes(job, subject, studied)
  const called = types === undefined ? [] : changedSignatures(studied, types)
  const [before, after] = await Promise.all([
    versionsOf(job, subject, studied, 'before'),
    versionsOf(job, subject, studied, 'after'),
  ])
  const broken = called.filter(({ name, difference }) => difference === 'differs' && exported.includes(name))
  const functions = exported.filter((name) => {
    const [old, young] = [before?.get(name), after?.get(name)]
    // Where the versions are made in another way than here, nothing can be said.
    const isComparable = old !== undefined && young !== undefined && subject.names.exported(name)?.crc === old
    return (isComparable && old !== young) || broken.some((one) => one.name === name)
  })
  const unit = studied.unit.source
  const [symbol] = functions
  if (symbol === undefined) return []
  const isOne = functions.length === 1
  const [worst] = broken
  if (worst !== undefined) {
    const others = functions.filter((name) => name !== worst.name)
    const message =
      `${worst.name} is exported, and is ${worst.after} instead of ${worst.before}: modules from ` +
      'elsewhere load as before and call it in the old way, those that are built from the patched ' +
      `source do not load${isOne ? '' : `; the same may hold for ${toldFirst(others)}`}`
    return [{ symbol: worst.name, unit, functions, message }]
  }
  const isHarmless =
    types !== undefined &&
    compareTypes(types.before, types.after).every(({ differences }) =>
      differences.every(({ effect }) => effect === 'harmless'),
    )
  if (isHarmless)
    return [
      {
        symbol,
        unit,
        severity: 'note',
        message:
          `${toldFirst(functions)} ${isOne ? 'has' : 'have'} another version in the patched source, ` +
          'though nothing is called or laid out in another way: modules load as before, but one that ' +
          'is built from the patched source does not',
        hint: 'Build modules against the headers of the running kernel',
      },
    ]
  const message =
    `${toldFirst(functions)} ` +
    `${isOne ? 'is exported with a type that changes' : 'are exported with types that change'}: ` +
    `modules from elsewhere load as before and use the old ${isOne ? 'one' : 'ones'}, those that ` +
    'are built from the patched source do not load'
  return [{ symbol, unit, functions, message }]
}
