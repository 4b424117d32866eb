// SPDX-License-Identifier: GPL-3.0-or-later
// The options of every command that begins with source diffs, and what they ask for.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { defined } from '../../ground/values/defined.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Model } from '../../kernel/model.ts'
import type { BindMode } from '../../module/bind/distance.ts'
import type { MakeRequest } from '../../module/manifest/request.ts'

export interface FixOptions {
  readonly kernel?: string
  readonly buildDir?: string
  readonly strip?: number
  readonly name?: string
  readonly allow: readonly string[]
  readonly bind?: BindMode
  readonly model?: Model
}

function count(text: string): number {
  if (!/^\d{1,2}$/.test(text)) throw new InvalidArgumentError('It must be a small number, such as 1.')
  return Number(text)
}

function ruleNames(text: string, all: readonly string[]): string[] {
  const names = text.split(',').filter((name) => name !== '')
  if (names.length === 0 || names.some((name) => !/^[a-z][a-z0-9-]*$/.test(name)))
    throw new InvalidArgumentError('It must be the name of a rule, such as type-layout.')
  return [...all, ...names]
}

/** Which kernel is meant. */
export function kernelOptions(command: Command): Command {
  return command
    .option('-k, --kernel <which>', 'a release, a series (6.12), a Debian (trixie, stable), `running` or `latest`')
    .option('--build-dir <dir>', 'a built kernel tree instead of a packaged kernel')
}

/** How what the kernel does not export is reached. */
export function bindOption(command: Command): Command {
  return command.addOption(
    new Option(
      '--bind <how>',
      'reach what vmlinux does not export by its distance from an exported symbol, or by name and ' +
        'position (default: distance)',
    ).choices(['distance', 'klp']),
  )
}

/** How tasks go over to the new code. */
function modelOption(command: Command): Command {
  return command.addOption(
    new Option(
      '--model <which>',
      'how tasks go over to the new code: each by itself, as the kernel does it; or by inarch_core.ko (see ' +
        '`inarch core --help`), at the border of the kernel, all at one instant, or as the kernel (default: kernel)',
    ).choices(['kernel', 'kgraft', 'kpatch', 'hybrid']),
  )
}

export function fixOptions(command: Command): Command {
  kernelOptions(command)
    .option('-p, --strip <n>', 'leading path parts to remove from file names (default: detected)', count)
    .option('-n, --name <name>', 'what to call the live patch (default: from the first patch’s file name)')
  return bindOption(modelOption(command)).option(
    '--allow <rule>',
    'go on in spite of the warnings of this rule; repeatable, and recorded in the manifest',
    ruleNames,
    [],
  )
}

/** @throws Fault `usage/unknown-rule` */
export async function checkRuleNames(allow: readonly string[]): Promise<void> {
  if (allow.length === 0) return
  const { everyRule } = await import('../../check/catalogue.ts')
  const unknown = allow.find((name) => !everyRule.has(name))
  if (unknown !== undefined)
    throw new Fault('usage', 'unknown-rule', `There is no rule ${unknown}`, {
      remedy: 'See their names: inarch check --rules',
    })
}

/**
 * Reads the diffs and chooses the kernel. A mistake in a diff is told before anything is fetched.
 * @throws Fault `usage/no-patch`, `usage/unknown-rule`, and what reading and choosing throw
 */
export async function requestOf(
  job: Job,
  files: readonly string[],
  options: FixOptions,
): Promise<{ kernel: Kernel; request: Pick<MakeRequest, 'patches' | 'strip' | 'name' | 'bind' | 'model' | 'allow'> }> {
  if (files.length === 0)
    throw new Fault('usage', 'no-patch', 'No patch was named', { remedy: 'Name one or more source diffs' })
  await checkRuleNames(options.allow)
  const { chooseKernel } = await import('./kernel-option.ts')
  const { readPatches } = await import('../../patch/read.ts')
  const patches = await readPatches(files)
  const kernel = await chooseKernel(job, options)
  return {
    kernel,
    request: {
      patches,
      ...defined({ strip: options.strip, name: options.name, bind: options.bind, model: options.model }),
      allow: options.allow,
    },
  }
}
