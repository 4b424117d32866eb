// SPDX-License-Identifier: GPL-3.0-or-later
// apt with a state of our own below the cache: nothing of the system's is written, no root is needed, and
// apt still checks every signature and hash against the system's sources and keyrings. The system's hooks
// stay out.
import { rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { cacheRoot, makeCacheDirectory } from '../ground/cache.ts'
import { type CommandOptions, type CommandResult, command } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import { checkCachePlace } from './place.ts'

/** The directory of everything that is known about the archive. */
export function archiveRoot(): string {
  return path.join(cacheRoot(), 'archive')
}

/**
 * The environment of apt's programs: the configuration, and a proxy, without which a machine behind one has no archive.
 */
function aptEnvironment(): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy']
  const result: Record<string, string> = { APT_CONFIG: path.join(archiveRoot(), 'apt.conf') }
  for (const name of names) {
    const value = process.env[name] ?? process.env[name.toUpperCase()]
    if (value !== undefined) result[name] = value
  }
  return result
}

/** What apt says while another one works with the same state. */
const busy = /^E: (?:Could not get lock|Unable to lock|Unable to acquire)/m
/** ms between two looks, and how many there are. */
const [pause, looks] = [500, 40]

/**
 * Runs one of apt's programs on our own state. It ends when we are killed; that of somebody who was killed just now is
 * waited for.
 * @throws Fault `environment/archive-busy`, and what `command` throws
 */
export async function apt(
  program: string,
  args: readonly string[],
  options: Omit<CommandOptions, 'env' | 'guarded'>,
): Promise<CommandResult> {
  for (let look = 1; ; look++) {
    const result = await command(program, args, {
      ...options,
      env: aptEnvironment(),
      guarded: true,
      allowFailure: true,
    })
    if (result.exitCode === 0) return result
    const held = busy.exec(result.stderr) !== null
    if (!held && options.allowFailure === true) return result
    const detail = result.stderr.trimEnd().split('\n').slice(-20).join('\n')
    if (!held)
      throw new Fault('unexpected', 'program-failed', `${program} failed with exit code ${result.exitCode}`, {
        detail,
      })
    if (look === looks)
      throw new Fault('environment', 'archive-busy', `Another apt works in ${archiveRoot()}`, {
        detail,
        remedy: 'Wait until it is done, or end it, then try again',
      })
    await setTimeout(pause, undefined, options.signal === undefined ? {} : { signal: options.signal })
  }
}

let configured: string | undefined

/**
 * Writes the configuration that points apt at our own state, and the directories it needs.
 * @throws Fault `environment/no-apt`, `environment/cache-place`
 */
export async function configureApt(signal: AbortSignal): Promise<void> {
  checkCachePlace()
  const dir = archiveRoot()
  for (const name of ['lists/partial', 'state', 'cache/archives/partial'])
    makeCacheDirectory(path.join(dir, name))
  const file = path.join(dir, 'apt.conf')
  if (configured === file) return
  let dump: string
  try {
    dump = (await command('apt-config', ['dump'], { signal })).stdout
  } catch (error) {
    if (error instanceof Fault && error.code === 'program-missing')
      throw new Fault(
        'environment',
        'no-apt',
        'Kernels come from the Debian archive, and apt is not installed here',
        {
          remedy: 'Use `--build-dir DIR` with a kernel that you built yourself',
        },
      )
    throw error
  }
  const lines = dump.split('\n')
  const settings = lines.filter(
    (line) => /^Acquire::/.test(line) && !/^Acquire::Languages/.test(line) && !/::DefaultEnabled /.test(line),
  )
  const targets = new Set(
    lines
      .map((line) => /^Acquire::IndexTargets::(deb(?:-src)?::[^:\s]+)::MetaKey/.exec(line)?.[1])
      .filter((target) => target !== undefined && target !== 'deb::Packages'),
  )
  const own = [
    'Dir::Etc::parts "/dev/null";',
    'Dir::Etc::main "/dev/null";',
    'Dir::Etc::preferences "/dev/null";',
    'Dir::Etc::preferencesparts "/dev/null";',
    `Dir::State "${dir}/state";`,
    `Dir::State::lists "${dir}/lists";`,
    `Dir::State::status "${dir}/state/status";`,
    `Dir::Cache "${dir}/cache";`,
    `Dir::Cache::archives "${dir}/cache/archives";`,
    `Dir::Cache::pkgcache "${dir}/cache/pkgcache.bin";`,
    'Dir::Cache::srcpkgcache "";',
    'APT::Architecture "amd64";',
    'APT::Architectures { "amd64"; };',
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
    'Acquire::Retries "2";',
    ...[...targets].map((target) => `Acquire::IndexTargets::${target}::DefaultEnabled "false";`),
  ]
  const part = `${file}.${process.pid}`
  await writeFile(path.join(dir, 'state', 'status'), '')
  await writeFile(part, `${[...settings, ...own].join('\n')}\n`)
  await rename(part, file)
  configured = file
}
