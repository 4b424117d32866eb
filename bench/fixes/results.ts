// SPDX-License-Identifier: GPL-3.0-or-later
// What was found about the fixes and what a person says about them, as the JSON files beside this one keep it.
// views.json was written before the tool's judgement was looked at; compared.json afterwards.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'

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

const ResultSchema = v.object({
  id: v.string(),
  verdict: v.picklist(['possible', 'consent', 'refused', 'none', 'failed']),
  findings: v.array(FindingSchema),
  functions: v.array(v.object({ object: v.string(), name: v.string() })),
  /** ms that `check` took. */
  ms: v.number(),
  /** Why there is no module; absent when it was built, or was not tried. */
  refusal: v.exactOptional(v.string()),
  /** The rules whose warnings were allowed. */
  allowed: v.exactOptional(v.array(v.string())),
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

export type FixFinding = v.InferOutput<typeof FindingSchema>
export type Proven = v.InferOutput<typeof ProvenSchema>
export type FixResult = v.InferOutput<typeof ResultSchema>
export type Results = v.InferOutput<typeof ResultsSchema>
export type Views = v.InferOutput<typeof ViewsSchema>
export type Compared = v.InferOutput<typeof ComparedSchema>

const fileOf = (name: string) => path.resolve('bench/fixes', `${name}.json`)
const read = (name: string): unknown => JSON.parse(readFileSync(fileOf(name), 'utf8'))

/** Undefined before the first run. */
export function readResults(): Results | undefined {
  return existsSync(fileOf('results')) ? v.parse(ResultsSchema, read('results')) : undefined
}

export function readViews(): Views {
  return v.parse(ViewsSchema, read('views'))
}

export function readCompared(): Compared {
  return v.parse(ComparedSchema, read('compared'))
}

/** Keeps what is known of one fix; what was known of it on another kernel is forgotten. */
export function keepResult(kernel: { release: string; version: string }, result: FixResult): void {
  const known = readResults()
  const same = known?.kernel.version === kernel.version ? known.fixes : []
  const others = same.filter(({ id }) => id !== result.id)
  const results: Results = {
    kernel: { release: kernel.release, version: kernel.version },
    fixes: [...others, result].sort((a, b) => (a.id < b.id ? -1 : 1)),
  }
  writeFileSync(fileOf('results'), `${JSON.stringify(results, null, 2)}\n`)
}
