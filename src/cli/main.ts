// SPDX-License-Identifier: GPL-3.0-or-later
// The `inarch` command: names the commands and hands over. Each command loads the rooms that it needs
// only when it runs, so that the start stays fast.
import { Command } from 'commander'
import type { Fault } from '../ground/fault.ts'
import { version } from '../ground/version.ts'
import { buildCommand } from './commands/build.ts'
import { checkCommand } from './commands/check.ts'
import { demoCommand } from './commands/demo.ts'
import { diffCommand } from './commands/diff.ts'
import { extractCommand } from './commands/extract.ts'
import { forecastCommand } from './commands/forecast.ts'
import { kernelsCommand } from './commands/kernels.ts'
import { proveCommand } from './commands/prove.ts'
import { reportCommand } from './commands/report.ts'
import { sourceCommand } from './commands/source.ts'
import { verifyCommand } from './commands/verify.ts'
import { renderFault } from './render/fault.ts'
import { complain, output } from './render/output.ts'

const program = new Command('inarch')
  .description(
    'Live patches for the Linux kernel: made from a source diff, proven, applied without a reboot.',
  )
  .version(version)

program.addCommand(buildCommand())
program.addCommand(checkCommand())
program.addCommand(proveCommand())
program.addCommand(forecastCommand())
program.addCommand(verifyCommand())
program.addCommand(reportCommand())
program.addCommand(diffCommand())
program.addCommand(extractCommand())
program.addCommand(sourceCommand())
program.addCommand(kernelsCommand())
program.addCommand(demoCommand())

/** Wrong use ends with exit code 2, in every command; help that can't be written, with 5. */
function settle(command: Command): void {
  command.configureOutput({
    writeOut(text) {
      try {
        output(text)
      } catch (error) {
        renderFault(error as Fault, false)
        process.exit((error as Fault).exitCode)
      }
    },
    writeErr: (text) => text.trimEnd().split('\n').forEach(complain),
  })
  command.showHelpAfterError('(run with --help for what is possible)').exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : 2)
  })
  for (const below of command.commands) settle(below)
}
settle(program)

void program.parseAsync()
