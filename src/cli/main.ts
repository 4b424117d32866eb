// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the `inarch` command: what a user got wrong, and what can't be written, end in the right exit code.
import type { Command } from 'commander'
import type { Fault } from '../ground/fault.ts'
import { inarchCommand } from './program.ts'
import { renderFault } from './render/fault.ts'
import { complain, output } from './render/output.ts'

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
const program = inarchCommand()
settle(program)
void program.parseAsync()
