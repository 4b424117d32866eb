// SPDX-License-Identifier: GPL-3.0-or-later
// Changes of the formulas by which old and new code agree: orders kept by hand, ends of lists, arguments of hashes,
// counts, sums and their units, values with another sign, cookies, what is freed or published without an order. Of the
// kinds of test/judged, in other subsystems. What is right was written down before the rules had seen them.
import type { Sibling } from './siblings.ts'

const change = (file: string, ...pairs: readonly (readonly [string, string])[]): Sibling['edits'] =>
  pairs.map(([from, to]) => ({ file, from, to }))

export const formulaSiblings: readonly Sibling[] = [
  {
    name: 'fib-rule-order',
    kind: 'a list that a loop keeps sorted is sorted the other way round',
    edits: change('net/core/fib_rules.c', ['if (r->pref > rule->pref)', 'if (r->pref < rule->pref)']),
    asks: ['placed-otherwise'],
  },
  {
    name: 'tcf-proto-order',
    kind: 'a chain of next pointers that is kept sorted by hand',
    edits: change('net/sched/cls_api.c', ['\t\tif (tp->prio >= prio) {', '\t\tif (tp->prio <= prio) {']),
    asks: ['placed-otherwise'],
  },
  {
    name: 'resource-order',
    kind: 'siblings sorted by address through a pointer to a pointer',
    edits: change('kernel/resource.c', ['\t\tif (!tmp || tmp->start > end) {', '\t\tif (!tmp || tmp->end < start) {']),
    asks: ['placed-otherwise'],
  },
  {
    name: 'fib-rule-null',
    kind: 'harmless: the loop also leaves for an entry that is going',
    edits: change('net/core/fib_rules.c', [
      '\t\tif (r->pref > rule->pref)\n\t\t\tbreak;',
      '\t\tif (!r->pref)\n\t\t\tcontinue;\n\t\tif (r->pref > rule->pref)\n\t\t\tbreak;',
    ]),
    asks: [],
  },
  {
    name: 'notify-lifo',
    kind: 'a queue of events is added to and taken from at the other end',
    edits: change(
      'fs/notify/notification.c',
      ['list_add_tail(&event->list, list);', 'list_add(&event->list, list);'],
      ['return list_first_entry(&group->notification_list,', 'return list_last_entry(&group->notification_list,'],
    ),
    asks: ['placed-otherwise'],
  },
  {
    name: 'kthread-work-lifo',
    kind: 'works of a worker, by way of a function that adds them',
    edits: change(
      'kernel/kthread.c',
      ['work = list_first_entry(&worker->work_list,', 'work = list_last_entry(&worker->work_list,'],
      ['list_add_tail(&work->node, pos);', 'list_add(&work->node, pos);'],
    ),
    asks: ['placed-otherwise'],
  },
  {
    name: 'pep-queue-ends',
    kind: 'an skb queue',
    edits: change(
      'net/phonet/pep.c',
      ['\tskb_queue_tail(queue, skb);', '\tskb_queue_head(queue, skb);'],
      ['skb = skb_dequeue(&pn->ctrlreq_queue);', 'skb = skb_dequeue_tail(&pn->ctrlreq_queue);'],
    ),
    asks: ['placed-otherwise'],
  },
  {
    name: 'notify-tail-only',
    kind: 'harmless: only where new entries go; each end still finds them',
    edits: change('kernel/kthread.c', [
      'list_add_tail(&create->list, &kthread_create_list);',
      'list_add(&create->list, &kthread_create_list);',
    ]),
    asks: [],
  },
  {
    name: 'bit-wait-table',
    kind: 'the queue of sleepers by a hash, as table + hash',
    edits: change('kernel/sched/wait_bit.c', [
      'unsigned long val = (unsigned long)word << shift | bit;',
      'unsigned long val = (unsigned long)word << shift ^ bit;',
    ]),
    asks: ['placed-otherwise'],
  },
  {
    name: 'inet6-ehash',
    kind: 'arguments of a hash of sockets that a header looks up',
    edits: change('net/ipv6/inet6_hashtables.c', [
      'return __inet6_ehashfn(lhash, lport, fhash, fport,',
      'return __inet6_ehashfn(fhash, lport, lhash, fport,',
    ]),
    asks: ['placed-otherwise'],
  },
  {
    name: 'fib-devhash',
    kind: 'a value that goes into the hash of a bucket',
    edits: change('net/ipv4/fib_semantics.c', [
      'u32 val = net_hash_mix(dev_net(dev)) ^ dev->ifindex;',
      'u32 val = net_hash_mix(dev_net(dev)) + dev->ifindex;',
    ]),
    asks: ['placed-otherwise'],
  },
  {
    name: 'fs-users-base',
    kind: 'a count of users that begins at 0',
    edits: change(
      'fs/fs_struct.c',
      ['kill = !--fs->users;', 'kill = !fs->users--;'],
      ['fs->users = 1;', 'fs->users = 0;'],
      ['kill = !--fs->users;', 'kill = !fs->users--;'],
    ),
    asks: ['counted-otherwise'],
  },
  {
    name: 'perf-sched-turn',
    kind: 'a static branch goes off at another count',
    edits: change('kernel/events/core.c', [
      'if (atomic_dec_and_test(&perf_sched_count))',
      'if (atomic_dec_return(&perf_sched_count) == 1)',
    ]),
    asks: ['counted-otherwise'],
  },
  {
    name: 'key-tag-turn',
    kind: 'the last reference is another one',
    edits: change('kernel/ucount.c', [
      'if (atomic_dec_and_lock_irqsave(&ucounts->count, &ucounts_lock, flags)) {',
      'if (atomic_dec_return(&ucounts->count) <= 1) {\n\t\tspin_lock_irqsave(&ucounts_lock, flags);',
    ]),
    asks: ['counted-otherwise', 'lock-balance', 'refcount-balance'],
  },
  {
    name: 'oops-limit',
    kind: 'harmless: a bound of a counter that is compared with a variable',
    edits: change('kernel/exit.c', [
      'if (atomic_inc_return(&oops_count) >= limit && limit)',
      'if (limit && atomic_inc_return(&oops_count) >= limit)',
    ]),
    asks: [],
  },
  {
    name: 'omem-words',
    kind: 'memory of a socket is charged in other units',
    edits: change(
      'net/core/sock.c',
      ['\t\tatomic_add(size, &sk->sk_omem_alloc);', '\t\tatomic_add(size >> 3, &sk->sk_omem_alloc);'],
      ['\t\tatomic_sub(size, &sk->sk_omem_alloc);', '\t\tatomic_sub(size >> 3, &sk->sk_omem_alloc);'],
      ['\tatomic_sub(size, &sk->sk_omem_alloc);', '\tatomic_sub(size >> 3, &sk->sk_omem_alloc);'],
    ),
    asks: ['counted-otherwise'],
  },
  {
    name: 'msg-bytes',
    kind: 'a per-CPU counter of bytes counts what a message takes',
    edits: change(
      'ipc/msg.c',
      [
        'percpu_counter_add_local(&ns->percpu_msg_bytes, msgsz);',
        'percpu_counter_add_local(&ns->percpu_msg_bytes, msgsz + sizeof(struct msg_msg));',
      ],
      [
        'percpu_counter_sub_local(&ns->percpu_msg_bytes, msg->m_ts);',
        'percpu_counter_sub_local(&ns->percpu_msg_bytes, msg->m_ts + sizeof(struct msg_msg));',
      ],
    ),
    asks: ['counted-otherwise'],
  },
  {
    name: 'key-quota',
    kind: 'a quota in another unit, in two files',
    edits: [
      ...change(
        'security/keys/key.c',
        ['\t\tuser->qnbytes += quotalen;', '\t\tuser->qnbytes += quotalen / 2;'],
        ['\t\tuser->qnbytes -= quotalen;', '\t\tuser->qnbytes -= quotalen / 2;'],
        ['\t\tuser->qnbytes -= quotalen;', '\t\tuser->qnbytes -= quotalen / 2;'],
      ),
      ...change('security/keys/gc.c', [
        'key->user->qnbytes -= key->quotalen;',
        'key->user->qnbytes -= key->quotalen / 2;',
      ]),
    ],
    asks: ['counted-otherwise'],
  },
  {
    name: 'mlock-bytes',
    kind: 'a charge by way of inc and dec with an amount',
    edits: change(
      'mm/mlock.c',
      [
        'memlock = inc_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, locked);',
        'memlock = inc_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, size);',
      ],
      [
        'dec_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, locked);',
        'dec_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, size);',
      ],
      [
        'dec_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, locked);',
        'dec_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, size);',
      ],
      [
        'dec_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, (size + PAGE_SIZE - 1) >> PAGE_SHIFT);',
        'dec_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, size);',
      ],
    ),
    asks: ['counted-otherwise'],
  },
  {
    name: 'msg-bytes-fix',
    kind: 'harmless: only one side takes off what the other has always added',
    edits: change('ipc/msg.c', [
      'percpu_counter_sub_local(&ns->percpu_msg_bytes, msq->q_cbytes);',
      'percpu_counter_sub_local(&ns->percpu_msg_bytes, READ_ONCE(msq->q_cbytes));',
    ]),
    asks: [],
  },
  {
    name: 'kthread-result-sign',
    kind: 'a result is kept with another sign',
    edits: change(
      'kernel/kthread.c',
      ['kthread->result = result;', 'kthread->result = -result;'],
      ['ret = kthread->result;', 'ret = -kthread->result;'],
    ),
    asks: ['stored-otherwise'],
  },
  {
    name: 'umh-retval-sign',
    kind: 'a value is turned behind the place where it is read',
    edits: change(
      'kernel/umh.c',
      ['\tsub_info->retval = retval;', '\tsub_info->retval = -retval;'],
      ['\tretval = sub_info->retval;', '\tretval = sub_info->retval;\n\tretval = -retval;'],
    ),
    asks: ['stored-otherwise'],
  },
  {
    name: 'sem-status-sentinel',
    kind: 'harmless: a code that a sleeper alone writes into what lies on its stack, and reads there',
    edits: change(
      'ipc/sem.c',
      ['WRITE_ONCE(queue.status, -EINTR);', 'WRITE_ONCE(queue.status, -EINPROGRESS);'],
      ['if (error != -EINTR) {', 'if (error != -EINPROGRESS) {'],
      ['if (error != -EINTR)\n\t\t\tgoto', 'if (error != -EINPROGRESS)\n\t\t\tgoto'],
      ['} while (error == -EINTR &&', '} while (error == -EINPROGRESS &&'],
    ),
    asks: [],
  },
  {
    name: 'tcp-metrics-clock',
    kind: 'a stored time is taken from another clock, by way of a variable',
    edits: change(
      'net/ipv4/tcp_metrics.c',
      ['WRITE_ONCE(tm->tcpm_stamp, jiffies);', 'WRITE_ONCE(tm->tcpm_stamp, ktime_get_seconds());'],
      ['WRITE_ONCE(tm->tcpm_stamp, jiffies);', 'WRITE_ONCE(tm->tcpm_stamp, ktime_get_seconds());'],
      ['jiffies - READ_ONCE(tm->tcpm_stamp)', 'ktime_get_seconds() - READ_ONCE(tm->tcpm_stamp)'],
    ),
    asks: ['stored-otherwise'],
  },
  {
    name: 'timerslack-cookie',
    kind: 'what a seq_file is opened with is another struct, and is only handed to a function',
    edits: change(
      'fs/proc/base.c',
      [
        'static int timerslack_ns_show(struct seq_file *m, void *v)\n{\n\tstruct inode *inode = m->private;',
        'static int timerslack_ns_show(struct seq_file *m, void *v)\n{\n\tstruct inode *inode = ' +
          'file_inode(m->private);',
      ],
      ['return single_open(filp, timerslack_ns_show, inode);', 'return single_open(filp, timerslack_ns_show, filp);'],
    ),
    asks: ['held-otherwise'],
  },
  {
    name: 'irq-proc-cookie',
    kind: 'only what is put in changes its type',
    edits: change('fs/proc/base.c', [
      'return single_open(filp, sched_show, inode);',
      'return single_open(filp, sched_show, filp);',
    ]),
    asks: ['held-otherwise'],
  },
  {
    name: 'virtio-irq-cookie',
    kind: 'an interrupt gets another device',
    edits: change('drivers/virtio/virtio_pci_common.c', [
      'dev_name(&vdev->dev), vp_dev);',
      'dev_name(&vdev->dev), vdev);',
    ]),
    asks: ['held-otherwise'],
  },
  {
    name: 'n-tty-wrapper',
    kind: 'allocated by way of a new function',
    edits: change(
      'drivers/tty/n_tty.c',
      ['\tvfree(ldata);', '\tkvfree(ldata);'],
      [
        'static int n_tty_open(struct tty_struct *tty)\n{',
        'static struct n_tty_data *n_tty_alloc(void)\n{\n\treturn kvzalloc(sizeof(struct n_tty_data), ' +
          'GFP_KERNEL);\n}\n\nstatic int n_tty_open(struct tty_struct *tty)\n{',
      ],
      ['\tldata = vzalloc(sizeof(*ldata));', '\tldata = n_tty_alloc();'],
    ),
    asks: ['given-back-otherwise'],
  },
  {
    name: 'relay-wrapper-macro',
    kind: 'allocated by way of a new macro',
    edits: change(
      'kernel/relay.c',
      [
        'static struct rchan_buf *relay_create_buf(',
        '#define relay_array(n) kvcalloc(n, sizeof(size_t), GFP_KERNEL)\n\nstatic struct rchan_buf *relay_create_buf(',
      ],
      [
        'buf->padding = kmalloc_array(chan->n_subbufs, sizeof(size_t),\n\t\t\t\t     GFP_KERNEL);',
        'buf->padding = relay_array(chan->n_subbufs);',
      ],
      ['\tkfree(buf->padding);', '\tkvfree(buf->padding);'],
      ['\tkfree(buf->padding);', '\tkvfree(buf->padding);'],
    ),
    asks: ['given-back-otherwise'],
  },
  {
    name: 'eventfd-wrapper-chain',
    kind: 'allocated by a new function that calls a new function',
    edits: change(
      'fs/eventfd.c',
      [
        'static int do_eventfd(',
        'static void *eventfd_mem(size_t size)\n{\n\tvoid *mem = vmalloc(size);\n\n\treturn ' +
          'mem;\n}\n\nstatic int do_eventfd(',
      ],
      ['ctx = kmalloc(sizeof(*ctx), GFP_KERNEL);', 'ctx = eventfd_mem(sizeof(*ctx));'],
      ['\tkfree(ctx);', '\tvfree(ctx);'],
    ),
    asks: ['given-back-otherwise'],
  },
  {
    name: 'tag-free-now',
    kind: 'freed at once instead of after a grace period',
    edits: change('security/keys/keyring.c', ['\t\tkfree_rcu(tag, rcu);', '\t\tkfree(tag);']),
    asks: ['given-back-otherwise', 'lockless-readers'],
  },
  {
    name: 'fdtable-free-now',
    kind: 'a callback of RCU becomes a call',
    edits: change('fs/file.c', ['\t\tcall_rcu(&cur_fdt->rcu, free_fdtable_rcu);', '\t\t__free_fdtable(cur_fdt);']),
    asks: ['lockless-readers'],
  },
  {
    name: 'pack-no-wait',
    kind: 'nobody waits any more until the readers are gone',
    edits: change('net/core/dev.c', ['\t__dev_remove_pack(pt);\n\n\tsynchronize_net();', '\t__dev_remove_pack(pt);']),
    asks: ['given-back-otherwise', 'lockless-readers'],
  },
  {
    name: 'key-free-later',
    kind: 'harmless: freed after a grace period instead of at once',
    edits: change('kernel/relay.c', ['\tkfree(chan);\n}', '\tkfree_rcu_mightsleep(chan);\n}']),
    asks: [],
  },
  {
    name: 'dedupe-buffer',
    kind: 'harmless: a buffer of one call from another family',
    edits: change(
      'fs/ioctl.c',
      ['same = memdup_user(argp, size);', 'same = vmemdup_user(argp, size);'],
      ['\tkfree(same);', '\tkvfree(same);'],
    ),
    asks: [],
  },
  {
    name: 'select-buffer',
    kind: 'harmless: a buffer of one call that may lie on the stack',
    edits: change(
      'fs/select.c',
      ['bits = kvmalloc(alloc_size, GFP_KERNEL);', 'bits = kmalloc(alloc_size, GFP_KERNEL);'],
      ['\t\tkvfree(bits);', '\t\tkfree(bits);'],
    ),
    asks: [],
  },
  {
    name: 'cputime-seqcount',
    kind: 'readers without a lock are no longer told of a write',
    edits: change(
      'kernel/sched/cputime.c',
      ['\twrite_seqcount_begin(&vtime->seqcount);\n', ''],
      ['\twrite_seqcount_end(&vtime->seqcount);\n', ''],
    ),
    asks: ['lock-balance', 'lockless-readers'],
  },
  {
    name: 'dcache-seqcount',
    kind: 'the same with the raw words',
    edits: change(
      'fs/dcache.c',
      ['\traw_write_seqcount_begin(&dentry->d_seq);\n\t__d_set_inode', '\t__d_set_inode'],
      ['add_flags);\n\traw_write_seqcount_end(&dentry->d_seq);', 'add_flags);'],
    ),
    asks: ['lock-balance', 'lockless-readers'],
  },
  {
    name: 'dentry-flags-plain',
    kind: 'a store with release becomes a plain one',
    edits: change('fs/dcache.c', [
      'smp_store_release(&dentry->d_flags, flags);',
      'WRITE_ONCE(dentry->d_flags, flags);',
    ]),
    asks: ['lockless-readers'],
  },
  {
    name: 'audit-chunk-barrier',
    kind: 'a barrier in front of a publication goes',
    edits: change('kernel/audit_tree.c', [
      '\tsmp_wmb();\n\tWARN_ON_ONCE(!chunk->key);\n\tlist = chunk_hash',
      '\tWARN_ON_ONCE(!chunk->key);\n\tlist = chunk_hash',
    ]),
    asks: ['lockless-readers'],
  },
  {
    name: 'fdtable-plain-pointer',
    kind: 'a pointer is published by a plain assignment',
    edits: change('fs/file.c', [
      '\trcu_assign_pointer(files->fdt, new_fdt);\n\tif (cur_fdt',
      '\tRCU_INIT_POINTER(files->fdt, new_fdt);\n\tif (cur_fdt',
    ]),
    asks: ['lockless-readers'],
  },
  {
    name: 'aio-tail-release',
    kind: 'harmless: a barrier and a store become a store with release',
    edits: change('fs/aio.c', [
      '\tsmp_wmb();\t/* make event visible before updating tail */\n\n\tctx->tail = tail;',
      '\tsmp_store_release(&ctx->tail, tail);',
    ]),
    asks: [],
  },
  {
    name: 'mnt-barrier-stronger',
    kind: 'harmless: a stronger barrier',
    edits: change('fs/namespace.c', [
      '\tsmp_wmb();\n\tmnt->mnt.mnt_flags &= ~MNT_WRITE_HOLD;',
      '\tsmp_mb();\n\tmnt->mnt.mnt_flags &= ~MNT_WRITE_HOLD;',
    ]),
    asks: [],
  },
]
