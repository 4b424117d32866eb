// SPDX-License-Identifier: GPL-3.0-or-later
// apt with states of our own below the cache: nothing of the system's is written, no root is needed, and apt still
// checks every signature and hash against the system's keyrings. The system's hooks stay out. The host's own
// distribution is asked by the host's own package sources; another one by sources made of the same mirrors.
import { existsSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { cacheRoot, makeCacheDirectory } from '../ground/cache.ts'
import { type CommandOptions, type CommandResult, command } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import { checkCachePath } from './buildable-path.ts'
import { type Distribution, distributions, hostDistribution } from './distributions.ts'

/** What is known of the packages of one distribution, and where. */
export interface Archive {
  /** Undefined for the package sources of a host that is not Debian's own. */
  readonly distribution: Distribution | undefined
  /** Whether the host's own package sources are asked. */
  readonly isHost: boolean
  /** The directory of all that is known. */
  readonly dir: string
}

/** The directory that holds every archive's. */
export function archivesRoot(): string {
  return path.join(cacheRoot(), 'archive')
}

/** The archive of a distribution; of the host's own package sources without one. */
export function archiveOf(distribution = hostDistribution(), host = hostDistribution()): Archive {
  const name = distribution?.codename ?? 'host'
  return {
    distribution,
    isHost: distribution === host,
    dir: path.join(archivesRoot(), name),
  }
}

/** How an archive is called in a message: `trixie`. */
export function suiteOf({ distribution }: Archive): string {
  return distribution?.codename ?? 'this machine’s package sources'
}

/** Every archive: the host's own, stable, then the others, newest first. */
export function allArchives(host = hostDistribution()): Archive[] {
  const others = [...distributions].reverse().filter((one) => one !== host)
  const stable = others.filter(({ role }) => role === 'stable')
  const ordered = [host, ...stable, ...others.filter((one) => !stable.includes(one))]
  return ordered.map((one) => archiveOf(one, host))
}

/** The archives that are asked when nobody names another: the host's own, and stable, which may be the same. */
export function usualArchives(host = hostDistribution()): Archive[] {
  return allArchives(host).filter(({ isHost, distribution }) => isHost || distribution?.role === 'stable')
}

/** The variables of the environment that name a proxy, without which a machine behind one has no archive. */
export function proxies(): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy']
  const result: Record<string, string> = {}
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
  archive: Archive,
  program: string,
  args: readonly string[],
  options: Omit<CommandOptions, 'env' | 'guarded'>,
): Promise<CommandResult> {
  for (let look = 1; ; look++) {
    const result = await command(program, args, {
      ...options,
      env: { ...proxies(), APT_CONFIG: path.join(archive.dir, 'apt.conf') },
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
      throw new Fault('environment', 'archive-busy', `Another apt works in ${archive.dir}`, {
        detail,
        remedy: 'Wait until it is done, or end it, then try again',
      })
    await setTimeout(pause, undefined, options.signal === undefined ? {} : { signal: options.signal })
  }
}

const configured = new Set<string>()

/** Debian's mirrors as the host's package sources name them: of the distributions, and of their security updates. */
export interface Mirrors {
  readonly main: string
  readonly security: string | undefined
}

/** Reads apt's own account of the host's package sources (apt-get(8), indextargets), whatever their format. */
export async function hostMirrors(signal: AbortSignal): Promise<Mirrors | undefined> {
  const asked = ['indextargets', '--no-release-info', '--format', '$(REPO_URI) $(RELEASE)', 'Created-By: Packages']
  const { stdout } = await command('apt-get', asked, { signal, allowFailure: true })
  const sources = stdout.split('\n').map((line) => line.split(' '))
  const suite = (name: string) => distributions.some((one) => name === one.codename || name === one.role)
  const main = sources.find(([, release = '']) => suite(release.replace(/-(?:updates|backports)$/, '')))?.[0]
  const security = sources.find(([, release = '']) => suite(release.replace(/-security$/, '')) && release.endsWith('y'))
  return main === undefined ? undefined : { main, security: security?.[0] }
}

/** The keys of all of Debian's distributions (package debian-archive-keyring); undefined where they are not. */
export function debianKeyring(): string | undefined {
  const [dir, name] = ['/usr/share/keyrings', 'debian-archive-keyring']
  return [`${dir}/${name}.pgp`, `${dir}/${name}.gpg`].find((file) => existsSync(file))
}

/** The package sources of a distribution that is not the host's (sources.list(5), deb822). */
function sourcesText({ codename, released }: Distribution, { main, security }: Mirrors): string {
  const keyring = debianKeyring()
  const stanza = (uri: string, suites: readonly string[]) =>
    [
      'Types: deb',
      `URIs: ${uri}`,
      `Suites: ${suites.join(' ')}`,
      'Components: main',
      ...(keyring === undefined ? [] : [`Signed-By: ${keyring}`]),
      '',
    ].join('\n')
  const beside = released ? [`${codename}-updates`, `${codename}-backports`] : []
  const own = stanza(main, [codename, ...beside])
  return released && security !== undefined ? `${own}\n${stanza(security, [`${codename}-security`])}` : own
}

/**
 * Writes the configuration that points apt at our own state, and the directories it needs.
 * @throws Fault `environment/no-apt`, `environment/no-mirror`, `environment/cache-place`
 */
export async function configureApt(archive: Archive, signal: AbortSignal): Promise<void> {
  checkCachePath()
  const { dir, isHost, distribution } = archive
  for (const name of ['lists/partial', 'state', 'cache/archives/partial']) makeCacheDirectory(path.join(dir, name))
  const file = path.join(dir, 'apt.conf')
  if (configured.has(file)) return
  let dump: string
  try {
    dump = (await command('apt-config', ['dump'], { signal })).stdout
  } catch (error) {
    if (error instanceof Fault && error.code === 'program-missing')
      throw new Fault('environment', 'no-apt', 'Kernels come from the Debian archive, and apt is not installed here', {
        remedy: 'Use `--build-dir DIR` with a kernel that you built yourself',
      })
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
  if (!isHost && distribution !== undefined) {
    const mirrors = await hostMirrors(signal)
    if (mirrors === undefined)
      throw new Fault(
        'environment',
        'no-mirror',
        `The package sources of this machine name no mirror of Debian, from which ${distribution.codename} could come`,
        { remedy: 'Add Debian’s own sources to apt, or use `--build-dir DIR` with a kernel that you built' },
      )
    const list = path.join(dir, 'state', 'debian.sources')
    await writeFile(list, sourcesText(distribution, mirrors))
    own.push('Dir::Etc::sourceparts "/dev/null";', `Dir::Etc::sourcelist "${list}";`)
  }
  const part = `${file}.${process.pid}`
  await writeFile(path.join(dir, 'state', 'status'), '')
  await writeFile(part, `${[...settings, ...own].join('\n')}\n`)
  await rename(part, file)
  configured.add(file)
}
