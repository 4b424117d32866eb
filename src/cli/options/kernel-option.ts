// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel that a command's `--kernel` or `--build-dir` means.
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'

export interface KernelOptions {
  readonly kernel?: string
  readonly buildDir?: string
}

/** @throws Fault `usage/two-kernels` when both options are given */
export async function chooseKernel(job: Job, options: KernelOptions): Promise<Kernel> {
  if (options.buildDir !== undefined) {
    if (options.kernel !== undefined)
      throw new Fault('usage', 'two-kernels', '--kernel and --build-dir exclude one another')
    const { openBuildDir } = await import('../../kernel/local.ts')
    return await openBuildDir(job, options.buildDir)
  }
  const { selectKernel } = await import('../../kernel/select.ts')
  return await selectKernel(job, options.kernel)
}
