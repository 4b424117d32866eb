// SPDX-License-Identifier: GPL-3.0-or-later
// A flag that is set in the running kernel: what the patch would do once by it is never done.
import { describe, expect, test } from 'vitest'
import { compareObjects } from '../../src/diff/change.ts'
import { readObject } from '../../src/elf/read.ts'
import { compileWith, oneOfEach } from '../objects.ts'
import { once } from './once.ts'

const words = `extern void use(int), fill(void *, int), make_a(void), make_b(void), lock(void *); extern int get(void), _printk(const char *, ...);
${once}
struct keys { long k[2]; }; static struct keys a, b; static int n, m; extern struct keys ours, theirs; extern int level;
static __attribute__((noinline)) void set(int y) { n = y; }
`
/** Everything is used elsewhere, too. */
const rest = 'void other(void) { fill(&a, n); fill(&b, m); n = get(); m = get(); use(level); }\n'

/** What is said of a function of which one line changes. */
function said(program: string, was: string, is: string, tail = 'return x + n + m;'): string[] {
  const [b, a] = [was, is].map((line) =>
    readObject(
      compileWith(program, `${words}${rest}int f(int x) {\n  ${line}\n  use(x);\n  ${tail}\n}\n`, []),
      'unit.o',
    ),
  )
  return compareObjects(b!, a!, 'unit.c').findings.flatMap(({ rule, message }) =>
    rule === 'state-inherited' ? [message] : [],
  )
}

const flag = (what: string) => `static int done; if (!done) { done = 1; ${what} }`
const macro = (what: string) => `DO_ONCE(get_random_bytes, ${what}, 16);`

describe.each(oneOfEach)('what is done once (%s)', (program) => {
  test.each([
    ['by a macro, for another variable', macro('&a'), macro('&b'), 'b', 'a'],
    ['by a macro, for another variable of the kernel', macro('&ours'), macro('&theirs'), 'theirs', 'ours'],
    ['by a macro, for another part of a variable', macro('&a.k[0]'), macro('&a.k[1]'), 'a+8', 'a'],
    ['by a flag, for another variable', flag('fill(&a, 1);'), flag('fill(&b, 1);'), 'b', 'a'],
    ['by a flag, to another variable', flag('n = x;'), flag('m = x;'), 'm', 'n'],
    ['by a flag, by another function', flag('make_a();'), flag('make_b();'), 'make_b', 'make_a'],
  ])('is asked about when it is done %s', (_, was, is, now, then) => {
    const [message, ...more] = said(program, was, is)
    expect(more).toEqual([])
    expect(message).toContain(`is for ${now} after the patch, and was for ${then} before`)
  })

  test('is asked about when it is done for one more', () => {
    const [message] = said(program, flag('fill(&a, 1);'), flag('fill(&a, 1); fill(&b, 1);'))
    expect(message).toContain('is for b after the patch, and was not before')
  })

  test.each([
    ['the same by a macro, while the rest changes', macro('&a'), `${macro('&a')} fill(&b, 3);`],
    ['the same by a flag, while the rest changes', flag('fill(&a, 1);'), `${flag('fill(&a, 1);')} n = 3; fill(&b, 3);`],
    ['less', flag('fill(&a, 1); fill(&b, 2);'), flag('fill(&a, 1);')],
    ['the same under a lock', flag('fill(&a, 1);'), flag('make_a(); fill(&a, 1); make_b();')],
    ['said otherwise', flag('_printk("once %d", n);'), flag('_printk("just once %d", m);')],
    ['the same, which may be inlined', flag('set(x);'), flag('n = x;')],
  ])('is no concern when it is %s', (_, was, is) => {
    expect(said(program, was, is)).toEqual([])
  })

  test('is no concern of a counter, or of a lock', () => {
    const counter = (what: string) => `static int count; if (count++ > 5) { ${what} }`
    expect(said(program, counter('fill(&a, 1);'), counter('fill(&b, 1);'))).toEqual([])
    const locked = (what: string) =>
      `static int l; extern int trylock(int *); extern void unlock(int *); if (trylock(&l)) { ${what} unlock(&l); }`
    expect(said(program, locked('fill(&a, 1);'), locked('fill(&b, 1);'))).toEqual([])
  })
})
