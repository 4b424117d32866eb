// SPDX-License-Identifier: GPL-3.0-or-later
// Changes of what stands for a value: enumerators that shift, constants that are variables, tables, hashes, orders,
// comparisons. Written down before the tool was run.
import type { Sibling } from './siblings.ts'

export const constantSiblings: readonly Sibling[] = [
  {
    name: 'loop-state-inserted',
    kind: 'an enumerator is put in the middle of states that devices hold',
    first: 'missed',
    edits: [{ file: 'drivers/block/loop.c', from: '\tLo_unbound,\n', to: '\tLo_unbound,\n\tLo_binding,\n' }],
    asks: ['stored-otherwise'],
  },
  {
    name: 'fuse-bit-inserted',
    kind: 'an enumerator that is a bit of live requests moves, in a header',
    first: 'missed',
    edits: [{ file: 'fs/fuse/fuse_i.h', from: '\tFR_ISREPLY,\n', to: '\tFR_ISREPLY,\n\tFR_QUEUED,\n' }],
    asks: ['stored-otherwise'],
  },
  {
    name: 'worker-flag-value',
    kind: 'enumerators that are flags get other values',
    first: 'missed',
    edits: [
      {
        file: 'kernel/workqueue.c',
        from: 'WORKER_IDLE\t\t= 1 << 2,',
        to: 'WORKER_IDLE\t\t= 1 << 4,',
      },
    ],
    asks: ['stored-otherwise'],
  },
  {
    name: 'fuse-bits-ordered',
    kind: 'two enumerators change places',
    first: 'missed',
    edits: [
      {
        file: 'fs/fuse/fuse_i.h',
        from: '\tFR_PENDING,\n\tFR_SENT,\n',
        to: '\tFR_SENT,\n\tFR_PENDING,\n',
      },
    ],
    asks: ['stored-otherwise'],
  },
  {
    name: 'audit-tree-hash-size',
    kind: 'the size of a table is an enumerator',
    first: 'missed',
    edits: [{ file: 'kernel/audit_tree.c', from: 'enum {HASH_SIZE = 128};', to: 'enum {HASH_SIZE = 64};' }],
    asks: ['placed-otherwise'],
  },
  {
    name: 'loop-state-appended',
    kind: 'a new enumerator behind the last one',
    edits: [{ file: 'drivers/block/loop.c', from: '\tLo_deleting,\n', to: '\tLo_deleting,\n\tLo_frozen,\n' }],
    asks: [],
    plain: true,
  },
  {
    name: 'loop-state-numbered',
    kind: 'an enumerator is given the number that it has',
    edits: [{ file: 'drivers/block/loop.c', from: '\tLo_bound,\n', to: '\tLo_bound = 1,\n' }],
    asks: [],
    plain: true,
  },
  {
    name: 'wbt-depth',
    kind: 'a limit that is an enumerator',
    edits: [{ file: 'block/blk-wbt.c', from: 'RWB_DEF_DEPTH\t= 16,', to: 'RWB_DEF_DEPTH\t= 32,' }],
    asks: [],
  },
  {
    name: 'worker-idle-timeout',
    kind: 'a time that is an enumerator, and that nothing keeps',
    edits: [
      {
        file: 'kernel/workqueue.c',
        from: 'IDLE_WORKER_TIMEOUT\t= 300 * HZ,',
        to: 'IDLE_WORKER_TIMEOUT\t= 60 * HZ,',
      },
    ],
    asks: [],
  },
  {
    name: 'epoll-constant-variable',
    kind: 'a sentinel by a constant variable',
    first: 'missed',
    edits: [
      {
        file: 'fs/eventpoll.c',
        from: '#define EP_UNACTIVE_PTR ((void *) -1L)',
        to: 'static void *const EP_UNACTIVE_PTR = (void *) -2L;',
      },
    ],
    asks: ['stored-otherwise'],
  },
  {
    name: 'zsmalloc-fraction',
    kind: 'a constant variable by which pages are sorted into lists; which list each is in, it holds itself',
    edits: [
      {
        file: 'mm/zsmalloc.c',
        from: 'static const int fullness_threshold_frac = 4;',
        to: 'static const int fullness_threshold_frac = 2;',
      },
    ],
    asks: [],
  },
  {
    name: 'vmpressure-level',
    kind: 'a limit by a constant variable',
    edits: [
      {
        file: 'mm/vmpressure.c',
        from: 'static const unsigned int vmpressure_level_med = 60;',
        to: 'static const unsigned int vmpressure_level_med = 50;',
      },
    ],
    asks: [],
  },
  {
    name: 'unix-abstract-hash',
    kind: 'a hash whose value is kept in the object and leads to its bucket',
    first: 'missed',
    edits: [
      {
        file: 'net/unix/af_unix.c',
        from: '\thash ^= hash >> 8;\n\thash ^= type;\n',
        to: '\thash ^= hash >> 7;\n\thash ^= type;\n',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'unix-bsd-hash',
    kind: 'a hash that only takes another part of the key',
    edits: [
      {
        file: 'net/unix/af_unix.c',
        from: '\treturn i->i_ino & UNIX_HASH_MOD;',
        to: '\treturn (i->i_ino >> 1) & UNIX_HASH_MOD;',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'idmap-order',
    kind: 'the order of an array that is sorted when it is made and searched later',
    edits: [
      {
        file: 'kernel/user_namespace.c',
        from: '\tif (e1->first < e2->first)\n\t\treturn -1;\n\n\tif (e1->first > e2->first)\n\t\treturn 1;\n',
        to: '\tif (e1->first > e2->first)\n\t\treturn -1;\n\n\tif (e1->first < e2->first)\n\t\treturn 1;\n',
      },
      {
        file: 'kernel/user_namespace.c',
        from: '\tif (key->id < first || id2 < first)\n\t\treturn -1;\n\n\treturn 1;',
        to: '\tif (key->id < first || id2 < first)\n\t\treturn 1;\n\n\treturn -1;',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'fsnotify-order',
    kind: 'the order of a list into which entries are put by a comparison',
    first: 'missed',
    edits: [
      {
        file: 'fs/notify/mark.c',
        from: '\tif (a < b)\n\t\treturn 1;\n\treturn -1;',
        to: '\tif (a > b)\n\t\treturn 1;\n\treturn -1;',
      },
    ],
    asks: ['placed-otherwise'],
  },
  {
    name: 'cgroup-pids-order',
    kind: 'the order of an array that one call fills, sorts and shows',
    edits: [
      {
        file: 'kernel/cgroup/cgroup-v1.c',
        from: '\treturn *(pid_t *)a - *(pid_t *)b;',
        to: '\treturn *(pid_t *)a < *(pid_t *)b ? -1 : *(pid_t *)a > *(pid_t *)b;',
      },
    ],
    asks: [],
  },
  {
    name: 'fq-detached-tag',
    kind: 'the tag that tells a time from a pointer in one member',
    edits: [
      { file: 'net/sched/sch_fq.c', from: '\tf->age = jiffies | 1UL;', to: '\tf->age = jiffies | 3UL;' },
      {
        file: 'net/sched/sch_fq.c',
        from: '\treturn !!(f->age & 1UL);',
        to: '\treturn (f->age & 3UL) == 3UL;',
      },
    ],
    asks: ['stored-otherwise'],
  },
  {
    name: 'mbcache-bits-ordered',
    kind: 'flag bits of an enumeration in a header that others include',
    first: 'missed',
    edits: [
      {
        file: 'include/linux/mbcache.h',
        from: '\tMBE_REFERENCED_B = 0,\n\tMBE_REUSABLE_B\n',
        to: '\tMBE_REUSABLE_B = 0,\n\tMBE_REFERENCED_B\n',
      },
    ],
    units: ['fs/mbcache.c'],
    asks: ['stored-otherwise'],
  },
  {
    name: 'seq-cache-changed',
    kind: 'a variable that is read-only since the start is written',
    first: 'missed',
    edits: [
      {
        file: 'fs/seq_file.c',
        from: '\tkvfree(m->buf);\n\tkmem_cache_free(seq_file_cache, m);',
        to: '\tif (!m)\n\t\tseq_file_cache = NULL;\n\tkvfree(m->buf);\n\tkmem_cache_free(seq_file_cache, m);',
      },
    ],
    asks: ['written-after-boot'],
  },
  {
    name: 'uts-cache-counted',
    kind: 'a variable that is read-only since the start is written by a helper',
    first: 'missed',
    edits: [
      {
        file: 'kernel/utsname.c',
        from: 'static void dec_uts_namespaces(struct ucounts *ucounts)\n{',
        to:
          'static void drop_uts_cache(void)\n{\n\tuts_ns_cache = NULL;\n}\n\nstatic void ' +
          'dec_uts_namespaces(struct ucounts *ucounts)\n{\n\tif (!ucounts)\n\t\tdrop_uts_cache();',
      },
    ],
    asks: ['written-after-boot'],
  },
  {
    name: 'seq-cache-asked',
    kind: 'a variable that is read-only since the start is read',
    edits: [
      {
        file: 'fs/seq_file.c',
        from: '\tkvfree(m->buf);\n\tkmem_cache_free(seq_file_cache, m);',
        to: '\tif (!m || !seq_file_cache)\n\t\treturn 0;\n\tkvfree(m->buf);\n\tkmem_cache_free(seq_file_cache, m);',
      },
    ],
    asks: [],
    plain: true,
  },
]
