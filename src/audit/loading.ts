// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel's loader, sysfs, kallsyms and livepatch want of the finished module, read from its bytes alone: names
// that are there once, versions that are the kernel's, nothing that lasts in memory that does not.
import { relocationSize, sectionFlag, sectionType } from '../elf/format.ts'
import type { Section } from '../elf/read.ts'
import type { Names } from '../match/names.ts'
import { strayEntries, unreadableTables } from './code-tables.ts'
import type { Complain } from './complaint.ts'
import { livepatchName } from './meaning.ts'
import { type Extent, isAllocated, isCode, isFreed, isWritable, type ObjectView } from './object-view.ts'

/** Tables that the kernel goes through while it loads the module, `.init` and all; later it leaves out what is freed. */
const loadersOwn =
  /^(\.gnu\.linkonce\.this_module|\.orc_|__mcount_loc|\.(return|retpoline|call|cfi|static_call)_sites|\.ibt_endbr_seal|__(patchable_function_entries|jump_table|ex_table|bug_table)|\.(altinstructions|parainstructions|smp_locks)|\.(init|exit)\b)/

/** Bytes of struct modversion_info, and of the checksum in front of the name. */
const version = { size: 64, name: 8 }

/** Bytes of a symbol's name that the kernel's livepatch code reads (kernel/livepatch/core.c). */
const longestName = 127

export function checkLoading(module: ObjectView, names: Names, complain: Complain): void {
  checkNames(module, complain)
  checkSections(module, complain)
  checkWhatIsFreed(module, complain)
  checkVersions(module, names, complain)
  for (const { name } of unreadableTables(module))
    complain('audit-table', name, `The entries of ${name} are not of a size that the kernel knows`)
  for (const { table, about } of strayEntries(module))
    complain(
      'audit-table',
      table.name,
      `An entry of ${table.name} is about offset ${about.offset} of ${about.section.name}, where the code has nothing for it`,
    )
}

function twice<T>(all: readonly T[], nameOf: (one: T) => string): string[] {
  const seen = new Set<string>()
  const again = new Set<string>()
  for (const one of all) (seen.has(nameOf(one)) ? again : seen).add(nameOf(one))
  return [...again]
}

/** By where they begin, the longest first. */
function byPlace(one: Extent, other: Extent): number {
  return one.section.index - other.section.index || one.start - other.start || other.end - one.end
}

function checkNames({ object, named }: ObjectView, complain: Complain): void {
  for (const name of twice(object.sections.filter(isAllocated), (section) => section.name))
    complain(
      'audit-section-name',
      name,
      `The module has two sections ${name}, and the kernel makes a file of each name`,
    )
  const functions = named.filter(({ symbol, section }) => symbol?.type === 'function' && isCode(section))
  for (const name of twice(functions, ({ symbol }) => symbol?.name ?? ''))
    complain(
      'audit-symbol-name',
      name,
      `The module has two functions ${name}, which a stack trace or a kprobe would confuse`,
    )
  let widest: Extent | undefined
  for (const one of functions.toSorted(byPlace)) {
    if (widest?.section !== one.section) widest = one
    else if (widest.start < one.start && one.start < widest.end)
      complain(
        'audit-symbol-name',
        one.symbol?.name ?? '',
        `${one.symbol?.name} would be in the middle of ${widest.symbol?.name}, of which the kernel then knows a part only`,
      )
    if (one.end > widest.end) widest = one
  }
  // A livepatch symbol defines nothing; one may stand for each object whose coming the kernel waits for.
  const globals = object.symbols.filter(
    ({ binding, place }) => binding !== 'local' && place !== 'undefined' && place !== 'livepatch',
  )
  for (const name of twice(globals, (symbol) => symbol.name))
    complain('audit-symbol-name', name, `The module has two global symbols ${name}`)
}

function checkSections(module: ObjectView, complain: Complain): void {
  const { object } = module
  for (const section of object.sections) {
    const { name, type, flags, info, size } = section
    if (!isAllocated(section)) continue
    checkFields(module, section, complain)
    if (isWritable(section) && isCode(section))
      complain('audit-section', name, `The section ${name} can be written and run, which the kernel refuses`)
    if (/^\.data\.\.ro_after_init/.test(name) && size > 0)
      complain(
        'audit-read-only',
        name,
        `What is in ${name} becomes read-only when the live patch is loaded, and a callback of a module that comes later could not write it`,
      )
    if (type !== sectionType.rela) continue
    const about = object.sections[info]
    const [, of] = /^\.klp\.rela\.([^.]+)\./.exec(name) ?? []
    if (
      (flags & sectionFlag.relaLivepatch) === 0 ||
      of === undefined ||
      name !== `.klp.rela.${of}.${about?.name}`
    )
      complain('audit-section', name, `The kernel would not understand for which section ${name} is`)
  }
  for (const { name, place } of object.symbols) {
    if (place !== 'livepatch') continue
    const meant = livepatchName(name)
    if (meant === undefined || meant.name.length > longestName)
      complain('audit-section', name, `The kernel would not understand the livepatch symbol ${name}`)
  }
}

/** The kernel puts an address only where it finds zeros (arch/x86/kernel/module.c). */
function checkFields(module: ObjectView, section: Section, complain: Complain): void {
  if (section.type === sectionType.rela || section.type === sectionType.nobits) return
  for (const { offset, type } of module.relocations({ section, start: 0, end: section.size }))
    if (section.data.subarray(offset, offset + relocationSize(type)).some((byte) => byte !== 0))
      complain(
        'audit-section',
        section.name,
        `Where the kernel is to put an address, at offset ${offset} of ${section.name}, there is one already`,
      )
}

/** References of lasting code and data to what is gone when the module's init function has returned. */
function checkWhatIsFreed(module: ObjectView, complain: Complain): void {
  for (const section of module.object.sections) {
    if (!isAllocated(section) || section.type === sectionType.rela || loadersOwn.test(section.name)) continue
    for (const relocation of module.relocations({ section, start: 0, end: section.size })) {
      const target = module.target(section, relocation)
      if (target.kind !== 'place' || !isFreedInModule(target.place.section)) continue
      const what =
        module.extentsAt(target.place, relocation.symbol)[0]?.symbol?.name ?? target.place.section.name
      complain(
        'audit-freed',
        what,
        `${section.name} uses ${what} of the section ${target.place.section.name}, which the kernel frees when it has loaded the live patch`,
      )
    }
  }
}

function isFreedInModule(section: Section): boolean {
  return isFreed(section) && !section.name.startsWith('.exit')
}

/** The versions of what the module takes from the kernel (CONFIG_MODVERSIONS), and the namespaces it must ask for. */
function checkVersions({ object }: ObjectView, names: Names, complain: Complain): void {
  const table = object.sections.find(({ name }) => name === '__versions')?.data ?? Buffer.alloc(0)
  const versions = new Map<string, number>()
  for (let at = 0; at + version.size <= table.length; at += version.size) {
    const name = table.toString('latin1', at + version.name, at + version.size).replace(/\0.*$/s, '')
    if (versions.has(name)) complain('audit-version', name, `The module tells the version of ${name} twice`)
    versions.set(name, table.readUInt32LE(at))
  }
  const info =
    object.sections
      .find(({ name }) => name === '.modinfo')
      ?.data.toString('latin1')
      .split('\0') ?? []
  if (!info.includes('livepatch=Y'))
    complain('audit-section', '.modinfo', 'The module does not say that it is a live patch (livepatch=Y)')
  for (const { name, place, index, binding } of object.symbols) {
    if (place !== 'undefined' || index === 0) continue
    const found = names.exported(name)
    if (found === undefined) {
      if (binding !== 'weak')
        complain(
          'audit-unresolved',
          name,
          `The module needs ${name}, which neither the kernel nor a module exports`,
        )
      continue
    }
    const { crc, module, namespace } = found
    if (module !== 'vmlinux' && !dependencies(info).includes(module))
      complain(
        'audit-unresolved',
        name,
        `The module needs ${name} of the module ${module}, on which it does not depend`,
      )
    if (versions.size > 0 && versions.get(name) !== crc)
      complain('audit-version', name, `The module has another version of ${name} than the kernel`)
    if (namespace !== '' && !info.includes(`import_ns=${namespace}`))
      complain(
        'audit-unresolved',
        name,
        `${name} is in the namespace ${namespace}, which the module does not import`,
      )
  }
}

function dependencies(info: readonly string[]): string[] {
  const line = info.find((one) => one.startsWith('depends='))
  return line === undefined ? [] : line.slice('depends='.length).split(',')
}
