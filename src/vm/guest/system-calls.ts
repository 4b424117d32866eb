// SPDX-License-Identifier: GPL-3.0-or-later
// The guest's program for what neither a shell nor stress-ng reaches (guest/calls.c): compiled on this machine, as a
// static program, once for each state of its sources.
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { cacheRoot } from '../../ground/cache.ts'
import { command } from '../../ground/command.ts'
import { shippedFile } from '../../ground/installation.ts'
import { keepFile } from '../../ground/kept-file.ts'
import { withScratch } from '../../ground/scratch.ts'
import type { Entry } from './cpio.ts'

/**
 * The guest's `calls`; undefined when this machine has no static C library.
 * @param compiler a C compiler, such as the kernel's
 */
export async function systemCallProgram(compiler: string, signal: AbortSignal): Promise<Entry | undefined> {
  const dir = shippedFile('guest')
  const sources = (await readdir(dir)).filter((name) => /\.[ch]$/.test(name)).sort()
  const hash = createHash('sha256').update(compiler)
  for (const name of sources) hash.update(`${name}\0`).update(await readFile(path.join(dir, name)))
  const kept = path.join(cacheRoot(), 'guest', `calls-${hash.digest('hex')}`)
  const entry = (bytes: Buffer): Entry => ({ kind: 'file', path: 'bin/calls', bytes, mode: 0o755 })
  const known = await readFile(kept).catch(() => undefined)
  if (known !== undefined) return entry(known)
  return await withScratch(async (scratch) => {
    const output = path.join(scratch, 'calls')
    const files = sources.filter((name) => name.endsWith('.c')).map((name) => path.join(dir, name))
    const options = { signal, cwd: scratch, timeout: 60_000, allowFailure: true }
    // The headers of an older system may lack what a newer one has: then the exercises are fewer.
    const { exitCode } = await command(
      compiler,
      ['-std=gnu11', '-O1', '-static', '-s', '-o', output, ...files],
      options,
    )
    if (exitCode !== 0) return undefined
    const bytes = await readFile(output)
    await mkdir(path.dirname(kept), { recursive: true })
    await keepFile(kept, bytes)
    return entry(bytes)
  })
}
