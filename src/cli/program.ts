// SPDX-License-Identifier: GPL-3.0-or-later
// The `inarch` command with all that it can be asked for. Each command loads the rooms that it needs only when it runs,
// so that the start stays fast.
import { Command } from 'commander'
import { version } from '../ground/version.ts'
import { buildCommand } from './commands/build.ts'
import { checkCommand } from './commands/check.ts'
import { coreCommand } from './commands/core.ts'
import { demoCommand } from './commands/demo.ts'
import { diffCommand } from './commands/diff.ts'
import { extractCommand } from './commands/extract.ts'
import { forecastCommand } from './commands/forecast.ts'
import { kernelsCommand } from './commands/kernels.ts'
import { proveCommand } from './commands/prove.ts'
import { reportCommand } from './commands/report.ts'
import { sourceCommand } from './commands/source.ts'
import { verifyCommand } from './commands/verify.ts'

const commands = [
  buildCommand,
  checkCommand,
  proveCommand,
  forecastCommand,
  verifyCommand,
  reportCommand,
  diffCommand,
  extractCommand,
  sourceCommand,
  coreCommand,
  kernelsCommand,
  demoCommand,
]

export function inarchCommand(): Command {
  const program = new Command('inarch')
    .description('Live patches for the Linux kernel: made from a source diff, proven, applied without a reboot.')
    .version(version)
  for (const make of commands) program.addCommand(make())
  return program
}
