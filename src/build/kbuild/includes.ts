// SPDX-License-Identifier: GPL-3.0-or-later
// C files that are included by C files: their code is compiled where they are included, so a change to
// one of them is a change to another unit. Found by text, for all units at once; whether the compiler
// sees the #include is for dependencies.ts to say.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import pLimit from 'p-limit'
import { addTo } from '../../ground/values/grouped.ts'
import { remembered } from '../../ground/values/remembered.ts'

const include = /^[ \t]*#[ \t]*include[ \t]*["<]([^">\n]+\.c)[">]/gm

async function includedBy(root: string, file: string): Promise<string[]> {
  let text: string
  try {
    text = await readFile(path.join(root, file), 'latin1')
  } catch {
    // The build generates it.
    return []
  }
  if (!text.includes('.c"') && !text.includes('.c>')) return []
  const found: string[] = []
  for (const [, name] of text.matchAll(include))
    for (const candidate of [path.posix.join(path.posix.dirname(file), name!), path.posix.normalize(name!)])
      if (existsSync(path.join(root, candidate))) {
        found.push(candidate)
        break
      }
  return found
}

/**
 * For each C file that some of the units may include, directly or through another C file, those units.
 * @param root the source tree
 * @param sources the units' C files, as paths in it
 */
export async function findIncluded(
  root: string,
  sources: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const limit = pLimit(32)
  const read = remembered((file: string) => limit(() => includedBy(root, file)))
  const result = new Map<string, string[]>()
  await Promise.all(
    sources.map(async (source) => {
      const seen = new Set([source])
      for (const file of seen) for (const inner of await read(file)) seen.add(inner)
      seen.delete(source)
      for (const file of seen) addTo(result, file, source)
    }),
  )
  // The order in which files were read must not show.
  for (const users of result.values()) users.sort()
  return new Map([...result].sort(([a], [b]) => (a < b ? -1 : 1)))
}
