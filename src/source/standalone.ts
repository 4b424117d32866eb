// SPDX-License-Identifier: GPL-3.0-or-later
// An extraction from a C file of any project, without a kernel to ask: what is bound to the running program is what the
// user names or, as a rule, every variable and every function that is not inline.
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import { checkExtract, compileUnit } from './compare/compile-check.ts'
import { extractSource } from './extract/extraction.ts'
import type { ExtractedSource, SourceRequest, SourceUnit } from './view/request.ts'

export interface StandaloneRequest {
  readonly unit: SourceUnit
  readonly functions: readonly string[]
  /** `all`: what can be written and what is not inline; a list: these only. */
  readonly externalize: 'all' | 'none' | readonly string[]
  readonly rename: boolean
  readonly includes: SourceRequest['includes']
}

/**
 * Extracts, and lets the compiler judge the unit and the extract.
 * @throws Fault `usage/not-c`, `patch/does-not-compile`, `usage/unknown-flag`, and what `extractSource` throws
 */
export async function extractStandalone(job: Job, request: StandaloneRequest): Promise<ExtractedSource> {
  const { unit, externalize } = request
  const listed = typeof externalize === 'string' ? undefined : new Set(externalize)
  const asked = new Set<string>()
  // First, because a parser may need very long for what is no C.
  const whole = await compileUnit(job, unit)
  const extracted = await extractSource(job, {
    unit,
    functions: request.functions,
    includes: request.includes,
    rename: (name) => (request.rename ? `livepatch_${name}` : name),
    // Without a kernel nobody knows the symbol of a variable inside of a function.
    externalize(name, kind, isInline) {
      asked.add(name)
      const binds =
        listed?.has(name) ?? (externalize === 'all' && !(kind === 'function' && isInline) && !name.includes('.'))
      return binds ? { symbol: name.slice(name.indexOf('.') + 1) } : undefined
    },
    carry: (name) => externalize !== 'all' || name.includes('.'),
  })
  const findings: Finding[] = [
    ...extracted.findings,
    ...(await checkExtract(job, unit, extracted.text, whole, extracted.functions)),
  ]
  if (externalize === 'all')
    for (const name of [...asked].filter((one) => one.includes('.')))
      findings.push({
        severity: 'warning',
        rule: 'static-local-copied',
        symbol: name,
        message: `The extract has a copy of its own of the static variable ${name}`,
        hint: `Name its symbol's declaration with --externalize ${name} if the running one is meant`,
      })
  for (const name of listed ?? [])
    if (!asked.has(name))
      findings.push({
        severity: 'warning',
        rule: 'not-used',
        symbol: name,
        message: `${name} is to be externalised, but nothing that is extracted uses it`,
        hint: 'A variable inside of a function is written function.variable',
      })
  return { ...extracted, findings }
}
