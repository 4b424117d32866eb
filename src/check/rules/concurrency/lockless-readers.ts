// SPDX-License-Identifier: GPL-3.0-or-later
// Readers without a lock rely on what the writer does for them: a grace period before something is freed, a seqcount
// around what is written in several steps, a barrier or a release in front of what makes it visible
// (Documentation/RCU/whatisRCU.rst, Documentation/memory-barriers.txt). Readers that are not replaced go on relying on
// it.

import { argumentsAt } from '../../../c/tokens/calls.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import { plainly, withHelpers } from '../../locks/operations.ts'
import { spelled } from '../../semantics/reading/calls-and-assignments.ts'
import type { ChangedFunction, ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

const later = /^(?:call_s?rcu\w*|k?v?free_rcu\w*|queue_rcu_work)$/
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

/** What a changed function no longer does for readers without a lock; undefined when it does all it did. */
function lossOf(functions: ChangedFunctions, { before, after }: ChangedFunction): string | undefined {
  if (before === undefined || after === undefined) return undefined
  const [old, young] = [statementsOf(before.body), statementsOf(after.body)]
  const { gone, come } = differenceOf(old, young)
  const [lost, won] = [callsIn(gone), callsIn(come)]
  const all = withHelpers(functions.after, after, functions.before).flatMap(({ body }) => callsIn(statementsOf(body)))
  const count = (list: readonly Call[], words: RegExp) => list.filter(({ name }) => words.test(name)).length
  // What a function waited for, another one may do where it frees: the free waits now.
  const waitsElsewhere =
    all.some(({ name }) => later.test(name)) ||
    functions.all.some((one) => {
      const [was, is] = [one.before, one.after].map((side) => count(callsIn(statementsOf(side?.body ?? [])), later))
      return is! > was!
    })
  const isFewer = (words: RegExp) => count(callsIn(old), words) > count(all, words)
  /** True when what stands beside a statement that went is done as before. */
  const isBesideKept = ({ statement }: Call): boolean => {
    const at = old.indexOf(statement)
    const beside = [old[at - 1], old[at + 1]].filter((one) => one?.kind === 'expression')
    return beside.some((one) => young.some(({ text }) => text === one!.text))
  }
  for (const call of lost) {
    const { name } = call
    if (later.test(name) && isFewer(later)) {
      const subject = subjectOf(call).split(/->|\./)[0] ?? ''
      const now = won.find(
        (one) => frees.test(one.name) && !later.test(one.name) && one.inner.some((value) => plainly(value) === subject),
      )
      if (now !== undefined)
        return (
          `now frees ${subject} at once by ${now.name}, and no longer after a grace period; readers ` +
          'in a read-side section can still use it'
        )
    }
    if (waits.test(name) && isFewer(waits) && !waitsElsewhere && isBesideKept(call))
      return `no longer waits by ${name}; readers in a read-side section can still use what it removes`
    if (sections.test(name) && isFewer(sections)) {
      const next = old[old.indexOf(call.statement) + 1]
      if (next !== undefined && young.some(({ text }) => text === next.text))
        return `now writes what ${subjectOf(call)} protects outside of a write section; lockless readers see half of it`
    }
    if (
      barriers.test(name) &&
      isFewer(barriers) &&
      !won.some((one) => ordered.test(one.name) || barriers.test(one.name)) &&
      isBesideKept(call)
    )
      return `no longer has the barrier ${name}; others can see the writes after it before the writes in front of it`
    const place = subjectOf(call)
    if (stores.test(name) && spelled(call.inner[1] ?? []) !== 'NULL') {
      const assigned = come.some(({ tokens }) => spelled(tokens).startsWith(`${place} = `))
      const isPlain = won.some((one) => plainStores.test(one.name) && subjectOf(one) === place)
      if ((assigned || isPlain) && !won.some((one) => barriers.test(one.name)))
        return `now stores ${place} without the ordering of ${name}; others can see it before the writes in front of it`
    }
    const [, plain] = lists.exec(name) ?? []
    if (plain !== undefined && won.some((one) => one.name === plain && subjectOf(one) === place))
      return `now uses ${plain} where it used ${name}; lockless readers of the list need ${name}`
  }
  return undefined
}

export function readerFindings(functions: ChangedFunctions): Found[] {
  return functions.all.flatMap((one): Found[] => {
    const loss = one.isPutIn ? undefined : lossOf(functions, one)
    return loss === undefined ? [] : [foundIn(one, `${one.name} ${loss}`)]
  })
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
