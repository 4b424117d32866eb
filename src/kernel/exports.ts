// SPDX-License-Identifier: GPL-3.0-or-later
// What a kernel and its modules export, as modpost wrote it into Module.symvers: one line per symbol,
// `CRC NAME MODULE KIND NAMESPACE`, separated by tabs.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../ground/fault.ts'
import type { Kernel } from './kernel.ts'

export interface Export {
  readonly name: string
  /** The version of the symbol (CONFIG_MODVERSIONS); 0 where the kernel has none. */
  readonly crc: number
  /** `vmlinux`, or the module's name with `_` for `-`. */
  readonly module: string
  /** Empty when the symbol is in none. */
  readonly namespace: string
  readonly gpl: boolean
}

export interface Exports {
  /** The export called `name`; undefined when there is none. */
  find(name: string): Export | undefined
}

/** How a module is called in the kernel: its file's name without suffixes, `-` written as `_`. */
export function moduleName(file: string): string {
  return path
    .basename(file)
    .replace(/\.ko(?:\.(?:xz|zst|gz))?$/, '')
    .replaceAll('-', '_')
}

/**
 * True for the namespace of what only modules of certain names may take: `module:kvm,kvm-*` (since Linux 6.16). It
 * can't be imported (verify_module_namespace in kernel/module/main.c).
 */
export function isForNamedModules(namespace: string): boolean {
  return namespace.startsWith('module:')
}

/** Reads the text of a Module.symvers. Cheap: a symbol's line is looked for when it is asked for. */
export function parseExports(text: string): Exports {
  const searched = text.startsWith('\n') ? text : `\n${text}`
  return {
    find(name) {
      let at = searched.indexOf(`\t${name}\t`)
      while (at >= 0) {
        const start = searched.lastIndexOf('\n', at) + 1
        const stop = searched.indexOf('\n', at)
        const [crc, found, module, kind, namespace] = searched.slice(start, stop < 0 ? undefined : stop).split('\t')
        if (found === name && module !== undefined && kind !== undefined)
          return {
            name,
            crc: Number(crc) >>> 0,
            module: module === 'vmlinux' ? module : moduleName(module),
            namespace: namespace ?? '',
            gpl: kind.startsWith('EXPORT_SYMBOL_GPL'),
          }
        at = searched.indexOf(`\t${name}\t`, at + 1)
      }
      return undefined
    },
  }
}

/**
 * What `kernel` and its modules export.
 * @throws Fault `environment/symvers-missing`
 */
export async function readExports(kernel: Kernel): Promise<Exports> {
  try {
    return parseExports(await readFile(kernel.symvers, 'latin1'))
  } catch (error) {
    throw new Fault('environment', 'symvers-missing', `The exported symbols of ${kernel.release} can’t be read`, {
      detail: (error as Error).message,
      cause: error,
    })
  }
}
