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

type Row = readonly [words: RegExp, kind: Kind, family: string, role: Primitive['role'], argument?: number]

/** How a lock is asked for says nothing about which one it is. */
const manner = '(?:_(?:irq|irqsave|irqrestore|bh|nested|nest_lock|irqsave_nested|interruptible|killable|io))*'

const rows: readonly Row[] = [
  [new RegExp(`^_?(?:raw_)?spin_(?:try)?lock${manner}$`), 'lock', 'spinlock', 'take', 0],
  [new RegExp(`^_?(?:raw_)?spin_unlock${manner}$`), 'lock', 'spinlock', 'give', 0],
  [new RegExp(`^(?:read|write)_(?:try)?lock${manner}$`), 'lock', 'rwlock', 'take', 0],
  [new RegExp(`^(?:read|write)_unlock${manner}$`), 'lock', 'rwlock', 'give', 0],
  [new RegExp(`^(?:rt_|ww_)?mutex_(?:try)?lock(?:_slow)?${manner}$`), 'lock', 'mutex', 'take', 0],
  [/^(?:rt_|ww_)?mutex_unlock$/, 'lock', 'mutex', 'give', 0],
  [/^down(?:_interruptible|_killable|_trylock|_timeout)?$/, 'lock', 'semaphore', 'take', 0],
  [/^up$/, 'lock', 'semaphore', 'give', 0],
  [/^(?:percpu_)?down_(?:read|write)(?:_\w+)?$/, 'lock', 'rwsem', 'take', 0],
  [/^(?:percpu_)?up_(?:read|write)(?:_non_owner)?$/, 'lock', 'rwsem', 'give', 0],
  [/^mmap_(?:read|write)_(?:try)?lock(?:_killable)?$/, 'lock', 'mmap_lock', 'take', 0],
  [/^mmap_(?:read|write)_unlock$/, 'lock', 'mmap_lock', 'give', 0],
  [/^(?:lock_sock(?:_nested|_fast)?)$/, 'lock', 'sock', 'take', 0],
  [/^(?:release_sock|unlock_sock_fast)$/, 'lock', 'sock', 'give', 0],
  [/^bh_lock_sock(?:_nested)?$/, 'lock', 'bh_sock', 'take', 0],
  [/^bh_unlock_sock$/, 'lock', 'bh_sock', 'give', 0],
  [/^write_seqlock(?:_irq|_irqsave|_bh)?$|^read_seqlock_excl\w*$/, 'lock', 'seqlock', 'take', 0],
  [/^write_sequnlock(?:_irq|_irqrestore|_bh)?$|^read_sequnlock_excl\w*$/, 'lock', 'seqlock', 'give', 0],
  [/^(?:raw_)?write_seqcount_begin\w*$/, 'lock', 'seqcount', 'take', 0],
  [/^(?:raw_)?write_seqcount_end\w*$/, 'lock', 'seqcount', 'give', 0],
  [/^bit_spin_(?:try)?lock$/, 'lock', 'bit lock', 'take', 1],
  [/^(?:__)?bit_spin_unlock$/, 'lock', 'bit lock', 'give', 1],
  [/^test_and_set_bit_lock$/, 'lock', 'bit lock', 'take', 1],
  [/^clear_bit_unlock$/, 'lock', 'bit lock', 'give', 1],
  [/^(?:__)?folio_(?:try)?lock(?:_killable)?$|^(?:try)?lock_page(?:_killable)?$/, 'lock', 'folio', 'take', 0],
  [/^folio_unlock$|^unlock_page$/, 'lock', 'folio', 'give', 0],
  [/^rtnl_(?:try)?lock(?:_killable|_interruptible)?$/, 'lock', 'rtnl', 'take'],
  [/^(?:__)?rtnl_unlock$/, 'lock', 'rtnl', 'give'],
  [/^cpus_read_(?:try)?lock$/, 'lock', 'cpus', 'take'],
  [/^cpus_read_unlock$/, 'lock', 'cpus', 'give'],

  [/^srcu_read_lock(?:_nmisafe|_notrace)?$/, 'context', 'srcu', 'take', 0],
  [/^srcu_read_unlock(?:_nmisafe|_notrace)?$/, 'context', 'srcu', 'give', 0],
  [/^rcu_read_lock(?:_bh|_sched|_trace)?$/, 'context', 'rcu', 'take'],
  [/^rcu_read_unlock(?:_bh|_sched|_trace)?$/, 'context', 'rcu', 'give'],
  [/^preempt_disable(?:_notrace)?$|^get_cpu(?:_var|_ptr)?$/, 'context', 'preemption', 'take'],
  [/^preempt_enable(?:_notrace|_no_resched)?$|^put_cpu(?:_var|_ptr)?$/, 'context', 'preemption', 'give'],
  [/^(?:raw_)?local_irq_(?:disable|save)$/, 'context', 'interrupts', 'take'],
  [/^(?:raw_)?local_irq_(?:enable|restore)$/, 'context', 'interrupts', 'give'],
  [/^local_bh_disable$/, 'context', 'bottom halves', 'take'],
  [/^local_bh_enable$/, 'context', 'bottom halves', 'give'],
  [/^migrate_disable$/, 'context', 'migration', 'take'],
  [/^migrate_enable$/, 'context', 'migration', 'give'],
  [/^pagefault_disable$/, 'context', 'page faults', 'take'],
  [/^pagefault_enable$/, 'context', 'page faults', 'give'],
  [/^local_lock(?:_irq|_irqsave)?$/, 'context', 'local lock', 'take', 0],
  [/^local_unlock(?:_irq|_irqrestore)?$/, 'context', 'local lock', 'give', 0],
  [/^memalloc_(\w+)_save$/, 'context', 'allocation scope', 'take'],
  [/^memalloc_(\w+)_restore$/, 'context', 'allocation scope', 'give'],

  [/^kref_get(?:_unless_zero)?$/, 'reference', 'kref', 'take', 0],
  [/^kref_put(?:_mutex|_lock)?$/, 'reference', 'kref', 'give', 0],
  [/^refcount_inc(?:_not_zero)?$/, 'reference', 'count', 'take', 0],
  [/^refcount_dec(?:_and_test|_and_lock\w*|_and_mutex_lock|_not_one|_if_one)?$/, 'reference', 'count', 'give', 0],
  [/^refcount_add(?:_not_zero)?$/, 'reference', 'count', 'take', 1],
  [/^refcount_sub_and_test$/, 'reference', 'count', 'give', 1],
  [
    /^atomic(?:64|_long)?_(?:fetch_)?inc(?:_return|_not_zero|_unless_negative)?(?:_\w+)?$/,
    'reference',
    'count',
    'take',
    0,
  ],
  [
    /^atomic(?:64|_long)?_(?:fetch_)?dec(?:_return|_and_test|_and_lock|_if_positive)?(?:_\w+)?$/,
    'reference',
    'count',
    'give',
    0,
  ],
  [/^percpu_ref_(?:try)?get(?:_live|_many)?\w*$/, 'reference', 'percpu_ref', 'take', 0],
  [/^percpu_ref_put(?:_many)?$/, 'reference', 'percpu_ref', 'give', 0],
  [/^(?:try_)?get_page(?:_unless_zero)?$|^folio_(?:try_)?get\w*$/, 'reference', 'page', 'take'],
  [/^put_page$|^folio_put\w*$/, 'reference', 'page', 'give'],
  [/^get_task_struct$/, 'reference', 'task', 'take'],
  [/^put_task_struct\w*$/, 'reference', 'task', 'give'],
  [/^fget(?:_raw|_task)?$|^get_file(?:_rcu|_active)?$/, 'reference', 'file', 'take'],
  [/^fput(?:_sync)?$/, 'reference', 'file', 'give'],
  [/^dget(?:_parent|_dlock)?$/, 'reference', 'dentry', 'take'],
  [/^dput$/, 'reference', 'dentry', 'give'],
  [/^ihold$|^igrab$/, 'reference', 'inode', 'take'],
  [/^iput$/, 'reference', 'inode', 'give'],
  [/^sock_hold$/, 'reference', 'sock', 'take'],
  [/^(?:__)?sock_put$/, 'reference', 'sock', 'give'],
  [/^(?:__)?(?:dev|netdev)_hold\w*$/, 'reference', 'net device', 'take'],
  [/^(?:__)?(?:dev|netdev)_put$/, 'reference', 'net device', 'give'],
  [/^dst_hold(?:_safe)?$|^dst_clone$/, 'reference', 'dst', 'take'],
  [/^dst_release(?:_immediate)?$/, 'reference', 'dst', 'give'],
  [/^try_module_get$|^__module_get$/, 'reference', 'module', 'take'],
  [/^module_put$/, 'reference', 'module', 'give'],
  [/^pm_runtime_(?:get|resume_and_get)\w*$/, 'reference', 'runtime power', 'take'],
  [/^pm_runtime_put\w*$/, 'reference', 'runtime power', 'give'],
  [/^mmgrab$/, 'reference', 'mm', 'take'],
  [/^mmdrop\w*$/, 'reference', 'mm', 'give'],
  [/^mmget(?:_not_zero)?$/, 'reference', 'mm users', 'take'],
  [/^mmput(?:_async)?$/, 'reference', 'mm users', 'give'],
  [/^static_(?:branch|key_slow)_inc(?:_cpuslocked)?$/, 'reference', 'static key', 'take', 0],
  [/^static_(?:branch|key)_(?:slow_)?dec(?:_cpuslocked|_deferred)?$/, 'reference', 'static key', 'give', 0],

  [/^k(?:v|z)?free(?:_sensitive)?$|^vfree$|^kvfree$/, 'memory', 'memory', 'give', 0],
  [/^k(?:v)?free_rcu(?:_mightsleep)?$/, 'memory', 'memory', 'give', 0],
  [/^kmem_cache_free$/, 'memory', 'memory', 'give', 1],
  [
    /^(?:__|dev_)?k?free_skb(?:_any|_irq|_reason|_list)?$|^(?:dev_)?consume_skb(?:_any|_irq)?$|^dev_kfree_skb\w*$/,
    'memory',
    'skb',
    'give',
    0,
  ],
  [/^(?:__)?free_pages?$/, 'memory', 'pages', 'give', 0],

  [/^(?:out_of_line_)?wait_on_bit(?!\w*timeout)\w*$/, 'wait', 'bit', 'take', 0],
  [/^wake_up_bit$/, 'wait', 'bit', 'give', 0],
  [/^clear_and_wake_up_bit$/, 'wait', 'bit', 'give', 1],
  [/^wait_var_event(?!\w*timeout)\w*$/, 'wait', 'variable', 'take', 0],
  [/^wake_up_var\w*$/, 'wait', 'variable', 'give', 0],
  [/^swait_event(?!\w*timeout)\w*$|^rcuwait_wait_event$/, 'wait', 'wait queue', 'take', 0],
  [/^swake_up_\w+$|^rcuwait_wake_up$/, 'wait', 'wait queue', 'give', 0],
  [/^wait_for_completion(?!\w*timeout)\w*$/, 'wait', 'completion', 'take', 0],
  [/^complete(?:_all)?$/, 'wait', 'completion', 'give', 0],
  [/^(?:io_)?wait_event(?!\w*timeout)\w*$/, 'wait', 'wait queue', 'take', 0],
  [/^wake_up(?:_all|_interruptible\w*|_locked\w*|_poll|_nr|_sync\w*)?$/, 'wait', 'wait queue', 'give', 0],
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

/** Most words are in no row. */
const inSomeRow = new RegExp(rows.map(([words]) => words.source).join('|'))

function inTable(word: string): Primitive | undefined {
  const row = inSomeRow.test(word) ? rows.find(([words]) => words.test(word)) : undefined
  if (row === undefined) return undefined
  const [, kind, family, role, argument] = row
  return { kind, family, role, argument }
}

/**
 * @param mentions whether a word stands in the changed files: a name that only looks like a lock or a reference counts
 *   when its partner is there
 */
export function primitiveOf(word: string, mentions: (word: string) => boolean): Primitive | undefined {
  const plain = inTable(word)
  if (plain !== undefined) return plain
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
  if (/^(?:kref_put_lock|(?:refcount|atomic)_dec_and_(?:raw_)?lock(?:_irqsave)?)$/.test(word))
    return { kind: 'lock', family: 'spinlock', role: 'take', argument: 1 }
  if (/^(?:kref_put_mutex|(?:refcount|atomic)_dec_and_mutex_lock)$/.test(word))
    return { kind: 'lock', family: 'mutex', role: 'take', argument: 1 }
  return undefined
}

/** What `guard(NAME)` and `__free(NAME)` of cleanup.h stand for; undefined for a name that is not known. */
export function guardOf(name: string): Primitive | undefined {
  const families: readonly (readonly [RegExp, Kind, string])[] = [
    [/^(?:raw_)?spinlock\w*$/, 'lock', 'spinlock'],
    [/^mutex\w*$/, 'lock', 'mutex'],
    [/^rwsem_\w+$/, 'lock', 'rwsem'],
    [/^(?:read|write)_lock\w*$/, 'lock', 'rwlock'],
    [/^rcu$/, 'context', 'rcu'],
    [/^srcu$/, 'context', 'srcu'],
    [/^preempt(?:_notrace)?$/, 'context', 'preemption'],
    [/^irq(?:save)?$/, 'context', 'interrupts'],
    [/^migrate$/, 'context', 'migration'],
    [/^cpus_read_lock$/, 'lock', 'cpus'],
  ]
  for (const [words, kind, family] of families)
    if (words.test(name)) {
      const isAlone = /^(?:rcu|preempt|irq|migrate|cpus)/.test(name)
      return { kind, family, role: 'take', argument: isAlone ? undefined : 0 }
    }
  return undefined
}
