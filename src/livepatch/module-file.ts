// SPDX-License-Identifier: GPL-3.0-or-later
// The file of a module that the host's kernel would load: laid out as it would lie in memory.
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { findModule, readModule } from '../kernel/modules.ts'
import { namesInModule } from '../match/names.ts'
import type { Running } from '../match/running.ts'
import type { Host } from './host.ts'

export interface ModuleFile {
  readonly running: Running
  /** Where it would lie the symbol of this name and position (0: the only one); undefined when there is none. */
  addressOf(name: string, sympos: number): bigint | undefined
}

/** Why a module's file was not compared: there is none (`absent`), or it can't be read. */
export interface NoFile {
  readonly absent: boolean
  readonly problem: string
}

/** @returns the module's file, or why there is nothing to look at */
export async function openModuleFile(
  job: Job,
  host: Host,
  release: string,
  name: string,
): Promise<ModuleFile | NoFile> {
  try {
    job.signal.throwIfAborted()
    const found = await findModule({ modulesRoot: host.place('/'), release }, name)
    if (found === undefined) return { absent: true, problem: `/lib/modules/${release} has no module ${name}` }
    const module = namesInModule(await readModule(found.file), name)
    return {
      running: module.running,
      addressOf(symbol, sympos) {
        const all = module.lookup(symbol)
        return sympos === 0 && all.length > 1 ? undefined : all[Math.max(0, sympos - 1)]?.address
      },
    }
  } catch (error) {
    if (!(error instanceof Fault) || error.code === 'stopped') throw error
    return { absent: false, problem: error.message }
  }
}
