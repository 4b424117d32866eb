// SPDX-License-Identifier: GPL-3.0-or-later
// What a module says of itself for others to read from its file: aliases, what is to be loaded before it, its firmware.
// It is compared as the compiler wrote it, whichever macro made it.
import { readFileSync } from 'node:fs'
import { readObject } from '../../../elf/read.ts'
import { toldFirst } from '../../../ground/listed.ts'
import { type Found, note } from '../../subject/rule.ts'

/** `key=value` strings of an object's .modinfo; those of built-in code have the module's name before the key. */
export function moduleInfo(object: Buffer, name: string): string[] {
  return readObject(object, name)
    .sections.filter((section) => section.name === '.modinfo')
    .flatMap(({ data }) => Buffer.from(data).toString('latin1').split('\0'))
    .filter((entry) => entry !== '')
    .map((entry) => entry.replace(/^[\w-]+\.(?=\w+=)/, ''))
}

/** Kinds of entries that programs act on. */
const acted = /^(?:alias|softdep|weakdep|firmware|import_ns|license)=/

export function infoFindings(unit: string, before: readonly string[], after: readonly string[]): Found[] {
  const differing = (some: readonly string[], others: readonly string[]) =>
    [...new Set(some)].filter((entry) => acted.test(entry) && !others.includes(entry))
  const added = differing(after, before)
  const removed = differing(before, after)
  if (added.length + removed.length === 0) return []
  const told = [
    ...(added.length === 0 ? [] : [`adds ${toldFirst(added)}`]),
    ...(removed.length === 0 ? [] : [`removes ${toldFirst(removed)}`]),
  ]
  return [
    {
      unit,
      message:
        `${unit} ${told.join(' and ')}, which a live patch does not change: it is read from the ` +
        'installed module’s own file',
    },
  ]
}

export const moduleInfoRule = note(
  'module-info',
  'An alias, a soft dependency, a firmware name or another entry of a module’s information that the ' +
    'patch adds or removes',
  'Programs such as udev and modprobe read it from the module’s file and from lists made of it, ' +
    'which stay as they are; a live patch’s own file is not asked',
  'Install the fixed kernel’s module, or give the alias or dependency in /etc/modprobe.d, if the fix needs it',
  ['include/linux/module.h: MODULE_SOFTDEP'],
  ({ units }) =>
    units.flatMap(({ unit, pair }) =>
      pair.before === undefined
        ? []
        : infoFindings(
            unit.source,
            moduleInfo(readFileSync(pair.before), `${unit.source} (before)`),
            moduleInfo(readFileSync(pair.after), `${unit.source} (after)`),
          ),
    ),
)
