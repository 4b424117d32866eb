// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables of one name: each keeps its own state, or the change is refused. What is right is told here by the
// lines on which the source declares them, which debug information maps to symbols.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { compareObjects } from '../../../src/diff/change.ts'
import { declaredVariables } from '../../../src/elf/dwarf.ts'
import { type ObjectFile, readObject } from '../../../src/elf/read.ts'
import { extract } from '../../../src/extract/extraction.ts'
import { compilers, compileWith } from '../../objects.ts'
import { once } from '../once.ts'

const sample = (name: string) =>
  readFileSync(path.join(import.meta.dirname, '../../cases/objects', `${name}.c`), 'utf8')

/** The variables by the lines that declare them. */
function declared(object: ObjectFile): Map<string, number> {
  const symbols = new Map(
    object.symbols.flatMap(({ section, value, name, type }) =>
      section !== undefined && type === 'object' ? [[`${section.index}:${value}`, name]] : [],
    ),
  )
  return new Map(
    declaredVariables(object)!.flatMap(({ section, offset, place }) => {
      const name = symbols.get(`${section.index}:${offset}`)
      return name === undefined ? [] : [[name, place.line] as const]
    }),
  )
}

interface Case {
  readonly title: string
  readonly before: string
  readonly after: string
  /** Lines: what each variable after the change was before; 0 for a new one. */
  readonly truth: Readonly<Record<number, number>>
  /** Must not be refused. */
  readonly told?: RegExp
}

/**
 * @returns a case whose truth is told by marks behind the declarations: a number in a comment is one variable on both
 * sides
 */
function marked(title: string, before: string, after: string, told?: RegExp): Case {
  const marks = (text: string) =>
    text.split('\n').flatMap((line, at) => {
      const mark = /\/\*(\d+)\*\//.exec(line)?.[1]
      return mark === undefined ? [] : [[mark, at + 1] as const]
    })
  const old = new Map(marks(before))
  const truth = Object.fromEntries(marks(after).map(([mark, line]) => [line, old.get(mark) ?? 0]))
  return { title, before, after, truth, ...(told === undefined ? {} : { told }) }
}

const words = 'extern void use(int), slow(int), fast(int); extern int get(void);\n'

const cases: readonly Case[] = [
  {
    title: 'the second stays, the first goes, a third comes',
    before: sample('two-statics.before'),
    after: sample('two-statics.after-b-and-new-c'),
    truth: { 8: 14, 13: 0 },
  },
  {
    title: 'the first goes',
    before: sample('two-statics.before'),
    after: sample('two-statics.after-first-removed'),
    truth: { 8: 14 },
  },
  {
    title: 'two blocks change places',
    before: sample('two-statics.before'),
    after: sample('two-statics.after-swapped'),
    truth: { 7: 14, 13: 8 },
  },
  {
    title: 'the compiler lays the blocks out otherwise',
    before: sample('unlikely.before'),
    after: sample('unlikely.after'),
    truth: { 7: 7, 9: 9 },
    told: /^gcc-12/,
  },
  marked(
    'more code comes at the end',
    `${words}int f(int a) {
      if (a > 1) {
        static int n; /*1*/
        if (++n > 5) slow(n);
      }
      if (a > 2) {
        static int n; /*2*/
        if (++n > 6) fast(n);
      }
      return get();
    }`,
    `${words}int f(int a) {
      if (a > 1) {
        static int n; /*1*/
        if (++n > 5) slow(n);
      }
      if (a > 2) {
        static int n; /*2*/
        if (++n > 6) fast(n);
      }
      use(a);
      return get() + 1;
    }`,
  ),
  marked(
    'a helper that is inlined brings its own, of which another function knows which it is',
    `${words}static inline __attribute__((always_inline)) int h(int a) {
      static int n; /*1*/
      return n += a;
    }
    int f(int a) {
      static int n; /*2*/
      n ^= a; use(n);
      return h(a);
    }
    int g(int a) { return h(a + 1); }`,
    `${words}static inline __attribute__((always_inline)) int h(int a) {
      static int n; /*1*/
      return n += a;
    }
    int f(int a) {
      static int n; /*2*/
      int r = a > 5 ? h(a) : 0;
      n ^= a; use(n);
      if (a > 7) slow(r);
      return r;
    }
    int g(int a) { return h(a + 1); }`,
    /./,
  ),
  marked(
    'each of two functions has one, and both change',
    `${words}int f(int a) {
      static int n; /*1*/
      n += a; use(n); return n;
    }
    int g(int a) {
      static int n; /*2*/
      n -= a; slow(n); return n;
    }`,
    `${words}int g(int a) {
      static int n; /*2*/
      if (a) n -= a * 3;
      slow(n); return n;
    }
    int f(int a) {
      static int n; /*1*/
      if (!a) return 0;
      n += a * 5; use(n); return n;
    }`,
    /./,
  ),
  marked(
    'three of which the middle one goes',
    `${words}int f(int a) {
      if (a & 1) { static int n; use(n++); } /*1*/
      if (a & 2) { static int n; slow(n += 2); } /*2*/
      if (a & 4) { static int n; fast(n += 3); } /*3*/
      return 0;
    }`,
    `${words}int f(int a) {
      if (a & 1) { static int n; use(n++); } /*1*/
      if (a & 4) { static int n; fast(n += 3); } /*3*/
      return 0;
    }`,
  ),
  marked(
    'of other sizes, in another order',
    `${words}int f(int a) {
      if (a & 1) { static long n; use(n++); } /*1*/
      if (a & 2) { static int n = 7; use(n++); } /*2*/
      return 0;
    }`,
    `${words}int f(int a) {
      if (a & 2) { static int n = 7; use(n++); } /*2*/
      if (a & 1) { static long n; use(n++); } /*1*/
      return get();
    }`,
  ),
  marked(
    'with the same code, of which the first goes',
    `${words}int f(int a) {
      if (a & 1) { static int n; use(n++); } /*1*/
      if (a & 2) { static int n; use(n++); } /*2*/
      return 0;
    }`,
    `${words}int f(int a) {
      if (a & 2) { static int n; use(n++); } /*2*/
      return 0;
    }`,
  ),
  marked(
    'that guard two calls, which change places',
    `${words}int f(int a) {
      { static int n; if (__builtin_expect(n++ > a, 0)) slow(a); } /*1*/
      { static int n; if (__builtin_expect(n++ > a, 0)) fast(a); } /*2*/
      return a;
    }`,
    `${words}int f(int a) {
      { static int n; if (__builtin_expect(n++ > a, 0)) fast(a); } /*2*/
      { static int n; if (__builtin_expect(n++ > a, 0)) slow(a); } /*1*/
      return a;
    }`,
  ),
  marked(
    'that are handed on to the same function, with arguments that change places',
    `${words}extern void once(int *, int); int f(int a) {
      { static int n; if (__builtin_expect(n, 0)) once(&n, a + 1000); } /*1*/
      { static int n; if (__builtin_expect(n, 0)) once(&n, a + 2000); } /*2*/
      return a;
    }`,
    `${words}extern void once(int *, int); int f(int a) {
      { static int n; if (__builtin_expect(n, 0)) once(&n, a + 2000); } /*2*/
      { static int n; if (__builtin_expect(n, 0)) once(&n, a + 1000); } /*1*/
      return a;
    }`,
  ),
  marked(
    'with the same code, of which one becomes rare',
    `${words}int f(int a, int b) {
      if (a) { static int n; use(n++); } /*1*/
      if (b) { static int n; use(n++); } /*2*/
      return a + b;
    }`,
    `${words}int f(int a, int b) {
      if (__builtin_expect(a, 0)) { static int n; use(n++); } /*1*/
      if (b) { static int n; use(n++); } /*2*/
      return a + b;
    }`,
  ),
  // What stands behind the use of a variable says where it is, not which it is.
  ...(
    [
      ['that is counted', 'n++;'],
      ['that limits a call', 'if (n++ > 5) get();'],
      ['that ends the function', 'if (n++ > 5) return get();'],
      ['that lets something be done once', 'if (!n) { n = a; slow(1); }'],
    ] as const
  ).map(([what, does]) =>
    marked(
      `${what}, of which the last goes`,
      `${words}int f(int a) {
        if (a & 1) { static int n; ${does} } /*1*/
        if (a & 2) { static int n; ${does} } /*2*/
        return a;
      }`,
      `${words}int f(int a) {
        if (a & 1) { static int n; ${does} } /*1*/
        return a;
      }`,
    ),
  ),
  marked(
    'that are keys of jump labels, which change places',
    `${words}${once}int f(int a) {
      { static struct static_key n; if (is_on(&n)) use(1); } /*1*/
      { static struct static_key n; if (is_on(&n)) use(2); } /*2*/
      return a;
    }`,
    `${words}${once}int f(int a) {
      { static struct static_key n; if (is_on(&n)) use(2); } /*2*/
      { static struct static_key n; if (is_on(&n)) use(1); } /*1*/
      return a;
    }`,
  ),
  // Where nothing is called before, one use may leave a way without a stack frame, on which the function's end is
  // copied (gcc's shrink-wrapping): what the key decides is then not seen to end, and it may be left undecided.
  ...(
    [
      ['change places', '12', '21', 'a += get();', /./],
      ['lose the first', '12', '2', 'a += get();', /./],
      ['get another in front', '2', '12', 'a += get();', /./],
      ['lose the first and get a third', '12', '23', 'a += get();', undefined],
      ['are alike, lose the second', '44', '4', 'a += get();', undefined],
      ['change places at the beginning', '12', '21', '', /./],
      ['lose the first at the beginning', '12', '2', '', undefined],
      ['get another at the beginning', '2', '12', '', undefined],
    ] as const
  ).map(([what, before, after, begin, told]) => {
    const text = (uses: string, first: number) => `${words}${once}int f(int a) { static unsigned s1, s2, s3; ${begin}
      ${[...uses].map((n, nth) => (n === '4' ? `if (a & ${nth + 1}) DO_ONCE(use, 1); /*${nth + first}*/` : `DO_ONCE(get_random_bytes, &s${n}, ${n}); /*${n}*/`)).join('\n')}
      return a + s1 + s2 + s3;
    }`
    return marked(`that a macro makes together, ${what}`, text(before, 1), text(after, 1), told)
  }),
  // Each of the two alone would be told by what is done with it; but they go to one call together.
  ...(
    [
      [
        'whose uses are mixed',
        [
          ['slow', 'use'],
          ['fast', 'get2'],
        ],
        [['slow', 'get2']],
        undefined,
      ],
      [
        'whose uses are exchanged',
        [
          ['slow', 'use'],
          ['fast', 'get2'],
        ],
        [
          ['slow', 'get2'],
          ['fast', 'use'],
        ],
        undefined,
      ],
      [
        'of which a third takes parts of both',
        [
          ['slow', 'use'],
          ['use', 'fast'],
          ['fast', 'get2'],
        ],
        [
          ['slow', 'fast'],
          ['fast', 'get2'],
        ],
        undefined,
      ],
      [
        'of which the first goes whole',
        [
          ['slow', 'use'],
          ['fast', 'get2'],
        ],
        [['fast', 'get2']],
        /./,
      ],
    ] as const
  ).map(([what, before, after, told]) => {
    const text = (blocks: readonly (readonly [string, string])[]) => {
      const mark = (first: string) => ['slow', 'fast', 'use'].indexOf(first) * 2 + 1
      const body = blocks.map(
        ([first, second], nth) => `if (a & ${nth + 1}) {
        static int n; /*${mark(first)}*/
        static int m; /*${mark(first) + 1}*/
        both(&n, &m);
        ${first}(n);
        ${second}(m);
      }`,
      )
      return `${words}extern void both(int *, int *), get2(int);\nint f(int a) {\n${body.join('\n')}\nreturn a; }`
    }
    return marked(`that go to one call together, ${what}`, text(before), text(after), told)
  }),
]

describe.each(compilers)('static variables of one name, %s:', (compiler) => {
  test.each(cases)('$title', ({ before, after, truth, told }) => {
    const [b, a] = [before, after].map((text) => readObject(compileWith(compiler, text, ['-gdwarf-4']), 'unit.o')) as [
      ObjectFile,
      ObjectFile,
    ]
    const change = compareObjects(b, a, 'unit.c', { linesMoved: true })
    const extraction = extract([{ change, object: 'vmlinux' }], { has: () => true })
    const refused = extraction.findings.some(({ rule }) => rule === 'ambiguous-static')
    const lines = { before: declared(b), after: declared(a) }
    const isMarked = (line: number) => truth[line] !== undefined
    expect([...new Set(lines.after.values())].filter(isMarked).sort((x, y) => x - y)).toEqual(
      Object.keys(truth)
        .map(Number)
        .sort((x, y) => x - y),
    )
    for (const [name, line] of lines.after) {
      if (truth[line] === undefined) continue
      const atom = change.after.data.find((one) => one.name === name)!
      if (change.correlation.ambiguous.has(atom)) continue
      const counterpart = change.correlation.counterpartOf(atom)
      const was = counterpart === undefined ? 0 : lines.before.get(counterpart.name)
      expect(`${name} was declared on line ${was}`).toBe(`${name} was declared on line ${truth[line]}`)
    }
    if ([...change.correlation.ambiguous.keys()].length > 0) expect(refused).toBe(true)
    if (told?.test(compiler)) expect(refused).toBe(false)
  })
})
