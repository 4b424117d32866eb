// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch that was made for one kernel, and is loaded in another: a neighbour, another flavour. It must be
// refused.
import path from 'node:path'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { withScratch } from '../../src/ground/scratch.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { listKernels } from '../../src/kernel/list.ts'
import { readModule } from '../../src/kernel/modules.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { bindModes } from '../../src/module/bind/distance.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import { readPatches } from '../../src/patch/read.ts'
import { runInGuest } from './guest.ts'
import { root } from './inarch.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }

/** The kernel before this one in its series and flavour; undefined when the archive has none. */
export async function olderThan({ series, flavour, release }: Kernel): Promise<Kernel | undefined> {
  const all = (await listKernels(job)).filter((one) => one.series === series && one.flavour === flavour)
  const older = all[all.findIndex((one) => one.release === release) + 1]
  return older && (await selectKernel(job, older.release))
}

/**
 * What becomes of live patches that were made for `kernel`, bound in each way, in a guest that runs `other`.
 * @returns how each ended, and the guest's log
 */
export async function loadedOn(other: Kernel, kernel: Kernel): Promise<{ outcomes: string[]; log: string }> {
  return await withScratch(async (dir) => {
    const patches = await readPatches([path.join(root, 'examples/meminfo.patch')])
    const files: Record<string, Buffer> = {}
    for (const bind of bindModes) {
      const name = bind === 'klp' ? 'by-name' : 'by-distance'
      const { module } = await makeLivePatch(job, kernel, { patches, name, bind, replace: true, output: dir })
      files[`${name}.ko`] = await readModule(module)
    }
    const script = `for name in by-distance by-name; do
  insmod /$name.ko >/dev/null 2>&1 && echo "$(echo $name | tr - ' '): taken" || echo "$(echo $name | tr - ' '): refused"
done
[ -z "$(ls /sys/kernel/livepatch)" ] || echo "there is $(ls /sys/kernel/livepatch)"
`
    const lines = await runInGuest(other.image, files, script)
    const isLog = (line: string) => line.startsWith('log: ')
    return { outcomes: lines.filter((line) => !isLog(line)), log: lines.filter(isLog).join('\n') }
  })
}
