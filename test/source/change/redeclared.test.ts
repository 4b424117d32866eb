// SPDX-License-Identifier: GPL-3.0-or-later
// What is said of variables that a patch declares anew: one that gets another type, and one that takes over the name of
// another.
import { describe, expect, test } from 'vitest'
import type { Declared } from '../../../src/build/compiler/declared-variables.ts'
import { compareObjects } from '../../../src/diff/change.ts'
import { declaredVariables } from '../../../src/elf/dwarf.ts'
import { readObject } from '../../../src/elf/read.ts'
import { inheritedVariables, mayBeRedeclared, retypedVariables } from '../../../src/source/change/redeclared.ts'
import { declarationsIn, identities } from '../../../src/source/change/static-declarations.ts'
import { compiler, compileWith, oneOfEach } from '../../objects.ts'

/**
 * For each line of `after`, the line of `before` that it is; 0 when it is new. By the longest common sequence of lines.
 */
function lineageOf(before: string, after: string): number[] {
  const [old, young] = [before.split('\n'), after.split('\n')]
  const length = old.map(() => young.map(() => 0))
  const at = (i: number, j: number) => length[i]?.[j] ?? 0
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = young.length - 1; j >= 0; j--)
      length[i]![j] = old[i] === young[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  const lineage = young.map(() => 0)
  for (let [i, j] = [0, 0]; i < old.length && j < young.length; )
    if (old[i] === young[j]) lineage[j++] = ++i
    else if (at(i + 1, j) >= at(i, j + 1)) i++
    else j++
  return lineage
}

function declaredIn(program: string, source: string): Map<string, Declared> {
  const made = readObject(compileWith(program, source, ['-g', '-gdwarf-4']), 'declared.o')
  return new Map(
    declaredVariables(made)!.flatMap(({ section, offset, place, type }) =>
      made.symbols
        .filter((symbol) => symbol.section === section && symbol.value === offset && symbol.type === 'object')
        .map(({ name }) => [name, { ...place, file: 'f.c', type }] as const),
    ),
  )
}

const head = `typedef long long s64; typedef s64 ktime_t; typedef unsigned char u8; typedef _Bool bool;
struct a { int x; long y; }; struct b { long y; int x; }; struct spin { int v; }; struct raw { int v; };
typedef struct { int counter; } atomic_t; typedef struct { int counter; } other_t; typedef struct { int refs; } refs_t;
extern void use(void *, int); extern int get(void);
#define ONCE(what) ({ static bool ___done; if (!___done) { use(what, 1); ___done = 1; } })
`

/** What is said of the change of a text, and whether its look is enough to ask the compiler. */
function said(before: string, after: string, program = compiler) {
  const [old, young] = [head + before, head + after]
  const [b, a] = [old, young].map((text) => readObject(compileWith(program, text, []), 'unit.o'))
  const change = {
    path: 'f.c',
    before: old,
    after: young,
    origins: new Map(),
    lineage: lineageOf(old, young),
  }
  const first = compareObjects(b!, a!, 'f.c')
  const [inOld, inYoung] = [old, young].map((text) => declaredIn(program, text))
  const declarations = {
    before: inOld!,
    after: inYoung!,
    identities: identities(
      declarationsIn(inOld!, () => old),
      declarationsIn(inYoung!, () => young),
      new Map([['f.c', change]]),
    ),
  }
  const told = compareObjects(b!, a!, 'f.c', undefined, declarations.identities)
  const findings = [...retypedVariables(told, declarations), ...inheritedVariables(told, declarations)]
  return {
    asked: mayBeRedeclared(first, [change]),
    rules: findings.map(({ rule }) => rule),
    messages: findings.map(({ message }) => message),
  }
}

describe.each(oneOfEach)('a variable that is declared as another type (%s)', (program) => {
  const local = (type: string) => `void f(void) {\n\tstatic ${type};\n\tuse(&v, 2);\n}\n`
  const file = (type: string) => `static ${type};\nvoid f(void) { use(&v, 2); }\nvoid g(void) { use(&v, 3); }\n`

  test.each([
    ['int v', 'unsigned v', 'int', 'unsigned int'],
    ['struct a v', 'struct b v', 'struct a', 'struct b'],
    ['int *v', 'long *v', 'int *', 'long *'],
    ['struct a *v', 'void *v', 'struct a *', 'void *'],
    ['struct spin v', 'struct raw v', 'struct spin', 'struct raw'],
    ['int v[4]', 'unsigned v[4]', 'int[4]', 'unsigned int[4]'],
    ['bool v', 'u8 v', 'bool', 'u8'],
    ['atomic_t v', 'refs_t v', 'atomic_t', 'refs_t'],
    ['void (*v)(int)', 'void (*v)(unsigned)', 'void (int) *', 'void (unsigned int) *'],
    ['double v', 'long v', 'double', 'long'],
  ])('is asked about: %s to %s', (was, is, before, after) => {
    for (const spell of [local, file]) {
      const found = said(spell(was), spell(is), program)
      expect(found).toMatchObject({ asked: true, rules: ['variable-retyped'] })
      const spelled = (type: string) => type.replace(/\blong(?! int)/, program.startsWith('gcc') ? 'long int' : 'long')
      expect(found.messages[0]).toContain(`which is ${spelled(before)} in the running kernel, ${spelled(after)}:`)
    }
  })

  test.each([
    ['long v', 'ktime_t v'],
    ['long v', 'long long v'],
    ['int v', 'volatile int v'],
    ['unsigned char v', 'u8 v'],
    ['atomic_t v', 'other_t v'],
    ['const struct a *v', 'struct a *v'],
  ])('is the same where its bytes mean the same: %s to %s', (was, is) => {
    for (const spell of [local, file]) expect(said(spell(was), spell(is), program).rules).toEqual([])
  })
})

describe.each(oneOfEach)('a static variable of a function (%s)', (program) => {
  const blocks = (first: string, second: string) =>
    `int f(int a) {\n\tif (a > 3) {\n${first}\t\tuse(0, 1);\n\t}\n\tuse(0, 2);\n\tif (a < 1) ` +
    `{\n${second}\t\tuse(0, 3);\n\t}\n\treturn a;\n}\n`
  const declared = '\t\tstatic int n;\n\t\tuse(&n, 7);\n'

  test('that goes from one block while one of its name comes in another is asked about', () => {
    const found = said(blocks(declared, ''), blocks('', declared.replace('7', '8')), program)
    expect(found).toMatchObject({ asked: true, rules: ['state-inherited'] })
    expect(found.messages[0]).toMatch(/declares n of f at f\.c:12, and takes away the one of that name at f\.c:8/)
  })

  test('that is declared in the function now is asked about', () => {
    const after = blocks('\t\tuse(&n, 7);\n', '\t\tuse(&n, 9);\n').replace('{\n', '{\n\tstatic int n;\n')
    expect(said(blocks(declared, ''), after, program)).toMatchObject({
      asked: true,
      rules: ['state-inherited'],
    })
  })

  test('is the same when its block moves with all that sees it', () => {
    const [one, ...lines] = blocks(declared, '').split('\n')
    const moved = [one, ...lines.slice(5, 9), ...lines.slice(0, 5), ...lines.slice(9)].join('\n')
    expect(said(blocks(declared, ''), moved, program).rules).toEqual([])
  })

  test('is the same when its line is written anew in its block', () => {
    const after = blocks('\t\tstatic int n, more;\n\t\tuse(&n, 8);\n\t\tuse(&more, 8);\n', '')
    expect(said(blocks(declared, ''), after, program).rules).toEqual([])
  })

  test('is nobody’s concern when other lines change', () => {
    const after = blocks(declared.replace('7', '8'), '')
    expect(said(blocks(declared, ''), after, program)).toMatchObject({ asked: false, rules: [] })
  })

  // clang makes one bit of such a flag, and does not say where it is.
  test.runIf(program.startsWith('gcc'))(
    'that a macro makes is asked about when one use of it goes and another comes',
    () => {
      const found = said(blocks('\t\tONCE(&a);\n', ''), blocks('', '\t\tONCE(&a + 1);\n'), program)
      expect(found).toMatchObject({ asked: true, rules: ['state-inherited'] })
      expect(found.messages[0]).toContain('___done of f')
    },
  )

  test('that a macro makes is the same when its use moves as it is', () => {
    expect(said(blocks('\t\tONCE(&a);\n', ''), blocks('', '\t\tONCE(&a);\n'), program).rules).toEqual([])
  })
})
