// SPDX-License-Identifier: GPL-3.0-or-later
// Constructs of C that once gave an extract which was wrong, or did not compile; and their siblings. Each extract must
// compile without a warning and be the same machine code as its unit.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { compiler, work } from '../objects.ts'
import { clang, extract, same, type Wish } from './extracts.ts'

interface Case {
  readonly source: string
  /** Other files, by their paths in the unit's directory. */
  readonly files?: Readonly<Record<string, string>>
  readonly wish?: Wish
  readonly has?: readonly string[]
  readonly lacks?: readonly string[]
  /** Only gcc has it. */
  readonly gcc?: true
}

const kinds: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  'a macro ends where the unit ends it': {
    'inside of the function that defines it': {
      source: `
static int level = 5;
static int first(int a)
{
#define level 7
	a += level;
#undef level
	return a;
}
static int second(int a) { return a + level; }
int *hand(void) { level++; return &level; }
int wanted(int a) { return first(a) * second(a); }
`,
      wish: { externalize: ['level'] },
    },
    'behind the function that defines it': {
      source: `
static int first(int a)
{
#define level 7
	return a + level;
}
#undef level
static int level = 5;
static int second(int a) { return a + level; }
int *hand(void) { level++; return &level; }
int wanted(int a) { return first(a) * second(a); }
`,
      wish: { externalize: ['level'] },
    },
    'and begins anew with another value in the same function': {
      source: `
int wanted(int a)
{
#define step 2
	a += step;
#undef step
#define step 3
	a *= step;
#undef step
	{ int step = a; return step; }
}
`,
    },
    'with parameters, named like a function that another one calls': {
      source: `
int far(int a);
static int first(int a)
{
#define far(x) ((x) + 1)
	return far(a);
#undef far
}
int wanted(int a) { return first(a) + far(a); }
`,
    },
    'which is used through another macro': {
      source: `
static int size = 4;
#define area (size * 2)
static int first(int a)
{
#define size 9
	return a + area;
#undef size
}
int *hand(void) { size++; return &size; }
int wanted(int a) { return first(a) + area; }
`,
      wish: { externalize: ['size'] },
    },
  },
  'a macro of a header is ended by the unit': {
    'over a variable': {
      files: { 'over.h': 'extern int current_one;\nint *place(void);\n#define current_one (*place())\n' },
      source: '#include "over.h"\n#undef current_one\nint wanted(void) { return current_one; }\n',
      has: ['#undef current_one'],
    },
    'over a function': {
      files: { 'call.h': 'int call(int a);\n#define call(a) ((a) + 1)\n' },
      source: '#include "call.h"\n#undef call\nint wanted(int a) { return call(a); }\n',
    },
    'and defined anew': {
      files: { 'anew.h': '#define LIMIT 4\n' },
      source: '#include "anew.h"\n#undef LIMIT\n#define LIMIT 5\nint wanted(int a) { return a * LIMIT; }\n',
    },
    'over a member that a macro uses': {
      files: { 'member.h': 'struct it { int value; };\n#define value other\n' },
      source:
        '#include "member.h"\n#undef value\n#define get(x) ((x)->value)\nint wanted(struct it *i) { return get(i); }\n',
    },
    'before another header asks': {
      files: {
        'mode.h': '#define MODE 1\n',
        'asks.h':
          '#ifdef MODE\nstatic inline int ask(void) { return 1; }\n#else\nstatic inline int ask(void) { ' +
          'return 2; }\n#endif\n',
      },
      source: '#include "mode.h"\n#undef MODE\n#include "asks.h"\nint wanted(void) { return ask(); }\n',
    },
  },
  'a variable in a register stays in it': {
    'at the top': {
      source: 'register unsigned long sp asm("rsp");\nint wanted(void) { return sp & 15; }\n',
      wish: { externalize: ['sp'] },
      gcc: true,
    },
    'with attributes and a typedef': {
      source:
        'typedef unsigned long word;\nregister word sp __asm__("rsp") __attribute__((unused));\nword ' +
        'wanted(void) { return sp; }\n',
      wish: { externalize: ['sp'] },
      gcc: true,
    },
    'made by a macro': {
      source:
        '#define STACK(name) register unsigned long name asm("rsp")\nSTACK(here);\nunsigned long ' +
        'wanted(void) { return here; }\n',
      wish: { externalize: ['here'] },
      gcc: true,
    },
    'inside of a function': {
      source: 'int wanted(int a) { register int b asm("ecx") = a; asm volatile("" : "+r" (b)); return b; }\n',
    },
  },
  'attributes in front of static': {
    'on a function that is renamed': {
      source: `
__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	__builtin_printf("%s", format);
}
void wanted(void) { tell("%d", 1); }
`,
      wish: { functions: ['tell', 'wanted'], rename: true, externalize: ['tell'], isOther: true },
    },
    'by a macro, on a line of its own': {
      source: `
#define __printf(a, b) __attribute__((__format__(printf, a, b)))
__printf(1, 0)
static __attribute__((noinline)) int sprint(char *text, int size)
{
	return text[size];
}
int wanted(char *text) { return sprint(text, 1) + sprint(text, 2); }
`,
      wish: { functions: ['sprint'], rename: true, isOther: true },
    },
    'on one that stays private': {
      source: `
#define __printf(a, b) __attribute__((__format__(printf, a, b)))
void say(const char *text);
__printf(1, 2) static void tell(const char *format, ...)
{
	say(format);
}
void wanted(void) { tell("%d", 1); }
`,
      wish: { rename: true },
    },
    'on one that is bound': {
      source: `
#define __printf(a, b) __attribute__((__format__(printf, a, b)))
void say(const char *text);
__printf(1, 2) __attribute__((noinline)) static void tell(const char *format, ...)
{
	say(format);
}
void wanted(int a) { tell("%d", a); }
`,
      wish: { externalize: ['tell'], isOther: true },
      has: ['tell(const char *format, ...)'],
    },
    'several, and inline behind them': {
      source: `
__attribute__((cold)) __attribute__((noinline)) inline static int slow(int a) { return a * 3; }
int wanted(int a) { return slow(a) + slow(a + 1); }
`,
      wish: { functions: ['slow', 'wanted'], rename: true },
    },
  },
  'a pragma that a macro brings counts': {
    'pack, in front of a struct': {
      source: `
#define PACKED _Pragma("pack(1)")
#define UNPACKED _Pragma("pack()")
PACKED
struct tight { char c; int i; };
UNPACKED
struct loose { char c; int i; };
int wanted(struct tight *t, struct loose *l) { return t[1].i + l[1].i; }
`,
    },
    'on the line of the struct': {
      source: `
#define PACKED _Pragma("pack(push, 1)")
#define UNPACKED _Pragma("pack(pop)")
PACKED struct tight { char c; int i; }; UNPACKED
struct loose { char c; int i; };
int wanted(struct tight *t, struct loose *l) { return t[1].i + l[1].i; }
`,
    },
    'of a header': {
      files: {
        'packed.h': '#define BEGIN_PACKED _Pragma("pack(push, 1)")\n#define END_PACKED _Pragma("pack(pop)")\n',
      },
      source: `#include "packed.h"
BEGIN_PACKED
struct tight { char c; long i; };
END_PACKED
long wanted(struct tight *t) { return t[1].i; }
`,
    },
    'without a macro': {
      source: `
_Pragma("pack(1)")
struct tight { char c; int i; };
_Pragma("pack()")
int wanted(struct tight *t) { return t[1].i; }
`,
    },
    'as a directive, which ends at another one': {
      source: `
#pragma pack(push, 2)
struct tight { char c; int i; };
#pragma pack(pop)
struct loose { char c; int i; };
int wanted(struct tight *t, struct loose *l) { return t[1].i + l[1].i; }
`,
    },
  },
  'a gnu_inline function is only for taking in': {
    'where it is defined again': {
      source: `
extern inline __attribute__((gnu_inline)) int f(int a) { return a + 1; }
int g(int a) { return f(a); }
__attribute__((noinline)) int f(int a) { return a + 2; }
int wanted(int a) { return f(a) * 3; }
`,
      wish: { externalize: ['f'], isOther: true },
      has: ['extern int f(int a);'],
      lacks: ['a + 1', 'a + 2'],
    },
    'where it is defined again, and extracted': {
      source: `
extern inline __attribute__((gnu_inline)) int wanted(int a) { return a + 1; }
int g(int a) { return wanted(a); }
int wanted(int a) { return a + 2; }
`,
    },
    'by a macro of the kernel': {
      source: `
#define inline inline __attribute__((__gnu_inline__)) __attribute__((__unused__))
extern inline int f(int a) { return a + 1; }
int g(int a) { return f(a); }
__attribute__((noinline)) int f(int a) { return a + 2; }
int wanted(int a) { return f(a) * 3; }
`,
      wish: { externalize: ['f'], isOther: true },
      has: ['extern int f(int a);'],
      lacks: ['a + 1', 'a + 2'],
    },
    'where it is defined again, and copied': {
      source: `
extern inline __attribute__((gnu_inline)) int f(int a) { return a + 1; }
int g(int a) { return f(a); }
static int h(int a) { return f(a); }
int f(int a) { return a + 2; }
int wanted(int a) { return h(a) * 3; }
`,
    },
    'and not defined again': {
      source: `
extern inline __attribute__((gnu_inline)) int f(int a) { return a + 1; }
int wanted(int a) { return f(a) * 3; }
`,
    },
  },
  'only the function is renamed': {
    'not a tag of its name': {
      source: `
struct up { int n; };
int up(struct up *it) { struct up copy = *it; return copy.n; }
int wanted(struct up *it) { return up(it); }
`,
      wish: { functions: ['up', 'wanted'], rename: true },
      has: ['livepatch_up(struct up *it)'],
    },
    'not a member of its name': {
      source: `
struct seq { int (*show)(int); int pressure; };
static __attribute__((noinline)) int show(int a) { return a + 1; }
static __attribute__((noinline)) int pressure(struct seq *s) { return s->pressure + s->show(1); }
int wanted(int a) { struct seq s = { .show = show, .pressure = a }; return pressure(&s); }
`,
      wish: { functions: ['pressure', 'wanted'], rename: true, isOther: true },
      has: ['s->pressure', '.pressure = a', 'livepatch_pressure(&s)', 'int pressure;'],
    },
    'not a member that is declared or called': {
      source: `
int up(int a);
struct ops { int (*up)(int); };
static const struct ops ops = { up: up };
int up(int a) { struct ops local = { .up = 0 }; return local.up ? local.up(a) : a; }
int wanted(struct ops *o) { return o->up(1) + up(2) + ops.up(3); }
`,
      wish: { functions: ['up', 'wanted'], rename: true, externalize: ['up'], isOther: true },
    },
    'not a local variable, a label or a parameter': {
      source: `
__attribute__((noinline)) int count(int a) { return a * 5; }
static int inner(int (*count)(int)) { return count(1); }
int wanted(int a)
{
	int b = count(a);
	{
		int count = b;
		if (count > 3)
			goto count;
		b += count;
	}
count:
	return b + inner(0);
}
`,
      wish: { functions: ['count', 'wanted'], rename: true },
    },
    'not a tag in a cast or a sizeof of a macro': {
      source: `
struct map { long a[3]; };
enum mode { map_a };
#define bytes(x) sizeof(struct x)
int map(struct map *m) { return m->a[1]; }
int wanted(void *p) { return map((struct map *)p) + bytes(map); }
`,
      wish: { functions: ['map', 'wanted'], rename: true },
    },
  },
  'a header asks for macros wherever it is': {
    'over several lines': {
      files: {
        'far/ops.h':
          '#if !defined(OP) || \\\n    !defined(OP_OPTIONAL)\n#error ' +
          'missing\n#endif\nOP(one)\nOP_OPTIONAL(two)\n#undef OP\n#undef OP_OPTIONAL\n',
      },
      source: `
#define OP(name) static int name##_value(int a) { return a + sizeof(#name); }
#define OP_OPTIONAL OP
#include "far/ops.h"
int wanted(int a) { return one_value(a); }
int other(int a) { return two_value(a); }
`,
    },
    'with data that exists once': {
      files: {
        'far/keys.h': 'KEY(one)\nKEY_OPTIONAL(two)\n#undef KEY\n#undef KEY_OPTIONAL\n',
      },
      source: `
struct key { int on; };
#define KEY(name) struct key key_##name;
#define KEY_OPTIONAL(name) KEY(name)
#include "far/keys.h"
#define KEY(name) key_##name.on +
#define KEY_OPTIONAL(name) key_##name.on
int wanted(void)
{
	return
#include "far/keys.h"
	;
}
`,
      wish: { externalize: ['key_one', 'key_two'] },
      lacks: ['struct key key_##name'],
    },
    'with a table in a function': {
      files: { 'far/list.h': 'X(a, 1)\nX(b, 2)\n' },
      source: `
enum {
#define X(name, value) NAME_##name = value,
#include "far/list.h"
#undef X
};
const char *wanted(int a)
{
	switch (a) {
#define X(name, value) case NAME_##name: return #name;
#include "far/list.h"
#undef X
	}
	return 0;
}
`,
    },
    'that its inline functions use': {
      files: {
        'far/say.h':
          '#ifndef prefix\n#define prefix "none: "\n#endif\nstatic inline const char *say(void) { ' +
          'return prefix "hello"; }\n',
      },
      source: '#define prefix "mine: "\n#include "far/say.h"\nconst char *wanted(void) { return say(); }\n',
    },
  },
  'a header may use what stands above it': {
    'a type': {
      files: { 'uses.h': 'static inline number twice(number a) { return a * 2; }\n' },
      source: 'typedef long number;\n#include "uses.h"\nlong wanted(long a) { return twice(a); }\n',
    },
    'a variable': {
      files: { 'reads.h': 'static inline int reads(void) { return state; }\n' },
      source: `static int state = 1;
#include "reads.h"
int *hand(void) { state++; return &state; }
int wanted(void) { return reads(); }
`,
      wish: { externalize: ['state'] },
    },
    'a function': {
      files: { 'calls.h': 'static inline int calls(int a) { return helper(a) + 1; }\n' },
      source: `static __attribute__((noinline)) int helper(int a) { return a * 3; }
#include "calls.h"
int wanted(int a) { return calls(a); }
`,
    },
    'a struct, whose size it asks for': {
      files: { 'size.h': 'static inline unsigned long size(void) { return sizeof(struct box); }\n' },
      source:
        'struct box { int a[7]; };\nstruct no { int b; };\n#include "size.h"\nunsigned long ' +
        'wanted(void) { return size(); }\n',
      lacks: ['struct no'],
    },
  },
  'static variables of functions that are bound': {
    'on the line of their function': {
      source: `
static inline int deep(int n) { static int calls; return calls += n; }
int wanted(int a) { return deep(a); }
int other(int a) { return deep(a) + 1; }
`,
      wish: { externalize: ['deep.calls'], isRunning: true },
      has: ['static inline int deep(int n) { extern int calls LIVEPATCH_SYMBOL('],
    },
    'of several functions on one line': {
      source:
        'static int one(int n) { static int calls; return calls += n; } int wanted(int a) { static int ' +
        'hits; return one(a) + hits++; } int other(int a) { return one(a) + 1; }\n',
      wish: { externalize: ['one.calls', 'wanted.hits'], rename: true, isRunning: true },
      lacks: ['other'],
    },
    'in one declaration': {
      source: `
int wanted(int a)
{
	static int x = 3,
		z[3] = { 1, 2 };
	static int (*ops[2])(int), (*one)(int);

	if (one)
		ops[a] = one;
	one = ops[1];
	x += ops[a](a);
	z[a]++;
	return z[a]++ + x;
}
`,
      wish: {
        externalize: ['wanted.x', 'wanted.z', 'wanted.ops', 'wanted.one'],
        isRunning: true,
      },
    },
    'some of one declaration, others new': {
      source: 'int wanted(int a) { static int x = 3, y = 7; x += a; y += x; return y; }\n',
      wish: { externalize: ['wanted.x'], carry: true, isOther: true },
      has: ['static int y = 7;'],
    },
    'of a type that is declared with them': {
      source: `
int wanted(int a)
{
	static struct in { int n; char c; } x = { 3 }, *y;
	static struct { int n; } *p, q[2], *r[2];
	struct in *z = &x;

	q[a].n++;
	y = a ? &x : y;
	p = a ? q : p;
	r[a] = p;
	return z->n++ + y->c + p->n + r[1]->n;
}
`,
      wish: {
        externalize: ['x', 'y', 'p', 'q', 'r'].map((name) => `wanted.${name}`),
        isRunning: true,
      },
      gcc: true,
    },
    'with words before static': {
      source: `
int wanted(int a)
{
	int static calls = 4; const static int k[] = { 1, 2 }; __attribute__((aligned(16))) static long w = 9;
	unsigned static
	int left = 1;

	calls += a;
	left -= calls;
	return (calls + k[a] + w++ + left / 2) >> 1;
}
`,
      wish: { externalize: ['wanted.calls', 'wanted.w', 'wanted.left'], isRunning: true },
    },
    'in a function of old style, on one line': {
      source: `
static __attribute__((noinline)) int old(a, b) int a; int b; { static int calls = 4; return calls += a - b; }
int wanted(int a) { return old(a, 2) + old(a, a); }
`,
      wish: { externalize: ['old.calls'], functions: ['old', 'wanted'], rename: true, isRunning: true },
      gcc: true,
    },
    'under conditions, behind attributes, over lines': {
      source: `
__attribute__((noinline)) static
int one(int n[static 3])
{
	static int
#ifdef NOPE
		calls = 4
#else
		calls = 5
#endif
		; return calls += n[2];
}
int wanted(int *a) { return one(a); }
`,
      wish: { externalize: ['one.calls'], functions: ['one', 'wanted'], rename: true, isRunning: true },
      lacks: ['NOPE'],
    },
    'whose size only the initial value tells': {
      source:
        'int wanted(int a) { static char buf[] = "abc"; static int t[] = { 1, 2, 3 }; buf[a]++; t[a]++; ' +
        'return sizeof(buf) + sizeof(t) + buf[a] + t[0]; }\n',
      wish: { externalize: ['wanted.buf', 'wanted.t'], isRunning: true },
      has: ['extern char buf[4] ', 'extern int t[3] '],
    },
    'of functions that the compiler put into the extracted one': {
      source: `
static int count(void) { static int n = 3; return n++; }
static inline int inner(void) { static int m = 3; return m++; }
int other(int a) { return inner() - a; }
int wanted(int a) { return count() + inner() + a; }
`,
      wish: { externalize: ['count.n', 'inner.m'], isRunning: true },
      has: ['extern int n LIVEPATCH_SYMBOL(', 'extern int m LIVEPATCH_SYMBOL('],
    },
    'of one name in two functions': {
      source: `
static __attribute__((noinline)) int one(int n) { static int calls = 1; calls += n; return calls; }
static __attribute__((noinline)) int two(int n) { static int calls = 5; return calls -= n; }
int wanted(int a) { return one(a) + two(a); }
`,
      wish: {
        functions: ['one', 'two', 'wanted'],
        externalize: ['one.calls', 'two.calls'],
        rename: true,
        isRunning: true,
      },
      has: ['extern int one_calls ', 'return two_calls -= n;'],
    },
    'of the name of a variable of the file, and of members': {
      source: `
int calls;
struct s { int calls; };
int wanted(struct s *s)
{
	calls++;
	{
		static int calls = 5;
		struct s t = { .calls = calls };

		calls -= s->calls;
		return calls + t.calls;
	}
}
`,
      wish: { externalize: ['calls', 'wanted.calls'], isRunning: true },
      has: ['\tcalls++;', '.calls = wanted_calls', 'wanted_calls -= s->calls'],
    },
    'of the name of what another function declares': {
      source: `
__attribute__((noinline)) int two(int n) { extern int calls; return calls -= n; }
int wanted(int a) { static int calls; calls += a; return calls + two(a); }
`,
      wish: { externalize: ['wanted.calls'], isRunning: true, isOther: true },
      has: ['wanted_calls += a; return wanted_calls + two(a);'],
    },
    'which a macro of the tag\u2019s name declares, under another name of the file': {
      source: `
struct box { struct box *self; int n; };
#define DEFINE_BOX(box) struct box box = { &box, sizeof(box) }
int box;
int wanted(int a)
{
	static DEFINE_BOX(box);
	box.n += a;
	return box.self->n;
}
int other(int a)
{
	return wanted(a) + box++;
}
`,
      wish: {
        externalize: ['box', 'wanted.box'],
        functions: ['wanted', 'other'],
        rename: true,
        isRunning: true,
      },
      has: ['wanted_box.n += a;', 'return wanted_box.self->n;', '+ box++;'],
    },
    'of the tag of what a header declares': {
      files: {
        'crate.h': 'struct crate { int n; };\nextern struct crate first, *second;\nint weigh(struct crate *c);\n',
      },
      source: `
#include "crate.h"
#define DEFINE_CRATE(x) struct crate x = { sizeof(x) }
int wanted(int a)
{
	static DEFINE_CRATE(crate);
	first.n = second->n;
	crate.n += a;
	return weigh(&crate);
}
`,
      wish: { externalize: ['wanted.crate'], isRunning: true },
      has: ['\textern struct crate crate LIVEPATCH_SYMBOL(', '\tcrate.n += a;'],
    },
    'with addresses of its own code, which the running one does not have': {
      source: 'int wanted(int a) { static void *jump[] = { &&x, &&y }; goto *jump[a]; x: return 1; y: return 2; }\n',
      wish: { externalize: ['wanted.jump'] },
      has: ['static void *jump[] = { &&x, &&y };'],
    },
    'when the type is that of a pointer, without a name': {
      source: `
static struct { int a; } *first, second[2];
void *set(int a) { second[a].a = a; first = a ? second : first; return second; }
int wanted(void) { return first->a + second[1].a; }
`,
      wish: { externalize: ['first', 'second'] },
      has: ['extern __typeof__(*first) second[2];'],
    },
  },
  'a type that the unit defines is reached without its name': {
    'through a member of a header': {
      files: { 'member-of.h': 'struct subs;\nstruct mm { struct subs *subs; struct other *o; };\n' },
      source: `#include "member-of.h"
struct subs { int lock; };
struct other { int x; };
int wanted(struct mm *m) { return m->subs->lock; }
int two(struct mm *m) { return m->o->x; }
`,
      lacks: ['struct other'],
    },
    'through functions of a header': {
      files: {
        'gets.h': 'struct subs; struct deep;\nstruct deep *const *all(void); struct subs *get(void);\n',
      },
      source: `#include "gets.h"
struct deep { int k; };
struct subs { int lock; struct deep in; };
int wanted(void) { return get()->lock + (*all())->k; }
`,
    },
    'through a typedef': {
      files: { 'typed.h': 'union subs;\ntypedef union subs *subs_t;\n' },
      source: '#include "typed.h"\nunion subs { int lock; };\nint wanted(subs_t t) { return t->lock; }\n',
    },
    'through a pointer to a function': {
      files: { 'ops-of.h': 'struct subs;\nstruct ops { struct subs *(*get)(int); };\n' },
      source:
        '#include "ops-of.h"\nstruct subs { int lock; };\nint wanted(struct ops *t) { return t->get(1)->lock; }\n',
    },
    'through an array and a function of it': {
      files: {
        'slots.h': 'extern struct slot *slots[4];\nstatic inline struct slot *first(void) { return slots[0]; }\n',
      },
      source: '#include "slots.h"\nstruct slot { int n; };\nint wanted(int a) { return slots[a]->n + first()->n; }\n',
    },
  },
  'a type of which only a pointer is handed on': {
    'is announced': {
      source: `
struct big { int a[9]; };
static __attribute__((noinline)) int use(struct big *b, int n) { return b->a[n]; }
int wanted(void *p) { return use(p, 3) + 1; }
`,
      wish: { externalize: ['use'], isOther: true },
      has: ['struct big;\nextern int use(struct big *b, int n);'],
      lacks: ['struct big {'],
    },
    'is defined where a member is used': {
      source: `
struct big { int a[9]; };
static __attribute__((noinline)) int use(struct big *b, int n) { return b->a[n]; }
int wanted(struct big *p) { return use(p, 3) + p->a[1]; }
`,
      wish: { externalize: ['use'], isOther: true },
      has: ['struct big { int a[9]; };'],
      lacks: ['struct big;'],
    },
    'is defined where the function gives one back': {
      source: `
struct big { int a[9]; };
static __attribute__((noinline)) struct big *use(struct big *b) { return b + 1; }
int wanted(void *p) { return use(p)->a[1]; }
`,
      wish: { externalize: ['use'], isOther: true },
      has: ['struct big { int a[9]; };'],
    },
    'is defined where it is handed on itself, or as an array': {
      source: `
struct big { int a[9]; };
struct row { int a[3]; };
static __attribute__((noinline)) int use(struct big b, struct row (*c)[3]) { return b.a[2] + (*c)[1].a[1]; }
int wanted(void *p) { return use(*(struct big *)p, p); }
`,
      wish: { externalize: ['use'], isOther: true },
      has: ['struct big {', 'struct row {'],
    },
    'is announced once, before the first use': {
      source: `
struct big;
static int use(struct big *b);
struct big { int a[9]; };
int other(struct big *b) { return use(b); }
static __attribute__((noinline)) int use(struct big *b) { return b->a[2]; }
int wanted(void *p) { return use(p); }
`,
      wish: { externalize: ['use'], isOther: true },
      has: ['struct big;\n'],
      lacks: ['struct big {'],
    },
  },
  'a system call stays as it is written': {
    'without arguments': {
      files: {
        'syscall0.h': `struct pt_regs;
#define SYSCALL_METADATA(name, count) int meta##name
#define SYSCALL_DEFINE0(sname) SYSCALL_METADATA(_##sname, 0); static long __do_sys_##sname(const struct pt_regs *__unused); \\
	long __x64_sys_##sname(const struct pt_regs *regs) __attribute__((alias("__do_sys_" #sname))); \\
	static long __do_sys_##sname(const struct pt_regs *__unused)
`,
      },
      source: `#include "syscall0.h"
int get(void);
/* Yields. */
SYSCALL_DEFINE0(yield)
{
	static int calls;

	return get() + calls++;
}
`,
      wish: {
        functions: ['__do_sys_yield'],
        rename: true,
        externalize: ['__do_sys_yield.calls'],
        isRunning: true,
      },
      has: [
        '/* Yields. */\n#define __do_sys_yield ' +
          'livepatch___do_sys_yield\nSYSCALL_DEFINE0(yield)\n{\n\textern int calls LIVEPATCH_SYMBOL(',
      ],
      lacks: ['meta'],
      gcc: true,
    },
    'as another function calls it': {
      files: {
        'syscall00.h':
          '#define SYSCALL_DEFINE0(sname) long __x64_sys_##sname(void) __attribute__((alias("__do_sys_" ' +
          '#sname))); static long __do_sys_##sname(void)\n',
      },
      source:
        '#include "syscall00.h"\nint get(void);\nSYSCALL_DEFINE0(yield) { return get(); }\nint ' +
        'wanted(void) { return __x64_sys_yield() + 1; }\n',
      wish: { externalize: ['__x64_sys_yield', '__do_sys_yield'], isOther: true },
      lacks: ['SYSCALL'],
    },
  },
  'one declaration of several': {
    'bound variables': {
      source: `
static int first = 1, second[3] = { 2 }, *third = &first;
int *hand(int a) { first++; second[a]++; third = 0; return &first; }
int wanted(void) { return first + second[1] + *third; }
`,
      wish: { externalize: ['first', 'second', 'third'] },
    },
    'bound variables of a type without a name': {
      source: `
static struct { int a; } first, second;
void *set(int a) { first.a = second.a = a; return a ? &first : (void *)&second; }
int wanted(void) { return first.a + second.a; }
`,
      wish: { externalize: ['first', 'second'] },
    },
    'bound variables of a type with a name': {
      source: `
static struct pair { int a; } first, second;
void *set(int a) { first.a = second.a = a; return a ? &first : &second; }
int wanted(struct pair *p) { return first.a + second.a + p->a; }
`,
      wish: { externalize: ['first', 'second'] },
    },
    'one bound, one new': {
      source: `
static int first = 1, second = 2;
int *hand(void) { first++; second++; return &first; }
int wanted(void) { return first + second++; }
`,
      wish: { externalize: ['first'], carry: true },
    },
    'an enumeration': {
      source: `
static enum mode { IDLE, BUSY } now, last;
void set(int a) { now = a; last = now; }
int wanted(void) { return now == BUSY && last == IDLE; }
`,
      wish: { externalize: ['now', 'last'] },
    },
  },
  'a line that goes on behind a backslash': {
    'in a string': { source: 'const char *wanted(void)\n{\n\treturn "one \\\ntwo";\n}\n' },
    'in a string of a macro': {
      source: '#define text "one \\\ntwo"\nconst char *wanted(void)\n{\n\treturn text;\n}\n',
    },
    'in a name, and in an operator': {
      source: 'int wanted(int value)\n{\n\treturn val\\\nue <\\\n< 2;\n}\n',
    },
    'in a string of a table, with another function behind': {
      source:
        'static const char *const table[] = { "a\\\nb", "c" };\nstatic int unused(void) { return 1; ' +
        '}\nconst char *wanted(int a)\n{\n\treturn table[a];\n}\nint *keep(void) { return (int *)unused; }\n',
      lacks: ['unused'],
    },
    'in a comment': { source: 'int wanted(int a)\n{\n\t// goes on \\\n\treturn 0;\n\treturn a;\n}\n' },
  },
  'extern in a body': {
    'with everything carried': {
      source: `
static int helper(int a) { extern int far; return a + far; }
int far;
int wanted(int a) { return helper(a); }
`,
      wish: { carry: true },
    },
    'of a function that the unit defines later': {
      source: `
int wanted(int a) { extern int later(int); return later(a); }
__attribute__((noinline)) int later(int a) { return a * 9; }
`,
    },
    'of a variable that is bound': {
      source: `
int wanted(int a) { extern int far; return a + far; }
int far = 3;
`,
      wish: { externalize: ['far'] },
    },
    'in a block, beside a local of the same name': {
      source: `
int far = 3;
int wanted(int a) { int far = a; { extern int far; far++; } return far; }
`,
      wish: { externalize: ['far'] },
    },
  },
  'what assembly beside the functions defines': {
    'a table': {
      source: `
#define LIST(name) asm(".pushsection .ids,\\"a\\"\\n.local " #name "\\n" #name ":\\n.zero 4\\n.popsection"); extern unsigned name[];
LIST(first)
LIST(second)
unsigned wanted(int a) { return first[a]; }
unsigned other(int a) { return second[a]; }
`,
      wish: { externalize: ['first', 'second'] },
      has: ['extern unsigned first[];'],
      lacks: ['second', 'asm'],
    },
    'a function': {
      source: `
asm(".text\\n.type quick,@function\\nquick: ret\\n.size quick, .-quick");
int quick(int a);
int wanted(int a) { return quick(a) + 1; }
`,
      wish: { externalize: ['quick'] },
      lacks: ['asm'],
    },
    'what nothing runs yet is copied with it': {
      source: `
asm(".text\\n.type quick,@function\\nquick: ret\\n.size quick, .-quick"); int quick(int a);
int wanted(int a) { return quick(a) + 1; }
`,
      has: ['asm'],
    },
  },
  'an alias': {
    'is extracted as what it names': {
      source: `
__attribute__((noinline)) int real(int a) { return a * 3; }
int wanted(int a) __attribute__((alias("real")));
`,
      wish: { functions: ['real'], rename: true },
    },
    'is bound where it is called': {
      source: `
__attribute__((noinline)) int real(int a) { return a * 3; }
int other(int a) __attribute__((alias("real")));
int wanted(int a) { return other(a); }
`,
      wish: { externalize: ['other', 'real'], isOther: true },
      lacks: ['alias'],
    },
    'of a variable is bound where it is used': {
      source: `
int real = 4;
extern int other __attribute__((alias("real")));
int wanted(int a) { return other + a; }
`,
      wish: { externalize: ['other', 'real'], isOther: true },
      lacks: ['alias'],
    },
  },
  'the name that an object file has': {
    'of a variable': {
      source: `
int v asm("w") = 3;
int wanted(void) { return v; }
`,
      wish: { externalize: ['v'] },
    },
    'of a variable that is only declared': {
      source: 'extern int v asm("w");\nint wanted(void) { return v; }\n',
      has: ['asm("w")'],
    },
    'of a function': {
      source: `
int f(int) asm("g");
__attribute__((noinline)) int f(int a) { return a * 5; }
int wanted(int a) { return f(a); }
`,
      wish: { externalize: ['f'], isOther: true },
      has: ['asm("g")'],
    },
    'made by a macro': {
      source: `
#define NAMED(name) __asm__("__" #name)
extern int v NAMED(v);
int v = 4;
int wanted(void) { return v; }
`,
      wish: { externalize: ['v'] },
    },
  },
  'what only the preprocessor knows': {
    'push_macro and pop_macro': {
      source: `
#define SIZE 3
#pragma push_macro("SIZE")
#undef SIZE
#define SIZE 4
static int four(int a) { return a * SIZE; }
#pragma pop_macro("SIZE")
int wanted(int a) { return four(a) + SIZE; }
`,
    },
    'push_macro of a name that has no macro': {
      source: `
static int size = 3;
#pragma push_macro("size")
#define size 4
static int four(int a) { return a * size; }
#pragma pop_macro("size")
int *hand(void) { size++; return &size; }
int wanted(int a) { return four(a) + size; }
`,
      wish: { externalize: ['size'] },
    },
    'push_macro by _Pragma': {
      source: `
#define SIZE 3
_Pragma("push_macro(\\"SIZE\\")")
#undef SIZE
#define SIZE 4
static int four(int a) { return a * SIZE; }
_Pragma("pop_macro(\\"SIZE\\")")
int wanted(int a) { return four(a) + SIZE; }
`,
    },
    'a counter whose value counts': {
      source: `
static int unused_a = __COUNTER__;
int use(void) { return unused_a++; }
static int helper(int a) { return a * __COUNTER__; }
int wanted(int a) { return helper(a) + __COUNTER__; }
`,
    },
    'a counter that only makes names': {
      source: `
#define PASTE(a, b) a##b
#define NAME(a, b) PASTE(a, b)
#define min(x, y) ({ int NAME(one, __COUNTER__) __attribute__((unused)) = x; y; })
int use(int a) { return min(a, 1); }
int wanted(int a) { return min(a, 3); }
`,
    },
    'a line of another file': {
      source: `
#line 100 "grammar.y"
static int helper(int a) { return a * 3; }
#line 7 "unit.c"
int wanted(int a) { return helper(a); }
`,
    },
    'a line of another file, which is said': {
      source: `
int say(const char *, int);
#line 100 "grammar.y"
int wanted(int a) { return say(__FILE__, a); }
`,
    },
    'lines of a generated file, over and over': {
      source: `
# 1 "a.y"
struct box { int n; };
# 1 "b.y"
static int twice(struct box *b) { return b->n * 2; }
# 9 "a.y"
int wanted(struct box *b) { return twice(b); }
# 2 "b.y"
int unused(void) { return 1; }
`,
      lacks: ['unused'],
    },
  },
  'a declaration by the type of a function is no variable': {
    'of the function itself': {
      source: 'typedef int handler(int);\nhandler wanted;\nint wanted(int a) { return a + 1; }\n',
      has: ['a + 1'],
    },
    'of a helper that is written below': {
      source: `
typedef int handler(int);
static handler helper;
int wanted(int a) { return helper(a) + 1; }
int other(int a) { return helper(a + 2); }
static __attribute__((noinline)) int helper(int a) { return a * a; }
`,
      wish: { externalize: [] },
      has: ['a * a'],
    },
    'beside a variable, in one declaration': {
      source: `
typedef int handler(int);
handler helper, *chosen = helper;
int wanted(int a) { return chosen(a) + helper(a); }
__attribute__((noipa)) int helper(int a) { return a * a; }
`,
      wish: { externalize: ['chosen', 'helper'] },
      lacks: ['a * a'],
      gcc: true,
    },
    'in a header': {
      files: { 'handlers.h': 'typedef int handler(int);\nextern handler helper, wanted;\n' },
      source: `
#include "handlers.h"
int wanted(int a) { return helper(a) + 1; }
__attribute__((noipa)) int helper(int a) { return a * a; }
`,
      wish: { externalize: ['helper'] },
      lacks: ['a * a'],
      gcc: true,
    },
  },
  'a macro tells which file is included': {
    'defined by the unit': {
      files: { 'chosen.h': '#define STEP 3\n' },
      source: '#define CHOSEN "chosen.h"\n#include CHOSEN\nint wanted(int a) { return a + STEP; }\n',
    },
    'made of other macros': {
      files: { 'chosen-two.h': '#define STEP 3\n' },
      source: `
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define NUMBER two
#define NAME(x) chosen-x.h
#include TEXT(NAME(NUMBER))
#undef NUMBER
int wanted(int a) { return a + STEP; }
`,
    },
    'that is another one later': {
      files: { 'one.h': '#define ONE 3\n', 'two.h': '#define TWO 4\n' },
      source: `
#define WHICH "one.h"
#include WHICH
#undef WHICH
#define WHICH "two.h"
#include WHICH
int wanted(int a) { return a * ONE + TWO; }
`,
    },
  },
}

Object.assign(kinds, {
  'a declaration has the parameters that the unit gives it': {
    'an alias': {
      source: `
__attribute__((noinline)) long impl(long a) { return a * 3; }
long al(long) __attribute__((alias("impl")));
int wanted(int k) { return k ? (al(-1) == -3) : 0; }
`,
      wish: { externalize: ['impl', 'al'], isOther: true },
      has: ['al(long);'],
      gcc: true,
    },
    'a weak alias that takes a truth value, by a macro': {
      source: `
#define __alias(name) __attribute__((__alias__(#name)))
__attribute__((noinline)) _Bool impl(_Bool a) { return !a; }
_Bool al(_Bool) __attribute__((weak)) __alias(impl);
int wanted(int k) { return al(k & 6); }
`,
      wish: { externalize: ['impl', 'al'] },
      has: ['al(_Bool);'],
      gcc: true,
    },
    'an alias with an ellipsis': {
      source: `
__attribute__((noinline)) long impl(long a) { return a * 3; }
extern int al(long, ...) __attribute__((weak, alias("impl")));
int wanted(int k) { return al(k, 1.0) + al(3, k); }
`,
      wish: { externalize: ['impl', 'al'], isOther: true },
      has: ['al(long, ...);'],
      gcc: true,
    },
    'a function in the style of K&R with a prototype': {
      source: `
int far(long a, _Bool b);
int far(a, b) long a; _Bool b; { __asm__ volatile (""); return a + b; }
int wanted(int a) { return far(a, a & 6); }
`,
      wish: { externalize: ['far'], isOther: true },
      has: ['far(long a, _Bool b);'],
    },
    'an alias by a type': {
      source: `
typedef long handler(long);
typedef handler other;
__attribute__((noinline)) long impl(long a) { return a * 3; }
other al __attribute__((weak, alias("impl")));
int wanted(int k) { return al(-1) + k; }
`,
      wish: { externalize: ['impl', 'al'] },
      has: ['extern other al;'],
      gcc: true,
    },
  },
  'attributes that only an earlier prototype has stay': {
    'of the wanted function': {
      source: `
int use(int);
#define notrace __attribute__((no_instrument_function))
int wanted(int) notrace __attribute__((section(".other.text"), aligned(64)));
int wanted(int a) { return use(a) + 3; }
`,
      wish: { rename: true },
      has: ['no_instrument_function', 'section(".other.text")', 'aligned(64)'],
      gcc: true,
    },
    'of a function that is copied': {
      source: `
int use(int);
static int deep(int) __attribute__((noinline, section(".other.text")));
static int deep(int a) { return use(a); }
int wanted(int a) { return deep(a) + 1; }
`,
      has: ['static int deep(int a) __attribute__((noinline, section(".other.text")));'],
    },
    'of a private function that is wanted under another name': {
      source: `
int use(int);
static int wanted(int) __attribute__((noinline, cold));
static int wanted(int a) { return use(a) + 1; }
int other(int a) { return wanted(a) * 3; }
`,
      wish: { rename: true, isOther: true },
      has: ['int livepatch_wanted(int a) __attribute__((noinline, cold));'],
      lacks: ['static int livepatch_wanted'],
    },
    'in a header, of one that gets another name': {
      files: { 'traced.h': 'int wanted(int) __attribute__((no_instrument_function));\nint use(int);\n' },
      source: `
#include "traced.h"
int wanted(int a) { return use(a) + 3; }
`,
      wish: { rename: true },
      has: ['int livepatch_wanted(int a) __attribute__((no_instrument_function));'],
    },
    'of one that is bound, where callers must know them': {
      source: `
void die(int) __attribute__((noreturn, section(".other.text")));
void die(int a) { for (;;) __asm__ volatile ("" : : "r" (a)); }
int wanted(int a) { if (a) die(a); return 1; }
`,
      wish: { externalize: ['die'], isOther: true },
      has: ['noreturn'],
      lacks: ['.other.text'],
    },
  },
  'what has its address handed on is the running one': {
    'a number': {
      source: `
int reg(const int *);
static const int key = 0;
int wanted(int x) { return reg(&key) + x; }
`,
      wish: { externalize: ['key'], isOther: true },
      has: ['extern const int key;'],
    },
    'a number, through a cast, that is returned': {
      source: `
static const int key = 3;
const void *wanted(void) { return (const void *)&(key); }
`,
      wish: { externalize: ['key'], isOther: true },
      has: ['extern const int key;'],
    },
    'an element, as a number': {
      source: `
static const short keys[2] = { 1, 2 };
unsigned long wanted(void) { return (unsigned long)&keys[1]; }
`,
      wish: { externalize: ['keys'], isOther: true },
      has: ['extern const short keys[2];'],
    },
    'an array by its type': {
      source: `
int reg(const char *);
typedef char name_t[8];
static const name_t key = "key";
int wanted(int x) { return reg(key) + x; }
`,
      wish: { externalize: ['key'], isOther: true },
      has: ['extern const name_t key;'],
    },
    'a constant that something else may change': {
      source: `
static const volatile int seen = 3;
int wanted(int x) { return seen + x; }
`,
      wish: { externalize: ['seen'] },
      has: ['extern const volatile int seen;'],
    },
    'but not what is only one side of a binary operator': {
      source: `
static const int key = 3;
int get(int);
int wanted(int x) { return (get(x) & key) + ((x | 4) & (key)) + (x & key); }
`,
      wish: { externalize: ['key'] },
      has: ['static const int key = 3;'],
    },
  },
  'the symbol that only another declaration gives': {
    'a wanted function': {
      source: `
int use(int);
int wanted(int) asm("second");
int wanted(int a) { return use(a) + 3; }
`,
      has: ['asm("second")'],
    },
    'a private one': {
      source: `
int use(int);
static int wanted(int) asm("third.name");
__attribute__((noinline)) static int wanted(int a) { return use(a) + 3; }
int other(int a) { return wanted(a) + wanted(a + 1); }
`,
      has: ['asm("third.name")'],
      // clang knows the callers of a private function.
      gcc: true,
    },
    'a wanted function that gets another name': {
      source: `
int use(int);
int wanted(int) asm("second");
int wanted(int a) { return use(a) + 3; }
`,
      wish: { rename: true },
      lacks: ['asm'],
    },
    'in a header': {
      files: { 'labelled.h': 'int use(int);\nint wanted(int) asm("second");\n' },
      source: '#include "labelled.h"\nint wanted(int a) { return use(a) + 3; }\n',
    },
    'in a header, of one that gets another name': {
      files: { 'labelled.h': 'int use(int);\nint wanted(int) asm("second");\n' },
      source: '#include "labelled.h"\nint wanted(int a) { return use(a) + 3; }\n',
      wish: { rename: true },
    },
    'a function that is copied': {
      source: `
int use(int);
int deep(int) asm("deeper");
__attribute__((noinline)) int deep(int a) { return use(a) * 3; }
int wanted(int a) { return deep(a) + 3; }
`,
      wish: { carry: true },
      has: ['asm("deeper")'],
    },
    'a variable that is copied': {
      source: `
extern int kept asm("keep");
int kept = 4;
int wanted(int a) { return kept += a; }
`,
      wish: { carry: true },
      has: ['asm("keep")'],
    },
    'what is only declared': {
      source: `
int far(int);
int far(int) asm("farther");
int wanted(int a) { return far(a) + 3; }
`,
      has: ['asm("farther")'],
    },
  },
  'an inline function that others call, too, has its code': {
    'by a declaration without inline': {
      source: 'int use(int);\ninline int wanted(int a) { return use(a) + 4; }\nextern int wanted(int);\n',
    },
    'by one in front': {
      source: 'int use(int);\nint wanted(int);\ninline int wanted(int a) { return use(a) + 4; }\n',
    },
    'by an inline one that is extern': {
      source: 'int use(int);\ninline int wanted(int a) { return use(a) + 4; }\nextern inline int wanted(int);\n',
    },
    'when it gets another name': {
      source: 'int use(int);\ninline int wanted(int a) { return use(a) + 4; }\nextern int wanted(int);\n',
      wish: { rename: true },
    },
    'by a declaration in a header': {
      files: { 'more.h': 'int use(int);\nint wanted(int);\n' },
      source: '#include "more.h"\ninline int wanted(int a) { return use(a) + 4; }\n',
    },
  },
  'what is only declared may have several declarations': {
    'and one says that it may be missing': {
      source: `
int far(int);
extern int there;
int far(int) __attribute__((weak));
extern int there __attribute__((weak));
int wanted(int a) { return far ? far(a) : &there ? there : 3; }
`,
      has: ['weak'],
    },
    'and a pragma says that': {
      source: `
int far(int);
#pragma weak far
int wanted(int a) { return far ? far(a) : 3; }
`,
      has: ['#pragma weak far'],
    },
    'and one says that it never comes back': {
      source: `
void far(int);
void far(int) __attribute__((noreturn));
int wanted(int a) { if (a) far(a); else return 2; }
`,
      has: ['noreturn'],
    },
  },
  'a prototype by the type of functions that a header defines': {
    'is that of a function': {
      files: { 'types.h': 'typedef unsigned int hash_t(int, int);\n' },
      source: `
#include "types.h"
hash_t far;
static hash_t near;
static unsigned int near(int a, int b) { return a ^ b; }
__typeof__(near) third;
unsigned int wanted(int a) { return far(a, 1) + near(a, 2) + third(a, 3); }
`,
      has: ['hash_t far;', '__typeof__(near) third;'],
    },
  },
} satisfies typeof kinds)

const programs = [compiler, ...(clang === undefined ? [] : [clang])]
const all = programs.flatMap((program) =>
  Object.entries(kinds).flatMap(([kind, cases]) =>
    Object.entries(cases)
      .filter(([, { gcc }]) => gcc === undefined || program !== clang)
      .map(([name, one]) => [program, kind, name, one] as const),
  ),
)

describe('a static variable that can not be bound for sure is refused', () => {
  it.each([
    ['made by a macro', '#define FN(name) int name(int a) { static int n; n += a; return n; }\nFN(wanted)\n'],
    [
      'declared by a macro, beside one that is not',
      '#define DECL(t, n) static t n\nint wanted(int a) { DECL(int, n); static int m; m++; n += a; return n + m; }\n',
    ],
    [
      'of one name in two blocks',
      'int wanted(int a) { { static int n; n += a; if (n > 3) return n; } { static int n; n -= a; return n; } }\n',
    ],
    [
      'used by a macro, when something else has its name',
      'int n;\n#define BUMP n++\nint wanted(int a) { n++; { static int n = 5; BUMP; return n; } }\n',
    ],
    [
      'written to, with addresses of labels',
      'int wanted(int a) { static void *n[] = { &&x, &&y }; n[a] = n[0]; goto *n[a]; x: return 1; y: return 2; }\n',
    ],
  ])('%s', async (_name, source) => {
    const { findings } = await extract(source, { externalize: ['n', 'wanted.n', 'wanted.m'] })
    expect(findings).not.toEqual([])
    for (const one of findings)
      expect(one).toMatchObject({ severity: 'error', rule: 'writable-copied', symbol: 'wanted.n' })
  })
})

describe('what was wrong once, and its siblings', () => {
  it.each(all)('%s: %s: %s', async (program, _kind, _name, { source, files, wish, has, lacks }) => {
    for (const [name, text] of Object.entries(files ?? {})) {
      mkdirSync(path.join(work, path.dirname(name)), { recursive: true })
      writeFileSync(path.join(work, name), text, 'latin1')
    }
    const text = await same(source, { ...wish, program })
    for (const part of has ?? []) expect(text).toContain(part)
    for (const part of lacks ?? []) expect(text).not.toContain(part)
  })
})
