// SPDX-License-Identifier: GPL-3.0-or-later
// Whether the kernel can resolve each reference of the finished module, and whether what it leads to, in the kernel or
// in the module, is there when it is used: of the right kind, and not freed after the start.

import { isAllocated, isCode, isPcRelative, relocationSize, sectionType } from '../elf/format.ts'
import type { Section } from '../elf/read.ts'
import { relocationEntries } from '../elf/read.ts'
import type { KernelNames } from '../match/names.ts'
import { isDistance } from '../x86/branch.ts'
import type { Inspection } from './inspection.ts'
import { type KernelPlace, livepatchName, meaningOf, objectOfTable, resolve } from './meaning.ts'
import { isFreed, isLivepatchTable, nameOf, type Reference } from './object-view.ts'

/**
 * Tables that the kernel goes through while it loads the module, `.init` and all; later it leaves out what is freed.
 */
const loadersOwn =
  /^(\.gnu\.linkonce\.this_module|\.orc_|__mcount_loc|\.(return|retpoline|call|cfi|static_call)_sites|\.ibt_endbr_seal|__(patchable_function_entries|jump_table|ex_table|bug_table)|\.(altinstructions|parainstructions|smp_locks)|\.(init|exit)\b)/

export function checkReferences(inspection: Inspection): void {
  checkPositions(inspection)
  const { module, names, complain } = inspection
  for (const section of module.object.sections) {
    if (!isAllocated(section) || section.type === sectionType.rela) continue
    for (const reference of module.references(section)) {
      checkField(inspection, reference)
      const meaning = meaningOf(names, reference)
      if (meaning.kind === 'own' && isFreedInModule(meaning.place.section) && !loadersOwn.test(section.name)) {
        const [extent] = module.ledTo(reference.target)
        const what = extent === undefined ? meaning.place.section.name : nameOf(extent)
        complain(
          'audit-freed',
          what,
          `${section.name} uses ${what} of the section ${meaning.place.section.name}, which the kernel ` +
            'frees when it has loaded the live patch',
        )
      }
      if (meaning.kind !== 'kernel') continue
      const { at, name } = meaning
      const there = names.at(at.object, at.address)
      const what = there[0]?.name ?? name
      if (isFreedInKernel(names, at))
        complain('audit-freed', what, `${section.name} refers to ${what}, which the kernel frees when it has started`)
      if (isBranch(reference) && !there.some(({ type }) => /[tTwW]/.test(type)))
        complain('audit-kind', what, `${section.name} calls or jumps to ${what}, where the kernel has no function`)
    }
  }
}

/** The kernel puts an address only where it finds zeros (arch/x86/kernel/module.c). */
function checkField({ complain }: Inspection, { section, offset, type }: Reference): void {
  const { name, data } = section
  if (data.subarray(offset, offset + relocationSize(type)).some((byte) => byte !== 0))
    complain(
      'audit-section',
      name,
      `Where the kernel is to put an address, at offset ${offset} of ${name}, there is one already`,
    )
}

function isFreedInModule(section: Section): boolean {
  return isFreed(section) && !section.name.startsWith('.exit')
}

/** The edges of what is freed are addresses only. */
function isFreedInKernel(names: KernelNames, { object, address }: KernelPlace): boolean {
  const isEdge = names.at(object, address).some(({ name }) => /^__init_(begin|end)$/.test(name))
  return object === 'vmlinux' && names.freed(address) && !isEdge
}

/** True for the operand of a call or a jump. */
function isBranch({ section, offset, type }: Reference): boolean {
  return isCode(section) && isPcRelative(type) && isDistance(section.data, offset)
}

/** Livepatch symbols that the kernel would not find, or not in the object whose coming makes it look. */
function checkPositions({ module: { object }, names, complain }: Inspection): void {
  for (const table of object.sections) {
    const when = objectOfTable(table.name)
    if (when === undefined || !isLivepatchTable(table)) continue
    for (const relocation of relocationEntries(table)) {
      const symbol = object.symbols[relocation.symbol]?.name ?? 'nothing'
      const meant = livepatchName(symbol)
      if (meant === undefined) {
        complain(
          'audit-unresolved',
          symbol,
          `A relocation of ${table.name} leads to ${symbol}, which is no livepatch symbol`,
        )
        continue
      }
      const { object: home, name, position } = meant
      const all = names.symbols(home, name)
      if (resolve(names, meant) === undefined)
        complain(
          'audit-unresolved',
          name,
          `The kernel would not find ${name} of ${home}, position ${position}: it has ${all.length || 'none'}`,
        )
      const entry = position === 0 ? undefined : all[position - 1]
      if (entry !== undefined && home !== 'vmlinux' && entry.whileLoading !== position)
        complain('audit-unresolved', name, `While ${home} is being loaded, position ${position} means another ${name}`)
      if (home !== when && home !== 'vmlinux' && !names.needs(when).includes(home))
        complain(
          'module-needed',
          name,
          `When ${when} comes, ${name} is looked for in the module ${home}, on which ${when} does not depend`,
        )
    }
  }
}
