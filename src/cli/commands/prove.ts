// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch prove fix.ko`: tries a live patch on its kernel in a virtual machine.
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Check } from '../../vm/check.ts'
import { type CommonOptions, perform, withCommonOptions } from '../session.ts'

interface Run {
  readonly command: string
  label?: string
  before?: string
  after?: string
  reverted?: string
}

interface ProveOptions extends CommonOptions {
  readonly kernel?: string
  readonly buildDir?: string
  readonly over: readonly string[]
  readonly script?: string
  readonly load: readonly string[]
  readonly fs?: string
  readonly memory: number
  readonly cpus: number
  readonly timeout: number
  readonly accel: 'auto' | 'kvm' | 'tcg'
  readonly expect: readonly string[]
  readonly junit?: string
}

function within(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < low || value > high)
      throw new InvalidArgumentError(`It must be a whole number from ${low} to ${high}.`)
    return value
  }
}

const collect = (value: string, all: readonly string[]) => [...all, value]

/** `inarch prove`. */
export function proveCommand(): Command {
  /** What is about a --run belongs to the one that stands before it, so their order is kept. */
  const runs: Run[] = []
  const ofRun = (what: Exclude<keyof Run, 'command'>) => (text: string) => {
    const run = runs.at(-1)
    if (run === undefined) throw new InvalidArgumentError('It must follow the --run that it is about.')
    if (run[what] !== undefined) throw new InvalidArgumentError('It was already given for this --run.')
    run[what] = text
    return text
  }
  return withCommonOptions(new Command('prove'))
    .description(
      'boot the kernel that a live patch is for, and load, check, revert and unload the patch there',
    )
    .argument('<module>', 'the live patch, such as livepatch-fix.ko')
    .option(
      '-k, --kernel <which>',
      'a release or series; by default the kernel that the live patch was built for',
    )
    .option('--build-dir <dir>', 'a built kernel tree, for a live patch that was built for it')
    .option(
      '--over <module>',
      'load this older live patch before; repeatable, in the order in which they came',
      collect,
      [],
    )
    .option(
      '--run <command>',
      'run this in the guest before, with and after the live patch; repeatable',
      (command) => {
        runs.push({ command })
        return command
      },
    )
    .option('--label <text>', 'what to call the last --run', ofRun('label'))
    .option(
      '--before <text>',
      'what the last --run must print without the live patch; /expression/ too',
      ofRun('before'),
    )
    .option('--after <text>', 'what the last --run must print with it; /expression/ too', ofRun('after'))
    .option(
      '--reverted <text>',
      'what the last --run must print after the revert, if not the same as before',
      ofRun('reverted'),
    )
    .option('--script <file>', 'run this in the guest with before, after or reverted; it must exit 0')
    .option('--load <command>', 'repeat this in the background all the while; repeatable', collect, [])
    .option('--fs <type>', 'mount a new file system of this type at /mnt')
    .option('--memory <mb>', "the guest's memory in MB", within(128, 65536), 512)
    .option('--cpus <n>', "the guest's CPUs", within(1, 64), 2)
    .option('--timeout <s>', 'seconds for each boot, all in all', within(10, 86400), 180)
    .addOption(
      new Option('--accel <how>', 'hardware acceleration').choices(['auto', 'kvm', 'tcg']).default('auto'),
    )
    .option('--expect <regex>', "a line of the kernel's log that is no failure; repeatable", collect, [])
    .option('--junit <file>', 'write the result as JUnit XML')
    .addHelpText(
      'after',
      `
Examples:
  inarch prove livepatch-meminfo.ko
  inarch prove livepatch-meminfo.ko --run 'cat /proc/meminfo' --before 'VmallocChunk' --after '/^VMALLOCCHUNK/'
  inarch prove livepatch-b.ko --over livepatch-a.ko
  inarch prove livepatch-ext4.ko --fs ext4 --load 'dd if=/dev/zero of=/mnt/a bs=64k count=64 conv=fsync'

In the guest there is busybox and nothing else. Exit code 6: the proof failed.`,
    )
    .action((file: string, options: ProveOptions) =>
      perform(options, (session) => run(session, file, options, runs)),
    )
}

async function run(
  session: Parameters<Parameters<typeof perform>[1]>[0],
  file: string,
  options: ProveOptions,
  runs: readonly Run[],
): Promise<void> {
  const [{ kernelWish, readSubject }, { prove }, { parseExpectation, parsePattern }, { chooseKernel }] =
    await Promise.all([
      import('../../vm/subject.ts'),
      import('../../vm/proof.ts'),
      import('../../vm/check.ts'),
      import('../kernel-option.ts'),
    ])
  const checks = runs.map(
    ({ command, label, before, after, reverted }): Check => ({
      command,
      ...(label === undefined ? {} : { label }),
      ...(before === undefined ? {} : { before: parseExpectation(before) }),
      ...(after === undefined ? {} : { after: parseExpectation(after) }),
      ...(reverted === undefined ? {} : { reverted: parseExpectation(reverted) }),
    }),
  )
  const expected = options.expect.map((text) => parsePattern(text))
  const subject = await readSubject(file)
  const over = await Promise.all(options.over.map(readSubject))
  const kernel = await chooseKernel(session.job, kernelWish(subject, options))
  const proof = await prove(session.job, kernel, {
    subject,
    over,
    checks,
    expected,
    loads: options.load,
    memory: options.memory,
    cpus: options.cpus,
    timeout: options.timeout,
    accelerator: options.accel,
    ...(options.script === undefined ? {} : { script: options.script }),
    ...(options.fs === undefined ? {} : { fileSystem: options.fs }),
  })
  if (options.junit !== undefined) {
    const [{ writeFile }, { junitXml }] = await Promise.all([
      import('node:fs/promises'),
      import('../../vm/junit.ts'),
    ])
    await writeFile(options.junit, junitXml(proof))
  }
  const { failureLines, renderFailures, renderProof } = await import('../render/proof.ts')
  session.data(proof)
  for (const line of renderProof(proof, session.verbose)) session.print(line)
  if (proof.verdict === 'proven') return
  session.exitCode = 6
  if (session.json) return
  const { Fault } = await import('../../ground/fault.ts')
  const [first] = proof.failures
  const alone = proof.failures.length === 1 && first !== undefined ? first : undefined
  throw new Fault(
    'proof',
    'proof-failed',
    alone?.message ?? `The proof failed for ${proof.failures.length} reasons`,
    { detail: alone ? failureLines(alone).join('\n') : renderFailures(proof.failures) },
  )
}
