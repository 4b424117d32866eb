// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's own words for taking and giving back: locks, sections without preemption, references, memory, and
// waiting for somebody. Most of them are inline functions and macros, so no call of them is in the object.
// Facts: include/linux/{spinlock,mutex,rwsem,rcupdate,srcu,preempt,irqflags,kref,refcount,completion,wait,cleanup}.h,
// Documentation/locking/, Documentation/core-api/kref.rst.

/**
 * `lock`: keeps others out. `context`: concerns this task or processor only. `reference`: counts users. `memory`: ends
 * something's life. `wait`: one task waits (takes) for what another one says (gives).
 */
export type Kind = 'lock' | 'context' | 'reference' | 'memory' | 'wait'

export interface Primitive {
  readonly kind: Kind
  /** What takes and gives of the same family belong together. */
  readonly family: string
  readonly role: 'take' | 'give'
  /** Which argument names the thing, from 0; undefined when the family itself is the thing (`rtnl_lock()`). */
  readonly argument: number | undefined
}

/** What a family takes by and gives by, and which argument names the thing. */
type Row = readonly [family: string, take: RegExp, give: RegExp, argument?: number]

/** How a lock is asked for says nothing about which one it is. */
const manner = '(?:_(?:irq|irqsave|irqrestore|bh|nested|nest_lock|irqsave_nested|interruptible|killable|io))*'
const inAnyManner = (words: string) => new RegExp(`^${words}${manner}$`)
/** What nobody takes, or gives, by a word. */
const none = /(?!)/

const rows: readonly (readonly [Kind, readonly Row[]])[] = [
  [
    'lock',
    [
      ['spinlock', inAnyManner('_?(?:raw_)?spin_(?:try)?lock'), inAnyManner('_?(?:raw_)?spin_unlock'), 0],
      ['rwlock', inAnyManner('(?:read|write)_(?:try)?lock'), inAnyManner('(?:read|write)_unlock'), 0],
      ['mutex', inAnyManner('(?:rt_|ww_)?mutex_(?:try)?lock(?:_slow)?'), /^(?:rt_|ww_)?mutex_unlock$/, 0],
      ['semaphore', /^down(?:_interruptible|_killable|_trylock|_timeout)?$/, /^up$/, 0],
      ['rwsem', /^(?:percpu_)?down_(?:read|write)(?:_\w+)?$/, /^(?:percpu_)?up_(?:read|write)(?:_non_owner)?$/, 0],
      ['mmap_lock', /^mmap_(?:read|write)_(?:try)?lock(?:_killable)?$/, /^mmap_(?:read|write)_unlock$/, 0],
      ['sock', /^(?:lock_sock(?:_nested|_fast)?)$/, /^(?:release_sock|unlock_sock_fast)$/, 0],
      ['bh_sock', /^bh_lock_sock(?:_nested)?$/, /^bh_unlock_sock$/, 0],
      [
        'seqlock',
        /^write_seqlock(?:_irq|_irqsave|_bh)?$|^read_seqlock_excl\w*$/,
        /^write_sequnlock(?:_irq|_irqrestore|_bh)?$|^read_sequnlock_excl\w*$/,
        0,
      ],
      ['seqcount', /^(?:raw_)?write_seqcount_begin\w*$/, /^(?:raw_)?write_seqcount_end\w*$/, 0],
      ['bit lock', /^bit_spin_(?:try)?lock$/, /^(?:__)?bit_spin_unlock$/, 1],
      ['bit lock', /^test_and_set_bit_lock$/, /^clear_bit_unlock$/, 1],
      [
        'folio',
        /^(?:__)?folio_(?:try)?lock(?:_killable)?$|^(?:try)?lock_page(?:_killable)?$/,
        /^folio_unlock$|^unlock_page$/,
        0,
      ],
      ['rtnl', /^rtnl_(?:try)?lock(?:_killable|_interruptible)?$/, /^(?:__)?rtnl_unlock$/],
      ['cpus', /^cpus_read_(?:try)?lock$/, /^cpus_read_unlock$/],
    ],
  ],
  [
    'context',
    [
      ['srcu', /^srcu_read_lock(?:_nmisafe|_notrace)?$/, /^srcu_read_unlock(?:_nmisafe|_notrace)?$/, 0],
      ['rcu', /^rcu_read_lock(?:_bh|_sched|_trace)?$/, /^rcu_read_unlock(?:_bh|_sched|_trace)?$/],
      [
        'preemption',
        /^preempt_disable(?:_notrace)?$|^get_cpu(?:_var|_ptr)?$/,
        /^preempt_enable(?:_notrace|_no_resched)?$|^put_cpu(?:_var|_ptr)?$/,
      ],
      ['interrupts', /^(?:raw_)?local_irq_(?:disable|save)$/, /^(?:raw_)?local_irq_(?:enable|restore)$/],
      ['bottom halves', /^local_bh_disable$/, /^local_bh_enable$/],
      ['migration', /^migrate_disable$/, /^migrate_enable$/],
      ['page faults', /^pagefault_disable$/, /^pagefault_enable$/],
      ['local lock', /^local_lock(?:_irq|_irqsave)?$/, /^local_unlock(?:_irq|_irqrestore)?$/, 0],
      ['allocation scope', /^memalloc_(\w+)_save$/, /^memalloc_(\w+)_restore$/],
    ],
  ],
  [
    'reference',
    [
      ['kref', /^kref_get(?:_unless_zero)?$/, /^kref_put(?:_mutex|_lock)?$/, 0],
      [
        'count',
        /^refcount_inc(?:_not_zero)?$/,
        /^refcount_dec(?:_and_test|_and_lock\w*|_and_mutex_lock|_not_one|_if_one)?$/,
        0,
      ],
      ['count', /^refcount_add(?:_not_zero)?$/, /^refcount_sub_and_test$/, 1],
      [
        'count',
        /^atomic(?:64|_long)?_(?:fetch_)?inc(?:_return|_not_zero|_unless_negative)?(?:_\w+)?$/,
        /^atomic(?:64|_long)?_(?:fetch_)?dec(?:_return|_and_test|_and_lock|_if_positive)?(?:_\w+)?$/,
        0,
      ],
      ['percpu_ref', /^percpu_ref_(?:try)?get(?:_live|_many)?\w*$/, /^percpu_ref_put(?:_many)?$/, 0],
      ['page', /^(?:try_)?get_page(?:_unless_zero)?$|^folio_(?:try_)?get\w*$/, /^put_page$|^folio_put\w*$/],
      ['task', /^get_task_struct$/, /^put_task_struct\w*$/],
      ['file', /^fget(?:_raw|_task)?$|^get_file(?:_rcu|_active)?$/, /^fput(?:_sync)?$/],
      ['dentry', /^dget(?:_parent|_dlock)?$/, /^dput$/],
      ['inode', /^ihold$|^igrab$/, /^iput$/],
      ['sock', /^sock_hold$/, /^(?:__)?sock_put$/],
      ['net device', /^(?:__)?(?:dev|netdev)_hold\w*$/, /^(?:__)?(?:dev|netdev)_put$/],
      ['dst', /^dst_hold(?:_safe)?$|^dst_clone$/, /^dst_release(?:_immediate)?$/],
      ['module', /^try_module_get$|^__module_get$/, /^module_put$/],
      ['runtime power', /^pm_runtime_(?:get|resume_and_get)\w*$/, /^pm_runtime_put\w*$/],
      ['mm', /^mmgrab$/, /^mmdrop\w*$/],
      ['mm users', /^mmget(?:_not_zero)?$/, /^mmput(?:_async)?$/],
      [
        'static key',
        /^static_(?:branch|key_slow)_inc(?:_cpuslocked)?$/,
        /^static_(?:branch|key)_(?:slow_)?dec(?:_cpuslocked|_deferred)?$/,
        0,
      ],
    ],
  ],
  [
    'memory',
    [
      ['memory', none, /^k(?:v|z)?free(?:_sensitive)?$|^vfree$|^kvfree$/, 0],
      ['memory', none, /^k(?:v)?free_rcu(?:_mightsleep)?$/, 0],
      ['memory', none, /^kmem_cache_free$/, 1],
      [
        'skb',
        none,
        /^(?:__|dev_)?k?free_skb(?:_any|_irq|_reason|_list)?$|^(?:dev_)?consume_skb(?:_any|_irq)?$|^dev_kfree_skb\w*$/,
        0,
      ],
      ['pages', none, /^(?:__)?free_pages?$/, 0],
    ],
  ],
  [
    'wait',
    [
      ['bit', /^(?:out_of_line_)?wait_on_bit(?!\w*timeout)\w*$/, /^wake_up_bit$/, 0],
      ['bit', none, /^clear_and_wake_up_bit$/, 1],
      ['variable', /^wait_var_event(?!\w*timeout)\w*$/, /^wake_up_var\w*$/, 0],
      ['wait queue', /^swait_event(?!\w*timeout)\w*$|^rcuwait_wait_event$/, /^swake_up_\w+$|^rcuwait_wake_up$/, 0],
      ['completion', /^wait_for_completion(?!\w*timeout)\w*$/, /^complete(?:_all)?$/, 0],
      [
        'wait queue',
        /^(?:io_)?wait_event(?!\w*timeout)\w*$/,
        /^wake_up(?:_all|_interruptible\w*|_locked\w*|_poll|_nr|_sync\w*)?$/,
        0,
      ],
    ],
  ],
]

/** Words that look like a pair of `get` and `put`, and are none. */
const noReference =
  /^(?:skb|nla|nlmsg|seq|sg|user|unaligned|random|i2c|dev|platform|of|clk|gpio|regulator|debugfs|trace|buf|iov|le\d+|be\d+|bits?|ptr|bpf_(?:map|prog)_(?:fd)?)_(?:get|put|hold)$|^(?:get|put)_(?:user|unaligned\w*|random\w*|option\w*|compat\w*|\w+_(?:name|size|len|info|state|type|id|value|addr))$/

const generalReference: readonly (readonly [RegExp, Primitive['role'], (stem: string, of: string) => string[]])[] = [
  [
    /^(\w+?)_(?:try_?)?(?:get|hold|grab|ref)(?:_unless_zero|_not_zero|_rcu|_live)?$/,
    'take',
    (stem) => [`${stem}_put`, `${stem}_release`, `${stem}_unref`, `${stem}_drop`],
  ],
  [/^(?:try_)?get_(\w+)$/, 'take', (stem) => [`put_${stem}`]],
  [
    /^(\w+?)_(?:put|unref)(?:_rcu|_locked|_final)?$/,
    'give',
    (stem) => [
      `${stem}_get`,
      `${stem}_hold`,
      `${stem}_tryget`,
      `${stem}_ref`,
      `${stem}_get_unless_zero`,
      `${stem}_put`,
    ],
  ],
  [/^put_(\w+)$/, 'give', (stem) => [`get_${stem}`, `put_${stem}`]],
  // `audit_get_parent` and `audit_put_parent`.
  [/^(\w+?_)(?:get|hold|grab)_(\w+)$/, 'take', (stem, of) => [`${stem}put_${of}`]],
  [/^(\w+?_)put_(\w+)$/, 'give', (stem, of) => [`${stem}get_${of}`, `${stem}hold_${of}`, `${stem}grab_${of}`]],
  [/^(\w+?)_(?:release|drop)$/, 'give', (stem) => [`${stem}_hold`, `${stem}_get`]],
]

/** `foo_lock`, `lock_foo`, `foo_ilock`, `foo_lock_irq`: a lock of its own when there is an unlock beside it. */
const generalLock =
  /^(?:(\w+)_)?(try_?)?(un|i|iun|r|run|w|wun)?lock(?:_(?!(?:init|class|key|held|destroy|free|type|list|assert|stats?)(?:_|$))(\w+))?$/

const known = rows.flatMap(([kind, list]) =>
  list.flatMap(([family, take, give, argument]): (readonly [RegExp, Primitive])[] => [
    [take, { kind, family, role: 'take', argument }],
    [give, { kind, family, role: 'give', argument }],
  ]),
)

/** Most words are in no row. */
const inSomeRow = new RegExp(known.map(([words]) => words.source).join('|'))

/**
 * @param mentions whether a word stands in the changed files: a name that only looks like a lock or a reference counts
 *   when its partner is there
 */
export function primitiveOf(word: string, mentions: (word: string) => boolean): Primitive | undefined {
  if (inSomeRow.test(word)) return known.find(([words]) => words.test(word))![1]
  const lock = generalLock.exec(word)
  if (lock !== null) {
    const isGive = /un$/.test(lock[3] ?? '')
    const partner = isGive
      ? [
          word.replace(/unlock/, 'lock'),
          word.replace(/unlock/, 'trylock'),
          word.replace(/unlock.*/, 'lock'),
          word.replace(/_unlock/, '_lock_killable'),
        ]
      : [word.replace(/(?:try_?)?(i|r|w)?lock/, '$1unlock'), word.replace(/(?:try_?)?lock(?:_\w+)?$/, 'unlock')]
    const stem = word
      .replace(/(?:try_?)?(?:i|r|w)?(?:un)?lock/, 'lock')
      .replace(/_(?:irq\w*|bh|nested|killable|interruptible|fast)$/, '')
    return partner.some((one) => one !== word && mentions(one))
      ? { kind: 'lock', family: stem, role: isGive ? 'give' : 'take', argument: 0 }
      : undefined
  }
  if (noReference.test(word)) return undefined
  for (const [words, role, partners] of generalReference) {
    const [, stem, of = ''] = words.exec(word) ?? []
    if (stem === undefined) continue
    if (partners(stem, of).some((one) => one !== word && mentions(one)) || /_put$/.test(word))
      return { kind: 'reference', family: `${stem}${of}`, role, argument: undefined }
  }
  return undefined
}

/** The lock, its last argument, that a `put` takes when it was the last one. */
export function lockTakenBy(word: string): Primitive | undefined {
  const families: readonly (readonly [RegExp, string])[] = [
    [/^(?:kref_put_lock|(?:refcount|atomic)_dec_and_(?:raw_)?lock(?:_irqsave)?)$/, 'spinlock'],
    [/^(?:kref_put_mutex|(?:refcount|atomic)_dec_and_mutex_lock)$/, 'mutex'],
  ]
  const [, family] = families.find(([words]) => words.test(word)) ?? []
  return family === undefined ? undefined : { kind: 'lock', family, role: 'take', argument: 1 }
}

/** What `guard(NAME)` and `__free(NAME)` of cleanup.h stand for. */
const guards: readonly (readonly [RegExp, Kind, family: string, argument?: number])[] = [
  [/^(?:raw_)?spinlock\w*$/, 'lock', 'spinlock', 0],
  [/^mutex\w*$/, 'lock', 'mutex', 0],
  [/^rwsem_\w+$/, 'lock', 'rwsem', 0],
  [/^(?:read|write)_lock\w*$/, 'lock', 'rwlock', 0],
  [/^rcu$/, 'context', 'rcu'],
  [/^srcu$/, 'context', 'srcu', 0],
  [/^preempt(?:_notrace)?$/, 'context', 'preemption'],
  [/^irq(?:save)?$/, 'context', 'interrupts'],
  [/^migrate$/, 'context', 'migration'],
  [/^cpus_read_lock$/, 'lock', 'cpus'],
]

/** @returns undefined for a name that is not known */
export function guardOf(name: string): Primitive | undefined {
  const [, kind, family = '', argument] = guards.find(([words]) => words.test(name)) ?? []
  return kind && { kind, family, role: 'take', argument }
}
