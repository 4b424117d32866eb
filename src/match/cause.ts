// SPDX-License-Identifier: GPL-3.0-or-later
// Why the code that runs is not what the compiler makes of the source: told from what the image says about itself, from
// the instruction that differs, and from how much of the unit differs.

import { isColdPart } from '../diff/object/compiler-names.ts'
import type { SplitObject } from '../diff/object/split-object.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { optionBetween } from '../x86/kernel-options.ts'
import { compare, type Mismatch } from './compare.ts'
import { expectationOf } from './expect.ts'
import type { Running } from './running.ts'

export interface Cause {
  readonly kind: 'kernel' | 'compiler' | 'configuration' | 'layout' | 'source'
  /** A clause that ends a sentence: what is probably so, and what shows it. */
  readonly text: string
}

/** What the image of a kernel says about itself in `linux_banner`. */
export interface Banner {
  readonly release: string
  /** Compiler and linker, such as `gcc-12 (Debian …) 12.2.0, GNU ld …`. */
  readonly tools: string
  /** Everything behind: the build's number, and the distribution's version. */
  readonly build: string
}

/** Bytes; the kernel's own limit for the command line is larger than any banner. */
const longestBanner = 1024

export function readBanner(vmlinux: Running): Banner | undefined {
  for (const address of vmlinux.addressesOf('linux_banner'))
    for (let size = longestBanner; size > 0; size--) {
      const text = vmlinux.read(address, size)?.toString('latin1')
      const [, release, tools, build] =
        /^Linux version (\S+) \([^)]*\) \((.*)\) (#[^\n\0]*)[\n\0]/.exec(text ?? '') ?? []
      if (release !== undefined && tools !== undefined && build !== undefined) return { release, tools, build }
    }
  return undefined
}

/** @param running the kernel object with the function; `vmlinux` the kernel proper */
export function causeOf(
  kernel: Pick<Kernel, 'release' | 'version' | 'origin' | 'compiler'>,
  vmlinux: Running,
  running: Running,
  unit: SplitObject,
  mismatch: Mismatch,
): Cause {
  const banner = readBanner(vmlinux)
  if (banner !== undefined) {
    const { release, tools, build } = banner
    if (release !== kernel.release)
      return { kind: 'kernel', text: `the image is that of ${release}, not of ${kernel.release}` }
    if (!tools.includes(kernel.compiler.versionText))
      return {
        kind: 'compiler',
        text: `the image was made by ${tools}, and this is ${kernel.compiler.versionText}`,
      }
    const version = /Debian (\S+)/.exec(build)?.[1]
    if (kernel.origin === 'debian' && version !== undefined && version !== kernel.version)
      return {
        kind: 'source',
        text: `the image was made of ${version}, and this is the source of ${kernel.version}`,
      }
  }
  const { differ, all } = census(running, unit)
  const share = `${differ} of the ${all} functions of the file differ`
  const option = mismatch.why === 'instruction' ? optionBetween(mismatch.ours, mismatch.theirs) : undefined
  if (option !== undefined && differ * 2 > all)
    return { kind: 'configuration', text: `${option} probably differs there, and ${share}` }
  if (mismatch.why === 'operand')
    return {
      kind: 'layout',
      text:
        'only an immediate or a displacement differs: a type has another layout or a constant another ' +
        `value, because of the configuration or of a header of another version (${share})`,
    }
  if (all > 2 && differ * 2 > all)
    return { kind: 'configuration', text: `${share}: configuration, compiler or flags probably differ` }
  return { kind: 'source', text: `${share}: the source is probably of another version` }
}

/** How many functions of the unit are not what runs. */
function census(running: Running, unit: SplitObject): { differ: number; all: number } {
  let [differ, all] = [0, 0]
  for (const atom of unit.functions) {
    if (isColdPart(atom.name) || atom.symbol?.binding === 'weak') continue
    const addresses = running.addressesOf(atom.name)
    if (addresses.length === 0) continue
    all++
    const expectation = expectationOf(unit, atom)
    if (!addresses.some((address) => compare(expectation, running, address).matches)) differ++
  }
  return { differ, all }
}
