// SPDX-License-Identifier: GPL-3.0-or-later
// Which kernels Debian's package archive can serve, and their packages.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import * as v from 'valibot'
import { makeCacheDirectory } from '../ground/cache.ts'
import { Fault } from '../ground/fault.ts'
import type { Job, Step } from '../ground/job.ts'
import { keepFile } from '../ground/kept-file.ts'
import { withLock } from '../ground/lock.ts'
import { ageOf } from '../ground/stamp.ts'
import { getOrInsertComputed } from '../ground/values/remembered.ts'
import { type Archive, apt, archivesRoot, configureApt } from './apt.ts'
import { compareVersions, parseRelease, seriesOf } from './version.ts'

const packageSchema = v.object({
  name: v.string(),
  version: v.string(),
  depends: v.string(),
  /** Bytes to download. */
  size: v.number(),
  /** The source package from which it was built. */
  source: v.object({ name: v.string(), version: v.string() }),
})

const kernelSchema = v.object({
  release: v.string(),
  version: v.string(),
  series: v.string(),
  flavour: v.string(),
  /** The codename of the distribution that it comes from; empty for package sources that are not Debian's own. */
  distribution: v.string(),
  /** Image, headers, kbuild, source; and, of 7.2, the modules, which were in the image's package before. */
  packages: v.array(packageSchema),
  /**
   * The feature set whose patches the source lacks, such as `rt`; they are in the source package of
   * `linux-source`. Absent for the kernels that are built from the source as it is.
   */
  feature: v.optional(v.string()),
})

/** One package of one version, as the archive describes it. */
export type ArchivePackage = Readonly<v.InferOutput<typeof packageSchema>>

/** A kernel that the archive can serve completely: image, headers, kbuild and the exact source. */
export type ArchiveKernel = Readonly<v.InferOutput<typeof kernelSchema>>

const hour = 3_600_000
const day = 24 * hour

/** Names of the archive's packages that start with `prefix`. */
async function names(archive: Archive, prefix: string, signal: AbortSignal): Promise<string[]> {
  const { stdout } = await apt(archive, 'apt-cache', ['pkgnames', prefix], { signal })
  return stdout.split('\n').filter((name) => name !== '')
}

/** Every version of those of the named packages that there are. */
async function show(archive: Archive, packages: readonly string[], signal: AbortSignal): Promise<ArchivePackage[]> {
  // A name that is not there apt takes for a pattern, for which it looks through all packages: half a second each.
  const known = new Set(packages.length === 0 ? [] : await names(archive, '', signal))
  const there = packages.filter((name) => known.has(name))
  if (there.length === 0) return []
  const { stdout } = await apt(archive, 'apt-cache', ['show', '--', ...there], {
    signal,
    allowFailure: true,
  })
  return parsePackages(stdout)
}

/** Reads the stanzas that `apt-cache show` prints; what is not a package is left out. */
export function parsePackages(text: string): ArchivePackage[] {
  const result: ArchivePackage[] = []
  for (const stanza of text.split(/\n\n+/)) {
    const fields = new Map<string, string>()
    for (const line of stanza.split('\n')) {
      const match = /^([A-Za-z][\w-]*): ?(.*)$/.exec(line)
      if (match !== null) fields.set(match[1]!, match[2]!)
    }
    const name = fields.get('Package')
    const version = fields.get('Version')
    if (name === undefined || version === undefined) continue
    // `Source: linux (6.1.187-1)`: the version only where it is another one, and no field where all is alike.
    const source = /^(\S+)(?: \((.+)\))?$/.exec(fields.get('Source') ?? '')
    result.push({
      name,
      version,
      depends: fields.get('Depends') ?? '',
      size: Number(fields.get('Size') ?? 0) || 0,
      source: { name: source?.[1] ?? name, version: source?.[2] ?? version },
    })
  }
  return result
}

/** The kernels that a set of packages can serve completely, newest version first. */
export function assembleKernels(packages: readonly ArchivePackage[], distribution: string): ArchiveKernel[] {
  const byName = new Map<string, Map<string, ArchivePackage>>()
  for (const one of packages) {
    const versions = getOrInsertComputed(byName, one.name, () => new Map<string, ArchivePackage>())
    if (!versions.has(one.version)) versions.set(one.version, one)
  }
  const exactly = (name: string, version: string) => byName.get(name)?.get(version)
  const kernels: ArchiveKernel[] = []
  for (const [name, versions] of byName) {
    const release = /^linux-image-(.+)$/.exec(name)?.[1]
    const named = release === undefined ? undefined : parseRelease(release)
    if (release === undefined || named === undefined || !isServed(named.flavour)) continue
    for (const image of versions.values()) {
      const series = seriesOf(image.version)
      const headers = exactly(`linux-headers-${release}`, image.version)
      const source = exactly(`linux-source-${series}`, image.version)
      const parts = imageParts(release, image, exactly)
      const kbuildName = /\b(linux-kbuild-[\w.+~-]+)/.exec(headers?.depends ?? '')?.[1]
      if (headers === undefined || source === undefined || kbuildName === undefined || parts === undefined) continue
      // Debian keeps the kbuild package of a series compatible with its older headers.
      const kbuild =
        exactly(kbuildName, image.version) ??
        [...(byName.get(kbuildName)?.values() ?? [])]
          .filter((one) => compareVersions(one.version, image.version) >= 0)
          .sort((a, b) => compareVersions(a.version, b.version))[0]
      if (kbuild === undefined) continue
      kernels.push({
        release,
        version: image.version,
        series,
        flavour: named.flavour,
        distribution,
        packages: [parts.image, headers, kbuild, source, ...parts.modules],
        // The headers that all flavours of a feature set share are in `linux-headers-…-common-FEATURE`.
        feature: /\blinux-headers-[\w.+~]+(?:-\d+)?-common-([a-z]\w*)/.exec(headers.depends)?.[1],
      })
    }
  }
  return kernels.sort((a, b) => compareVersions(b.version, a.version) || (a.flavour < b.flavour ? -1 : 1))
}

/**
 * The packages that have the boot image and the modules. Of 7.2 `linux-image-…` only depends on them.
 * @returns undefined when the archive lacks one
 */
function imageParts(
  release: string,
  image: ArchivePackage,
  exactly: (name: string, version: string) => ArchivePackage | undefined,
): { readonly image: ArchivePackage; readonly modules: readonly ArchivePackage[] } | undefined {
  if (!image.depends.includes(`linux-binary-${release} `)) return { image, modules: [] }
  const binary = exactly(`linux-binary-${release}`, image.version)
  // The second has the lists of what is built in, which depmod reads.
  const modules = ['modules', 'base'].flatMap((part) => exactly(`linux-${part}-${release}`, image.version) ?? [])
  return binary === undefined || modules.length < 2 ? undefined : { image: binary, modules }
}

/** The debug and unsigned packages are no kernels of their own. */
function isServed(flavour: string): boolean {
  return flavour.endsWith('amd64')
}

/** The kernels of the archive as they were when its lists were read last. */
async function remembered({ dir }: Archive): Promise<ArchiveKernel[] | undefined> {
  try {
    return v.parse(v.array(kernelSchema), JSON.parse(await readFile(path.join(dir, 'kernels.json'), 'utf8')))
  } catch {
    return undefined
  }
}

/** Reads the archive's lists again and remembers the kernels that they hold. */
async function refresh(job: Job, archive: Archive): Promise<ArchiveKernel[]> {
  const { dir, distribution } = archive
  const whose = distribution === undefined ? 'of this machine’s package sources' : `of Debian ${distribution.codename}`
  await configureApt(archive, job.signal)
  return job.journal.step(`Reading the lists ${whose}`, async (step) => {
    // Lists are asked for often; who has no network should learn it soon.
    const patience = ['Acquire::Retries=0', 'Acquire::http::Timeout=10', 'Acquire::https::Timeout=10']
    const update = await apt(archive, 'apt-get', ['-q', 'update', ...patience.flatMap((one) => ['-o', one])], {
      signal: job.signal,
      allowFailure: true,
      onLine(line) {
        const got = /^Get:\d+ \S+ (.*)/.exec(line)?.[1]
        if (got !== undefined) step.progress(got)
      },
    })
    const unsigned = /NO_PUBKEY ([0-9A-F]+)/.exec(update.stderr + update.stdout)
    if (unsigned !== null && distribution !== undefined)
      throw new Fault(
        'environment',
        'archive-key-missing',
        `This machine does not have the key with which Debian signs ${distribution.codename}`,
        {
          remedy: 'Install a newer debian-archive-keyring, from the newest Debian that you trust',
          detail: `the key ${unsigned[1]}`,
        },
      )
    // apt keeps the old lists and ends well when it reaches nothing at all; a foreign source may fail.
    if (!/^(?:Get|Hit):/m.test(update.stdout))
      throw new Fault('environment', 'archive-unreachable', 'The Debian archive can’t be reached', {
        remedy: 'Check the network, or use a kernel that is already fetched (see `inarch kernels`)',
        detail: update.stderr.trimEnd().split('\n').slice(-5).join('\n'),
      })
    const images = (await names(archive, 'linux-image-', job.signal)).filter((name) => {
      const parts = parseRelease(name.slice('linux-image-'.length))
      return parts !== undefined && isServed(parts.flavour)
    })
    const kernels = assembleKernels(
      await show(
        archive,
        [
          ...images,
          ...['headers', 'binary', 'modules', 'base'].flatMap((part) =>
            images.map((name) => name.replace('linux-image-', `linux-${part}-`)),
          ),
          ...(await names(archive, 'linux-source-', job.signal)).filter((name) => /^linux-source-\d/.test(name)),
          ...(await names(archive, 'linux-kbuild-', job.signal)).filter((name) => /^linux-kbuild-\d/.test(name)),
        ],
        job.signal,
      ),
      distribution?.codename ?? '',
    )
    const expired = /^.*\bis (?:expired|not (?:yet valid|valid yet))\b.*$/m.exec(update.stderr + update.stdout)?.[0]
    if (kernels.length === 0 && expired !== undefined)
      throw new Fault('environment', 'archive-expired', `The package lists ${whose} are not valid at this time`, {
        remedy: 'Check this machine’s clock; if it is right, wait for the mirror, or name another one in apt’s sources',
        detail: expired,
      })
    if (kernels.length === 0)
      throw new Fault('environment', 'archive-has-no-kernel', `There is no kernel in the package lists ${whose}`, {
        remedy: 'Add Debian’s own sources to apt, or use `--build-dir DIR` with a kernel that you built',
        detail: update.stderr.trimEnd().split('\n').slice(-5).join('\n'),
      })
    if (expired !== undefined)
      job.journal.note(`Not all package lists ${whose} are valid at this time, and newer kernels may be missing`)
    await keepFile(path.join(dir, 'kernels.json'), JSON.stringify(kernels))
    step.result(`${kernels.length} kernels`)
    return kernels
  })
}

/**
 * Every kernel that the archive can serve, newest version first.
 * @param age the lists are read again when they are older than this many ms; an hour unless told
 * @throws Fault `environment/archive-unreachable`, `environment/archive-has-no-kernel`, `environment/archive-expired`,
 * `environment/archive-key-missing`
 */
export async function archiveKernels(job: Job, archive: Archive, age = hour): Promise<ArchiveKernel[]> {
  const asked = performance.now()
  const known = async (oldest: number) =>
    ageOf(path.join(archive.dir, 'kernels.json')) <= oldest ? remembered(archive) : undefined
  return (
    (await known(age)) ??
    (await withLock(
      path.join(archive.dir, 'update'),
      { signal: job.signal },
      // Another process may have refreshed while this one waited.
      async () => (await known(Math.max(age, performance.now() - asked))) ?? (await refresh(job, archive)),
    ))
  )
}

/** Where it is noted that the archive could not deliver a kernel that its lists promise. */
function withdrawal(release: string): string {
  return path.join(archivesRoot(), 'withdrawn', release)
}

/** Notes, for a day, that the archive can't deliver a kernel, though its lists say so. */
export async function withdraw(release: string): Promise<void> {
  makeCacheDirectory(path.dirname(withdrawal(release)))
  await writeFile(withdrawal(release), '')
}

/** Those of `kernels` that, as far as is known, the archive can really deliver. */
export function deliverable(kernels: readonly ArchiveKernel[]): ArchiveKernel[] {
  return kernels.filter(({ release }) => ageOf(withdrawal(release)) >= day)
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)}`
}

/**
 * Downloads packages into `dir`, each checked against the archive's signed hashes.
 * @returns the path of each package's file, in the order of `packages`
 * @throws Fault `environment/download-failed`
 */
export async function download(
  job: Job,
  step: Step,
  archive: Archive,
  packages: readonly Pick<ArchivePackage, 'name' | 'version' | 'size'>[],
  dir: string,
): Promise<string[]> {
  await configureApt(archive, job.signal)
  const total = packages.reduce((sum, one) => sum + one.size, 0)
  const watch = setInterval(async () => {
    const names = await readdir(dir).catch(() => [])
    const sizes = await Promise.all(
      names.map((name) =>
        stat(path.join(dir, name)).then(
          (s) => (s.isFile() ? s.size : 0),
          () => 0,
        ),
      ),
    )
    step.progress(`${megabytes(sizes.reduce((a, b) => a + b, 0))} of ${megabytes(total)} MB`)
  }, 200)
  try {
    const result = await apt(
      archive,
      'apt-get',
      ['-qq', 'download', ...packages.map((one) => `${one.name}=${one.version}`)],
      { cwd: dir, signal: job.signal, allowFailure: true },
    )
    if (result.exitCode !== 0)
      throw new Fault('environment', 'download-failed', 'The Debian archive did not deliver the packages', {
        remedy: 'Check the network and the disk, then try again',
        detail: result.stderr.trimEnd().split('\n').slice(-8).join('\n'),
      })
  } finally {
    clearInterval(watch)
  }
  step.result(`${megabytes(total)} MB`)
  const files = await readdir(dir)
  return packages.map((one) => {
    // apt writes the epoch's colon as %3a.
    const start = `${one.name}_${one.version.replace(':', '%3a')}_`
    const file = files.find((name) => name.startsWith(start) && name.endsWith('.deb'))
    if (file === undefined)
      throw new Fault('environment', 'download-failed', `The archive did not deliver ${one.name} ${one.version}`)
    return path.join(dir, file)
  })
}
