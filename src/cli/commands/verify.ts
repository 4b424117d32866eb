// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch verify`: does a live patch fit to a kernel.
import { Command } from 'commander'
import type { Subject } from '../../vm/plan/subject.ts'
import { chooseKernel, type KernelOptions } from '../options/kernel-option.ts'
import { type CommonOptions, perform, type Session, withCommonOptions } from '../options/session.ts'

interface VerifyOptions extends CommonOptions, KernelOptions {
  readonly running?: boolean
}

export function verifyCommand(): Command {
  return withCommonOptions(new Command('verify'), 'what the module refers to')
    .description('compare the code that a live patch replaces with a kernel’s image')
    .argument('<module>', 'a live patch module; without its manifest beside it little can be said')
    .option('--kernel <release>', 'another kernel than the one that it was built for')
    .option('--build-dir <dir>', 'a kernel’s build directory')
    .option('--running', 'compare with this host’s memory instead, and say who hooks the code already (root)')
    .addHelpText(
      'after',
      `
What the code must be stands in the manifest: neither compiler nor source is needed. Without one (another tool made the
live patch) its own tables are looked up: whether each function is there and can be hooked, and what it refers to.

Examples:
  inarch verify livepatch-fix.ko
  inarch verify --kernel 6.1.0-55-cloud-amd64 livepatch-fix.ko
  inarch verify --running livepatch-fix.ko
  inarch verify --json livepatch-fix.ko | jq '.functions[] | {name, code}'

Exit codes: 0 all of it matches; 2 it is no live patch, or does not say what it replaces; 4 something differs, or the
kernel would refuse it; 5 the code could not be compared: there is no manifest, or the running kernel does not let
itself be looked at.`,
    )
    .action((file: string, options: VerifyOptions) =>
      perform(options, async (session) => {
        const { kernelWish, readSubject } = await import('../../vm/plan/subject.ts')
        const subject = await readSubject(file)
        if (options.running === true) return await running(session, subject, options)
        const kernel = await chooseKernel(session.job, kernelWish(subject, options))
        if (subject.manifest === undefined) {
          const { verifyListed } = await import('../../livepatch/verify-listed.ts')
          const listed = await verifyListed(session.job, kernel, subject)
          session.data(listed)
          const { renderListed } = await import('../render/verify-listed.ts')
          for (const line of renderListed(listed, session.verbose)) session.print(line)
          session.exitCode = listed.verdict === 'refused' ? 4 : 5
          return
        }
        const { verifyImage } = await import('../../livepatch/verify-image.ts')
        const report = await verifyImage(session.job, kernel, subject)
        session.data(report)
        const { renderVerification } = await import('../render/verify.ts')
        for (const line of renderVerification(report, session.verbose)) session.print(line)
        if (report.verdict !== 'matches') session.exitCode = 4
      }),
    )
}

/** Looks at the host itself. */
async function running(session: Session, subject: Subject, options: KernelOptions): Promise<void> {
  if (options.kernel !== undefined || options.buildDir !== undefined) {
    const { Fault } = await import('../../ground/fault.ts')
    throw new Fault('usage', 'two-kernels', '--running means this host’s kernel, and no other')
  }
  const { openHost } = await import('../../livepatch/host.ts')
  const { verifyRunning } = await import('../../livepatch/verify-running.ts')
  const report = await verifyRunning(session.job, openHost(), subject)
  session.data(report)
  const { renderRunning } = await import('../render/running.ts')
  for (const line of renderRunning(report, session.verbose)) session.print(line)
  if (report.verdict === 'unseen') session.exitCode = 5
  else if (report.verdict === 'differs' || report.verdict === 'forbidden') session.exitCode = 4
}
