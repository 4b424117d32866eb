// SPDX-License-Identifier: GPL-3.0-or-later
// The same patch given to `inarch build`, with a cache of objects of its own, so that it can be cold.
import { existsSync } from 'node:fs'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { cacheRoot } from '../../src/ground/cache.ts'
import { command } from '../../src/ground/command.ts'
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { Built } from './klp-build.ts'
import { measured } from './measured.ts'
import type { Trial } from './trials.ts'

/** A cache with this machine's kernels and compilers, and nothing else. */
async function ownCache(work: string): Promise<string> {
  const cache = path.join(work, 'cache/inarch')
  await mkdir(cache, { recursive: true })
  for (const name of ['kernels', 'toolchains', 'archive'])
    if (!existsSync(path.join(cache, name))) await symlink(path.join(cacheRoot(), name), path.join(cache, name))
  return path.dirname(cache)
}

/** @param again its objects are there; without, none are */
export async function runInarch(
  job: Job,
  kernel: Kernel,
  { name, allow }: Trial,
  patch: Buffer,
  again: boolean,
  { work, output }: { readonly work: string; readonly output: string },
): Promise<Built> {
  const cache = await ownCache(work)
  if (!again) await rm(path.join(cache, 'inarch/objects'), { recursive: true, force: true })
  await mkdir(output, { recursive: true })
  const file = path.join(output, `${name}.patch`)
  await writeFile(file, patch)
  const words = ['build', '--kernel', kernel.release, '--name', name, '--output', output]
  const { result, work: cost } = await measured(() =>
    command(
      process.execPath,
      [path.resolve('dist/inarch.js'), ...words, ...allow.flatMap((rule) => ['--allow', rule]), file],
      { ...job, env: { XDG_CACHE_HOME: cache }, allowFailure: true },
    ),
  )
  const said = `${result.stdout}\n${result.stderr}`
  await writeFile(path.join(output, `${name}${again ? '-again' : ''}.log`), said)
  if (result.exitCode === 0) return { work: cost, module: path.join(output, `livepatch-${name}.ko`) }
  const rules = [...said.matchAll(/^\s*(?:error|warning)\s+(?:\S+ )?.*$/gm)].map(([line]) => line.trim())
  return { work: cost, refusal: [...new Set(rules)].slice(0, 3).join('; ') || `exit code ${result.exitCode}` }
}
