// SPDX-License-Identifier: GPL-3.0-or-later
// Exports that a fix adds, as kernels before Linux 6.4 and since then say it.
import { describe, expect, test } from 'vitest'
import { withOwnExports } from '../../src/extract/own-exports.ts'
import { changeOf } from '../objects.ts'

/** What EXPORT_SYMBOL(NAME) makes. */
const forms = [
  [
    'rows and strings',
    (
      name: string,
    ) => `asm(".section \\"__ksymtab_strings\\",\\"aMS\\",%progbits,1; __kstrtab_${name}: .asciz \\"${name}\\"; __kstrtabns_${name}: .asciz \\"\\"; .previous");
      asm(".section \\"___ksymtab+${name}\\",\\"a\\"; .balign 4; __ksymtab_${name}: .long ${name}- .; .long __kstrtab_${name}- .; .long __kstrtabns_${name}- .; .previous");`,
  ],
  [
    'a mark',
    (name: string) =>
      `asm(".section .export_symbol,\\"a\\"; __export_symbol_${name}: .asciz \\"GPL\\"; .asciz \\"\\"; ` +
      `.balign 8; .quad ${name}; .previous");`,
  ],
] as const

const before = 'extern int get(void); int shown(int a) { return a + get(); }'
const helper = 'int __attribute__((noinline)) fresh(int a) { return a * get(); }'

describe.each(forms)('a new export, as %s,', (_, exported) => {
  const found = (after: string, ...others: readonly (readonly [string, string])[]) => {
    const changes = [changeOf(before, after, 'unit.c'), ...others.map(([b, a]) => changeOf(b, a, 'other.c'))]
    return withOwnExports(
      changes,
      changes.flatMap(({ findings }) => findings),
    ).map(({ severity, rule, message }) => `${severity} ${rule} ${/exports (\w+)/.exec(message)?.[1] ?? ''}`.trim())
  }

  test('is left out with one note where a changed function uses it', () => {
    const after = `extern int get(void); ${helper} ${exported('fresh')} int shown(int a) { return fresh(a); }`
    expect(found(after)).toEqual(['note registration-added fresh'])
  })

  test('is left out where another unit of the fix uses it', () => {
    const other = (call: string) => `extern int fresh(int); int user(int a) { return ${call}; }` as const
    const after = `${before} ${helper} ${exported('fresh')}`
    expect(found(after, [other('a'), other('fresh(a)')])).toEqual(['note registration-added fresh'])
  })

  test('is left out where what is exported was there, and only the fix uses it', () => {
    const old = 'extern int shown(int); int user(int a) { return a; }'
    const young = 'extern int shown(int); int user(int a) { return shown(a); }'
    expect(found(`${before} ${exported('shown')}`, [old, young])).toEqual(['note registration-added shown'])
  })

  test('is refused where nobody uses it, whatever else changes', () => {
    const all = found(`extern int get(void); ${helper} ${exported('fresh')} int shown(int a) { return a - get(); }`)
    expect(new Set(all)).toEqual(new Set(['error registration-added']))
    const itself = 'int __attribute__((noinline)) fresh(int a) { return a ? a * fresh(a - get()) + 1 : 0; }'
    expect(new Set(found(`${before} ${itself} ${exported('fresh')}`))).toEqual(new Set(['error registration-added']))
  })

  test('is left out alone: another registration beside it is refused', () => {
    const initcall =
      'static void *__initcall__kmod_thing__12_34_starter6 __attribute__((used, section(".initcall6.init"))) = shown;'
    const after =
      `extern int get(void); ${helper} ${exported('fresh')} int shown(int a) { return fresh(a); } ` + `${initcall}`
    expect(found(after).sort()).toEqual(['error registration-added', 'note registration-added fresh'])
  })
})
