// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch report fix.ko`: a page about a live patch that a reviewer can read and sign.
import { Command } from 'commander'
import { defined } from '../../ground/values/defined.ts'
import { type CommonOptions, perform, withCommonOptions } from '../options/session.ts'
import { green } from '../render/colour.ts'

interface ReportOptions extends CommonOptions {
  readonly output?: string
  readonly proof?: string
}

export function reportCommand(): Command {
  return withCommonOptions(new Command('report'))
    .description('write a page about a live patch that a reviewer can read and sign')
    .argument('<module>', 'a live patch, such as livepatch-fix.ko, with its manifest beside it')
    .option('--proof <file>', 'what `inarch prove --proof` wrote')
    .option('-o, --output <file>', 'where to put the page (default: beside the module)')
    .addHelpText(
      'after',
      `
The page stands alone: it needs no network and no script, and neither the kernel nor a compiler is needed to make it.

Examples:
  inarch report livepatch-fix.ko
  inarch prove --proof proof.json livepatch-fix.ko && inarch report --proof proof.json livepatch-fix.ko -o fix.html`,
    )
    .action((module: string, options: ReportOptions) =>
      perform(options, async (session) => {
        const { writeReport } = await import('../../report/report.ts')
        const output = options.output ?? module.replace(/(\.ko)?$/, '.html')
        const made = await writeReport(session.job, { module, output, ...defined({ proof: options.proof }) })
        session.data(made)
        session.print(`${green('wrote')} ${made.report}`)
      }),
    )
}
