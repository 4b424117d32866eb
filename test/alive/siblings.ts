// SPDX-License-Identifier: GPL-3.0-or-later
// Small changes of the real kernel, and what a reviewer of live patches says to each. What is right was written down
// before the rules had seen them; docs/alive.md tells what came out at the first run.

export interface Sibling {
  readonly name: string
  /** What it stands for. */
  readonly kind: string
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[]
  /** C files elsewhere that include the changed header. */
  readonly units?: readonly string[]
  /** The rules of which one must warn; none: nothing may be asked. */
  readonly asks: readonly string[]
  /** True when every changed function is plain. */
  readonly plain?: boolean
  /** Wrong at the first run: `missed` or `false alarm`. */
  readonly first?: 'missed' | 'false alarm'
  /** What is still wrong, and known to be. */
  readonly known?: string
}

const wrapRng = 'struct virtrng_wrap { struct virtrng_info *info; };\n\n'

export const siblings: readonly Sibling[] = [
  {
    name: 'signalfd-vmalloc',
    kind: 'kmalloc and kfree by way of private_data become vmalloc and vfree',
    edits: [
      { file: 'fs/signalfd.c', from: '\tkfree(file->private_data);', to: '\tvfree(file->private_data);' },
      {
        file: 'fs/signalfd.c',
        from: 'ctx = kmalloc(sizeof(*ctx), GFP_KERNEL);',
        to: 'ctx = vmalloc(sizeof(*ctx));',
      },
      { file: 'fs/signalfd.c', from: '\t\t\tkfree(ctx);', to: '\t\t\tvfree(ctx);' },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'mount-percpu',
    kind: 'per-CPU memory becomes an array',
    edits: [
      {
        file: 'fs/namespace.c',
        from: 'mnt->mnt_pcp = alloc_percpu(struct mnt_pcp);',
        to: 'mnt->mnt_pcp = kcalloc(nr_cpu_ids, sizeof(struct mnt_pcp), GFP_KERNEL);',
      },
      { file: 'fs/namespace.c', from: '\tfree_percpu(mnt->mnt_pcp);', to: '\tkfree(mnt->mnt_pcp);' },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'dnotify-other-cache',
    kind: 'only the allocation changes, to another family',
    edits: [
      {
        file: 'fs/notify/dnotify/dnotify.c',
        from: 'dn = kmem_cache_alloc(dnotify_struct_cache, GFP_KERNEL);',
        to: 'dn = kmalloc(sizeof(*dn), GFP_KERNEL);',
      },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'inotify-headroom',
    kind: 'a head in front of the object, behind a macro that leads to it',
    edits: [
      {
        file: 'fs/notify/inotify/inotify_fsnotify.c',
        from: 'event = kmalloc(alloc_len, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL);',
        to:
          'event = kmalloc(alloc_len + 32, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL);\n\tif ' +
          '(event)\n\t\tevent = (void *)event + 32;',
      },
      {
        file: 'fs/notify/inotify/inotify_fsnotify.c',
        from: '\tkfree(INOTIFY_E(fsn_event));',
        to: '\tkfree((void *)INOTIFY_E(fsn_event) - 32);',
      },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'cred-group-twice',
    kind: 'a reference through an inline function and a macro of a header',
    first: 'missed',
    edits: [
      {
        file: 'kernel/cred.c',
        from: '\tget_user_ns(new->user_ns);\n\tget_group_info(new->group_info);',
        to: '\tget_user_ns(new->user_ns);\n\tget_group_info(new->group_info);\n\tget_group_info(new->group_info);',
      },
      {
        file: 'kernel/cred.c',
        from: '\tif (cred->group_info)\n\t\tput_group_info(cred->group_info);',
        to:
          '\tif (cred->group_info) ' +
          '{\n\t\tput_group_info(cred->group_info);\n\t\tatomic_dec(&cred->group_info->usage);\n\t}',
      },
    ],
    asks: ['refcount-balance'],
  },
  {
    name: 'mbcache-reference',
    kind: 'a reference counted by the bare counter on one side, by a wrapper on the other',
    edits: [
      {
        file: 'fs/mbcache.c',
        from: '\tatomic_set(&entry->e_refcnt, 2);',
        to: '\tatomic_set(&entry->e_refcnt, 2);\n\tatomic_inc(&entry->e_refcnt);',
      },
      {
        file: 'fs/mbcache.c',
        from: '\t\tcache->c_entry_count--;\n\t\tspin_unlock(&cache->c_list_lock);',
        to: '\t\tcache->c_entry_count--;\n\t\tmb_cache_entry_put(cache, entry);\n\t\tspin_unlock(&cache->c_list_lock);',
      },
    ],
    asks: ['refcount-balance'],
  },
  {
    name: 'ioc-lock-order',
    kind: 'locks of two objects in the other order',
    edits: [
      {
        file: 'block/blk-ioc.c',
        from: '\tspin_lock_irq(&q->queue_lock);\n\tspin_lock(&ioc->lock);\n\n\tif (likely(!radix_tree_insert',
        to: '\tspin_lock_irq(&ioc->lock);\n\tspin_lock(&q->queue_lock);\n\n\tif (likely(!radix_tree_insert',
      },
    ],
    asks: ['lock-balance'],
  },
  {
    name: 'inode-lock-order',
    kind: 'two locks of one kind, whose order comes from a comparison of addresses',
    first: 'missed',
    edits: [
      {
        file: 'fs/inode.c',
        from: '\tif (inode1 > inode2)\n\t\tswap(inode1, inode2);\n\n\tif (inode1 && !S_ISDIR',
        to: '\tif (inode1 < inode2)\n\t\tswap(inode1, inode2);\n\n\tif (inode1 && !S_ISDIR',
      },
    ],
    asks: ['lock-balance'],
  },
  {
    name: 'eventfd-wait-variable',
    kind: 'a wait for a variable that another function tells of',
    edits: [
      {
        file: 'fs/eventfd.c',
        from: '\tctx->count += n;\n',
        to: '\tctx->count += n;\n\twake_up_var(&ctx->count);\n',
      },
      {
        file: 'fs/eventfd.c',
        from: '\twake_up_poll(&ctx->wqh, EPOLLHUP);',
        to: '\twait_var_event(&ctx->count, ctx->count);\n\twake_up_poll(&ctx->wqh, EPOLLHUP);',
      },
    ],
    asks: ['wake-up'],
  },
  {
    name: 'rng-priv-wrapped',
    kind: 'what a device’s priv holds',
    edits: [
      {
        file: 'drivers/char/hw_random/virtio-rng.c',
        from: 'static void random_recv_done(',
        to: `${wrapRng}static void random_recv_done(`,
      },
      {
        file: 'drivers/char/hw_random/virtio-rng.c',
        from: '\tstruct virtrng_info *vi = vq->vdev->priv;',
        to: '\tstruct virtrng_info *vi = ((struct virtrng_wrap *)vq->vdev->priv)->info;',
      },
    ],
    asks: ['held-otherwise'],
  },
  {
    name: 'irq-cookie',
    kind: 'what an interrupt’s cookie leads to',
    edits: [
      {
        file: 'drivers/virtio/virtio_pci_common.c',
        from: '/* Notify all virtqueues on an interrupt. */',
        to: 'struct vp_cookie { struct virtio_pci_device *dev; };\n\n/* Notify all virtqueues on an interrupt. */',
      },
      {
        file: 'drivers/virtio/virtio_pci_common.c',
        from: '\tstruct virtio_pci_device *vp_dev = opaque;\n\n\tvirtio_config_changed',
        to:
          '\tstruct vp_cookie *cookie = opaque;\n\tstruct virtio_pci_device *vp_dev = ' +
          'cookie->dev;\n\n\tvirtio_config_changed',
      },
    ],
    asks: ['held-otherwise'],
  },
  {
    name: 'inetpeer-seconds',
    kind: 'a time that is stored in another unit',
    first: 'missed',
    edits: [
      {
        file: 'net/ipv4/inetpeer.c',
        from: '\t\tdelta = (__u32)jiffies - READ_ONCE(p->dtime);',
        to: '\t\tdelta = (__u32)ktime_get_seconds() - READ_ONCE(p->dtime);',
      },
      {
        file: 'net/ipv4/inetpeer.c',
        from: '\t\t\tp->dtime = (__u32)jiffies;',
        to: '\t\t\tp->dtime = (__u32)ktime_get_seconds();',
      },
      { file: 'net/ipv4/inetpeer.c', from: '\t\t\tnow = jiffies;', to: '\t\t\tnow = ktime_get_seconds();' },
    ],
    asks: ['stored-otherwise'],
  },
  {
    name: 'epoll-sentinel',
    kind: 'a constant that stands for “not on the list”',
    edits: [
      {
        file: 'fs/eventpoll.c',
        from: '#define EP_UNACTIVE_PTR ((void *) -1L)',
        to: '#define EP_UNACTIVE_PTR ((void *) -2L)',
      },
    ],
    asks: ['stored-otherwise'],
  },
  {
    name: 'mbcache-flag-bit',
    kind: 'a flag that moves to another bit',
    edits: [
      {
        file: 'fs/mbcache.c',
        from: 'set_bit(MBE_REFERENCED_B, &entry->e_flags);\n}',
        to: 'set_bit(MBE_REFERENCED_B + 4, &entry->e_flags);\n}',
      },
      {
        file: 'fs/mbcache.c',
        from: '\t\tif (test_bit(MBE_REFERENCED_B, &entry->e_flags) ||',
        to: '\t\tif (test_bit(MBE_REFERENCED_B + 4, &entry->e_flags) ||',
      },
      {
        file: 'fs/mbcache.c',
        from: '\t\t\tclear_bit(MBE_REFERENCED_B, &entry->e_flags);',
        to: '\t\t\tclear_bit(MBE_REFERENCED_B + 4, &entry->e_flags);',
      },
    ],
    asks: ['stored-otherwise'],
  },
  {
    name: 'mbcache-bucket',
    kind: 'a function that returns the head of a bucket',
    first: 'missed',
    edits: [
      {
        file: 'fs/mbcache.c',
        from: 'hash_32(key, cache->c_bucket_bits)',
        to: 'hash_32(key ^ 0x5bd1e995, cache->c_bucket_bits)',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'netlink-hash',
    kind: 'the hash of a table that a description names',
    edits: [
      {
        file: 'net/netlink/af_netlink.c',
        from: '\treturn jhash2((u32 *)&arg, netlink_compare_arg_len / sizeof(u32), seed);',
        to: '\treturn jhash2((u32 *)&arg, netlink_compare_arg_len / sizeof(u32), seed + 1);',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'epoll-order',
    kind: 'the comparison of a tree that is searched by hand',
    first: 'missed',
    edits: [
      {
        file: 'fs/eventpoll.c',
        from: '\treturn (p1->file > p2->file ? +1:\n\t        (p1->file < p2->file ? -1 : p1->fd - p2->fd));',
        to: '\treturn (p1->fd > p2->fd ? +1:\n\t        (p1->fd < p2->fd ? -1 : p1->file > p2->file));',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'timerqueue-order',
    kind: 'the comparison that is handed to rb_add_cached',
    first: 'missed',
    edits: [
      {
        file: 'lib/timerqueue.c',
        from: '\treturn __node_2_tq(a)->expires < __node_2_tq(b)->expires;',
        to: '\treturn __node_2_tq(a)->expires > __node_2_tq(b)->expires;',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'mqueue-priority-order',
    kind: 'the order in which a function itself puts nodes into a tree',
    edits: [
      {
        file: 'ipc/mqueue.c',
        from: '\t\telse if (msg->m_type < leaf->priority) {',
        to: '\t\telse if (msg->m_type > leaf->priority) {',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'mqueue-size-trusted',
    kind: 'a limit for a count that only the patch keeps rightly',
    edits: [
      {
        file: 'ipc/mqueue.c',
        from: '\tinfo->qsize += msg->m_ts;\n\tlist_add_tail',
        to: '\tinfo->qsize += msg->m_ts + sizeof(*msg);\n\tlist_add_tail',
      },
      {
        file: 'ipc/mqueue.c',
        from: '\tp = &info->msg_tree.rb_node;\n',
        to: '\tif (info->qsize > 1 << 20)\n\t\treturn -ENOSPC;\n\tp = &info->msg_tree.rb_node;\n',
      },
    ],
    asks: ['count-trusted'],
  },

  {
    name: 'uevent-helper-bound',
    kind: 'a bound',
    edits: [
      {
        file: 'kernel/ksysfs.c',
        from: '\tif (count+1 > UEVENT_HELPER_PATH_LEN)',
        to: '\tif (count >= UEVENT_HELPER_PATH_LEN - 1)',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'posix-clock-null',
    kind: 'a NULL test',
    edits: [
      {
        file: 'kernel/time/posix-clock.c',
        from: '\tif (clk->ops.release)\n\t\terr = clk->ops.release(pccontext);',
        to:
          '\tif (WARN_ON_ONCE(!clk))\n\t\treturn -ENODEV;\n\tif (clk->ops.release)\n\t\terr = ' +
          'clk->ops.release(pccontext);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'comm-write-message',
    kind: 'a message and an empty write',
    edits: [
      {
        file: 'fs/proc/base.c',
        from:
          '\tmemset(buffer, 0, sizeof(buffer));\n\tif (copy_from_user(buffer, buf, count > maxlen ? ' +
          'maxlen : count))\n\t\treturn -EFAULT;\n\n\tp = get_proc_task(inode);',
        to:
          '\tif (!count) {\n\t\tpr_debug("comm: nothing to write\\n");\n\t\treturn ' +
          '0;\n\t}\n\tmemset(buffer, 0, sizeof(buffer));\n\tif (copy_from_user(buffer, buf, count > ' +
          'maxlen ? maxlen : count))\n\t\treturn -EFAULT;\n\n\tp = get_proc_task(inode);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'rng-leak-on-error',
    kind: 'an error path frees what the same function allocated',
    edits: [
      {
        file: 'kernel/time/posix-clock.c',
        from: '\tpccontext->clk = clk;\n\tpccontext->fp = fp;',
        to:
          '\tif (!clk->dev) {\n\t\tkfree(pccontext);\n\t\terr = -ENODEV;\n\t\tgoto ' +
          'out;\n\t}\n\tpccontext->clk = clk;\n\tpccontext->fp = fp;',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'kernfs-buffer-kvmalloc',
    kind: 'a buffer of one call from another allocator',
    first: 'false alarm',
    edits: [
      {
        file: 'fs/kernfs/file.c',
        from: '\t\tbuf = kmalloc(len + 1, GFP_KERNEL);\n\tif (!buf)\n\t\treturn -ENOMEM;\n\n\tif (copy_from_iter',
        to: '\t\tbuf = kvmalloc(len + 1, GFP_KERNEL);\n\tif (!buf)\n\t\treturn -ENOMEM;\n\n\tif (copy_from_iter',
      },
      {
        file: 'fs/kernfs/file.c',
        from: '\telse\n\t\tkfree(buf);\n\treturn len;\n}\n\nstatic void kernfs_vma_open',
        to: '\telse\n\t\tkvfree(buf);\n\treturn len;\n}\n\nstatic void kernfs_vma_open',
      },
    ],
    asks: [],
  },
  {
    name: 'seq-kvfree-fix',
    kind: 'a free that takes more than before',
    edits: [{ file: 'fs/seq_file.c', from: 'out_free:\n\tkfree(private);', to: 'out_free:\n\tkvfree(private);' }],
    asks: [],
  },
  {
    name: 'filesystems-stack-helper',
    kind: 'a struct on the stack that a helper fills',
    edits: [
      {
        file: 'fs/filesystems.c',
        from: 'static int filesystems_proc_show(',
        to:
          'struct fs_line { const char *dev; int width; };\n\nstatic noinline void fs_line_of(struct ' +
          'fs_line *line, const struct file_system_type *type)\n{\n\tline->width = 5;\n\tline->dev = ' +
          '(type->fs_flags & FS_REQUIRES_DEV) ? "" : "nodev";\n}\n\nstatic int filesystems_proc_show(',
      },
      {
        file: 'fs/filesystems.c',
        from:
          '\t\tseq_printf(m, "%s\\t%s\\n",\n\t\t\t(tmp->fs_flags & FS_REQUIRES_DEV) ? "" : ' +
          '"nodev",\n\t\t\ttmp->name);',
        to:
          '\t\tstruct fs_line line;\n\n\t\tfs_line_of(&line, tmp);\n\t\tseq_printf(m, "%-*s\\t%s\\n", ' +
          'line.width, line.dev, tmp->name);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'uptime-local',
    kind: 'a local value computed otherwise',
    edits: [{ file: 'fs/proc/uptime.c', from: '\tidle_nsec = 0;\n', to: '\tidle_nsec = 0;\n\trem = 0;\n' }],
    asks: [],
    plain: true,
  },
  {
    name: 'mqueue-flush-read-once',
    kind: 'a value is read once',
    edits: [
      {
        file: 'ipc/mqueue.c',
        from: '\tif (task_tgid(current) == info->notify_owner)\n\t\tremove_notification(info);\n\n\tspin_unlock',
        to:
          '\tif (task_tgid(current) == ' +
          'READ_ONCE(info->notify_owner))\n\t\tremove_notification(info);\n\n\tspin_unlock',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'posix-clock-held',
    kind: 'a reference that lasts for the call',
    edits: [
      {
        file: 'kernel/time/posix-clock.c',
        from: '\tif (clk->ops.release)\n\t\terr = clk->ops.release(pccontext);\n',
        to:
          '\tget_device(clk->dev);\n\tif (clk->ops.release)\n\t\terr = ' +
          'clk->ops.release(pccontext);\n\tput_device(clk->dev);\n',
      },
    ],
    asks: [],
  },
  {
    name: 'netlink-bind-order-of-checks',
    kind: 'two checks change places',
    edits: [
      {
        file: 'fs/signalfd.c',
        from: '\tif (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK))\n\t\treturn -EINVAL;\n\n\tsigdelsetmask',
        to:
          '\tif (ufd < -1)\n\t\treturn -EBADF;\n\tif (flags & ~(SFD_CLOEXEC | ' +
          'SFD_NONBLOCK))\n\t\treturn -EINVAL;\n\n\tsigdelsetmask',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'wakeup-source-early',
    kind: 'a jump to another label of the way out',
    edits: [
      {
        file: 'drivers/base/power/wakeup.c',
        from: '\tws = kzalloc(sizeof(*ws), GFP_KERNEL);\n\tif (!ws)\n\t\tgoto err_ws;',
        to:
          '\tif (name && strlen(name) > 4096)\n\t\tgoto err_ws;\n\tws = kzalloc(sizeof(*ws), ' +
          'GFP_KERNEL);\n\tif (!ws)\n\t\tgoto err_ws;',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'mbcache-lookup-only',
    kind: 'a lookup that looks at an entry more closely; where entries stand is as before',
    edits: [
      {
        file: 'fs/mbcache.c',
        from: '\tif (cache->c_entry_count >= 2*cache->c_max_entries)',
        to: '\tif (cache->c_entry_count >= 3*cache->c_max_entries)',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'rng-probe-check',
    kind: 'a check at probe: a note tells whom it does not reach',
    edits: [
      {
        file: 'drivers/char/hw_random/virtio-rng.c',
        from: '\tvi = kzalloc(sizeof(struct virtrng_info), GFP_KERNEL);',
        to: '\tif (!vdev->config)\n\t\treturn -EINVAL;\n\n\tvi = kzalloc(sizeof(struct virtrng_info), GFP_KERNEL);',
      },
    ],
    asks: [],
    plain: true,
  },

  // A second set, written when the faults of the first were mended.
  {
    name: 'fib-device-hash',
    kind: 'a hash two functions away from its table',
    edits: [
      {
        file: 'net/ipv4/fib_semantics.c',
        from: '\treturn hash_32(val, DEVINDEX_HASHBITS);',
        to: '\treturn (val ^ (val >> 16)) & ((1 << DEVINDEX_HASHBITS) - 1);',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'dentry-bucket',
    kind: 'a bucket by arithmetic on a table’s address',
    edits: [
      {
        file: 'fs/dcache.c',
        from: '\treturn dentry_hashtable + (hash >> d_hash_shift);',
        to: '\treturn dentry_hashtable + ((hash * 3) >> d_hash_shift);',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'nvme-driver-data',
    kind: 'what driver_data of a queue holds',
    edits: [
      {
        file: 'drivers/nvme/host/pci.c',
        from: 'static blk_status_t nvme_queue_rq(struct blk_mq_hw_ctx *hctx,',
        to:
          'struct nvme_hold { struct nvme_queue *queue; };\n\nstatic blk_status_t ' +
          'nvme_queue_rq(struct blk_mq_hw_ctx *hctx,',
      },
      {
        file: 'drivers/nvme/host/pci.c',
        from: '\tstruct nvme_queue *nvmeq = hctx->driver_data;\n\tstruct nvme_dev *dev = nvmeq->dev;',
        to:
          '\tstruct nvme_hold *hold = hctx->driver_data;\n\tstruct nvme_queue *nvmeq = ' +
          'hold->queue;\n\tstruct nvme_dev *dev = nvmeq->dev;',
      },
    ],
    asks: ['held-otherwise'],
  },
  {
    name: 'fq-tag-bit',
    kind: 'a tag bit in a word that is otherwise an address',
    edits: [
      { file: 'net/sched/sch_fq.c', from: '\tf->age = jiffies | 1UL;', to: '\tf->age = jiffies | 2UL;' },
      { file: 'net/sched/sch_fq.c', from: '\treturn !!(f->age & 1UL);', to: '\treturn !!(f->age & 2UL);' },
    ],
    asks: ['stored-otherwise'],
  },
  {
    name: 'watchdog-bit-lock',
    kind: 'a lock that is another bit of the same word',
    first: 'missed',
    edits: [
      {
        file: 'kernel/watchdog.c',
        from: 'test_and_set_bit_lock(0, &soft_lockup_nmi_warn)',
        to: 'test_and_set_bit_lock(1, &soft_lockup_nmi_warn)',
      },
      {
        file: 'kernel/watchdog.c',
        from: 'clear_bit_unlock(0, &soft_lockup_nmi_warn)',
        to: 'clear_bit_unlock(1, &soft_lockup_nmi_warn)',
      },
    ],
    asks: ['lock-balance', 'stored-otherwise'],
  },
  {
    name: 'pidfd-reference',
    kind: 'one reference more, by wrappers of which one is in another file',
    edits: [
      {
        file: 'kernel/fork.c',
        from: '\tget_pid(pid); /* held by pidfd_file now */',
        to: '\tget_pid(pid); /* held by pidfd_file now */\n\tget_pid(pid);',
      },
      {
        file: 'kernel/fork.c',
        from: '\tfile->private_data = NULL;\n\tput_pid(pid);',
        to: '\tfile->private_data = NULL;\n\tput_pid(pid);\n\tput_pid(pid);',
      },
    ],
    asks: ['refcount-balance'],
  },
  {
    name: 'seq-private-kvzalloc',
    kind: 'only the allocation changes, to one of two families, by way of a local pointer',
    edits: [
      {
        file: 'fs/seq_file.c',
        from: '\tprivate = kzalloc(psize, GFP_KERNEL_ACCOUNT);',
        to: '\tprivate = kvzalloc(psize, GFP_KERNEL_ACCOUNT);',
      },
      { file: 'fs/seq_file.c', from: 'out_free:\n\tkfree(private);', to: 'out_free:\n\tkvfree(private);' },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'mqueue-moved-to-helper',
    kind: 'code that writes to live objects moves into a helper',
    edits: [
      {
        file: 'ipc/mqueue.c',
        from: 'static int msg_insert(struct msg_msg *msg,',
        to:
          'static void msg_account(struct mqueue_inode_info *info, struct msg_msg ' +
          '*msg)\n{\n\tinfo->attr.mq_curmsgs++;\n\tinfo->qsize += msg->m_ts;\n}\n\nstatic int ' +
          'msg_insert(struct msg_msg *msg,',
      },
      {
        file: 'ipc/mqueue.c',
        from: 'insert_msg:\n\tinfo->attr.mq_curmsgs++;\n\tinfo->qsize += msg->m_ts;',
        to: 'insert_msg:\n\tmsg_account(info, msg);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'mbcache-list-del',
    kind: 'a list entry is not set up again before it is freed',
    edits: [
      {
        file: 'fs/mbcache.c',
        from: '\t\tlist_del_init(&entry->e_list);\n\t\tcache->c_entry_count--;',
        to: '\t\tlist_del(&entry->e_list);\n\t\tcache->c_entry_count--;',
      },
    ],
    asks: [],
  },
  {
    name: 'posix-clock-renamed',
    kind: 'a variable gets another name',
    edits: [
      {
        file: 'kernel/time/posix-clock.c',
        from:
          '\tstruct posix_clock *clk;\n\tint err = 0;\n\n\tif (!pccontext)\n\t\treturn ' +
          '-ENODEV;\n\tclk = pccontext->clk;\n\n\tif (clk->ops.release)\n\t\terr = ' +
          'clk->ops.release(pccontext);\n\n\tput_device(clk->dev);',
        to:
          '\tstruct posix_clock *clock;\n\tint err = 0;\n\n\tif (!pccontext)\n\t\treturn ' +
          '-ENODEV;\n\tclock = pccontext->clk;\n\n\tif (clock->ops.release)\n\t\terr = ' +
          'clock->ops.release(pccontext);\n\n\tput_device(clock->dev);',
      },
    ],
    asks: [],
    plain: true,
  },
]
