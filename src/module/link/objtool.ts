// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the kernel's own objtool over the joined object, with the flags that kbuild uses for modules: it
// makes the ORC tables, return sites, static call sites and `__mcount_loc` afresh.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../../ground/command.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { withScratch } from '../../ground/scratch.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { ModuleTemplate } from '../structures/template.ts'

/** @throws Fault `unexpected/objtool-failed` */
export async function runObjtool(job: Job, kernel: Kernel, template: ModuleTemplate, object: Buffer) {
  return await withScratch(async (dir) => {
    const file = path.join(dir, 'livepatch.o')
    await writeFile(file, object)
    const program = path.join(kernel.source, 'tools/objtool/objtool')
    const { exitCode, stdout, stderr } = await command(program, [...template.objtool, file], {
      cwd: kernel.source,
      // Debian's objtool for several architectures is told by kbuild's variable which one to be.
      env: { SRCARCH: 'x86' },
      signal: job.signal,
      allowFailure: true,
    })
    const said = `${stdout}${stderr}`.replaceAll(`${file}: `, '').trim()
    if (exitCode !== 0)
      throw new Fault('unexpected', 'objtool-failed', 'objtool refuses the code of the patch', {
        detail: said.split('\n').slice(-20).join('\n'),
        remedy: 'Report this with the patch and the kernel version',
      })
    // livepatch enters a function by a return, which needs no ENDBR at its start.
    const harmless = /\.data\.livepatch\+0x[0-9a-f]+: data relocation to !ENDBR/
    const warnings = said.split('\n').filter((line) => line !== '' && !harmless.test(line))
    return { bytes: await readFile(file), warnings }
  })
}
