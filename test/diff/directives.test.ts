// SPDX-License-Identifier: GPL-3.0-or-later
// What the author of a patch says with the macros of kernel/include, and what becomes of it. The kernel's own
// headers stand behind the macros in test/e2e/authoring.test.ts; here are as many of them as the macros need.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Change, compareObjects } from '../../src/diff/change.ts'
import { readObject } from '../../src/elf/read.ts'
import { compiler, compilers, compileWith, extractionOf, rules, work } from '../objects.ts'

const headers = path.join(work, 'headers')
const own = path.resolve(import.meta.dirname, '../../kernel/include')

const texts = {
  'livepatch.h': `#pragma once
typedef unsigned int gfp_t;
struct klp_object { const char *name; };
struct klp_patch;
struct klp_state { unsigned long id; unsigned int version; void *data; };
struct klp_state *klp_get_state(struct klp_patch *patch, unsigned long id);
struct klp_state *klp_get_prev_state(unsigned long id);
typedef int (*klp_shadow_ctor_t)(void *obj, void *shadow_data, void *ctor_data);
typedef void (*klp_shadow_dtor_t)(void *obj, void *shadow_data);
void *klp_shadow_get_or_alloc(void *obj, unsigned long id, unsigned long size, gfp_t flags, klp_shadow_ctor_t ctor, void *ctor_data);
void klp_shadow_free(void *obj, unsigned long id, klp_shadow_dtor_t dtor);
`,
  'stringify.h': '#define __stringify_1(x...) #x\n#define __stringify(x...) __stringify_1(x)\n',
  'compiler.h': '#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))\n',
  'printk.h': 'int printk(const char *, ...) __attribute__((cold));\n#define printk_deferred printk\n',
}
mkdirSync(path.join(headers, 'linux'), { recursive: true })
for (const [name, text] of Object.entries(texts)) writeFileSync(path.join(headers, 'linux', name), text)

function changeOf(before: string, after: string, unit = 'unit.c', program = compiler): Change {
  const object = (text: string) => readObject(compileWith(program, text, ['-idirafter', own, '-I', headers]), unit)
  return compareObjects(object(before), object(after), unit)
}

const callbacksOf = ({ directives }: Change) => directives.callbacks.map(({ kind, atom }) => [kind, atom.name])
const changedIn = (change: Change) => change.changed.map(({ after }) => after.name).sort()

const f = (n: number) => `int f(int a) { return a * ${n}; } int g(int a) { return a + ${n}; }\n`

describe.each(compilers)('compiled by %s', (program) => {
  test('every kind of callback is found, and is no change of its own', () => {
    const change = changeOf(
      f(3),
      `${f(3)}#include "inarch.h"
static int a(struct klp_object *o) { return 0; } INARCH_PRE_PATCH(a);
static void b(struct klp_object *o) { } INARCH_POST_PATCH(b);
static void c(struct klp_object *o) { } INARCH_PRE_UNPATCH(c);
static void d(struct klp_object *o) { } INARCH_POST_UNPATCH(d);`,
      'unit.c',
      program,
    )
    expect(callbacksOf(change).sort()).toEqual([
      ['post_patch', 'b'],
      ['post_unpatch', 'd'],
      ['pre_patch', 'a'],
      ['pre_unpatch', 'c'],
    ])
    expect(change.findings).toEqual([])
    expect(change.changed).toEqual([])
    const extraction = extractionOf([change])
    expect(extraction.findings).toEqual([])
    expect(extraction.callbacks.map(({ kind, name, object }) => [kind, name, object]).sort()).toEqual([
      ['post_patch', 'b', 'vmlinux'],
      ['post_unpatch', 'd', 'vmlinux'],
      ['pre_patch', 'a', 'vmlinux'],
      ['pre_unpatch', 'c', 'vmlinux'],
    ])
    // Only the functions get into the live patch.
    expect(extraction.draft.sections.filter(({ name }) => name.includes('inarch'))).toEqual([])
  })

  test("kpatch's macros say the same", () => {
    const change = changeOf(
      f(3),
      `${f(4)}#include "kpatch-macros.h"
static int a(patch_object *o) { return 0; } KPATCH_PRE_PATCH_CALLBACK(a);
static void d(patch_object *o) { KPATCH_PRINTK("gone %s", o->name); } KPATCH_POST_UNPATCH_CALLBACK(d);
KPATCH_IGNORE_FUNCTION(g);
KPATCH_FORCE_UNSAFE(f);`,
      'unit.c',
      program,
    )
    expect(callbacksOf(change).sort()).toEqual([
      ['post_unpatch', 'd'],
      ['pre_patch', 'a'],
    ])
    expect(changedIn(change)).toEqual(['f'])
    expect(rules(change.findings).sort()).toEqual(['note force-unsafe', 'note ignored'])
  })

  test('a state has its name, its id and its version', () => {
    const change = changeOf(
      f(3),
      `${f(4)}#include "inarch.h"
enum { LEVEL = 7 };
INARCH_STATE(level, LEVEL, 2);
INARCH_STATE(other, 1UL << 40, 1);`,
      'unit.c',
      program,
    )
    expect(change.directives.states).toEqual(
      expect.arrayContaining([
        { name: 'level', id: 7, version: 2 },
        { name: 'other', id: 2 ** 40, version: 1 },
      ]),
    )
    expect(extractionOf([change]).states.map(({ id }) => id)).toEqual([7, 2 ** 40])
  })

  test('constructors and destructors of shadow variables are not said to be kept', () => {
    const change = changeOf(
      'void use(void *); int f(void *o) { use(o); return 1; }',
      `#include "inarch.h"
void use(void *);
static int make(void *o, void *s, void *d) { *(int *)s = 5; return 0; }
static void end(void *o, void *s) { use(s); }
int f(void *o) {
  int *n = klp_shadow_get_or_alloc(o, 3, sizeof(*n), 1, make, 0);
  if (n) ++*n;
  use(o);
  klp_shadow_free(o, 3, end);
  return 2;
}`,
      'unit.c',
      program,
    )
    const extraction = extractionOf([change])
    expect(extraction.carried.map(({ name }) => name)).toEqual(expect.arrayContaining(['make', 'end']))
    expect(extraction.findings).toEqual([])
  })
})

test('the address of a new function that something else may keep is still told', () => {
  const change = changeOf(
    'void keep(void *); int f(void *o) { return 1; }',
    `#include "inarch.h"
void keep(void *);
static void end(void *o, void *s) { keep(s); }
int f(void *o) { keep(end); klp_shadow_free(o, 3, end); return 2; }`,
  )
  expect(rules(extractionOf([change]).findings)).toEqual(['warning address-of-new-function'])
})

describe('a patch may leave out', () => {
  test('a function, with its clones', () => {
    const source = (n: number) =>
      `static __attribute__((noinline)) int part(int a, int b) { return a * ${n} + b; } int f(int a) { ` +
      `return part(a, 5) + part(a * 2, 5) + ${n}; } int g(int a) { return a + ${n}; }\n`
    const before = source(3)
    const cloned = changeOf(before, source(4)).changed.map(({ after }) => after.name)
    expect(cloned.some((name) => /^part\./.test(name))).toBe(true)
    const change = changeOf(before, `${source(4)}#include "inarch.h"\nINARCH_IGNORE_FUNCTION(part);`)
    expect(changedIn(change)).toEqual(['f', 'g'])
    expect(rules(change.findings)).toEqual(['note ignored'])
  })

  test('code that has run already, by its section or by its name', () => {
    const source = (n: number) =>
      `int f(int a) { return a * ${n}; } __attribute__((section(".init.text"))) int early(void) { ` +
      `return 1; } __attribute__((section(".init.text"))) int start(void) { return ${n}; }\n`
    expect(rules(changeOf(source(3), source(4)).findings)).toEqual(['error init-code'])
    for (const macro of ['INARCH_IGNORE_SECTION(".init.text")', 'INARCH_IGNORE_FUNCTION(start)']) {
      const change = changeOf(source(3), `${source(4)}#include "inarch.h"\n${macro};`)
      expect(changedIn(change)).toEqual(['f'])
      expect(rules(change.findings)).toEqual(['note ignored'])
    }
  })

  test('another initial value, and goes on using the datum of the running kernel', () => {
    const source = (n: number) => `static int limit = ${n}; int f(int a) { return a + limit++ + ${n}; }\n`
    expect(rules(changeOf(source(3), source(4)).findings)).toEqual(['error data-changed'])
    const change = changeOf(source(3), `${source(4)}#include "inarch.h"\nINARCH_IGNORE_SECTION(".data.limit");`)
    expect(rules(change.findings)).toEqual(['note ignored'])
    const extraction = extractionOf([change])
    expect([...extraction.references.values()].map(({ name }) => name)).toContain('limit')
  })

  test('new data for something that the kernel reads only when it starts', () => {
    const source = (more: string) => `int f(int a) { return a${more === '' ? '' : '+ 1'}; }\n${more}`
    const entry = 'static int entry __attribute__((used, section("_ftrace_events"))) = 1;\n'
    expect(rules(changeOf(source(''), source(entry)).findings)).toEqual(['error registration-added'])
    const macros = '#include "kpatch-macros.h"\nKPATCH_IGNORE_SECTION("_ftrace_events");'
    const change = changeOf(source(''), source(`${entry}${macros}`))
    expect(changedIn(change)).toEqual(['f'])
    expect(rules(change.findings)).toEqual(['note ignored'])
  })

  test('nothing that is not there: that is told', () => {
    const change = changeOf(
      f(3),
      `${f(4)}#include "inarch.h"\nINARCH_IGNORE_FUNCTION(ff);\nINARCH_INCLUDE_SECTION(".data.gone");`,
    )
    expect(change.findings.map(({ rule, symbol }) => [rule, symbol])).toEqual([
      ['directive-without-effect', 'ff'],
      ['directive-without-effect', '.data.gone'],
    ])
  })
})

describe('a patch may take along', () => {
  test('a function that did not change', () => {
    const change = changeOf(f(3), `${f(3)}#include "inarch.h"\nINARCH_INCLUDE_FUNCTION(g);`)
    expect(change.changed.map(({ after, reasons }) => [after.name, reasons])).toEqual([
      ['g', ['the patch asks for it']],
    ])
    expect(extractionOf([change]).replaced.map(({ before }) => before.name)).toEqual(['g'])
  })

  test('a table with other values, with all functions that read it', () => {
    const source = (n: number) =>
      `static const int table[] = { 1, 2, 3, ${n} }; int f(int a) { return table[a]; } int g(int a) { ` +
      `return a; } int h(int a) { return a + table[a & 1]; }\n`
    expect(rules(changeOf(source(4), source(5)).findings)).toEqual(['error data-changed'])
    const change = changeOf(source(4), `#include "inarch.h"\n${source(5)}INARCH_INCLUDE_SECTION(".rodata.table");`)
    expect(changedIn(change)).toEqual(['f', 'h'])
    expect(change.findings).toEqual([])
    const extraction = extractionOf([change])
    expect(extraction.carried).toEqual([
      { name: 'table', kind: 'data', unit: 'unit.c', reason: 'the patch asks for a copy of its own' },
    ])
    expect([...extraction.references.values()].map(({ name }) => name)).not.toContain('table')
  })

  test('a datum, of which the running one is then not the counterpart for anybody', () => {
    const source = (n: number) => `static int state = ${n}; int f(int a) { return state += a; }\n`
    const { before, after, correlation, copied } = changeOf(
      source(4),
      `#include "inarch.h"\n${source(5)}INARCH_INCLUDE_SECTION(".data.state");`,
    )
    const [old, copy] = [before, after].map(({ data }) => data.find(({ name }) => name === 'state')!)
    expect([...copied]).toEqual([copy])
    expect(correlation.counterpartOf(copy!)).toBeUndefined()
    expect(correlation.successorOf(old!)).toBeUndefined()
    expect(correlation.same(old!, copy!)).toBe(false)
    expect(correlation.pairs.map(({ before: { name } }) => name)).toEqual(['f'])
  })

  test('a datum that others keep using is told', () => {
    const source = (n: number) => `int limit = ${n}; int *where = &limit; int f(int a) { return a + *where + limit; }\n`
    const change = changeOf(source(3), `${source(4)}#include "inarch.h"\nINARCH_INCLUDE_SECTION(".data.limit");`)
    expect(change.findings.map(({ rule, message }) => [rule, message])).toEqual([
      ['copy-not-shared', expect.stringContaining('where goes on pointing')],
      ['copy-starts-anew', expect.stringContaining('copy of limit')],
      ['copy-not-shared', expect.stringContaining('Other files that use limit')],
    ])
  })
})

describe('an object has one callback of a kind', () => {
  const withCallback = (name: string) =>
    `${f(3)}#include "inarch.h"\nstatic int ${name}(struct klp_object *o) { return 0; } INARCH_PRE_PATCH(${name});`

  test('a second one is refused, and both files are named', () => {
    const changes = [changeOf(f(3), withCallback('first'), 'fs/a.c'), changeOf(f(3), withCallback('second'), 'fs/b.c')]
    const { findings, callbacks } = extractionOf(changes)
    expect(rules(findings)).toEqual(['error duplicate-callback'])
    expect(findings[0]?.message).toContain('first and second (in fs/a.c and fs/b.c)')
    expect(callbacks.map(({ name }) => name)).toEqual(['first'])
  })

  test('another object has its own', () => {
    const { findings, callbacks } = extractionOf([
      changeOf(f(3), withCallback('first'), 'fs/a.c'),
      { change: changeOf(f(3), withCallback('second'), 'drivers/b.c'), object: 'b' },
    ])
    expect(findings).toEqual([])
    expect(callbacks.map(({ name, object }) => [name, object])).toEqual([
      ['first', 'vmlinux'],
      ['second', 'b'],
    ])
  })

  test('a state with two versions is refused', () => {
    const withState = (version: number) => `${f(4)}#include "inarch.h"\nINARCH_STATE(level, 7, ${version});`
    const { findings } = extractionOf([
      changeOf(f(3), withState(1), 'fs/a.c'),
      changeOf(f(3), withState(1), 'fs/b.c'),
      changeOf(f(3), withState(2), 'fs/c.c'),
    ])
    expect(rules(findings)).toEqual(['error duplicate-state'])
    expect(findings[0]?.message).toContain('fs/c.c')
  })

  test('one that is defined elsewhere is refused', () => {
    const change = changeOf(f(3), `${f(4)}#include "inarch.h"\nvoid far(struct klp_object *o); INARCH_POST_PATCH(far);`)
    expect(rules(change.findings)).toEqual(['error bad-directive'])
  })
})

test("what kpatch's own headers leave in an object is understood", () => {
  const change = changeOf(
    f(3),
    `${f(4)}struct obj; static int come(struct obj *o) { return 0; }
static struct { int (*fn)(struct obj *); char *objname; } entry __attribute__((used, section(".kpatch.callbacks.pre_patch"))) = { come, "vmlinux" };
static void *left __attribute__((used, section(".kpatch.ignore.functions"))) = g;
static char *section __attribute__((used, section(".kpatch.ignore.sections"))) = ".init.data";`,
  )
  expect(callbacksOf(change)).toEqual([['pre_patch', 'come']])
  expect(changedIn(change)).toEqual(['f'])
  expect(change.directives.ignored.sections).toEqual(new Set(['.init.data']))
})

test("what newer kernels' own macros leave in an object is understood", () => {
  const pointer = (kind: string, object: string, name: string) =>
    `int (*__klp_${kind}_callback_${object})(void *) __attribute__((used, ` +
    `section(".discard.klp_callback_ptrs"))) = ${name};\n`
  const change = changeOf(
    f(3),
    `${f(3)}static int come(void *o) { return 0; } static int go(void *o) { return 0; }
${pointer('pre_patch', 'vmlinux', 'come')}${pointer('post_unpatch', 'vmlinux', 'go')}`,
  )
  expect(callbacksOf(change)).toEqual([
    ['pre_patch', 'come'],
    ['post_unpatch', 'go'],
  ])
  expect(change.changed).toEqual([])
  expect(change.findings).toEqual([])
  expect(
    extractionOf([change])
      .draft.sections.map(({ name }) => name)
      .sort(),
  ).toEqual(['.text.come', '.text.go'])
})
