// SPDX-License-Identifier: GPL-3.0-or-later
// A kernel's own compiler, where the host does not have it: gcc, binutils and the C library that they are linked with,
// of the kernel's distribution, unpacked in the cache and run from there. Nothing is installed, no root is needed.
// Each program is started by the unpacked dynamic loader (ld.so(8)), which finds their libraries; gcc is told to start
// its own programs in the same way (-wrapper), so that neither paths nor code differ from an installed one's.
import { existsSync } from 'node:fs'
import { chmod, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileType } from '../elf/format.ts'
import { headerSize, readFileHeader } from '../elf/structures.ts'
import { cacheRoot } from '../ground/cache.ts'
import { command } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { withLock } from '../ground/lock.ts'
import { move } from '../ground/move.ts'
import { withScratch } from '../ground/scratch.ts'
import { type Archive, apt, configureApt } from './apt.ts'
import { type ArchivePackage, download } from './archive.ts'
import { compilerVersion } from './compiler.ts'
import type { Compiler } from './kernel.ts'

/** The directory that holds all toolchains. */
export function toolchainsRoot(): string {
  return path.join(cacheRoot(), 'toolchains')
}

/** A toolchain's directory; `name` is such as `trixie-gcc-14-14.2.0-19`. */
export function toolchainDir(name: string): string {
  return path.join(toolchainsRoot(), name)
}

/** The program that runs a toolchain's compiler, which kbuild is told to use. */
export function toolchainProgram(name: string, compiler: string): string {
  return path.join(toolchainDir(name), 'bin', path.basename(compiler))
}

/**
 * What apt would install for some packages on a machine that has none.
 * @throws Fault `environment/toolchain-missing` when the archive does not have them
 */
async function closureOf(
  archive: Archive,
  wanted: readonly string[],
  signal: AbortSignal,
): Promise<Pick<ArchivePackage, 'name' | 'version' | 'size'>[]> {
  await configureApt(archive, signal)
  const options = ['-qq', '-y', '--no-install-recommends', '--print-uris']
  const { stdout, stderr, exitCode } = await apt(archive, 'apt-get', ['install', ...options, '--', ...wanted], {
    signal,
    allowFailure: true,
  })
  // 'URI' FILE SIZE HASH, where the file is NAME_VERSION_ARCHITECTURE.deb.
  const found = [...stdout.matchAll(/^'\S+' ([a-z0-9][a-z0-9+.-]*)_([^_\s]+)_\w+\.deb (\d+) /gm)].map(
    ([, name, version, size]) => ({ name: name!, version: decodeURIComponent(version!), size: Number(size) }),
  )
  if (exitCode !== 0 || found.length === 0)
    throw new Fault('environment', 'toolchain-missing', `The archive does not have ${wanted.join(' and ')}`, {
      remedy: 'Choose another kernel (see `inarch kernels`), or install its compiler',
      detail: stderr.trimEnd().split('\n').slice(-8).join('\n'),
    })
  return found
}

/** The dynamic loader, beside the libraries; the link in /lib64 may lead to the host's own. */
const loaderName = 'ld-linux-x86-64.so.2'
/** Where the unpacked packages have their libraries, relative to their root. */
const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu']

interface Loader {
  readonly program: string
  readonly libraryPath: string
}

/** @param made where the files lie while the toolchain is made; @param root where they will lie */
function loaderIn(made: string, root: string): Loader {
  const dirs = libraries.filter((dir) => existsSync(path.join(made, dir)))
  const home = dirs.find((dir) => existsSync(path.join(made, dir, loaderName)))
  if (home === undefined)
    throw new Fault('environment', 'package-unexpected', 'A Debian package has an unexpected layout: libc6')
  return {
    program: path.join(root, home, loaderName),
    libraryPath: dirs.map((dir) => path.join(root, dir)).join(':'),
  }
}

/** Before the name of each program for this kind of processor. */
const triplet = 'x86_64-linux-gnu-'

/** The package of a compiler: some kernels name it with the kind of processor (`x86_64-linux-gnu-gcc-14`). */
export function packageOf(compiler: string): string {
  return compiler.startsWith(triplet) ? compiler.slice(triplet.length) : compiler
}

/** The version of a compiler's package, which Debian's compilers tell of themselves; undefined for others. */
function packageVersion({ versionText }: Pick<Compiler, 'versionText'>): string | undefined {
  return /\(Debian ([\w.+~-]+)\)/.exec(versionText)?.[1]
}

/** One name for each build of a compiler, since a later one makes other code of what an older kernel was made of. */
export function toolchainName(codename: string | undefined, compiler: Compiler): string {
  const own = packageOf(path.basename(compiler.program))
  return [codename ?? 'host', own, packageVersion(compiler)].filter((word) => word !== undefined).join('-')
}

/** A word for sh; the places of a cache have no quotes in them (`checkCachePath`). */
const quoted = (word: string) => `'${word}'`

/**
 * Writes a program that starts another one with the libraries of a toolchain.
 * @param target the other one, and what stands before the arguments, as words for sh
 */
async function writeProgram(file: string, { program, libraryPath }: Loader, target: readonly string[]): Promise<void> {
  const words = [quoted(program), '--library-path', quoted(libraryPath), '--argv0', ...target]
  await writeFile(file, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`)
  await chmod(file, 0o755)
}

/** Writes `bin/`, which has the compiler. */
async function writeCompiler(made: string, place: string, compiler: string): Promise<void> {
  const root = path.join(place, 'root')
  const loader = loaderIn(path.join(made, 'root'), root)
  const tools = `usr/bin/${triplet}`
  const driver = `${tools}${packageOf(compiler)}`
  if (!existsSync(path.join(made, 'root', driver)))
    throw new Fault('environment', 'package-unexpected', `A Debian package has an unexpected layout: ${compiler}`)
  await mkdir(path.join(made, 'bin'))
  const target = quoted(path.join(root, driver))
  // Its version begins with the name by which it was called, and CONFIG_CC_VERSION_TEXT is the whole line.
  const name = quoted(path.join(root, 'usr/bin', compiler))
  const wrapper = quoted(`${loader.program},--library-path,${loader.libraryPath}`)
  await writeProgram(path.join(made, 'bin', compiler), loader, [
    ...[name, target, '-wrapper', wrapper],
    quoted(`-B${path.join(root, tools)}`),
  ])
}

/**
 * The packages of exactly this build of a compiler, and those that it needs.
 * @throws Fault `environment/toolchain-missing`; `environment/compiler-mismatch` when the archive has another one only
 */
async function packagesFor(
  archive: Archive,
  compiler: Compiler,
  wanted: readonly string[],
  signal: AbortSignal,
): Promise<Pick<ArchivePackage, 'name' | 'version' | 'size'>[]> {
  const own = packageOf(path.basename(compiler.program))
  const version = packageVersion(compiler)
  if (version !== undefined)
    try {
      return await closureOf(archive, [`${own}=${version}`, ...wanted], signal)
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'toolchain-missing') throw error
    }
  const packages = await closureOf(archive, [own, ...wanted], signal)
  const found = packages.find(({ name }) => name === own)?.version
  // One that was only built again has a suffix.
  if (version !== undefined && found !== undefined && found.replace(/\+b\d+$/, '') !== version)
    throw otherCompiler(compiler, `${own} ${found}`)
  return packages
}

function otherCompiler({ versionText }: Compiler, found: string): Fault {
  return new Fault(
    'environment',
    'compiler-mismatch',
    `The archive no longer has the compiler of this kernel, ${versionText}`,
    {
      remedy: 'Choose a newer kernel (see `inarch kernels`)',
      detail: `the kernel: ${versionText}\nthe archive: ${found}`,
    },
  )
}

/**
 * The compiler of a kernel from the kernel's own distribution, with what kbuild's programs need.
 * @param wanted packages whose libraries are needed as well: kbuild's, in the version of the kernel's headers
 * @param name under which a kernel knows it already
 * @returns the toolchain's name
 * @throws Fault `environment/toolchain-missing`, `environment/download-failed`, `environment/archive-unreachable`,
 * `environment/compiler-mismatch` when the archive's compiler is another one than the kernel's
 */
export async function fetchToolchain(
  job: Job,
  archive: Archive,
  compiler: Compiler,
  wanted: readonly string[],
  name = toolchainName(archive.distribution?.codename, compiler),
): Promise<string> {
  const program = path.basename(compiler.program)
  const own = packageOf(program)
  const place = toolchainDir(name)
  return await withLock(place, { signal: job.signal }, async () => {
    if ((await compilerVersion(toolchainProgram(name, program), job.signal)) === compiler.versionText) return name
    await withScratch(async (scratch) => {
      const packages = await packagesFor(archive, compiler, wanted, job.signal)
      const made = path.join(scratch, 'toolchain')
      const debs = path.join(scratch, 'debs')
      await mkdir(path.join(made, 'root'), { recursive: true })
      await mkdir(debs)
      const files = await job.journal.step(`Downloading ${own}, which compiled the kernel`, (step) =>
        download(job, step, archive, packages, debs),
      )
      await job.journal.step(`Unpacking ${own}`, async () => {
        for (const file of files)
          await command('dpkg-deb', ['-x', file, path.join(made, 'root')], {
            signal: job.signal,
            guarded: true,
          })
        await writeCompiler(made, place, program)
        await writeFile(path.join(made, 'packages.json'), `${JSON.stringify(packages, null, 2)}\n`)
      })
      job.signal.throwIfAborted()
      await rm(place, { recursive: true, force: true, maxRetries: 3 })
      await mkdir(path.dirname(place), { recursive: true })
      await move(made, place)
    })
    const found = await compilerVersion(toolchainProgram(name, program), job.signal)
    if (found !== compiler.versionText) throw otherCompiler(compiler, found || 'does not run')
    return name
  })
}

/** Whether a file is a program, by its header. */
async function isProgram(file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    const head = Buffer.alloc(headerSize)
    await handle.read(head, 0, head.length, 0)
    const header = readFileHeader(head)
    return typeof header !== 'string' && (header.type === fileType.executable || header.type === fileType.shared)
  } finally {
    await handle.close()
  }
}

/**
 * Lets the programs of a directory run with a toolchain's libraries: each is put beside a script of its name.
 * Shared objects, which nobody starts, stay as they are.
 */
export async function runWith(name: string, dir: string): Promise<void> {
  const root = path.join(toolchainDir(name), 'root')
  const loader = loaderIn(root, root)
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name)
    if (!entry.isFile() || /\.(?:so|o|elf)\b/.test(entry.name) || !(await isProgram(file))) continue
    await rename(file, `${file}.elf`)
    await writeProgram(file, loader, ['"$0"', '"$0.elf"'])
  }
}
