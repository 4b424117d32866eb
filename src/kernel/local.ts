// SPDX-License-Identifier: GPL-3.0-or-later
// Makes a Kernel out of a tree that somebody built, in place or with `O=`. The tree itself is left
// alone: what is needed of it is linked into the cache (copied where links can't be made), without the
// objects, so that kbuild's dry run sees everything as still to be compiled.
//
// The tree may be built again, or edited, behind our back. A file that is replaced changes its directory; one that is
// written in its place is the same file here, which whoever reads it notices; what was copied, and what something was
// made of here, is looked at by itself.
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs'
import { copyFile, lstat, mkdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { cacheRoot } from '../ground/cache.ts'
import { command } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import { type InputKind, readInput, readInputIfAny } from '../ground/input.ts'
import type { Job } from '../ground/job.ts'
import { withLock } from '../ground/lock.ts'
import { move } from '../ground/move.ts'
import { withScratch } from '../ground/scratch.ts'
import { digestOfStamps, stampOf } from '../ground/stamp.ts'
import { checkBuildPath, checkCachePath } from './buildable-path.ts'
import { checkCompiler, compilerOf } from './compiler.ts'
import { parseConfig } from './config.ts'
import { decodeKallsyms, systemMapText } from './image/kallsyms.ts'
import { keepConfigurationCurrent } from './kbuild-timestamps.ts'
import type { Kernel } from './kernel.ts'
import { diskUsage, layoutIn, readStored, writeStored } from './store.ts'
import { seriesOf } from './version.ts'

/** What a build leaves that is neither source nor generated source, nor a program; names of files. */
const product = /(?:\.(?:o|a|ko|mod|order|symtypes|dwo|lst|su)|\.mod\.c|\.o\.d|\.cmd)$|^(?:bzImage|vmlinux\.bin.*)$/

/** The same at the top of the tree. */
const topProduct = /^(?:vmlinux|vmlinux\.symvers|\.tmp_.*|\.git|System\.map|modules\..*|Module\.symvers)$/

/** kbuild's dry run needs these with times of their own, so that they must not share the user's inode. */
const settled =
  /^(?:\.config|include\/config\/auto\.conf|include\/config\/auto\.conf\.cmd|include\/generated\/(?:autoconf\.h|rustc_cfg))$/

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
}

/**
 * What the tree was taken over from, and what each of it was like before it was read. To link a file changes its time
 * of change, so of those that are linked the other time is looked at.
 */
class Watched {
  private readonly stamps = new Map<string, string | undefined>()
  private readonly linked = new Set<string>()

  /** A directory, or a file, that is about to be read. */
  add(file: string): void {
    if (!this.stamps.has(file)) this.stamps.set(file, stampOf(file))
  }

  addLinked(file: string): void {
    this.linked.add(file)
  }

  /** The stamps of all, and their names; of what was written since it began to be read nothing holds. */
  list(since: number): string[] {
    const isSame = [...this.stamps].every(([file, stamp]) => stampOf(file) === stamp)
    const isQuiet = [...this.linked].every((file) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) < since)
    const names = [...this.stamps.keys(), ...this.linked].sort().map((name) => name.slice(1))
    return [isSame && isQuiet ? digestOfStamps('', names)! : '', ...names]
  }
}

/** Makes `to` the same file as `from`, or its copy with its time, which is watched; replaces what is there. */
function linkOrCopy(from: string, to: string, watched: Watched): 'linked' | 'copied' {
  try {
    linkSync(from, to)
    return 'linked'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') {
      rmSync(to)
      return linkOrCopy(from, to, watched)
    }
    // The cache is on another file system, or the file is another user's.
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error
    watched.add(from)
    const { atime, mtime } = statSync(from)
    copyFileSync(from, to)
    utimesSync(to, atime, mtime)
    return 'copied'
  }
}

/**
 * Lays what is in `from`, without the build's products, over `to`. One directory after the other is done
 * in one go: 80,000 links take a second so, and twenty when each is waited for.
 */
async function overlay(
  from: string,
  to: string,
  signal: AbortSignal,
  leave: ReadonlySet<string>,
  watched: Watched,
  below = '',
): Promise<void> {
  mkdirSync(path.join(to, below), { recursive: true })
  const directories: string[] = []
  watched.add(path.join(from, below))
  for (const entry of readdirSync(path.join(from, below), { withFileTypes: true })) {
    const name = path.join(below, entry.name)
    const target = path.join(to, name)
    const top = below === ''
    if (leave.has(name) || (top && topProduct.test(name))) continue
    // `include/config` has names that end like products.
    if (!entry.isDirectory() && !name.startsWith('include/') && product.test(entry.name)) continue
    // The build directory's link to its source would be mistaken for a source directory.
    if (top && entry.isSymbolicLink() && (name === 'source' || name === 'build')) continue
    if (entry.isDirectory()) directories.push(name)
    else if (entry.isSymbolicLink()) {
      rmSync(target, { force: true })
      symlinkSync(readlinkSync(path.join(from, name)), target)
    } else if (settled.test(name)) {
      watched.add(path.join(from, name))
      copyFileSync(path.join(from, name), target)
    } else if (entry.isFile()) linkOrCopy(path.join(from, name), target, watched)
  }
  // A moment for the user's Ctrl-C.
  await nextTurn()
  signal.throwIfAborted()
  for (const name of directories) await overlay(from, to, signal, leave, watched, name)
}

const mega = 1024 * 1024
/** A text that kbuild wrote. */
const builtFile: InputKind = { what: 'a file of kbuild', largest: 16 * mega, fault: 'environment' }
/** With all of its debug information. */
const builtKernel: InputKind = { what: 'a kernel', largest: 1536 * mega, fault: 'environment' }

/** The path of a file of the build directory. @throws Fault that names the make target which makes it */
async function need(dir: string, name: string, target: string): Promise<string> {
  const file = path.join(dir, name)
  try {
    await stat(file)
    return file
  } catch (error) {
    if (!isAbsent(error)) throw error
    throw new Fault('environment', 'build-incomplete', `${dir} has no ${name}`, {
      remedy: `Build it with \`make -C ${dir} ${target}\``,
    })
  }
}

/** Copies the modules that `modules.order` names to where depmod and modprobe look for them. */
async function installModules(
  dir: string,
  root: string,
  release: string,
  signal: AbortSignal,
  watched: Watched,
): Promise<void> {
  const base = path.join(root, 'lib/modules', release)
  await mkdir(base, { recursive: true })
  for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo']) watched.add(path.join(dir, name))
  const order = await readInputIfAny(path.join(dir, 'modules.order'), builtFile)
  const installed: string[] = []
  for (const line of (order?.toString('utf8') ?? '').split('\n').filter((line) => line !== '')) {
    // The kernel wrote `kernel/fs/x.ko` first, then `fs/x.ko`, and `fs/x.o` since 6.4.
    const name = line.replace(/^kernel\/(?=.*\.ko$)/, '').replace(/\.o$/, '.ko')
    const found = existsSync(path.join(dir, name)) ? name : `kernel/${name}`
    const file = await need(dir, found, 'modules')
    if (path.relative(dir, file).startsWith('..'))
      throw new Fault('environment', 'build-incomplete', `${dir}/modules.order names ${line}, which is outside of it`)
    const target = path.join('kernel', found)
    await mkdir(path.dirname(path.join(base, target)), { recursive: true })
    if (linkOrCopy(file, path.join(base, target), watched) === 'linked') watched.addLinked(file)
    installed.push(target)
  }
  await writeFile(path.join(base, 'modules.order'), installed.map((name) => `${name}\n`).join(''))
  for (const name of ['modules.builtin', 'modules.builtin.modinfo']) {
    await copyFile(path.join(dir, name), path.join(base, name)).catch((error: unknown) => {
      if (!isAbsent(error)) throw error
      return writeFile(path.join(base, name), '')
    })
  }
  await command('depmod', ['-b', root, release], { signal })
}

/** Raised whenever what is looked at changes. */
const stampFormat = 'inarch-built-2'

/**
 * The kernel that was built in `dir`.
 * @throws Fault `usage/build-dir-missing`, `environment/build-incomplete` (with the make target that makes
 *   what is missing), `environment/build-unsuitable`, `environment/compiler-missing`,
 *   `environment/compiler-mismatch`, `environment/cache-place`, `usage/build-dir-place`
 */
export async function openBuildDir(job: Job, dir: string): Promise<Kernel> {
  const built = await realpath(dir).catch(() => undefined)
  if (built === undefined || !(await lstat(built)).isDirectory())
    throw new Fault('usage', 'build-dir-missing', `${dir} is not a directory`)
  checkCachePath()
  checkBuildPath(built)
  const text = async (name: string, target: string) =>
    (await readInput(await need(built, name, target), builtFile)).toString('utf8')
  const configText = await text('.config', 'defconfig')
  const config = parseConfig(configText)
  if (!config.has('X86_64'))
    throw new Fault('environment', 'build-unsuitable', `The kernel in ${built} is not built for x86-64`)
  for (const [option, why] of [
    ['KALLSYMS', 'its symbols can’t be read'],
    ['LIVEPATCH', 'it can’t be live patched'],
  ] as const)
    if (!config.has(option))
      throw new Fault(
        'environment',
        'build-unsuitable',
        `The kernel in ${built} is built without CONFIG_${option}: ${why}`,
        {
          remedy: `Set CONFIG_${option}=y and build it again`,
        },
      )
  const vmlinux = await need(built, 'vmlinux', 'vmlinux')
  const image = await need(built, 'arch/x86/boot/bzImage', 'bzImage')
  const symvers = await need(built, 'Module.symvers', 'modules')
  const release = (await text('include/config/kernel.release', 'prepare')).trim()
  if (!/^[\w.+~-]+$/.test(release) || seriesOf(release) === '')
    throw new Fault('environment', 'build-incomplete', `${built}/include/config/kernel.release holds no release`)
  const [core, boot] = await Promise.all([stat(vmlinux), stat(image)])
  if (boot.mtimeMs < core.mtimeMs)
    throw new Fault('environment', 'build-incomplete', `The boot image in ${built} is older than its vmlinux`, {
      remedy: `Build it with \`make -C ${built} bzImage\``,
    })

  const cached = path.join(cacheRoot(), 'local', createHash('sha256').update(built).digest('hex').slice(0, 16))
  const head = `${stampFormat} ${built} ${release}`
  const current = async () => {
    const [first, stamps, ...names] = (await readFile(path.join(cached, 'stamp'), 'utf8').catch(() => '')).split('\n')
    return first === head && stamps === digestOfStamps('', names) ? readStored(cached) : undefined
  }

  const make = () =>
    job.journal.step(`Taking over the kernel built in ${built}`, () =>
      withScratch(async (scratch) => {
        const since = Date.now()
        const result = path.join(scratch, 'kernel')
        const watched = new Watched()
        watched.add(symvers)
        const source = path.join(result, 'source')
        await mkdir(result)
        const origin = await realpath(path.join(built, 'source')).catch(() => built)
        await need(origin, 'Kbuild', 'mrproper')
        if (origin !== built) await overlay(origin, source, job.signal, new Set(), watched)
        // With `O=`, the build directory's own Makefile only leads to the source's.
        await overlay(built, source, job.signal, new Set(origin === built ? [] : ['Makefile']), watched)
        await copyFile(symvers, path.join(source, 'Module.symvers'))
        await keepConfigurationCurrent(source)
        for (const [file, name] of [
          [vmlinux, 'vmlinux'],
          [image, 'image'],
        ] as const)
          if (linkOrCopy(file, path.join(result, name), watched) === 'linked') watched.addLinked(file)
        await writeFile(
          path.join(result, 'System.map'),
          systemMapText(decodeKallsyms(await readInput(vmlinux, builtKernel))),
          'latin1',
        )
        await installModules(built, path.join(result, 'modules'), release, job.signal, watched)
        const kernel: Kernel = {
          release,
          version: /^\d+(?:\.\d+)*/.exec(release)![0],
          series: seriesOf(release),
          flavour: '',
          origin: 'local',
          ...layoutIn(cached),
          compiler: compilerOf(configText),
        }
        await writeStored(result, kernel, await diskUsage(source))
        job.signal.throwIfAborted()
        await rm(cached, { recursive: true, force: true, maxRetries: 3 })
        // To link a file, and to take a link away, changes its time of change.
        await writeFile(path.join(result, 'stamp'), [head, ...watched.list(since)].join('\n'))
        await mkdir(path.dirname(cached), { recursive: true })
        await move(result, cached)
        return kernel
      }),
    )

  return withLock(
    cached,
    {
      signal: job.signal,
      onWait: () => job.journal.note(`Another inarch is taking over ${built}; waiting for it`),
    },
    async () => {
      const kernel = (await current()) ?? (await make())
      await checkCompiler(kernel, job.signal)
      return kernel
    },
  )
}
