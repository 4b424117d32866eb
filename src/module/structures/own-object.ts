// SPDX-License-Identifier: GPL-3.0-or-later
// Compiles C files that Inarch brings along, with the flags of a kernel's own modules. What they come to is kept as
// long as their text and everything of the kernel that they include is the same.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { compilerIdentity } from '../../build/compiler/compiler.ts'
import { mayHideInputs, readInputs, tellingInputs } from '../../build/compiler/compiler-run.ts'
import { InputTree, parseInputs, renderInputs, searchedBy } from '../../build/compiler/inputs.ts'
import { loadObject, storeObject } from '../../build/compiler/object-cache.ts'
import type { Unit } from '../../build/kbuild/units.ts'
import { command } from '../../ground/command.ts'
import type { Job } from '../../ground/job.ts'
import { withScratch } from '../../ground/scratch.ts'
import type { Kernel } from '../../kernel/kernel.ts'

/** A C file that Inarch brings along. */
export interface OwnSource {
  /** Absolute path. */
  readonly file: string
  /** Absolute paths of what it may include of what Inarch brings along. */
  readonly headers: readonly string[]
  readonly flags: readonly string[]
}

/** The compiler's arguments for a C file of the module `name`, as they are for `unit`. */
export function moduleFlags(unit: Unit, name: string): string[] {
  const own = /^-D(__)?KBUILD_(MODFILE|BASENAME|MODNAME)=/
  return [
    ...(unit.flags ?? []).filter((flag) => !own.test(flag) && !flag.startsWith('-g')),
    `-DKBUILD_BASENAME="${name}"`,
    `-DKBUILD_MODNAME="${name}"`,
    `-D__KBUILD_MODNAME=kmod_${name}`,
    '-g0',
  ]
}

/** The object that was kept, when all that it was compiled from is as it was. */
async function readKept(kernel: Kernel, key: string): Promise<Buffer | undefined> {
  const kept = await loadObject(key)
  const end = kept?.indexOf('\n\n') ?? -1
  if (kept === undefined || end < 0) return undefined
  const inputs = parseInputs(kept.toString('utf8', 0, end))
  const holds = await new InputTree(kernel.source).check(inputs, async () => new Map())
  return holds === undefined ? undefined : Buffer.from(kept.subarray(end + 2))
}

async function compileAndKeep(
  job: Job,
  kernel: Kernel,
  { file, headers, flags }: OwnSource,
  key: string,
): Promise<Buffer> {
  return await withScratch(async (dir) => {
    const since = Date.now()
    const made = path.join(dir, 'own.o')
    const { program } = kernel.compiler
    await command(program, [...flags, ...tellingInputs(kernel.compiler, made), '-c', '-o', made, file], {
      cwd: kernel.source,
      signal: job.signal,
    })
    const bytes = await readFile(made)
    const inputs = new InputTree(kernel.source).record({
      hides: (text) => mayHideInputs(kernel.compiler, text),
      read: (await readInputs(kernel.compiler, made, kernel.source)) ?? [],
      searched: searchedBy(flags),
      // Their texts are part of the key. What they ask for with __has_include would lie in a directory that is watched.
      own: new Set([file, ...headers]),
      generated: new Map(),
      since,
    })
    if (inputs !== undefined) await storeObject(key, Buffer.concat([Buffer.from(renderInputs(inputs)), bytes]))
    return bytes
  })
}

/**
 * @param title what to call the work, if there is any
 * @returns the object's bytes
 * @throws Fault `unexpected/command-failed` with what the compiler says
 */
export async function compileOwn(job: Job, kernel: Kernel, source: OwnSource, title: string): Promise<Buffer> {
  const digest = createHash('sha256').update(
    JSON.stringify(['own', kernel.source, await compilerIdentity(kernel.compiler), source.flags]),
  )
  for (const file of [source.file, ...source.headers]) digest.update(`\0${file}\0`).update(await readFile(file))
  const key = digest.digest('hex')
  return (
    (await readKept(kernel, key)) ?? (await job.journal.step(title, () => compileAndKeep(job, kernel, source, key)))
  )
}
