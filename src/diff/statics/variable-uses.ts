// SPDX-License-Identifier: GPL-3.0-or-later
// What code does with a variable, apart from all that merely stands behind it: what it makes of the value, to whom it
// gives it, and what it does or leaves out by it. What comes after that says where a variable is used, not which one it
// is: blocks of code come, go and change places.

import { getOrInsertComputed } from '../../ground/values/remembered.ts'
import { kept, passed, returned } from '../../x86/calling-convention.ts'
import type { Atom } from '../object/split-object.ts'
import type { CodeLine } from './code-lines.ts'

/** What is done from a use on, as texts without registers. */
export interface Deed {
  readonly lines: readonly string[]
  /** The same as code, without branches. */
  readonly code: readonly CodeLine[]
  /** What is done one way or the other. */
  readonly ways: readonly [Deed, Deed] | undefined
  /** Where it meets other code; undefined where it could not be followed, or the function ends. */
  readonly ends: readonly (CodeLine | undefined)[]
}

/** All that is done with a variable: at which of its bytes, and what. */
export type Deeds = readonly { readonly offset: number; readonly deed: Deed }[]

/** How far to follow. */
export interface Reach {
  readonly lines: number
  readonly branches: number
  /** Calls that have to do with the variable. */
  readonly calls: number
}

/** The code of some functions and of their parts. */
export interface Body {
  next(line: CodeLine): CodeLine | undefined
  to(line: CodeLine): CodeLine | undefined
  /** The lines that may come after one. */
  following(line: CodeLine): readonly CodeLine[]
  /** How many lines lead to this one. */
  leadingTo(line: CodeLine): number
}

/** @param lines of functions and of the parts of them that stand elsewhere */
export function bodyOf(lines: readonly CodeLine[]): Body {
  const byPlace = new Map<Atom['section'], Map<number, CodeLine>>()
  for (const line of lines) getOrInsertComputed(byPlace, line.code.section, () => new Map()).set(line.start, line)
  const next = (line: CodeLine) =>
    line.end < line.code.end ? byPlace.get(line.code.section)?.get(line.end) : undefined
  const to = ({ to: place }: CodeLine) => place && byPlace.get(place.code.section)?.get(place.at)
  const following = (line: CodeLine) =>
    [
      line.goes === 'on' || line.goes === 'branch' ? next(line) : undefined,
      line.goes === 'jump' || line.goes === 'branch' ? to(line) : undefined,
    ].filter((one) => one !== undefined)
  const leading = new Map<CodeLine, number>()
  // What only fills up leads on, too, but nothing leads there.
  const open = lines.filter(({ start, code }) => start === (code.symbol?.value ?? code.start))
  for (let line = open.pop(); line !== undefined; line = open.pop())
    for (const way of following(line)) {
      const known = leading.get(way)
      if (known === undefined) open.push(way)
      leading.set(way, (known ?? 0) + 1)
    }
  return { next, to, following, leadingTo: (line) => leading.get(line) ?? 0 }
}

/** What depends on the variable so far. */
interface State {
  /** Registers with something made of it. */
  readonly registers: number
  /** True when the flags tell something about it. */
  readonly flags: boolean
  /** True when all that is done here is done because of it. */
  readonly controlled: boolean
}

/** Follows what has to do with one variable. */
class Follower {
  constructor(
    private readonly body: Body,
    private readonly variable: Atom,
  ) {}

  private isUse(line: CodeLine): boolean {
    return line.uses.some(({ variable }) => variable === this.variable)
  }

  /** @param first true at the use itself, which counts wherever it stands */
  follow(from: CodeLine | undefined, state: State, reach: Reach, first = false): Deed {
    const lines: string[] = []
    const code: CodeLine[] = []
    /** What stands between two calls or branches has no order that means something. */
    let run: string[] = []
    const endRun = () => {
      lines.push(...run.sort())
      run = []
    }
    let { registers, flags } = state
    const { controlled } = state
    let { calls, lines: left } = reach
    const cut: Deed = { lines, code, ways: undefined, ends: [undefined] }
    let isFirst = first
    for (let line = from; ; isFirst = false) {
      if (line === undefined || left-- <= 0) return cut
      if (!isFirst && this.body.leadingTo(line) > 1) {
        endRun()
        return { lines, code, ways: undefined, ends: [line] }
      }
      const { effect } = line
      const isUse = this.isUse(line)
      const depends =
        controlled ||
        isUse ||
        (effect.reads & registers) !== 0 ||
        (flags && (effect.flags === 'uses' || line.goes === 'branch'))
      if (line.calls) {
        if (controlled || isUse || (registers & passed) !== 0) {
          endRun()
          lines.push(line.loose)
          code.push(line)
          if (--calls === 0) return cut
          registers = returned
        } else registers &= kept
        flags = false
        if (line.goes === 'out') {
          endRun()
          return cut
        }
      } else if (line.goes === 'branch') {
        endRun()
        if (!depends) return cut
        lines.push(line.loose)
        return this.divide(line, { lines, code }, { lines: left, branches: reach.branches, calls })
      } else if (line.goes === 'out') {
        if (controlled && line.kind !== 'frame') run.push(line.loose)
        endRun()
        return cut
      } else if (line.goes === 'on') {
        if (depends && line.kind !== 'frame') {
          run.push(line.loose)
          code.push(line)
        }
        registers = depends ? registers | effect.writes : registers & ~effect.writes
        if (effect.flags === 'sets') flags = depends
      }
      if (!controlled && registers === 0 && !flags) {
        endRun()
        return cut
      }
      line = line.goes === 'jump' ? this.body.to(line) : this.body.next(line)
    }
  }

  private divide(line: CodeLine, done: Pick<Deed, 'lines' | 'code'>, reach: Reach): Deed {
    const to = this.body.to(line)
    if (reach.branches === 0 || to === undefined) return { ...done, ways: undefined, ends: [undefined] }
    const state = { registers: 0, flags: false, controlled: true }
    const ways = [to, this.body.next(line)].map((way) =>
      this.follow(way, state, { ...reach, branches: reach.branches - 1 }),
    ) as [Deed, Deed]
    return { ...done, ways, ends: [...new Set(ways.flatMap(({ ends }) => ends))] }
  }
}

/**
 * All that is done with each variable.
 * @param code the lines of everything that uses them; undefined for what can't be read
 */
export function deedsOf(
  variables: readonly Atom[],
  code: readonly (readonly CodeLine[] | undefined)[],
  reach: Reach,
): ReadonlyMap<Atom, Deeds | undefined> {
  if (code.includes(undefined)) return new Map(variables.map((variable) => [variable, undefined]))
  const lines = code.flatMap((one) => one ?? [])
  const body = bodyOf(lines)
  const found = new Map<Atom, { offset: number; deed: Deed }[]>(variables.map((one) => [one, []]))
  const start = { registers: 0, flags: false, controlled: false }
  for (const line of lines)
    for (const { variable, offset } of line.uses)
      found.get(variable)?.push({
        offset,
        deed: new Follower(body, variable).follow(line, start, reach, true),
      })
  return found
}

function spell({ lines, ways }: Deed): string {
  return [...lines, ...(ways === undefined ? [] : [`(${ways.map(spell).sort().join('|')})`])].join(';')
}

/** True when the same is done with two variables. */
export function isSameUse(one: Deeds | undefined, other: Deeds | undefined): boolean {
  if (one === undefined || other === undefined) return false
  const text = (deeds: Deeds) =>
    deeds
      .map(({ offset, deed }) => `${offset}:${spell(deed)}`)
      .sort()
      .join('\n')
  return text(one) === text(other)
}

/** False when what is done with two variables tells them apart. */
export function mayBeSameUse(one: Deeds | undefined, other: Deeds | undefined): boolean {
  if (one === undefined || other === undefined) return true
  const isIn = (all: Deeds) => (use: Deeds[number]) =>
    all.some(({ offset, deed }) => offset === use.offset && mayBeSame(use.deed, deed, false))
  return one.every(isIn(other)) && other.every(isIn(one))
}

/** @param bounded true when both end for certain where they are seen to end */
function mayBeSame(one: Deed, other: Deed, bounded: boolean): boolean {
  const length = Math.min(one.lines.length, other.lines.length)
  for (let at = 0; at < length; at++) if (one.lines[at] !== other.lines[at]) return false
  if (one.lines.length !== other.lines.length) {
    const shorter = one.lines.length < other.lines.length ? one : other
    return shorter.ways === undefined && !(bounded && !shorter.ends.includes(undefined))
  }
  const [ways, others] = [one.ways, other.ways]
  if (ways === undefined || others === undefined)
    return ways === others || !bounded || one.ends.includes(undefined) || other.ends.includes(undefined)
  if (isBounded(one) && isBounded(other)) {
    const are = (first: Deed, second: Deed) => mayBeSame(ways[0], first, true) && mayBeSame(ways[1], second, true)
    return are(others[0], others[1]) || are(others[1], others[0])
  }
  // One of the ways may be all that comes after.
  const [some, more] = [ways, others].map((all) => all.filter((way) => !isNothing(way)))
  if (some!.length < 2 || more!.length < 2) return true
  return some!.some((way) => more!.some((third) => mayBeSame(way, third, false)))
}

/** True when both ways meet: what is on them is done, or not, because of the branch. */
function isBounded({ ends }: Deed): boolean {
  return ends.length === 1 && ends[0] !== undefined
}

function isNothing({ lines, ways }: Deed): boolean {
  return lines.length === 0 && ways === undefined
}
