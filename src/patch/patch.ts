// SPDX-License-Identifier: GPL-3.0-or-later
// A Patch is a unified diff as a value: which files it changes and how. parse.ts makes one from text,
// apply.ts makes the new text of each file. The kernel's files are not all UTF-8, so every text of a
// file is a latin1 string here: one character is one byte, and all bytes survive.

export interface HunkLine {
  readonly kind: 'context' | 'removed' | 'added'
  /** Without the newline; latin1. */
  readonly text: string
  /** 1-based line of the patch file. */
  readonly patchLine: number
  /** True when `\ No newline at end of file` follows. */
  readonly noNewline: boolean
}

export interface Hunk {
  /** 1-based; 0 when the side is empty. */
  readonly oldStart: number
  readonly oldCount: number
  readonly newStart: number
  readonly newCount: number
  readonly lines: readonly HunkLine[]
  /** 1-based line of the patch file where the hunk's `@@` stands. */
  readonly patchLine: number
}

export interface FilePatch {
  /** As the patch spells it, with the prefix that `-p` strips (`a/fs/inode.c`); undefined when the file is new. */
  readonly oldPath?: string
  /** Undefined when the file is removed. */
  readonly newPath?: string
  /** True when the patch says that the file moves; otherwise two different names are one file's. */
  readonly renamed: boolean
  readonly hunks: readonly Hunk[]
  /** 1-based line of the patch file where this file's part begins. */
  readonly patchLine: number
}

export interface Patch {
  /** Where it came from, for messages. */
  readonly file: string
  /** The text before the first diff: a commit message, if there is one. */
  readonly preamble: string
  readonly files: readonly FilePatch[]
  /** All of it, for people to read: bytes that are not UTF-8 are replaced. */
  readonly text: string
  /** SHA-256 of the patch's bytes, in hex. */
  readonly sha256: string
}

/** The line of a patch that wrote a line of a file. */
export interface Origin {
  /** The patch's `file`. */
  readonly patch: string
  /** 1-based. */
  readonly line: number
}

/** One file's content before and after all patches; both texts are latin1. */
export interface FileChange {
  /** Path in the source tree. A rename is a removed and a new file. */
  readonly path: string
  /** Undefined when the patch makes the file. */
  readonly before?: string
  /** Undefined when the patch removes the file. */
  readonly after?: string
  /** By 1-based line of `after`: what wrote it. Lines that no patch wrote are absent. */
  readonly origins: ReadonlyMap<number, Origin>
  /** For each line of `after`, in order: its 1-based line in `before`, 0 when a patch wrote it. */
  readonly lineage: readonly number[]
}
