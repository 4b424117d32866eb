// SPDX-License-Identifier: GPL-3.0-or-later
// What the audit says about a finished module (src/audit): whatever it finds, the build was wrong.
import { error } from './explanation.ts'

const report = 'Report this with the patch and the kernel version: nothing was written'

const rule = (name: string, what: string, danger: string) => error(name, what, danger, report)

export const auditRules = [
  rule(
    'audit-code',
    'Code or data in the module that are not, byte for byte, what the compiler made',
    'The live patch would do something else than the source says',
  ),
  rule(
    'audit-reference',
    'A reference in the module that means something else than the same reference in the patched object',
    'The live patch would call or change something else than the source says',
  ),
  rule(
    'audit-copied',
    'A datum in the module that the kernel has, too, or that the module has twice',
    'Old and new code would not agree about its value',
  ),
  rule(
    'audit-table',
    'A table about code (faults, jump labels, alternatives) that says something else than the compiler’s',
    'The kernel would rewrite the wrong place, or not survive a fault',
  ),
  rule(
    'audit-missing',
    'A function or a value that the patch changes, and that the module neither has nor says anything about',
    'A part of the fix would be missing',
  ),
  rule(
    'audit-replaced',
    'A function that the module wants to replace, where the kernel finds none, or another one',
    'The kernel would refuse the live patch, or replace the wrong function',
  ),
  rule(
    'audit-freed',
    'A reference to what is freed when the kernel, or the live patch, has been loaded',
    'The first use would run or change memory that belongs to somebody else by then',
  ),
  rule(
    'audit-read-only',
    'Data in a section that becomes read-only when the live patch is loaded',
    'A callback of a module that comes later could not write them',
  ),
  rule(
    'audit-kind',
    'A call or a jump that leads to something in the kernel that is no function',
    'The kernel would crash',
  ),
  rule(
    'audit-unresolved',
    'A symbol that the kernel would not find, or in a place where it would not look',
    'The kernel would refuse the live patch, or later the module that it patches',
  ),
  rule(
    'audit-model',
    'A module that begins with another consistency model than was asked for, or with none that can be told',
    'Tasks would go over to the new code otherwise than the rules have judged it',
  ),
  rule('audit-version', 'The version of a symbol that is not the kernel’s', 'The kernel would refuse the live patch'),
  rule(
    'audit-section-name',
    'Two sections of one name in the module',
    'The kernel makes a file of each name, and warns or refuses',
  ),
  rule(
    'audit-symbol-name',
    'Two functions, or two global symbols, of one name in the module',
    'A stack trace or a kprobe would mean either',
  ),
  rule(
    'audit-section',
    'A section of the module that the kernel’s loader or its livepatch code would not understand',
    'The kernel would refuse the live patch, or overlook something',
  ),
] as const
