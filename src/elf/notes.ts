// SPDX-License-Identifier: GPL-3.0-or-later
// The notes of an executable, a core or a running kernel: short records that say who made it, and from what.
// Format: System V gABI, chapter 5 (Note Section).

/** Bytes; the notes of a kernel have some hundred. */
export const mostNotes = 1 << 20

export interface Note {
  /** Who defined the type. */
  readonly owner: string
  readonly type: number
  readonly content: Buffer
}

/** @returns the notes up to the end, or up to one that can't be one */
export function* notesIn(bytes: Buffer): Generator<Note> {
  const aligned = (size: number) => (size + 3) & ~3
  for (let at = 0; at + 12 <= bytes.length; ) {
    const nameSize = bytes.readUInt32LE(at)
    const size = bytes.readUInt32LE(at + 4)
    const content = at + 12 + aligned(nameSize)
    if (nameSize > mostNotes || size > mostNotes || content + size > bytes.length) return
    yield {
      // The name ends with a NUL.
      owner: bytes.toString('latin1', at + 12, at + 12 + Math.max(0, nameSize - 1)),
      type: bytes.readUInt32LE(at + 8),
      content: bytes.subarray(content, content + size),
    }
    at = content + aligned(size)
  }
}
