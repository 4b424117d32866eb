// SPDX-License-Identifier: GPL-3.0-or-later
// The modules of a kernel, by depmod's files (modules.dep(5)) in its own copy of /lib/modules.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { command, type Limits } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import { type InputKind, inputKinds, readInput } from '../ground/input.ts'
import { withScratch } from '../ground/scratch.ts'
import { moduleName } from './exports.ts'
import type { Kernel } from './kernel.ts'

export interface Module {
  /** As the kernel calls it: `_`, never `-`. */
  readonly name: string
  /** Absolute; may be compressed (`.ko.xz`, `.ko.zst`, `.ko.gz`). */
  readonly file: string
  /** Files of the modules it needs, also indirectly, in the order in which they must be loaded. */
  readonly dependencies: readonly string[]
  /** Names of the modules that it wants before or after itself but can do without. */
  readonly softdeps: { readonly pre: readonly string[]; readonly post: readonly string[] }
}

/** Where a kernel's modules are. */
type ModulePlace = Pick<Kernel, 'modulesRoot' | 'release'>

function modulesDir(kernel: ModulePlace): string {
  return path.join(kernel.modulesRoot, 'lib/modules', kernel.release)
}

/** The lines of one of depmod's text files; none when it is missing. */
export async function depmodLines(kernel: ModulePlace, name: string): Promise<string[]> {
  const text = await readFile(path.join(modulesDir(kernel), name), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return text.split('\n')
}

function softdepsOf(lines: readonly string[], name: string): Module['softdeps'] {
  const pre: string[] = []
  const post: string[] = []
  for (const line of lines) {
    const [keyword, module, ...words] = line.trim().split(/\s+/)
    if (keyword !== 'softdep' || module === undefined || moduleName(module) !== name) continue
    let list: string[] | undefined
    for (const word of words)
      if (word === 'pre:') list = pre
      else if (word === 'post:') list = post
      else list?.push(moduleName(word))
  }
  return { pre, post }
}

/** The module called `name` (`-` and `_` are alike); undefined when the kernel has no such module file. */
export async function findModule(kernel: ModulePlace, name: string): Promise<Module | undefined> {
  const dir = modulesDir(kernel)
  const wanted = moduleName(name)
  for (const line of await depmodLines(kernel, 'modules.dep')) {
    const colon = line.indexOf(':')
    if (colon < 0 || moduleName(line.slice(0, colon)) !== wanted) continue
    const needed = line
      .slice(colon + 1)
      .split(' ')
      .filter((file) => file !== '')
    return {
      name: wanted,
      file: path.join(dir, line.slice(0, colon)),
      // depmod lists them so that the last one has to come first.
      dependencies: needed.reverse().map((file) => path.join(dir, file)),
      softdeps: softdepsOf(await depmodLines(kernel, 'modules.softdep'), wanted),
    }
  }
  return undefined
}

const moduleFile: InputKind = { ...inputKinds.module, fault: 'environment' }
/** What unpacking may take: a few bytes can stand for very many. */
const limits: Limits = { memory: 2 ** 32, cpu: 60, fileSize: moduleFile.largest + 1 }

/**
 * The bytes of a module's file, decompressed where it is compressed.
 * @throws Fault `environment/module-unreadable`, and what `readInput` throws
 */
export async function readModule(file: string): Promise<Buffer> {
  const bytes = await readInput(file, moduleFile)
  if (file.endsWith('.ko')) return bytes
  const damaged = (why: string) => new Fault('environment', 'module-unreadable', `${file} can't be unpacked: ${why}`)
  if (file.endsWith('.gz'))
    return promisify(gunzip)(bytes, { maxOutputLength: moduleFile.largest }).catch((error: Error) => {
      throw damaged(error.message)
    })
  return withScratch(async (dir) => {
    const output = path.join(dir, 'module.ko')
    const program = file.endsWith('.zst') ? 'zstd' : 'xz'
    const { exitCode, stderr } = await command(program, ['-dcq'], {
      input: bytes,
      outputFile: output,
      limits,
      allowFailure: true,
    })
    const unpacked = await readInput(output, moduleFile)
    if (exitCode !== 0) throw damaged(stderr.trim().split('\n')[0] || `${program} failed`)
    return unpacked
  })
}

/**
 * The bytes of the module called `name`, decompressed.
 * @throws Fault `usage/module-unknown`
 */
export async function openModule(kernel: Kernel, name: string): Promise<Buffer> {
  const module = await findModule(kernel, name)
  if (module === undefined) throw new Fault('usage', 'module-unknown', `${kernel.release} has no module called ${name}`)
  return readModule(module.file)
}
