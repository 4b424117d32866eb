// SPDX-License-Identifier: GPL-3.0-or-later
// Makes a kernel module of C files that Inarch brings along, for one exact kernel: they are compiled as the kernel's
// own modules are and put into one; what they take from the kernel is bound like the references of a live patch, by
// the same code.
import { createHash } from 'node:crypto'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import { openUnits } from '../build/kbuild/units.ts'
import { readObject } from '../elf/read.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import { inNumbers } from '../ground/in-numbers.ts'
import type { Job } from '../ground/job.ts'
import { version } from '../ground/version.ts'
import { checkCompiler } from '../kernel/compiler.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { coreVersion } from '../kernel/model.ts'
import { kernelNames } from '../match/names.ts'
import type { BindMode } from '../module/bind/distance.ts'
import { explainMismatches } from '../module/bind/mismatch.ts'
import { linkFiles } from '../module/engines/directory-object.ts'
import { parseLivepatchSymbol } from '../module/engines/livepatch-symbol.ts'
import { assembleModule } from '../module/link/assemble.ts'
import { modinfoIn } from '../module/link/modinfo.ts'
import { type BoundSymbol, targetOf } from '../module/link/target.ts'
import { compileOwn } from '../module/structures/own-object.ts'
import { type ModuleTemplate, openModuleTemplate } from '../module/structures/template.ts'
import { confirmPrivate } from './confirm.ts'
import { exportTables, takeExports } from './exports.ts'

/** What a module is made of. */
export interface OwnSources {
  /** The module's name as the kernel knows it. */
  readonly name: string
  /** Where the files lie that are named here. */
  readonly root: string
  /** C files, by their paths from `root`; linked in this order. */
  readonly code: readonly string[]
  /** Headers that they may include, likewise. */
  readonly headers: readonly string[]
}

/** A module for one kernel. */
export interface OwnModule {
  readonly bytes: Buffer
  readonly sha256: string
  /** What it offers to others, sorted. */
  readonly exports: readonly string[]
  /** What it takes from the kernel that is not exported. */
  readonly bound: readonly BoundSymbol[]
  readonly findings: readonly Finding[]
}

/** The symbol of a kernel that keeps the licences of its exports beside them. */
const flagTable = '__start___kflagstab'

async function compileFiles(job: Job, kernel: Kernel, template: ModuleTemplate, sources: OwnSources) {
  const { name, root, code, headers } = sources
  const folders = [...new Set(headers.map((header) => path.dirname(header)))]
  const flags = [
    ...template.flags(name),
    ...folders.map((folder) => `-I${path.join(root, folder)}`),
    // What the code says of its own place is the same wherever Inarch lies.
    `-fmacro-prefix-map=${root}/=`,
  ]
  const limit = pLimit(os.availableParallelism())
  return await Promise.all(
    code.map(async (file) => {
      const source = {
        file: path.join(root, file),
        headers: headers.map((header) => path.join(root, header)),
        flags,
      }
      const bytes = await limit(() => compileOwn(job, kernel, source, `Compiling ${file} for ${kernel.release}`))
      return { file, ...takeExports(readObject(bytes, file)) }
    }),
  )
}

/** @throws Fault `refused/no-module` when one of the findings is an error */
function refuse(kernel: Kernel, name: string, findings: readonly Finding[]): void {
  if (!findings.some(({ severity }) => severity === 'error')) return
  throw new Fault('refused', 'no-module', `${name} can't be made for ${kernel.release}`, {
    findings,
    remedy: 'Take the kernel’s own livepatch (--model kernel), and report this with the kernel’s version',
  })
}

/**
 * Makes the module for `kernel`, in memory.
 * @throws Fault `unexpected/command-failed` when it does not compile; `refused/no-module` with findings
 *   when the kernel lacks what it needs
 */
export async function makeOwnModule(
  job: Job,
  kernel: Kernel,
  sources: OwnSources,
  bind?: BindMode,
): Promise<OwnModule> {
  await checkCompiler(kernel, job.signal)
  const units = await openUnits(job, kernel)
  const template = await openModuleTemplate(job, kernel, units)
  const files = await compileFiles(job, kernel, template, sources)
  return await job.journal.step(`Making ${sources.name} for ${kernel.release}`, async (step) => {
    const names = await kernelNames(kernel, [])
    try {
      // The files name what is private in the kernel as they name anything else: it must be the only one.
      const written = (name: string) => {
        const said = parseLivepatchSymbol(name)
        if (said !== undefined || names.exported(name) !== undefined) return said
        return { object: 'vmlinux', position: 0, name }
      }
      const object = linkFiles(
        files.map(({ file, compiled }) => ({ file, compiled, source: undefined })),
        template.object,
        names,
        { written },
      )
      refuse(kernel, sources.name, await explainMismatches(job, kernel, names, object.findings))
      const confirmed = await confirmPrivate(job, kernel, units, names, sources.name, object.bindings.values())
      refuse(kernel, sources.name, confirmed)
      const exports = files.flatMap((file) => file.names).sort()
      const flagged = names.symbols('vmlinux', flagTable).length > 0
      const tables = exportTables(exports, coreVersion(), flagged)
      const { description, lines } = modinfoIn(files.map(({ compiled }) => compiled))
      const options = {
        module: sources.name,
        description: description ?? sources.name,
        objects: [],
        info: [...lines, `inarch=${version}`],
      }
      const target = targetOf(kernel, names, bind)
      const { bytes, bound, findings } = await assembleModule(job, kernel, template, object, target, options, tables)
      refuse(kernel, sources.name, findings)
      step.result(`${inNumbers(files.length, 'file')}, ${inNumbers(bound.length, 'private symbol')}`)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      return { bytes, sha256, exports, bound, findings: [...confirmed, ...findings] }
    } finally {
      names.close()
    }
  })
}
