// SPDX-License-Identifier: GPL-3.0-or-later
// State that the new code leaves behind: a variable that is renamed, retyped under another name, or moved. One that
// only comes or only goes is nothing to ask about.
import { sheet } from '../cases.ts'

sheet({
  title: 'what the running kernel has in a variable',
  prelude: 'struct list { struct list *next, *prev; };',
  cases: [
    {
      title: 'is lost when a static variable of a function is renamed',
      before: 'int count_up(void) { static int spin_counter; return spin_counter += get(); }',
      after: 'int count_up(void) { static int spin_count; return spin_count += get(); }',
      changed: ['count_up'],
      newData: ['spin_count'],
      noted: ['state-lost spin_count'],
    },
    {
      title: 'is lost when the head of a list is renamed',
      before: `static struct list waiters = { &waiters, &waiters };
        int walk_waiters(void) { return waiters.next != waiters.prev; }
        void add_waiter(struct list *l) { l->next = waiters.next; waiters.next = l; use(l); }`,
      after: `static struct list all_waiters = { &all_waiters, &all_waiters };
        int walk_waiters(void) { return all_waiters.next != all_waiters.prev; }
        void add_waiter(struct list *l) { l->next = all_waiters.next; all_waiters.next = l; use(l); }`,
      changed: ['walk_waiters', 'add_waiter'],
      newData: ['all_waiters'],
      noted: ['state-lost all_waiters'],
    },
    {
      title: 'is lost when a lock becomes one of another kind',
      before: 'static int table_lock; int lock_table(void) { use(&table_lock); return get() + 3; }',
      after: 'static long table_mutex[4]; int lock_table(void) { use(table_mutex); return get() + 3; }',
      changed: ['lock_table'],
      newData: ['table_mutex'],
      noted: ['state-lost table_mutex'],
    },
    {
      title: 'is lost when it moves with its code into a new function under a new name',
      before: `static long seen_before; int see_it(int a) { seen_before += a; use(&seen_before); return a * get(); }`,
      after: `static long seen_now;
        static noinline void see_part(int a) { seen_now += a; use(&seen_now); }
        int see_it(int a) { see_part(a); return a * get(); }`,
      changed: ['see_it'],
      added: ['see_part'],
      newData: ['seen_now'],
      noted: ['state-lost seen_now'],
      carried: ['see_part', 'seen_now'],
    },
    {
      title: 'is lost when only code of the start still uses the old one',
      before: `static struct list inited; int use_inited(void) { use(&inited); return inited.next == inited.prev; }
        __section(".init.text") int set_inited(void) { inited.next = inited.prev = &inited; return get(); }`,
      after: `static struct list fresh; static struct list inited;
        int use_inited(void) { use(&fresh); return fresh.next == fresh.prev; }
        __section(".init.text") int set_inited(void) { inited.next = inited.prev = &inited; return get(); }`,
      changed: ['use_inited'],
      newData: ['fresh'],
      noted: ['state-lost fresh'],
    },
    {
      title: 'stays when a new variable comes beside it',
      before: 'static int kept_one; int keep_one(int a) { use(&kept_one); return a + 1; }',
      after:
        'static int kept_one; static int came_new; int keep_one(int a) { use(&kept_one); ' +
        'use(&came_new); return a + 1; }',
      changed: ['keep_one'],
      newData: ['came_new'],
    },
    {
      title: 'is nobody’s any more when it goes without a successor',
      before: 'static int goes_away; int drop_it(int a) { use(&goes_away); return a + 2; }',
      after: 'int drop_it(int a) { return a + 2; }',
      changed: ['drop_it'],
    },
    {
      title: 'is not what other functions get anew',
      before:
        'static int had_once; int lose_it(int a) { use(&had_once); return a + 4; } int gain_it(int ' +
        'a) { return get() * a; }',
      after:
        'static int gained; int lose_it(int a) { return a + 4; } int gain_it(int a) { use(&gained); ' +
        'return get() * a; }',
      changed: ['lose_it', 'gain_it'],
      newData: ['gained'],
    },
    {
      title: 'is nothing when a constant is renamed',
      before: 'static const int old_limit[2] = { 4, 5 }; int in_limit(int a) { return old_limit[a] * get(); }',
      after: 'static const int new_limit[2] = { 4, 5 }; int in_limit(int a) { return new_limit[a] * get(); }',
      changed: ['in_limit'],
      newData: ['new_limit'],
    },
  ],
})
