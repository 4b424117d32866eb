// SPDX-License-Identifier: GPL-3.0-or-later
// Tells whether an expected function is the code at some address of the running kernel (Ksplice's run-pre matching).
// Its parts are walked one by one; jumps between them must lead to the same instructions.

import type { ResolvedField } from './destination.ts'
import type { Expectation } from './expectation.ts'
import { type PreparedParts, prepare } from './prepared.ts'
import type { Running } from './running.ts'
import { walk } from './walk.ts'
import { type CodeMismatch, isMismatch, type Lead, leadsTo, type Walked } from './walked.ts'

export type { CodeMismatch } from './walked.ts'

export interface Match {
  readonly matches: true
  /** What the linker wrote for each field that leads out of the function. */
  readonly fixed: readonly ResolvedField[]
  /** How many of them lead to something of which nothing is known. */
  readonly unconfirmed: number
  /** Sites that the kernel has rewritten, and kprobes. */
  readonly rewritten: number
}

export interface Mismatch extends CodeMismatch {
  readonly matches: false
}

export type Comparison = Match | Mismatch

/** @param address where the function may be */
export function compare(expectation: Expectation, running: Running, address: bigint): Comparison {
  return compareParts(prepare(expectation), running, address)
}

/** The same for what is compared at several addresses. */
export function compareParts(parts: PreparedParts, running: Running, address: bigint): Comparison {
  const differs = (difference: CodeMismatch): Mismatch => ({ matches: false, ...difference })
  const main = walk(running, parts[0], 0, address)
  if (isMismatch(main)) return differs(main)
  const walked = new Map<number, Walked>([[0, main]])
  const leads: Lead[] = [...main.leads]
  let { placements } = main
  for (let index = 0; index < leads.length; index++) {
    const lead = leads[index]!
    let there = walked.get(lead.to.part)
    if (there === undefined) {
      const found = findPart(parts, running, lead, placements)
      if (isMismatch(found)) return differs(found)
      there = found
      placements = found.placements
      walked.set(lead.to.part, found)
      leads.push(...found.leads)
    }
    if (!leadsTo(there, lead)) return differs(lead.otherwise())
  }
  const all = [...walked.values()]
  const sum = (count: (one: Walked) => number) => all.reduce((total, one) => total + count(one), 0)
  return {
    matches: true,
    fixed: all.flatMap(({ fixed }) => fixed),
    unconfirmed: sum(({ unconfirmed }) => unconfirmed),
    rewritten: sum(({ rewritten }) => rewritten),
  }
}

/** Looks for a part of the function where a jump leads to it. */
function findPart(
  parts: PreparedParts,
  running: Running,
  lead: Lead,
  placements: Walked['placements'],
): Walked | CodeMismatch {
  const { to, lands } = lead
  const part = parts[to.part]
  if (part === undefined) return lead.otherwise()
  const named = part.name === undefined ? [] : running.addressesOf(part.name)
  const candidates = named.length > 0 ? named : [lands - BigInt(to.plus ?? 0)]
  let closest: CodeMismatch | undefined
  for (const candidate of candidates) {
    const found = walk(running, part, to.part, candidate, placements)
    if (isMismatch(found)) closest ??= found
    else if (leadsTo(found, lead)) return found
  }
  return candidates.length === 1 && closest !== undefined ? closest : lead.otherwise()
}

/** Of several comparisons that failed, the one that came furthest. */
export function closestOf(results: readonly Comparison[]): Mismatch | undefined {
  return results
    .flatMap((result) => (result.matches ? [] : [result]))
    .sort((one, other) => other.part - one.part || other.at - one.at)[0]
}
