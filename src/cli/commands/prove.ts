// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch prove fix.ko`: tries a live patch on its kernel in a virtual machine.
import { Command, InvalidArgumentError, Option } from 'commander'
import { defined } from '../../ground/values/defined.ts'
import type { MachineRequest, ProofRequest } from '../../vm/plan/request.ts'
import type { WrittenCheck } from '../../vm/plan/suite.ts'
import type { Proof } from '../../vm/proof.ts'
import { type CommonOptions, perform, type Session, withCommonOptions } from '../options/session.ts'

type Run = { -readonly [Key in keyof WrittenCheck]: WrittenCheck[Key] }

export interface ProveOptions extends CommonOptions {
  /** What is about a --run belongs to the one that stands before it, so their order is kept. */
  readonly run?: readonly Run[]
  readonly kernel?: string
  readonly buildDir?: string
  readonly suite?: string
  readonly over: readonly string[]
  readonly modprobe: readonly string[]
  readonly program: readonly string[]
  readonly script?: string
  readonly load: readonly string[]
  readonly exercise?: boolean
  readonly requireCoverage?: boolean
  readonly fs?: string
  readonly memory: number
  readonly cpus: number
  readonly timeout?: number
  readonly accel: 'auto' | 'kvm' | 'tcg'
  readonly processor?: string
  readonly append?: string
  readonly expect: readonly string[]
  readonly junit?: string
  readonly proof?: string
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
  const runs: Run[] = []
  const ofRun = (what: Exclude<keyof Run, 'run'>) => (text: string) => {
    const run = runs.at(-1)
    if (run === undefined) throw new InvalidArgumentError('It must follow the --run that it is about.')
    if (run[what] !== undefined) throw new InvalidArgumentError('It was already given for this --run.')
    run[what] = text
    return text
  }
  return withCommonOptions(new Command('prove'), 'what each check printed')
    .description('boot the kernel that live patches are for, and load, check, revert and unload each of them there')
    .argument('[modules...]', 'live patches, such as livepatch-fix.ko; several have their turns in one boot')
    .option('--suite <file>', 'live patches with what is to be seen of each, from a JSON file')
    .option('-k, --kernel <which>', 'a release or series; by default the kernel that the live patch was built for')
    .option('--build-dir <dir>', 'a built kernel tree, for a live patch that was built for it')
    .option(
      '--over <module>',
      'load this older live patch before; repeatable, in the order in which they came',
      collect,
      [],
    )
    .option('--run <command>', 'run this in the guest before, with and after the live patch; repeatable', (command) => {
      runs.push({ run: command })
      return runs
    })
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
    .option('--exercise', 'make the guest run what is replaced; by default where no check says what it must do')
    .option('--no-exercise', 'do not')
    .option('--require-coverage', 'fail when a replaced function never ran')
    .option('--fs <type>', 'mount a new file system of this type at /mnt')
    .option('--modprobe <name>', "a module that the guest's modprobe shall find; repeatable", collect, [])
    .option('--program <file>', 'a static program for the guest; repeatable', collect, [])
    .option('--memory <mb>', "the guest's memory in MB", within(128, 65536), 512)
    .option('--cpus <n>', "the guest's CPUs", within(1, 64), 2)
    .option('--processor <model>', 'the processor to imitate, as QEMU calls it, such as Skylake-Server')
    .option('--append <words>', "further words for the kernel's command line")
    .option(
      '--timeout <s>',
      'seconds for each boot, all in all (default: 180, 30 more for each further live patch)',
      within(10, 86400),
    )
    .addOption(new Option('--accel <how>', 'hardware acceleration').choices(['auto', 'kvm', 'tcg']).default('auto'))
    .option('--expect <regex>', "a line of the kernel's log that is no failure; repeatable", collect, [])
    .option('--junit <file>', 'write the result as JUnit XML')
    .option('--proof <file>', 'write the result for `inarch report`')
    .addHelpText(
      'after',
      `
Examples:
  inarch prove livepatch-meminfo.ko
  inarch prove livepatch-meminfo.ko --run 'cat /proc/meminfo' --before 'VmallocChunk' --after '/^VMALLOCCHUNK/'
  inarch prove livepatch-b.ko --over livepatch-a.ko
  inarch prove livepatch-a.ko livepatch-b.ko
  inarch prove --suite proofs.json
  inarch prove livepatch-ext4.ko --fs ext4 --load 'dd if=/dev/zero of=/mnt/a bs=64k count=64 conv=fsync'

In the guest there is busybox, and nothing else unless it is brought.
Exit code 0: proven, or loaded and reverted (the verdict says which); 6: the proof failed.`,
    )
    .action((files: readonly string[], options: ProveOptions) =>
      perform(options, (session) => run(session, files, options)),
    )
}

/** What is asked for: the suite's live patches, or those that were named, with the same checks for each. */
export async function requestsOf(files: readonly string[], options: ProveOptions): Promise<ProofRequest[]> {
  const [{ readCheck, readSuite }, { readSubject }, { parsePattern }, { Fault }] = await Promise.all([
    import('../../vm/plan/suite.ts'),
    import('../../vm/plan/subject.ts'),
    import('../../vm/plan/check.ts'),
    import('../../ground/fault.ts'),
  ])
  const { run: runs = [] } = options
  if (files.length > 0 === (options.suite !== undefined))
    throw new Fault('usage', 'what-to-prove', 'Either live patches or a suite must be named', {
      remedy: 'Give the files that `inarch build` made, or one --suite FILE',
    })
  if (options.suite !== undefined) {
    const { over, load, modprobe, program, expect, script, fs } = options
    if ([runs, over, load, modprobe, program, expect].some(({ length }) => length > 0) || script || fs)
      throw new Fault('usage', 'what-to-prove', 'What a suite says of its live patches is not said again', {
        remedy: 'Put checks and the like into the suite itself',
      })
    return (await readSuite(options.suite)).map((request) => ({ ...asked(options), ...request }))
  }
  const request: Omit<ProofRequest, 'subject' | 'over'> = {
    ...asked(options),
    checks: runs.map(readCheck),
    expected: options.expect.map((text) => parsePattern(text)),
    loads: options.load,
    modules: options.modprobe,
    programs: options.program,
    ...defined({ script: options.script, fileSystem: options.fs }),
  }
  return Promise.all(
    files.map(async (file) => ({
      ...request,
      subject: await readSubject(file),
      over: await Promise.all(options.over.map(readSubject)),
    })),
  )
}

/** What is asked of every live patch alike. */
function asked({ exercise, requireCoverage }: ProveOptions): Pick<ProofRequest, 'exercise' | 'requireCoverage'> {
  return defined({ exercise, requireCoverage })
}

/** The machine that is asked for. */
export function machineOf(options: ProveOptions): MachineRequest {
  return {
    memory: options.memory,
    cpus: options.cpus,
    accelerator: options.accel,
    parameters: (options.append ?? '').split(/\s+/).filter((word) => word !== ''),
    ...defined({ processor: options.processor, timeout: options.timeout }),
  }
}

async function run(session: Session, files: readonly string[], options: ProveOptions): Promise<void> {
  const requests = await requestsOf(files, options)
  const [{ kernelWish }, { prove, proveMany }, { chooseKernel }] = await Promise.all([
    import('../../vm/plan/subject.ts'),
    import('../../vm/proof.ts'),
    import('../options/kernel-option.ts'),
  ])
  const [first] = requests
  if (first === undefined) return
  const kernel = await chooseKernel(session.job, kernelWish(first.subject, options))
  const machine = machineOf(options)
  const proofs =
    requests.length === 1
      ? [await prove(session.job, kernel, { ...first, ...machine })]
      : await proveMany(session.job, kernel, requests, machine)
  if (options.junit !== undefined) {
    const [{ writeWhole }, { junitXml }] = await Promise.all([
      import('../../ground/whole-file.ts'),
      import('../../vm/junit.ts'),
    ])
    await writeWhole(options.junit, junitXml(proofs))
  }
  if (options.proof !== undefined) {
    const { writeWhole } = await import('../../ground/whole-file.ts')
    await writeWhole(options.proof, `${JSON.stringify(documentOf(proofs), null, 2)}\n`)
  }
  await show(session, proofs)
}

/** The result as programs read it: of one live patch, or of several. */
function documentOf(proofs: readonly Proof[]): unknown {
  const [only, ...others] = proofs
  if (others.length === 0) return only
  const worst = (['failed', 'loaded'] as const).find((one) => proofs.some((proof) => proof.verdict === one))
  const verdict = worst ?? 'proven'
  return { format: 'inarch-proofs-2', verdict, proofs }
}

async function show(session: Session, proofs: readonly Proof[]): Promise<void> {
  const { failureLines, renderFailures, renderProof, renderProofs } = await import('../render/proof.ts')
  const failed = proofs.filter(({ verdict }) => verdict === 'failed')
  const [only, ...others] = proofs
  if (only === undefined) return
  session.data(documentOf(proofs))
  const lines = others.length === 0 ? renderProof(only, session.verbose) : renderProofs(proofs, session.verbose)
  for (const line of lines) session.print(line)
  if (failed.length === 0) return
  session.exitCode = 6
  if (session.json) return
  const { Fault } = await import('../../ground/fault.ts')
  if (others.length > 0)
    throw new Fault('proof', 'proof-failed', `The proof failed for ${failed.length} of ${proofs.length} live patches`, {
      detail: failed.map(({ module, failures }) => `${module.name}:\n${renderFailures(failures)}`).join('\n\n'),
    })
  const [first] = only.failures
  const alone = only.failures.length === 1 && first !== undefined ? first : undefined
  throw new Fault('proof', 'proof-failed', alone?.message ?? `The proof failed for ${only.failures.length} reasons`, {
    detail: alone ? failureLines(alone).join('\n') : renderFailures(only.failures),
  })
}
