// SPDX-License-Identifier: GPL-3.0-or-later
// Objects that the running kernel has made keep the layout with which they were made. New code that reads them with
// another one reads, and writes, something else.

import { toldFirst } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import { compareTexts } from '../../../source/change/changed-items.ts'
import { error, type Found } from '../../subject/rule.ts'
import type { StudiedUnit } from '../../subject/subject.ts'
import { compareTypes, namedRecords } from '../../types/btf/compare.ts'
import type { Difference, TypeChange } from '../../types/btf/difference.ts'
import { type Reach, reachOf } from '../../types/btf/reach.ts'
import { type Lifetime, lifetimeOf } from '../../types/lifetime.ts'
import { typeUnits } from '../../types/type-units.ts'
import { typeUsers } from '../../types/type-users.ts'
import { type UnitTexts, unitTexts } from '../../types/unit-outlines.ts'
import { type UnitTypes, unitTypes } from '../../types/unit-types.ts'

/** What is graver is told alone, a whole struct's size first. */
function gravest(differences: readonly Difference[]): { effect: Difference['effect']; told: readonly string[] } {
  const effects = ['broken', 'doubtful', 'harmless'] as const
  const effect = effects.find((one) => differences.some((its) => its.effect === one)) ?? 'harmless'
  const all = differences.filter((one) => one.effect === effect)
  const ordered = [...all.filter(({ member }) => member === ''), ...all.filter(({ member }) => member !== '')]
  return { effect, told: ordered.map(({ text }) => text) }
}

/** Functions that the patch changes or adds in a unit. */
function functionsOf({ change }: StudiedUnit): string[] {
  const names = [...change.changed.map(({ after }) => after.name), ...change.added.map(({ name }) => name)]
  return [...new Set(names.map((name) => name.replace(/\..*$/, '')))]
}

/** Where objects of the type are, in words; and how grave it is that they differ. */
function livesIn(
  change: TypeChange,
  lifetime: Lifetime,
  reach: Reach,
): { severity: 'error' | 'warning'; where: string } {
  if (change.tag === 'enum') return { severity: 'error', where: 'data that are there hold the old numbers' }
  const variable = reach.variableOf(change.before)
  const old = 'objects that are there keep the old layout'
  if (variable !== undefined) return { severity: 'error', where: `${old} (${variable} leads to one)` }
  if (lifetime === 'live') return { severity: 'error', where: old }
  const where =
    lifetime === 'own'
      ? 'objects are allocated, and it can’t be told whether one is alive when the live patch comes'
      : 'objects lie on the stack of functions, but are also found by other pointers, and it can’t be ' +
        'told whether by the same task'
  return { severity: 'warning', where }
}

function foundOf(change: TypeChange, users: readonly string[], lifetime: Lifetime, reach: Reach): Found | undefined {
  const { effect, told } = gravest(change.differences)
  const { name: symbol, embedding } = change
  if (change.tag === 'enum' ? effect === 'harmless' : lifetime === 'stack') return undefined
  const seen = users.length === 0 ? '' : `; seen by ${toldFirst(users)}`
  if (effect === 'harmless')
    return {
      severity: 'note',
      symbol,
      message: `${symbol}: ${toldFirst(told, '; ')}; in existing objects these bytes hold 0 or garbage${seen}`,
      hint: 'Make sure that 0 means the old behaviour, and that the objects are cleared when they are allocated',
    }
  const { severity, where } = livesIn(change, lifetime, reach)
  const others = embedding.length === 0 ? '' : `, and with it ${toldFirst(embedding)}`
  return {
    severity: effect === 'broken' ? severity : 'warning',
    symbol,
    functions: users,
    message: `${symbol} changes${others}: ${toldFirst(told, '; ')}; ${where}${seen}`,
  }
}

/** What a unit says of a type that changes. */
export interface UnitLayout {
  /** Its C file. */
  readonly unit: string
  readonly name: string
  /** The functions of the unit that see the type. */
  readonly users: readonly string[]
  /** @param users those of all units that see it */
  told(users: readonly string[]): Found
}

/**
 * What there is to say of the types of one unit, each once.
 * @param unit its C file
 * @param functions those of the unit that the patch changes or adds
 */
export function layoutsFound(
  unit: string,
  texts: UnitTexts,
  types: UnitTypes,
  functions: readonly string[],
): UnitLayout[] {
  const found = new Map<string, UnitLayout>()
  const reach = reachOf(types.before)
  for (const change of compareTypes(types.before, types.after)) {
    const { name } = change
    const words = [name, ...change.differences.map(({ member }) => member)].flatMap(
      (text) => text.match(/[A-Za-z_]\w*$/)?.[0] ?? [],
    )
    const users = typeUsers(texts.after, functions, words)
    const lifetime =
      change.tag === 'enum' || reach.isHeld(change.before) ? 'live' : lifetimeOf(texts.before, unit, name)
    const told = (all: readonly string[]) => foundOf(change, all, lifetime, reach)
    if (told(users) === undefined || found.has(name)) continue
    found.set(name, { unit, name, users, told: (all) => ({ ...told(all)!, unit }) })
  }
  return [...found.values()]
}

const gravity: readonly Found['severity'][] = [undefined, 'error', 'warning', 'note']

/**
 * What several units say of the same types: of each the gravest, of the first unit that says so, with the users of all.
 * @param layouts in the order of the units
 */
export function layoutsTogether(layouts: readonly UnitLayout[]): Map<string, Found> {
  return new Map(
    [...grouped(layouts, ({ name }) => name)].map(([name, all]) => {
      const users = [...new Set(all.flatMap((one) => one.users))]
      const told = all.map((one) => one.told(users))
      told.sort((one, other) => gravity.indexOf(one.severity) - gravity.indexOf(other.severity))
      return [name, told[0]!] as const
    }),
  )
}

export const typeLayout = error(
  'type-layout',
  'A struct, union or enum of which the running kernel has data differs in size, in the place, width ' +
    'or type of a member, or in a value',
  'Data that are there stay as they were made, and code that is not replaced, or not yet, goes on making them so',
  'Keep every member and value as it is, and put what is new into a shadow variable ' +
    '(docs/authoring.md, “Shadow variables”)',
  ['Documentation/livepatch/shadow-vars.rst: allocated separately from parent data structures'],
  async (subject, job) => {
    const { units } = await typeUnits(job, subject)
    const told = await Promise.all(
      units.map(async (studied) => {
        const [texts, types] = await Promise.all([unitTexts(job, subject, studied), unitTypes(job, subject, studied)])
        const unit = studied.unit.source
        return types === undefined
          ? { doubtful: byText(studied, texts, subject.changes).map((one) => ({ ...one, unit })) }
          : {
              laidOut: [...namedRecords(types.before).keys()],
              layouts: layoutsFound(unit, texts, types, functionsOf(studied)),
            }
      }),
    )
    const found = layoutsTogether(told.flatMap(({ layouts = [] }) => layouts))
    /** By their words alone, and the types of which another unit tells the layout. */
    const doubtful = told.flatMap((one) => one.doubtful ?? [])
    const laidOut = new Set(told.flatMap((one) => one.laidOut ?? []))
    for (const one of doubtful) {
      const name = one.symbol ?? ''
      if (!laidOut.has(name) && !found.has(name)) found.set(name, one)
    }
    return [...found.values()]
  },
)

/** Where the compiler does not tell the layout: types whose declarations differ. */
function byText(
  { pair }: StudiedUnit,
  texts: { before: { text: string }; after: { text: string } },
  changes: Parameters<typeof compareTexts>[2],
): Found[] {
  const compared = compareTexts(texts.before.text, texts.after.text, changes)
  return (compared?.declarations ?? [])
    .filter(({ isType }) => isType)
    .map(({ title }) => ({
      severity: 'warning',
      symbol: title,
      unit: pair.unit,
      message: `The declaration of ${title} changes, and this kernel’s compiler does not say whether its layout does`,
      hint:
        'Compare the size and every offset yourself (pahole). Keep every member and value as it is, ' +
        'and put what is new into a shadow variable',
    }))
}
