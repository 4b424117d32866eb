// SPDX-License-Identifier: GPL-3.0-or-later
// One changed function begins to set something up (a lock, a list, a timer), and another one begins to use it.
// Objects that the old code has made come to the new code without it.

import { closing } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import { squeezed } from '../../../c/tokens/text.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { listed } from '../../../ground/listed.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { lastName, withHelpers } from '../../locks/operations.ts'
import { constructorFindings } from '../../semantics/memory/constructors.ts'
import { largerAllocationFindings } from '../../semantics/memory/larger-allocations.ts'
import { partialInitializationFindings } from '../../semantics/memory/partial-initialization.ts'
import { stackTypes } from '../../semantics/reading/stack-types.ts'
import { newVariableFindings } from '../../semantics/values/new-variables.ts'
import { onceWrittenFindings } from '../../semantics/values/once-written.ts'
import type { ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'
import { keptBy } from './reaches-only-new.ts'

const setUp =
  /^(?:(?:raw_)?spin_lock_init|rwlock_init|(?:rt_)?mutex_init|(?:__)?init_rwsem|sema_init|INIT_(?:LIST|HLIST|HLIST_NULLS|LLIST)_HEAD|INIT_(?:DELAYED_|RCU_|DEFERRABLE_)?WORK(?:_ONSTACK)?|INIT_RADIX_TREE|INIT_KFIFO|timer_setup|hrtimer_(?:init|setup)|tasklet_(?:init|setup)|init_(?:waitqueue_head|completion|swait_queue_head|rcu_head|srcu_struct|llist_head|irq_work)|kthread_init_(?:work|delayed_work)|kref_init|(?:refcount|atomic|atomic64|atomic_long)_set|seqcount_\w*init|seqlock_init|xa_init(?:_flags)?|idr_init|ida_init|percpu_(?:ref|counter)_init|skb_queue_head_init|mt_init(?:_flags)?)$/

/** The members that a function sets up: `list` of `INIT_LIST_HEAD(&x->list)`. */
function setUpIn({ body }: Definition): Set<string> {
  const found = new Set<string>()
  for (const [at, { kind, text }] of body.entries()) {
    if (kind !== 'name' || !setUp.test(text) || body[at + 1]?.text !== '(') continue
    const inner = body.slice(at + 2, closing(body, at + 1) - 1)
    const end = inner.findIndex((token) => token.text === ',')
    const on = squeezed(end < 0 ? inner : inner.slice(0, end))
    if (/(?:->|\.)/.test(on)) found.add(lastName(on))
  }
  return found
}

/** The members that a function gives a value, through a pointer: `private` of `inode->private = …`. */
function assignedIn(definition: Definition, stack: ReadonlySet<string> = new Set()): Set<string> {
  const { body } = definition
  const found = new Set<string>()
  for (const [at, { kind, text }] of body.entries()) {
    if (kind !== 'name' || body[at - 1]?.text !== '->' || body[at + 1]?.text !== '=') continue
    if (/^(?:NULL|0|false)$/.test(body[at + 2]?.text ?? '')) continue
    // Of a struct that only lies on the stack each call makes its own.
    const type = stack.size === 0 ? undefined : variablesOf(definition).get(body[at - 2]?.text ?? '')?.type
    if (type === undefined || !stack.has(type)) found.add(text)
  }
  return found
}

/** How often a member is used; what only gives it a value needs none. */
function usesIn({ body }: Definition, member: string): number {
  return body.filter(({ text }, at) => text === member && isMember(body, at) && body[at + 1]?.text !== '=').length
}

export function setUpFindings(functions: ChangedFunctions): Found[] {
  const sides = functions.all.map(({ name, file, before, after }) => ({
    name,
    file,
    before: before === undefined ? [] : withHelpers(functions.before, before, functions.after),
    after: after === undefined ? [] : withHelpers(functions.after, after, functions.before),
    isOld: before !== undefined && after !== undefined,
  }))
  const uses = (texts: readonly Definition[], member: string) =>
    texts.reduce((sum, text) => sum + usesIn(text, member), 0)
  const stack = stackTypes(functions)
  const setsUp = (texts: readonly Definition[], member: string) => texts.some((text) => setUpIn(text).has(member))
  return sides.flatMap((one) => {
    if (!one.isOld) return []
    const members: string[] = []
    const names: string[] = []
    const candidates = new Set([
      ...one.after.flatMap((text) => [...setUpIn(text)]).filter((member) => !setsUp(one.before, member)),
      // A member that none of these files knew has no meaning in the objects that there are.
      ...one.after
        .flatMap((text) => [...assignedIn(text, stack)])
        .filter((member) => !functions.before.mentions(member)),
    ])
    for (const member of candidates) {
      const users = sides.filter(
        (other) =>
          other.isOld &&
          other.name !== one.name &&
          uses(other.after, member) > uses(other.before, member) &&
          !functions.isBelow(other.name, one.name) &&
          !setsUp(other.after, member) &&
          !other.after.some((text) => assignedIn(text).has(member)),
      )
      if (users.length === 0) continue
      members.push(member)
      names.push(...users.map(({ name }) => name))
    }
    if (members.length === 0) return []
    const them = members.length === 1 ? 'it' : 'them'
    return foundIn(
      one,
      `${one.name} now sets up ${listed(members)}, and ${listed(names)} now ` +
        `${new Set(names).size === 1 ? 'uses' : 'use'} ${them}; objects that the old code has made ` +
        `lack ${them}`,
      { functions: names },
    )
  })
}

/** What the objects that the old code has made come without, or only with one half of. */
export function oldObjectFindings(functions: ChangedFunctions, changes: readonly FileChange[]): Found[] {
  return [
    ...setUpFindings(functions),
    ...partialInitializationFindings(functions, (name) => keptBy(functions, name)),
    ...constructorFindings(functions),
    ...largerAllocationFindings(functions, changes),
    ...newVariableFindings(functions, changes),
    ...onceWrittenFindings(functions, changes),
  ]
}

export const setUpByOldCode = warning(
  'set-up-by-old-code',
  'A lock, list, timer, work item or member that one changed function sets up and another one uses, ' +
    'both only since the patch; members that are set when an object is made, and of which another ' +
    'changed function sets some in objects that exist; a slab’s constructor that sets up something ' +
    'else; a larger allocation, into whose further part another changed function reaches; a new ' +
    'variable of a file (an index, a count) that one changed function fills, and by which another one decides; ' +
    'a variable of a file that was set again and again, and is now set only once, with another one',
  'The objects that exist when the live patch comes were made without it; to use it in them is to ' +
    'use what was never set up, or what lies behind their end',
  'Keep it in a shadow variable that the new code makes where it is missing, or set it up in a ' +
    'callback for all objects there are',
  ['Documentation/livepatch/shadow-vars.rst: In-flight parent objects'],
  ofTexts(oldObjectFindings),
)
