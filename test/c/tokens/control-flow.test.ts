// SPDX-License-Identifier: GPL-3.0-or-later
// The ways through a function's text, as the words that are met on each.
import { describe, expect, test } from 'vitest'
import { controlFlowOf } from '../../../src/c/tokens/control-flow.ts'
import { tokenize } from '../../../src/c/tokens/lexer.ts'

/** Each way out as the words that stand on it; where there is a choice, none is made twice. */
function waysOf(text: string): string[] {
  const body = tokenize(text)
  const nodes = controlFlowOf(body)
  if (nodes === undefined) return ['anywhere']
  const found = new Set<string>()
  const go = (index: number, words: string, seen: ReadonlySet<string>) => {
    const { from, to, kind, next } = nodes[index]!
    const own = body.slice(from, to).map((one) => one.text)
    const so = own.length === 0 ? words : `${words} ${own.join('')}`
    if (kind === 'leave') found.add(so.trim())
    for (const { to: target, when } of next) {
      const edge = `${index} ${target} ${when}`
      if (next.length === 1 || !seen.has(edge))
        go(target, when === undefined ? so : `${so}=${when ? 1 : 0}`, new Set([...seen, edge]))
    }
  }
  go(0, '', new Set())
  return [...found].sort()
}

describe('ways through', () => {
  test.each([
    ['a;b;', ['a b']],
    ['if (x) a; else b; c;', ['x=0 b c', 'x=1 a c']],
    ['if (x) return a; b;', ['x=0 b', 'x=1 returna']],
    ['if (x) if (y) a; else b;', ['x=0', 'x=1 y=0 b', 'x=1 y=1 a']],
    ['while (x) { if (y) break; a; }', ['x=0', 'x=1 y=0 a x=0', 'x=1 y=1']],
    ['while (1) { if (y) return; a; }', ['1=1 y=0 a 1=1 y=1 return', '1=1 y=1 return']],
    ['do { if (y) continue; a; } while (x);', ['y=0 a x=0', 'y=0 a x=1 y=1 x=0', 'y=1 x=0', 'y=1 x=1 y=0 a x=0']],
    ['for (i; j; k) { if (y) continue; a; }', ['i j=0', 'i j=1 y=0 a k j=0', 'i j=1 y=1 k j=0']],
    ['for (;;) { if (y) goto out; } out: a;', ['=1 y=0=1 y=1 a', '=1 y=1 a']],
    ['switch (x) { case 1: a; case 2: b; break; default: c; }', ['x a b', 'x b', 'x c']],
    ['switch (x) { case 1: a; }', ['x', 'x a']],
    ['for_each(x) { a; }', ['for_each(x)', 'for_each(x) a for_each(x)']],
    ['f(x); a;', ['f(x) a']],
    ['goto end; a; end: b;', ['b']],
    ['if (x) panic("no"); a;', ['x=0 a']],
    ['if (x && y) a;', ['x=0', 'x=1 y=0', 'x=1 y=1 a']],
    ['if (!(x || y)) a;', ['x=0 y=0 a', 'x=0 y=1', 'x=1']],
    ['if (unlikely(x & y) && (z || !w)) a;', ['x&y=0', 'x&y=1 z=0 !w=0', 'x&y=1 z=0 !w=1 a', 'x&y=1 z=1 a']],
    ['while (x && y) a;', ['x=0', 'x=1 y=0', 'x=1 y=1 a x=0']],
    ['goto *where;', ['anywhere']],
  ])('%s', (text, ways) => expect(waysOf(text)).toEqual(ways))
})

test('statements that lie in each other by the thousand are refused', () => {
  expect(() => controlFlowOf(tokenize('if (x) '.repeat(2000)))).toThrow('nested too deeply')
})
