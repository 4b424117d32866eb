// SPDX-License-Identifier: GPL-3.0-or-later
// A third set of small changes of the real kernel: what a tester tries who knows what the first two sets look like.
// Macros and constants by their definition alone, helpers that hand on, members that belong together. Written down
// before the tool was run.
import type { Sibling } from './siblings.ts'

export const hostileSiblings: readonly Sibling[] = [
  {
    name: 'seq-buffer-pages',
    kind: 'a helper that allocates for others takes pages, where kvfree gives back',
    first: 'missed',
    edits: [
      {
        file: 'fs/seq_file.c',
        from: '\treturn kvmalloc(size, GFP_KERNEL_ACCOUNT);',
        to: '\treturn (void *)__get_free_pages(GFP_KERNEL_ACCOUNT, get_order(size));',
      },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'fdtable-kcalloc',
    kind: 'what kvmalloc gave, goes back to kmalloc alone',
    edits: [
      { file: 'fs/file.c', from: '\tkvfree(fdt->fd);', to: '\tkfree(fdt->fd);' },
      {
        file: 'fs/file.c',
        from: 'data = kvmalloc_array(nr, sizeof(struct file *), GFP_KERNEL_ACCOUNT);',
        to: 'data = kcalloc(nr, sizeof(struct file *), GFP_KERNEL_ACCOUNT);',
      },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'fdtable-headroom',
    kind: 'a table behind a head, given back from its begin',
    edits: [
      { file: 'fs/file.c', from: '\tfdt->open_fds = data;\n', to: '\tfdt->open_fds = data + 64;\n' },
      { file: 'fs/file.c', from: '\tkvfree(fdt->open_fds);', to: '\tkvfree((void *)fdt->open_fds - 64);' },
    ],
    asks: ['given-back-otherwise'],
  },
  {
    name: 'epoll-sentinel',
    kind: 'a sentinel that members hold, by its macro alone',
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
    name: 'shm-file-box',
    kind: 'a macro that takes private_data for another struct',
    first: 'missed',
    edits: [
      {
        file: 'ipc/shm.c',
        from: '#define shm_file_data(file) (*((struct shm_file_data **)&(file)->private_data))',
        to:
          'struct shm_file_box { struct shm_file_data *data; };\n#define shm_file_data(file) ' +
          '(((struct shm_file_box *)(file)->private_data)->data)',
      },
    ],
    asks: ['held-otherwise'],
  },
  {
    name: 'shm-dest-bit',
    kind: 'a flag bit that live segments have set, by its macro alone',
    edits: [{ file: 'ipc/shm.c', from: '#define SHM_DEST\t01000', to: '#define SHM_DEST\t04000' }],
    asks: ['stored-otherwise'],
  },
  {
    name: 'ipc-index',
    kind: 'a macro of a header by which identifiers lead to entries of a table',
    first: 'missed',
    edits: [
      {
        file: 'ipc/util.h',
        from: '#define ipcid_to_idx(id)  ((id) & IPCMNI_IDX_MASK)',
        to: '#define ipcid_to_idx(id)  (((id) ^ 0x55) & IPCMNI_IDX_MASK)',
      },
    ],
    asks: ['placed-otherwise', 'stored-otherwise'],
  },
  {
    name: 'pneigh-mask',
    kind: 'the mask of a hash, by its macro alone',
    first: 'missed',
    edits: [
      {
        file: 'net/core/neighbour.c',
        from: '#define PNEIGH_HASHMASK\t\t0xF',
        to: '#define PNEIGH_HASHMASK\t\t0x1F',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'msg-search-mode',
    kind: 'a constant in the record of a sleeping task, which another task reads',
    first: 'missed',
    edits: [{ file: 'ipc/msg.c', from: '#define SEARCH_NUMBER\t\t5', to: '#define SEARCH_NUMBER\t\t6' }],
    asks: ['stored-otherwise'],
  },
  {
    name: 'mbcache-find-lock',
    kind: 'a bucket is searched under another lock than it is changed under',
    edits: [
      {
        file: 'fs/mbcache.c',
        from: '\thead = mb_cache_entry_head(cache, key);\n\thlist_bl_lock(head);\n\tif (entry && ',
        to: '\thead = mb_cache_entry_head(cache, key);\n\tspin_lock(&cache->c_list_lock);\n\tif (entry && ',
      },
      {
        file: 'fs/mbcache.c',
        from: 'out:\n\thlist_bl_unlock(head);\n\tif (old_entry)',
        to: 'out:\n\tspin_unlock(&cache->c_list_lock);\n\tif (old_entry)',
      },
    ],
    asks: ['lock-balance'],
  },
  {
    name: 'timerfd-lock-order',
    kind: 'two locks of which one is taken in a callee, in the other order',
    first: 'missed',
    edits: [
      {
        file: 'fs/timerfd.c',
        from: '\t\tspin_lock(&cancel_lock);\n\t\tlist_del_rcu(&ctx->clist);\n\t\tspin_unlock(&cancel_lock);',
        to: '\t\tlist_del_rcu(&ctx->clist);',
      },
      {
        file: 'fs/timerfd.c',
        from: '\tspin_lock(&ctx->cancel_lock);\n\t__timerfd_remove_cancel(ctx);\n\tspin_unlock(&ctx->cancel_lock);',
        to:
          '\tspin_lock(&cancel_lock);\n\tspin_lock(&ctx->cancel_lock);\n\t__timerfd_remove_cancel(ctx);\n' +
          '\tspin_unlock(&ctx->cancel_lock);\n\tspin_unlock(&cancel_lock);',
      },
    ],
    asks: ['lock-balance'],
  },
  {
    name: 'async-wait-variable',
    kind: 'a wait that another thing ends than before',
    edits: [
      { file: 'kernel/async.c', from: '\twake_up(&async_done);', to: '\twake_up_var(&entry_count);' },
      {
        file: 'kernel/async.c',
        from: 'wait_event(async_done, lowest_in_progress(domain) >= cookie);',
        to: 'wait_var_event(&entry_count, lowest_in_progress(domain) >= cookie);',
      },
    ],
    asks: ['wake-up'],
  },
  {
    name: 'hwrng-reference',
    kind: 'a reference that a search no longer takes, and a release no longer puts',
    edits: [
      {
        file: 'drivers/char/hw_random/core.c',
        from: '\trng = rcu_dereference(current_rng);\n\tif (rng)\n\t\tkref_get(&rng->ref);\n',
        to: '\trng = rcu_dereference(current_rng);\n',
      },
      {
        file: 'drivers/char/hw_random/core.c',
        from: '\tif (rng)\n\t\tkref_put(&rng->ref, cleanup_rng);\n',
        to: '\tif (rng)\n\t\tbarrier();\n',
      },
    ],
    asks: ['refcount-balance'],
  },
  {
    name: 'audit-tree-twice',
    kind: 'an object begins with two references, and its release takes two',
    first: 'missed',
    edits: [
      {
        file: 'kernel/audit_tree.c',
        from: '\t\trefcount_set(&tree->count, 1);',
        to: '\t\trefcount_set(&tree->count, 2);',
      },
      {
        file: 'kernel/audit_tree.c',
        from: '\trefcount_inc(&tree->count);',
        to: '\trefcount_add(2, &tree->count);',
      },
      {
        file: 'kernel/audit_tree.c',
        from: '\tif (refcount_dec_and_test(&tree->count))',
        to: '\tif (refcount_sub_and_test(2, &tree->count))',
      },
    ],
    asks: ['refcount-balance'],
  },
  {
    name: 'netprio-tag',
    kind: 'a tag bit in a pointer that readers of the same file strip',
    edits: [
      {
        file: 'net/core/netprio_cgroup.c',
        from: '\trcu_assign_pointer(dev->priomap, new);',
        to: '\trcu_assign_pointer(dev->priomap, (struct netprio_map *)((unsigned long)new | 1));',
      },
      {
        file: 'net/core/netprio_cgroup.c',
        from: '\tstruct netprio_map *map = rcu_dereference_rtnl(dev->priomap);\n\tint id',
        to:
          '\tstruct netprio_map *map = (struct netprio_map *)((unsigned ' +
          'long)rcu_dereference_rtnl(dev->priomap) & ~1UL);\n\tint id',
      },
    ],
    asks: ['stored-otherwise'],
  },
  {
    name: 'timerfd-container',
    kind: 'the container of an armed timer is another struct',
    edits: [
      {
        file: 'fs/timerfd.c',
        from: 'static void timerfd_triggered(',
        to:
          'struct timerfd_box { u64 armed; struct hrtimer tmr; struct timerfd_ctx *ctx; };\n\nstatic ' +
          'void timerfd_triggered(',
      },
      {
        file: 'fs/timerfd.c',
        from:
          '\tstruct timerfd_ctx *ctx = container_of(htmr, struct timerfd_ctx,\n\t\t\t\t\t       ' +
          't.tmr);\n\ttimerfd_triggered(ctx);',
        to: '\tstruct timerfd_box *box = container_of(htmr, struct timerfd_box, tmr);\n\ttimerfd_triggered(box->ctx);',
      },
    ],
    asks: ['held-otherwise'],
  },
  {
    name: 'timerfd-unit',
    kind: 'an interval is kept in another unit',
    edits: [
      {
        file: 'fs/timerfd.c',
        from: '\tctx->tintv = timespec64_to_ktime(ktmr->it_interval);',
        to: '\tctx->tintv = ktime_to_us(timespec64_to_ktime(ktmr->it_interval));',
      },
      {
        file: 'fs/timerfd.c',
        from: '\tinterval = ktime_to_timespec64(ctx->tintv);',
        to: '\tinterval = ktime_to_timespec64(us_to_ktime(ctx->tintv));',
      },
      {
        file: 'fs/timerfd.c',
        from: '\told->it_interval = ktime_to_timespec64(ctx->tintv);',
        to: '\told->it_interval = ktime_to_timespec64(us_to_ktime(ctx->tintv));',
      },
    ],
    asks: ['stored-otherwise'],
  },
  {
    name: 'epoll-order',
    kind: 'the comparison by which a tree is ordered, turned round',
    edits: [
      {
        file: 'fs/eventpoll.c',
        from: '\treturn (p1->file > p2->file ? +1:\n\t        (p1->file < p2->file ? -1 : p1->fd - p2->fd));',
        to: '\treturn (p1->file < p2->file ? +1:\n\t        (p1->file > p2->file ? -1 : p2->fd - p1->fd));',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'blocked-key',
    kind: 'the key by which entries of a hash table are placed, in a helper',
    edits: [
      {
        file: 'fs/locks.c',
        from: '\treturn (unsigned long)fl->fl_owner;\n}\n\nstatic void locks_insert_global_blocked',
        to: '\treturn (unsigned long)fl->fl_owner >> 4;\n}\n\nstatic void locks_insert_global_blocked',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'mbcache-parted',
    kind: 'a list and its count, in two sections of the lock',
    first: 'missed',
    edits: [
      {
        file: 'fs/mbcache.c',
        from: '\tlist_add_tail(&entry->e_list, &cache->c_list);\n\tcache->c_entry_count++;\n',
        to:
          '\tlist_add_tail(&entry->e_list, &cache->c_list);\n\tspin_unlock(&cache->c_list_lock);\n' +
          '\tcond_resched();\n\tspin_lock(&cache->c_list_lock);\n\tcache->c_entry_count++;\n',
      },
    ],
    asks: ['lock-balance'],
  },
  {
    name: 'cacheinfo-online',
    kind: 'code that runs only when a processor comes',
    edits: [
      {
        file: 'drivers/base/cacheinfo.c',
        from: '\trc = cache_add_dev(cpu);\n\tif (rc)\n\t\tfree_cache_attributes(cpu);\n\treturn rc;',
        to:
          '\tif (!cpu_online(cpu))\n\t\treturn -ENODEV;\n\trc = cache_add_dev(cpu);\n\tif ' +
          '(rc)\n\t\tfree_cache_attributes(cpu);\n\treturn rc;',
      },
    ],
    asks: ['reaches-only-new'],
  },
  {
    name: 'seq-buffer-vmalloc',
    kind: 'vmalloc in place of kvmalloc, which kvfree takes as well',
    edits: [
      {
        file: 'fs/seq_file.c',
        from: '\treturn kvmalloc(size, GFP_KERNEL_ACCOUNT);',
        to: '\treturn __vmalloc(size, GFP_KERNEL_ACCOUNT);',
      },
    ],
    asks: [],
  },
  {
    name: 'epoll-max-events',
    kind: 'a bound by its macro alone',
    edits: [
      {
        file: 'fs/eventpoll.c',
        from: '#define EP_MAX_EVENTS (INT_MAX / ',
        to: '#define EP_MAX_EVENTS (INT_MAX / 2 / ',
      },
    ],
    asks: [],
  },
  {
    name: 'sem-hysteresis',
    kind: 'a count that only begins otherwise',
    edits: [
      {
        file: 'ipc/sem.c',
        from: '#define USE_GLOBAL_LOCK_HYSTERESIS\t10',
        to: '#define USE_GLOBAL_LOCK_HYSTERESIS\t20',
      },
    ],
    asks: [],
  },
  {
    name: 'deadlock-depth',
    kind: 'a depth of a search by its macro alone',
    edits: [
      {
        file: 'fs/locks.c',
        from: '#define MAX_DEADLK_ITERATIONS 10',
        to: '#define MAX_DEADLK_ITERATIONS 20',
      },
    ],
    asks: [],
  },
  {
    name: 'is-posix-parentheses',
    kind: 'a macro gets parentheses',
    edits: [
      {
        file: 'fs/locks.c',
        from: '#define IS_POSIX(fl)\t(fl->fl_flags & FL_POSIX)',
        to: '#define IS_POSIX(fl)\t((fl)->fl_flags & FL_POSIX)',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'neigh-debug-level',
    kind: 'what a macro of messages says',
    edits: [{ file: 'net/core/neighbour.c', from: '#define NEIGH_DEBUG 1', to: '#define NEIGH_DEBUG 0' }],
    asks: [],
  },
  {
    name: 'eventfd-nothing',
    kind: 'a check that leaves early',
    edits: [
      {
        file: 'fs/eventfd.c',
        from: '\tspin_lock_irqsave(&ctx->wqh.lock, flags);\n\tcurrent->in_eventfd = 1;',
        to: '\tif (n == 0)\n\t\treturn 0;\n\n\tspin_lock_irqsave(&ctx->wqh.lock, flags);\n\tcurrent->in_eventfd = 1;',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'timerfd-container-macro',
    kind: 'the same container by way of a new macro',
    edits: [
      {
        file: 'fs/timerfd.c',
        from: 'static void timerfd_triggered(',
        to: '#define alarm_ctx(a) container_of(a, struct timerfd_ctx, t.alarm)\n\nstatic void timerfd_triggered(',
      },
      {
        file: 'fs/timerfd.c',
        from: '\tstruct timerfd_ctx *ctx = container_of(alarm, struct timerfd_ctx,\n\t\t\t\t\t       t.alarm);',
        to: '\tstruct timerfd_ctx *ctx = alarm_ctx(alarm);',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'eventfd-sensitive',
    kind: 'memory is cleared before it goes back where it came from',
    edits: [
      {
        file: 'fs/eventfd.c',
        from: '\tkfree(ctx);\n}\n\nstatic void eventfd_free(',
        to: '\tkfree_sensitive(ctx);\n}\n\nstatic void eventfd_free(',
      },
    ],
    asks: [],
  },
  {
    name: 'mbcache-divisor',
    kind: 'how much is given up at once',
    edits: [{ file: 'fs/mbcache.c', from: '#define SHRINK_DIVISOR 16', to: '#define SHRINK_DIVISOR 8' }],
    asks: [],
  },
  {
    name: 'netprio-kcalloc',
    kind: 'the same family by another function',
    edits: [
      {
        file: 'net/core/netprio_cgroup.c',
        from: '\tnew = kzalloc(new_sz, GFP_KERNEL);',
        to: '\tnew = kcalloc(1, new_sz, GFP_KERNEL);',
      },
    ],
    asks: [],
  },
  {
    name: 'eventfd-drop',
    kind: 'a reference is put by way of a new helper',
    edits: [
      {
        file: 'fs/eventfd.c',
        from: 'static int eventfd_release(struct inode',
        to:
          'static void eventfd_drop(struct eventfd_ctx *ctx)\n{\n\tkref_put(&ctx->kref, ' +
          'eventfd_free);\n}\n\nstatic int eventfd_release(struct inode',
      },
      {
        file: 'fs/eventfd.c',
        from: '\twake_up_poll(&ctx->wqh, EPOLLHUP);\n\teventfd_ctx_put(ctx);',
        to: '\twake_up_poll(&ctx->wqh, EPOLLHUP);\n\teventfd_drop(ctx);',
      },
    ],
    asks: [],
  },
  {
    name: 'audit-tree-sequence',
    kind: 'members are set up in another sequence before anybody sees them',
    edits: [
      {
        file: 'kernel/audit_tree.c',
        from: '\t\ttree->goner = 0;\n\t\tINIT_LIST_HEAD(&tree->chunks);\n\t\tINIT_LIST_HEAD(&tree->rules);',
        to: '\t\tINIT_LIST_HEAD(&tree->rules);\n\t\tINIT_LIST_HEAD(&tree->chunks);\n\t\ttree->goner = 0;',
      },
    ],
    asks: [],
    plain: true,
  },
  {
    name: 'mbcache-irq',
    kind: 'the same lock with interrupts off',
    edits: [
      {
        file: 'fs/mbcache.c',
        from:
          '\tspin_lock(&cache->c_list_lock);\n\tlist_add_tail(&entry->e_list, ' +
          '&cache->c_list);\n\tcache->c_entry_count++;\n\tspin_unlock(&cache->c_list_lock);',
        to:
          '\tspin_lock_irq(&cache->c_list_lock);\n\tlist_add_tail(&entry->e_list, ' +
          '&cache->c_list);\n\tcache->c_entry_count++;\n\tspin_unlock_irq(&cache->c_list_lock);',
      },
    ],
    asks: [],
  },
  {
    name: 'shm-macro-spelling',
    kind: 'a macro is spelt otherwise and means the same',
    edits: [
      {
        file: 'ipc/shm.c',
        from: '#define shm_file_data(file) (*((struct shm_file_data **)&(file)->private_data))',
        to: '#define shm_file_data(file) (*((struct shm_file_data **)&((file)->private_data)))',
      },
    ],
    asks: [],
  },
]
