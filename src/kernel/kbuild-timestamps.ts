// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps kbuild from configuring a tree again. A tree put together from parts has files of all ages, and
// kbuild would run syncconfig, which changes options according to the tools of this machine (without
// pahole, for instance, the layout of struct module).
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Makes the generated configuration of the tree `source` newer than its `.config`. */
export async function keepConfigurationCurrent(source: string): Promise<void> {
  await mkdir(path.join(source, 'include/config'), { recursive: true })
  // It lists what the configuration depends on: here, nothing.
  await writeFile(path.join(source, 'include/config/auto.conf.cmd'), '')
  const now = new Date()
  for (const name of [
    'include/config/auto.conf',
    'include/config/auto.conf.cmd',
    'include/generated/autoconf.h',
    'include/generated/rustc_cfg',
  ])
    await utimes(path.join(source, name), now, now).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
}
