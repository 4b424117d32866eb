// SPDX-License-Identifier: GPL-3.0-or-later
// Assembly and linker scripts take in headers too. What they make of them can't be live patched, so a
// header whose change shows in their preprocessed text is refused.
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import type { BuildTrees } from '../compiler/compile-unit.ts'
import type { Unit, Units } from '../kbuild/units.ts'
import { narrowUnits } from './header-units.ts'

/** The files of assembly, as what the preprocessor can be run on. */
export function assemblyUnits(units: Units): Unit[] {
  return units.assembly().map(({ source, object, flags }) => ({
    source,
    argument: source,
    object,
    home: 'elsewhere',
    modules: [],
    standard: true,
    flags,
    objtool: [],
  }))
}

/** Refuses headers that change the text of these files. */
export async function checkAssembly(job: Job, bench: BuildTrees, files: readonly Unit[]): Promise<Finding[]> {
  const reached = await narrowUnits(job, bench, files)
  return reached.map((unit) => ({
    severity: 'error',
    rule: 'assembly-changed',
    unit: unit.source,
    message: `The headers change what ${unit.source} is made of, and assembly has no function boundaries to patch at`,
    hint: 'Put what C code needs between #ifndef __ASSEMBLY__ and #endif',
  }))
}
