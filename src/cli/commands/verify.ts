// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch verify`: does a live patch fit to a kernel.
import { Command } from 'commander'
import { chooseKernel, type KernelOptions } from '../kernel-option.ts'
import { type CommonOptions, perform, withCommonOptions } from '../session.ts'

interface VerifyOptions extends CommonOptions, KernelOptions {}

export function verifyCommand(): Command {
  return withCommonOptions(new Command('verify'))
    .description('compare the code that a live patch replaces with a kernel’s image')
    .argument('<module>', 'a live patch module; its manifest must lie beside it')
    .option('--kernel <release>', 'another kernel than the one that it was built for')
    .option('--build-dir <dir>', 'a kernel’s build directory')
    .addHelpText(
      'after',
      `
What the code must be stands in the manifest: neither compiler nor source is needed.

Examples:
  inarch verify livepatch-fix.ko
  inarch verify --kernel 6.1.0-55-cloud-amd64 livepatch-fix.ko
  inarch verify --json livepatch-fix.ko | jq '.functions[] | {name, code}'

Exit codes: 0 all of it matches; 2 it is no live patch, or has no manifest; 4 something differs.`,
    )
    .action((file: string, options: VerifyOptions) =>
      perform(options, async (session) => {
        const { kernelWish, readSubject } = await import('../../vm/subject.ts')
        const subject = await readSubject(file)
        const kernel = await chooseKernel(session.job, kernelWish(subject, options))
        const { verifyImage } = await import('../../livepatch/verify-image.ts')
        const report = await verifyImage(session.job, kernel, subject)
        session.data(report)
        const { renderVerification } = await import('../render/verify.ts')
        for (const line of renderVerification(report)) session.print(line)
        if (report.verdict !== 'matches') session.exitCode = 4
      }),
    )
}
