// SPDX-License-Identifier: GPL-3.0-or-later
// A Patch is a unified diff as a value: which files it changes and how. parse.ts makes one from text,
// apply.ts makes the new text of each file.

export interface HunkLine {
  readonly kind: 'context' | 'removed' | 'added'
  /** Without the newline. */
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
  /** Path in the source tree, after stripping; undefined when the file is new. */
  readonly oldPath?: string
  /** Undefined when the file is removed. */
  readonly newPath?: string
  readonly hunks: readonly Hunk[]
}

export interface Patch {
  /** Where it came from, for messages. */
  readonly file: string
  /** The text before the first diff: a commit message, if there is one. */
  readonly preamble: string
  readonly files: readonly FilePatch[]
  /** SHA-256 of the patch's bytes, in hex. */
  readonly sha256: string
}

/** One file's content before and after all patches. */
export interface FileChange {
  /** Path in the source tree. A rename is a removed and a new file. */
  readonly path: string
  /** Undefined when the patch makes the file. */
  readonly before?: string
  /** Undefined when the patch removes the file. */
  readonly after?: string
  /** For each line of `after` (index 0 is line 1): the patch and its line that wrote it, if one did. */
  readonly origins: ReadonlyMap<number, { readonly patch: string; readonly line: number }>
}
