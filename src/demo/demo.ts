// SPDX-License-Identifier: GPL-3.0-or-later
// The demo: real fixes, built for stock Debian kernels and proven on them, from nothing to the table of
// times. It uses the same rooms as the commands do.
import path from 'node:path'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import { defined } from '../ground/values/defined.ts'
import { makeOutputDirectory, writeWhole } from '../ground/whole-file.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { listKernels } from '../kernel/list.ts'
import { selectKernel } from '../kernel/select.ts'
import { makeLivePatch } from '../module/make.ts'
import type { WrittenModule } from '../module/manifest/output.ts'
import { readPatches } from '../patch/read.ts'
import { readSubject } from '../vm/plan/subject.ts'
import { readCheck } from '../vm/plan/suite.ts'
import { type Proof, prove } from '../vm/proof.ts'
import { type Example, examplesDirectory, readExamples } from './example.ts'

export interface DemoCase {
  readonly example: Example
  readonly kernel: Kernel
  readonly made: WrittenModule
  readonly proof: Proof
  /** ms of wall time. */
  readonly buildMs: number
  readonly proveMs: number
}

export interface DemoOptions {
  /** As `--kernel`; the default kernel when undefined. */
  readonly kernel?: string
  /** The examples to show, by name; all when it is empty. */
  readonly names: readonly string[]
  /** Where to keep the modules; they are thrown away when undefined. */
  readonly output?: string
}

/** What the demo tells while it runs. */
export interface DemoListener {
  begin(example: Example, kernel: Kernel, patch: string): void
  end(shown: DemoCase): void
  /** An example that can't be shown here, and why. */
  skip(example: Example, why: string): void
}

/** Finds the release whose source an example is made for; undefined when it is in no archive any more. */
async function kernelFor(job: Job, example: Example, standard: string | undefined): Promise<string | undefined> {
  const { kernel } = example
  if (kernel === undefined) return standard
  const kernels = await listKernels(job)
  return kernels.find(({ version, flavour }) => version === kernel.version && flavour === kernel.flavour)?.release
}

function chosen(examples: readonly Example[], names: readonly string[]): readonly Example[] {
  for (const name of names)
    if (!examples.some((example) => example.name === name))
      throw new Fault('usage', 'no-such-example', `There is no example ${name}`, {
        remedy: `Choose among ${examples.map((example) => example.name).join(', ')}`,
      })
  return names.length === 0 ? examples : examples.filter(({ name }) => names.includes(name))
}

/** Builds one example and proves it. */
export async function show(job: Job, example: Example, kernel: Kernel, output: string): Promise<DemoCase> {
  const start = performance.now()
  const made = await makeLivePatch(job, kernel, {
    patches: await readPatches([path.join(examplesDirectory(), example.patch)]),
    name: example.name,
    replace: true,
    output,
  })
  const built = performance.now()
  const proof = await prove(job, kernel, {
    subject: await readSubject(made.module),
    checks: [readCheck(example.check)],
    ...defined({ fileSystem: example.fs, loads: example.load }),
  })
  return { example, kernel, made, proof, buildMs: built - start, proveMs: performance.now() - built }
}

/** Writes the proof and the report beside the module. */
async function keep(job: Job, { made, proof }: DemoCase): Promise<void> {
  const beside = (end: string) => made.module.replace(/\.ko$/, end)
  await writeWhole(beside('.proof.json'), `${JSON.stringify(proof, null, 2)}\n`)
  const { writeReport } = await import('../report/report.ts')
  await writeReport(job, { module: made.module, proof: beside('.proof.json'), output: beside('.html') })
}

/**
 * Shows every example that can be shown. Kernels are fetched side by side before the first one begins.
 * @returns the cases in order
 */
export async function demo(job: Job, options: DemoOptions, listener: DemoListener): Promise<DemoCase[]> {
  const examples = chosen(readExamples(), options.names)
  const plans: { example: Example; wanted: string | undefined }[] = []
  for (const example of examples) {
    const wanted = await kernelFor(job, example, options.kernel)
    if (wanted === undefined && example.kernel !== undefined)
      listener.skip(
        example,
        `the archive no longer has the kernel ${example.kernel.version} (${example.kernel.flavour}) that it fixes`,
      )
    else plans.push({ example, wanted })
  }
  const fetched = new Map<string | undefined, Promise<Kernel>>()
  for (const { wanted } of plans) if (!fetched.has(wanted)) fetched.set(wanted, selectKernel(job, wanted))
  await Promise.all(fetched.values())
  const cases: DemoCase[] = []
  const work = async (output: string) => {
    await makeOutputDirectory(output)
    for (const { example, wanted } of plans) {
      const kernel = await fetched.get(wanted)
      if (kernel === undefined) continue
      listener.begin(example, kernel, path.join(examplesDirectory(), example.patch))
      const shown = await show(job, example, kernel, output)
      if (options.output !== undefined) await keep(job, shown)
      listener.end(shown)
      cases.push(shown)
    }
  }
  if (options.output === undefined) await withScratch(work)
  else await work(options.output)
  return cases
}
