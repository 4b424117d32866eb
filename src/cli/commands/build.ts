// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch build`: from a source diff, or a live patch's own source, to a live patch module.
import { Command, Option } from 'commander'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { defined } from '../../ground/values/defined.ts'
import type { Manifest } from '../../module/manifest/manifest.ts'
import type { WrittenModule } from '../../module/manifest/output.ts'
import type { Engine } from '../../module/manifest/request.ts'
import { checkRuleNames, type FixOptions, fixOptions, requestOf } from '../options/fix-options.ts'
import { type CommonOptions, perform, withCommonOptions } from '../options/session.ts'
import { bold, dim, green, yellow } from '../render/colour.ts'

interface BuildOptions extends CommonOptions, FixOptions {
  readonly output: string
  readonly replace: boolean
  readonly engine?: Engine
  readonly report?: string
}

/**
 * The directory with a live patch's source that is to be built, if it is one.
 * @throws Fault `usage/directory-and-patch`, `usage/said-in-directory`
 */
async function directoryAmong(files: readonly string[], options: BuildOptions): Promise<string | undefined> {
  const { isDirectory } = await import('../../ground/is-directory.ts')
  const directory = files.find(isDirectory)
  if (directory === undefined) return undefined
  if (files.length > 1)
    throw new Fault('usage', 'directory-and-patch', `${directory} is a directory, and is built alone`)
  const said: readonly (readonly [option: string, given: boolean, where: string])[] = [
    ['--name', options.name !== undefined, 'inarch.json'],
    ['--engine', options.engine !== undefined, 'its C files'],
    ['--model', options.model !== undefined, 'livepatch.c (inarch_enable_patch)'],
    ['--strip', options.strip !== undefined, 'inarch.json'],
    ['--no-replace', !options.replace, 'livepatch.c (.replace)'],
  ]
  for (const [option, given, where] of said)
    if (given)
      throw new Fault('usage', 'said-in-directory', `${option} is for patches; a directory says it in ${where}`)
  return directory
}

async function fromDirectory(job: Job, directory: string, options: BuildOptions): Promise<WrittenModule> {
  const { buildDirectory } = await import('../../module/engines/directory.ts')
  const { readSourceDirectory } = await import('../../source/directory/layout.ts')
  const { chooseKernel } = await import('../options/kernel-option.ts')
  await checkRuleNames(options.allow)
  const source = await readSourceDirectory(directory)
  const wish = options.kernel ?? options.buildDir
  const kernel = await chooseKernel(job, wish === undefined ? { kernel: source.kernel.release } : options)
  return await buildDirectory(job, kernel, source, {
    output: options.output,
    allow: options.allow,
    bind: options.bind,
  })
}

async function fromPatches(job: Job, files: readonly string[], options: BuildOptions): Promise<WrittenModule> {
  const { makeLivePatch } = await import('../../module/make.ts')
  const { kernel, request } = await requestOf(job, files, options)
  return await makeLivePatch(job, kernel, {
    ...request,
    ...defined({ engine: options.engine }),
    replace: options.replace,
    output: options.output,
  })
}

/** What the comparison of the engines came to, in a line. */
function agreement({ agree, functions, failure }: NonNullable<Manifest['engines']>): string {
  const both = functions.filter(({ replacedBy }) => replacedBy === 'both')
  const same = both.filter(({ code }) => code === 'identical')
  if (agree)
    return `${green('the engines agree')}: ${same.length} of ${same.length} functions are the same machine code`
  if (failure !== undefined) return yellow('only the binary engine makes a live patch')
  return yellow(
    `the engines differ: ${both.length} of ${functions.length} functions are replaced by both, ` +
      `${same.length} by the same machine code`,
  )
}

export function buildCommand(): Command {
  return fixOptions(withCommonOptions(new Command('build'), 'every reason, and what is carried'))
    .description('make a live patch module from one or more source diffs')
    .argument(
      '<patch...>',
      'unified diffs (git, quilt or diff -u), applied in this order; or one directory with the source of a live patch',
    )
    .option('-o, --output <dir>', 'where to put the module and its manifest', '.')
    .addOption(
      new Option(
        '--engine <which>',
        'make it of the difference of the objects, of C source that you can read and edit, or both ways ' +
          'and compare (default: binary)',
      ).choices(['binary', 'source', 'both']),
    )
    .option('--report <file>', 'write a page about it, too, that a reviewer can read and sign')
    .option('--no-replace', 'stack on top of earlier live patches instead of replacing them all')
    .addHelpText(
      'after',
      `
Without --kernel, the running kernel is taken if it can be served, else the newest cloud kernel of this machine's Debian.

Examples:
  inarch build fix.patch                            for the default kernel
  inarch build --kernel 6.12 fix.patch              for the newest kernel of a series
  inarch build --build-dir ~/linux a.patch b.patch  two patches, for a kernel of your own
  inarch build --engine source fix.patch            writes livepatch-fix/, C source, and builds it
  inarch build --model kpatch fix.patch             old and new code never run at the same time
  inarch build --report fix.html fix.patch          and a page for its reviewer
  inarch build livepatch-fix                        builds it again after you have edited it

Exit codes: 3 the patch does not apply or compile; 4 it can't be live patched, or changes nothing;
5 something is missing on this machine.`,
    )
    .action((files: string[], options: BuildOptions) =>
      perform(options, async (session) => {
        const directory = await directoryAmong(files, options)
        const made =
          directory === undefined
            ? await fromPatches(session.job, files, options)
            : await fromDirectory(session.job, directory, options)
        if (options.report !== undefined) {
          const { writeReport } = await import('../../report/report.ts')
          await writeReport(session.job, { module: made.module, output: options.report })
        }
        session.data({
          module: made.module,
          ...defined({ report: options.report, source: made.directory }),
          manifest: made.manifest,
        })
        for (const object of made.manifest.objects) {
          for (const { name, unit, reasons } of object.functions) {
            session.print(`${bold(name)} of ${object.name} (${unit}): ${reasons[0] ?? ''}`)
            if (session.verbose) for (const reason of reasons.slice(1)) session.print(`  ${reason}`)
          }
          for (const { kind, name, unit } of object.callbacks)
            session.print(`${bold(name)} (${unit}): the ${kind} callback of ${object.name}`)
        }
        if (session.verbose)
          for (const { name, unit, reason } of made.manifest.carried)
            session.print(dim(`carried: ${name} (${unit}): ${reason}`))
        const { findingLines } = await import('../render/findings.ts')
        for (const finding of made.manifest.findings) for (const line of findingLines(finding)) session.print(line)
        const { engines } = made.manifest
        if (engines !== undefined) session.print(agreement(engines))
        if (made.directory !== undefined) session.print(`${green('wrote')} ${made.directory}`)
        session.print(`${green('made')} ${made.module}`)
        if (options.report !== undefined) session.print(`${green('wrote')} ${options.report}`)
      }),
    )
}
