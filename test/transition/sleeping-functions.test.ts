// SPDX-License-Identifier: GPL-3.0-or-later
// What a stack says about a transition, and what machine code says about who sleeps in it.
import { describe, expect, test } from 'vitest'
import { mapModule } from '../../src/calls/code-map.ts'
import { sleepersOfModule } from '../../src/transition/kept-sleeping-functions.ts'
import type { Sleeper } from '../../src/transition/sleeping-functions.ts'
import {
  forecastOf,
  type Look,
  parseStack,
  parseStat,
  type ReplacedName,
  replacedOn,
  schedulerFunctions,
} from '../../src/transition/sleeping-tasks.ts'
import { compiler, compileWith } from '../objects.ts'

const poll: ReplacedName = { object: 'vmlinux', name: 'do_sys_poll', sympos: 0 }

const stat = (pid: number, name: string, state: string, flags: number) =>
  `${pid} (${name}) ${state} 1 1 1 0 -1 ${flags} 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0`

describe('a task', () => {
  test('is read from its stat line, whatever it is called', () => {
    expect(parseStat(stat(80, 'cat', 'S', 0x400000))).toEqual({
      pid: 80,
      name: 'cat',
      kind: 'process',
      state: 'S',
    })
    expect(parseStat(stat(7, 'a) S 1 (b', 'D', 0x400000))).toMatchObject({ name: 'a) S 1 (b', state: 'D' })
    expect(parseStat(stat(46, 'kswapd0', 'S', 0x00200000 | 0x840))?.kind).toBe('thread')
    expect(parseStat(stat(90, 'iou-wrk-88', 'S', 0x400000 | 0x10))?.kind).toBe('worker')
    expect(parseStat('nonsense')).toBeUndefined()
    expect(parseStat('12 (cut off) S 1 2')).toBeUndefined()
  })

  test('has a stack whose lines name functions and their modules', () => {
    const text =
      '[<0>] do_sys_poll+0x2d1/0x600\n[<0>] xfsaild+0x10/0x20 [xfs]\n[<0>] f.isra.0+0x1/0x2 [m 3f2a]\n[<0>] 0x7f00\n'
    expect(parseStack(text)).toEqual([
      { name: 'do_sys_poll', module: undefined },
      { name: 'xfsaild', module: 'xfs' },
      { name: 'f.isra.0', module: 'm' },
    ])
  })

  test('is in a replaced function only when the object is the same, or a live patch stands in for it', () => {
    const stack = parseStack('[<0>] do_sys_poll+0x1/0x2 [other]\n')
    expect(replacedOn(stack, [poll])).toEqual([])
    expect(replacedOn(stack, [poll], new Set(['other']))).toEqual(['do_sys_poll'])
    expect(replacedOn(parseStack('[<0>] do_sys_poll+0x1/0x2\n'), [poll])).toEqual(['do_sys_poll'])
    expect(replacedOn(parseStack('[<0>] do_sys_poll_x+0x1/0x2\n'), [poll])).toEqual([])
  })
})

describe('a forecast', () => {
  const look = (pid: number, name: string, state: string, flags: number): Look => ({
    task: parseStat(stat(pid, name, state, flags))!,
    functions: ['do_sys_poll'],
    stack: ['[<0>] do_sys_poll+0x1/0x2'],
  })
  const process = look(80, 'sshd', 'S', 0)
  const thread = look(46, 'kswapd0', 'S', 0x200000)
  const outlooks = (...looks: Look[][]) => {
    const { verdict, sleeping } = forecastOf(looks, 60, [poll], [])
    return [verdict, ...sleeping.map(({ outlook }) => outlook)]
  }

  test('is good when nobody is in a replaced function', () => {
    expect(outlooks([], [], [])).toEqual(['will-finish'])
  })

  test('is to wait for a process, whom livepatch’s fake signal wakes', () => {
    expect(outlooks([process], [process])).toEqual(['will-wait', 'woken'])
    expect(outlooks([look(80, 'dd', 'D', 0)])).toEqual(['will-wait', 'leaves'])
    expect(outlooks([look(80, 'vi', 'T', 0)])).toEqual(['will-wait', 'stopped'])
  })

  test('is bad for a thread that is always in it, and good for one that comes and goes', () => {
    expect(outlooks([thread], [thread])).toEqual(['cannot-finish', 'stays'])
    expect(outlooks([thread], [])).toEqual(['will-wait', 'leaves'])
    expect(outlooks([look(50, 'iou-wrk', 'S', 0x10)])).toEqual(['cannot-finish', 'stays'])
  })

  test('does not trust stacks about the scheduler, which they leave out', () => {
    const at: Record<string, bigint> = {
      __sched_text_start: 100n,
      __sched_text_end: 200n,
      schedule: 150n,
      do_sys_poll: 300n,
    }
    const lookup = (name: string) => (at[name] === undefined ? [] : [{ address: at[name] }])
    const replaced = [poll, { ...poll, name: 'schedule' }]
    const hidden = schedulerFunctions(lookup, replaced)
    expect(hidden).toEqual(['schedule'])
    expect(forecastOf([[]], 60, replaced, hidden).verdict).toBe('cannot-finish')
    expect(schedulerFunctions(() => [], replaced)).toEqual([])
  })

  test('says when a name is that of several functions', () => {
    expect(forecastOf([[]], 60, [{ ...poll, sympos: 2 }], []).ambiguous).toEqual(['do_sys_poll'])
  })
})

describe('machine code', () => {
  const source = `
    struct task;
    extern void *kthread_create_on_node(int (*fn)(void *), void *data, int node, const char *name, ...);
    extern int kthread_should_stop(void);
    extern void schedule(void), work(void), finish_wait(void *), sk_wait_data(void *);
    extern long prepare_to_wait_event(void *queue, void *entry, int state);
    extern void queue(void), entry(void);

    static int looping(void *data) { while (!kthread_should_stop()) { work(); schedule(); } return 0; }
    static int once(void *data) { work(); schedule(); return 0; }
    __attribute__((noipa)) void rest(void) { work(); prepare_to_wait_event(queue, entry, 2); schedule(); work(); }
    static int indirect(void *data) { for (;;) { work(); rest(); } }
    __attribute__((noipa)) void *spawn(void *data, int (*fn)(void *), int node)
    { work(); return kthread_create_on_node(fn, data, node, "spawned"); }
    static int handed(void *data) { do schedule(); while (!kthread_should_stop()); return 1; }
    void *first(void *data) { return kthread_create_on_node(looping, data, -1, "looping"); }
    void *second(void *data) { work(); return kthread_create_on_node(once, data, -1, "once"); }
    void *third(void *data) { return kthread_create_on_node(indirect, data, -1, "indirect"); }
    void *fourth(void *data) { work(); spawn(data, handed, 3); return data; }

    __attribute__((noinline)) long reads(void *file)
    { while (!prepare_to_wait_event(queue, entry, 1)) schedule(); finish_wait(file); return 0; }
    long calls(void *file) { work(); return reads(file) + 1; }
    long writes(void *file)
    { while (!prepare_to_wait_event(queue, entry, 2)) schedule(); finish_wait(file); return 0; }
    void receives(void *socket) { sk_wait_data(socket); work(); }
    long quick(void *file) { work(); return 0; }
  `
  const map = mapModule(compileWith(compiler, source, []), 'sleepy')
  const waits: Sleeper = { kind: 'call', waits: ['sk_wait_data'] }
  const known = sleepersOfModule(map, { find: (name) => (name === 'sk_wait_data' ? waits : undefined) })
  const kind = (name: string) => known.find(name)?.kind

  test('shows which functions are the whole life of a thread', () => {
    expect(known.find('looping')).toEqual({ kind: 'thread', startedBy: ['first'], sinceBoot: false })
    expect(kind('once')).toBeUndefined()
  })

  test('shows them also when a function only hands them on', () => {
    expect(known.find('handed')).toMatchObject({ kind: 'thread', startedBy: ['fourth'] })
    expect(kind('spawn')).toBeUndefined()
  })

  test('shows where a thread waits for work', () => {
    expect(kind('indirect')).toBe('thread')
    expect(known.find('rest')).toEqual({ kind: 'idle', threads: ['indirect'] })
  })

  test('shows where processes wait so that a signal wakes them, and who leads there', () => {
    expect(known.find('reads')).toEqual({ kind: 'call', waits: ['reads'] })
    expect(known.find('calls')).toEqual({ kind: 'call', waits: ['reads'] })
    expect(kind('writes')).toBeUndefined()
    expect(kind('quick')).toBeUndefined()
  })

  test('of a module leads to where vmlinux waits', () => {
    expect(kind('receives')).toBe('call')
  })
})
