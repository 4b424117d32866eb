// SPDX-License-Identifier: GPL-3.0-or-later
// The other program that compares two objects, kpatch-build's create-diff-object, given the pairs that `inarch diff`
// gets: a process for each, as kpatch-build runs it. What both cost is counted alike, by the kernel.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { command } from '../src/ground/command.ts'
import type { Job } from '../src/ground/job.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { linkReal } from './real-objects.ts'

export interface ObjectPair {
  readonly before: string
  readonly after: string
}

/**
 * What kpatch-build finds out about the kernel and tells by the environment; these are those of Debian's 6.1 and 6.12.
 */
const environment = {
  ALT_STRUCT_SIZE: '12',
  BUG_STRUCT_SIZE: '12',
  EX_STRUCT_SIZE: '12',
  PARA_STRUCT_SIZE: '16',
  JUMP_STRUCT_SIZE: '16',
  STATIC_CALL_STRUCT_SIZE: '8',
  PRINTK_INDEX_STRUCT_SIZE: '8',
  CONFIG_PRINTK_INDEX: '1',
}

/**
 * ms that all children of this process have worked which have ended (proc_pid_stat(5): cutime and cstime, in 1/100 s).
 */
export function childrenWorked(): number {
  const fields = readFileSync('/proc/self/stat', 'latin1')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[13]) + Number(fields[14])) * 10
}

/**
 * Runs programs one after the other.
 * @returns ms that they worked, their start and end included
 * @throws Error when one ends with another exit code than these
 */
export function workOf(programs: readonly (readonly string[])[], exits: readonly number[]): number {
  const before = childrenWorked()
  for (const [program = '', ...words] of programs) {
    const { status, error } = spawnSync(program, words, {
      stdio: 'ignore',
      env: { ...process.env, ...environment },
    })
    if (error !== undefined) throw error
    if (status === null || !exits.includes(status))
      throw new Error(`${[program, ...words].join(' ')} ended with ${status}`)
  }
  return childrenWorked() - before
}

/** @returns the command that compares each pair; 0, 1, 2 or 3 are its exit codes */
export async function peerCommands(
  job: Job,
  kernel: Kernel,
  program: string,
  pairs: readonly ObjectPair[],
  dir: string,
): Promise<string[][]> {
  const parent = path.join(dir, 'parent.o')
  await linkReal(
    job,
    pairs.map(({ before }) => before),
    parent,
  )
  const symbols = path.join(dir, 'parent.symbols')
  writeFileSync(symbols, (await command('readelf', ['-sW', parent], { signal: job.signal })).stdout)
  const exports = path.join(kernel.source, 'Module.symvers')
  const made = path.join(dir, 'peer.o')
  return pairs.map(({ before, after }) => [program, ...[before, after, 'vmlinux', symbols, exports, 'livepatch', made]])
}
