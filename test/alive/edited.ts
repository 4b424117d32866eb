// SPDX-License-Identifier: GPL-3.0-or-later
// Edits of the kernel's own files as the changes that a patch would make.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { FileChange } from '../../src/patch/patch.ts'
import type { Sibling } from './siblings.ts'

/** @returns undefined when this kernel's text is another one */
export function editedFiles(source: string, edits: Sibling['edits']): FileChange[] | undefined {
  const files = new Map<string, { before: string; after: string }>()
  for (const { file, from, to } of edits) {
    const known = files.get(file)
    const place = path.join(source, file)
    if (known === undefined && !existsSync(place)) return undefined
    const before = known?.before ?? readFileSync(place, 'latin1')
    const text = known?.after ?? before
    const at = text.indexOf(from)
    if (at < 0) return undefined
    files.set(file, { before, after: text.slice(0, at) + to + text.slice(at + from.length) })
  }
  return [...files].map(([path, { before, after }]) => ({
    path,
    before,
    after,
    origins: new Map(),
    lineage: [],
  }))
}
