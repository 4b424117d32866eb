// SPDX-License-Identifier: GPL-3.0-or-later
// Where tasks of a whole kernel sleep, found out once and kept beside it.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { type KnownSleepers, openSleepers } from '../../src/transition/kept-sleeping-functions.ts'
import { linkedKernel } from '../calls/linked-kernel.ts'

const kernel = linkedKernel(`
struct task { long a; int state; };
#define noinline __attribute__((noinline))
#define sched __attribute__((section(".sched.text"), __noinline__))
void __fentry__(void) { }
struct task *current_task;
noinline int more(int x) { asm volatile(""); return x + 1; }
sched void schedule(void) { asm volatile(""); }
sched long schedule_timeout(long left) { schedule(); return left - 1; }
sched long schedule_timeout_interruptible(long left) { current_task->state = 1; return schedule_timeout(left) + 2; }
noinline void *kthread_create_on_node(int (*f)(void *), void *d, int n, const char *s) { asm volatile(""); return f; }
int worker(void *data) { for (;;) { more(1); schedule(); } }
__attribute__((section(".init.text"))) int start(void) { kthread_create_on_node(worker, 0, -1, "w"); return more(2); }
noinline int waits(struct task *t) { t->state = 1; schedule(); return more(3); }
int call(struct task *t) { return waits(t) + 4; }
int quick(int x) { return more(x) + 5; }
`)

async function open(): Promise<{ sleepers: KnownSleepers; steps: readonly string[] }> {
  const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
  const sleepers = await openSleepers(job, kernel, 'vmlinux')
  return { sleepers, steps: job.journal.timings.map(({ step }) => step) }
}

test('a thread, what a process sleeps in and the scheduler are told from the code, and nothing else is', async () => {
  const { sleepers } = await open()
  expect(sleepers.find('worker')).toEqual({ kind: 'thread', startedBy: ['start'], sinceBoot: true })
  for (const name of ['waits', 'call']) expect(sleepers.find(name)).toEqual({ kind: 'call', waits: ['waits'] })
  expect(sleepers.find('schedule')?.kind).toBe('scheduler')
  for (const name of ['quick', 'more', 'start']) expect(sleepers.find(name)).toBeUndefined()
})

test('what was found out once is not looked for again, unless what is kept is damaged', async () => {
  await open()
  expect((await open()).steps).toEqual([])
  const kept = path.join(kernel.dir, 'sleepers')
  writeFileSync(kept, readFileSync(kept, 'utf8').slice(0, 40))
  const again = await open()
  expect(again.steps).toHaveLength(1)
  expect(again.sleepers.find('worker')?.kind).toBe('thread')
})

test('of a module that the kernel does not have nothing is known', async () => {
  const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
  await expect(openSleepers(job, kernel, 'nothing')).rejects.toMatchObject({ code: 'module-unknown' })
})
