// SPDX-License-Identifier: GPL-3.0-or-later
// Data: what is new goes with the live patch, what exists stays the running kernel's and is referred to, and an
// initial value that changes is refused, because nobody would see it.
import { sheet } from '../cases.ts'

const gcc = /^gcc/

const prelude = `
  #define RM __section(".data..read_mostly")
  #define RO __section(".data..ro_after_init")
  #define PERCPU __section(".data..percpu")
  #define CACHE __section(".data..cacheline_aligned") __attribute__((aligned(64)))`

/** A variable that exists and stays, in code that changes around it. */
const stays = (what: string, name: string, declaration: string, use: string) => ({
  title: `${what} stays the running kernel's when the code around it changes`,
  before:
    `${declaration} int ${name}_read(int a) { ${use} return a + 1; } void ${name}_touch(int a) { ` +
    `${use} use(&${name}); }`,
  after:
    `${declaration} int ${name}_read(int a) { ${use} return a + 2; } void ${name}_touch(int a) { ` +
    `${use} use(&${name}); }`,
  changed: [`${name}_read`],
  carried: [],
  refers: [name],
})

/** A variable that is new, and what a live patch does with it. */
const fresh = (what: string, name: string, declaration: string) => ({
  title: `${what} that is new is carried`,
  before: `int ${name}_read(int a) { return a + get(); }`,
  after: `${declaration} int ${name}_read(int a) { use(&${name}); return a + get() + (int)(long)${name}++; }`,
  changed: [`${name}_read`],
  newData: [name],
  carried: [name],
  owns: [name],
})

/** An initial value that changes. */
const changes = (what: string, name: string, before: string, after: string) => ({
  title: `${what} is refused by name`,
  before: `${before} int ${name}_read(int i) { use(&${name}); return get() + i; }`,
  after: `${after} int ${name}_read(int i) { use(&${name}); return get() + i; }`,
  refused: [`data-changed ${name}`],
})

sheet({
  title: 'data that exist',
  prelude,
  cases: [
    stays('a global', 'g_data', 'int g_data = 3;', 'a += g_data++;'),
    stays('a static', 's_data', 'static int s_data = 3;', 'a += s_data++;'),
    stays('a static without a value (.bss)', 's_bss', 'static int s_bss;', 'a += s_bss++;'),
    stays('__read_mostly', 's_rm', 'static int s_rm RM = 9;', 'a += s_rm++;'),
    stays('__ro_after_init', 's_ro', 'static int s_ro RO = 9;', 'a += s_ro++;'),
    stays('a per-CPU variable', 's_pc', 'static int s_pc PERCPU = 9;', 'a += *(__seg_gs int *)&s_pc;'),
    stays('a cache-aligned one', 's_ca', 'static int s_ca CACHE = 9;', 'a += s_ca++;'),
    stays('a constant of the file', 's_const', 'const int s_const[5] = { 1, 2, 3, 4, 5 };', 'a += s_const[a];'),
    stays(
      'a table of pointers',
      's_ops',
      'void s_op(void); void (*const s_ops[])(void) = { s_op, die };',
      's_ops[a]();',
    ),
    {
      title: 'a static local stays one variable when its function changes',
      before: 'int local_calls(void) { static int calls_of = 3; return calls_of++; }',
      after: 'int local_calls(void) { static int calls_of = 3; return calls_of++ + 1; }',
      changed: ['local_calls'],
      carried: [],
      refers: ['calls_of'],
    },
    {
      title: 'a variable that nobody uses any more is nothing',
      before: 'int gone_data = 4; int gone_user(void) { return gone_data + get(); }',
      after: 'int gone_user(void) { return 4 + get(); }',
      changed: ['gone_user'],
      carried: [],
    },
    {
      title: 'references between data stay',
      before:
        'int linked_a = 1; int *linked_b = &linked_a; int **linked_c = &linked_b; int linked_get(void) ' +
        '{ return **linked_c; }',
      after:
        'int linked_a = 1; int *linked_b = &linked_a; int **linked_c = &linked_b; int linked_get(void) ' +
        '{ return **linked_c + 1; }',
      changed: ['linked_get'],
      carried: [],
      refers: ['linked_c'],
    },
  ],
})

sheet({
  title: 'data that are new',
  prelude,
  cases: [
    fresh('a global', 'n_global', 'int n_global = 3;'),
    fresh('a static', 'n_static', 'static int n_static = 3;'),
    fresh('a static without a value (.bss)', 'n_bss', 'static int n_bss;'),
    fresh('__read_mostly', 'n_rm', 'static int n_rm RM = 3;'),
    fresh('a per-CPU variable', 'n_pc', 'static int n_pc PERCPU = 3;'),
    fresh('a pointer to existing data', 'n_ptr', 'extern int elsewhere; static int *n_ptr = &elsewhere;'),
    {
      title: 'a constant table with pointers to strings, functions and data is carried with what they need',
      before: 'extern int known_data; int known_code(int a) { return a + get(); } int table_user(int i) { return i; }',
      after: `extern int known_data; int known_code(int a) { return a + get(); }
        static noinline int fresh_code(int a) { return get() * a; }
        static const struct { const char *word; int *data; int (*code)(int); } fresh_table[] = { { "word", &known_data, known_code }, { "more", 0, fresh_code } };
        int table_user(int i) { use(fresh_table[i].word); return fresh_table[i].code(*fresh_table[i].data); }`,
      changed: ['table_user'],
      added: ['fresh_code'],
      newData: ['fresh_table'],
      carried: ['fresh_table', 'fresh_code'],
      refers: ['known_data', 'known_code'],
      noted: ['address-of-new-function fresh_code'],
      compilers: gcc,
    },
    {
      title: 'a static local of a function that is new goes with it',
      before: 'int fresh_user(void) { return get(); }',
      after:
        'static noinline int fresh_counter(void) { static int fresh_calls = 7; return fresh_calls++; } ' +
        'int fresh_user(void) { return get() + fresh_counter(); }',
      changed: ['fresh_user'],
      added: ['fresh_counter'],
      newData: ['fresh_calls'],
      carried: ['fresh_counter', 'fresh_calls'],
      owns: ['fresh_calls'],
    },
    {
      title: 'nothing is carried that nobody needs',
      before: 'int need_it(void) { return get(); }',
      after:
        'int unneeded = 77; int unneeded_code(void) { return unneeded + get(); } int need_it(void) { ' +
        'return get() + 1; }',
      changed: ['need_it'],
      added: ['unneeded_code'],
      newData: ['unneeded'],
      carried: [],
    },
  ],
})

sheet({
  title: 'data that change',
  prelude,
  cases: [
    changes('an initial value', 'c_value', 'int c_value = 1;', 'int c_value = 2;'),
    changes('a value where there was none', 'c_bss', 'int c_bss;', 'int c_bss = 2;'),
    changes('a value that goes', 'c_zero', 'int c_zero = 2;', 'int c_zero;'),
    changes('a size', 'c_size', 'int c_size[2] = { 1, 2 };', 'int c_size[3] = { 1, 2 };'),
    changes('a size without a value', 'c_size0', 'int c_size0[2];', 'int c_size0[3];'),
    changes('another section', 'c_place', 'static int c_place = 5;', 'static int c_place RM = 5;'),
    changes('a constant', 'c_const', 'const int c_const = 5;', 'const int c_const = 6;'),
    changes('__read_mostly with another value', 'c_rm', 'static int c_rm RM = 5;', 'static int c_rm RM = 6;'),
    changes('__ro_after_init with another value', 'c_ro', 'static int c_ro RO = 5;', 'static int c_ro RO = 6;'),
    changes('a per-CPU variable with another value', 'c_pc', 'int c_pc PERCPU = 5;', 'int c_pc PERCPU = 6;'),
    changes(
      'a text in a table',
      'c_text',
      'const char *c_text[] = { "a", "b" };',
      'const char *c_text[] = { "a", "c" };',
    ),
    changes(
      'a function in a table',
      'c_ops',
      'void c_one(void); void c_two(void); void (*c_ops[2])(void) = { c_one, c_two };',
      'void c_one(void); void c_two(void); void (*c_ops[2])(void) = { c_two, c_two };',
    ),
    changes(
      'a pointer to another variable',
      'c_ptr',
      'int c_x, c_y; int *c_ptr = &c_x; void c_xy(void) { use(&c_x); use(&c_y); }',
      'int c_x, c_y; int *c_ptr = &c_y; void c_xy(void) { use(&c_x); use(&c_y); }',
    ),
    changes(
      'a pointer to another element',
      'c_elem',
      'int c_array[4]; int *c_elem = &c_array[1];',
      'int c_array[4]; int *c_elem = &c_array[2];',
    ),
    {
      title: 'a static local with another initial value is refused by name',
      before: 'int c_local(void) { static int c_inner = 3; use(&c_inner); return c_inner++; }',
      after: 'int c_local(void) { static int c_inner = 4; use(&c_inner); return c_inner++; }',
      refused: ['data-changed c_inner'],
    },
    {
      title: 'a table of operations that gets a new function is refused by name',
      before:
        'struct ops { int (*open)(int); int (*close)(int); }; static int op_open(int a) { return a + ' +
        'get(); } const struct ops c_file_ops = { .open = op_open };',
      after:
        'struct ops { int (*open)(int); int (*close)(int); }; static int op_open(int a) { return a + ' +
        'get(); } static int op_close(int a) { return a - get(); } const struct ops c_file_ops = { ' +
        '.open = op_open, .close = op_close };',
      added: ['op_close'],
      refused: ['data-changed c_file_ops'],
    },
  ],
})

sheet({
  title: 'what the kernel reads only when it starts',
  prelude,
  cases: [
    {
      title: 'a new initcall is refused by name',
      before: '',
      after:
        'static int starter(void) { return get(); } static void *__initcall__kmod_thing__12_34_starter6 ' +
        '__used __section(".initcall6.init") = starter;',
      added: ['starter'],
      newData: ['__initcall__kmod_thing__12_34_starter6'],
      refused: ['registration-added __initcall__kmod_thing__12_34_starter6'],
    },
    {
      title: 'an initcall whose number is another is no change',
      before:
        'static int starter_same(void) { return get(); } static void ' +
        '*__initcall__kmod_thing__13_35_starter_same6 __used __section(".initcall6.init") = starter_same;',
      after:
        'static int starter_same(void) { return get(); } static void ' +
        '*__initcall__kmod_thing__19_99_starter_same6 __used __section(".initcall6.init") = starter_same;',
    },
    {
      title: 'a new module parameter is refused by name',
      before: '',
      after:
        'int par_value; struct kernel_param { const char *name; void *arg; }; static const struct ' +
        'kernel_param __param_par __used __section("__param") = { "par", &par_value };',
      newData: ['par_value', '__param_par'],
      refused: ['registration-added __param_par'],
    },
    {
      title: 'a new export is refused by name',
      before: 'int exported_fn(void) { return get(); }',
      after:
        'int exported_fn(void) { return get(); } static void *__ksymtab_exported_fn __used ' +
        '__section("___ksymtab+exported_fn") = exported_fn;',
      newData: ['__ksymtab_exported_fn'],
      refused: ['registration-added __ksymtab_exported_fn'],
    },
    {
      title: 'a new tracepoint is refused by name',
      before: '',
      after:
        'struct tracepoint { const char *name; long key; }; struct tracepoint __tracepoint_thing ' +
        '__section("__tracepoints") = { "thing" }; static struct tracepoint *__tracepoint_ptr_thing ' +
        '__used __section("__tracepoints_ptrs") = &__tracepoint_thing; static struct tracepoint ' +
        '*__bpf_trace_tp_map_thing __used __section("__bpf_raw_tp_map") = &__tracepoint_thing;',
      newData: ['__tracepoint_thing', '__tracepoint_ptr_thing', '__bpf_trace_tp_map_thing'],
      refused: [
        'registration-added __tracepoint_thing',
        'registration-added __tracepoint_ptr_thing',
        'registration-added __bpf_trace_tp_map_thing',
      ],
    },
    {
      title: "an existing tracepoint stays the kernel's",
      before:
        'struct tracepoint2 { const char *name; long key; }; struct tracepoint2 __tracepoint_there ' +
        '__section("__tracepoints") = { "there" }; int trace_user(int a) { if (__tracepoint_there.key) ' +
        'use(&__tracepoint_there); return a + 1; }',
      after:
        'struct tracepoint2 { const char *name; long key; }; struct tracepoint2 __tracepoint_there ' +
        '__section("__tracepoints") = { "there" }; int trace_user(int a) { if (__tracepoint_there.key) ' +
        'use(&__tracepoint_there); return a + 2; }',
      changed: ['trace_user'],
      carried: [],
      refers: ['__tracepoint_there'],
    },
    {
      title: 'boot code that changes is refused by name',
      before: '__section(".init.text") int boot_it(int a) { return a + get(); }',
      after: '__section(".init.text") int boot_it(int a) { return a - get(); }',
      changed: ['boot_it'],
      refused: ['init-code boot_it'],
    },
    {
      title: 'exit code that changes is refused by name',
      before: '__section(".exit.text") void exit_it(int a) { use((void *)(long)a); get(); }',
      after: '__section(".exit.text") void exit_it(int a) { get(); use((void *)(long)a); }',
      changed: ['exit_it'],
      refused: ['init-code exit_it'],
    },
    {
      title: 'boot data that only boot code uses may be what they like, as long as they stay',
      before:
        '__section(".init.data") int boot_data = 4; __section(".init.text") int boot_use(void) { return ' +
        'boot_data + get(); } int run_use(void) { return get() * 2; }',
      after:
        '__section(".init.data") int boot_data = 4; __section(".init.text") int boot_use(void) { return ' +
        'boot_data + get(); } int run_use(void) { return get() * 3; }',
      changed: ['run_use'],
      carried: [],
    },
    {
      title: 'a module that uses one more namespace of exports (import_ns) is no change of data',
      before:
        'static const char __UNIQUE_ID_license40[] __used __section(".modinfo") = "license=GPL"; int ' +
        'ns_user(int a) { return a + get(); }',
      after:
        'static const char __UNIQUE_ID_license40[] __used __section(".modinfo") = "license=GPL"; static ' +
        'const char __UNIQUE_ID_import_ns41[] __used __section(".modinfo") = "import_ns=THING"; int ' +
        'ns_user(int a) { return a - get(); }',
      changed: ['ns_user'],
    },
  ],
})
