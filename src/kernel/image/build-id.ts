// SPDX-License-Identifier: GPL-3.0-or-later
// The GNU build-id of a kernel: a hash of the linked image, so two builds that differ anywhere have two of them.
import { segmentType } from '../../elf/format.ts'
import { readSegments } from '../../elf/linked.ts'
import { mostNotes, notesIn } from '../../elf/notes.ts'
import { withVmlinux } from './vmlinux.ts'

/** NT_GNU_BUILD_ID. */
const gnuBuildId = 3

/**
 * @param vmlinux the kernel proper, an ELF file
 * @returns the build-id in hexadecimal; undefined when the kernel was linked without one
 * @throws Fault `environment/bad-image`
 */
export function readBuildId(vmlinux: string): string | undefined {
  return withVmlinux(vmlinux, (readAt, bad) => {
    for (const { type, offset, size } of readSegments(readAt, bad)) {
      if (type !== segmentType.note) continue
      const notes = size > mostNotes ? undefined : readAt(offset, Number(size))
      if (notes === undefined) throw bad('its notes lie outside the file')
      const found = buildIdIn(notes)
      if (found !== undefined) return found
    }
    return undefined
  })
}

/** @returns the build-id in hexadecimal among notes, which `/sys/kernel/notes` also has */
export function buildIdIn(notes: Buffer): string | undefined {
  for (const { owner, type, content } of notesIn(notes))
    if (owner === 'GNU' && type === gnuBuildId) return content.toString('hex')
  return undefined
}
