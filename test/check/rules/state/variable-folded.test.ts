// SPDX-License-Identifier: GPL-3.0-or-later
// Variables that the compiler no longer needs, since nothing writes them after the patch.
import { describe, expect, test } from 'vitest'
import { foldedVariables } from '../../../../src/check/rules/state/variable-folded.ts'
import { compareObjects } from '../../../../src/diff/change.ts'
import { readObject } from '../../../../src/elf/read.ts'
import { kernelWords } from '../../../cases.ts'
import { compiler, compilers, compileWith } from '../../../objects.ts'

const words = `${kernelWords}
#define __init __section(".init.text")
struct kernel_param { const char *name; void *value; };
#define module_param(x, type, mode) static const struct kernel_param __param_##x \\
  __used __section("__param") = { #x, &x }
`

const both = [compiler, ...compilers.filter((one) => one.startsWith('clang')).slice(-1)]

/** What is asked and noted of a change; gcc and clang take the same variables for constants. */
function found(before: string, after: string) {
  const answers = both.map((one) => {
    const [b, a] = [before, after].map((text) => readObject(compileWith(one, `${words}${text}`, []), 'unit.o'))
    return foldedVariables(compareObjects(b!, a!, 'unit.c'), [`${words}${after}`])
      .map(
        ({ symbol, severity = 'warning', message }) =>
          `${severity} ${symbol} ${/^(.*?), and nothing/.exec(message)?.[1]}`,
      )
      .join('\n')
  })
  expect(new Set(answers).size).toBe(1)
  return answers[0]
}

describe('a variable that the new code uses and the object lacks is asked about', () => {
  test('when its parameter is removed', () => {
    const code = 'int poll_it(int a) { return fast_poll ? get() : a; }'
    expect(
      found(
        `static bool fast_poll = 1; module_param(fast_poll, bool, 0644); ${code}`,
        `static bool fast_poll = 1; ${code}`,
      ),
    ).toBe('warning fast_poll poll_it uses fast_poll')
  })

  test('when its last writer is removed, whoever reads it', () => {
    const readers = `int is_shut(int a) { return shut_level >= a; }
      static inline int level(void) { return shut_level; } int show_level(void) { return level() + get(); }`
    expect(
      found(
        `static int shut_level; void shut(int a) { if (shut_level < a) shut_level = a; } ${readers}`,
        `static int shut_level; void shut(int a) { if (shut_level < a) say("no"); } ${readers}`,
      ),
    ).toBe('warning shut_level shut, is_shut and level use shut_level')
  })

  test('when the code of the start was the last that wrote it', () => {
    const code = 'int may_trace(void) { return trace_on && get(); }'
    expect(
      found(
        `static int trace_on; ${code} int __init set_trace(char *s) { trace_on = *s; return 1; }`,
        `static int trace_on; ${code}`,
      ),
    ).toBe('warning trace_on may_trace uses trace_on')
  })

  test('when it becomes a constant', () => {
    const code = 'int below_limit(int a) { return a < queue_limit; }'
    expect(
      found(
        `static int queue_limit = 8; ${code} void set_limit(int a) { queue_limit = a; }`,
        `static const int queue_limit = 8; ${code}`,
      ),
    ).toBe('warning queue_limit below_limit uses queue_limit')
  })

  test('when it is a function’s own', () => {
    expect(
      found(
        'int once_only(int a) { static int was_here; if (was_here) return 0; was_here = a; return get(); }',
        'int once_only(int a) { static int was_here; if (was_here) return 0; return get(); }',
      ),
    ).toBe('warning was_here once_only uses was_here')
  })

  test('when it is used through a macro', () => {
    const code = '#define SLOW (slow_path + 1)\nint go_slow(void) { return SLOW * get(); }'
    expect(
      found(`static int slow_path;\n${code}\nvoid slow(void) { slow_path = 1; }`, `static int slow_path;\n${code}`),
    ).toBe('warning slow_path go_slow uses slow_path')
  })

  test('as a note, when only its readers are removed', () => {
    expect(
      found(
        'static int last; void hit(int a) { last = a; say("x"); } int last_hit(void) { return last; }',
        'static int last; void hit(int a) { last = a; say("x"); } int last_hit(void) { return 0; }',
      ),
    ).toBe('note last hit uses last')
  })
})

describe('a variable is not asked about', () => {
  test.each([
    [
      'that goes with all its users',
      'static int old_count; int count_it(void) { return ++old_count; }',
      'int count_it(void) { return get(); }',
    ],
    [
      'that the compiler keeps',
      'static int kept_on = 1; int is_on(void) { return kept_on; } void off(void) { kept_on = 0; }',
      'static int kept_on __used = 1; int is_on(void) { return kept_on; }',
    ],
    [
      'that another writer is left of',
      'static int two_of; int of(void) { return two_of; } void one(int a) { two_of = a; } void two(int ' +
        'a) { two_of = a * 2; }',
      'static int two_of; int of(void) { return two_of; } void one(int a) { two_of = a; }',
    ],
    [
      'whose name a member or a local variable has',
      'static int depth; struct q { int depth; }; int d(struct q *q) { return depth++ + q->depth; }',
      'struct q { int depth; }; int d(struct q *q) { int depth = get(); return depth + q->depth; }',
    ],
    [
      'that only the start still writes',
      'static int seed; int seeded(void) { return seed; } int __init sow(void) { seed = get(); return 0; }',
      'static int seed; int seeded(void) { return get(); } int __init sow(void) { seed = get(); return 0; }',
    ],
    [
      'that never was one',
      'static int fixed = 4; int by(int a) { return a * fixed; }',
      'static int fixed = 4; int by(int a) { return a * fixed + 1; }',
    ],
  ])('%s', (_what, before, after) => {
    expect(found(before, after)).toBe('')
  })
})
