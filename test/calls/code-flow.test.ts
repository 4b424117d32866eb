// SPDX-License-Identifier: GPL-3.0-or-later
// What a function passes to those that it calls, and which calls come again: read from what a compiler made.
import { describe, expect, test } from 'vitest'
import { callGraph, readCalls } from '../../src/calls/call-graph.ts'
import type { CallSite } from '../../src/calls/code-flow.ts'
import { mapModule } from '../../src/calls/code-map.ts'
import { flows } from '../../src/transition/kernel-threads.ts'
import { compileBytes } from '../objects.ts'

/** The functions of a C text, with what each does. */
function read(source: string, ...more: string[]) {
  const map = mapModule(compileBytes(source, ...more), 'unit.o')
  const graph = callGraph(readCalls(map))
  const flow = flows(map, graph)
  const flowOf = (name: string) => {
    const [of] = graph.named(name)
    expect(of, name).toBeDefined()
    return flow(of!)
  }
  const calls = (name: string): (CallSite & { name: string })[] =>
    flowOf(name).calls.flatMap((call) => {
      const to = graph.at(call.target)
      const called = to === undefined ? 'nothing' : graph.name(to)
      return called === '__fentry__' ? [] : [{ ...call, name: called }]
    })
  return { graph, flow, flowOf, calls }
}

const outside = `
extern int use(long, long, long, long);
extern void panic(const char *, ...) __attribute__((noreturn));
extern int more(void);
`

describe('the arguments of a call', () => {
  const { calls } = read(`${outside}
int constants(void) { return use(7, -1, 0, 0x12345678); }
int parameters(long a, long b) { return use(b, a, 3, a); }
int later(long a) { int x = use(1, 2, 3, 4); return use(x, a, 0, 5); }
extern char there[];
int places(void) { return use((long)there, 1, 2, 3); }
int worked(long a) { return use(a + 1, a * 3, a, 2); }
`)

  test('are constants where the code says which', () => {
    expect(calls('constants')).toMatchObject([
      { name: 'use', args: [{ constant: 7 }, { constant: -1 }, { constant: 0 }, { constant: 0x12345678 }] },
    ])
  })

  test('are what the function was given, where it passes that on', () => {
    const [call] = calls('parameters')
    expect(call?.args[0]).toEqual({ parameter: 1 })
    expect(call?.args[1]).toEqual({ parameter: 0 })
    expect(call?.args[2]).toEqual({ constant: 3 })
  })

  test('are not known any more behind a call that may have changed them', () => {
    const [first, second] = calls('later')
    expect(first?.args).toEqual([{ constant: 1 }, { constant: 2 }, { constant: 3 }, { constant: 4 }])
    expect(second?.args[0]).toBeUndefined()
    expect(second?.args.slice(2)).toEqual([{ constant: 0 }, { constant: 5 }])
  })

  test('are not known when they are worked out', () => {
    expect(calls('worked')[0]?.args.slice(0, 2)).toEqual([undefined, undefined])
  })

  test('may be a place of the kernel', () => {
    expect(calls('places')[0]?.args[0]).toMatchObject({ constant: expect.any(Number) })
  })
})

describe('a call stands in a loop', () => {
  const { calls } = read(`${outside}
int once(void) { more(); if (more()) return more(); return use(1, 2, 3, 4); }
int again(void) { use(0, 0, 0, 0); while (more()) use(1, 2, 3, 4); return use(5, 5, 5, 5); }
int forever(void) { for (;;) more(); }
int leaves(void) { for (;;) { if (more()) { use(1, 2, 3, 4); return 1; } } }
`)
  const looping = (name: string) => calls(name).map((call) => `${call.name} ${call.inLoop}`)

  test('when control can come back to it, and otherwise not', () => {
    expect(calls('once').every(({ inLoop }) => !inLoop)).toBe(true)
    expect(calls('again').filter(({ args }) => args[0] && 'constant' in args[0])).toMatchObject([
      { args: [{ constant: 0 }, {}, {}, {}], inLoop: false },
      { args: [{ constant: 1 }, {}, {}, {}], inLoop: true },
      { args: [{ constant: 5 }, {}, {}, {}], inLoop: false },
    ])
    expect(looping('forever')).toEqual(['more true'])
    expect(looping('leaves')).toEqual(expect.arrayContaining(['more true', 'use false']))
  })
})

describe('a function', () => {
  const { flowOf } = read(`${outside}
struct task { char before[24]; int state; };
extern struct task *current_task;
int returns(void) { return more(); }
void stops(void) { more(); panic("no"); }
void circles(void) { for (;;) more(); }
int jumps(long a) { return use(a, 0, 0, 0); }
void sets(struct task *t) { t->state = 1; more(); }
void sets_another(struct task *t, int v) { t->state = v; more(); }
`)

  test('comes back, unless all its ways end in a loop or in what nobody comes back from', () => {
    expect(flowOf('returns').returns).toBe(true)
    expect(flowOf('jumps').returns).toBe(true)
    expect(flowOf('stops').returns).toBe(false)
    expect(flowOf('circles').returns).toBe(false)
  })

  test('stores constants at a distance from an object', () => {
    expect(flowOf('sets').stores).toContainEqual({ displacement: 24, value: 1 })
    expect(flowOf('sets_another').stores).toEqual([])
  })
})
