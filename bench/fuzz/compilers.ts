// SPDX-License-Identifier: GPL-3.0-or-later
// The compilers with which tests and benchmarks make objects.
import { readdirSync } from 'node:fs'

const versionOf = (program: string) => Number(program.replace(/^\D+/, ''))

/** Every gcc and clang that is installed by its version, such as `gcc-11`, oldest first; the set-up brings several. */
export const compilers: readonly string[] = [
  ...new Set(
    (process.env.PATH ?? '').split(':').flatMap((dir) => {
      try {
        return readdirSync(dir).filter((name) => /^(gcc|clang)-\d+$/.test(name))
      } catch {
        return []
      }
    }),
  ),
].sort((a, b) => Number(a.startsWith('clang')) - Number(b.startsWith('clang')) || versionOf(a) - versionOf(b))

/** The gcc of this Debian. */
export const compiler = 'gcc'

/** It, and the clang that is there in the oldest version. */
export const oneOfEach: readonly string[] = [compiler, ...compilers.filter((name) => /^clang/.test(name)).slice(0, 1)]
