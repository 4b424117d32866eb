// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel's macros leave behind for diagnostics: statics that say "already said so", descriptors, and
// line numbers. They never are a change, are never shared with the kernel, and never hide a change. The
// macros are those of the kernel's include/, cut down to what the compiler sees.
import { sheet } from '../cases.ts'

const macros = `
#define WARN_ON_ONCE_44(c) ({ static bool __section(".data.unlikely") __warned; if (unlikely(c) && !__warned) { __warned = 1; __warn_printk("now"); } })
#define WARN_ONCE(c) ({ static bool __section(".data.once") __already_done; if (unlikely(c) && !__already_done) { __already_done = 1; __warn_printk("now"); asm volatile("ud2"); } })
#define DO_ONCE_LITE_IF(c, func, ...) ({ bool __ret_do_once = !!(c); \
  if (({ static bool __section(".data..once") __already_done; bool __ret_cond = !!(__ret_do_once); bool __ret_once = 0; \
    if (unlikely(__ret_cond && !__already_done)) { __already_done = 1; __ret_once = 1; } unlikely(__ret_once); })) func(__VA_ARGS__); \
  unlikely(__ret_do_once); })
#define TRAP() asm volatile("ud2")
#define WARN_ON_ONCE(c) DO_ONCE_LITE_IF(c, TRAP)
#define printk_once(text) ({ static bool __section(".data.once") __print_once; if (!__print_once) { __print_once = 1; _printk(text); } })
#define printk_once_44(text) ({ static bool __print_once __section(".data..read_mostly"); if (!__print_once) { __print_once = 1; _printk(text); } })
int _printk(const char *, ...);
void __warn_printk(const char *, ...);
struct lock_class_key { };
void __mutex_init(void *, const char *, struct lock_class_key *);
#define mutex_init(m) do { static struct lock_class_key __key; __mutex_init((m), #m, &__key); } while (0)
struct debug_key { union { struct { void *next, *before; } hash; char one[8]; }; };
void lockdep_init_map_type(void *, const char *, struct debug_key *, int);
#define mutex_init_debug(m) do { static struct debug_key __key; lockdep_init_map_type((m), #m, &__key, 0); } while (0)
struct _ddebug { const char *modname, *function, *filename, *format; unsigned int lineno:18; unsigned int class_id:6; unsigned int flags:8; long key; } __attribute__((aligned(8)));
void __dynamic_pr_debug(struct _ddebug *, const char *, ...);
#define pr_debug_44(fmt) do { static struct _ddebug __attribute__((aligned(8))) __section("__verbose") descriptor = { "mod", __func__, __FILE__, fmt, __LINE__ }; \\
  if (unlikely(descriptor.flags & 1)) __dynamic_pr_debug(&descriptor, fmt); } while (0)
#define pr_debug_id(id, fmt) do { static struct _ddebug __attribute__((aligned(8))) __section("__dyndbg") id = { "mod", __func__, __FILE__, fmt, __LINE__ }; \\
  if (unlikely(id.flags & 1)) __dynamic_pr_debug(&id, fmt); } while (0)
#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define pr_debug(fmt) pr_debug_id(PASTE(__UNIQUE_ID_ddebug, __COUNTER__), fmt)
struct pi_entry { const char *fmt, *func, *file; unsigned int line; const char *level, *subsys_fmt_prefix; };
#define printk(fmt, ...) ({ static const struct pi_entry _entry = { fmt, __func__, __FILE__, __LINE__, 0, 0 }; \\
  static const struct pi_entry *_entry_ptr __used __section(".printk_index") = &_entry; say(fmt, ##__VA_ARGS__); })
#define tracepoint_string(str) ({ static const char *___tp_str __section("__tracepoint_str") __used = str; ___tp_str; })
struct ratelimit_state { unsigned int lock; int interval, burst, printed, missed; unsigned long begin, flags; };
int ___ratelimit(struct ratelimit_state *, const char *);
#define RATELIMIT(burst) static struct ratelimit_state _rs = { 0, 5000, burst }
#define printk_ratelimited(text) do { RATELIMIT(10); if (___ratelimit(&_rs, __func__)) _printk(text); } while (0)
`

/** A case: `f` changes and has the diagnostic; `f_too` has it too, and does not; in front comes one more. */
const diagnostic = (title: string, f: string, code: string, owns: readonly string[]) => ({
  title: `${title} is not a change, and a replaced function has its own`,
  before: `int ${f}(int a) { ${code} return get() + a; } int ${f}_too(int a) { ${code} return get() - a; }`,
  after: `static inline int ${f}_new(int a) { ${code} return a * 9; }
    int ${f}(int a) { ${code} return get() + a * ${f}_new(a); } int ${f}_too(int a) { ${code} return get() - a; }`,
  changed: [f],
  owns,
})

/** A case: a variable that only sounds like a diagnostic. */
const keeps = (title: string, f: string, type: string, variable: string, body: (n: number) => string) => ({
  title: `${title} is state of the kernel`,
  before: `${type} ${f}(int a) { ${body(1)} }`,
  after: `${type} ${f}(int a) { ${body(2)} }`,
  changed: [f],
  refers: [variable],
})

sheet({
  title: 'a diagnostic static',
  prelude: macros,
  cases: [
    diagnostic('__warned of 4.4', 'warned', 'WARN_ON_ONCE_44(a > 3);', ['__warned']),
    diagnostic('__already_done', 'done_once', 'WARN_ONCE(a > 3);', ['__already_done']),
    diagnostic('__already_done of 6.12 in .data..once', 'lite', 'DO_ONCE_LITE_IF(a > 3, _printk, "%d", a);', [
      '__already_done',
    ]),
    diagnostic('__already_done of a warning without words', 'mute', 'WARN_ON_ONCE(a > 3);', ['__already_done']),
    diagnostic(
      '__already_done of a warning in a loop',
      'looping',
      'for (int i = 0; i < get(); i++) if (DO_ONCE_LITE_IF(i > a, __warn_printk, "%d of %s", i, a ? ' +
        '"some" : "none")) a++;',
      ['__already_done'],
    ),
    diagnostic('__print_once', 'print_once', 'printk_once("once");', ['__print_once']),
    diagnostic('__print_once of 4.4', 'print_once_44', 'printk_once_44("once");', ['__print_once']),
    diagnostic('__func__', 'named', 'say("%s", __func__);', ['__func__']),
    diagnostic('__FUNCTION__', 'named_old', 'say("%s", __FUNCTION__);', ['__FUNCTION__']),
    diagnostic('__PRETTY_FUNCTION__', 'named_well', 'say("%s", __PRETTY_FUNCTION__);', ['__PRETTY_FUNCTION__']),
    diagnostic('__key of a lock', 'locker', 'mutex_init(&a);', ['__key']),
    diagnostic('__key of a lock with lockdep', 'locker_debug', 'mutex_init_debug(&a);', ['__key']),
    diagnostic('the descriptor of dynamic debug in 4.4', 'verbose', 'pr_debug_44("text");', ['descriptor']),
    diagnostic('the descriptor of dynamic debug', 'dyn', 'pr_debug_id(descriptor, "text");', ['descriptor']),
    diagnostic('__UNIQUE_ID_ddebug', 'dyn_unique', 'pr_debug("text");', []),
    diagnostic('_entry_ptr of the printk index', 'indexed', 'printk("indexed %d", a);', ['_entry', '_entry_ptr']),
    diagnostic('___tp_str', 'traced', 'use(tracepoint_string("point"));', ['___tp_str']),
    diagnostic('_rs of a rate limit', 'limited', 'printk_ratelimited("often");', ['_rs']),
    diagnostic(
      'the table of a switch',
      'switched',
      'switch (a) { case 0: use("zero"); break; case 1: a = 77; break; case 2: a = 31; break; case 3: a ' +
        '= 12; break; case 4: a = 99; break; case 5: a = 3; break; case 6: a = 8; break; }',
      ['CSWTCH', 'switched'],
    ),
    {
      title: 'a name that changes with the function does change it',
      before: 'void tell_a(void) { say("%s", __func__); }',
      after: 'void tell_a(void) { say("%s", __FUNCTION__ + 1); }',
      changed: ['tell_a'],
    },
    {
      title: 'a warning that is added changes its function',
      before: 'int new_warning(int a) { return get() + a; }',
      after: 'int new_warning(int a) { WARN_ONCE(a > 3); return get() + a; }',
      changed: ['new_warning'],
      owns: ['__already_done'],
    },
    {
      title: 'a static of the author that only sounds like one is state of the kernel',
      before: 'int sounds(void) { static int _entry_count, done; done++; return _entry_count++; }',
      after: 'int sounds(void) { static int _entry_count, done; done++; return _entry_count++ + 1; }',
      changed: ['sounds'],
      refers: ['_entry_count', 'done'],
    },
    {
      title: 'a rate limit with another burst is a change',
      before: 'void burst_it(void) { RATELIMIT(10); if (___ratelimit(&_rs, "burst")) _printk("x"); }',
      after: 'void burst_it(void) { RATELIMIT(99); if (___ratelimit(&_rs, "burst")) _printk("x"); }',
      changed: ['burst_it'],
      owns: ['_rs'],
    },
  ],
})

sheet({
  title: 'a static that only sounds like a diagnostic',
  prelude: macros,
  cases: [
    keeps(
      'a counter that is called like the key of a lock',
      'next_id',
      'int',
      '__key',
      (n) => `static int __key; __key += a; return __key + ${n};`,
    ),
    keeps(
      'a long counter that is called like the key of a lock',
      'long_id',
      'long',
      '__key',
      (n) => `static long __key; __key += a; return __key + ${n};`,
    ),
    keeps(
      'a counter that others count, called like the key of a lock,',
      'taken_id',
      'int',
      '__key',
      (n) => `static long __key; use(&__key); return a + ${n};`,
    ),
    keeps(
      'a budget that is called like a rate limit',
      'budget',
      'int',
      '_rs',
      (n) => `static int _rs = 100; if (_rs <= 0) return -${n}; _rs -= a; return 0;`,
    ),
    keeps(
      'a histogram that is called like a rate limit, and as large,',
      'histogram',
      'int',
      '_rs',
      (n) => `static int _rs[10] = { 0, 1, 2, 3, 4, 5 }; return _rs[a]++ + ${n};`,
    ),
    keeps(
      'a rate limit by which work is refused',
      'refuses',
      'int',
      '_rs',
      (n) => `RATELIMIT(10); if (!___ratelimit(&_rs, "x")) return -${n}; return get();`,
    ),
    keeps(
      'a rate limit by which work is done',
      'allows',
      'int',
      '_rs',
      (n) => `RATELIMIT(10); if (___ratelimit(&_rs, "x")) use("work"); return a + ${n};`,
    ),
    keeps(
      'a count down that is called like a warning',
      'count_down',
      'int',
      '__warned',
      (n) => `static int __warned = 3; if (!--__warned) { use(0); return ${n}; } return a;`,
    ),
    keeps(
      'a bool that is called like a warning, but in no section of theirs,',
      'first_time',
      'int',
      '__already_done',
      (n) => `static bool __already_done; if (__already_done) return 0; __already_done = 1; return a + ${n};`,
    ),
    keeps(
      'a bool of their section that is asked for something else',
      'second_time',
      'int',
      '__already_done',
      (n) =>
        'static bool __section(".data..once") __already_done; if (__already_done) return 0; ' +
        `__already_done = 1; return a + ${n};`,
    ),
    keeps(
      'what is done once, and is no message,',
      'set_up',
      'int',
      '__already_done',
      (n) => `DO_ONCE_LITE_IF(a > 3, use, "set up"); return a + ${n};`,
    ),
    keeps(
      'a bool that goes back',
      'on_and_off',
      'int',
      '__warned',
      (n) =>
        'static bool __section(".data.once") __warned; if (!__warned) { __warned = 1; _printk("on"); } ' +
        `else __warned = a > ${n}; return a;`,
    ),
    keeps(
      'a bool that is true at first',
      'armed',
      'int',
      '__print_once',
      (n) =>
        'static bool __section(".data.once") __print_once = 1; if (__print_once) { _printk("x"); ' +
        `__print_once = 0; } return a + ${n};`,
    ),
    keeps(
      'a count in the section of warnings',
      'times',
      'int',
      '__warned',
      (n) => `static int __section(".data.once") __warned; __warned++; return __warned + a * ${n};`,
    ),
  ],
})

/** The same code in another line. */
const shifted = (title: string, code: string, ...noted: readonly string[]) => ({
  title: `${title} in another line is no change`,
  before: `#line 1203 "drivers/net/thing.c"\n${code}`,
  after: `#line 1260 "drivers/net/thing.c"\n${code}`,
  noted,
})

sheet({
  title: 'a line number',
  prelude: `${macros}
void warn_slowpath_null(const char *file, const int line);
void warn_slowpath_fmt(const char *file, const int line, const char *fmt, ...);
void __warn_printk(const char *fmt, ...);
void __might_sleep(const char *file, int line, int preempt_offset);
void __might_resched(const char *file, int line, unsigned int offsets);
void ___might_sleep(const char *file, int line, int preempt_offset);
void __might_fault(const char *file, int line);
void lockdep_rcu_suspicious(const char *file, const int line, const char *s);
int printk_44(const char *fmt, ...) NAMED("printk");
int _printk(const char *fmt, ...);
void dump_stack(void);
#define LINE_TEXT2(n) #n
#define LINE_TEXT(n) LINE_TEXT2(n)
int rtnl_is_locked(void), debug_lockdep_rcu_enabled(void), rcu_read_lock_held(void);
#define BUG_FLAGS(ins, flags) asm volatile("1: " ins "\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - 2b\\n.long %c0 - 2b\\n.word %c1\\n.word %c2\\n.org 2b+12\\n.popsection\\n" \\
  :: "i"(__FILE__), "i"(__LINE__), "i"(flags))
#define BUG() do { BUG_FLAGS("ud2", 0); __builtin_unreachable(); } while (0)
#define WARN_ON(c) ({ int __w = !!(c); if (unlikely(__w)) BUG_FLAGS("ud2", 1 | 9 << 8); unlikely(__w); })
#define WARN(c, ...) ({ int __w = !!(c); if (unlikely(__w)) { __warn_printk(__VA_ARGS__); BUG_FLAGS("ud2", 1 | 8 | 9 << 8); } })
`,
  cases: [
    shifted('BUG()', 'int line_bug(int a) { if (a > 3) BUG(); return get() + a; }'),
    shifted('WARN_ON()', 'int line_warn(int a) { WARN_ON(a > 3); return get() + a; }'),
    shifted(
      'WARN_ON_ONCE()',
      'int line_once(int a) { static bool __section(".data.once") __already_done; if (unlikely(a > 3) ' +
        '&& !__already_done) { __already_done = 1; BUG_FLAGS("ud2", 3); } return get() + a; }',
    ),
    shifted(
      'WARN() of 4.4 (warn_slowpath_null)',
      'int line_null(int a) { if (unlikely(a > 3)) warn_slowpath_null(__FILE__, __LINE__); return get() + a; }',
      'line-numbers line_null',
    ),
    shifted(
      'WARN() of 4.4 (warn_slowpath_fmt)',
      'int line_fmt(int a) { if (unlikely(a > 3)) warn_slowpath_fmt(__FILE__, __LINE__, "value %d", a); ' +
        'return get() + a; }',
      'line-numbers line_fmt',
    ),
    shifted(
      'might_sleep()',
      'int line_sleep(int a) { __might_sleep(__FILE__, __LINE__, 0); return get() + a; }',
      'line-numbers line_sleep',
    ),
    shifted(
      'might_sleep() of 4.4',
      'int line_sleep3(int a) { ___might_sleep(__FILE__, __LINE__, 0); return get() + a; }',
      'line-numbers line_sleep3',
    ),
    shifted(
      'might_resched()',
      'int line_resched(int a) { __might_resched(__FILE__, __LINE__, 1); return get() + a; }',
      'line-numbers line_resched',
    ),
    shifted(
      'might_fault()',
      'int line_fault(int a) { __might_fault(__FILE__, __LINE__); return get() + a; }',
      'line-numbers line_fault',
    ),
    shifted(
      "lockdep's complaint",
      'int line_rcu(int a) { static bool __section(".data.unlikely") __warned; if ' +
        '(debug_lockdep_rcu_enabled() && !__warned && !rcu_read_lock_held()) { __warned = 1; ' +
        'lockdep_rcu_suspicious(__FILE__, __LINE__, "suspicious rcu_dereference_check() usage"); } return get() + a; }',
      'line-numbers line_rcu',
    ),
    shifted('dynamic debug', 'int line_dyn(int a) { pr_debug("value"); return get() + a; }'),
    shifted('dynamic debug of 4.4', 'int line_dyn44(int a) { pr_debug_44("value"); return get() + a; }'),
    shifted('the printk index', 'int line_index(int a) { printk("value %d", a); return get() + a; }'),
    shifted(
      'ASSERT_RTNL() of 4.4',
      'int line_rtnl44(int a) { if (unlikely(!rtnl_is_locked())) { printk_44("RTNL: assertion failed at ' +
        '%s (%d)\\n", __FILE__, __LINE__); dump_stack(); } return get() + a; }',
      'line-numbers line_rtnl44',
    ),
    shifted(
      'ASSERT_RTNL()',
      'int line_rtnl(int a) { WARN(!rtnl_is_locked(), "RTNL: assertion failed at %s (%d)\\n", __FILE__, ' +
        '__LINE__); return get() + a; }',
      'line-numbers line_rtnl',
    ),
    shifted(
      'a message of a driver that names its place',
      'int line_driver(int a) { if (unlikely(a > 3)) _printk("%s: bad value in %s:%d\\n", __func__, ' +
        '__FILE__, __LINE__); return get() + a; }',
      'line-numbers line_driver',
    ),
    shifted(
      'several in one function, some in its cold part,',
      'int line_many(int a) { WARN_ON(a > 3); __might_sleep(__FILE__, __LINE__, 0); WARN(a > 5, "RTNL: ' +
        'assertion failed at %s (%d)\\n", __FILE__, __LINE__); if (unlikely(a > 9)) { die(); ' +
        'warn_slowpath_null(__FILE__, __LINE__); } return get() + a; }',
      'line-numbers line_many',
    ),
    shifted(
      'a text with file and line, as FORTIFY_SOURCE makes it,',
      'int line_text(int a) { if (a > 3) say("field at drivers/net/thing.c:" LINE_TEXT(__LINE__)); return get() + a; }',
    ),
    shifted(
      'a warning that says the name of the function twice, beside another one,',
      'void __ext4_warning(const void *, const char *, int, const char *, const char *); int ' +
        'line_twice(int a) { WARN_ON(a > 7); if (unlikely(a > 3)) __ext4_warning(0, __func__, __LINE__, ' +
        '"again %s", __func__); return get() + a; }',
      'line-numbers line_twice',
    ),
    {
      title: 'in a text without a file is a change',
      before: 'void line_plain(void) { say("answer:100"); }',
      after: 'void line_plain(void) { say("answer:137"); }',
      changed: ['line_plain'],
    },
    {
      title: 'does not hide another change of the same function',
      before:
        '#line 100 "drivers/net/thing.c"\nint line_and(int a) { __might_sleep(__FILE__, __LINE__, 0); ' +
        'return get() + a; }',
      after:
        '#line 137 "drivers/net/thing.c"\nint line_and(int a) { __might_sleep(__FILE__, __LINE__, 0); ' +
        'return get() - a; }',
      changed: ['line_and'],
    },
    {
      title: 'is not just any number: an argument of a message is a change',
      before: 'int line_not(int a) { _printk("limit is %d\\n", 100); return get() + a; }',
      after: 'int line_not(int a) { _printk("limit is %d\\n", 137); return get() + a; }',
      changed: ['line_not'],
    },
    {
      title: 'is not just any number behind a file: the third argument of might_sleep() is a change',
      before:
        '#line 100 "drivers/net/thing.c"\nint line_third(int a) { __might_sleep(__FILE__, __LINE__, 3); ' +
        'return get() + a; }',
      after:
        '#line 137 "drivers/net/thing.c"\nint line_third(int a) { __might_sleep(__FILE__, __LINE__, 4); ' +
        'return get() + a; }',
      changed: ['line_third'],
    },
    {
      title: 'does not hide that a constant changes in a function that warns',
      before:
        '#line 100 "drivers/net/thing.c"\nint line_const(int a) { WARN(a > 5, "RTNL: assertion failed ' +
        'at %s (%d)\\n", __FILE__, __LINE__); use((void *)100); return get() + a; }',
      after:
        '#line 137 "drivers/net/thing.c"\nint line_const(int a) { WARN(a > 5, "RTNL: assertion failed ' +
        'at %s (%d)\\n", __FILE__, __LINE__); use((void *)137); return get() + a; }',
      changed: ['line_const'],
    },
    {
      title: 'does not hide that a warning becomes another kind of warning',
      before:
        '#line 100 "drivers/net/thing.c"\nint line_kind(int a) { if (a > 3) BUG_FLAGS("ud2", 1 | 9 << ' +
        '8); return get() + a; }',
      after:
        '#line 137 "drivers/net/thing.c"\nint line_kind(int a) { if (a > 3) BUG_FLAGS("ud2", 1 | 4 << ' +
        '8); return get() + a; }',
      changed: ['line_kind'],
    },
    {
      title: 'does not hide that the file is another one',
      before:
        '#line 100 "drivers/net/thing.c"\nint line_file(int a) { ' +
        'warn_slowpath_null("drivers/net/one.c", __LINE__); return get() + a; }',
      after:
        '#line 137 "drivers/net/thing.c"\nint line_file(int a) { ' +
        'warn_slowpath_null("drivers/net/two.c", __LINE__); return get() + a; }',
      changed: ['line_file'],
    },
  ],
})
