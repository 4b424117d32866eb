// SPDX-License-Identifier: GPL-3.0-or-later
// Static data that only serve diagnostics: a warning's "already said so", a dynamic debug descriptor, a
// rate limit. A function that is replaced gets fresh ones, and they never count as a change. The name
// alone does not tell: a driver may call its own state `descriptor`, or count in a `__key`. So section, size, first
// value, and what the code does with it have to be those of the kernel's macros, too; else it is state, and goes on as
// the kernel has it.

import { macroStatics } from '../../c/expanded/macro-statics.ts'
import { nameGiver, speaker } from '../../c/expanded/message-functions.ts'
import { sectionType } from '../../elf/format.ts'
import type { Atom, DataUse, Step } from './atoms.ts'
import { isNumbered } from './compiler-names.ts'

/** What tells whether an atom is incidental. */
export type Datum = Pick<Atom, 'kind' | 'name' | 'start' | 'end'> & {
  readonly section: Pick<Atom['section'], 'name' | 'type' | 'data'>
  readonly symbol: Pick<NonNullable<Atom['symbol']>, 'binding' | 'size'> | undefined
}

/** Static locals of the kernel's macros. */
interface Made {
  readonly name: RegExp
  readonly section: RegExp
  readonly hasForm?: (datum: Datum) => boolean
  readonly isUse?: (use: DataUse) => boolean
}

const made: readonly Made[] = [
  {
    name: macroStatics.onceFlag.name,
    section: /^\.data\.\.?(once|unlikely)$/,
    hasForm: isUnsetFlag,
    isUse: saysOnce,
  },
  // dev_printk.h, drm_print.h
  {
    name: /^__print_once$/,
    section: /^\.data\.\.?read_mostly$/,
    hasForm: isUnsetFlag,
    isUse: saysOnce,
  },
  { name: macroStatics.debugDescriptor.name, section: /^__(dyndbg|verbose)$/ },
  { name: macroStatics.tracepointString.name, section: /^__tracepoint_str$/ },
  {
    name: macroStatics.rateLimit.name,
    section: /^\.data(\.|$)/,
    hasForm: ({ start, end }) => end - start >= 32,
    isUse: limitsMessages,
  },
  // Nothing without lockdep.
  { name: macroStatics.lockKey.name, section: /^\.bss/, hasForm: ({ symbol }) => symbol?.size === 0 },
  {
    name: macroStatics.lockKey.name,
    section: /^\.bss/,
    hasForm: ({ symbol }) => symbol?.size === 8 || symbol?.size === 16,
    isUse: isKeyOfLock,
  },
  // The printk index names each message's place in a struct pi_entry; no code uses it.
  {
    name: macroStatics.messageEntry.name,
    section: /^\.rodata/,
    hasForm: ({ start, end }) => end - start === 48,
  },
]

/** True when nobody can tell whether a fresh copy of the datum is used. */
export function isIncidental(atom: Atom): boolean {
  return isMade(atom, ({ isUse }) => isUse === undefined || atom.usesOf(atom).every(isUse))
}

/** True when a datum is incidental by all but what the code does with it. */
export function looksIncidental(datum: Datum): boolean {
  return isMade(datum, () => true)
}

function isMade(datum: Datum, isUsedSo: (made: Made) => boolean): boolean {
  if (datum.kind !== 'data') return false
  const { name, section } = datum
  if (/(^|\.)__UNIQUE_ID_/.test(name)) return /^(__dyndbg|\.modinfo)$/.test(section.name)
  if (datum.symbol?.binding !== 'local') return false
  // gcc numbers static locals; clang puts the function's name in front.
  if (!isNumbered(name) && !name.includes('.')) return false
  const bare = name.replace(/(\.\d+)+$/, '').replace(/^.*\./, '')
  return made.some(
    (one) => one.name.test(bare) && one.section.test(section.name) && one.hasForm?.(datum) !== false && isUsedSo(one),
  )
}

/** True when it tells a place in the source, which moves. */
export function hasLineNumber(incidental: Atom): boolean {
  return /^(__dyndbg|__verbose|\.rodata)/.test(incidental.section.name)
}

/** A bool that is false. */
function isUnsetFlag({ section, start, end }: Datum): boolean {
  return end - start === 1 && (section.type === sectionType.nobits || section.data[start] === 0)
}

/** It reads a flag, or sets it and says something. */
function saysOnce({ how, flag, next }: DataUse): boolean {
  return how === 'access' && (flag === 'reads' || (flag === 'sets' && saysFirst(next())))
}

function saysFirst(steps: readonly Step[], names = 4): boolean {
  return (
    steps.length > 0 &&
    steps.every(
      ({ name, next }) =>
        name === 'ud2' || speaker.test(name) || (names > 0 && nameGiver.test(name) && saysFirst(next(), names - 1)),
    )
  )
}

/** It asks whether something may be said, and says it. */
function limitsMessages({ how, next }: DataUse): boolean {
  return (
    how === 'address' &&
    next().length > 0 &&
    next().every((step) => step.name === '___ratelimit' && saysFirst(step.whenTrue()))
  )
}

/** Who takes the key of a class of locks (lockdep.h, and what brings a lock along). */
const lockMaker =
  /^_*(lockdep_(init_map(_\w+)?|register_key|set_class\w*)|mutex_init(_\w+)?|init_rwsem|(raw_)?(spin|rw|read|write)_?lock_init|rwlock_init|rt_(mutex|spin_lock)_init\w*|ww_\w*init|percpu_init_rwsem|init_(waitqueue_head|swait_queue_head|work|timer_key|srcu_struct\w*|timer_on_stack_key)|class_(create|register)|sema_init|seqcount_init|blk_(alloc_disk|mq_alloc_disk\w*)|alloc_disk_node|regmap_init\w*|devm_regmap_init\w*)$/

function isKeyOfLock({ how, next }: DataUse): boolean {
  return how === 'address' && next().length > 0 && next().every(({ name }) => lockMaker.test(name))
}
