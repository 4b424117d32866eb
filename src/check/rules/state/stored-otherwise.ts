// SPDX-License-Identifier: GPL-3.0-or-later
// Values in objects that live. Where one changed function writes a member by another constant, mask, shift or unit than
// before, and a changed function reads it by another one, what the old code has written means something else to the new
// code, and the other way round. The same is true of a named constant that gets another value.

import { withNumbers } from '../../../c/tokens/constant-value.ts'
import { type Token, tokenize } from '../../../c/tokens/lexer.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { listed, toldFirst } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import { lastName } from '../../locks/operations.ts'
import { allocationsOf } from '../../semantics/memory/allocation.ts'
import { isDispatcher } from '../../semantics/reading/dispatchers.ts'
import {
  isConstant,
  type MemberAccess,
  memberAccessesIn,
  saysSomething,
} from '../../semantics/reading/member-accesses.ts'
import { stackTypes } from '../../semantics/reading/stack-types.ts'
import { constantMeanings } from '../../semantics/values/constants.ts'
import { belongTogether, movedMemberFindings, readsBeforeItWrites } from '../../semantics/values/resume-state.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

/** What of one member changes in one function. */
interface Shift {
  readonly name: string
  readonly file: string
  readonly gone: readonly string[]
  readonly come: readonly string[]
}

type Shifts = ReadonlyMap<string, readonly Shift[]>

/** The members that functions write, or read, otherwise; also where something only comes or only goes. */
function shiftsIn(functions: ChangedFunctions, does: MemberAccess['does']): Shifts {
  // A constant that gets another value is told for all its users.
  const told = new Set(functions.constants.map(({ name }) => name))
  const numbers = (side: 'before' | 'after') =>
    new Map([...functions.numbers[side]].filter(([name]) => !told.has(name)))
  const [oldNumbers, youngNumbers] = [numbers('before'), numbers('after')]
  const all = functions.rewritten.flatMap(({ name, file, before, after }) => {
    const names = constantsThatChange(before, after)
    const accesses = (definition: Definition, { definitions }: Side, known: ReadonlyMap<string, bigint>) => {
      const find = (one: string) => definitions.get(one) ?? functions.library.definition(one)
      const meanings = names.size === 0 ? [] : constantMeanings(definition, names, find)
      return [
        ...memberAccessesIn(definition, new Set(known.keys())),
        ...meanings.filter(({ how }) => how.split(' ').some((word) => names.has(word))),
      ].filter((one) => one.does === does)
    }
    const old = accesses(before, functions.before, oldNumbers)
    const young = accesses(after, functions.after, youngNumbers)
    return [...new Set([...old, ...young].map((one) => one.member))].flatMap((member) => {
      // How it is written, by what that comes to.
      const hows = (list: readonly MemberAccess[], known: ReadonlyMap<string, bigint>) =>
        new Map(
          list
            .filter((one) => one.member === member && !memory.test(one.how))
            .map(({ how }) => [withNumbers(tokenize(how), known).join(' '), how] as const),
        )
      const [was, is] = [hows(old, oldNumbers), hows(young, youngNumbers)]
      const gone = [...was].filter(([value]) => !is.has(value))
      const come = [...is].filter(([value]) => !was.has(value))
      const texts = (list: typeof gone) => list.map(([, how]) => how)
      const isTold = [...gone, ...come].some(([value]) => saysSomething(value))
      return isTold ? { member, name, file, gone: texts(gone), come: texts(come) } : []
    })
  })
  return grouped(all, ({ member }) => member)
}

/** The constants of which only one side of a function has that many. */
function constantsThatChange({ body: before }: Definition, { body: after }: Definition): ReadonlySet<string> {
  const uses = (body: readonly Token[]) =>
    grouped(
      body.filter(({ kind, text }) => kind === 'name' && isConstant(text)),
      ({ text }) => text,
    )
  const [old, young] = [uses(before), uses(after)]
  return new Set([...old.keys(), ...young.keys()].filter((name) => old.get(name)?.length !== young.get(name)?.length))
}

/** Who allocates and frees, another rule compares. */
const memory = /\b\w*(?:alloc|free)\w* \(/

const told = (how: string) => (how === '' ? 'as it is' : how.replace(/_ \( \)/g, '_'))

/** One function that reads what its last call has left. Of an array other elements may stay as they are. */
function ownFindings(functions: ChangedFunctions, writes: Shifts, reads: Shifts): Found[] {
  const stack = stackTypes(functions)
  return [...writes].flatMap(([member, writers]) =>
    writers.flatMap((write) => {
      const definition = functions.after.definitions.get(write.name)
      const read = reads.get(member)?.find(({ name }) => name === write.name)
      if (definition === undefined || read === undefined || !belongTogether(write, read)) return []
      if (stack.has(member.slice(0, member.lastIndexOf('.')))) return []
      if (!readsBeforeItWrites(definition, lastName(member))) return []
      const change = ({ gone, come }: Shift) => `${told(gone[0] ?? '')}, now ${told(come[0] ?? '')}`
      return foundIn(
        write,
        `${write.name} now writes ${member} otherwise (${change(write)}) for its own next call, ` +
          `which reads it otherwise (${change(read)}); objects hold what the old code has written`,
      )
    }),
  )
}

/** What takes the place of something, and is no mere addition. */
function exchanges(shifts: Shifts): Shifts {
  const both = [...shifts].map(
    ([member, all]) => [member, all.filter(({ gone, come }) => gone.length > 0 && come.length > 0)] as const,
  )
  return new Map(both.filter(([, all]) => all.length > 0))
}

const errorPointer = /\bERR_PTR \(/
const asksForError = /\bIS_ERR\w* \(/

/**
 * Readers that ask otherwise; where nothing is an error pointer now, or no longer, who asks for one may read on as
 * before.
 */
function readersOf(writes: Shifts, reads: Shifts): Shifts {
  const found = new Map(exchanges(reads))
  for (const [member, writers] of writes) {
    if (!writers.some(({ gone, come }) => [...gone, ...come].some((how) => errorPointer.test(how)))) continue
    const known = found.get(member) ?? []
    const more = (reads.get(member) ?? []).filter(
      (one) => !known.includes(one) && [...one.gone, ...one.come].some((how) => asksForError.test(how)),
    )
    if (more.length > 0) found.set(member, [...known, ...more])
  }
  return found
}

/** @param writes members that are written by something else than before */
function encodingFindings(functions: ChangedFunctions, writes: Shifts, reads: Shifts): Found[] {
  const made = new Set(allocationsOf(functions.before).flatMap(({ role, thing }) => (role === 'take' ? [thing] : [])))
  return [...writes].flatMap(([member, writers]) => {
    const readers = (reads.get(member) ?? []).filter(({ name }) => !writers.every((writer) => writer.name === name))
    const [writer, reader] = [writers[0]!, readers[0]]
    if (reader === undefined) return []
    const names = [...writers, ...readers].map(({ name }) => name)
    const root = [...functions.after.definitions.keys()].find((one) =>
      names.every((name) => name === one || functions.isBelow(name, one)),
    )
    const type = member.slice(0, member.lastIndexOf('.'))
    // What these files make themselves they find again; what is only handed to them may be one call's.
    const isOneCall =
      root !== undefined &&
      !names.includes(root) &&
      !made.has(type) &&
      !isDispatcher(functions.after.definitions.get(root)!, names)
    const meets = isOneCall
      ? `both are below ${root}, so old and new code meet only in what outlasts its call`
      : 'objects hold what the old code has written'
    return foundIn(
      writer,
      `${listed(writers.map(({ name }) => name))} now ` +
        `${writers.length === 1 ? 'writes' : 'write'} ${member} otherwise (${told(writer.gone[0]!)}, ` +
        `now ${told(writer.come[0]!)}), and ${listed(readers.map(({ name }) => name))} ` +
        `${readers.length === 1 ? 'reads' : 'read'} it otherwise (${told(reader.gone[0] ?? '')}, now ` +
        `${told(reader.come[0] ?? '')}); ${meets}`,
      { ...(isOneCall ? { severity: 'note' as const } : {}), functions: names },
    )
  })
}

/** The same member; where one of the paths does not tell its struct, by the member's name. */
function isSameMember(one: string, other: string): boolean {
  const isTyped = (member: string) => /^(?:struct|union) /.test(member)
  return one === other || (!(isTyped(one) && isTyped(other)) && lastName(one) === lastName(other))
}

function constantFindings(functions: ChangedFunctions): Found[] {
  const changed = functions.constants
  if (changed.length === 0) return []
  const names = new Set(changed.map(({ name }) => name))
  const { definitions } = functions.after
  const find = (name: string) => definitions.get(name) ?? functions.library.definition(name)
  const meanings = [...definitions.values()].flatMap((one) =>
    constantMeanings(one, names, find).map((meaning) => ({ ...meaning, name: one.name })),
  )
  const pairs = changed.flatMap((one) => {
    const word = new RegExp(`(?<!\\w)${one.name}(?!\\w)`)
    const uses = meanings.filter(({ how }) => word.test(how))
    const pairs = uses.flatMap((write) => {
      const read = uses.find((its) => its.does === 'read' && isSameMember(its.member, write.member))
      return write.does !== 'write' || read === undefined ? [] : { ...one, write, read }
    })
    return pairs.slice(0, 1)
  })
  // Constants of one list that move together are told together.
  return [...grouped(pairs, ({ write }) => write.member)].map(([member, of]) => {
    const { name, file, before, after, write, read } = of[0]!
    const more =
      of.length === 1 ? '' : ` (so ${of.length === 2 ? 'does' : 'do'} ${toldFirst(of.slice(1).map((one) => one.name))})`
    return foundIn(
      { name, file },
      `${name} is ${after} instead of ${before}${more}; ${write.name} writes it to ${member}, and ` +
        `${read.name} reads that by it, so objects that are there hold the old value`,
      { functions: [write.name, read.name] },
    )
  })
}

export function storedFindings(functions: ChangedFunctions): Found[] {
  const [writes, reads] = [shiftsIn(functions, 'write'), shiftsIn(functions, 'read')]
  const exchanged = exchanges(writes)
  return [
    ...encodingFindings(functions, exchanged, readersOf(exchanged, reads)),
    ...ownFindings(functions, writes, reads),
    ...movedMemberFindings(functions),
    ...constantFindings(functions),
  ]
}

export const storedOtherwise = warning(
  'stored-otherwise',
  'A member of a living object that is written and read by another constant, bit, tag, mask, shift or ' +
    'unit than before, or kept at another place of the object, and a constant that is stored and gets another value',
  'Objects hold what the old code has written; the new code reads another meaning into it, and old ' +
    'code into what the new code writes',
  'Let the new code understand both, or keep the old meaning and put what is new into a shadow variable',
  ['Documentation/livepatch/livepatch.rst: exchange meaning of some temporary structures'],
  ofTexts(storedFindings),
)
