// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch core`: the kernel module that carries live patches with a consistency model of its own.
import { Command } from 'commander'
import type { BindMode } from '../../module/bind/distance.ts'
import { bindOption, kernelOptions } from '../options/fix-options.ts'
import { type CommonOptions, perform, withCommonOptions } from '../options/session.ts'
import { dim, green } from '../render/colour.ts'

interface CoreOptions extends CommonOptions {
  readonly kernel?: string
  readonly buildDir?: string
  readonly bind?: BindMode
  readonly output: string
}

export function coreCommand(): Command {
  const core = new Command('core')
    .description('make the module that carries live patches by the models kgraft, kpatch and hybrid')
    .addHelpText(
      'after',
      `
The kernel's own livepatch moves each task by itself to the new code. \`inarch build --model\` makes live patches for
inarch_core.ko instead, which stands beside it and knows three ways: kgraft moves each task at the border of the
kernel and looks at no stack, kpatch stops the machine for an instant and switches everything at once, hybrid does as
the kernel does. The module is for one exact kernel, is loaded before the first of these live patches, and refuses
every other kernel.

Examples:
  inarch core build -k 6.12 -o out        makes out/inarch_core.ko
  inarch build --model kgraft fix.patch   makes a live patch that it carries
  inarch prove livepatch-fix.ko           proves it; the core is made and loaded by itself`,
    )
  const build = kernelOptions(
    withCommonOptions(core.command('build'), 'what it takes from the kernel that is not exported'),
  )
  bindOption(build)
    .description('make inarch_core.ko for a kernel')
    .option('-o, --output <dir>', 'where to put it', '.')
    .action((options: CoreOptions) =>
      perform(options, async (session) => {
        const { buildCore } = await import('../../core/core-module.ts')
        const { chooseKernel } = await import('../options/kernel-option.ts')
        const kernel = await chooseKernel(session.job, options)
        const made = await buildCore(session.job, kernel, options)
        const { bytes, ...told } = made
        session.data({ kernel: { release: kernel.release, version: kernel.version }, size: bytes.length, ...told })
        if (session.verbose)
          for (const { name, distance } of made.bound)
            session.print(dim(`${name}: ${distance === undefined ? 'by name and position' : 'by distance'}`))
        const { findingLines } = await import('../render/findings.ts')
        for (const finding of made.findings) for (const line of findingLines(finding)) session.print(line)
        session.print(`${green('made')} ${made.module}`)
      }),
    )
  return core
}
