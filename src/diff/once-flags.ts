// SPDX-License-Identifier: GPL-3.0-or-later
// A static variable that lets something be done once keeps its value when the patch comes: if it is set, what the
// patched code would do once is never done. That is right while it is the same; another variable would never get its
// first value.

import { speaker } from '../c/expanded/message-functions.ts'
import type { Finding } from '../ground/finding.ts'
import { useOf } from '../x86/address-taking.ts'
import type { Correlation } from './correlation/correlate.ts'
import { isState } from './lost-state.ts'
import { bareName, sourceName } from './object/compiler-names.ts'
import type { Atom, SplitObject } from './object/split-object.ts'
import { type CodeLine, codeLines } from './statics/code-lines.ts'
import { calledWith } from './statics/static-groups.ts'
import { isStaticLocal, staticUsers, withParts } from './statics/static-locals.ts'
import { type Deed, deedsOf, type Reach } from './statics/variable-uses.ts'

/** What is done once, by names that are the same on both sides. */
interface Done {
  /** Variables that are written. */
  readonly written: Map<string, string>
  /** Addresses that are taken. */
  readonly taken: Map<string, { readonly variable: string; readonly name: string }>
  readonly called: Set<string>
}

const reach: Reach = { lines: 96, branches: 4, calls: 12 }
/** How far functions of the unit are followed, which the compiler may have inlined. */
const depth = 3

function writes({ kind, effect }: CodeLine): boolean {
  return kind === 'store' || kind === 'vector-store' || (effect.writes === 0 && kind !== 'compare')
}

/** What the compiler calls, or leaves out, as it likes. */
const isAnybodys = /^(__|mem|str)/

class Reader {
  constructor(
    private readonly unit: SplitObject,
    private readonly nameOf: (atom: Atom) => string,
  ) {}

  /** @returns undefined for a variable that lets nothing be done once */
  doneOnce(flag: Atom, users: readonly Atom[], statics: ReadonlySet<Atom>): Done | undefined {
    const lines = new Map(users.map((code) => [code, codeLines(this.unit, code, statics)]))
    const code = withParts(this.unit, lines, statics)
    const calls = calledWith(code)
    const marks = (line: CodeLine) =>
      line.calls
        ? calls.get(line)?.has(flag) === true
        : line.kind === 'store' && line.uses.some((use) => use.variable === flag && !use.isAddress)
    const once = (deedsOf([flag], code, reach).get(flag) ?? []).flatMap(({ deed }) =>
      (deed.ways ?? []).map(codeOf).filter((way) => way.some(marks)),
    )
    if (once.length === 0) return undefined
    const own = new Set([flag, ...[...calls.values()].filter((all) => all.has(flag)).flatMap((all) => [...all])])
    const done: Done = { written: new Map(), taken: new Map(), called: new Set() }
    for (const way of once) this.read(way, own, done, new Set(), depth)
    return done
  }

  private read(lines: readonly CodeLine[], own: ReadonlySet<Atom>, done: Done, seen: Set<Atom>, left: number): void {
    for (const line of lines) {
      const { section } = line.code
      const instruction = this.unit.instructionAt(section, line.start)
      if (instruction === undefined) continue
      for (const relocation of this.unit.relocations({ section, start: line.start, end: line.end })) {
        const target = this.unit.target(section, relocation)
        if (target.kind === 'external' && line.calls) {
          if (!speaker.test(target.name) && !isAnybodys.test(target.name)) done.called.add(target.name)
          continue
        }
        if (target.kind === 'atom' && target.atom.kind === 'function') {
          const { atom } = target
          if (left === 0 || seen.has(atom)) continue
          seen.add(atom)
          this.read(codeLines(this.unit, atom, new Set()) ?? [], own, done, seen, left - 1)
          continue
        }
        const datum = target.kind === 'atom' && isState(target.atom) && !own.has(target.atom)
        if (!datum && target.kind !== 'external') continue
        const [variable, name] =
          target.kind === 'atom' ? [this.nameOf(target.atom), bareName(target.atom.name)] : [target.name, target.name]
        if (useOf(instruction, relocation.offset) === 'address')
          done.taken.set(`${variable}+${target.offset}`, {
            variable,
            name: target.offset === 0 ? name : `${name}+${target.offset}`,
          })
        else if (writes(line)) done.written.set(variable, name)
      }
    }
  }
}

function codeOf({ code, ways }: Deed): CodeLine[] {
  return [...code, ...(ways ?? []).flatMap(codeOf)]
}

/** Names of what is done on one side and not on the other. */
function only(one: Done, other: Done): string[] {
  const anywhere = new Set([...other.written.keys(), ...[...other.taken.values()].map(({ variable }) => variable)])
  return [
    ...new Set([
      ...[...one.taken].flatMap(([key, { variable, name }]) =>
        other.taken.has(key) || other.written.has(variable) ? [] : [name],
      ),
      ...[...one.written].flatMap(([variable, name]) => (anywhere.has(variable) ? [] : [name])),
    ]),
  ].sort()
}

/** Static variables that let something else be done once than before the patch. */
export function doneOtherwise(
  before: SplitObject,
  after: SplitObject,
  correlation: Correlation,
  changed: readonly { readonly before: Atom; readonly after: Atom }[],
  unit: string,
): Finding[] {
  const pairs = correlation.pairs.filter((pair) => isStaticLocal(pair.before) && isStaticLocal(pair.after))
  if (pairs.length === 0 || changed.length === 0) return []
  const differing = new Set(changed.map((one) => one.after))
  const [usersBefore, usersAfter] = [staticUsers(before), staticUsers(after)]
  const statics = {
    before: new Set(pairs.map((pair) => pair.before)),
    after: new Set(pairs.map((pair) => pair.after)),
  }
  const readers = {
    before: new Reader(before, (atom) => `before ${atom.index}`),
    after: new Reader(after, (atom) => {
      const counterpart = correlation.counterpartOf(atom)
      return counterpart === undefined ? `after ${atom.index}` : `before ${counterpart.index}`
    }),
  }
  const found = new Map<string, { names: string[]; symbol: string; user: string; was: string; is: string }>()
  for (const pair of pairs) {
    const users = usersAfter.code(new Set([pair.after]))
    const [user] = users.filter((code) => differing.has(code))
    if (user === undefined) continue
    const is = readers.after.doneOnce(pair.after, users, statics.after)
    if (is === undefined) continue
    const was = readers.before.doneOnce(pair.before, usersBefore.code(new Set([pair.before])), statics.before)
    if (was === undefined) continue
    let [now, then] = [only(is, was), only(was, is)]
    if (now.length === 0) {
      const without = (one: Done, other: Done) => [...one.called].filter((name) => !other.called.has(name)).sort()
      ;[now, then] = [without(is, was), without(was, is)]
      if (then.length === 0) continue
    }
    if (now.length === 0) continue
    const [owner, news, olds] = [sourceName(user.name), now.join(', '), then.join(', ')]
    const key = `${owner} ${news} ${olds}`
    const one = found.get(key) ?? { names: [], symbol: pair.after.name, user: owner, was: olds, is: news }
    one.names.push(bareName(pair.after.name))
    found.set(key, one)
  }
  return [...found.values()].map(({ names, symbol, user, was, is }): Finding => {
    const flags = [...new Set(names)].sort().join(' and ')
    return {
      severity: 'warning',
      rule: 'state-inherited',
      symbol,
      unit,
      message:
        `What is done once under ${flags} of ${user} is for ${is} after the patch, and ` +
        `${was === '' ? 'was not before' : `was for ${was} before`}: where the running kernel has ` +
        `done it already, it is not done for ${is}`,
      hint:
        `Do it for ${is} in a callback (INARCH_PRE_PATCH), or give the patched code a variable with ` +
        'another name; if nothing needs it, allow it',
    }
  })
}
