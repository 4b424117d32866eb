// SPDX-License-Identifier: GPL-3.0-or-later
// The consistency forecast before anything runs: does the fix replace a function that some task is always inside? How a
// task moves from the old code to the new is told in docs/forecast.md.

import { codeBase } from '../../../calls/code-map.ts'
import type { Job } from '../../../ground/job.ts'
import { listed, shortened } from '../../../ground/listed.ts'
import type { Model } from '../../../kernel/model.ts'
import { openSleepers } from '../../../transition/kept-sleeping-functions.ts'
import type { Sleeper } from '../../../transition/sleeping-functions.ts'
import { type Found, note, type Rule, warning } from '../../subject/rule.ts'
import type { Subject } from '../../subject/subject.ts'

interface Sleeping {
  readonly name: string
  readonly unit: string
  readonly object: string
  readonly sleeper: Sleeper
}

/** The replaced functions in which tasks sleep for long. */
async function findSleeping({ kernel, extraction, names }: Subject, job: Job): Promise<readonly Sleeping[]> {
  const objects = [...new Set(extraction.replaced.map(({ object }) => object))]
  const known = new Map(
    await Promise.all(objects.map(async (object) => [object, await openSleepers(job, kernel, object)] as const)),
  )
  return extraction.replaced.flatMap(({ object, unit, before: { name } }): Sleeping[] => {
    const places = names.symbols(object, name)
    // Of a module, or of several functions with this name, the one that is meant is not known here.
    const addresses = object === 'vmlinux' ? places.map(({ address }) => Number(address - codeBase)) : [undefined]
    for (const address of addresses) {
      const sleeper = known.get(object)?.find(name, address)
      if (sleeper !== undefined) return [{ name, unit, object, sleeper }]
    }
    return []
  })
}

/** `a`, `a and b`, `a, b, c and 4 more`. */
const some = (names: readonly string[]) => listed(names.length > 4 ? shortened(names, 3) : names) || 'nobody'

/** @param tell what there is to say of a function; undefined for nothing */
function foretelling(
  tell: (one: Sleeping, model: Model) => Pick<Found, 'message' | 'hint' | 'severity'> | undefined,
): Rule['find'] {
  return async (subject, job) => {
    const all = await subject.facts.once(findSleeping, subject, job)
    return all.flatMap((one) => {
      const told = tell(one, subject.model)
      return told === undefined ? [] : { symbol: one.name, unit: one.unit, ...told }
    })
  }
}

export const neverFinishes = warning(
  'never-finishes',
  'A replaced function that a thread of the kernel never leaves, or in which all threads sleep',
  'A task goes over to the new code only when no replaced function is on its stack, and a thread ' +
    'has its first function, and the scheduler’s, there for good; the transition never ends, no other ' +
    'live patch can be applied meanwhile, and this one has to be reverted',
  'Make the change in a function that the thread calls and comes back from, and leave this one out ' +
    '(INARCH_IGNORE_FUNCTION)',
  [
    'Documentation/livepatch/livepatch.rst: If no affected functions are on the stack of a given task',
    'kernel/livepatch/transition.c: klp_check_stack_func',
  ],
  foretelling(({ name, object, sleeper }, model) => {
    if (sleeper.kind === 'thread') {
      const { startedBy, sinceBoot } = sleeper
      const when = sinceBoot
        ? 'which runs since the kernel started'
        : `which ${some(startedBy)} ${startedBy.length === 1 ? 'starts' : 'start'}`
      const ends = {
        kernel: 'the transition can’t finish while such a thread exists',
        hybrid: 'the transition can’t finish while such a thread exists',
        kpatch: 'the switch is refused while such a thread exists',
        kgraft: 'the transition ends, but such a thread goes on in the old code as long as it exists',
      }
      const message = `${name} of ${object} is the main function of a kernel thread, ${when}: ${ends[model]}`
      if (sinceBoot) return { message }
      return {
        message,
        hint:
          'Make the change in a function that the thread calls and comes back from; or see to it that ' +
          'no such thread exists when the live patch is loaded, which `inarch forecast` tells',
      }
    }
    if (sleeper.kind !== 'scheduler') return undefined
    const who =
      sleeper.threads.length === 0
        ? 'every task sleeps in it'
        : `whoever waits by it sleeps in it, among them threads of the kernel (${some(sleeper.threads)})`
    const start = `${name} is part of the scheduler, and ${who}`
    if (model === 'kgraft')
      return {
        severity: 'note',
        message: `${start}: each goes on in the old code until it comes back; the model kgraft does not wait for that`,
      }
    return {
      message: `${start}: ${model === 'kpatch' ? 'the switch is always refused' : 'the transition can’t finish'}`,
      hint: 'Take --model kgraft, which looks at no stack; or fix those who call it, or restart with a new kernel',
    }
  }),
)

export const longSleepers = note(
  'long-sleepers',
  'A replaced function in which tasks sleep until something happens outside',
  'The transition waits for them. After 15 s the kernel wakes processes with livepatch’s fake signal ' +
    '(klp_send_signals), which wakes interruptible sleeps only; a thread of the kernel stays',
  'Nothing need be done for processes; `inarch forecast` tells on a running system who sleeps there, ' +
    'and `inarch prove` in a virtual machine',
  [
    'Documentation/livepatch/livepatch.rst: signal is automatically sent every 15 seconds',
    'kernel/livepatch/transition.c: klp_send_signals',
  ],
  foretelling(({ name, sleeper }, model) => {
    // It waits for whoever sleeps in the kernel, wherever that is.
    if (model === 'kgraft') return undefined
    const waits = model === 'kpatch' ? 'the switch is tried a few times and then refused' : undefined
    if (sleeper.kind === 'idle')
      return {
        message:
          `Threads of the kernel (${some(sleeper.threads)}) wait for work in ${name}: where such a thread ` +
          `exists, ${waits ?? 'the transition may not finish'}`,
        hint:
          'See to it that no such thread exists when the live patch is loaded, such as by stopping ' +
          'the service that needs it; `inarch forecast` tells',
      }
    if (sleeper.kind !== 'call') return undefined
    const below = sleeper.waits.filter((one) => one !== name)
    const where = below.length === 0 ? '' : `, such as in ${some(below)}`
    return {
      message:
        `Processes may sleep long in ${name}${where}: ` +
        (waits ??
          `the transition waits for them, ${model === 'hybrid' ? 'until somebody' : 'up to 15 s, until livepatch’s'} ` +
            `${model === 'hybrid' ? '' : 'fake signal '}wakes them, where the sleep is interruptible`),
    }
  }),
)

/** The names of the rules that foretell the transition. */
export const forecastRules: readonly string[] = [neverFinishes.name, longSleepers.name]
