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

/** Whether the very compiler is installed on this machine. */
export async function isInstalled({ program, versionText }: Compiler, signal: AbortSignal): Promise<boolean> {
  try {
    const { stdout } = await command(program, ['--version'], { signal })
    return stdout.split('\n')[0]!.trim() === versionText
  } catch (error) {
    if (error instanceof Fault && error.code === 'program-missing') return false
    throw error
  }
}

/**
 * Checks that the compiler the kernel was built with is installed.
 * @throws Fault `environment/compiler-missing` or `environment/compiler-mismatch`
 */
export async function checkCompiler(kernel: Kernel, signal?: AbortSignal): Promise<void> {
  const { program, versionText } = kernel.compiler
  const remedy = `Install it with \`apt-get install ${program}\``
  let found: string
  try {
    const { stdout } = await command(program, ['--version'], signal === undefined ? {} : { signal })
    found = stdout.split('\n')[0]!.trim()
  } catch (error) {
    if (error instanceof Fault && error.code === 'program-missing')
      throw new Fault(
        'environment',
        'compiler-missing',
        `${kernel.release} was compiled by ${versionText}, and ${program} is not installed`,
        { remedy },
      )
    throw error
  }
  if (found !== versionText)
    throw new Fault(
      'environment',
      'compiler-mismatch',
      `${kernel.release} was compiled by another compiler than the ${program} of this machine`,
      { remedy, detail: `the kernel: ${versionText}\nthis machine: ${found}` },
    )
}
