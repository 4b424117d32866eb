// SPDX-License-Identifier: GPL-3.0-or-later
// Tells one compiler from another, so that an object is never taken from the cache for a compiler that
// would have made another one. The programs' files are looked at, not their version: the driver, and what it
// starts, which is where the code comes from.
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { command } from '../../ground/command.ts'
import { Fault } from '../../ground/fault.ts'
import { stampOf } from '../../ground/stamp.ts'
import type { Compiler } from '../../kernel/kernel.ts'
import { isClang } from './compiler-run.ts'

/** Where a program lies that is named with or without a directory. */
function programFile(name: string): string | undefined {
  const dirs = (process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin').split(path.delimiter)
  const files = name.includes('/') ? [name] : dirs.map((dir) => path.join(dir, name))
  const found = files.find((file) => existsSync(file))
  return found === undefined ? undefined : realpathSync(found)
}

/** gcc's driver starts the compiler proper and the assembler. */
async function startedBy(driver: string): Promise<string[]> {
  const asked = ['cc1', 'as'].map(async (name) => {
    const { stdout } = await command(driver, [`-print-prog-name=${name}`], { allowFailure: true })
    return programFile(stdout.trim()) ?? name
  })
  return await Promise.all(asked)
}

/** clang is one program, whose code is in libraries beside it. */
function librariesOf(file: string): string[] {
  const dir = path.join(path.dirname(file), '../lib')
  if (!existsSync(dir)) return []
  const names = readdirSync(dir).filter((name) => /^lib(?:LLVM|clang)[\w.-]*\.so/.test(name))
  return names.sort().map((name) => path.join(dir, name))
}

async function identify(compiler: Compiler): Promise<string> {
  const driver = programFile(compiler.program)
  if (driver === undefined)
    throw new Fault('environment', 'program-missing', `The compiler ${compiler.program} is not installed`, {
      remedy: `Install it: apt-get install ${compiler.program}`,
    })
  const others = isClang(compiler) ? librariesOf(driver) : await startedBy(compiler.program)
  const files = [driver, ...others].map((file) => `${file} ${stampOf(file) ?? '-'}`)
  return [compiler.versionText, ...files].join('\n')
}

const known = new Map<string, Promise<string>>()

/**
 * A text that changes when the compiler does.
 * @throws Fault `environment/program-missing` when it is not in PATH
 */
export function compilerIdentity(compiler: Compiler): Promise<string> {
  const asked = JSON.stringify([compiler, process.env['PATH']])
  const identity = known.get(asked) ?? identify(compiler)
  known.set(asked, identity)
  return identity
}
