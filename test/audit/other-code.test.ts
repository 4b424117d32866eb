// SPDX-License-Identifier: GPL-3.0-or-later
// Where the compiler made other code of the same source: it called in the module what it took into the function of the
// unit, or the other way round, with the tables that are about it.
import { describe, expect, test } from 'vitest'
import { viewOf } from '../../src/audit/object-view.ts'
import { compareOtherCode } from '../../src/audit/other-code.ts'
import { warnText } from '../bug-entry.ts'
import { compileBytes } from '../objects.ts'

/** What differs in `f` of the module; what the module does not have is the kernel's of this name. */
function difference(module: string, unit: string): string | undefined {
  const [mine, theirs] = [module, unit].map((source) =>
    viewOf(compileBytes(`${head} ${source}`, '-fjump-tables'), 'u.o'),
  )
  const f = (view: typeof mine) => view!.named.find(({ symbol }) => symbol?.name === 'f')!
  return compareOtherCode(
    {
      module: mine!,
      means: (own, target) => target.kind !== 'number' && target.symbol.name === own.symbol.name,
      called: (own) => own.symbol.name,
      pair: () => undefined,
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
