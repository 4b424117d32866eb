// SPDX-License-Identifier: GPL-3.0-or-later
// Who calls whom, read from what a compiler made.
import { describe, expect, test } from 'vitest'
import { type CallGraph, callGraph, readCalls } from '../../src/calls/call-graph.ts'
import { mapModule } from '../../src/calls/code-map.ts'
import { compileBytes } from '../objects.ts'

const source = `
extern int printk(const char *, ...);
extern int warn(const char *, ...) __attribute__((cold));
__attribute__((noinline)) static int leaf(int x) { asm volatile(""); return x + 1; }
__attribute__((noinline)) int alone(int x) { asm volatile(""); return x - 1; }
int direct(int x) { return leaf(x) + printk("%d", x); }
int tail(int x) { asm volatile(""); return alone(x); }
int rarely(int x) { if (x > 7) return warn("%d", x) + 1; return x; }
int itself(int x) { asm volatile(""); return x > 0 ? x * itself(x - 1) + alone(x) : 0; }
int (*given(void))(int) { return alone; }
int through(int (*f)(int)) { return f(1); }
int (*const table[])(int) = { leaf, tail };
int second(int x) __attribute__((alias("tail")));
`
const map = mapModule(compileBytes(source), 'unit.o')
const graph = callGraph(readCalls(map))
const only = (name: string): number => {
  const [of, ...more] = graph.named(name)
  expect(of, name).toBeDefined()
  expect(more).toEqual([])
  return of!
}
const namesOf = (all: Uint32Array, of: CallGraph = graph) => [...all].map((one) => of.name(one)).sort()
const hook = '__fentry__'

describe('a call graph', () => {
  test('has the calls of a function, those to other objects, and the jump that is its last call', () => {
    expect(namesOf(graph.callees(only('direct')))).toEqual([hook, 'leaf', 'printk'])
    expect(namesOf(graph.callees(only('tail')))).toEqual([hook, 'alone'])
  })

  test('gives what a cold part calls to the function that jumps there', () => {
    expect(graph.named('rarely.cold')).toHaveLength(1)
    expect(namesOf(graph.callees(only('rarely')))).toEqual(expect.arrayContaining(['warn']))
    expect(namesOf(graph.callers(only('warn')))).toContain('rarely')
  })

  test('leaves out that a function calls itself, and calls through pointers', () => {
    expect(namesOf(graph.callees(only('itself')))).toEqual([hook, 'alone'])
    expect(namesOf(graph.callees(only('through')))).toEqual([hook])
  })

  test('turned around tells the callers', () => {
    expect(namesOf(graph.callers(only('leaf')))).toEqual(['direct'])
    expect(namesOf(graph.callers(only('alone')))).toEqual(['itself', 'tail'])
    expect(namesOf(graph.callers(only('through')))).toEqual([])
  })

  test('tells who takes an address in code, and which data hold it', () => {
    expect(namesOf(graph.takes(only('given')))).toEqual(['alone'])
    expect(namesOf(graph.takers(only('alone')))).toEqual(['given'])
    expect(namesOf(graph.takers(only('leaf')))).toEqual([])
    const places = [...graph.held(only('leaf')), ...graph.held(only('tail'))]
    expect(places).toHaveLength(2)
    expect(places[1]! - places[0]!).toBe(8)
    expect(graph.held(only('alone'))).toHaveLength(0)
  })

  test('knows a function by each of its names, and by every address in it', () => {
    const of = only('tail')
    expect(graph.named('second')).toEqual([of])
    const start = graph.starts[of]!
    expect(graph.at(start)).toBe(of)
    expect(graph.at(start + graph.sizes[of]! - 1)).toBe(of)
    expect(graph.at(start + graph.sizes[of]!)).not.toBe(of)
    expect(graph.named('absent')).toEqual([])
  })

  test('has each function once, in the order of the addresses, inside of the code', () => {
    const starts = [...graph.starts]
    expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b))
    const code = map.regions.filter(({ executable }) => executable)
    for (let of = 0; of < graph.count; of++)
      if (graph.sizes[of]! > 0)
        expect(
          code.some(
            ({ start, bytes }) =>
              graph.starts[of]! >= start && graph.starts[of]! + graph.sizes[of]! <= start + bytes.length,
          ),
          graph.name(of),
        ).toBe(true)
  })
})
