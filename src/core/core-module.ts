// SPDX-License-Identifier: GPL-3.0-or-later
// Makes the core (kernel/core/) for one exact kernel: its files are compiled as the kernel's own modules are and put
// into one; what they take from the kernel is bound like the references of a live patch, by the same code.
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import { openUnits } from '../build/kbuild/units.ts'
import { readObject } from '../elf/read.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import { inNumbers } from '../ground/in-numbers.ts'
import { shippedFile } from '../ground/installation.ts'
import type { Job } from '../ground/job.ts'
import { version } from '../ground/version.ts'
import { writeAllWhole } from '../ground/whole-file.ts'
import { checkCompiler } from '../kernel/compiler.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { coreExports, coreModule, coreVersion } from '../kernel/model.ts'
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

/** The core for one kernel. */
export interface CoreModule {
  readonly bytes: Buffer
  readonly sha256: string
  /** What it offers to live patches. */
  readonly exports: readonly string[]
  /** What it takes from the kernel that is not exported. */
  readonly bound: readonly BoundSymbol[]
  readonly findings: readonly Finding[]
}

/** The folder below kernel/core/ with what is of one architecture only. */
const architecture = 'x86'

/** The symbol of a kernel that keeps the licences of its exports beside them. */
const flagTable = '__start___kflagstab'

/** The core's files, by their paths from where Inarch is installed; in the order in which they are linked. */
async function sourcesOf(): Promise<{ root: string; code: string[]; headers: string[] }> {
  const root = path.dirname(path.dirname(shippedFile('kernel/core')))
  const listed = await Promise.all(
    ['kernel/core', `kernel/core/${architecture}`, 'kernel/include'].map(async (dir) =>
      (await readdir(path.join(root, dir)).catch(() => [])).sort().map((name) => `${dir}/${name}`),
    ),
  )
  const files = listed.flat()
  const code = files.filter((file) => file.endsWith('.c'))
  if (code.length === 0)
    throw new Fault('environment', 'incomplete-installation', 'kernel/core has no C files', {
      remedy: 'Install Inarch again',
    })
  return { root, code, headers: files.filter((file) => file.endsWith('.h')) }
}

async function compileCore(job: Job, kernel: Kernel, template: ModuleTemplate) {
  const { root, code, headers } = await sourcesOf()
  const flags = [
    ...template.flags(coreModule),
    `-I${path.join(root, 'kernel/include')}`,
    `-I${path.join(root, 'kernel/core')}`,
    // What the code says of its own place is the same wherever Inarch lies.
    `-fmacro-prefix-map=${root}/=`,
  ]
  const limit = pLimit(os.availableParallelism())
  const compiled = await Promise.all(
    code.map(async (file) => {
      const source = {
        file: path.join(root, file),
        headers: headers.map((header) => path.join(root, header)),
        flags,
      }
      const bytes = await limit(() => compileOwn(job, kernel, source, `Compiling ${file} for ${kernel.release}`))
      return takeExports(readObject(bytes, file))
    }),
  )
  return code.map((file, index) => ({ file, ...compiled[index]! }))
}

/** @throws Fault `refused/no-core` when one of the findings is an error */
function refuse(kernel: Kernel, findings: readonly Finding[]): void {
  if (!findings.some(({ severity }) => severity === 'error')) return
  throw new Fault('refused', 'no-core', `The core can't be made for ${kernel.release}`, {
    findings,
    remedy: 'Take the kernel’s own livepatch (--model kernel), and report this with the kernel’s version',
  })
}

/**
 * Makes the core for `kernel`, in memory.
 * @throws Fault `unexpected/command-failed` when it does not compile; `refused/no-core` with findings
 *   when the kernel lacks what it needs
 */
export async function makeCore(job: Job, kernel: Kernel, bind?: BindMode): Promise<CoreModule> {
  await checkCompiler(kernel, job.signal)
  const units = await openUnits(job, kernel)
  const template = await openModuleTemplate(job, kernel, units)
  const files = await compileCore(job, kernel, template)
  return await job.journal.step(`Making the core for ${kernel.release}`, async (step) => {
    const names = await kernelNames(kernel, [])
    try {
      // The core's files name what is private in the kernel as they name anything else: it must be the only one.
      const written = (name: string) => {
        const said = parseLivepatchSymbol(name)
        if (said !== undefined || names.exported(name)?.module === 'vmlinux') return said
        return { object: 'vmlinux', position: 0, name }
      }
      const object = linkFiles(
        files.map(({ file, compiled }) => ({ file, compiled, source: undefined })),
        template.object,
        names,
        { written },
      )
      refuse(kernel, await explainMismatches(job, kernel, names, object.findings))
      const confirmed = await confirmPrivate(job, kernel, units, names, object.bindings.values())
      refuse(kernel, confirmed)
      const exported = files.flatMap(({ names: own }) => own).sort()
      if (exported.join() !== coreExports.join())
        throw new Fault('unexpected', 'core-exports', `The core exports ${exported.join(', ') || 'nothing'}`, {
          remedy: `It must be ${coreExports.join(', ')} (kernel/include/inarch-core.h)`,
        })
      const flagged = names.symbols('vmlinux', flagTable).length > 0
      const tables = exportTables(exported, coreVersion(), flagged)
      const { description, lines } = modinfoIn(files.map(({ compiled }) => compiled))
      const options = {
        module: coreModule,
        description: description ?? 'Live patches with three consistency models',
        objects: [],
        info: [...lines, `inarch=${version}`],
      }
      const target = targetOf(kernel, names, bind)
      const { bytes, bound, findings } = await assembleModule(job, kernel, template, object, target, options, tables)
      refuse(kernel, findings)
      step.result(`${inNumbers(files.length, 'file')}, ${inNumbers(bound.length, 'private symbol')}`)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      return { bytes, sha256, exports: exported, bound, findings: [...confirmed, ...findings] }
    } finally {
      names.close()
    }
  })
}

/** Makes the core and writes it to the directory `output`. @returns the module's path */
export async function buildCore(
  job: Job,
  kernel: Kernel,
  { output, bind }: { readonly output: string; readonly bind?: BindMode | undefined },
): Promise<CoreModule & { readonly module: string }> {
  const made = await makeCore(job, kernel, bind)
  const module = path.join(output, `${coreModule}.ko`)
  await writeAllWhole([{ file: module, content: made.bytes }])
  return { ...made, module }
}
