// SPDX-License-Identifier: GPL-3.0-or-later
// Data that share a section: the assembler does not say whether the end of one or the beginning of the next is meant,
// nor from where an index counts. It has to come out right for both, or be refused.
import { describe, expect, test } from 'vitest'
import { compareObjects } from '../../src/diff/change.ts'
import { readObject } from '../../src/elf/read.ts'
import { type Extraction, extract } from '../../src/extract/extraction.ts'
import { compileBytes, extractionOf, rules } from '../objects.ts'

const prelude = `
#define noinline __attribute__((noinline))
#define R __attribute__((section(".data..read_mostly")))
#define P __attribute__((section(".data..percpu")))
int get(void); void use(const void *); void walk(const void *, const void *);
`

const changeOf = (before: string, after: string, ...more: string[]) => {
  const object = (text: string) => readObject(compileBytes(prelude + text, '-fno-toplevel-reorder', ...more), 'unit.o')
  return compareObjects(object(before), object(after), 'unit.c')
}

const extractOf = (...of: Parameters<typeof changeOf>): Extraction => extractionOf([changeOf(...of)])

/** The same where the kernel has several constants of each name, so that the patch's own are carried. */
const carriedOf = (...of: Parameters<typeof changeOf>): Extraction =>
  extract([{ change: changeOf(...of), object: 'vmlinux' }], { has: () => true, isOnly: () => false })

/** Where in the carried sections, or from which symbol of the kernel's, the references of a function's code lead. */
function places({ draft }: Extraction, code: string, data: RegExp): number[] {
  return draft.sections
    .filter(({ name }) => name === code || name.startsWith(`${code}.`))
    .flatMap(({ relocations }) => relocations)
    .filter(({ symbol: { place } }) => typeof place === 'object' && data.test(place.name))
    .map(({ symbol, addend }) => symbol.value + addend)
    .sort((a, b) => a - b)
}

const errors = ({ findings }: Extraction) => rules(findings).filter((rule) => rule.startsWith('error'))
const together = '-fno-data-sections'

describe('constant arrays of functions that share a section keep their distances when they are carried:', () => {
  // Each array is made out of line and given to somebody, so that its ends are taken as addresses.
  const beside = (n: number, first: string, second: string) => `
    int f(int a) { static const ${first}; static const ${second};
      walk(one, (const char *)one + sizeof(one)); walk(two, (const char *)two + sizeof(two)); return get() + ${n}000; }`

  test.each([
    ['of numbers', 'int one[] = { 1, 2, 3, 4 }', 'int two[] = { 5, 6, 7, 8 }', 16],
    ['that are small', 'char one[] = { 1, 2, 3, 4 }', 'char two[] = { 5, 6, 7, 8 }', 4],
    ['of pointers', 'void *const one[] = { (void *)get, (void *)use }', 'long two[] = { 7, 8 }', 16],
    ['of strings', 'char one[] = "begin.."', 'char two[] = "and end"', 8],
  ])('%s', (_, first, second, size) => {
    const extraction = carriedOf(beside(1, first, second), beside(2, first, second), together)
    if (first.includes('*')) {
      // Who knows the running kernel's own table of pointers must not see another; its end is another's beginning.
      expect(errors(extraction)).toEqual(['error ambiguous-reference'])
      return
    }
    expect(errors(extraction)).toEqual([])
    const [begin = 0, ...others] = places(extraction, '.text.f', /^\.rodata/)
    expect(others.map((place) => place - begin)).toEqual([size, size, 2 * size])
  })

  test('an index that counts from before an array', () => {
    const text = (n: number) => `
      static noinline int other(int i) { static const int own[] = { 9, 8, 7, 6 }; return own[i] + get(); }
      int f(int i) { static const int table[] = { 1, 2, 3, 4 }; return table[i - 1] + other(i) + ${n}000; }`
    const extraction = carriedOf(text(1), text(2), together)
    expect(errors(extraction)).toEqual([])
    const carried = extraction.draft.sections.find(({ name }) => name.startsWith('.rodata'))
    expect(Buffer.concat([carried?.data as Buffer])).toHaveLength(32)
  })

  test('the end of an array whose beginning somebody else knows', () => {
    const text = (n: number) => `
      int f(const int *p) { static const int one[] = { 1, 2, 3, 4 }; static const int two[] = { 5, 6, 7, 8 };
        use(two); return p == one + 4 ? get() : ${n}000; }`
    const extraction = extractOf(text(1), text(2), together)
    expect(errors(extraction)).toEqual([])
  })

  test.each([
    ['changes', '{ 1, 2, 3, 5 }', 4],
    ['grows', '{ 1, 2, 3, 4, 5 }', 5],
  ])('who only knows the end of an array changes when it %s', (_, content, size) => {
    const text = (list: string, length: number) => `
      static const int *begin(void) { static const int one[] = ${list}; static const int two[] = { 5, 6, 7, 8 };
        use(one); use(two); return 0; }
      int f(const int *p) { extern const int end[] __asm__("one.1"); use(end + ${length}); return get(); }
      int g(void) { begin(); return 0; }`
    const object = (list: string, length: number) =>
      readObject(compileBytes(prelude + text(list, length), '-fno-toplevel-reorder', together), 'unit.o')
    const { changed } = compareObjects(object('{ 1, 2, 3, 4 }', 4), object(content, size), 'unit.c')
    expect(changed.map(({ after: { name } }) => name)).toContain('f')
  })

  test('the end of a string', () => {
    const text = (n: number) =>
      `int f(void) { static const char s[] = "text"; walk("begin", &"end of it"[9]); walk(s, s + 5); return ${n}000; }`
    expect(errors(extractOf(text(1), text(2), together))).toEqual([])
  })
})

describe('variables in a section of their own choice:', () => {
  const arrays = (attribute: string, between: string, n: number, size = 4) => `
    static int one[${size}] ${attribute} = { 1, 2 }; ${between} static int two[${size}] ${attribute} = { 3, 4 };
    void set(int i) { one[i] = i; two[i] = i; }
    int f(int a) { walk(one, one + ${size}); walk(two, two + ${size}); return get() + ${n}000; }`

  test.each([['R'], ['P']])('the kernel’s own that stay side by side are meant either way (%s)', (attribute) => {
    const extraction = extractOf(arrays(attribute, '', 1), arrays(attribute, '', 2))
    expect(errors(extraction)).toEqual([])
    expect([...extraction.references.values()].map(({ name }) => name)).toContain('one')
  })

  test.each([
    ['of 16 bytes', 4],
    ['of 8 bytes', 2],
    ['of 4 bytes', 1],
  ])('what is new between two of them, %s, is refused', (_, size) => {
    const fresh = `static int fresh[${size}] R = { 9 }; void grow(int i) { fresh[i]++; use(fresh); }`
    const after = arrays('R', fresh, 1, size)
    expect(errors(extractOf(arrays('R', '', 1, size), after))).toContain('error ambiguous-reference')
  })

  test('two of them that change places are refused', () => {
    const text = (first: string, second: string) => `
      static int ${first}[4] R = { 1, 2 }; static int ${second}[4] R = { 1, 2 }; static int third[4] R = { 5, 6 };
      void set(int i) { one[i] = i; two[i] = 2 * i; third[i] = 3 * i; }
      int f(int a) { walk(one, one + 4); walk(third, third + 4); use(two); return get(); }`
    expect(errors(extractOf(text('one', 'two'), text('two', 'one')))).toContain('error ambiguous-reference')
  })

  test('a new number beside an old one is not mistaken for its end', () => {
    const text = (fresh: string, use: string) => `
      static int old R = 1; ${fresh} void set(int i) { old = i; }
      int f(int a) { return old + get() ${use}; }`
    const extraction = extractOf(text('', ''), text('static int more R = 2; void grow(void) { more++; }', '+ more'))
    expect(errors(extraction)).toEqual([])
  })

  test('new arrays side by side are carried so', () => {
    const text = (fresh: string, use: string) => `
      static int old R = 1; void set(int i) { old = i; } int f(int a) { ${use} return old + get(); } ${fresh}`
    const extraction = extractOf(
      text('', ''),
      text(
        '',
        'static int one[4] R = { 1 }; static int two[4] R = { 2 }; one[a]++; two[a]++; walk(one, one + ' +
          '4); walk(two, two + 4);',
      ),
    )
    expect(errors(extraction)).toEqual([])
  })
})
