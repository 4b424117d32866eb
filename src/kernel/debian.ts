// SPDX-License-Identifier: GPL-3.0-or-later
// Makes a Kernel out of Debian's packages, without installing any: the source package's tree with the
// headers package's configuration and generated files and the kbuild package's prebuilt programs laid
// over it is a tree in which kbuild can work at once, exactly as Debian configured it.
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { cacheRoot } from '../ground/cache.ts'
import { command } from '../ground/command.ts'
import { diskFull } from '../ground/disk-full.ts'
import { Fault } from '../ground/fault.ts'
import type { Job, Step } from '../ground/job.ts'
import { withLock } from '../ground/lock.ts'
import { move } from '../ground/move.ts'
import { withScratch } from '../ground/scratch.ts'
import { applyPatches } from '../patch/apply.ts'
import type { Patch } from '../patch/patch.ts'
import { type Archive, allArchives, archiveOf } from './apt.ts'
import { type ArchiveKernel, download, withdraw } from './archive.ts'
import { searchArchives, unreadFault } from './archive-search.ts'
import { checkCachePath } from './buildable-path.ts'
import { compilerOf, compilerVersion } from './compiler.ts'
import { distributionCalled, distributionOfRelease } from './distributions.ts'
import { extractVmlinux } from './image/image.ts'
import { decodeKallsyms, systemMapText } from './image/kallsyms.ts'
import { keepConfigurationCurrent } from './kbuild-timestamps.ts'
import type { Compiler, Kernel } from './kernel.ts'
import { featurePatches } from './packaging.ts'
import { diskUsage, kernelDir, layoutIn, readStored, writeStored } from './store.ts'
import { fetchToolchain, runWith, toolchainProgram } from './toolchain.ts'
import { parseRelease } from './version.ts'

/** A release that the lists don't have may be newer than they are; asking again at once tells nothing. */
const minute = 60_000

/** Runs works side by side; when one fails the others are stopped and waited for. */
async function together(
  signal: AbortSignal,
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const stopper = new AbortController()
  const either = AbortSignal.any([signal, stopper.signal])
  let first: { error: unknown } | undefined
  await Promise.all(
    works.map((work) =>
      work(either).catch((error: unknown) => {
        first ??= { error }
        stopper.abort(error)
      }),
    ),
  )
  signal.throwIfAborted()
  if (first !== undefined) throw first.error
}

/** The only entry of a directory whose name matches. */
async function only(dir: string, pattern: RegExp): Promise<string> {
  const names = (await readdir(dir).catch(() => [])).filter((name) => pattern.test(name))
  if (names.length !== 1)
    throw new Fault(
      'environment',
      'package-unexpected',
      `A Debian package has an unexpected layout: ${names.length} of ${pattern.source} in ${path.basename(dir)}`,
    )
  return path.join(dir, names[0]!)
}

/** Applies the distributor's patches to the files of a tree, without fuzz, as its own build does. */
async function patchTree(tree: string, patches: readonly Patch[]): Promise<void> {
  const { changes } = await applyPatches(tree, patches, { strip: 1, nearest: true })
  for (const { path: name, after } of changes) {
    const file = path.join(tree, name)
    if (after === undefined) await rm(file)
    else {
      await mkdir(path.dirname(file), { recursive: true })
      await writeFile(file, after, 'latin1')
    }
  }
}

/** Unpacks the source, applies what its flavour has on top, and lays headers and kbuild over it. */
async function makeSource(
  dir: string,
  source: string,
  patches: readonly Patch[],
  headers: string,
  kbuild: string,
  signal: AbortSignal,
): Promise<void> {
  const unpacked = path.join(dir, 'unpacked')
  const parts = path.join(dir, 'parts')
  await mkdir(parts)
  await together(signal, [
    async (signal) => {
      await command('dpkg-deb', ['-x', source, unpacked], { signal, guarded: true })
      const tarball = await only(path.join(unpacked, 'usr/src'), /^linux-source-.*\.tar\.xz$/)
      await mkdir(path.join(dir, 'tree'))
      await command('tar', ['-C', path.join(dir, 'tree'), '-I', 'xz -dcT0', '--no-same-owner', '-xf', tarball], {
        signal,
        guarded: true,
      })
      await rm(unpacked, { recursive: true })
      await rename(await only(path.join(dir, 'tree'), /^linux-source-/), path.join(dir, 'source'))
      await patchTree(path.join(dir, 'source'), patches)
    },
    async (signal) => {
      await command('dpkg-deb', ['-x', headers, parts], { signal, guarded: true })
      await command('dpkg-deb', ['-x', kbuild, parts], { signal, guarded: true })
    },
  ])
  const tree = path.join(dir, 'source')
  const headerDir = await only(path.join(parts, 'usr/src'), /^linux-headers-.*-(?!common)/)
  const kbuildDir = await only(path.join(parts, 'usr/lib'), /^linux-kbuild-/)
  const overlay = { recursive: true, force: true, verbatimSymlinks: true, preserveTimestamps: true }
  for (const name of ['include', 'arch', '.config', 'Module.symvers'])
    await cp(path.join(headerDir, name), path.join(tree, name), overlay)
  for (const name of ['scripts', 'tools']) await cp(path.join(kbuildDir, name), path.join(tree, name), overlay)
  await keepConfigurationCurrent(tree)
  signal.throwIfAborted()
  // Only files: a directory that can't be written to could not be removed by a plain user.
  await command('find', [tree, '-type', 'f', '-exec', 'chmod', 'a-w', '{}', '+'], { signal, guarded: true })
  await rename(path.join(tree), path.join(dir, 'result/source'))
}

/** Unpacks the boot image and the modules, and reads the image's symbols. */
async function makeImage(
  dir: string,
  release: string,
  packages: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const unpacked = path.join(dir, 'image')
  const result = path.join(dir, 'result')
  for (const one of packages) await command('dpkg-deb', ['-x', one, unpacked], { signal, guarded: true })
  const lib = existsSync(path.join(unpacked, 'lib/modules')) ? 'lib' : 'usr/lib'
  const places = [`boot/vmlinuz-${release}`, `${lib}/modules/${release}/vmlinuz`]
  const place = places.find((one) => existsSync(path.join(unpacked, one)))
  if (place === undefined)
    throw new Fault('environment', 'package-unexpected', `The packages of ${release} have no boot image`)
  await rename(path.join(unpacked, place), path.join(result, 'image'))
  await mkdir(path.join(result, 'modules/lib'), { recursive: true })
  await rename(path.join(unpacked, lib, 'modules'), path.join(result, 'modules/lib/modules'))
  await together(signal, [
    async (signal) => {
      await command('depmod', ['-b', path.join(result, 'modules'), release], { signal })
    },
    async (signal) => {
      const vmlinux = await extractVmlinux(path.join(result, 'image'), path.join(result, 'vmlinux'), signal)
      await writeFile(path.join(result, 'System.map'), systemMapText(decodeKallsyms(vmlinux)), 'latin1')
    },
  ])
}

/** What unpacking takes beyond twice the download, bytes: a source tree is 1.5 GB, the generic modules 0.4 GB. */
const unpackedBytes = 2.2e9

/** @throws Fault `environment/disk-full` when `dir` can't hold what is to be downloaded and unpacked */
async function checkSpace(found: ArchiveKernel, dir: string): Promise<void> {
  const { bavail, bsize } = await statfs(dir)
  const free = bavail * bsize
  const needed = unpackedBytes + 2 * found.packages.reduce((sum, one) => sum + one.size, 0)
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  if (free < needed)
    throw diskFull(
      `${found.release} needs ${gigabytes(needed)} while it is unpacked; ${cacheRoot()} has ${gigabytes(free)}`,
      'There is not enough space for a kernel on the disk',
    )
}

async function make(job: Job, found: ArchiveKernel, dir: string): Promise<Kernel> {
  const { release, feature } = found
  const archive = archiveOf(distributionCalled(found.distribution))
  return withScratch(async (scratch) => {
    const debs = path.join(scratch, 'debs')
    const result = path.join(scratch, 'result')
    await checkSpace(found, scratch)
    await mkdir(debs)
    await mkdir(result)
    // The smallest first: it is what the archive may lack.
    const patches =
      feature === undefined
        ? []
        : await job.journal.step(`Downloading the patches of the ${feature} kernels`, async (step) => {
            const all = await featurePatches(job, archive, found.packages[3]!.source, feature).catch(
              async (error: unknown) => {
                if (error instanceof Fault && error.code === 'source-missing') await withdraw(release)
                throw error
              },
            )
            step.result(`${all.length} patches`)
            return all
          })
    const [image, headers, kbuild, source, ...modules] = await job.journal.step(
      `Downloading ${release}`,
      async (step: Step) => download(job, step, archive, found.packages, debs),
    )
    await job.journal.step('Unpacking source, image and modules', () =>
      together(job.signal, [
        (signal) => makeSource(scratch, source!, patches, headers!, kbuild!, signal),
        (signal) => makeImage(scratch, release, [image!, ...modules], signal),
      ]),
    )
    const config = await readFile(path.join(result, 'source/.config'), 'utf8')
    const compiler = compilerOf(config)
    const toolchain =
      archive.isHost && (await compilerVersion(compiler.program, job.signal)) === compiler.versionText
        ? undefined
        : await toolchainOf(job, found, compiler)
    if (toolchain !== undefined)
      for (const name of ['scripts', 'tools']) await runWith(toolchain, path.join(result, 'source', name))
    const kernel: Kernel = {
      release,
      version: found.version,
      series: found.series,
      flavour: found.flavour,
      origin: 'debian',
      ...layoutIn(dir),
      compiler:
        toolchain === undefined ? compiler : { ...compiler, program: toolchainProgram(toolchain, compiler.program) },
      toolchain,
    }
    await writeStored(result, kernel, await diskUsage(path.join(result, 'source')))
    job.signal.throwIfAborted()
    // Whatever lies there is of an older format or was damaged; a whole kernel is never replaced.
    await rm(dir, { recursive: true, force: true, maxRetries: 3 })
    await mkdir(path.dirname(dir), { recursive: true })
    await move(result, dir)
    return kernel
  })
}

/** The compiler of a kernel from the distribution that it comes from, and what kbuild's programs need. */
function toolchainOf(job: Job, found: ArchiveKernel, compiler: Compiler, name?: string): Promise<string> {
  const kbuild = found.packages[2]!
  const archive = archiveOf(distributionCalled(found.distribution))
  return fetchToolchain(job, archive, compiler, [`${kbuild.name}=${kbuild.version}`], name)
}

/** A fetched kernel whose toolchain is there, also when somebody removed it. */
async function withCompiler(job: Job, kernel: Kernel): Promise<Kernel> {
  if (kernel.toolchain === undefined || existsSync(kernel.compiler.program)) return kernel
  const found = await findKernel(job, kernel.release)
  if (found === undefined)
    throw new Fault(
      'environment',
      'toolchain-missing',
      `The archive no longer has ${kernel.release}, whose compiler was removed from the cache`,
      { remedy: 'Choose a newer kernel (see `inarch kernels`)' },
    )
  const compiler = { ...kernel.compiler, program: path.basename(kernel.compiler.program) }
  await toolchainOf(job, found, compiler, kernel.toolchain)
  return kernel
}

/**
 * A kernel by its release, as the archive of its distribution has it, or else this machine's own package sources.
 * @throws Fault of what could not be read, when it is in nothing else
 */
async function findKernel(job: Job, release: string): Promise<ArchiveKernel | undefined> {
  const distribution = distributionOfRelease(release)
  const own = [archiveOf(distribution), archiveOf()]
  const archives = distribution === undefined ? allArchives() : own.slice(0, own[0]!.isHost ? 1 : 2)
  const choose = (kernels: readonly ArchiveKernel[]) => kernels.find((kernel) => kernel.release === release)
  const { found, unread } = await searchArchives(job, archives, choose)
  if (found !== undefined) return found
  const isUnread = (archive: Archive) => unread.some((one) => one.archive === archive)
  const read = archives.filter((archive) => !isUnread(archive))
  const anew = await searchArchives(job, read, choose, { age: minute })
  const missed = [...unread, ...anew.unread]
  if (anew.found === undefined && missed.length > 0) throw unreadFault(release, archives, missed)
  return anew.found
}

/**
 * A kernel of the Debian archive by its exact release, such as `6.1.0-56-cloud-amd64`. What is fetched
 * already is used without asking the archive.
 * @throws Fault `usage/kernel-unknown`, `environment/archive-unreachable`, `environment/download-failed`,
 * `environment/source-missing`, `environment/disk-full`, `environment/cache-place`, `environment/compiler-missing`,
 * `environment/compiler-mismatch`
 */
export async function fetchKernel(job: Job, release: string): Promise<Kernel> {
  checkCachePath()
  const dir = kernelDir(release)
  const stored = await readStored(dir)
  if (stored !== undefined) return await withCompiler(job, stored)
  const parts = parseRelease(release)
  if (parts === undefined)
    throw new Fault('usage', 'kernel-unknown', `${release} is not the release of a Debian kernel`, {
      remedy: 'See `inarch kernels` for those that can be had, or use `--build-dir DIR`',
    })
  const found = await findKernel(job, release)
  if (found === undefined)
    throw new Fault('usage', 'kernel-unknown', `The Debian archive does not have the kernel ${release} (any more)`, {
      remedy: 'See `inarch kernels` for those that can be had',
    })
  return withLock(
    dir,
    {
      signal: job.signal,
      onWait: () => job.journal.note(`Another inarch is fetching ${release}; waiting for it`),
    },
    async () => {
      return (await readStored(dir)) ?? (await make(job, found, dir))
    },
  )
}
