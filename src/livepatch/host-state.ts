// SPDX-License-Identifier: GPL-3.0-or-later
// The state of the host as far as it decides whether a live patch can be loaded.
import { buildIdIn } from '../kernel/image/build-id.ts'
import { type Host, releaseOf } from './host.ts'
import { type RunningPatch, readPatches } from './patches.ts'

export interface HostState {
  /** `uname -r`. */
  readonly release: string
  /** `uname -v`, which names the distribution's package version. */
  readonly build: string
  /** The image's GNU build-id, hexadecimal; undefined when the kernel does not show one. */
  readonly buildId: string | undefined
  /** The kernel's taint, bit by bit. */
  readonly taint: number
  /** The names of the loaded modules. */
  readonly modules: readonly string[]
  /** Undefined when the kernel has no live patching. */
  readonly patches: readonly RunningPatch[] | undefined
  /** The lockdown's level: none, integrity, confidentiality. */
  readonly lockdown: string
  /** Only modules with a valid signature are loaded. */
  readonly signedOnly: boolean
  /** No module is loaded any more, until the next boot. */
  readonly modulesDisabled: boolean
  /** ftrace is switched on, without which no function can be replaced. */
  readonly ftraceOn: boolean
}

/** @throws Fault `environment/no-proc` */
export function readHostState(host: Host): HostState {
  const release = releaseOf(host)
  const level = /\[(\w+)\]/.exec(host.line('/sys/kernel/security/lockdown') ?? '')?.[1] ?? 'none'
  const modules = host.read('/proc/modules')
  const notes = host.bytes('/sys/kernel/notes')
  return {
    release,
    build: host.line('/proc/sys/kernel/version') ?? '',
    buildId: Buffer.isBuffer(notes) ? buildIdIn(notes) : undefined,
    taint: Number(host.line('/proc/sys/kernel/tainted') ?? 0) || 0,
    modules:
      typeof modules === 'string'
        ? modules.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ')[0] ?? '']))
        : [],
    patches: readPatches(host),
    lockdown: level,
    signedOnly: level !== 'none' || host.line('/sys/module/module/parameters/sig_enforce') === 'Y',
    modulesDisabled: host.line('/proc/sys/kernel/modules_disabled') === '1',
    ftraceOn: host.line('/proc/sys/kernel/ftrace_enabled') !== '0',
  }
}
