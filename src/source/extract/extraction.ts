// SPDX-License-Identifier: GPL-3.0-or-later
// From a C file, its compiler flags and the names of functions to the smallest readable C file that holds them.
// What the headers give stays in the headers; what the program that runs has already is only declared.

import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { kindOf, titleOf } from '../view/declared-names.ts'
import type { ExtractedSource, SourceRequest } from '../view/request.ts'
import { openView } from '../view/unit-view.ts'
import { boundsOf } from './array-bounds.ts'
import { withFewestIncludes } from './fewest-includes.ts'
import { closeOver } from './unit-closure.ts'
import { writeSource } from './writer.ts'

/**
 * Extracts functions from a unit.
 * @throws Fault `patch/no-such-file`, `patch/does-not-preprocess`, `usage/no-such-function`
 */
export async function extractSource(job: Job, request: SourceRequest): Promise<ExtractedSource> {
  try {
    return await extractFrom(job, request)
  } catch (error) {
    // Recursion follows the nesting of types and parentheses.
    if (error instanceof RangeError)
      throw new Fault('patch', 'too-deep', `${request.unit.file} is nested too deeply`, {
        remedy: 'Only generated text is nested like this; extract from what it was generated from',
      })
    throw error
  }
}

async function extractFrom(job: Job, request: SourceRequest): Promise<ExtractedSource> {
  const view = await openView(job, request.unit, request.includes === 'expand')
  const closure = closeOver(view, request)
  const missing = request.functions.filter((name) => !closure.targets.has(name))
  if (missing.length > 0)
    throw new Fault(
      'usage',
      'no-such-function',
      `${request.unit.file} does not define ${missing.map((name) => `${name}()`).join(', ')}`,
      { remedy: 'Check the name, and that the configuration in the flags has the function' },
    )
  const bounds = await boundsOf(job, request.unit, view, closure)
  const write = (isIncluded?: (line: number) => boolean) =>
    writeSource(view, closure, request.unit, bounds, request.inlining, isIncluded)
  const full = write()
  const text = request.includes === 'keep' ? await withFewestIncludes(job, request.unit, view, full, write) : full
  const externalized = [...closure.bindings.values()].map(({ name, running, kind }) => ({
    name,
    symbol: running.symbol,
    kind,
  }))
  for (const [item, bound] of closure.locals)
    for (const { local, running } of bound)
      externalized.push({
        name: `${titleOf(item)}.${local.name}`,
        symbol: running.symbol,
        kind: 'variable',
      })
  const targets = new Set(closure.targets.values())
  return {
    text,
    functions: request.functions.map((name) => ({
      name,
      as: request.rename(name),
      symbol: closure.labelOf(name),
    })),
    externalized,
    copied: [...closure.whole, ...closure.typesOnly]
      .filter((item) => !targets.has(item))
      .map((item) => ({ name: titleOf(item), kind: kindOf(item), reason: closure.reasons.get(item)! })),
    findings: closure.findings,
  }
}
