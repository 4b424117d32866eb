// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel registered by its section, and the patch takes away: it stays, and that is said.
import { describe, expect, test } from 'vitest'
import { changeOf } from '../objects.ts'

const words = `
#define __used __attribute__((used))
#define __section(name) __attribute__((section(name)))
int get(void);
`
const said = (before: string, after: string) =>
  changeOf(`${words}${before}`, `${words}${after}`)
    .findings.filter(({ rule }) => rule === 'registration-removed')
    .map(({ severity, message }) => `${severity} ${message.split(',')[0]}`)

const code = 'int walk(int a) { return get() * a; }\n'

describe('what the patch takes out of a section that the kernel has read is noted', () => {
  test.each([
    [
      'an export, once for all its rows',
      `static const char __kstrtab_walk[] __used __section("__ksymtab_strings") = "walk";
       static const void *__ksymtab_walk __used __section("___ksymtab_gpl+walk") = walk;`,
      ['note The patch removes the export of walk'],
    ],
    [
      'an export of Linux 6.4 and later',
      'static const void *__export_symbol_walk __used __section(".export_symbol") = walk;',
      ['note The patch removes the export of walk'],
    ],
    [
      'a parameter',
      'static int depth; static int *__param_depth __used __section("__param") = &depth;',
      ['note The patch removes the parameter depth'],
    ],
    [
      'an initcall',
      'static void *__initcall__kmod_x__123_45_walk6 __used __section(".initcall6.init") = walk;',
      ['note The patch removes the initcall of walk'],
    ],
    [
      'a boot parameter',
      'static void *__setup_walk __used __section(".init.setup") = walk;',
      ['note The patch removes the boot parameter walk'],
    ],
    [
      'whatever else has a section of its own',
      'static void *_eil_addr_walk __used __section("_error_injection_whitelist") = walk;',
      ['note The patch removes _eil_addr_walk from the section _error_injection_whitelist'],
    ],
    ['and not ordinary data', 'static int plain[4] __used;', []],
    ['nor data of the start', 'static int boot[4] __used __section(".init.data") = { 1 };', []],
  ])('%s', (_what, row, notes) => {
    expect(said(`${code}${row}`, code)).toEqual(notes)
    // What stays, or comes, is no removal.
    expect(said(`${code}${row}`, `${code}${row}`)).toEqual([])
    expect(said(code, `${code}${row}`)).toEqual([])
  })
})
