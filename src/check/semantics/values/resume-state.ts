// SPDX-License-Identifier: GPL-3.0-or-later
// What a function leaves in an object for its own next call: where a dump, a listing or a retry goes on. The object
// comes from outside, so the old function's last call may have written what the new one's first call reads.

import { valueFrom } from '../../../c/tokens/brackets.ts'
import { closing } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import { statementsOf } from '../../../c/tokens/statements.ts'
import { squeezed } from '../../../c/tokens/text.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import type { Found } from '../../subject/rule.ts'
import { accessPathOf, accessPathStart } from '../reading/access-paths.ts'
import { onlyIn } from '../reading/differences.ts'
import { stackTypes } from '../reading/stack-types.ts'

/** How a member is written or read: what of it is gone, and what has come (`= _ << 1`, `>> 1`). */
interface UseChange {
  readonly gone: readonly string[]
  readonly come: readonly string[]
}

const inverse: Readonly<Record<string, string>> = {
  '<<': '>>',
  '>>': '<<',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '^': '^',
}

/** What has to be done to a value that is written so in order to have it back. */
function undoneBy(writes: readonly string[]): Set<string> {
  return new Set(
    writes.flatMap((how) => [
      ...[...how.matchAll(/(<<|>>|[-+*/^]) (\w+)/g)].map(([, by, what]) => `${inverse[by!]} ${what}`),
      ...[...how.matchAll(/\b(\w+)_to_(\w+)/g)].map(([, from, to]) => `${to}_to_${from}`),
      ...[...how.matchAll(/^= (-? ?\w+)$/g)].flatMap(([, what]) => (what === '_' ? [] : [`== ${what}`])),
    ]),
  )
}

function doneIn(reads: readonly string[]): Set<string> {
  return new Set(
    reads.flatMap((how) => [
      ...[...how.matchAll(/(<<|>>|[-+*/^])=? (\w+)/g)].map(([, by, what]) => `${by} ${what}`),
      ...[...how.matchAll(/\b(\w+_to_\w+)/g)].map(([, name]) => name!),
      ...[...how.matchAll(/[!=]= (-? ?\w+)$/g)].map(([, what]) => `== ${what}`),
    ]),
  )
}

/** True when what a function now does to a value that it reads undoes what it now does to the value that it writes. */
export function belongTogether(write: UseChange, read: UseChange): boolean {
  const news = (one: ReadonlySet<string>, other: ReadonlySet<string>) => [...one].filter((each) => !other.has(each))
  const [gone, come] = [undoneBy(write.gone), undoneBy(write.come)]
  const [was, is] = [doneIn(read.gone), doneIn(read.come)]
  const common = (one: readonly string[], other: readonly string[]) => one.some((each) => other.includes(each))
  const [begins, ends] = [common(news(come, gone), news(is, was)), common(news(gone, come), news(was, is))]
  const isSentinel = (each: string) => each.startsWith('== ')
  // A sentinel is another one only where the old one is gone from both.
  const isOnlySentinel = news(come, gone).every(isSentinel) && news(gone, come).every(isSentinel)
  return isOnlySentinel ? begins && ends : begins || ends
}

/**
 * True when a call may read what an earlier one has left.
 * @param place the end of an access path: `args[0]`, `f_version`
 */
export function readsBeforeItWrites({ body }: Definition, place: string): boolean {
  const width = place.split(/\b|(?=[[\]])/).length
  for (const { kind, tokens, under } of statementsOf(body)) {
    const uses = tokens.flatMap((_, at) => {
      if (!isMember(tokens, at)) return []
      const end = [at + 1, at + width].find((to) => squeezed(tokens.slice(at, to)) === place)
      return end === undefined ? [] : [tokens[end]?.text === '=' ? 'write' : 'read']
    })
    if (uses.includes('read')) return true
    if (uses.length > 0 && under.length === 0 && kind === 'expression') return false
  }
  return false
}

interface Use {
  readonly object: string
  /** `args[0]`. */
  readonly place: string
  readonly does: 'write' | 'read'
  /** The value that is written, or the variable that gets what is read. */
  readonly what: string
}

function usesIn(definition: Definition, stack: ReadonlySet<string>): Use[] {
  const { body } = definition
  const variables = variablesOf(definition)
  return body.flatMap(({ kind }, at): Use[] => {
    if (kind !== 'name' || !isMember(body, at)) return []
    let end = at + 1
    if (body[end]?.text === '[') end = closing(body, end)
    const start = accessPathStart(body, end)
    const isWritten = body[end]?.text === '='
    const target = body[start - 2]
    const isRead =
      body[start - 1]?.text === '=' &&
      /^[;,]$/.test(body[end]?.text ?? '') &&
      target?.kind === 'name' &&
      !isMember(body, start - 2)
    if (!isWritten && !isRead) return []
    const { object, isLive } = accessPathOf(body.slice(start, end), variables, stack) ?? { object: '', isLive: false }
    if (!isLive || !/^struct /.test(object)) return []
    const what = isWritten ? squeezed(valueFrom(body, end + 1)) : target!.text
    return [{ object, place: squeezed(body.slice(at, end)), does: isWritten ? 'write' : 'read', what }]
  })
}

/** Values that are kept at another place of an object than before, and looked for there. */
export function movedMemberFindings(functions: ChangedFunctions): Found[] {
  const stack = stackTypes(functions)
  const moves = functions.rewritten.flatMap(({ name, file, before, after }) => {
    const [old, young] = [usesIn(before, stack), usesIn(after, stack)]
    const isAlike = (one: Use, other: Use) =>
      one.object === other.object && one.does === other.does && one.what === other.what
    const isSame = (one: Use, other: Use) => isAlike(one, other) && one.place === other.place
    const isKnown = (side: Side, { place }: Use) => side.mentions(place.replace(/\[.*/, ''))
    const come = onlyIn(young, old, isSame).filter((now) => isKnown(functions.before, now))
    const gone = onlyIn(old, young, isSame).filter((one) => isKnown(functions.after, one))
    return gone.flatMap((one) =>
      come.filter((now) => isAlike(now, one)).map(({ place }) => ({ ...one, to: place, name, file, after })),
    )
  })
  for (const write of moves) {
    if (write.does !== 'write') continue
    const read = moves.find(
      (one) =>
        one.does === 'read' &&
        one.object === write.object &&
        one.place === write.place &&
        one.to === write.to &&
        readsBeforeItWrites(one.after, one.to),
    )
    if (read === undefined) continue
    const who = read.name === write.name ? 'its own next call' : read.name
    return [
      {
        symbol: write.name,
        unit: write.file,
        functions: [read.name],
        message:
          `${write.name} now keeps ${write.what} in ${write.to} of ${write.object} instead of ` +
          `${write.place}, and ${who} looks for it there; objects hold what the old code has put into ${write.place}`,
      },
    ]
  }
  return []
}
