// SPDX-License-Identifier: GPL-3.0-or-later
// Runs another program. Arguments are a list, never a shell string. A stopped job ends the program's
// whole process group, so that a make takes its compilers with it.
import { execa, type Options, type Result } from 'execa'
import { onExit } from 'signal-exit'
import { diskFull, diskFullLine } from './disk-full.ts'
import { Fault } from './fault.ts'

export interface CommandOptions {
  readonly cwd?: string
  /** The program's whole environment besides PATH and HOME; locale is always C.UTF-8. */
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** ms after which the program is killed. */
  readonly timeout?: number
  /** What the program, and each that it starts, may take; the kernel ends what takes more. */
  readonly limits?: Limits
  readonly input?: string | Uint8Array
  /** Called for each line of standard output and standard error as it comes. */
  readonly onLine?: (line: string) => void
  /** Writes standard output to this file instead of keeping it. */
  readonly outputFile?: string
  /** Feeds standard input from this file. */
  readonly inputFile?: string
  /**
   * The program and all that it starts end when we are killed, however hard: for work that takes long, or holds what
   * the next of us needs. It costs some ms.
   */
  readonly guarded?: boolean
  /** Do not fail on an exit code other than 0. */
  readonly allowFailure?: boolean
}

/** setrlimit(2) has these for each process. */
export interface Limits {
  /** Bytes of address space. */
  readonly memory: number
  /** Seconds of processor time. */
  readonly cpu: number
  /** Bytes of the largest file that it may write. */
  readonly fileSize: number
}

/** util-linux's prlimit sets the limits and becomes the program. */
function limited({ memory, cpu, fileSize }: Limits): string[] {
  return ['prlimit', `--as=${memory}`, `--cpu=${cpu}:${cpu + 5}`, `--fsize=${fileSize}`, '--core=0']
}

/**
 * The kernel sends timeout(1) a signal when we die (prctl(2), PR_SET_PDEATHSIG, which util-linux's setpriv sets), and
 * it sends that on to the whole process group, and SIGKILL a second later.
 */
const guard = ['setpriv', '--pdeathsig', 'TERM', '--', 'timeout', '--kill-after=1', '0']

/** What stands before a program says with this that it is not there. */
const notThere = /^(?:setpriv|timeout|prlimit): .*No such file or directory$/m

export interface CommandResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
}

const running = new Set<number>()
let watching = false

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The group has ended by itself.
  }
}

/**
 * Runs `program` with `args` and waits for its end.
 * @throws Fault `environment/program-missing` when the program is not installed,
 *   `environment/disk-full` when it failed for that, `unexpected/program-failed` when it failed for anything else and
 *   `allowFailure` is not set;
 *   the signal's reason when the job was stopped
 */
export async function command(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  options.signal?.throwIfAborted()
  if (!watching) {
    watching = true
    onExit(() => {
      for (const pid of running) killGroup(pid)
    })
  }
  const settings: Options = {
    reject: false,
    detached: true,
    stripFinalNewline: false,
    maxBuffer: 512 * 1024 * 1024,
    all: options.onLine !== undefined,
    extendEnv: false,
    env: {
      PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: process.env['HOME'] ?? '/',
      LC_ALL: 'C.UTF-8',
      ...options.env,
    },
    ...(options.onLine === undefined ? {} : { all: true }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout, killSignal: 'SIGKILL' as const }),
    ...(options.outputFile === undefined ? {} : { stdout: { file: options.outputFile }, buffer: { stdout: false } }),
    ...(options.inputFile !== undefined
      ? { inputFile: options.inputFile }
      : options.input !== undefined
        ? { input: options.input }
        : { stdin: 'ignore' as const }),
  }
  const words = [
    ...(options.guarded === true ? guard : []),
    ...(options.limits === undefined ? [] : limited(options.limits)),
    program,
    ...args,
  ]
  const child = execa(words[0]!, words.slice(1), settings)
  const { pid } = child
  if (pid !== undefined) running.add(pid)
  const stop = () => {
    if (pid !== undefined) killGroup(pid)
  }
  options.signal?.addEventListener('abort', stop, { once: true })
  const lines =
    options.onLine === undefined
      ? undefined
      : (async (onLine) => {
          for await (const line of child.iterable({ from: 'all' as never })) onLine(String(line))
        })(options.onLine).catch(() => {})
  let result: Result
  try {
    result = (await child) as unknown as Result
    await lines
  } finally {
    options.signal?.removeEventListener('abort', stop)
    if (pid !== undefined) {
      if (options.timeout !== undefined) killGroup(pid)
      running.delete(pid)
    }
  }
  options.signal?.throwIfAborted()
  const isMissing =
    (result.code === 'ENOENT' && result.exitCode === undefined) ||
    (result.exitCode === 127 && words[0] !== program && notThere.test(String(result.stderr)))
  if (isMissing)
    throw new Fault('environment', 'program-missing', `The program ${program} is not installed`, {
      remedy: 'Run `npm run setup`, which installs every Debian package that Inarch needs',
    })
  const outcome: CommandResult = {
    exitCode: result.exitCode ?? 128,
    stdout: String(result.stdout ?? ''),
    stderr: String(result.stderr ?? ''),
    timedOut: result.timedOut,
  }
  const full = outcome.exitCode === 0 ? undefined : diskFullLine(outcome.stderr)
  if (full !== undefined) throw diskFull(`${program}: ${full.trim()}`)
  if (outcome.exitCode !== 0 && options.allowFailure !== true)
    throw new Fault('unexpected', 'program-failed', `${program} failed with exit code ${outcome.exitCode}`, {
      detail: (outcome.stderr || outcome.stdout).trimEnd().split('\n').slice(-20).join('\n'),
    })
  return outcome
}
