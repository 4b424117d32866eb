// SPDX-License-Identifier: GPL-3.0-or-later
// Which image of the kernel this is: what a live patch asks before it does anything, and refuses any other. The
// version string tells neighbours apart, the build-id two builds of one version.
import { Fault } from '../ground/fault.ts'
import { readBuildId } from '../kernel/image/build-id.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { readBanner } from './cause.ts'
import type { Running } from './running.ts'

export interface Identity {
  /** What `uname -r` and `uname -v` print there. */
  readonly release: string
  readonly version: string
  /** Hexadecimal; undefined when the kernel was linked without one. */
  readonly buildId: string | undefined
}

/**
 * @param vmlinux the image's code
 * @throws Fault `environment/bad-image` when it does not say its version
 */
export function identityOf(kernel: Kernel, vmlinux: Running): Identity {
  const banner = readBanner(vmlinux)
  if (banner === undefined)
    throw new Fault('environment', 'bad-image', `The image of ${kernel.release} does not say its version`, {
      remedy: 'Remove the kernel with `inarch kernels prune` and fetch it again',
    })
  return { release: banner.release, version: banner.build, buildId: readBuildId(kernel.vmlinux) }
}

/** In what two images of one release differ, as a clause; undefined when they are the same one. */
export function imageDifference(wanted: Identity, found: Identity): string | undefined {
  if (wanted.version !== found.version) return `it is for “${wanted.version}”, and this is “${found.version}”`
  if (wanted.buildId !== undefined && wanted.buildId !== found.buildId)
    return `it is for the build-id ${wanted.buildId}, and this has ${found.buildId ?? 'none'}`
  return undefined
}
