// SPDX-License-Identifier: GPL-3.0-or-later
// One run of one command: makes the job, obeys Ctrl-C, renders the outcome and sets the exit code.

import type { Command } from 'commander'
import { diskFull, isDiskFull } from '../../ground/disk-full.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { renderFault } from '../render/fault.ts'
import { openJournal } from '../render/journal.ts'
import { complain, output, outputJson } from '../render/output.ts'
import { printable } from '../render/printable.ts'

/** The options that commands have in common. */
export interface CommonOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
}

export interface Session {
  readonly job: Job
  readonly json: boolean
  readonly verbose: boolean
  /** Prints a line of the result for a person; nothing under `--json`. */
  print(line: string): void
  /** Prints the result for a program, once, only under `--json`. */
  data(value: unknown): void
  /** The code with which the process will end when the command returns normally. */
  exitCode: number
}

/**
 * Adds the options that every command has.
 * @param more what `--verbose` prints besides; without it the command has no such option
 */
export function withCommonOptions(command: Command, more?: string): Command {
  command.option('--json', 'print the result as JSON').option('-q, --quiet', 'print only the result and errors')
  return more === undefined ? command : command.option('-v, --verbose', `print ${more}, too`)
}

function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  const { code, message, stack } = error as NodeJS.ErrnoException
  if (isDiskFull(code)) return diskFull(message)
  if (code === 'ENAMETOOLONG')
    return new Fault('usage', 'name-too-long', 'A name is longer than the file system allows', {
      detail: message,
    })
  if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM' || code === 'EIO')
    return new Fault('environment', 'system-failed', `The system refused: ${message}`)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new Fault('environment', 'no-permission', `Permission denied: ${message}`)
  return new Fault('unexpected', 'unexpected', `Something unexpected happened: ${message ?? String(error)}`, {
    remedy: 'This is a fault of Inarch; set INARCH_DEBUG=1 to see where, and please report it',
    ...(process.env['INARCH_DEBUG'] && stack ? { detail: stack } : {}),
  })
}

/** Runs `work` with a session made from the command's options; never throws. */
export async function perform(options: CommonOptions, work: (session: Session) => Promise<void>): Promise<void> {
  const stopper = new AbortController()
  let stoppedBy: NodeJS.Signals | undefined
  const stop = (signal: NodeJS.Signals) => {
    if (stoppedBy !== undefined) process.exit(130)
    stoppedBy = signal
    stopper.abort(new Fault('unexpected', 'stopped', 'Stopped'))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  process.on('SIGHUP', stop)
  const json = options.json === true
  const journal = openJournal({ quiet: options.quiet === true, json })
  const session: Session = {
    job: { signal: stopper.signal, journal },
    json,
    verbose: options.verbose === true,
    exitCode: 0,
    print(line) {
      if (!json) output(`${printable(line)}\n`)
    },
    data(value) {
      if (json) outputJson(value)
    },
  }
  try {
    await work(session)
    process.exitCode = session.exitCode
  } catch (error) {
    journal.close()
    if (stoppedBy !== undefined) {
      complain('Stopped; nothing was left behind.')
      process.exitCode = stoppedBy === 'SIGINT' ? 130 : 143
    } else {
      const fault = asFault(error)
      renderFault(fault, json)
      process.exitCode = fault.exitCode
    }
  } finally {
    journal.close()
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
    process.off('SIGHUP', stop)
  }
}
