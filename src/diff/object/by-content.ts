// SPDX-License-Identifier: GPL-3.0-or-later
// What has no identity of its own: nobody can tell one copy from another, so it is compared, and carried, by
// content. And its opposite: entries of tables that the linker collects from all units. The kernel goes through these
// by their section, whatever they are called, so each of them matters: an initcall, a quirk of a PCI device, an early
// console.
import { relocationType, sectionFlag } from '../../elf/format.ts'
import type { Relocation, Section } from '../../elf/read.ts'
import { useOf } from '../../x86/address-taking.ts'
import { isCompilersName } from './compiler-names.ts'
import { isIncidental } from './diagnostic-data.ts'
import { type Atom, isCode, type SplitObject, type Target } from './split-object.ts'

/**
 * Sections in which only those see a datum who refer to it; any other name is one that the source chose for a table.
 */
const forReferrers =
  /^\.(?:(?:(?:init|exit|meminit|memexit|cpuinit|cpuexit|devinit|devexit|ref)\.)?(?:rodata|data)|s?bss|sdata|lbss|ldata|lrodata|tbss|tdata)(?:\.|$)/

/**
 * Tables that say nothing about code or data by themselves, or that others look after: a module's description, exports,
 * diagnostics.
 */
const lookedAfter =
  /^\.modinfo$|^_{2,3}k(?:symtab|crctab|flagstab)|^\.export_symbol$|^__(?:dyndbg|verbose|tracepoint_str)$/

/** True for a section that holds a table which the linker collects and the kernel goes through. */
export function isCollected(section: { readonly name: string; readonly flags: number }): boolean {
  return (
    (section.flags & (sectionFlag.alloc | sectionFlag.exec)) === sectionFlag.alloc &&
    !forReferrers.test(section.name) &&
    !lookedAfter.test(section.name)
  )
}

/** True for an entry of such a table. */
export function isTableEntry(atom: Atom): boolean {
  return atom.kind === 'data' && isCollected(atom.section) && !isIncidental(atom)
}

/** True for data whose identity nobody can see: it is compared, and carried, by content. */
export function isByContent(atom: Atom): boolean {
  if (atom.kind === 'constant') return true
  return (
    atom.kind === 'data' &&
    atom.symbol?.binding === 'local' &&
    (atom.section.flags & sectionFlag.write) === 0 &&
    isCompilersName(atom.name) &&
    !isTableEntry(atom)
  )
}

/** True for a reference whose string is found without knowing its instruction: its address is no distance. */
export function isFoundByItself(type: number): boolean {
  return type === relocationType.abs32s || type === relocationType.abs64
}

/** True when the same string, of bytes up to a NUL, begins at two places, and ends before `endB` and `endA`. */
export function isSameString(b: Buffer, inB: number, endB: number, a: Buffer, inA: number, endA: number): boolean {
  const length = Math.min(endB - inB, endA - inA)
  for (let at = 0; at < length; at++) {
    if (b[inB + at] !== a[inA + at]) return false
    if (b[inB + at] === 0) return true
  }
  return false
}

/**
 * The constant of which a reference by section may mean the end, as another atom begins there.
 * @returns undefined when its beginning is meant
 */
export function endMeant(unit: SplitObject, from: Section, relocation: Relocation, target: Target): Atom | undefined {
  if (target.kind !== 'atom' || target.offset !== 0 || relocation.symbol.type !== 'section') return undefined
  const { atom } = target
  const all = atom.start === 0 || atom.kind === 'function' ? [] : unit.atomsOf(atom.section)
  const previous = all[all.indexOf(atom) - 1]
  if (previous === undefined || previous.end !== atom.start || previous.kind !== 'data') return undefined
  if (!isByContent(previous)) return undefined
  const instruction = isCode(from) ? unit.instructionAt(from, relocation.offset) : undefined
  const use = instruction && useOf(instruction, relocation.offset)
  return use === 'address' ? previous : undefined
}
