// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel that a live patch is proven on: the one it was built for.
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { openBuildDir } from '../kernel/local.ts'
import { selectKernel } from '../kernel/select.ts'
import type { Subject } from './subject.ts'

/**
 * The kernel for `subject`, fetched when it is not there yet.
 * @throws Fault `usage` when both are named, or when it was built for a build tree that is not named
 */
export async function chooseKernel(
  job: Job,
  subject: Subject,
  wanted: { readonly kernel?: string; readonly buildDir?: string },
): Promise<Kernel> {
  if (wanted.kernel !== undefined && wanted.buildDir !== undefined)
    throw new Fault('usage', 'two-kernels', '--kernel and --build-dir name two kernels', {
      remedy: 'Give one of them, or none for the kernel that the live patch was built for',
    })
  if (wanted.buildDir !== undefined) return openBuildDir(job, wanted.buildDir)
  if (wanted.kernel === undefined && subject.origin === 'local')
    throw new Fault(
      'usage',
      'build-dir-needed',
      `The live patch was built for ${subject.release} from a build tree`,
      {
        remedy: 'Name the tree with --build-dir DIR',
      },
    )
  return selectKernel(job, wanted.kernel ?? subject.release)
}
