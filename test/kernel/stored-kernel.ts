// SPDX-License-Identifier: GPL-3.0-or-later
// What the cache has of a fetched kernel, as far as it is looked at when one is chosen: nothing to build with.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { kernelDir, writeStored } from '../../src/kernel/store.ts'

/** Puts one into the cache that the environment names. */
export async function putKernel(release: string, version: string, flavour = 'cloud-amd64'): Promise<Kernel> {
  const dir = kernelDir(release)
  mkdirSync(path.join(dir, 'source'), { recursive: true })
  writeFileSync(path.join(dir, 'image'), Buffer.alloc(100_000))
  const series = version.split('.').slice(0, 2).join('.')
  const file = (name: string) => path.join(dir, name)
  const kernel: Kernel = {
    ...{ release, version, series, flavour, origin: 'debian', dir, source: file('source') },
    ...{ image: file('image'), vmlinux: file('vmlinux'), systemMap: file('System.map') },
    ...{
      modulesRoot: file('modules'),
      symvers: file('source/Module.symvers'),
      config: file('source/.config'),
    },
    compiler: { program: 'gcc-12', versionText: 'gcc-12 (Debian) 12' },
  }
  await writeStored(dir, kernel, 5_000_000)
  return kernel
}
