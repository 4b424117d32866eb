// SPDX-License-Identifier: GPL-3.0-or-later
// Texts as the compiler's preprocessor makes them of small headers, before and after a change.
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { mayDiffer } from '../../../src/build/headers/narrow.ts'

function preprocessed(text: string): string {
  const { status, stdout, stderr } = spawnSync('gcc', ['-E', '-P', '-x', 'c', '-'], {
    input: text,
    encoding: 'latin1',
  })
  if (status !== 0) throw new Error(stderr)
  return stdout
}

const header = `
#define SCALE 2
struct used { int a; int b; };
struct unused { int a; };
enum color { RED, GREEN };
static inline int deep(int x) { return x * SCALE; }
static inline int middle(struct used *u) { return deep(u->a); }
static inline int unneeded(struct unused *u) { return deep(u->a) + 1; }
extern int call(struct used *u);
`
const source = `
int table[] = { 1, 2, 3 };
static int local(struct used *u) { return middle(u); }
int entry(struct used *u) { return local(u) + call(u); }
`

function compare(from: string | RegExp, to: string) {
  const changed = header.replace(from, () => to)
  expect(changed).not.toBe(header)
  return mayDiffer(preprocessed(header + source), preprocessed(changed + source))
}

test.each([
  ['a comment and empty lines', 'enum color', '/* a\n\n\n comment */\n\n\nenum color'],
  ['an inline function that is not used', 'deep(u->a) + 1', 'deep(u->a) + 2'],
  ['a new inline function', 'extern int', 'static inline int fresh(void) { return deep(1); }\nextern int'],
  ['a new prototype', 'extern int', 'int fresh(void);\nextern int'],
  ['a struct that only unused functions know', 'unused { int a;', 'unused { int b; int a;'],
  ['an enum that is not used', 'GREEN', 'YELLOW, GREEN'],
])('%s leaves the unit as it is', (_what, from, to) => {
  expect(compare(from, to)).toBe(false)
})

test.each([
  ['an inline function that is used through another', 'x * SCALE', 'x + SCALE'],
  ['a macro that it expands', 'SCALE 2', 'SCALE 3'],
  ['the attributes of a function that it calls', 'extern int', 'extern __attribute__((noreturn)) int'],
  ['data', 'extern int', 'static int data = 1;\nextern int'],
  ['a static assertion', 'extern int', '_Static_assert(sizeof(int) == 4, "");\nextern int'],
  ['a struct that the unit uses', 'used { int a;', 'used { long first; int a;'],
  ['a pragma', 'struct used', '#pragma pack(1)\nstruct used'],
  [
    'an inline function that is kept',
    'static inline int unneeded',
    'static inline __attribute__((used)) int unneeded2(void) { return 7; }\nstatic inline int unneeded',
  ],
])('%s may change the unit', (_what, from, to) => {
  expect(compare(from, to)).toBe(true)
})

test('bytes in strings count, white space in them too', () => {
  const text = (string: string) => `char s[] = "${string}";\n`
  expect(mayDiffer(text('a  b'), text('a b'))).toBe(true)
  expect(mayDiffer(text('\xe4'), text('\xf6'))).toBe(true)
})

test('text that can’t be followed counts as changed', () => {
  expect(mayDiffer('int a; }', 'int b; }')).toBe(true)
})
