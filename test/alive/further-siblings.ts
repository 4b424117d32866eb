// SPDX-License-Identifier: GPL-3.0-or-later
// Twenty dangers and twenty harmless changes over memory, references, locks, waits and pointers without a type. Written
// down before the tool was run.
import type { Sibling } from './siblings.ts'

export const furtherSiblings: readonly Sibling[] = [
  {
    name: 'pipe-buffers-vmalloc',
    kind: 'an array that one file allocates in two places and frees in two',
    edits: [
      {
        file: 'fs/pipe.c',
        from: '\tpipe->bufs = kcalloc(pipe_bufs, sizeof(struct pipe_buffer),\n\t\t\t     GFP_KERNEL_ACCOUNT);',
        to: '\tpipe->bufs = vzalloc(array_size(pipe_bufs, sizeof(struct pipe_buffer)));',
      },
      {
        file: 'fs/pipe.c',
        from: '\tkfree(pipe->bufs);\n\tkfree(pipe);',
        to: '\tvfree(pipe->bufs);\n\tkfree(pipe);',
      },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'ldisc-cache',
    kind: 'what vmalloc gave, goes back to a cache',
    edits: [
      { file: 'drivers/tty/n_tty.c', from: '\tvfree(ldata);', to: '\tkmem_cache_free(n_tty_cache, ldata);' },
      {
        file: 'drivers/tty/n_tty.c',
        from: '\tldata = vzalloc(sizeof(*ldata));',
        to: '\tldata = kmem_cache_zalloc(n_tty_cache, GFP_KERNEL);',
      },
      {
        file: 'drivers/tty/n_tty.c',
        from: 'static void n_tty_close(struct tty_struct *tty)',
        to: 'static struct kmem_cache *n_tty_cache;\n\nstatic void n_tty_close(struct tty_struct *tty)',
      },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'aio-percpu-array',
    kind: 'per-CPU memory becomes one struct',
    edits: [
      {
        file: 'fs/aio.c',
        from: '\tctx->cpu = alloc_percpu(struct kioctx_cpu);',
        to: '\tctx->cpu = kzalloc(sizeof(struct kioctx_cpu), GFP_KERNEL);',
      },
      {
        file: 'fs/aio.c',
        from: '\taio_free_ring(ctx);\n\tfree_percpu(ctx->cpu);',
        to: '\taio_free_ring(ctx);\n\tkfree(ctx->cpu);',
      },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'unix-address-head',
    kind: 'a head in front of an address that others free',
    edits: [
      {
        file: 'net/unix/af_unix.c',
        from: '\taddr = kmalloc(sizeof(*addr) + addr_len, GFP_KERNEL);\n\tif (!addr)\n\t\treturn NULL;\n',
        to:
          '\taddr = kmalloc(sizeof(*addr) + addr_len + 16, GFP_KERNEL);\n\tif (!addr)\n\t\treturn ' +
          'NULL;\n\taddr = (void *)addr + 16;\n',
      },
      {
        file: 'net/unix/af_unix.c',
        from: '\t\tkfree(addr);\n}',
        to: '\t\tkfree((void *)addr - 16);\n}',
      },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'tun-flow-cache',
    kind: 'kfree_rcu stays, the allocation becomes another family',
    edits: [
      {
        file: 'drivers/net/tun.c',
        from: '\tstruct tun_flow_entry *e = kmalloc(sizeof(*e), GFP_ATOMIC);',
        to: '\tstruct tun_flow_entry *e = (void *)__get_free_page(GFP_ATOMIC);',
      },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'stat-callback-free',
    kind: 'a callback of RCU frees with another function what stays allocated as before',
    edits: [
      {
        file: 'block/blk-stat.c',
        from: '\tfree_percpu(cb->cpu_stat);\n\tkfree(cb->stat);\n\tkfree(cb);\n}',
        to: '\tfree_percpu(cb->cpu_stat);\n\tvfree(cb->stat);\n\tkfree(cb);\n}',
      },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'audit-watch-twice',
    kind: 'a get and a put of a wrapper count two',
    edits: [
      {
        file: 'kernel/audit_watch.c',
        from: '\trefcount_inc(&watch->count);',
        to: '\trefcount_add(2, &watch->count);',
      },
      {
        file: 'kernel/audit_watch.c',
        from: '\tif (refcount_dec_and_test(&watch->count)) {',
        to: '\tif (refcount_sub_and_test(2, &watch->count)) {',
      },
    ],
    asks: ['refcount-balance'],
  },
  {
    name: 'userfault-fork-reference',
    kind: 'one reference more at fork, put when the fork is told',
    edits: [
      {
        file: 'fs/userfaultfd.c',
        from: '\t\tuserfaultfd_ctx_get(octx);',
        to: '\t\tuserfaultfd_ctx_get(octx);\n\t\tuserfaultfd_ctx_get(octx);',
      },
      {
        file: 'fs/userfaultfd.c',
        from: '\tuserfaultfd_ctx_put(ctx);\n\treturn 0;',
        to: '\tuserfaultfd_ctx_put(ctx);\n\tuserfaultfd_ctx_put(ctx);\n\treturn 0;',
      },
    ],
    asks: ['refcount-balance'],
  },
  {
    name: 'relay-channel-reference',
    kind: 'a buffer no longer holds its channel',
    edits: [
      { file: 'kernel/relay.c', from: '\tkref_get(&buf->chan->kref);\n', to: '' },
      {
        file: 'kernel/relay.c',
        from: '\tkfree(buf);\n\tkref_put(&chan->kref, relay_destroy_channel);',
        to: '\tkfree(buf);',
      },
    ],
    asks: ['refcount-balance'],
  },
  {
    name: 'audit-parent-twice',
    kind: 'a get and a put that have their names in the middle',
    edits: [
      {
        file: 'kernel/audit_watch.c',
        from: '\taudit_get_parent(old->parent);',
        to: '\taudit_get_parent(old->parent);\n\taudit_get_parent(old->parent);',
      },
      {
        file: 'kernel/audit_watch.c',
        from: '\taudit_put_parent(watch->parent);\n',
        to: '\taudit_put_parent(watch->parent);\n\taudit_put_parent(watch->parent);\n',
      },
    ],
    asks: ['refcount-balance'],
  },
  {
    name: 'headlock-waker',
    kind: 'a bit lock whose release tells only a variable',
    edits: [
      {
        file: 'fs/nfs/pagelist.c',
        from: '\treturn wait_on_bit_lock(&req->wb_flags, PG_HEADLOCK,\n\t\t\t\tTASK_UNINTERRUPTIBLE);',
        to: '\twait_var_event(&req->wb_flags, !test_and_set_bit(PG_HEADLOCK, &req->wb_flags));\n\treturn 0;',
      },
      {
        file: 'fs/nfs/pagelist.c',
        from: '\twake_up_bit(&req->wb_flags, PG_HEADLOCK);\n}',
        to: '\twake_up_var(&req->wb_flags);\n}',
      },
    ],
    asks: ['wake-up'],
  },
  {
    name: 'acct-completion-split',
    kind: 'a completion that another one takes the place of',
    edits: [
      {
        file: 'kernel/acct.c',
        from: '\twait_for_completion(&acct->done);',
        to: '\twait_var_event(&acct->needcheck, !READ_ONCE(acct->needcheck));',
      },
      {
        file: 'kernel/acct.c',
        from: '\tcomplete(&acct->done);',
        to: '\tWRITE_ONCE(acct->needcheck, 0);\n\twake_up_var(&acct->needcheck);',
      },
    ],
    asks: ['wake-up'],
  },
  {
    name: 'fscache-creating-bit',
    kind: 'waiters sleep on another bit of the same word',
    first: 'missed',
    edits: [
      {
        file: 'fs/fscache/volume.c',
        from: '\t\twait_on_bit(&volume->flags, FSCACHE_VOLUME_CREATING,\n\t\t\t    TASK_UNINTERRUPTIBLE);',
        to: '\t\twait_on_bit(&volume->flags, FSCACHE_VOLUME_ACQUIRE_PENDING,\n\t\t\t    TASK_UNINTERRUPTIBLE);',
      },
      {
        file: 'fs/fscache/volume.c',
        from: '\tclear_and_wake_up_bit(FSCACHE_VOLUME_CREATING, &volume->flags);\n\tfscache_put_volume(',
        to: '\tclear_and_wake_up_bit(FSCACHE_VOLUME_ACQUIRE_PENDING, &volume->flags);\n\tfscache_put_volume(',
      },
    ],
    asks: ['wake-up', 'stored-otherwise'],
  },
  {
    name: 'fscache-accesses',
    kind: 'a withdrawal waits for another count than the one that is told of',
    edits: [
      {
        file: 'fs/fscache/cache.c',
        from: '\tif (n_accesses == 0)\n\t\twake_up_var(&cache->n_accesses);',
        to: '\tif (n_accesses == 0)\n\t\twake_up_var(&cache->object_count);',
      },
      {
        file: 'fs/fscache/cache.c',
        from: '\twait_var_event(&cache->n_accesses,\n',
        to: '\twait_var_event(&cache->object_count,\n',
      },
    ],
    asks: ['wake-up'],
  },
  {
    name: 'pstore-private-record',
    kind: 'i_private leads to the record and no longer to what holds it',
    edits: [
      {
        file: 'fs/pstore/inode.c',
        from: '\tstruct pstore_private *ps = inode->i_private;\n\tstruct seq_file *sf;',
        to:
          '\tstruct pstore_record *rec = inode->i_private;\n\tstruct pstore_private *ps = ' +
          'rec->priv;\n\tstruct seq_file *sf;',
      },
      {
        file: 'fs/pstore/inode.c',
        from: '\tinode->i_private = private;',
        to: '\trecord->priv = private;\n\tinode->i_private = record;',
      },
    ],
    asks: ['held-otherwise'],
  },
  {
    name: 'relay-file-channel',
    kind: 'a file holds another struct than the files that are open',
    edits: [
      {
        file: 'kernel/relay.c',
        from: '\tstruct rchan_buf *buf = inode->i_private;\n\tkref_get(&buf->kref);\n\tfilp->private_data = buf;',
        to: '\tstruct rchan_buf *buf = inode->i_private;\n\tkref_get(&buf->kref);\n\tfilp->private_data = buf->chan;',
      },
      {
        file: 'kernel/relay.c',
        from: '\t__poll_t mask = 0;\n\tstruct rchan_buf *buf = filp->private_data;',
        to:
          '\t__poll_t mask = 0;\n\tstruct rchan *chan = filp->private_data;\n\tstruct rchan_buf *buf ' +
          '= *get_cpu_ptr(chan->buf);',
      },
    ],
    asks: ['held-otherwise'],
  },
  {
    name: 'page-private-channel',
    kind: 'the private word of a page is given another pointer',
    edits: [
      {
        file: 'kernel/relay.c',
        from: '\t\tset_page_private(buf->page_array[i], (unsigned long)buf);',
        to: '\t\tset_page_private(buf->page_array[i], (unsigned long)buf->chan);',
      },
      {
        file: 'kernel/relay.c',
        from: '\trbuf = (struct rchan_buf *)page_private(buf->page);',
        to: '\trbuf = *this_cpu_ptr(((struct rchan *)page_private(buf->page))->buf);',
      },
    ],
    asks: ['held-otherwise'],
  },
  {
    name: 'fuse-dev-tag',
    kind: 'a pointer in private_data carries a bit',
    edits: [
      {
        file: 'fs/fuse/dev.c',
        from: '\treturn READ_ONCE(file->private_data);',
        to: '\treturn (struct fuse_dev *)((unsigned long)READ_ONCE(file->private_data) & ~1UL);',
      },
      {
        file: 'fs/fuse/dev.c',
        from: '\tnew->private_data = fud;',
        to: '\tnew->private_data = (void *)((unsigned long)fud | 1UL);',
      },
    ],
    asks: ['stored-otherwise', 'held-otherwise'],
  },
  {
    name: 'unix-order',
    kind: 'the order of two locks of one table, by which indices are compared',
    first: 'missed',
    edits: [
      {
        file: 'net/unix/af_unix.c',
        from: '\tif (hash1 > hash2)\n\t\tswap(hash1, hash2);\n\n\tspin_lock(',
        to: '\tif (hash1 < hash2)\n\t\tswap(hash1, hash2);\n\n\tspin_lock(',
      },
    ],
    asks: ['lock-balance'],
  },

  {
    name: 'pipe-zeroed',
    kind: 'the same family with zeroes',
    edits: [
      {
        file: 'kernel/relay.c',
        from: '\tbuf->padding = kmalloc_array(chan->n_subbufs, sizeof(size_t),\n\t\t\t\t     GFP_KERNEL);',
        to: '\tbuf->padding = kcalloc(chan->n_subbufs, sizeof(size_t), GFP_KERNEL);',
      },
    ],
    asks: [],
  },
  {
    name: 'unix-address-flags',
    kind: 'an allocation is charged',
    edits: [
      {
        file: 'net/unix/af_unix.c',
        from: '\taddr = kmalloc(sizeof(*addr) + addr_len, GFP_KERNEL);',
        to: '\taddr = kmalloc(sizeof(*addr) + addr_len, GFP_KERNEL_ACCOUNT);',
      },
    ],
    asks: [],
  },
  {
    name: 'unix-batch-kmalloc',
    kind: 'kvfree gives back what kmalloc gave',
    edits: [
      {
        file: 'net/unix/af_unix.c',
        from: '\tnew_batch = kvmalloc(sizeof(*new_batch) * new_batch_sz,',
        to: '\tnew_batch = kmalloc(sizeof(*new_batch) * new_batch_sz,',
      },
    ],
    asks: [],
  },
  {
    name: 'user-ns-reverse',
    kind: 'freed in the other order',
    edits: [
      {
        file: 'kernel/user_namespace.c',
        from: '\t\t\tkfree(ns->gid_map.forward);\n\t\t\tkfree(ns->gid_map.reverse);',
        to: '\t\t\tkfree(ns->gid_map.reverse);\n\t\t\tkfree(ns->gid_map.forward);',
      },
    ],
    asks: [],
  },
  {
    name: 'acl-struct-size',
    kind: 'a size is spelt otherwise',
    edits: [
      {
        file: 'fs/posix_acl.c',
        from:
          '\tconst size_t size = sizeof(struct posix_acl) +\n\t                    count * ' +
          'sizeof(struct posix_acl_entry);\n\tstruct posix_acl *acl = kmalloc(size, flags);',
        to: '\tstruct posix_acl *acl = kmalloc(struct_size(acl, a_entries, count), flags);',
      },
    ],
    asks: [],
  },
  {
    name: 'relay-leak',
    kind: 'an error path gives back what it forgot',
    edits: [
      {
        file: 'kernel/relay.c',
        from: '\tif (!chan->buf) {\n\t\tkfree(chan);\n\t\treturn NULL;\n\t}',
        to: '\tif (WARN_ON_ONCE(!chan->buf)) {\n\t\tkfree(chan);\n\t\treturn NULL;\n\t}',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'kernfs-null-after-free',
    kind: 'a member is emptied behind the free',
    edits: [
      {
        file: 'fs/kernfs/file.c',
        from: '\tkfree(of->prealloc_buf);\n\tkfree(of);\n\n\treturn 0;',
        to: '\tkfree(of->prealloc_buf);\n\tof->prealloc_buf = NULL;\n\tkfree(of);\n\n\treturn 0;',
      },
    ],
    asks: [],
  },
  {
    name: 'audit-watch-saturation',
    kind: 'a check beside a count',
    edits: [
      {
        file: 'kernel/audit_watch.c',
        from: '\trefcount_inc(&watch->count);',
        to: '\tif (WARN_ON(!watch))\n\t\treturn;\n\trefcount_inc(&watch->count);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'userfault-hold',
    kind: 'a reference for the time of one call',
    edits: [
      {
        file: 'fs/userfaultfd.c',
        from: '\tstruct userfaultfd_ctx *ctx = file->private_data;\n\t__poll_t ret;\n',
        to:
          '\tstruct userfaultfd_ctx *ctx = file->private_data;\n\t__poll_t ' +
          'ret;\n\n\tuserfaultfd_ctx_get(ctx);\n\tuserfaultfd_ctx_put(ctx);\n',
      },
    ],
    asks: [],
  },
  {
    name: 'acct-put-label',
    kind: 'a put moves behind a label of the same function',
    edits: [
      {
        file: 'kernel/acct.c',
        from:
          '\tif (res != to_acct(READ_ONCE(ns->bacct))) ' +
          '{\n\t\tmutex_unlock(&res->lock);\n\t\tacct_put(res);\n\t\tgoto again;\n\t}\n\treturn res;',
        to:
          '\tif (res == to_acct(READ_ONCE(ns->bacct)))\n\t\treturn ' +
          'res;\n\tmutex_unlock(&res->lock);\n\tacct_put(res);\n\tgoto again;',
      },
    ],
    asks: [],
  },
  {
    name: 'mbcache-wake-all',
    kind: 'a wait asks its condition more closely',
    edits: [
      {
        file: 'fs/mbcache.c',
        from: '\twait_var_event(&entry->e_refcnt, atomic_read(&entry->e_refcnt) <= 2);',
        to: '\twait_var_event(&entry->e_refcnt, atomic_read_acquire(&entry->e_refcnt) <= 2);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'nfs-headlock-killable',
    kind: 'the same wait, which a signal may end',
    edits: [
      {
        file: 'fs/nfs/pagelist.c',
        from: '\treturn wait_on_bit_lock(&req->wb_flags, PG_HEADLOCK,\n\t\t\t\tTASK_UNINTERRUPTIBLE);',
        to: '\treturn wait_on_bit_lock(&req->wb_flags, PG_HEADLOCK,\n\t\t\t\tTASK_KILLABLE);',
      },
    ],
    asks: [],
  },
  {
    name: 'fscache-wake-always',
    kind: 'a wake-up that comes more often',
    edits: [
      {
        file: 'fs/fscache/cache.c',
        from: '\tif (n_accesses == 0)\n\t\twake_up_var(&cache->n_accesses);',
        to: '\tif (n_accesses <= 0)\n\t\twake_up_var(&cache->n_accesses);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'pstore-private-name',
    kind: 'what i_private leads to gets another name in a function',
    edits: [
      {
        file: 'fs/pstore/inode.c',
        from: '\tstruct pstore_private\t*p = inode->i_private;\n\n\tclear_inode(inode);\n\tfree_pstore_private(p);',
        to:
          '\tstruct pstore_private *private = ' +
          'inode->i_private;\n\n\tclear_inode(inode);\n\tfree_pstore_private(private);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'relay-private-cast',
    kind: 'a pointer without a type is cast to the same struct',
    edits: [
      {
        file: 'kernel/relay.c',
        from: '\t__poll_t mask = 0;\n\tstruct rchan_buf *buf = filp->private_data;',
        to: '\t__poll_t mask = 0;\n\tstruct rchan_buf *buf = (struct rchan_buf *)filp->private_data;',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'fuse-dev-acquire',
    kind: 'a pointer is read in order',
    edits: [
      {
        file: 'fs/fuse/dev.c',
        from: '\treturn READ_ONCE(file->private_data);',
        to: '\treturn smp_load_acquire(&file->private_data);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'mbcache-count-check',
    kind: 'a check under the lock',
    edits: [
      {
        file: 'fs/mbcache.c',
        from: '\tspin_lock(&cache->c_list_lock);\n\tlist_add_tail(&entry->e_list, &cache->c_list);',
        to:
          '\tspin_lock(&cache->c_list_lock);\n\tWARN_ON_ONCE(!list_empty(&entry->e_list));\n' +
          '\tlist_add_tail(&entry->e_list, &cache->c_list);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'unix-double-lock',
    kind: 'two locks of one table in the same order, spelt otherwise',
    edits: [
      {
        file: 'net/unix/af_unix.c',
        from: '\tif (hash1 > hash2)\n\t\tswap(hash1, hash2);\n\n\tspin_lock(',
        to: '\tif (hash2 < hash1)\n\t\tswap(hash2, hash1);\n\n\tspin_lock(',
      },
    ],
    asks: [],
  },
  {
    name: 'tty-buffer-limit',
    kind: 'a limit before an allocation',
    edits: [
      {
        file: 'drivers/tty/tty_buffer.c',
        from: '\tif (atomic_read(&port->buf.mem_used) > port->buf.mem_limit)\n\t\treturn NULL;',
        to: '\tif (size > 65536 || atomic_read(&port->buf.mem_used) > port->buf.mem_limit)\n\t\treturn NULL;',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'gro-cells-retry',
    kind: 'memory of one call is asked for once more',
    edits: [
      {
        file: 'net/core/gro_cells.c',
        from: '\tdefer = kmalloc(sizeof(*defer), GFP_KERNEL | __GFP_NOWARN);',
        to:
          '\tdefer = kmalloc(sizeof(*defer), GFP_KERNEL | __GFP_NOWARN);\n\tif (!defer)\n\t\tdefer = ' +
          'kmalloc(sizeof(*defer), GFP_ATOMIC);',
      },
    ],
    asks: [],
  },
]
