// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel's loader, sysfs, kallsyms and livepatch want of the finished module: names that are there once,
// sections and tables that they understand, versions that are the kernel's.
import { isAllocated, isCode, isWritable, sectionType } from '../elf/format.ts'
import { isForNamedModules } from '../kernel/exports.ts'
import { strayEntries, unreadableTables } from './code-tables.ts'
import type { Inspection } from './inspection.ts'
import { livepatchName, objectOfTable } from './meaning.ts'
import { isFunction, isLivepatchTable, type Named } from './object-view.ts'

/** Bytes of struct modversion_info, and of the checksum in front of the name. */
const version = { size: 64, name: 8 }

/** Bytes of a symbol's name that the kernel's livepatch code reads (kernel/livepatch/core.c). */
const longestName = 127

export function checkLoading(inspection: Inspection): void {
  const { module, complain } = inspection
  checkNames(inspection)
  checkSections(inspection)
  checkVersions(inspection)
  for (const { name } of unreadableTables(module))
    complain('audit-table', name, `The entries of ${name} are not of a size that the kernel knows`)
  for (const { section: table, about } of strayEntries(module))
    complain(
      'audit-table',
      table.name,
      `An entry of ${table.name} is about offset ${about.offset} of ${about.section.name}, where the ` +
        'code has nothing for it',
    )
}

function twice(all: readonly { readonly name: string }[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const again = new Set<string>()
  for (const { name } of all) (seen.has(name) ? again : seen).add(name)
  return again
}

/** By where they begin, the longest first. */
function byPlace(one: Named, other: Named): number {
  return one.section.index - other.section.index || one.start - other.start || other.end - one.end
}

function checkNames({ module: { object, named }, complain }: Inspection): void {
  for (const name of twice(object.sections.filter(isAllocated)))
    complain(
      'audit-section-name',
      name,
      `The module has two sections ${name}, and the kernel makes a file of each name`,
    )
  const wrong = (name: string, what: string) => complain('audit-symbol-name', name, what)
  const functions = named.filter(isFunction)
  for (const name of twice(functions))
    wrong(name, `The module has two functions ${name}, which a stack trace or a kprobe would confuse`)
  let widest: Named | undefined
  for (const one of functions.toSorted(byPlace)) {
    if (widest?.section !== one.section) widest = one
    else if (widest.start < one.start && one.start < widest.end)
      wrong(
        one.name,
        `${one.name} would be in the middle of ${widest.name}, of which the kernel then knows a part only`,
      )
    if (one.end > widest.end) widest = one
  }
  // A livepatch symbol defines nothing; one may stand for each object whose coming the kernel waits for.
  const globals = object.symbols.filter(
    ({ binding, place }) => binding !== 'local' && place !== 'undefined' && place !== 'livepatch',
  )
  for (const name of twice(globals)) wrong(name, `The module has two global symbols ${name}`)
}

function checkSections({ module: { object }, complain }: Inspection): void {
  const wrong = (name: string, what: string) => complain('audit-section', name, what)
  for (const section of object.sections.filter(isAllocated)) {
    const { name, type, info, size } = section
    if (isWritable(section) && isCode(section))
      wrong(name, `The section ${name} can be written and run, which the kernel refuses`)
    if (/^\.data\.\.ro_after_init/.test(name) && size > 0)
      complain(
        'audit-read-only',
        name,
        `What is in ${name} becomes read-only when the live patch is loaded, and a callback of a module ` +
          'that comes later could not write it',
      )
    const right = `.klp.rela.${objectOfTable(name)}.${object.sections[info]?.name}`
    if (type === sectionType.rela && (!isLivepatchTable(section) || name !== right))
      wrong(name, `The kernel would not understand for which section ${name} is`)
  }
  for (const { name, place } of object.symbols)
    if (place === 'livepatch' && (livepatchName(name)?.name.length ?? Infinity) > longestName)
      wrong(name, `The kernel would not understand the livepatch symbol ${name}`)
}

/** The versions of what the module takes from the kernel (CONFIG_MODVERSIONS), and the namespaces it must ask for. */
function checkVersions({ module: { object }, names, complain }: Inspection): void {
  const contents = (section: string) => object.sections.find(({ name }) => name === section)?.data ?? Buffer.alloc(0)
  const table = contents('__versions')
  const versions = new Map<string, number>()
  for (let at = 0; at + version.size <= table.length; at += version.size) {
    const name = table.toString('latin1', at + version.name, at + version.size).replace(/\0.*$/s, '')
    if (versions.has(name)) complain('audit-version', name, `The module tells the version of ${name} twice`)
    versions.set(name, table.readUInt32LE(at))
  }
  const info = contents('.modinfo').toString('latin1').split('\0')
  if (!info.includes('livepatch=Y'))
    complain('audit-section', '.modinfo', 'The module does not say that it is a live patch (livepatch=Y)')
  const depends =
    info
      .find((one) => one.startsWith('depends='))
      ?.slice('depends='.length)
      .split(',') ?? []
  for (const { name, place, index, binding } of object.symbols) {
    if (place !== 'undefined' || index === 0) continue
    const unresolved = (what: string) => complain('audit-unresolved', name, what)
    const found = names.exported(name)
    if (found === undefined) {
      if (binding !== 'weak') unresolved(`The module needs ${name}, which neither the kernel nor a module exports`)
      continue
    }
    const { crc, module, namespace } = found
    if (module !== 'vmlinux' && !depends.includes(module))
      unresolved(`The module needs ${name} of the module ${module}, on which it does not depend`)
    if (versions.size > 0 && versions.get(name) !== crc)
      complain('audit-version', name, `The module has another version of ${name} than the kernel`)
    if (isForNamedModules(namespace)) unresolved(`${name} is exported only to modules of certain names (${namespace})`)
    else if (namespace !== '' && !info.includes(`import_ns=${namespace}`))
      unresolved(`${name} is in the namespace ${namespace}, which the module does not import`)
  }
}
