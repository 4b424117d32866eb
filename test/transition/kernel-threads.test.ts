// SPDX-License-Identifier: GPL-3.0-or-later
// Which functions are threads of the kernel, told from the code that starts them.
import { describe, expect, test } from 'vitest'
import { callGraph, readCalls } from '../../src/calls/call-graph.ts'
import { mapModule } from '../../src/calls/code-map.ts'
import { flows, threadsOf } from '../../src/transition/kernel-threads.ts'
import { compileBytes } from '../objects.ts'

describe('threads of the kernel', () => {
  const map = mapModule(
    compileBytes(`
struct task_struct;
extern struct task_struct *kthread_create_on_node(int (*)(void *), void *, int, const char *, ...);
extern int more(void);
int worker(void *data) { for (;;) more(); }
int second(void *data) { for (;;) more(); }
int plain(void *data) { return more(); }
__attribute__((noinline)) struct task_struct *start(int node, int (*f)(void *), const char *name)
{
	struct task_struct *t = kthread_create_on_node(f, 0, node, name);
	more();
	return t;
}
void setup(void) { kthread_create_on_node(worker, 0, -1, "worker"); more(); }
void by_another(void) { start(-1, second, "second"); more(); }
extern void take(int (*)(void *));
void takes(void) { take(plain); more(); }
`),
    'unit.o',
  )
  const graph = callGraph(readCalls(map))
  const flow = flows(map, graph)
  const name = (of: number) => graph.name(of)
  const started = threadsOf(graph, flow, (address) => graph.at(address) === graph.named('setup')[0])

  test('are what is passed to those that start them, also through a function that only passes it on', () => {
    expect(started.map(({ entry }) => name(entry)).sort()).toEqual(['second', 'worker'])
    const second = started.find(({ entry }) => name(entry) === 'second')
    expect(second?.startedBy.map(name)).toEqual(['by_another'])
  })

  test('are known to run since the boot when only code of the boot starts them', () => {
    expect(started.map(({ entry, sinceBoot }) => [name(entry), sinceBoot])).toEqual(
      expect.arrayContaining([
        ['worker', true],
        ['second', false],
      ]),
    )
  })
})

describe('a thread that is not started by name', () => {
  const map = mapModule(
    compileBytes(`
extern void *kthread_create_on_node(int (*)(void *), void *, int, const char *, ...);
extern int more(void);
int one(void *data) { for (;;) more(); }
int two(void *data) { for (;;) more(); }
struct job { int (*run)(void *); };
void from_memory(struct job *job) { kthread_create_on_node(job->run, 0, -1, "job"); more(); }
void by_choice(int which) { kthread_create_on_node(which ? one : two, 0, -1, "one of two"); more(); }
__attribute__((noinline)) void *outer(const char *name, int (*f)(void *)) {
  void *t = kthread_create_on_node(f, 0, -1, name); more(); return t; }
__attribute__((noinline)) void *outermost(int cpu, const char *name, int (*f)(void *)) {
  void *t = outer(name, f); more(); return t; }
void deep(void) { outermost(1, "deep", one); more(); }
`),
    'unit.o',
  )
  const graph = callGraph(readCalls(map))
  const found = threadsOf(graph, flows(map, graph), () => false)

  test('is found through several functions that pass it on in other parameters', () => {
    expect(found.map(({ entry, startedBy }) => [graph.name(entry), startedBy.map(graph.name)])).toEqual([
      ['one', ['deep']],
    ])
  })

  test('and is no guess where it comes from memory or from a choice', () => {
    const starters = found.flatMap(({ startedBy }) => startedBy.map(graph.name))
    expect(starters).not.toContain('from_memory')
    expect(starters).not.toContain('by_choice')
  })
})
