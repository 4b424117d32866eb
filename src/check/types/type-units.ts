// SPDX-License-Identifier: GPL-3.0-or-later
// In which units the types are compared: every C file that the patch changes and that may change a type, and for
// changed headers so few of the units that include them that each file in which a changed name stands is seen once. A
// type of a header is the same type in all of them.
import { openSurvey } from '../../build/headers/survey.ts'
import type { Job } from '../../ground/job.ts'
import type { StudiedUnit, Subject } from '../subject/subject.ts'
import { mayChangeTypes, type Scope } from './may-change-types.ts'

export interface TypeUnits {
  readonly units: readonly StudiedUnit[]
  /** Headers that may change a type or a prototype. */
  readonly headers: readonly string[]
}

/** Of the candidates the few that together have all keys. */
function cover<T>(candidates: readonly { readonly one: T; readonly keys: ReadonlySet<string> }[]): T[] {
  const missing = new Set(candidates.flatMap(({ keys }) => [...keys]))
  const left = new Set(candidates)
  const chosen: T[] = []
  while (missing.size > 0) {
    let best: (typeof candidates)[number] | undefined
    let most = 0
    for (const candidate of left) {
      let count = 0
      for (const key of candidate.keys) if (missing.has(key)) count++
      if (count > most) {
        most = count
        best = candidate
      }
    }
    if (best === undefined) break
    left.delete(best)
    chosen.push(best.one)
    for (const key of best.keys) missing.delete(key)
  }
  return chosen
}

async function findTypeUnits({ kernel, changes, units, bench }: Subject, job: Job): Promise<TypeUnits> {
  const scopes = new Map<string, Scope>()
  for (const change of changes) {
    const scope = mayChangeTypes(change)
    if (scope.types || scope.signatures) scopes.set(change.path, scope)
  }
  if (scopes.size === 0) return { units: [], headers: [] }
  const own = units.filter(({ unit }) => scopes.has(unit.source))
  const isUnit = new Set(units.map(({ unit }) => unit.source))
  // A C file that others include is like a header.
  const headers = [...scopes.keys()].filter((file) => !isUnit.has(file))
  if (headers.length === 0) return { units: own, headers }
  const survey = await openSurvey(job, kernel, bench.known)
  const including = survey.includers(headers)
  const words = new Set(headers.flatMap((file) => [...(scopes.get(file)?.names ?? [])]))
  const places = new Set([...headers, ...[...words].flatMap((word) => survey.filesWith(word))])
  const candidates = units
    .filter((one) => !own.includes(one) && including.has(one.unit.source))
    .map((one) => ({
      one,
      keys: new Set([...survey.closure([one.unit.source])].filter((file) => places.has(file) && /\.h$/.test(file))),
    }))
  const chosen = candidates.length <= few ? candidates.map(({ one }) => one) : cover(candidates)
  return { units: [...own, ...chosen], headers }
}

/** So many units are looked at without a choice. */
const few = 3

export function typeUnits(job: Job, subject: Subject): Promise<TypeUnits> {
  return subject.facts.once(findTypeUnits, subject, job)
}
