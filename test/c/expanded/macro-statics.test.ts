// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables that macros declare inside of functions: those of the kernel's own macros for messages come along
// fresh; one that is only called like them is state, and what can't be bound to the running kernel's is refused.
import { describe, expect, it } from 'vitest'
import { extract } from '../../source/extracts.ts'

/** As in include/linux/once_lite.h, ratelimit_types.h, mutex.h, dynamic_debug.h, printk.h and asm/bug.h. */
const macros = `
typedef _Bool bool;
int _printk(const char *, ...);
void __warn_printk(const char *, ...);
#define unlikely(x) __builtin_expect(!!(x), 0)
#define DO_ONCE_LITE_IF(condition, func, ...) ({ bool __ret_do_once = !!(condition); \\
  if (({ static bool __attribute__((__section__(".data..once"))) __already_done; bool __ret_cond = !!(__ret_do_once); bool __ret_once = 0; \\
    if (unlikely(__ret_cond && !__already_done)) { __already_done = 1; __ret_once = 1; } unlikely(__ret_once); })) func(__VA_ARGS__); \\
  unlikely(__ret_do_once); })
#define __WARN() do { asm volatile("1:\\t" ".byte 0x0f, 0x0b" "\\n"); } while (0)
#define WARN(c, ...) ({ int __ret = !!(c); if (unlikely(__ret)) { __warn_printk(__VA_ARGS__); __WARN(); } __ret; })
#define WARN_ONCE(c, ...) DO_ONCE_LITE_IF(c, WARN, 1, __VA_ARGS__)
#define WARN_ON_ONCE_2(c) DO_ONCE_LITE_IF(c, __WARN)
struct ratelimit_state { unsigned int lock; int interval, burst, printed, missed; unsigned long begin, flags; };
int ___ratelimit(struct ratelimit_state *, const char *);
#define __ratelimit(state) ___ratelimit(state, __func__)
#define LIMIT(name) struct ratelimit_state name = { 0, 5000, 10 }
#define printk_ratelimited(...) ({ static LIMIT(_rs); if (__ratelimit(&(_rs))) _printk(__VA_ARGS__); })
struct lock_class_key { };
void __mutex_init(void *, const char *, struct lock_class_key *);
#define mutex_init(m) do { static struct lock_class_key __key; __mutex_init((m), #m, &__key); } while (0)
struct _ddebug { const char *modname; unsigned int flags; };
void __dynamic_pr_debug(struct _ddebug *, const char *, ...);
#define pr_debug(...) do { static struct _ddebug __attribute__((__section__("__dyndbg"))) __UNIQUE_ID_ddebug7 = { "m" }; \\
  if (unlikely(__UNIQUE_ID_ddebug7.flags & 1)) __dynamic_pr_debug(&__UNIQUE_ID_ddebug7, __VA_ARGS__); } while (0)
int work(int);
`

const names = ['__already_done', '__warned', '__print_once', '_rs', '__key', 'descriptor', '__UNIQUE_ID_ddebug7']

async function rules(body: string, more = '') {
  const source = `${macros}${more}\nint wanted(int a) { ${body} }\n`
  const { findings } = await extract(source, { externalize: names.map((name) => `wanted.${name}`) })
  return findings.map(({ rule, symbol }) => `${rule} ${symbol}`)
}

describe('what a macro keeps for a message comes along', () => {
  it.each([
    ['a warning', 'WARN_ONCE(a > 3, "a is %d", a); return a + 1;'],
    ['a warning without words', 'return WARN_ON_ONCE_2(a > 3) ? a : work(a);'],
    ['two of them, one in a loop', 'while (a--) { WARN_ONCE(a > 3, "x"); work(a); WARN_ONCE(a > 7, "y"); } return 0;'],
    ['a message that is said once', 'DO_ONCE_LITE_IF(1, _printk, "%d", work(a)); return work(a + 1);'],
    ['a message that is limited', 'printk_ratelimited("%d", work(a)); printk_ratelimited("again"); return a;'],
    ['the key of a lock', 'mutex_init(&a); return a;'],
    ['the descriptor of a debug message', 'pr_debug("a is %d", a); return work(a);'],
  ])('%s', async (_name, body) => {
    expect(await rules(body)).toEqual([])
  })
})

describe('what only sounds so is refused, as nobody can bind it', () => {
  it.each([
    ['a counter', '__key', 'return COUNT();', '#define COUNT() ({ static int __key; ++__key; })'],
    ['a count down', '__warned', 'return LEFT();', '#define LEFT() ({ static int __warned = 3; --__warned; })'],
    ['a number', '_rs', 'return NEXT(a);', '#define NEXT(a) ({ static int _rs; _rs += (a); _rs; })'],
    ['what is done once', '__already_done', 'DO_ONCE_LITE_IF(1, work, a); return a;', ''],
    [
      'a flag that decides',
      '__already_done',
      'if (FIRST()) return 7; return a;',
      '#define FIRST() ({ static bool __attribute__((__section__(".data..once"))) __already_done; bool ' +
        'was = __already_done; __already_done = 1; !was; })',
    ],
    [
      'a flag that goes back',
      '__print_once',
      'SAY(a); return a;',
      '#define SAY(a) ({ static bool __attribute__((__section__(".data..once"))) __print_once; if ' +
        '(!__print_once) { __print_once = 1; _printk("x"); } else __print_once = (a) > 3; })',
    ],
    [
      'a limit by which work is refused',
      '_rs',
      'MAY(a); return work(a);',
      '#define MAY(a) ({ static LIMIT(_rs); if (!__ratelimit(&_rs)) return -11; })',
    ],
    [
      'a limit by which work is done',
      '_rs',
      'DO(a); return a;',
      '#define DO(a) ({ static LIMIT(_rs); if (__ratelimit(&_rs)) work(a); })',
    ],
    [
      'a structure of the author',
      'descriptor',
      'return TAKE();',
      '#define TAKE() ({ static struct { int n; } descriptor; descriptor.n++; descriptor.n; })',
    ],
  ])('%s', async (_name, symbol, body, more) => {
    expect(await rules(body, more)).toEqual([`writable-copied wanted.${symbol}`])
  })
})
