// SPDX-License-Identifier: GPL-3.0-or-later
// A host made of files: what /proc and /sys of a machine would show whose kernel is a small linked program. Its memory
// is an ELF core as /proc/kcore is one.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { type Host, openHost } from '../../src/livepatch/host.ts'
import { expectationOf } from '../../src/match/expect.ts'
import { packExpectation } from '../../src/match/record.ts'
import type { Manifest } from '../../src/module/manifest/manifest.ts'
import type { Subject } from '../../src/vm/plan/subject.ts'
import { atomOf, link } from '../match/small-image.ts'
import { compile, compileBytes, work } from '../objects.ts'

const source = `
int value; void other(void);
int show(int a) { value = a; other(); return a * 7 + value; }
__attribute__((noinline)) void other(void) { value++; }`

const kernel = link(source)
const unit = splitObject(compile(source))
export const base = 0xffffffff81000000n
export const release = '6.1.0-1-test'

/** Where a symbol of the program is. */
export const addressOf = (name: string): bigint => {
  const [address] = kernel.addressesOf(name)
  if (address === undefined) throw new Error(`there is no ${name}`)
  return address
}

/** The program's code, from `base` on. */
function codeOf(): Buffer {
  let [some, tooMany] = [1, 1 << 20]
  while (tooMany - some > 1) {
    const middle = (some + tooMany) >> 1
    if (kernel.read(base, middle) === undefined) tooMany = middle
    else some = middle
  }
  return Buffer.from(kernel.read(base, some) ?? Buffer.alloc(0))
}

/** An ELF core with one range of memory. */
export function coreOf(memory: Buffer): Buffer {
  const header = Buffer.alloc(64 + 56)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(4, 16)
  header.writeUInt16LE(62, 18)
  header.writeBigUInt64LE(64n, 32)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(1, 56)
  header.writeUInt32LE(1, 64)
  header.writeBigUInt64LE(120n, 72)
  header.writeBigUInt64LE(base, 80)
  header.writeBigUInt64LE(BigInt(memory.length), 96)
  return Buffer.concat([header, memory])
}

const names = ['show', 'other', 'value', '__fentry__', '__x86_return_thunk']

/** The text of /proc/kallsyms, with further lines behind those of the program. */
export function kallsymsOf(...more: readonly string[]): string {
  const own = names
    .flatMap((name) => kernel.addressesOf(name).map((address) => `${address.toString(16)} T ${name}`))
    .sort()
  return [...own, ...more, ''].join('\n')
}

/** The kernel's memory as it runs: ftrace has turned its calls into nops. @param change further bytes, by address */
export function memoryWith(change: ReadonlyMap<bigint, string> = new Map()): Buffer {
  const memory = codeOf()
  const patch = (address: bigint, hex: string) => Buffer.from(hex, 'hex').copy(memory, Number(address - base))
  for (const name of ['show', 'other']) patch(addressOf(name), '0f1f440000')
  for (const [address, hex] of change) patch(address, hex)
  return memory
}

const tracing = '/sys/kernel/tracing'
const debug = '/sys/kernel/debug'

/** A host in order, with `files` in the place of its own; undefined leaves one out, and a
 * name with a slash at its end is a directory. */
export function hostWith(files: Readonly<Record<string, string | Buffer | undefined>> = {}): Host {
  const root = mkdtempSync(path.join(work, 'host-'))
  const all: Record<string, string | Buffer | undefined> = {
    '/proc/sys/kernel/osrelease': `${release}\n`,
    '/proc/sys/kernel/version': '#1 SMP Debian 6.1.1-1\n',
    '/proc/sys/kernel/tainted': '0\n',
    '/proc/sys/kernel/ftrace_enabled': '1\n',
    '/proc/modules': 'ext4 16384 0 - Live 0xffffffffc0000000\n',
    '/proc/mounts': `tracefs ${tracing} tracefs rw 0 0\ndebugfs ${debug} debugfs rw 0 0\n`,
    '/proc/kallsyms': kallsymsOf(),
    '/proc/kcore': coreOf(memoryWith()),
    [`${tracing}/enabled_functions`]: '',
    [`${tracing}/kprobe_events`]: '',
    [`${tracing}/current_tracer`]: 'nop\n',
    [`${debug}/kprobes/list`]: '',
    '/sys/kernel/livepatch/': '',
    ...files,
  }
  for (const [file, content] of Object.entries(all)) {
    if (content === undefined) continue
    mkdirSync(path.join(root, file.endsWith('/') ? file : path.dirname(file)), { recursive: true })
    if (!file.endsWith('/')) writeFileSync(path.join(root, file), content)
  }
  return openHost(root)
}

const reference = 'extern int _klp_sym_vmlinux_other_0; int get(void) { return _klp_sym_vmlinux_other_0; }'
/** Which image it is for, as `struct inarch_image` of kernel/module.c says it. */
const image = `const struct { char release[65], version[65]; unsigned char size, id[32]; }
image __attribute__((section(".init.rodata.inarch_image"))) = { "${release}", "#1 SMP Debian 6.1.1-1" };`

/** A module of a text that refers to `other`; no assembler takes the name that such a symbol has. */
const moduleOf = (text: string) =>
  Buffer.from(
    compileBytes(text).toString('latin1').replaceAll('_klp_sym_vmlinux_other_0', '.klp.sym.vmlinux.other,0'),
    'latin1',
  )
const module = moduleOf(reference + image)

/** A module that an older Inarch built, which does not say for which image. */
export const moduleForAnyImage = moduleOf(reference)

/** A live patch of `show`. */
export function subjectWith(change: Partial<Manifest> = {}): Subject {
  const manifest: Manifest = {
    format: 'inarch-manifest-1',
    name: 'fix',
    module: 'livepatch_fix',
    description: '',
    tool: { name: 'inarch', version: '0' },
    kernel: { release, version: '6.1.1-1', origin: 'debian', compiler: '' },
    replace: true,
    inputs: [],
    sha256: '0'.repeat(64),
    objects: [
      {
        name: 'vmlinux',
        functions: [
          {
            name: 'show',
            sympos: 0,
            unit: 'show.c',
            reasons: [],
            match: {
              by: 'name',
              fields: 0,
              unconfirmed: 0,
              expected: packExpectation(expectationOf(unit, atomOf(unit, 'show'))),
            },
          },
        ],
        callbacks: [],
      },
    ],
    carried: [],
    states: [],
    findings: [],
    timings: [],
    ...change,
  }
  return {
    file: 'livepatch-fix.ko',
    bytes: module,
    sha256: manifest.sha256,
    name: manifest.module,
    release: manifest.kernel.release,
    origin: 'debian',
    targets: [],
    model: manifest.model ?? 'kernel',
    manifest,
  }
}
