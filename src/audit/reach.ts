// SPDX-License-Identifier: GPL-3.0-or-later
// Whether everything that the finished module refers to in the kernel is there when it is used: found by the kernel, of
// the right kind, and not freed after boot.
import { isPcRelative, sectionFlag, sectionType } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import type { Names } from '../match/names.ts'
import type { Complain } from './complaint.ts'
import { livepatchName, type Meaning, meaningOf, resolve } from './meaning.ts'
import { isAllocated, isCode, type ObjectView } from './object-view.ts'

export function checkReach(module: ObjectView, names: Names, complain: Complain): void {
  checkPositions(module, names, complain)
  for (const section of module.object.sections) {
    if (!isAllocated(section) || section.type === sectionType.rela) continue
    for (const relocation of module.relocations({ section, start: 0, end: section.size })) {
      const meaning = meaningOf(names, module, section, relocation)
      if (meaning.kind !== 'kernel') continue
      const { at, name } = meaning
      const what = nameAt(names, meaning) ?? name
      const freed = at.object === 'vmlinux' && !isEdge(names, at.address) && names.freed(at.address)
      if (freed)
        complain(
          'audit-freed',
          what,
          `${section.name} refers to ${what}, which the kernel frees when it has started`,
        )
      if (!isCode(section) || !isBranch(section, relocation)) continue
      const kinds = names.at(at.object, at.address)
      if (!kinds.some(({ type }) => /[tTwW]/.test(type)))
        complain(
          'audit-kind',
          what,
          `${section.name} calls or jumps to ${what}, where the kernel has no function`,
        )
    }
  }
}

/** The edges of what is freed are addresses only. */
function isEdge(names: Names, address: bigint): boolean {
  return names.at('vmlinux', address).some(({ name }) => /^__init_(begin|end)$/.test(name))
}

export function nameAt(names: Names, meaning: Meaning): string | undefined {
  return meaning.kind === 'kernel' ? names.at(meaning.at.object, meaning.at.address)[0]?.name : undefined
}

/** True for the operand of a call or a jump. */
function isBranch({ data }: Section, { offset, type }: Relocation): boolean {
  if (!isPcRelative(type) || offset < 2) return false
  const [before = 0, last = 0] = [data[offset - 2], data[offset - 1]]
  return last === 0xe8 || last === 0xe9 || (before === 0x0f && (last & 0xf0) === 0x80)
}

/** Livepatch symbols that the kernel would not find, or not in the object whose coming makes it look. */
function checkPositions({ object }: ObjectView, names: Names, complain: Complain): void {
  for (const table of object.sections) {
    const [, when] = /^\.klp\.rela\.([^.]+)\./.exec(table.name) ?? []
    if (when === undefined || (table.flags & sectionFlag.relaLivepatch) === 0) continue
    for (let at = 0; at + 24 <= table.data.length; at += 24) {
      const symbol = object.symbols[table.data.readUInt32LE(at + 12)]
      const meant = symbol === undefined ? undefined : livepatchName(symbol.name)
      if (meant === undefined) {
        complain(
          'audit-unresolved',
          symbol?.name ?? '',
          `A relocation of ${table.name} leads to ${symbol?.name ?? 'nothing'}, which is no livepatch symbol`,
        )
        continue
      }
      const { object: home, name, position } = meant
      const count = names.symbols(home, name).length
      const found = resolve(names, meant)
      if (found === undefined)
        complain(
          'audit-unresolved',
          name,
          `The kernel would not find ${name} of ${home}, position ${position}: it has ${count === 0 ? 'none' : count}`,
        )
      const entry = position === 0 ? undefined : names.symbols(home, name)[position - 1]
      if (entry !== undefined && home !== 'vmlinux' && entry.whileLoading !== position)
        complain(
          'audit-unresolved',
          name,
          `While ${home} is being loaded, position ${position} means another ${name}`,
        )
      if (home === when || home === 'vmlinux' || names.needs(when).includes(home)) continue
      complain(
        'module-needed',
        name,
        `When ${when} comes, ${name} is looked for in the module ${home}, on which ${when} does not depend`,
      )
    }
  }
}
