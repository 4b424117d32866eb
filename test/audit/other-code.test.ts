// SPDX-License-Identifier: GPL-3.0-or-later
// Where the compiler made other code of the same source: it called in the module what it took into the function of the
// unit, or the other way round, with the tables that are about it.
import { describe, expect, test } from 'vitest'
import { bytesOf, type Extent, viewOf } from '../../src/audit/object-view.ts'
import { compareOtherCode } from '../../src/audit/other-code.ts'
import { warnText } from '../bug-entry.ts'
import { compileBytes } from '../objects.ts'

/** What was told to be one thing, by the last comparison. */
const paired: (readonly [Extent, Extent])[] = []

/** What differs in `f` of the module; what the module does not have is the kernel's of this name. */
function difference(module: string, unit: string): string | undefined {
  const [mine, theirs] = [module, unit].map((source) =>
    viewOf(compileBytes(`${head} ${source}`, '-fjump-tables'), 'u.o'),
  )
  paired.length = 0
  const f = (view: typeof mine) => view!.named.find(({ symbol }) => symbol?.name === 'f')!
  return compareOtherCode(
    {
      module: mine!,
      means: (own, target) => target.kind !== 'number' && target.symbol.name === own.symbol.name,
      loads: (own, variable) => own.symbol.name === variable,
      called: (own) => own.symbol.name,
      pair: (place, theirs) => paired.push([mine!.at(place)[0]!, theirs]),
      replaced: () => undefined,
    },
    f(mine),
    { view: theirs! },
    f(theirs),
    f(theirs),
  )
}

const head =
  `${warnText}\n` +
  'int out(int *); int other(int *); void die(int *) __attribute__((noreturn, cold)); static inline ' +
  '__attribute__((always_inline)) int body(int *p);'
const table = (name: string, flags: string, text: string) =>
  `.pushsection ${name},\\"${flags}\\"\\n${text}\\n.popsection\\n`
/** As the kernel writes a locked instruction, an alternative, and a place of a BUG. */
const parts = {
  'a locked instruction': `asm volatile("${table('.smp_locks', 'a', '.long 671f - .')}671: lock; incl %0" : "+m"(*p));`,
  'an alternative':
    'asm volatile("661: nop\\nnop\\nnop\\n' +
    table('.altinstr_replacement', 'ax', '664: clac') +
    table('.altinstructions', 'a', '.long 661b - ., 664b - .\\n.word 5, 0\\n.byte 3, 3') +
    '" : : : "memory");',
  'a warning with a text': 'if (*p == 9) WARN_AT(3, 0x911, "nine: %d", 9);',
  'what is seldom run': 'if (*p > 7) die(p);',
  'a table of places':
    'switch (*p) { case 0: return out(p) + 5; case 1: asm(""); return 12; case 2: return out(p) ' +
    '* 3; case 3: return *p; case 4: return 99; case 5: return out(p) ^ 1; }',
}

describe.each(Object.entries(parts))('a function with %s', (_, part) => {
  const body = (callee: string) =>
    `static inline int body(int *p) { ${part} return ${callee}(p); } int g(int *p) { return body(p); }`
  const use = (callee: string) => `int f(int *p, int i) { return i ? ${callee}(p) + 1 : 3; }`

  test('may be called where the unit has taken it in', () => {
    expect(difference(`int g(int *); ${use('g')}`, `${body('out')} ${use('body')}`)).toBeUndefined()
  })

  test('may not where the unit has taken in what comes to something else', () => {
    const unit = `${body('out').replace('int g(int *p) { ', 'int g(int *p) { if (*p == 3) other(p); ')} ${use('body')}`
    expect(difference(`int g(int *); ${use('g')}`, unit)).toBe('it comes to g, and the unit does not')
  })

  test('may stand beside it where the unit has taken it in', () => {
    const module = (callee: string) =>
      `${body(callee).replace('int g(', 'static __attribute__((noinline)) int g(')} ${use('g')}`
    expect(difference(module('out'), `${body('out')} ${use('body')}`)).toBeUndefined()
    expect(difference(module('other'), `${body('out')} ${use('body')}`)).toBe(
      'it comes to other, and the unit does not',
    )
  })
})

describe('a number that the kernel writes into its own code at boot', () => {
  const loaded = (name: string) =>
    `int f(int *p) { long v; asm("movabs $0x0123456789abcdef, %0\\n1:\\n" ` +
    `".pushsection runtime_ptr_${name}, \\"a\\"\\n.long 1b - 8 - .\\n.popsection" : "=r"(v)); return v + out(p); }`
  const read = (name: string) => `extern long ${name}; int f(int *p) { return ${name} + out(p); }`

  test('may be read from its variable', () => expect(difference(read('limit'), loaded('limit'))).toBeUndefined())

  test('may not be read from another one', () =>
    expect(difference(read('bound'), loaded('limit'))).toBe('it comes to bound, and the unit does not'))

  test('may not be left out', () =>
    expect(difference('int f(int *p) { return out(p); }', loaded('limit'))).toBe('it does not load limit'))
})

test('of two constants of one name it is the one with its bytes', () => {
  const text = (name: string, value: string) =>
    `if (*p == ${value.length}) { static const char ${name}[] = "${value}"; asm volatile("" : : "r"(${name})); }`
  const f = (...parts: string[]) => `int f(int *p) { ${parts.join(' ')} return out(p); }`
  const [first, second] = [text('msg', 'the first'), text('msg', 'another one')]
  expect(difference(f('if (*p) other(p);', second, first), f('if (*p) other(p);', first, second))).toBeUndefined()
  expect(paired).toHaveLength(2)
  for (const [mine, theirs] of paired) expect(bytesOf(mine)).toEqual(bytesOf(theirs))
})
