// SPDX-License-Identifier: GPL-3.0-or-later
// Functions of a whole unit against the same functions of extracts of it, as compilers make them.
import { describe, expect, test } from 'vitest'
import { readObject } from '../../../src/elf/read.ts'
import { type Agreement, compareFunctions } from '../../../src/source/compare/same-code.ts'
import { kernelWords } from '../../cases.ts'
import { compilers, compileWith } from '../../objects.ts'

function object(compiler: string, text: string, ...flags: string[]) {
  return readObject(compileWith(compiler, `${kernelWords}${text}`, flags), 'unit.o')
}

const newest = (family: string) => compilers.filter((name) => name.startsWith(family)).slice(-1)
const gcc = newest('gcc')[0]!

function agreement(unit: string, extract: string, name: string, as = name, compiler = gcc): Agreement {
  return compareFunctions(object(compiler, unit), object(compiler, extract), [{ name, as }]).get(name)!
}

const same = { identical: true, carried: [] }

describe.each([...newest('gcc'), ...newest('clang')])('with %s, a function is the same', (compiler) => {
  const check = (unit: string, extract: string, name: string, as = name) =>
    expect(agreement(unit, extract, name, as, compiler)).toEqual(same)

  test('when the extract only names what the unit defines', () => {
    check(
      `static int state[4]; static noinline int step(int x) { say("step"); return state[x & 3] += get(); } int first(int x) { return step(x) + state[1]; }
       int second(int x) { return step(x + 1); }`,
      'extern int state[4]; extern int step(int); int first(int x) { return step(x) + state[1]; }',
      'first',
    )
  })

  test('when it is replaced under another name, and calls itself and others that are', () => {
    check(
      `noinline int odd(int); noinline int even(int x) { if (x > 100) return even(x - 10) + get(); return x == 0 ? 1 : odd(x - 1) + get(); }
       noinline int odd(int x) { return x == 0 ? 0 : even(x - 1) - get(); }`,
      'int odd(int); int livepatch_even(int x) { if (x > 100) return livepatch_even(x - 10) + get(); ' +
        'return x == 0 ? 1 : odd(x - 1) + get(); }',
      'even',
      'livepatch_even',
    )
  })

  test('when its strings, tables and constants have other neighbours', () => {
    check(
      `const char *other(int i) { static const char *const names[] = { "x", "y" }; say("other"); return names[i]; }
       double number(double x) { return x * 1.25; }
       const char *named(int i) { static const char *const names[] = { "one", "two", "three" }; say("named"); return names[i]; }`,
      'const char *named(int i) { static const char *const names[] = { "one", "two", "three" }; ' +
        'say("named"); return names[i]; }',
      'named',
    )
  })

  test('when it says its own name and its place, and both have changed', () => {
    check(
      `# 500 "fs/unit.c"
       void complain(int x) { if (x) say("%s %d %s", __FILE__, __LINE__, __func__); if (x > 3) say("at " __FILE__ ":502"); }`,
      `# 20 "livepatch/fs-unit.c"
       void livepatch_complain(int x) { if (x) say("%s %d %s", __FILE__, __LINE__, __func__); if (x > 3) say("at " __FILE__ ":22"); }`,
      'complain',
      'livepatch_complain',
    )
  })

  test('when the running copy of its static variable is named by a label', () => {
    const count = compiler.startsWith('clang') ? 'tick.count' : 'count.0'
    check(
      'int tick(void) { static int count; return ++count; }',
      `extern int tick_count NAMED("__livepatch_symbol.vmlinux.0.${count}"); int tick(void) { return ++tick_count; }`,
      'tick',
    )
  })

  test('with its table of places that may fault, whose file and line have changed', () => {
    const bug =
      `#define BUG() asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - ` +
      `2b\\n.long %c0 - 2b\\n.word %c1\\n.word %c2\\n.org 2b+12\\n.popsection" : : "i" (__FILE__), "i" ` +
      '(__LINE__), "i" (1))'
    check(
      `${bug}
       # 300 "fs/unit.c"
       void other(void) { BUG(); } void stop(int x) { if (x) BUG(); say("on"); }`,
      `${bug}
       # 12 "livepatch/fs-unit.c"
       void livepatch_stop(int x) { if (x) BUG(); say("on"); }`,
      'stop',
      'livepatch_stop',
    )
  })
})

test('the cold part of a function counts with it', () => {
  const text = (code: number, name: string) =>
    `noinline int ${name}(int x) { if (x > 77) { die(); say("bad %d", x); return ${code}; } return get(); }`
  const unit = `${text(5, 'work')} int more(int x) { if (x < 3) { die(); say("worse"); } return get(); }`
  expect(object(gcc, unit).symbols.map(({ name }) => name)).toContain('work.cold')
  expect(agreement(unit, text(5, 'livepatch_work'), 'work', 'livepatch_work')).toEqual(same)
  expect(agreement(unit, text(6, 'work'), 'work')).toMatchObject({ identical: false })
})

describe('a difference is put into its class:', () => {
  const differs = (unit: string, extract: string, name = 'work', as = name) => {
    const found = agreement(unit, extract, name, as)
    if (found.identical) throw new Error('They are the same')
    expect(found.message).toMatch(/[^.]$/)
    return [found.class, found.message]
  }

  test('the function is not there', () => {
    expect(differs('int work(void) { return 1; }', 'int other(void) { return 1; }')).toEqual([
      'left-out',
      'work is not in the object of the extract',
    ])
    expect(differs('int other(void) { return 1; }', 'int work(void) { return 1; }')).toEqual([
      'missing',
      'work is not in the object of the unit',
    ])
  })

  test('a clone has other parameters', () => {
    const [kind, message] = differs(
      'static noinline int work(int x, int y) { say("work"); return x + y * 3 + get(); } int a(int x) { ' +
        'return work(x, 4); } int b(int x) { return work(x + 1, 4); }',
      `int work(int x, int y) { say("work"); return x + y * 3 + get(); }`,
    )
    expect(kind).toBe('other-clone')
    expect(message).toMatch(/work\.(constprop|isra)/)
  })

  test('what the unit has inlined is called', () => {
    const [kind, message] = differs(
      'int helper(int x) { return x * 3; } int work(int x) { return helper(x) + get(); }',
      'int helper(int x); int work(int x) { return helper(x) + get(); }',
    )
    expect(kind).toBe('other-inlining')
    expect(message).toContain('calls helper')
  })

  test('what the unit calls is inlined', () => {
    const [kind, message] = differs(
      'noinline int helper(int x) { return x * 3 + get(); } int work(int x) { return helper(x); }',
      'static int helper(int x) { return x * 3 + get(); } int work(int x) { return helper(x); }',
    )
    expect(kind).toBe('other-inlining')
    expect(message).toContain('helper')
  })

  test('what the unit has split off for several callers is inlined into the only one', () => {
    const [kind, message] = differs(
      'int part(int) NAMED("check.part.0"); int work(int x) { return x < 0 ? 0 : part(x); }',
      'int work(int x) { return x < 0 ? 0 : get() * x; }',
    )
    expect(kind).toBe('other-split')
    expect(message).toContain('check.part.0')
  })

  test('other data are used', () => {
    expect(
      differs('extern int a, b; int work(void) { return a; }', 'extern int a, b; int work(void) { return b; }'),
    ).toEqual([
      'other-reference',
      'It uses b, of which the unit needs nothing there; it does not use a as the unit does',
    ])
    expect(
      differs(
        'extern int a[4]; int work(void) { return a[1]; }',
        'extern int a[4]; int work(void) { return a[2]; }',
      )[0],
    ).toBe('other-reference')
    expect(differs('void work(void) { say("a"); }', 'void work(void) { say("b"); }')[0]).toBe('other-reference')
  })

  test('the same is called more often', () => {
    expect(
      differs(
        'int work(int x) { if (x) say("a", x); return get(); }',
        'int work(int x) { if (x) say("a", x); get(); return get(); }',
      )[0],
    ).toBe('other-calls')
  })

  test('blocks stand in another order', () => {
    const asm = (code: string) => `asm(".globl work; .type work,@function; work: ${code} .size work, .-work");`
    expect(
      differs(
        asm('test %edi,%edi; je 1f; mov $1,%eax; ret; 1: mov $2,%edx; mov %rdx,%rax; ret;'),
        asm('test %edi,%edi; jne 1f; mov $2,%edx; mov %rdx,%rax; ret; 1: mov $1,%eax; ret;'),
      )[0],
    ).toBe('other-order-of-blocks')
    expect(differs(asm('mov %rdi,%rax; ret;'), asm('mov %rsi,%rax; ret;'))[0]).toBe('other-registers')
    expect(differs(asm('mov %rdi,%rax; ret;'), asm('lea 1(%rdi),%rax; ret;'))[0]).toBe('other-size')
    expect(differs(asm('add %rdi,%rax; ret;'), asm('sub %rdi,%rax; ret;'))[0]).toBe('other-code')
  })

  test('other registers and places on the stack are no other numbers', () => {
    const work = (code: string) => `asm(".globl work; .type work,@function; work: ${code} ret; .size work, .-work");`
    const compared = (unit: string, extract: string) => differs(work(unit), work(extract))
    expect(compared('add $8,%rdi; mov %rdi,%rax;', 'add $8,%rsi; mov %rsi,%rax;')[0]).toBe('other-registers')
    expect(compared('mov 8(%rsp),%rdi; push %rdi;', 'mov 16(%rsp),%r9; push %rsi;')[0]).not.toBe('other-constants')
    expect(compared('mov 8(%rsp),%rdi;', 'mov 16(%rsp),%rsi;')[0]).toBe('other-registers')
    expect(compared('sub $24,%rsp; mov (%rbx),%rdi;', 'sub $40,%rsp; mov (%rbp),%rdi;')[0]).toBe('other-registers')
    expect(
      compared('mov %rdi,%rax; cmp %rsi,%rdi; jl 1f; nop; 1:', 'mov %rsi,%rax; cmp %rdi,%rsi; jl 1f; nop; 1:')[0],
    ).toBe('other-registers')
  })

  test.each([
    ['a number', 'add $8,%rdi; mov %rdi,%rax;', 'add $9,%rsi; mov %rsi,%rax;', 'other-constants'],
    ['a number of 8 bytes', 'movabs $0x1122334455667788,%rax;', 'movabs $0x1122334455667789,%rdx;', 'other-constants'],
    ['a member', 'mov 8(%rdi),%rax;', 'mov 16(%rsi),%rax;', 'other-constants'],
    ['one of two numbers', 'movl $1,8(%rdi);', 'movl $1,12(%rsi);', 'other-constants'],
    ['a number where the unit has none', 'mov (%rdi),%rax;', 'mov 8(%rsi),%rax;', 'other-constants'],
    ['a shift', 'shl $3,%rdi; mov %rdi,%rax;', 'shl $4,%rsi; mov %rsi,%rax;', 'other-constants'],
    ['add or sub', 'add $8,%rdi; mov %rdi,%rax;', 'sub $8,%rsi; mov %rsi,%rax;', 'other-code'],
    ['shl or shr', 'shl $3,%rdi; mov %rdi,%rax;', 'shr $3,%rsi; mov %rsi,%rax;', 'other-code'],
    ['not or neg', 'not %rdi; mov %rdi,%rax;', 'neg %rsi; mov %rsi,%rax;', 'other-code'],
    ['inc or dec', 'incl (%rdi);', 'decl (%rsi);', 'other-code'],
    ['bts or btr', 'bts $3,%rdi;', 'btr $3,%rsi;', 'other-code'],
    ['a load or a store', 'mov (%rdi),%rax;', 'mov %rsi,(%rdx);', 'other-code'],
    ['a condition', 'cmp %rsi,%rdi; jl 1f; mov %rdi,%rax; 1:', 'cmp %rdi,%rsi; jg 1f; mov %rsi,%rax; 1:', 'other-code'],
    [
      'a condition, with the blocks in another order',
      'cmp %rsi,%rdi; jl 1f; mov %rdi,%rax; ret; 1: mov %rsi,%rdx;',
      'cmp %rsi,%rdi; jb 1f; mov %rsi,%rdx; ret; 1: mov %rdi,%rax;',
      'other-code',
    ],
  ])('%s is no difference of registers', (_name, unit, extract, expected) => {
    const work = (code: string) => `asm(".globl work; .type work,@function; work: ${code} ret; .size work, .-work");`
    const [kind, message] = differs(work(unit), work(extract))
    if (expected === 'other-constants') expect(message).toMatch(/^It has .* where the unit has /)
    expect(kind).toBe(expected)
  })

  test('an entry of a table leads elsewhere', () => {
    const guarded = (way: string) =>
      `int other; void work(void) { asm volatile("1: nop\\n.pushsection __ex_table,\\"a\\"\\n.long 1b - ` +
      `.\\n.long ${way} - .\\n.long 0\\n.popsection\\n2: nop\\n3:"); }`
    expect(differs(guarded('2f'), guarded('3f'))[0]).toBe('other-tables')
  })
})

describe('what the extract has of its own besides', () => {
  test('is named when it differs from what the unit has', () => {
    const found = agreement(
      `static const int sizes[] = { 1, 2, 3 }; static noinline int helper(int x) { return get() + x; }
       int work(int x) { return helper(x) + sizes[x]; } int more(int x) { return helper(x + 1); }`,
      `static const int sizes[] = { 1, 2, 4 }; static noinline int helper(int x) { return get() - x; }
       int work(int x) { return helper(x) + sizes[x]; }`,
      'work',
    )
    expect(found.identical).toBe(true)
    expect(found.carried.map((one) => [one.name, one.class])).toEqual([
      ['helper', 'other-code'],
      ['sizes', 'other-data'],
    ])
  })

  test('may not be a second copy of a variable', () => {
    const text = 'static int state; int work(int x) { return state += x; }'
    expect(agreement(text, text, 'work')).toMatchObject({
      identical: true,
      carried: [{ name: 'state', class: 'second-copy', of: ['state'] }],
    })
  })

  test('is told with all of which it may be the copy, where several have its name', () => {
    const text = (name: string, sign: string) =>
      `static noinline int ${name}(int x) { static int c; c ${sign}= x; return c; }`
    const unit = `${text('one', '+')} ${text('two', '^')} int work(int x) { return one(x) + two(x + 1); }`
    const { carried } = agreement(unit, unit, 'work')
    expect(carried.map((one) => one.class)).toEqual(['second-copy', 'second-copy'])
    for (const { of = [] } of carried) {
      expect(of).not.toEqual([])
      for (const name of of) expect(name).toMatch(/^c\.\d+$/)
    }
  })
})

test('several functions are compared at once', () => {
  const unit = 'int a(int x) { return x + get(); } int b(int x) { return x - get(); }'
  const extract = 'int livepatch_a(int x) { return x + get(); } int livepatch_b(int x) { return x * get(); }'
  const functions = ['a', 'b'].map((name) => ({ name, as: `livepatch_${name}` }))
  const found = compareFunctions(object(gcc, unit), object(gcc, extract), functions)
  expect([...found].map(([name, { identical }]) => [name, identical])).toEqual([
    ['a', true],
    ['b', false],
  ])
})
