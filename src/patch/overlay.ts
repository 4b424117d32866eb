// SPDX-License-Identifier: GPL-3.0-or-later
// A source tree with changes on top, in memory: each file is read when it is needed, and never written. Each line
// remembers where it comes from.
import { lstat, realpath } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../ground/fault.ts'
import { inputKinds, readInput } from '../ground/input.ts'
import type { FileChange, Origin } from './patch.ts'

/** A line of a file in the making. `text` holds its newline, if it has one. */
export interface Line {
  readonly text: string
  /** 1-based line in the original file; 0 when a patch wrote it. */
  readonly from: number
  readonly origin?: Origin
}

export interface Draft {
  readonly before: string | undefined
  /** Undefined while the file does not exist. */
  lines: readonly Line[] | undefined
}

function splitLines(text: string): string[] {
  const lines = text.split(/(?<=\n)/)
  return lines.length === 1 && lines[0] === '' ? [] : lines
}

/** The tree with the changes so far on top. */
export class Overlay {
  private readonly drafts = new Map<string, Draft>()

  constructor(private readonly root: string) {}

  /** @throws Fault when the path is not an ordinary file inside the tree */
  private async load(file: string): Promise<string | undefined> {
    const full = path.join(this.root, file)
    let ancestor = full
    for (;;) {
      try {
        const real = await realpath(ancestor)
        if (real !== ancestor)
          throw new Fault('patch', 'path-through-link', `The path ${file} goes through a symbolic link`, {
            remedy: 'Write the patch against the file itself',
          })
        break
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
        ancestor = path.dirname(ancestor)
      }
    }
    if (ancestor !== full) return undefined
    if (!(await lstat(full)).isFile())
      throw new Fault('patch', 'not-a-regular-file', `${file} is not a file in the kernel's source`)
    return (await readInput(full, inputKinds.source)).toString('latin1')
  }

  async open(file: string): Promise<Draft> {
    let draft = this.drafts.get(file)
    if (draft === undefined) {
      const before = await this.load(file)
      draft = {
        before,
        lines: before === undefined ? undefined : splitLines(before).map((text, i) => ({ text, from: i + 1 })),
      }
      this.drafts.set(file, draft)
    }
    return draft
  }

  async exists(file: string): Promise<boolean> {
    const draft = this.drafts.get(file)
    if (draft !== undefined) return draft.lines !== undefined
    try {
      return (await lstat(path.join(this.root, file))).isFile()
    } catch {
      return false
    }
  }

  async hasDirectory(dir: string): Promise<boolean> {
    try {
      return (await lstat(path.join(this.root, dir))).isDirectory()
    } catch {
      return false
    }
  }

  changes(): FileChange[] {
    const changes: FileChange[] = []
    for (const [file, { before, lines }] of this.drafts) {
      const after = lines?.map((line) => line.text).join('')
      if (after === before) continue
      const origins = new Map<number, Origin>()
      lines?.forEach((line, i) => {
        if (line.origin !== undefined) origins.set(i + 1, line.origin)
      })
      changes.push({
        path: file,
        ...(before === undefined ? {} : { before }),
        ...(after === undefined ? {} : { after }),
        origins,
        lineage: lines?.map((line) => line.from) ?? [],
      })
    }
    return changes.sort((a, b) => (a.path < b.path ? -1 : 1))
  }
}
