// SPDX-License-Identifier: GPL-3.0-or-later
// The names of the running kernel, from /proc/kallsyms. Its lines are in the order in which livepatch counts the
// symbols of one name in an object: first vmlinux, then each module, then what has no file (BPF programs, ftrace's
// trampolines). Format: the kernel's kernel/kallsyms.c, s_show().
import { Fault } from '../ground/fault.ts'
import { type KernelSymbol, parseSymbols, type Symbols } from '../kernel/symbols.ts'
import type { Host } from './host.ts'

export interface RunningSymbols {
  /** The symbols of this name in an object (`vmlinux`, or a module as the kernel calls it), by `sympos`. */
  lookup(object: string, name: string): readonly KernelSymbol[]
  /**
   * The addresses that a reference from `object` by this name can mean: the object's own, else the kernel's, else any
   * module's.
   */
  meant(object: string, name: string): readonly bigint[]
  /** What lies at an address, as `NAME` or `NAME [MODULE]`, with the offset in bytes; the last symbol before it. */
  nearest(address: bigint): Located | undefined
  /** The first address behind this one at which a module's or a BPF program's symbol lies. */
  after(address: bigint): bigint | undefined
  /** The programs that BPF has compiled, by address. */
  readonly programs: ReadonlyMap<bigint, string>
}

export interface Located {
  readonly name: string
  /** Undefined for vmlinux. */
  readonly module: string | undefined
  /** Bytes from the symbol to the address. */
  readonly offset: number
}

interface ModuleLine {
  readonly address: bigint
  readonly type: string
  readonly name: string
  readonly module: string
}

const hiddenAddresses = /^0{16} . \S+$/

/** Reads the text of /proc/kallsyms. */
export function parseRunningSymbols(text: Buffer): RunningSymbols {
  const split = startOfModules(text)
  const vmlinux = parseSymbols(text.subarray(0, split))
  const lines: ModuleLine[] = []
  for (const line of text.toString('latin1', split).split('\n')) {
    const [, address, type, name, module] = /^([0-9a-f]{16}) (\S) (\S+)\t\[([^\]\s]+)\]$/.exec(line) ?? []
    if (address !== undefined && type !== undefined && name !== undefined && module !== undefined)
      lines.push({ address: BigInt(`0x${address}`), type, name, module })
  }
  const inModule = (module: string, name: string): KernelSymbol[] =>
    lines
      .filter((line) => line.name === name && line.module === module)
      .map(({ address, type }, index) => ({ name, address, type, sympos: index + 1 }))
  const lookup = (object: string, name: string) =>
    object === 'vmlinux' ? vmlinux.lookup(name) : inModule(object, name)
  return {
    lookup,
    meant(object, name) {
      const own = lookup(object, name)
      const found = own.length > 0 ? own : vmlinux.lookup(name)
      if (found.length > 0) return found.map(({ address }) => address)
      return lines.flatMap((line) => (line.name === name ? [line.address] : []))
    },
    nearest: (address) => nearest(vmlinux, lines, address),
    after(address) {
      let next: bigint | undefined
      for (const line of lines)
        if (line.address > address && (next === undefined || line.address < next)) next = line.address
      return next
    },
    programs: new Map(
      lines.flatMap(({ module, name, address }) =>
        module === 'bpf' && name.startsWith('bpf_prog_') ? [[address, name] as const] : [],
      ),
    ),
  }
}

/** Where the first line is that names a module; the text's length when none does. */
function startOfModules(text: Buffer): number {
  const tab = text.indexOf('\t')
  return tab < 0 ? text.length : text.lastIndexOf('\n', tab) + 1
}

function nearest(vmlinux: Symbols, lines: readonly ModuleLine[], address: bigint): Located | undefined {
  let best: ModuleLine | undefined
  for (const line of lines)
    if (line.address <= address && (best === undefined || line.address > best.address)) best = line
  const found = vmlinux.nearest(address)
  if (best !== undefined && (found === undefined || best.address > found.symbol.address))
    return { name: best.name, module: best.module, offset: Number(address - best.address) }
  return found && { name: found.symbol.name, module: undefined, offset: Number(found.offset) }
}

/**
 * The running kernel's names, with their addresses.
 * @throws Fault `environment/no-kallsyms`, `environment/needs-root`, `environment/addresses-hidden`
 */
export function readRunningSymbols(host: Host): RunningSymbols {
  const text = host.bytes('/proc/kallsyms')
  if (!Buffer.isBuffer(text) || text.length === 0)
    throw new Fault('environment', 'no-kallsyms', "The running kernel's symbols can't be read: /proc/kallsyms", {
      remedy: 'The kernel needs CONFIG_KALLSYMS=y, which live patching needs as well',
    })
  if (allHidden(text)) {
    if (host.line('/proc/sys/kernel/kptr_restrict') === '2')
      throw new Fault(
        'environment',
        'addresses-hidden',
        'The kernel shows its addresses to nobody, as kernel.kptr_restrict is 2',
        { remedy: 'Set it to 1 while you verify: `sysctl kernel.kptr_restrict=1`' },
      )
    throw new Fault('environment', 'needs-root', 'The kernel shows the addresses of its code to root only', {
      remedy: 'Run it as root, with the capabilities CAP_SYSLOG and CAP_SYS_RAWIO',
    })
  }
  return parseRunningSymbols(text)
}

/**
 * Addresses are written as zeros for those who may not see them; some symbols of each processor's data really have 0.
 */
function allHidden(text: Buffer): boolean {
  const half = text.indexOf('\n', text.length >> 1) + 1
  const lines = text
    .toString('latin1', half, half + 4096)
    .split('\n')
    .slice(0, 8)
  return lines.every((line) => line === '' || hiddenAddresses.test(line.split('\t')[0] ?? ''))
}
