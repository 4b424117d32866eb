// SPDX-License-Identifier: GPL-3.0-or-later
// Readers without a lock rely on what the writer does for them: a grace period before something is freed, a seqcount
// around what is written in several steps, a barrier or a release in front of what makes it visible
// (Documentation/RCU/whatisRCU.rst, Documentation/memory-barriers.txt). Readers that are not replaced go on relying on
// it.

import { argumentsAt } from '../../../c/tokens/calls.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import { plainly, withHelpers } from '../../locks/operations.ts'
import { defers, isDeferredNow, type NewDeferral, newDeferrals } from '../../semantics/memory/deferred-frees.ts'
import { spelled } from '../../semantics/reading/calls-and-assignments.ts'
import type { ChangedFunction, ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

const waits = /^synchronize_(?:s?rcu\w*|net|sched|irq)$/
const frees =
  /^(?:k[vz]*free\w*|vfree\w*|kmem_cache_free|(?:__)?free_\w+|\w+_free(?:_\w+)?|(?:__)?free_pages?|\w*destroy\w*)$/
const sections = /^(?:raw_)?write_seq(?:count_begin|lock)\w*$/
const barriers = /^(?:smp_wmb|smp_mb|wmb|mb|smp_mb__(?:before|after)_\w+)$/
/** Orders as a barrier does. */
const ordered =
  /^(?:smp_store_(?:release|mb)|rcu_(?:assign|replace)_pointer|\w+_release|(?:try_)?(?:cmp)?xchg|test_and_\w+_bit|atomic\w*_(?:return|fetch\w*|xchg|cmpxchg|test)|\w*lock\w*|wake_up\w*|complete|set_current_state)$/
const stores = /^(?:smp_store_(?:release|mb)|rcu_assign_pointer|(?:atomic(?:64|_long)?|refcount)_set_release)$/
const plainStores = /^(?:WRITE_ONCE|RCU_INIT_POINTER|(?:atomic(?:64|_long)?|refcount)_set)$/
const lists = /^(h?list\w*)_rcu$/

interface Call {
  readonly name: string
  readonly inner: ReturnType<typeof argumentsAt>
  readonly statement: Statement
}

function callsIn(statements: readonly Statement[]): Call[] {
  return statements.flatMap((statement) =>
    statement.tokens.flatMap(({ kind, text }, at): Call[] =>
      kind === 'name' && statement.tokens[at + 1]?.text === '('
        ? [{ name: text, inner: argumentsAt(statement.tokens, at + 1), statement }]
        : [],
    ),
  )
}

/** The variable or member that a call is about. */
function subjectOf({ inner }: Call): string {
  return plainly(inner[0] ?? [])
}

/** What a changed function no longer does for readers without a lock; nothing when it does all it did. */
function lossesOf(functions: ChangedFunctions, one: ChangedFunction, deferred: readonly NewDeferral[]): string[] {
  const { before, after } = one
  if (before === undefined || after === undefined) return []
  const [old, young] = [statementsOf(before.body), statementsOf(after.body)]
  const { gone, come } = differenceOf(old, young)
  const [lost, won] = [callsIn(gone), callsIn(come)]
  const all = withHelpers(functions.after, after, functions.before).flatMap(({ body }) => callsIn(statementsOf(body)))
  const count = (list: readonly Call[], words: RegExp) => list.filter(({ name }) => words.test(name)).length
  const isFewer = (words: RegExp) => count(callsIn(old), words) > count(all, words)
  /** True when what stands beside a statement that went is done as before. */
  const isBesideKept = ({ statement }: Call): boolean => {
    const at = old.indexOf(statement)
    const beside = [old[at - 1], old[at + 1]].filter((one) => one?.kind === 'expression')
    return beside.some((one) => young.some(({ text }) => text === one!.text))
  }
  const lossOf = (call: Call): string | undefined => {
    const { name, statement } = call
    if (defers.test(name) && isFewer(defers)) {
      const subject = subjectOf(call).split(/->|\./)[0] ?? ''
      const now = won.find(
        (other) =>
          frees.test(other.name) && !defers.test(other.name) && other.inner.some((value) => plainly(value) === subject),
      )
      if (now !== undefined)
        return (
          `now frees ${subject} at once by ${now.name}, and no longer after a grace period; readers ` +
          'in a read-side section can still use it'
        )
    }
    // What a function waited for, a free that waits itself may do.
    if (waits.test(name) && isFewer(waits) && isBesideKept(call) && !isDeferredNow(functions, one, statement, deferred))
      return `no longer waits by ${name}; readers in a read-side section can still use what it removes`
    if (sections.test(name) && isFewer(sections)) {
      const next = old[old.indexOf(statement) + 1]
      if (next !== undefined && young.some(({ text }) => text === next.text))
        return `now writes what ${subjectOf(call)} protects outside of a write section; lockless readers see half of it`
    }
    if (
      barriers.test(name) &&
      isFewer(barriers) &&
      !won.some((other) => ordered.test(other.name) || barriers.test(other.name)) &&
      isBesideKept(call)
    )
      return `no longer has the barrier ${name}; others can see the writes after it before the writes in front of it`
    const place = subjectOf(call)
    if (stores.test(name) && spelled(call.inner[1] ?? []) !== 'NULL') {
      const assigned = come.some(({ tokens }) => spelled(tokens).startsWith(`${place} = `))
      const isPlain = won.some((other) => plainStores.test(other.name) && subjectOf(other) === place)
      if ((assigned || isPlain) && !won.some((other) => barriers.test(other.name)))
        return `now stores ${place} without the ordering of ${name}; others can see it before the writes in front of it`
    }
    const [, plain] = lists.exec(name) ?? []
    if (plain !== undefined && won.some((other) => other.name === plain && subjectOf(other) === place))
      return `now uses ${plain} where it used ${name}; lockless readers of the list need ${name}`
    return undefined
  }
  return [...new Set(lost.flatMap((call) => lossOf(call) ?? []))]
}

export function readerFindings(functions: ChangedFunctions): Found[] {
  const deferred = newDeferrals(functions)
  return functions.all.flatMap((one): Found[] =>
    one.isPutIn ? [] : lossesOf(functions, one, deferred).map((loss) => foundIn(one, `${one.name} ${loss}`)),
  )
}

export const locklessReaders = warning(
  'lockless-readers',
  'A grace period, a seqcount, a barrier, a release or an RCU list function that a writer no longer has',
  'Readers without a lock rely on it, in code that is not replaced and in tasks that still run the old ' +
    'code: they see what is freed, or one half of what is written',
  'Keep it in the live patch; it costs little, and the old readers need it until they are gone',
  ['Documentation/RCU/whatisRCU.rst: synchronize_rcu', 'Documentation/memory-barriers.txt: SMP BARRIER PAIRING'],
  ofTexts(readerFindings),
)
