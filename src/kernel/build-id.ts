// SPDX-License-Identifier: GPL-3.0-or-later
// The GNU build-id of a kernel: a hash of the linked image, so two builds that differ anywhere have two of them.
// Format: System V gABI, chapter 5 (Note Section).
import { segmentType } from '../elf/format.ts'
import { readSegments } from '../elf/linked.ts'
import { withVmlinux } from './vmlinux.ts'

const gnuBuildId = 3
/** Bytes; the notes of a kernel have some hundred. */
const most = 1 << 20

/**
 * @param vmlinux the kernel proper, an ELF file
 * @returns the build-id in hexadecimal; undefined when the kernel was linked without one
 * @throws Fault `environment/bad-image`
 */
export function readBuildId(vmlinux: string): string | undefined {
  return withVmlinux(vmlinux, (readAt, bad) => {
    for (const { type, offset, size } of readSegments(readAt, bad)) {
      if (type !== segmentType.note) continue
      const notes = size > most ? undefined : readAt(offset, Number(size))
      if (notes === undefined) throw bad('its notes lie outside the file')
      const found = buildIdIn(notes)
      if (found !== undefined) return found
    }
    return undefined
  })
}

/** @returns the build-id in hexadecimal among notes, which `/sys/kernel/notes` also has */
export function buildIdIn(notes: Buffer): string | undefined {
  const aligned = (size: number) => (size + 3) & ~3
  for (let at = 0; at + 12 <= notes.length; ) {
    const nameSize = notes.readUInt32LE(at)
    const size = notes.readUInt32LE(at + 4)
    const id = at + 12 + aligned(nameSize)
    if (nameSize > most || size > most || id + size > notes.length) return undefined
    const isGnu = nameSize === 4 && notes.toString('latin1', at + 12, at + 16) === 'GNU\0'
    if (isGnu && notes.readUInt32LE(at + 8) === gnuBuildId) return notes.toString('hex', id, id + size)
    at = id + aligned(size)
  }
  return undefined
}
