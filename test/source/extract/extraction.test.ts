// SPDX-License-Identifier: GPL-3.0-or-later
// Extracts of small C files, by real compilers: each must compile without a new warning and be the same machine code.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { compiler, work } from '../../objects.ts'
import { clang, compile, extract, same, type Wish } from '../extracts.ts'

/** Constructs of the kernel's C. Each defines wanted(), and something that must not come along. */
const constructs: Readonly<Record<string, { source: string; wish?: Wish; has?: string[]; lacks?: string[] }>> = {
  'a function with its comment, its types and the functions that it calls': {
    source: `
/* Not this one. */
struct other { int z; };
/* A point on the map. */
struct point {
	int x, y;	/* both in metres */
};
int unused(struct other *o) { return o->z; }
/* Adds. */
static int add(int a, int b)
{
	return a + b;
}

/*
 * What is wanted.
 */
int wanted(struct point *p)
{
	return add(p->x, p->y);	/* here */
}
`,
    has: ['/* A point on the map. */', '/* both in metres */', '/* Adds. */', ' * What is wanted.\n', '/* here */'],
    lacks: ['other', 'unused'],
  },
  'local names that hide names of the file, members and labels of the same name': {
    source: `
struct size { int count; };
static int count(void) { return 1; }
static int total = 1;
enum { out = 3 };
int *both(void) { total += count() + out; return &total; }
int wanted(struct size *total)
{
	for (int count = 0; count < 3; count++)
		if (total->count == count)
			goto out;
	return 1;
out:
	return total->count;
}
`,
    lacks: ['static int count', 'total = 1', 'enum'],
  },
  conditions: {
    source: `
#define HAVE_A 1
#if defined(HAVE_A) && !defined(HAVE_B)
typedef int number;
#else
typedef long number;
#error "don't come here"
#endif
number wanted(number a
#ifdef HAVE_B
	, int b
#endif
	)
{
#if 0
	it's no C
#elif defined HAVE_A
	a++;
#else
	a--;
#endif
	return a;
}
`,
    has: ['typedef int number;', '\ta++;'],
    lacks: ['#if', '#e', 'HAVE_B', "it's", 'a--', 'HAVE_A'],
  },
  'per-CPU variables, static keys, static calls and register variables, as the kernel writes them': {
    source: `
#define DECLARE_PER_CPU(type, name) extern __attribute__((section(".data..percpu"))) __typeof__(type) name
#define DEFINE_PER_CPU(type, name) __attribute__((section(".data..percpu"))) __typeof__(type) name
#define this_cpu_inc(name) asm("incl %%gs:%P0" : "+m" (name))
struct static_key { int enabled; void *entries; };
struct static_key_false { struct static_key key; };
#define DEFINE_STATIC_KEY_FALSE(name) struct static_key_false name = { .key = { 0 } }
#define static_branch_unlikely(x) arch_static_branch(&(x)->key, 0)
static inline __attribute__((always_inline)) int arch_static_branch(struct static_key *key, int branch)
{
	asm goto("1: .byte 0x0f, 0x1f, 0x44, 0, 0\\n"
		".pushsection __jump_table, \\"aw\\"\\n"
		".balign 8\\n"
		".long 1b - ., %l[yes] - .\\n"
		".quad %c0 + %c1 - .\\n"
		".popsection" : : "i" (key), "i" (branch) : : yes);
	return 0;
yes:
	return 1;
}
#define DECLARE_STATIC_CALL(name, func) extern struct call __SCK_##name; extern __typeof__(func) __SCT_##name
#define static_call(name) ({ __asm__ volatile("" : : "i" (&__SCK_##name)); &__SCT_##name; })
struct call { void *func; };
int answer(int n);
DECLARE_STATIC_CALL(answered, answer);
DECLARE_PER_CPU(int, hits);
DEFINE_PER_CPU(int, hits);
DEFINE_STATIC_KEY_FALSE(loud);
DEFINE_PER_CPU(int, misses);
register unsigned long stack_pointer asm("rsp");
int wanted(int n)
{
	this_cpu_inc(hits);
	if (static_branch_unlikely(&loud))
		return static_call(answered)(n);
	return n + (int)stack_pointer;
}
`,
    wish: { externalize: ['hits', 'loud'] },
    has: ['register unsigned long stack_pointer asm("rsp");', 'extern struct static_key_false loud'],
    lacks: ['misses', 'DEFINE_STATIC_KEY_FALSE(loud);'],
  },
  'a macro that is defined anew': {
    source: `
#define STEP 1
static int one(int a) { return a + STEP; }
#undef STEP
#define UNUSED 7
#define STEP (TWO)
#define TWO 2
int wanted(int a)
{
	return one(a) + STEP;
}
#undef STEP
#define STEP 3
int other(int a) { return a + STEP; }
`,
    has: ['#define STEP 1\n', '#undef STEP\n#define STEP (TWO)\n', '#define TWO 2'],
    lacks: ['UNUSED', 'STEP 3', 'other'],
  },
  'macros that paste names, take arguments over lines, and define functions': {
    source: `
#define FLAG_red 1
#define FLAG_blue 2
#define FLAG(colour) FLAG_##colour
#define GETTER(name, value) \\
	static int get_##name(void) \\
	{ \\
		return value; \\
	}
GETTER(red, FLAG(red))
GETTER(blue, FLAG(blue))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
int wanted(int a)
{
	return MAX(a,
		   get_red()) + FLAG(red);
}
int other(void) { return get_blue(); }
`,
    has: ['#define FLAG_red 1', 'GETTER(red, FLAG(red))'],
    lacks: ['FLAG_blue', 'GETTER(blue'],
  },
  'attributes of every kind': {
    source: `
#define __init __attribute__((__section__(".init.text"))) __attribute__((__cold__))
#define __aligned(x) __attribute__((__aligned__(x)))
#define __must_check __attribute__((__warn_unused_result__))
#define __printf(a, b) __attribute__((__format__(printf, a, b)))
static __must_check int __init checked(int a);
static int __attribute__((noinline)) slow(int a) { return a * 3; }
struct __attribute__((packed)) tight { char c; int i __aligned(2); } __aligned(4);
static int __must_check __init __attribute__((noinline)) checked(int a) { return slow(a); }
__printf(1, 2) void say(const char *format, ...);
void done(int *p);
int wanted(struct tight *t)
{
	int left __attribute__((cleanup(done))) = t->i;
	switch (left) {
	case 1:
		left = checked(left);
		__attribute__((__fallthrough__));
	case 2 ... 5:
		say("%d\\n", left);
	}
	return slow(left);
}
`,
    wish: { externalize: ['checked', 'slow'], isOther: true },
    has: ['extern int __must_check checked(int a);', 'extern int slow(int a);', 'void done(int *p);'],
    lacks: ['__init'],
  },
  'assembly with operands, goto and symbols; computed goto; statement expressions; typeof': {
    source: `
static int in_asm __attribute__((used)) = 4;
static int beside = 4;
asm(".globl helper_in_asm\\nhelper_in_asm: ret");
#define twice(x) ({ __typeof__(x) __v = (x); __v + __v; })
int *keep(void) { return &beside; }
int wanted(int a)
{
	static const void *const table[] = { &&one, &&two };
	int b;

	asm volatile("movl in_asm(%%rip), %0" : "=r" (b) : "0" (a));
	asm goto("" : : [x] "r" (a) : "memory" : two);
	goto *table[a & 1];
one:
	return twice(b);
two:
	return b ?: twice(a);
}
`,
    wish: { externalize: ['in_asm'] },
    lacks: ['beside'],
  },
  'bit fields, flexible arrays, anonymous unions, nested designators': {
    source: `
enum kind { KIND_A, KIND_B = 4, KIND_MAX };
struct inner { unsigned a : 3, b : 5; };
struct box {
	enum kind kind;
	union {
		struct inner in;
		struct { char c[4]; };
	};
	int n;
	long data[];
};
static const struct box boxes[KIND_MAX] = {
	[KIND_A] = { .kind = KIND_A, .in.a = 1, .n = 2 },
	[KIND_B] = { .kind = KIND_B, .c = { [1] = 'x' }, },
};
struct lonely { int a; };
long wanted(struct box *b)
{
	return b->data[b->n] + b->in.b + boxes[b->kind].in.a + __builtin_offsetof(struct box, in);
}
`,
    has: ['static const struct box boxes'],
    lacks: ['lonely'],
  },
  'functions of old style, and pointers to functions': {
    source: `
typedef int (*operation)(int, int);
static int (*pick(int which))(int, int);
static int old(a, b)
	int a;
	int b;
{
	return a - b;
}
static int young(int a, int b) { return a + b; }
static int (*pick(int which))(int, int)
{
	return which ? old : young;
}
static int (*const unused[2])(int, int) = { old, young };
operation get(void) { return unused[1]; }
int wanted(int a, int b)
{
	operation o = pick(a);
	return o(a, b);
}
`,
    wish: { externalize: ['old'] },
    lacks: ['unused'],
  },
  'forward references between inline functions': {
    source: `
struct node;
static inline int odd(struct node *n);
static inline int even(struct node *n);
struct node { struct node *next; int v; };
static inline int even(struct node *n) { return n ? odd(n->next) : 1; }
static inline int odd(struct node *n) { return n ? even(n->next) : 0; }
struct nothing;
int wanted(struct node *n)
{
	return even(n);
}
`,
    has: ['struct node;\n', 'static inline int odd(struct node *n);'],
    lacks: ['nothing'],
  },
}

describe.each([compiler, ...(clang === undefined ? [] : [clang])])('by %s', (program) => {
  it.each(Object.entries(constructs))('keeps %s', async (_name, { source, wish, has, lacks }) => {
    const old = source.includes('old(a, b)') && program.startsWith('clang')
    const text = await (old
      ? extract(source, { ...wish, program }).then((it) => it.text)
      : same(source, { ...wish, program }))
    for (const part of has ?? []) expect(text).toContain(part)
    for (const part of lacks ?? []) expect(text).not.toContain(part)
  })
})

describe('What the program has already', () => {
  const source = `
#define __read_mostly __attribute__((__section__(".data..read_mostly")))
struct state { int n; };
static struct state state __read_mostly = { .n = 3 };
static const char *const names[] = { "a", "b", "c" };
static const char *titles[] __read_mostly = { [1] = "x", [4] = "y" };
static __read_mostly int first = 1, second = 2;
static enum { IDLE, BUSY } mode = IDLE;
struct { int anonymous; } global = { 1 };
static int helper(int a)
{
	return a + first;
}
int unused(void) { mode = BUSY; first = second = state.n = 3; return titles[0] == 0; }
int wanted(int a)
{
	static int calls;
	static const int weights[] = { 1, 2 };

	calls += weights[a & 1];
	if (mode == BUSY)
		return sizeof(titles) / sizeof(titles[0]) + names[a][0] + global.anonymous;
	return helper(state.n) + second + (titles[a] != 0);
}
`
  const bound = ['state', 'titles', 'first', 'second', 'mode', 'global', 'helper', 'wanted.calls']

  it('is declared with its type, and without what concerns only its definition', async () => {
    const text = await same(source, { externalize: bound, isOther: true })
    expect(text).toContain('extern struct state state;')
    expect(text).toContain('extern const char *titles[5];')
    expect(text).toContain('extern int second;')
    expect(text).toContain('extern enum { IDLE, BUSY } mode;')
    expect(text).toContain('extern struct { int anonymous; } global;')
    expect(text).toContain('extern int helper(int a);')
    expect(text).toContain('\textern int calls;\n')
    expect(text).toContain('static const int weights[] = { 1, 2 };')
    expect(text).toContain('static const char *const names[]')
    expect(text).not.toContain('read_mostly')
    expect(text).not.toMatch(/\bfirst\b/)
  })

  it('is never copied when it can be written: that is an error', async () => {
    const { findings } = await extract(source, { externalize: bound.filter((name) => name !== 'state') })
    expect(findings).toMatchObject([{ severity: 'error', rule: 'writable-copied', symbol: 'state' }])
    expect((await extract(source, { carry: true })).findings).toEqual([])
  })

  it('of a macro, which the text has no place for, is refused and not copied', async () => {
    const once = `#define ONCE(what) ({ static int done; if (!done) { done = 1; what; } })
void note(const char *text);
int wanted(int n) { ONCE(note("first")); return n; }
`
    const { findings } = await extract(once, { externalize: ['wanted.done'] })
    expect(findings).toMatchObject([{ severity: 'error', rule: 'writable-copied', symbol: 'wanted.done' }])
    const written = once.replace('ONCE(note("first"))', 'static int done; done++')
    const { text } = await extract(written, { externalize: ['wanted.done'] })
    expect(text).toContain('extern int done;')
    expect(text).not.toContain('static')
  })

  it('is a rate limit that the author named, whatever its name; one of a macro starts anew', async () => {
    const head = `struct ratelimit_state { int interval, burst; };
int ___ratelimit(struct ratelimit_state *rs, const char *func);
#define __ratelimit(state) ___ratelimit(state, __func__)
#define DEFINE_RATELIMIT_STATE(name, i, b) struct ratelimit_state name = { i, b }
int _printk(const char *fmt, ...);
#define limited(n) ({ static DEFINE_RATELIMIT_STATE(_rs, 5, 10); if (__ratelimit(&_rs)) _printk("%d", n); (n); })
`
    const own = (name: string) =>
      `${head}int wanted(int n)\n{\n\tstatic DEFINE_RATELIMIT_STATE(${name}, 5, 10);\n\n\treturn ` +
      `__ratelimit(&${name}) ? n : 0;\n}\n`
    for (const name of ['_rs', '__rs', 'rs', 'descriptor', '__warned']) {
      const { text, findings } = await extract(own(name), { externalize: [`wanted.${name}`] })
      expect(findings).toEqual([])
      expect(text).toContain(`\textern struct ratelimit_state ${name};\n`)
      expect(text).not.toContain('static')
      const copied = await extract(own(name))
      expect(copied.findings).toMatchObject([{ severity: 'error', rule: 'writable-copied', symbol: `wanted.${name}` }])
    }
    const file =
      `${head}static DEFINE_RATELIMIT_STATE(_rs, 5, 10);\nint wanted(int n) { return ` +
      `__ratelimit(&_rs) ? n : 0; }\n`
    const bound = await extract(file, { externalize: ['_rs'] })
    expect(bound.findings).toEqual([])
    expect(bound.text).toContain('extern struct ratelimit_state _rs;\n')
    const macro = await extract(`${head}int wanted(int n) { return limited(n); }\n`, {
      externalize: ['wanted._rs'],
    })
    expect(macro.findings).toEqual([])
    expect(macro.text).toContain('return limited(n);')
  })

  it('hands on the address of the running function, also of one that is replaced', async () => {
    const handed = `void add(int (*action)(int));
static __attribute__((noinline)) int helper(int a) { return a * 7; }
int wanted(int n) { add(helper); return helper(n); }
`
    const { text } = await extract(handed, {
      externalize: ['helper'],
      functions: ['wanted', 'helper'],
      rename: true,
    })
    expect(text).toContain('extern int helper(int a);\n')
    expect(text).toContain('add(helper); return livepatch_helper(n);')
    expect(compile(compiler, text).messages).toBe('')
  })

  it('leads from one replaced function to the other one', async () => {
    const { text } = await extract(source, {
      externalize: bound,
      functions: ['wanted', 'helper'],
      rename: true,
    })
    expect(text).toContain('int livepatch_helper(int a);\n')
    expect(text).toContain('\nint livepatch_helper(int a)\n{')
    expect(text).toContain('return livepatch_helper(state.n)')
    expect(text).not.toMatch(/\bhelper\(/)
    expect(compile(compiler, text).messages).toBe('')
  })
})

describe('A file', () => {
  it('that includes code of its own is read with it', async () => {
    writeFileSync(
      path.join(work, 'code.c'),
      'static int state;\n__attribute__((noinline)) int from_code(int a)\n{\n\treturn a + state++;\n}\n',
    )
    writeFileSync(
      path.join(work, 'table.h'),
      'static int table[] = { 1, 2 };\n__attribute__((noinline)) static int in_header(int ' +
        'a)\n{\n\treturn table[a]++;\n}\n',
    )
    writeFileSync(path.join(work, 'plain.h'), 'struct plain { int a; };\n')
    const text = await same(
      '#include "plain.h"\n#include "table.h"\n#include "code.c"\nint wanted(struct plain ' +
        '*p)\n{\n\treturn in_header(p->a) + from_code(1);\n}\nint more(int a) { return in_header(a); }\n',
      { externalize: ['state', 'table', 'from_code'], isOther: true },
    )
    expect(text).toContain('#include "plain.h"\n')
    expect(text).not.toContain('code.c')
    expect(text).toContain('extern int from_code(int a);')
  })

  it('keeps the macros that its headers ask for', async () => {
    writeFileSync(
      path.join(work, 'template.h'),
      '#ifndef KIND\n#error "KIND is missing"\n#endif\n#ifndef LEVEL\n#define LEVEL 1\n#endif\nstatic ' +
        'inline KIND make(int a) { return a; }\n',
    )
    const text = await same(
      '#define KIND long\n#define OTHER 1\n#include "template.h"\nlong wanted(int a)\n{\n\treturn make(a);\n}\n',
    )
    expect(text).toContain('#define KIND long\n#include "template.h"')
    expect(text).not.toContain('OTHER')
  })

  it('may have bytes that are no UTF-8', async () => {
    const text = await same('/* caf\xe9 */\nconst char *wanted(void)\n{\n\treturn "\xff\xfe";\n}\n')
    expect(text).toContain('"\xff\xfe"')
    expect(text).toContain('caf\xe9')
  })

  it('without the function is refused in one sentence', async () => {
    await expect(extract('int f(void) { return 1; }\n')).rejects.toMatchObject({
      kind: 'usage',
      code: 'no-such-function',
      message: expect.stringContaining('does not define wanted()'),
    })
  })

  it('that does not go through the preprocessor is refused', async () => {
    await expect(extract('#include "none.h"\nint wanted(void) { return 1; }\n')).rejects.toMatchObject({
      kind: 'patch',
      code: 'does-not-preprocess',
      detail: expect.stringContaining('none.h'),
    })
  })
})
