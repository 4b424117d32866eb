// SPDX-License-Identifier: GPL-3.0-or-later
// The core (kernel/core/) for one exact kernel.
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../ground/fault.ts'
import { shippedFile } from '../ground/installation.ts'
import type { Job } from '../ground/job.ts'
import { writeAllWhole } from '../ground/whole-file.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { coreExports, coreModule } from '../kernel/model.ts'
import type { BindMode } from '../module/bind/distance.ts'
import { makeOwnModule, type OwnModule, type OwnSources } from './own-module.ts'

/** The folder below kernel/core/ with what is of one architecture only. */
const architecture = 'x86'

/** The core's files; its own headers are found before others. */
async function coreSources(): Promise<OwnSources> {
  const root = path.dirname(path.dirname(shippedFile('kernel/core')))
  const folders = ['kernel/core', `kernel/core/${architecture}`, 'kernel/include']
  const listed = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(path.join(root, folder)).catch(() => [])).sort().map((name) => `${folder}/${name}`),
    ),
  )
  const files = listed.flat()
  const code = files.filter((file) => file.endsWith('.c'))
  if (code.length === 0)
    throw new Fault('environment', 'incomplete-installation', 'kernel/core has no C files', {
      remedy: 'Install Inarch again',
    })
  return { name: coreModule, root, code, headers: files.filter((file) => file.endsWith('.h')) }
}

/**
 * Makes the core for `kernel`, in memory.
 * @throws Fault `unexpected/command-failed` when it does not compile; `refused/no-module` with findings
 *   when the kernel lacks what it needs
 */
export async function makeCore(job: Job, kernel: Kernel, bind?: BindMode): Promise<OwnModule> {
  const made = await makeOwnModule(job, kernel, await coreSources(), bind)
  if (made.exports.join() !== coreExports.join())
    throw new Fault('unexpected', 'core-exports', `The core exports ${made.exports.join(', ') || 'nothing'}`, {
      remedy: `It must be ${coreExports.join(', ')} (kernel/include/inarch-core.h)`,
    })
  return made
}

/** Makes the core and writes it to the directory `output`. @returns the module's path */
export async function buildCore(
  job: Job,
  kernel: Kernel,
  { output, bind }: { readonly output: string; readonly bind?: BindMode | undefined },
): Promise<OwnModule & { readonly module: string }> {
  const made = await makeCore(job, kernel, bind)
  const module = path.join(output, `${coreModule}.ko`)
  await writeAllWhole([{ file: module, content: made.bytes }])
  return { ...made, module }
}
