// SPDX-License-Identifier: GPL-3.0-or-later
// The files of the project that people write, for the checks that read all of them.
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const skipped = new Set(['.git', 'node_modules', 'dist', 'coverage', 'LICENSES'])

/**
 * @param wanted what the path from the project's root must match
 * @returns each file by its path from the root, and by its whole path
 */
export function* sourceFiles(wanted, directory = '') {
  for (const entry of readdirSync(path.join(root, directory), { withFileTypes: true })) {
    const relative = path.join(directory, entry.name)
    if (entry.isDirectory()) {
      if (!skipped.has(entry.name)) yield* sourceFiles(wanted, relative)
    } else if (entry.isFile() && wanted.test(relative)) yield { relative, full: path.join(root, relative) }
  }
}
