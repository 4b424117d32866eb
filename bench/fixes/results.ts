// SPDX-License-Identifier: GPL-3.0-or-later
// What was found about the fixes of a set and what a person says about them, as the JSON files of its folder keep it.
// views.json was written before the tool's judgement was looked at; compared.json afterwards.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { type Choice, fileOf, readChoice } from './choice.ts'

const FindingSchema = v.object({
  severity: v.picklist(['error', 'warning', 'note']),
  rule: v.string(),
  message: v.string(),
  symbol: v.exactOptional(v.string()),
  unit: v.exactOptional(v.string()),
})

const ProvenSchema = v.object({
  verdict: v.picklist(['proven', 'loaded', 'failed']),
  failures: v.array(v.string()),
  notes: v.array(v.string()),
  /** Of each order in which it was tried: ms for loading, for the transition, and for the way back. */
  orders: v.array(v.object({ title: v.string(), loadMs: v.number(), switchMs: v.number(), revertMs: v.number() })),
})

const EnginesSchema = v.object({
  agree: v.boolean(),
  /** Of how many functions both engines make the same machine code, and how many either replaces. */
  identical: v.number(),
  functions: v.number(),
  /** What they do not agree on, in sentences; or why the source engine made no module. */
  differences: v.array(v.string()),
})

const ResultSchema = v.object({
  id: v.string(),
  /** The kernel has the fix, so it was undone. */
  reversed: v.exactOptional(v.boolean()),
  verdict: v.picklist(['possible', 'consent', 'refused', 'none', 'failed']),
  findings: v.array(FindingSchema),
  functions: v.array(v.object({ object: v.string(), name: v.string() })),
  /** ms that `check` took. */
  ms: v.number(),
  /** Why there is no module; absent when it was built, or was not tried. */
  refusal: v.exactOptional(v.string()),
  /** The rules whose warnings were allowed. */
  allowed: v.exactOptional(v.array(v.string())),
  /** What the source engine made of it beside the binary one, whose module is proven. */
  engines: v.exactOptional(EnginesSchema),
  proof: v.exactOptional(ProvenSchema),
})

const ResultsSchema = v.object({
  kernel: v.object({ release: v.string(), version: v.string() }),
  fixes: v.array(ResultSchema),
})

const ViewsSchema = v.record(
  v.string(),
  v.object({
    /**
     * `yes`: apply it live; `care`: it may be done, when one thing is kept in mind; `no`: it must not be, or does
     * nothing.
     */
    may: v.picklist(['yes', 'care', 'no']),
    /** Why, in a sentence or two. */
    why: v.string(),
  }),
)

const ComparedSchema = v.record(
  v.string(),
  v.object({
    /** Of each rule that refused or warned: whether there is such a danger. */
    rules: v.record(v.string(), v.picklist(['right', 'false'])),
    /** The danger of which nothing was said. */
    missed: v.exactOptional(v.string()),
    /** What the reader learnt from the tool, or would say to its author. */
    remark: v.exactOptional(v.string()),
  }),
)

export type EngineComparison = v.InferOutput<typeof EnginesSchema>
export type FixFinding = v.InferOutput<typeof FindingSchema>
export type Proven = v.InferOutput<typeof ProvenSchema>
export type FixResult = v.InferOutput<typeof ResultSchema>
export type Results = v.InferOutput<typeof ResultsSchema>
export type Views = v.InferOutput<typeof ViewsSchema>
export type Compared = v.InferOutput<typeof ComparedSchema>

const json = (set: string, name: string): unknown => JSON.parse(readFileSync(fileOf(set, name), 'utf8'))

/** On which kernels a set was tried: its own, or another one, named by its series. */
const resultsFile = (series?: string) => (series === undefined ? 'results.json' : `results-on-${series}.json`)

/**
 * What was found about a set on its own kernel, or on one of another series.
 * @returns undefined before the first run
 */
export function readResults(set: string, series?: string): Results | undefined {
  const name = resultsFile(series)
  return existsSync(fileOf(set, name)) ? v.parse(ResultsSchema, json(set, name)) : undefined
}

function readElsewhere(set: string): Results[] {
  const series = readdirSync(path.dirname(fileOf(set, 'choice.json'))).flatMap(
    (name) => /^results-on-(.+)\.json$/.exec(name)?.slice(1) ?? [],
  )
  return series.sort().flatMap((one) => readResults(set, one) ?? [])
}

export function readViews(set: string): Views {
  return v.parse(ViewsSchema, json(set, 'views.json'))
}

function readCompared(set: string): Compared {
  return v.parse(ComparedSchema, json(set, 'compared.json'))
}

/** All that is known of a set. */
export interface Findings {
  readonly choice: Choice
  readonly results: Results | undefined
  /** The same on kernels that are not its own. */
  readonly elsewhere: readonly Results[]
  readonly views: Views
  readonly compared: Compared
  /** What the set taught, as its folder has it. */
  readonly lessons: string
}

export function readFindings(set: string): Findings {
  return {
    choice: readChoice(set),
    results: readResults(set),
    elsewhere: readElsewhere(set),
    views: readViews(set),
    compared: readCompared(set),
    lessons: readFileSync(fileOf(set, 'lessons.md'), 'utf8').trimEnd(),
  }
}

/**
 * Keeps what is known of one fix; what was known of it on another kernel is forgotten.
 * @param series of the kernel, when it is not the set's own
 */
export function keepResult(
  set: string,
  kernel: { release: string; version: string },
  result: FixResult,
  series?: string,
): void {
  const known = readResults(set, series)
  const same = known?.kernel.version === kernel.version ? known.fixes : []
  const others = same.filter(({ id }) => id !== result.id)
  const results: Results = {
    kernel: { release: kernel.release, version: kernel.version },
    fixes: [...others, result].sort((a, b) => (a.id < b.id ? -1 : 1)),
  }
  writeFileSync(fileOf(set, resultsFile(series)), `${JSON.stringify(results, null, 2)}\n`)
}
