// SPDX-License-Identifier: GPL-3.0-or-later
// What sanitizers and control-flow integrity add to a unit: places in the source, lists of variables, a hash in
// front of each function.
import { expect } from 'vitest'
import { sheet } from '../../cases.ts'

const gcc = /^gcc/
const clang = /^clang/
/** kCFI came with clang 16. */
const kcfi = /^clang-(1[6-9]|[2-9]\d)$/

sheet({
  title: 'UBSAN',
  flags: ['-fsanitize=bounds,shift'],
  cases: [
    {
      title: 'its places in the source move without a change, and go with what is replaced',
      before:
        '#line 100 "drivers/thing.c"\nint ub_array[8]; int ub_same(int i) { return ub_array[i] << ' +
        'get(); } int ub_real(int i) { return ub_array[i] + 500; }',
      after:
        '#line 170 "drivers/thing.c"\nint ub_array[8]; int ub_same(int i) { return ub_array[i] << ' +
        'get(); } int ub_real(int i) { return ub_array[i] + 600; }',
      changed: ['ub_real'],
      refers: ['ub_array'],
    },
    {
      title: 'does not hide that a bound is another one',
      before:
        '#line 300 "drivers/thing.c"\nint ub_bound(int i) { char ub_local[10]; use(ub_local); return ub_local[i]; }',
      after:
        '#line 340 "drivers/thing.c"\nint ub_bound(int i) { char ub_local[11]; use(ub_local); return ub_local[i]; }',
      changed: ['ub_bound'],
    },
  ],
})

const kasan = {
  title: 'its list of variables is nothing that a live patch has to keep',
  before:
    'int as_array[8]; static int as_static = 5; int as_same(int i) { return as_array[i] + as_static++; ' +
    '} int as_real(int i) { return as_array[i] + 500; }',
  after:
    'int as_array[8]; static int as_static = 5; int as_new[9]; int as_same(int i) { return as_array[i] ' +
    '+ as_static++; } int as_real(int i) { return as_array[i] + as_new[i]; }',
  changed: ['as_real'],
  newData: ['as_new'],
  carried: ['as_new'],
  refers: ['as_array'],
}
sheet({
  title: 'KASAN of gcc',
  flags: [
    '-fsanitize=kernel-address',
    '-fasan-shadow-offset=0xdffffc0000000000',
    '--param',
    'asan-globals=1',
    '--param',
    'asan-instrumentation-with-call-threshold=0',
  ],
  cases: [{ ...kasan, compilers: gcc }],
})
sheet({
  title: 'KASAN of clang',
  flags: [
    '-fsanitize=kernel-address',
    '-mllvm',
    '-asan-mapping-offset=0xdffffc0000000000',
    '-mllvm',
    '-asan-globals=1',
  ],
  cases: [{ ...kasan, compilers: clang }],
})

sheet({
  title: 'kCFI',
  flags: ['-fsanitize=kcfi', '-fpatchable-function-entry=11,11'],
  cases: [
    {
      title: 'the hash in front of a function goes with it',
      before: 'int cfi_same(int a) { return get() + a; } int cfi_real(int a) { return get() * a; }',
      after: 'int cfi_same(int a) { return get() + a; } int cfi_real(int a) { return get() * a + 1; }',
      changed: ['cfi_real'],
      compilers: kcfi,
      check: (_, { draft }) => {
        const real = draft.symbols.find(({ name, type }) => name === 'cfi_real' && type === 'function')
        expect(real?.value).toBe(16)
        expect(draft.symbols.map(({ name }) => name)).not.toContain('cfi_same')
      },
    },
    {
      title: 'another prototype is another hash, which is a change',
      before: 'int cfi_type(int a) { return get(); }',
      after: 'int cfi_type(long a) { return get(); }',
      changed: ['cfi_type'],
      compilers: kcfi,
    },
  ],
})
