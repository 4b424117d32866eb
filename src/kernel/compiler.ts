// SPDX-License-Identifier: GPL-3.0-or-later
// The compiler a kernel was built with. Code made by any other compiler need not match the kernel's,
// so a different one is refused rather than tried.
import { command } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import type { Compiler, Kernel } from './kernel.ts'

/** Reads the compiler from a kernel's `.config` text. */
export function compilerOf(config: string): Compiler {
  const versionText = /^CONFIG_CC_VERSION_TEXT="(.*)"$/m.exec(config)?.[1]
  // clang's text starts with its distributor.
  const program = /\bclang\b/.exec(versionText ?? '')?.[0] ?? /^\w[\w.+-]*/.exec(versionText ?? '')?.[0]
  if (versionText === undefined || program === undefined)
    throw new Fault(
      'environment',
      'compiler-unknown',
      'The kernel’s config does not name its compiler (CC_VERSION_TEXT)',
    )
  return { program, versionText }
}

/** What a compiler says that it is; empty when it does not run, undefined when there is none of this name. */
export async function compilerVersion(program: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const options = { allowFailure: true, ...(signal === undefined ? {} : { signal }) }
    const { stdout, exitCode } = await command(program, ['--version'], options)
    return exitCode === 0 ? stdout.split('\n')[0]!.trim() : ''
  } catch (error) {
    if (error instanceof Fault && error.code === 'program-missing') return undefined
    throw error
  }
}

/**
 * Checks that the compiler the kernel was built with is there.
 * @throws Fault `environment/compiler-missing` or `environment/compiler-mismatch`
 */
export async function checkCompiler(kernel: Kernel, signal?: AbortSignal): Promise<void> {
  const { program, versionText } = kernel.compiler
  const remedy =
    kernel.toolchain === undefined
      ? `Install it with \`apt-get install ${program}\``
      : 'Choose a newer kernel of its distribution (see `inarch kernels`), whose compiler is the one that is fetched'
  const found = await compilerVersion(program, signal)
  if (found === undefined)
    throw new Fault(
      'environment',
      'compiler-missing',
      `${kernel.release} was compiled by ${versionText}, and ${program} is not installed`,
      { remedy },
    )
  if (found !== versionText)
    throw new Fault(
      'environment',
      'compiler-mismatch',
      `${kernel.release} was compiled by another compiler than the ${program} of this machine`,
      { remedy, detail: `the kernel: ${versionText}\nthis machine: ${found}` },
    )
}
