// SPDX-License-Identifier: GPL-3.0-or-later
// What a datum of the kernel may stand for in the code of a live patch.
import { describe, expect, test } from 'vitest'
import { doubtAbout } from '../../src/audit/identity.ts'
import { unitView } from '../../src/audit/unit.ts'
import { namesOf } from '../module/small-kernel.ts'
import { compileBytes } from '../objects.ts'

/** What is wrong when code of the live patch uses the kernel's datum `tab`. */
function doubt(table: string, use: string): string | undefined {
  const text = (
    n: number,
  ) => `int get(void); int say(int); extern int open; static int one(int i) { return say(i) * 3; }
    int g(int i) { ${table}; ${use} a: return get() + ${n}; b: return say(3); c: return one(4) * 2; }`
  const kernel = { symbols: { 'vmlinux tab.0': [{ type: 'r', address: 0x1000n }] } }
  const names = namesOf(kernel)
  const [before, after] = [compileBytes(text(1)), compileBytes(text(2))]
  const unit = unitView({ unit: 'kernel/g.c', object: 'vmlinux', before, after }, names)
  const meant = unit.after.view.named.find(({ symbol }) => /^tab\.\d$/.test(symbol?.name ?? ''))!
  const context = { names, replaces: () => false }
  return doubtAbout(context, unit, meant, { object: 'vmlinux', address: 0x1000n })
}

describe('the kernel’s table', () => {
  const goes = 'goto *tab[i];'

  test.each([
    ['constant', 'static const void *const tab[] = { &&a, &&b, &&c }', goes],
    ['writable', 'static void *tab[] = { &&a, &&b, &&c }; tab[i & 1] = tab[i]', goes],
    [
      'beside other things',
      'static const struct { int n; const void *at; } tab[] = { { 1, &&a }, { 2, &&b } }',
      'if (tab[i].n) goto *tab[i].at;',
    ],
  ])('of labels, %s, is not what changed code means', (_, table, use) => {
    expect(doubt(table, use)).toMatch(/labels in g/)
  })

  test.each([
    [
      'functions',
      'static int (*const tab[])(int) = { one, say, one }',
      'if (i < 3) return tab[i](i); if (i > 8) goto b; if (i > 5) goto c;',
    ],
    [
      'data',
      'static int first; static int *const tab[] = { &first, &open }',
      'if (i < 3) return *tab[i]; if (i > 8) goto b; if (i > 5) goto c;',
    ],
  ])('of %s may be', (_, table, use) => {
    expect(doubt(table, use)).toBeUndefined()
  })
})
