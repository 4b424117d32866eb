// SPDX-License-Identifier: GPL-3.0-or-later
// A system of Debian in a directory, made by mmdebstrap from the mirrors and with the keyring of this machine.
import { existsSync } from 'node:fs'
import { copyFile, rename, rm } from 'node:fs/promises'
import { type CommandOptions, type CommandResult, command } from '../src/ground/command.ts'
import { Fault } from '../src/ground/fault.ts'
import { debianKeyring, hostMirrors } from '../src/kernel/apt.ts'
import type { Distribution } from '../src/kernel/distributions.ts'

const certificates = '/etc/ssl/certs/ca-certificates.crt'
/** This machine's trusted certificates, inside of a root. */
export const hostCertificates = '/etc/ssl/host.crt'

export interface RootOptions {
  readonly signal: AbortSignal
  /** Packages besides the smallest system. */
  readonly include?: readonly string[]
  /** Takes package lists that are older than they are valid, from a mirror that lags behind. */
  readonly stale?: boolean
}

/** Only root can make and enter a root. @throws Fault `environment/not-root` */
export function requireRoot(): void {
  if (process.getuid?.() !== 0) throw new Fault('environment', 'not-root', 'Roots are made and entered by root only')
}

/** Runs a program in namespaces of its own, with which its mounts and all that it started end. */
export function apart(program: string, args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const own = ['--mount', '--propagation=private', '--pid', '--fork', '--kill-child', '--mount-proc', '--']
  return command('unshare', [...own, program, ...args], { ...options, guarded: true })
}

/** sources.list(5) of a suite. */
async function sources({ codename, released }: Distribution, signal: AbortSignal): Promise<string[]> {
  const mirrors = await hostMirrors(signal)
  if (mirrors === undefined)
    throw new Fault('environment', 'no-mirror', 'The package sources of this machine name no mirror of Debian')
  const keyring = debianKeyring()
  const line = (uri: string, suite: string) =>
    `deb ${keyring === undefined ? '' : `[signed-by=${keyring}] `}${uri} ${suite} main`
  if (!released) return [line(mirrors.main, codename)]
  const updates = line(mirrors.main, `${codename}-updates`)
  const security = mirrors.security === undefined ? [] : [line(mirrors.security, `${codename}-security`)]
  return [line(mirrors.main, codename), updates, ...security]
}

/**
 * Makes the root of a suite. @param root where it is put when it is whole
 * @throws Fault `environment/program-missing`, whose remedy names mmdebstrap
 */
export async function makeRoot(distribution: Distribution, root: string, options: RootOptions): Promise<void> {
  const { signal, include = [], stale = false } = options
  const part = `${root}.part`
  await removeTree(part)
  const words = ['--mode=root', '--format=directory', '--variant=minbase', '--dpkgopt=force-unsafe-io']
  if (stale) words.push('--aptopt=Acquire::Check-Valid-Until "false"')
  const packages = ['ca-certificates', ...include].join(',')
  try {
    const from = await sources(distribution, signal)
    await apart('mmdebstrap', [...words, `--include=${packages}`, distribution.codename, part, ...from], { signal })
    if (existsSync(certificates)) await copyFile(certificates, `${part}${hostCertificates}`)
    await rename(part, root)
  } finally {
    await removeTree(part)
  }
}

export async function removeTree(dir: string): Promise<void> {
  // What was killed may still be ending.
  await rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
}
