// SPDX-License-Identifier: GPL-3.0-or-later
// The printk index: a module lists the messages that its code can print, for programs that watch for them. Entries
// of carried functions are carried, so that the list of the live patch is right.
// Format: struct pi_entry in the kernel's include/linux/printk.h (since 5.15).
import type { Extent, SplitObject, Target } from '../diff/object/split-object.ts'
import { addTo } from '../ground/values/grouped.ts'

/** Bytes of a pointer to an entry. */
const pointerSize = 8

/** Offset of the function's name in struct pi_entry. */
const functionField = 8

/** @returns the pointers to the messages of each function, by the name that the source gives it */
export function indexedMessages(unit: SplitObject): ReadonlyMap<string, readonly Extent[]> {
  const found = new Map<string, Extent[]>()
  for (const section of unit.object.sections) {
    if (section.name !== '.printk_index') continue
    for (const relocation of unit.object.relocations(section)) {
      const entry = unit.target(section, relocation)
      if (entry.kind !== 'atom') continue
      const { atom } = entry
      const field = unit.relocations(atom).find(({ offset }) => offset === atom.start + functionField)
      const name = field === undefined ? undefined : textOf(unit.target(atom.section, field))
      if (name === undefined) continue
      addTo(found, name, { section, start: relocation.offset, end: relocation.offset + pointerSize })
    }
  }
  return found
}

/** `__func__` is a constant of its own, or a string. */
function textOf(target: Target): string | undefined {
  if (target.kind === 'string') return target.text.toString('latin1').replace(/\0$/, '')
  if (target.kind !== 'atom' || target.atom.kind !== 'data') return undefined
  const { section, start, end } = target.atom
  return /^(.*?)\0/s.exec(section.data.toString('latin1', start, end))?.[1]
}
