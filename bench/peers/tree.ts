// SPDX-License-Identifier: GPL-3.0-or-later
// The source of a kernel in which klp-build can work: in a root of the kernel's own suite, with all the tools that its
// build wants, and an objtool with klp in it, which the one of Debian's package is not.
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { apart, makeRoot } from '../../scripts/debian-root.ts'
import { type CommandOptions, type CommandResult, command } from '../../src/ground/command.ts'
import { Fault } from '../../src/ground/fault.ts'
import type { Job } from '../../src/ground/job.ts'
import { distributionOfRelease } from '../../src/kernel/distributions.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { packageOf } from '../../src/kernel/toolchain.ts'
import { linkedWithSymbols } from './linked.ts'

/** Besides the compiler: what kbuild wants for this configuration, and what klp-build itself runs. */
const tools = [
  ...['build-essential', 'bc', 'bison', 'flex', 'libelf-dev', 'libssl-dev', 'openssl', 'pahole', 'python3', 'cpio'],
  ...['kmod', 'rustc', 'bindgen', 'rust-src', 'libxxhash-dev', 'patchutils', 'gawk'],
]

export interface Tree {
  readonly root: string
  /** The tree as the root sees it. */
  readonly place: string
  /** Runs a program in the root, in the tree. @param first directories in front of its path */
  run(words: readonly string[], options?: CommandOptions, first?: string): Promise<CommandResult>
}

/** A root that is no mount could not have mounts of its own (unshare(1)). */
const enter = `mount --bind "$0" "$0" && mount --rbind /dev "$0/dev" && mount --bind /proc "$0/proc" || exit 125
chroot "$0" "$@"
exit $?`

function treeIn(root: string, place: string): Tree {
  return {
    root,
    place,
    run(words, options = {}, first = '') {
      const settings = ['HOME=/root', 'LC_ALL=C.UTF-8', `PATH=${first}/usr/sbin:/usr/bin:/sbin:/bin`]
      return apart('sh', ['-c', enter, root, 'env', '-i', '-C', place, ...settings, ...words], options)
    },
  }
}

/**
 * Everything as Debian configured it, with none of the programs that the kbuild package brought: they are made anew.
 * @param outside the tree as this machine sees it
 */
async function layOut(kernel: Kernel, tree: Tree, outside: string, job: Job): Promise<void> {
  await cp(kernel.source, outside, { recursive: true, verbatimSymlinks: true })
  await command('chmod', ['-R', 'u+w', outside], job)
  const { stdout } = await command('find', ['scripts', 'tools', '-type', 'f', '-perm', '/111'], {
    ...job,
    cwd: outside,
  })
  for (const name of stdout.split('\n').filter((line) => line !== '')) {
    const file = path.join(outside, name.replace(/\.elf$/, ''))
    const isWrapped = existsSync(`${file}.elf`)
    const isMade =
      (await readFile(path.join(outside, name)).catch(() => Buffer.alloc(4))).readUInt32BE(0) === 0x7f454c46
    if (isWrapped) await rm(`${file}.elf`, { force: true })
    if (isWrapped || isMade) await rm(file, { force: true })
  }
  for (const name of ['include/config', 'include/generated', 'arch/x86/include/generated'])
    await rm(path.join(outside, name), { recursive: true, force: true })
  const own = (await tree.run(['make', '-s', 'kernelversion'], job)).stdout.trim()
  if (!kernel.release.startsWith(own)) throw new Error(`${own} is no beginning of ${kernel.release}`)
  await writeFile(path.join(outside, 'localversion'), `${kernel.release.slice(own.length)}\n`)
  await tree.run(['make', 'syncconfig'], job)
  // Rust's part takes minutes, and no C file needs what it makes.
  await tree.run(['make', '-s', 'CONFIG_RUST=', 'modules_prepare'], { ...job, timeout: 3_600_000 })
  await checkConfiguration(kernel, outside)
}

/** A key in place of the one with which Debian signs modules: the build of the whole kernel puts it into the image. */
async function makeSigningKey(tree: Tree, outside: string, job: Job): Promise<void> {
  const config = await readFile(path.join(outside, '.config'), 'utf8')
  const key = /^CONFIG_MODULE_SIG_KEY="([\w./-]+\.pem)"$/m.exec(config)?.[1]
  if (key === undefined || existsSync(path.join(outside, key))) return
  await mkdir(path.dirname(path.join(outside, key)), { recursive: true })
  const words = ['openssl', 'req', '-new', '-x509', '-nodes', '-batch', '-days', '30', '-subj', '/CN=bench']
  await tree.run([...words, '-newkey', 'rsa:2048', '-keyout', key, '-out', `${key}.part`], job)
  const [secret, certificate] = [
    await readFile(path.join(outside, key)),
    await readFile(path.join(outside, `${key}.part`)),
  ]
  await writeFile(path.join(outside, key), Buffer.concat([secret, certificate]))
}

/** @throws Fault when a tool is missing, so that make dropped an option */
async function checkConfiguration(kernel: Kernel, outside: string): Promise<void> {
  const lines = (text: string) => new Set(text.split('\n').filter((line) => /^CONFIG_(?!CC_VERSION_TEXT)/.test(line)))
  const debian = lines(await readFile(kernel.config, 'utf8'))
  const ours = lines(await readFile(path.join(outside, '.config'), 'utf8'))
  const differ = [...[...debian].filter((line) => !ours.has(line)), ...[...ours].filter((line) => !debian.has(line))]
  if (differ.length > 0)
    throw new Fault('environment', 'other-configuration', 'The tools of the root make another configuration', {
      detail: differ.join('\n'),
    })
}

export interface TreeOptions {
  /** Where the root and the tree are made, and stay. */
  readonly work: string
  /** Takes package lists that are older than they are valid. */
  readonly stale: boolean
  /** The whole kernel is going to be built. */
  readonly whole: boolean
}

export async function openTree(job: Job, kernel: Kernel, { work, stale, whole }: TreeOptions): Promise<Tree> {
  const distribution = distributionOfRelease(kernel.release)
  if (distribution === undefined || !existsSync(path.join(kernel.source, 'scripts/livepatch/klp-build')))
    throw new Fault('usage', 'no-klp-build', `The source of ${kernel.release} has no klp-build`, {
      remedy: 'Choose a newer kernel, such as --kernel testing',
    })
  await mkdir(work, { recursive: true })
  const compiler = packageOf(path.basename(kernel.compiler.program))
  const root = path.join(work, distribution.codename)
  if (!existsSync(root)) await makeRoot(distribution, root, { ...job, include: [...tools, compiler], stale })
  const place = `/srv/${kernel.release}`
  const [outside, ready] = [`${root}${place}`, `${root}${place}.ready`]
  const tree = treeIn(root, place)
  if (!existsSync(ready)) {
    await rm(outside, { recursive: true, force: true })
    await layOut(kernel, tree, outside, job)
    await writeFile(`${ready}.part`, '')
    await rename(`${ready}.part`, ready)
  }
  if (whole) {
    await makeSigningKey(tree, outside, job)
    return tree
  }
  await writeFile(path.join(outside, 'vmlinux'), await linkedWithSymbols(kernel))
  await cp('bench/peers/narrow-make', path.join(root, 'srv/narrow/make'), { recursive: true })
  return tree
}
