// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch check`: all that there is to say about a fix, without a module being made of it.

import { objectionsAmong, withConsent } from '../check/consent.ts'
import type { Beyond } from '../check/semantics/plain/judgement.ts'
import type { CarriedItem } from '../extract/extraction.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Model } from '../kernel/model.ts'
import type { MatchRecord } from '../match/record.ts'
import { auditFix } from './engines/audited.ts'
import { makeBinary } from './engines/binary.ts'
import { type Draft, draftOf, type StudiedFix, studyFix } from './engines/draft.ts'
import { compileFix } from './fix.ts'
import type { Manifest } from './manifest/manifest.ts'
import { nameOf, titleOf } from './manifest/naming.ts'
import type { MakeRequest } from './manifest/request.ts'

/** What `check` says of a fix; serialisable. */
export interface Judgement {
  readonly format: 'inarch-check-1'
  readonly name: string
  /** What the fix is, by its author, where that is said. */
  readonly title?: string
  readonly kernel: { readonly release: string; readonly version: string }
  /** By which model its tasks would go over; absent for the kernel's own livepatch. */
  readonly model?: Model
  /** `possible`: nothing stands in the way; `consent`: only warnings do; `none`: nothing would change. */
  readonly verdict: 'possible' | 'consent' | 'refused' | 'none'
  /** What would be replaced. */
  readonly functions: readonly {
    readonly object: string
    readonly name: string
    readonly unit: string
    readonly reasons: readonly string[]
    /** What of it reaches beyond its call. */
    readonly beyond?: Beyond
    /** How its code was recognised in the kernel's image; absent where it was not. */
    readonly match?: Pick<MatchRecord, 'by' | 'address' | 'fields' | 'unconfirmed'>
  }[]
  /** How many private symbols of the kernel it would reach, and how; absent where no module could be put together. */
  readonly binding?: { readonly distance: number; readonly name: number }
  /** What the live patch would carry besides. */
  readonly carried: readonly CarriedItem[]
  readonly findings: readonly Finding[]
}

function withoutCode({ expected: _, ...rest }: MatchRecord): Omit<MatchRecord, 'expected'> {
  return rest
}

/** With what is found only when the module is put together; that is done in memory. */
async function completed(job: Job, fix: StudiedFix, draft: Draft): Promise<Pick<Judgement, 'binding' | 'findings'>> {
  if ([...draft.findings, ...draft.review].some(({ severity }) => severity === 'error'))
    return { findings: draft.findings }
  let known = draft.findings
  try {
    const made = await makeBinary(job, fix, draft)
    known = withConsent(made.manifest.findings, new Set(fix.request.allow))
    const audited = await auditFix(job, fix, made, [...known, ...draft.review])
    return { ...reached(made.manifest), findings: withConsent([...known, ...audited], new Set(fix.request.allow)) }
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== 'refused') throw error
    return { findings: findingsOfRefusal(known, error) }
  }
}

/**
 * What is known and what a refusal says, each once; at least one of them is an error.
 * @param fault of the kind `refused`
 */
export function findingsOfRefusal(known: readonly Finding[], fault: Fault): Finding[] {
  const keyOf = ({ rule, symbol, unit, message }: Finding) => [rule, symbol, unit, message].join('\n')
  const keys = new Set(known.map(keyOf))
  const all = [...known, ...fault.findings.filter((one) => !keys.has(keyOf(one)))]
  if (all.some(({ severity }) => severity === 'error')) return all
  const { code: rule, message, remedy } = fault
  return [...all, { severity: 'error', rule, message, ...(remedy === undefined ? {} : { hint: remedy }) }]
}

function reached({ binding }: Manifest): Pick<Judgement, 'binding'> {
  if (binding === undefined) return {}
  const name = binding.symbols.filter(({ byName }) => byName).length
  return { binding: { distance: binding.symbols.length - name, name } }
}

/** What there is to say of a fix whose units compile. */
async function judge(job: Job, fix: StudiedFix): Promise<Omit<Judgement, 'format' | 'name' | 'title' | 'kernel'>> {
  const draft = await draftOf(job, fix)
  const { extraction, functions } = draft
  const nothing = extraction.replaced.length === 0 && extraction.callbacks.length === 0
  const whole = nothing ? { findings: draft.findings } : await completed(job, fix, draft)
  const findings = [...whole.findings, ...draft.review]
  const { model = 'kernel' } = fix.request
  return {
    ...(model === 'kernel' ? {} : { model }),
    verdict: verdictOn(findings, nothing),
    functions: functions.map(({ object, before, unit, reasons, match }) => ({
      object,
      name: before.name,
      unit,
      reasons,
      beyond: draft.beyond(before.name),
      ...(match === undefined ? {} : { match: withoutCode(match) }),
    })),
    ...('binding' in whole ? { binding: whole.binding } : {}),
    carried: extraction.carried.map((item) => ({ ...item })),
    findings,
  }
}

function verdictOn(findings: readonly Finding[], nothing: boolean): Judgement['verdict'] {
  if (findings.some(({ severity }) => severity === 'error')) return 'refused'
  if (nothing) return 'none'
  return objectionsAmong(findings).length === 0 ? 'possible' : 'consent'
}

/**
 * Judges a fix for `kernel`.
 * @throws Fault `patch/*` when the patches do not apply or compile
 */
export async function judgeFix(job: Job, kernel: Kernel, request: MakeRequest): Promise<Judgement> {
  const { release, version } = kernel
  const title = titleOf(request.patches)
  const about = {
    format: 'inarch-check-1',
    name: nameOf(request.name, request.patches),
    ...(title === undefined ? {} : { title }),
    kernel: { release, version },
  } as const
  return await withScratch(async (dir): Promise<Judgement> => {
    try {
      const fix = await studyFix(job, await compileFix(job, kernel, request, dir))
      try {
        return { ...about, ...(await judge(job, fix)) }
      } finally {
        fix.close()
      }
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== 'refused') throw error
      const isNothing = error.code === 'no-functional-change'
      return {
        ...about,
        verdict: isNothing ? 'none' : 'refused',
        functions: [],
        carried: [],
        findings: isNothing ? error.findings : findingsOfRefusal([], error),
      }
    }
  })
}
