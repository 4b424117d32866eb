// SPDX-License-Identifier: GPL-3.0-or-later
// What the pointers in a live patch's tables lead to: texts, code, other tables. A module is not linked to addresses,
// so each pointer is a relocation of 64 bits.
import { relocationType, sectionFlag } from '../../elf/format.ts'
import type { ObjectFile, Relocation, Section } from '../../elf/read.ts'

/** A place in a section: bytes from its start. */
export interface Place {
  readonly section: Section
  readonly offset: number
}

/** Bytes of a name at most; the kernel's are shorter (KSYM_NAME_LEN). */
const longestName = 512

/** The text at which a relocation points, or undefined when it points at none. */
export function textAt({ symbol, addend }: Relocation): string | undefined {
  const { section } = symbol
  if (section === undefined || (section.flags & sectionFlag.exec) !== 0) return undefined
  const at = symbol.value + addend
  if (at < 0 || at >= section.data.length) return undefined
  const bytes = section.data.subarray(at, at + longestName + 1)
  const end = bytes.indexOf(0)
  return end <= 0 ? undefined : bytes.toString('latin1', 0, end)
}

export function pointersIn(object: ObjectFile, section: Section): Relocation[] {
  return object.relocations(section).filter(({ type }) => type === relocationType.abs64)
}

/** The code at which a relocation points, or undefined when it points at none. */
export function codeAt({ symbol, addend }: Relocation): Place | undefined {
  const { section, value } = symbol
  if (section === undefined || (section.flags & sectionFlag.exec) === 0) return undefined
  return { section, offset: value + addend }
}

/** The data at which a relocation points, or undefined when it points at none. */
export function dataAt({ symbol, addend }: Relocation): Place | undefined {
  const { section, value } = symbol
  if (section === undefined || (section.flags & sectionFlag.exec) !== 0) return undefined
  return { section, offset: value + addend }
}
