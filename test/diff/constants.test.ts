// SPDX-License-Identifier: GPL-3.0-or-later
// Things without a name, which only their content tells: strings, numbers in a pool, tables of a switch. And
// references into them: at an offset, at the end, before the start.
import { sheet } from '../cases.ts'

sheet({
  title: 'a string',
  cases: [
    {
      title: 'that moves in its section is no change',
      before: 'void str_move(void) { say("str_move says so"); }',
      after: 'void str_front(void) { say("a new one in front"); } void str_move(void) { say("str_move says so"); }',
      added: ['str_front'],
    },
    {
      title: 'that differs in its last character is a change',
      before: 'void str_last(void) { say("the very last one"); }',
      after: 'void str_last(void) { say("the very last ona"); }',
      changed: ['str_last'],
    },
    {
      title: 'that is cut short is a change, though its beginning is the same',
      before: 'void str_short(void) { say("beginning and end"); }',
      after: 'void str_short(void) { say("beginning"); }',
      changed: ['str_short'],
    },
    {
      title: 'that is the tail of another one is told from the whole',
      before: 'void str_tail(void) { say("prefix suffix"); use("suffix"); }',
      after: 'void str_tail(void) { say("prefix suffix"); use("prefix suffix" + 8); }',
      changed: ['str_tail'],
    },
    {
      title: 'of which another part is meant is a change',
      before: 'void str_part(void) { say("part of a string" + 3); }',
      after: 'void str_part(void) { say("part of a string" + 4); }',
      changed: ['str_part'],
    },
    {
      title: 'that two functions shared and one of them changes is changed for that one only',
      before: 'void str_one(void) { say("shared text"); } void str_two(void) { use("shared text"); }',
      after: 'void str_one(void) { say("shared text"); } void str_two(void) { use("own text"); }',
      changed: ['str_two'],
    },
    {
      title: 'that is empty is one, too',
      before: 'void str_empty(void) { say(""); use("x"); }',
      after: 'void str_empty(void) { say("x"); use(""); }',
      changed: ['str_empty'],
    },
    {
      title: 'with a NUL inside is compared as a whole',
      before: 'void str_nul(void) { use("left\\0right"); }',
      after: 'void str_nul(void) { use("left\\0wrong"); }',
      changed: ['str_nul'],
    },
    {
      title: 'with a NUL inside that only moves is no change',
      before: 'void str_nul_same(void) { use("up\\0down"); }',
      after: 'void str_nul_new(void) { use("in\\0front"); } void str_nul_same(void) { use("up\\0down"); }',
      added: ['str_nul_new'],
      compilers: /^clang/,
    },
    {
      title:
        'with a NUL inside that only moves among its like, which gcc bundles without names, has its ' +
        'function replaced in doubt',
      before: 'void str_doubt(void) { use("up\\0down"); }',
      after: 'void str_doubt_new(void) { use("in\\0front"); } void str_doubt(void) { use("up\\0down"); }',
      changed: ['str_doubt'],
      added: ['str_doubt_new'],
      compilers: /^gcc/,
    },
    {
      title: 'of wide characters is compared by them',
      before: 'void str_wide(void) { use(L"wide"); } void str_wide_same(void) { use(L"broad"); }',
      after: 'void str_wide(void) { use(L"wise"); } void str_wide_same(void) { use(L"broad"); }',
      changed: ['str_wide'],
    },
    {
      title: 'that is long and aligned is compared like a short one',
      before:
        'void str_long(void) { say("a text of more than thirty-two characters, which compilers align to ' +
        'eight bytes, one"); } void str_long_same(void) { say("another text of more than thirty-two ' +
        'characters, which compilers align to eight bytes"); }',
      after:
        'void str_long_new(void) { say("yet another text of more than thirty-two characters, in front ' +
        'of all of the others"); } void str_long(void) { say("a text of more than thirty-two ' +
        'characters, which compilers align to eight bytes, two"); } void str_long_same(void) { ' +
        'say("another text of more than thirty-two characters, which compilers align to eight bytes"); }',
      changed: ['str_long'],
      added: ['str_long_new'],
    },
    {
      title: 'that data point to is compared by content',
      before: 'const char *str_names[] = { "alpha", "beta" }; const char *str_get(int i) { return str_names[i]; }',
      after:
        'void str_before(void) { say("something else first"); } const char *str_names[] = { "alpha", ' +
        '"beta" }; const char *str_get(int i) { return str_names[i + 1]; }',
      changed: ['str_get'],
      added: ['str_before'],
      refers: ['str_names'],
    },
  ],
})

sheet({
  title: 'a constant without a name',
  cases: [
    {
      title: 'of a pool of 8 bytes that moves is no change, and one with another value is',
      before: 'double pool_same(double x) { return x * 3.25; } double pool_other(double x) { return x * 7.75; }',
      after:
        'double pool_new(double x) { return x + 1.0625; } double pool_same(double x) { return x * 3.25; ' +
        '} double pool_other(double x) { return x * 7.875; }',
      changed: ['pool_other'],
      added: ['pool_new'],
    },
    {
      title: 'of a pool of 4 bytes is found in the middle of it',
      before:
        'float pool4_a(float x) { return x * 3.25f; } float pool4_b(float x) { return x * 7.75f; } ' +
        'float pool4_c(float x) { return x * 9.5f; }',
      after:
        'float pool4_a(float x) { return x * 3.25f; } float pool4_b(float x) { return x * 7.5f; } float ' +
        'pool4_c(float x) { return x * 9.5f; }',
      changed: ['pool4_b'],
    },
    {
      title: 'of a pool of 16 bytes, as compilers make of an array on the stack, is compared by content',
      before:
        'int pool16(int i) { int v[4] = { 1, 20, 3, 4 }; use(v); return v[i]; } int pool16_same(int i) ' +
        '{ int v[4] = { 5, 6, 7, 80 }; use(v); return v[i]; }',
      after:
        'int pool16(int i) { int v[4] = { 1, 21, 3, 4 }; use(v); return v[i]; } int pool16_same(int i) ' +
        '{ int v[4] = { 5, 6, 7, 80 }; use(v); return v[i]; }',
      changed: ['pool16'],
    },
    {
      title: 'that is an array on the stack is compared by content',
      before:
        'int stack(int i) { int v[] = { 1, 20, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17 }; ' +
        'use(v); return v[i]; } int stack_same(int i) { int v[] = { 2, 20, 3, 4, 5, 6, 7, 8, 9, 10, 11, ' +
        '12, 13, 14, 15, 18 }; use(v); return v[i]; }',
      after:
        'int stack(int i) { int v[] = { 1, 20, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 19 }; ' +
        'use(v); return v[i]; } int stack_same(int i) { int v[] = { 2, 20, 3, 4, 5, 6, 7, 8, 9, 10, 11, ' +
        '12, 13, 14, 15, 18 }; use(v); return v[i]; }',
      changed: ['stack'],
    },
    {
      title: 'table of a switch with values is compared by them',
      before:
        'int sw_value(int x) { switch (x) { case 0: return 3; case 1: return 99; case 2: return 5; case ' +
        '3: return 42; case 4: return 17; case 5: return 81; } return 0; } int sw_value_same(int x) { ' +
        'switch (x) { case 0: return 13; case 1: return 9; case 2: return 25; case 3: return 41; case ' +
        '4: return 17; case 5: return 82; } return 0; }',
      after:
        'int sw_value(int x) { switch (x) { case 0: return 3; case 1: return 98; case 2: return 5; case ' +
        '3: return 42; case 4: return 17; case 5: return 81; } return 0; } int sw_value_same(int x) { ' +
        'switch (x) { case 0: return 13; case 1: return 9; case 2: return 25; case 3: return 41; case ' +
        '4: return 17; case 5: return 82; } return 0; }',
      changed: ['sw_value'],
    },
    {
      title: 'table of a switch with strings is compared by them',
      before:
        'const char *sw_name(int x) { switch (x) { case 0: return "zero"; case 1: return "one"; case 2: ' +
        'return "two"; case 3: return "three"; case 4: return "four"; } return "many"; } const char ' +
        '*sw_name_same(int x) { switch (x) { case 0: return "null"; case 1: return "eins"; case 2: ' +
        'return "zwei"; case 3: return "drei"; case 4: return "vier"; } return "viele"; }',
      after:
        'const char *sw_name(int x) { switch (x) { case 0: return "zero"; case 1: return "one"; case 2: ' +
        'return "two"; case 3: return "tree"; case 4: return "four"; } return "many"; } const char ' +
        '*sw_name_same(int x) { switch (x) { case 0: return "null"; case 1: return "eins"; case 2: ' +
        'return "zwei"; case 3: return "drei"; case 4: return "vier"; } return "viele"; }',
      changed: ['sw_name'],
    },
    {
      title: 'table of a switch with jumps is no change when nothing is',
      before:
        'int sw_jump_same(int x) { switch (x) { case 0: use("0"); return 3; case 1: die(); return x; ' +
        'case 2: use("2"); return 5; case 3: use("3"); return x * 3; case 4: say("4"); return 17; case ' +
        '5: use("5"); return 12; } return 0; }',
      after:
        'void sw_jump_new(void) { say("in front"); } int sw_jump_same(int x) { switch (x) { case 0: ' +
        'use("0"); return 3; case 1: die(); return x; case 2: use("2"); return 5; case 3: use("3"); ' +
        'return x * 3; case 4: say("4"); return 17; case 5: use("5"); return 12; } return 0; }',
      added: ['sw_jump_new'],
    },
    {
      title: 'table of a switch with jumps in another order is a change',
      before:
        'int sw_jump(int x) { switch (x) { case 0: use("a0"); return 3; case 1: die(); return x; case ' +
        '2: use("a2"); return 5; case 3: use("a3"); return x * 3; case 4: say("a4"); return 17; case 5: ' +
        'use("a5"); return 12; } return 0; }',
      after:
        'int sw_jump(int x) { switch (x) { case 0: use("a0"); return 3; case 1: die(); return x; case ' +
        '3: use("a2"); return 5; case 2: use("a3"); return x * 3; case 4: say("a4"); return 17; case 5: ' +
        'use("a5"); return 12; } return 0; }',
      changed: ['sw_jump'],
    },
    {
      title: 'initial value of a structure (a compound literal) in a function is compared by content',
      before:
        'struct big { int a[9]; }; void lit_local(void) { use(&(const struct big){ { 1, 2, 3, 4, 5, 6, ' +
        '7, 8, 9 } }); } void lit_same(void) { use(&(const struct big){ { 9, 2, 3, 4, 5, 6, 7, 8, 9 } }); }',
      after:
        'struct big { int a[9]; }; void lit_local(void) { use(&(const struct big){ { 1, 2, 3, 4, 5, 6, ' +
        '7, 8, 10 } }); } void lit_same(void) { use(&(const struct big){ { 9, 2, 3, 4, 5, 6, 7, 8, 9 } }); }',
      changed: ['lit_local'],
    },
    {
      title: 'that is a read-only array of the function is compared, and carried, by content',
      before:
        'int ro_local(int i) { static const int ro_t[] = { 1, 2, 3, 4, 55 }; return ro_t[i]; } int ' +
        'ro_same(int i) { static const int ro_s[] = { 1, 2, 3, 4, 77 }; return ro_s[i]; }',
      after:
        'int ro_local(int i) { static const int ro_t[] = { 1, 2, 3, 4, 56 }; return ro_t[i]; } int ' +
        'ro_same(int i) { static const int ro_s[] = { 1, 2, 3, 4, 77 }; return ro_s[i]; }',
      changed: ['ro_local'],
      owns: ['ro_t'],
    },
  ],
})

sheet({
  title: 'a reference',
  cases: [
    {
      title: 'to the end of an array is one to the array',
      before:
        'extern int bound; int ref_array[8]; int ref_end(void) { int s = 0; for (int *p = ref_array; p ' +
        '!= ref_array + 8; p++) s += *p; return s + bound; } int ref_next[8];',
      after:
        'extern int bound; int ref_array[8]; int ref_end(void) { int s = 0; for (int *p = ref_array; p ' +
        '!= ref_array + 8; p++) s += *p; return s * 3 + bound; } int ref_next[8];',
      changed: ['ref_end'],
      refers: ['ref_array'],
      owns: ['ref_next'],
    },
    {
      title: 'before the start of an array is one to the array',
      before:
        'static int below[8]; int ref_below(long i) { return below[i - 5]; } void ref_below_set(int i) ' +
        '{ below[i] = i; }',
      after:
        'static int below[8]; int ref_below(long i) { return below[i - 6]; } void ref_below_set(int i) ' +
        '{ below[i] = i; }',
      changed: ['ref_below'],
      refers: ['below'],
    },
    {
      title: 'before the start that stays is no change',
      before:
        'static int lower[8]; int ref_lower(long i) { return lower[i - 5]; } void ref_lower_set(int i) ' +
        '{ lower[i] = i; }',
      after:
        'static int ref_extra[8]; int ref_extra_get(long i) { return ref_extra[i]; } void ' +
        'ref_extra_set(int i) { ref_extra[i] = i; } static int lower[8]; int ref_lower(long i) { return ' +
        'lower[i - 5]; } void ref_lower_set(int i) { lower[i] = i; }',
      added: ['ref_extra_get', 'ref_extra_set'],
      newData: ['ref_extra'],
    },
    {
      title: 'to another member of a structure is a change',
      before:
        'struct { int a, b, c, d; } ref_struct; int ref_member(void) { return ref_struct.b; } void ' +
        'ref_fill(int x) { ref_struct.a = ref_struct.b = ref_struct.c = x; }',
      after:
        'struct { int a, b, c, d; } ref_struct; int ref_member(void) { return ref_struct.c; } void ' +
        'ref_fill(int x) { ref_struct.a = ref_struct.b = ref_struct.c = x; }',
      changed: ['ref_member'],
      refers: ['ref_struct'],
    },
    {
      title: 'into a page that stands at an absolute offset (the zero page) is kept',
      before:
        'extern char zero_page[4096]; unsigned long ref_zero(unsigned long v) { return v - (unsigned ' +
        'long)zero_page + 0x1000; }',
      after:
        'extern char zero_page[4096]; unsigned long ref_zero(unsigned long v) { return v - (unsigned ' +
        'long)zero_page + 0x2000; }',
      changed: ['ref_zero'],
      refers: ['zero_page'],
    },
    {
      title: 'by a physical address (__pa_symbol) leads to its symbol',
      before:
        'static char pa_page[64] = { 1 }; unsigned long ref_pa(void) { return (unsigned long)pa_page - ' +
        '0xffffffff80000000ul; } void ref_pa_set(int i) { pa_page[i] = i; }',
      after:
        'static char pa_page[64] = { 1 }; unsigned long ref_pa(void) { return (unsigned long)pa_page - ' +
        '0xffffffff80000000ul + 8; } void ref_pa_set(int i) { pa_page[i] = i; }',
      changed: ['ref_pa'],
      refers: ['pa_page'],
    },
    {
      title: 'behind an immediate is measured from the end of its instruction',
      before:
        'int imm_a = 1, imm_b = 2; int imm_test(void) { return imm_a == 0x12345678; } void imm_set(int ' +
        'x) { imm_a = x; imm_b = x; } int imm_other(void) { return imm_b == 0x11223344; }',
      after:
        'int imm_a = 1, imm_b = 2; int imm_test(void) { return imm_b == 0x12345678; } void imm_set(int ' +
        'x) { imm_a = x; imm_b = x; } int imm_other(void) { return imm_b == 0x11223344; }',
      changed: ['imm_test'],
      refers: ['imm_b'],
    },
    {
      title: 'to a symbol of another unit is one by its name',
      before:
        'extern int other_a, other_b; int ref_extern(void) { return other_a; } int ' +
        'ref_extern_same(void) { return other_a - other_b; }',
      after:
        'extern int other_a, other_b; int ref_extern(void) { return other_b; } int ' +
        'ref_extern_same(void) { return other_a - other_b; }',
      changed: ['ref_extern'],
      refers: ['other_b'],
    },
  ],
})

sheet({
  title: 'a relocation of the type',
  cases: [
    ...(
      [
        ['PC32', 'lea %s(%%rip), %%rax'],
        ['32S', 'mov $%s, %%rax'],
        ['64', 'movabs $%s, %%rax'],
        ['PLT32', 'call %s'],
        ['GOTPCREL', 'mov %s@GOTPCREL(%%rip), %%rax'],
      ] as const
    ).map(([type, instruction]) => {
      const name = `rel_${type.toLowerCase()}`
      const code = (target: string) => instruction.replace('%s', target).replaceAll('%%', '%')
      const text = (target: string) =>
        `asm(".pushsection .text.${name},\\"ax\\",@progbits; .globl ${name}; .type ${name},@function; ${name}: call __fentry__; ${code(target)}; ret; .size ${name}, .-${name}; .popsection");
         asm(".pushsection .text.${name}_same,\\"ax\\",@progbits; .globl ${name}_same; .type ${name}_same,@function; ${name}_same: call __fentry__; ${code(`${name}_one`)}; ret; .size ${name}_same, .-${name}_same; .popsection");`
      return {
        title: `${type} that leads elsewhere is a change`,
        before: text(`${name}_one`),
        after: text(`${name}_two`),
        changed: [name],
        refers: [`${name}_two`],
      }
    }),
    {
      title: 'PC32 in the middle of a read-only section is compared by what it leads to',
      before: `asm(".pushsection .rodata.rel_table,\\"a\\"; .balign 4; rel_table: .long 1, 2; .long rel_t1 - ., rel_t2 - .; .size rel_table, 16; .type rel_table,@object; .globl rel_table; .popsection");
        extern int rel_table[4]; int rel_table_get(int i) { return rel_table[i]; }`,
      after: `asm(".pushsection .rodata.rel_table,\\"a\\"; .balign 4; rel_table: .long 1, 2; .long rel_t1 - ., rel_t1 - .; .size rel_table, 16; .type rel_table,@object; .globl rel_table; .popsection");
        extern int rel_table[4]; int rel_table_get(int i) { return rel_table[i]; }`,
      refused: ['data-changed rel_table'],
    },
    {
      title: 'PC32 or PLT32 for a call is the same call',
      before:
        `asm(".pushsection .text.plt_or_not,\\"ax\\",@progbits; .globl plt_or_not; .type ` +
        'plt_or_not,@function; plt_or_not: call __fentry__; .byte 0xe8; .reloc ., R_X86_64_PC32, ' +
        'plt_callee - 4; .long 0; ret; .size plt_or_not, .-plt_or_not; .popsection");',
      after:
        `asm(".pushsection .text.plt_or_not,\\"ax\\",@progbits; .globl plt_or_not; .type ` +
        'plt_or_not,@function; plt_or_not: call __fentry__; .byte 0xe8; .reloc ., R_X86_64_PLT32, ' +
        'plt_callee - 4; .long 0; ret; .size plt_or_not, .-plt_or_not; .popsection");',
    },
  ],
})
