// SPDX-License-Identifier: GPL-3.0-or-later
// A patch given to klp-build, the script of the kernel's own source, unchanged; in the narrow mode it finds a make that
// builds only what the patch can touch.
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openSurvey } from '../../src/build/headers/survey.ts'
import { openUnits } from '../../src/build/kbuild/units.ts'
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { findModule } from '../../src/kernel/modules.ts'
import { measured, type Work } from './measured.ts'
import type { Tree } from './tree.ts'

export interface Built {
  readonly work: Work
  /** The live patch, unless it was refused. */
  readonly module?: string
  /** What it said in place of one. */
  readonly refusal?: string
}

/** Objects of vmlinux and modules that a change of these files can reach: whatever may include one of them. */
export async function touchedBy(job: Job, kernel: Kernel, files: readonly string[]): Promise<string[]> {
  const units = await openUnits(job, kernel)
  const survey = await openSurvey(job, kernel, units)
  const reached = survey.includers(files)
  const [inside, modules] = [new Set<string>(), new Set<string>()]
  for (const { source, object, home, modules: holders } of units.all()) {
    if (!reached.has(source) || home === 'elsewhere') continue
    if (home === 'vmlinux') inside.add(object)
    for (const name of holders) modules.add(name)
  }
  const places = await Promise.all(
    [...modules].map(async (name) => {
      const file = (await findModule(kernel, name))?.file.replace(/^.*\/kernel\//, '')
      if (file === undefined) throw new Error(`${kernel.release} has no module ${name}`)
      return file.replace(/\.ko\..*$/, '.ko')
    }),
  )
  return [...inside, ...places].sort()
}

export interface Request {
  readonly name: string
  readonly patch: Buffer
  /** What the narrow mode builds; undefined for the whole kernel. */
  readonly touched: readonly string[] | undefined
  /** The original is built already. */
  readonly again: boolean
}

/** @param output where the live patch is put */
export async function runKlpBuild(job: Job, tree: Tree, request: Request, output: string): Promise<Built> {
  const { name, patch, touched, again } = request
  // Not in the tree: klp-build would take it for a module of the kernel where the tree's path has a plus sign.
  const [made, settings] = [`/srv/livepatch-${name}.ko`, ['KBUILD_BUILD_TIMESTAMP=@0']]
  await writeFile(`${tree.root}/srv/${name}.patch`, patch)
  if (touched !== undefined) {
    await writeFile(`${tree.root}/srv/touched`, touched.map((one) => `${one}\n`).join(''))
    settings.push('TOUCHED=/srv/touched')
  }
  await rm(`${tree.root}${made}`, { force: true })
  const words = ['scripts/livepatch/klp-build', '--keep-tmp', '-j2', '-o', made, ...(again ? ['-S', '2'] : [])]
  const { result, work } = await measured(() =>
    tree.run(
      ['env', ...settings, ...words, `/srv/${name}.patch`],
      { ...job, allowFailure: true },
      touched === undefined ? '' : '/srv/narrow:',
    ),
  )
  const said = `${result.stdout}\n${result.stderr}`
  await mkdir(output, { recursive: true })
  await writeFile(path.join(output, `${name}${again ? '-again' : ''}.log`), said)
  if (result.exitCode !== 0) {
    const errors = said.split('\n').filter((line) => /error: (?!klp-build: line)/i.test(line))
    return { work, refusal: [...new Set(errors)].slice(0, 3).join('; ') || `exit code ${result.exitCode}` }
  }
  const module = path.join(output, path.basename(made))
  await copyFile(`${tree.root}${made}`, module)
  return { work, module }
}
