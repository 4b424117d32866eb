// SPDX-License-Identifier: GPL-3.0-or-later
// A guest with the core and with modules that try it (kernel/trial/), in which a script of the shell runs.
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { runScript } from '../../scripts/script-guest.ts'
import { makeCore } from '../../src/core/core-module.ts'
import { makeOwnModule } from '../../src/core/own-module.ts'
import { shippedFile } from '../../src/ground/installation.ts'
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { coreModule } from '../../src/kernel/model.ts'

/** Modules by their names. */
export type Modules = ReadonlyMap<string, Buffer>

/** The core, and those of kernel/trial that are named. */
export async function makeModules(job: Job, kernel: Kernel, trials: readonly string[]): Promise<Modules> {
  const root = path.dirname(path.dirname(shippedFile('kernel/trial')))
  const headersIn = async (folder: string) =>
    (await readdir(path.join(root, folder))).filter((name) => name.endsWith('.h')).map((name) => `${folder}/${name}`)
  const headers = [...(await headersIn('kernel/trial')), ...(await headersIn('kernel/include'))]
  const made = new Map<string, Buffer>([[coreModule, (await makeCore(job, kernel)).bytes]])
  for (const name of trials) {
    const sources = { name, root, code: [`kernel/trial/${name}.c`], headers }
    made.set(name, (await makeOwnModule(job, kernel, sources)).bytes)
  }
  return made
}

export interface Run {
  readonly cpus: number
  /** The guest's clock counts instructions; one processor only. */
  readonly counting?: boolean
  readonly memory?: number
  /** Seconds. */
  readonly timeout: number
}

/**
 * Runs the script, which finds the modules beside it as NAME.ko.
 * @returns what it prints, and behind it the kernel's log, each line with `log: ` before it
 * @throws Error when the guest breaks off, with the end of its console
 */
export async function runInGuest(
  job: Job,
  kernel: Kernel,
  modules: Modules,
  script: string,
  { cpus, counting = false, memory = 512, timeout }: Run,
): Promise<string[]> {
  const lines: string[] = []
  const end = await runScript(job, kernel, {
    script: Buffer.from(script),
    files: new Map([...modules].map(([name, bytes]) => [`${name}.ko`, bytes])),
    cpus,
    memory,
    counting,
    timeout,
    onLine: (line) => lines.push(line),
  })
  if ('code' in end) return lines
  throw new Error(['the guest broke off', ...lines.slice(-20), '', ...end.console].join('\n'))
}
