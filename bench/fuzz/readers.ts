// SPDX-License-Identifier: GPL-3.0-or-later
// Everything that reads a format which others wrote, besides objects: kernel images and their tables, modules, debug
// information, the texts of Debian's archive and of kbuild, the guest's reports, our own files when they come back.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { livepatchTables } from '../../src/audit/livepatch-tables.ts'
import { viewOf } from '../../src/audit/object-view.ts'
import { parseDependencies } from '../../src/build/compiler/compiler-run.ts'
import { parseInputs } from '../../src/build/compiler/inputs.ts'
import { readCalls } from '../../src/calls/call-graph.ts'
import { mapKernel, mapModule } from '../../src/calls/code-map.ts'
import { compareTypes } from '../../src/check/types/btf/compare.ts'
import { readBtf } from '../../src/check/types/btf/read.ts'
import { spell } from '../../src/check/types/btf/spell.ts'
import { readDirectives } from '../../src/diff/directives.ts'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { declaredVariables } from '../../src/elf/dwarf.ts'
import { fileType } from '../../src/elf/format.ts'
import { readObject } from '../../src/elf/read.ts'
import { readPairList } from '../../src/extract/pairs/pair-list.ts'
import { silentJournal } from '../../src/ground/job.ts'
import { assembleKernels, parsePackages } from '../../src/kernel/archive.ts'
import { parseConfig } from '../../src/kernel/config.ts'
import { parseExports } from '../../src/kernel/exports.ts'
import { buildIdIn, readBuildId } from '../../src/kernel/image/build-id.ts'
import { extractVmlinux } from '../../src/kernel/image/image.ts'
import { decodeKallsyms, systemMapText } from '../../src/kernel/image/kallsyms.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { parseModuleSymbols } from '../../src/kernel/module-symbols.ts'
import { findModule } from '../../src/kernel/modules.ts'
import { findPackaging, parseSeries } from '../../src/kernel/packaging.ts'
import { parseSymbols } from '../../src/kernel/symbols.ts'
import { openCore } from '../../src/livepatch/core.ts'
import { parseEnabledFunctions } from '../../src/livepatch/ftrace.ts'
import { openHost } from '../../src/livepatch/host.ts'
import { parseKprobes, parseProbeEvents } from '../../src/livepatch/kprobes.ts'
import { parseRunningSymbols } from '../../src/livepatch/symbols.ts'
import { sealedInImage } from '../../src/match/indirect-calls.ts'
import { namesInModule } from '../../src/match/names.ts'
import { unpackExpectation } from '../../src/match/record.ts'
import { openImage } from '../../src/match/running.ts'
import { distancesIn, imageIn } from '../../src/module/link/kernel-references.ts'
import { unpackEvidence } from '../../src/module/manifest/evidence.ts'
import { splitSignature } from '../../src/module/manifest/signature.ts'
import { replacementsIn } from '../../src/report/facts/module-code.ts'
import { readProof } from '../../src/report/facts/proof-file.ts'
import { readSourceDirectory } from '../../src/source/directory/layout.ts'
import { parseStack, parseStat } from '../../src/transition/sleeping-tasks.ts'
import { consoleLines, readLog } from '../../src/vm/guest/log.ts'
import { parseEvent } from '../../src/vm/guest/protocol.ts'
import { readSubject } from '../../src/vm/plan/subject.ts'
import { readSuite } from '../../src/vm/plan/suite.ts'
import { openRecorder } from '../../src/vm/verdict/record.ts'
import { forge } from './forge.ts'
import { kallsymsTable } from './kallsyms-table.ts'
import type { Random } from './random.ts'
import { spoilBytes, spoilJson, spoilText } from './spoil.ts'

export interface Reader {
  readonly name: string
  readonly good: Buffer
  spoil(random: Random, good: Buffer): Buffer
  /** Reads it, and goes through what was read. */
  read(bytes: Buffer): unknown
}

const asBytes = (text: string) => Buffer.from(text, 'utf8')
const text = (name: string, good: string, read: (text: string, bytes: Buffer) => unknown): Reader => ({
  name,
  good: asBytes(good),
  spoil: (random, bytes) =>
    random.oneIn(4) ? spoilBytes(random, bytes) : asBytes(spoilText(random, bytes.toString('utf8'))),
  read: (bytes) => read(bytes.toString('utf8'), bytes),
})
const json = (name: string, good: unknown, read: (bytes: Buffer) => unknown): Reader => ({
  name,
  good: asBytes(JSON.stringify(good)),
  spoil: (random, bytes) => asBytes(spoilJson(random, bytes.toString('utf8'))),
  read,
})
const binary = (name: string, good: Buffer, read: (bytes: Buffer) => unknown): Reader => ({
  name,
  good,
  spoil: spoilBytes,
  read,
})
/** An ELF file: fields of its headers, too, lie. */
const elf = (name: string, good: Buffer, read: (bytes: Buffer) => unknown): Reader => ({
  name,
  good,
  spoil: (random, bytes) => (random.oneIn(2) ? spoilBytes(random, bytes) : forge(bytes, random).bytes),
  read,
})

const source = `
struct one { int x; struct one *next; union { int y : 3; char z[4]; }; };
enum kind { FIRST = 1, SECOND = 2 };
typedef int (*call)(struct one *, enum kind);
static int hidden; static struct one list[4]; call table[4]; extern int outside(const char *, ...);
static __attribute__((noinline)) int helper(struct one *o) { static int counted; counted += o->x; return hidden++; }
int shown(struct one *o, call with) { static int counted; counted++; outside("%d %s", list[1].x, __func__); return helper(o) + with(o, SECOND); }
`

/** A text as `pack` would make it of a value. */
const packedText = (bytes: Buffer) => gzipSync(bytes).toString('base64')

/**
 * The tables by which a module tells the kernel what it replaces (include/linux/livepatch.h), cut short behind what is
 * read.
 */
const tables = `
extern char __this_module[];
struct func { const char *old_name; void *new_func; unsigned long old_sympos; };
struct object { const char *name; struct func *funcs; };
struct func funcs[] = { { "f", shown, 0 }, {} };
struct object objects[] = { { 0, funcs }, {} };
struct { void *mod; struct object *objs; } patch = { __this_module, objects };
`

/** The parts of its structures that a live patch of Linux 6.1 fills in. */
const structures = {
  patch: { size: 208, replace: 24, states: 16 },
  object: { size: 152 },
  func: { size: 112 },
  state: { size: 24, id: 0, version: 8 },
}

const tracedFunctions = `f (1) R I     \ttramp: 0xffffffffc0a03000 (klp_ftrace_handler+0x0/0x2a0) ->klp_ftrace_handler
g [ext4] (2) D   M
\tdirect-->bpf_trampoline_6442+0x0/0x1000
`

const probes = `ffffffff81234560  k  f+0x0    [FTRACE]
ffffffffc0001000  r  g+0x10  ext4 [DISABLED][OPTIMIZED]
`

/** A core file has the segments of the executable. */
function coreOf(executable: Buffer): Buffer {
  const core = Buffer.from(executable)
  core.writeUInt16LE(fileType.core, 16)
  return core
}

/** The strings by which a module says that it is a live patch. */
const modinfo =
  '.pushsection .modinfo,"a"; .asciz "livepatch=Y"; .asciz "name=livepatch_x"; .asciz ' +
  '"vermagic=6.1.0-56-cloud-amd64 SMP"; .popsection'

const packages = [
  'linux-image-6.1.0-56-cloud-amd64',
  'linux-headers-6.1.0-56-cloud-amd64',
  'linux-source-6.1',
  'linux-kbuild-6.1',
]
  .map(
    (name) =>
      `Package: ${name}\nSource: linux (6.1.187-1)\nVersion: 6.1.187-1\nInstalled-Size: 4\nDepends: ` +
      `linux-kbuild-6.1 (>= 6.1.187-1), linux-headers-6.1.0-56-common (= 6.1.187-1)\nSize: ` +
      `1234\nDescription: a\n kernel\n`,
  )
  .join('\n')

const sources = `Package: other\nVersion: 1\nDirectory: pool/o\nChecksums-Sha256:\n ${'0'.repeat(64)} 9 o_1.debian.tar.xz\n
Package: linux\nTestsuite-Package: linux\nVersion: 6.1.187-1\nDirectory: pool/main/l/linux\nChecksums-Sha256:\n ${'a'.repeat(64)} 1 linux_6.1.orig.tar.xz\n ${'b'.repeat(64)} 2 linux_6.1.187-1.debian.tar.xz\n`

const events = [
  'hello 6.1.0',
  'part 0',
  'begin module-first.load',
  'asleep module-first 3 dGFzaw==',
  'sample module-first.load 3 4',
  'replaces vmlinux f,1 1',
  'stuck module-first.load eA==',
  'exercise 0',
  'exercised 0 0',
  'end module-first.load done',
  'ran module-first 0 3',
  'load 0 12',
  'output module-first.check 0 eA==',
  'taint 4096',
  'stays x eQ==',
  'done',
  'bye',
].join('\n')

const consoleText = `[    0.000000] Linux version 6.1.0
[    1.000000] inarch: step module-first.load
[    1.100000] ------------[ cut here ]------------
[    1.100000] WARNING: CPU: 0 PID: 1 at kernel/x.c:3 f+0x1/0x2
[    1.200000] Call Trace:
[    1.200000]  <TASK>
[    1.300000] ---[ end trace 0000000000000000 ]---
[    1.400000] EXT4-fs error (device vda): x
`

const step = {
  id: 'module-first.load',
  title: 'load',
  ms: 3,
  outcome: 'done',
  samples: [{ ms: 1, left: 2, total: 3 }],
}
const sha256 = '0'.repeat(64)
const proof = {
  format: 'inarch-proof-2',
  verdict: 'proven',
  module: { name: 'livepatch_x', file: '/x/livepatch-x.ko', sha256 },
  over: [],
  kernel: { release: '6.1.0', version: '6.1.1-1' },
  machine: { accelerator: 'kvm', cpus: 2, memory: 512, parameters: [] },
  boots: 1,
  bootMs: [3],
  orders: [{ order: 'module-first', title: 'x', steps: [step] }],
  replaced: [{ object: 'vmlinux', name: 'f', sympos: 0, active: true }],
  coverage: {
    functions: [{ object: 'vmlinux', name: 'f', sympos: 0, ran: 3 }],
    checked: true,
    exercises: [],
  },
  loads: [],
  log: [],
  consoles: [['x']],
  failures: [],
  notes: [],
  ms: 3,
}

const expectation = {
  parts: [
    {
      name: 'f',
      code: Buffer.alloc(32, 0x90).toString('base64'),
      fields: [
        { at: 1, form: 'near', to: { symbol: 'g', plus: 3 } },
        { at: 9, form: 'near', to: { holds: 'AA==' } },
      ],
      sites: [{ kind: 'lock', at: 20 }],
    },
  ],
}

/** @returns the readers; `clear` removes the files that they need */
export function openReaders(): { readonly readers: readonly Reader[]; clear(): void } {
  const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-readers-'))
  const file = (name: string) => path.join(work, name)
  const put = (name: string, bytes: Buffer | string) => {
    mkdirSync(path.dirname(file(name)), { recursive: true })
    writeFileSync(file(name), bytes)
    return file(name)
  }
  const make = (program: string, output: string, ...args: readonly string[]): Buffer => {
    execFileSync(program, [...args, '-o', file(output)])
    return readFileSync(file(output))
  }
  const flags = ['-O2', '-w', '-ffunction-sections', '-fdata-sections', '-mcmodel=kernel', '-fno-PIE', '-c']
  const unit = put('unit.c', source)
  const object = make('gcc', 'unit.o', ...flags, '-fno-dwarf2-cfi-asm', '-gdwarf-4', '-gstrict-dwarf', unit)
  const types = readObject(make('gcc', 'types.o', ...flags, '-gbtf', unit), 'types.o').sections.find(
    ({ name }) => name === '.BTF',
  )
  put('outside.s', '.globl _start, outside\n_start: outside: ret\n.section .note.GNU-stack,""\n')
  make('gcc', 'outside.o', '-c', file('outside.s'))
  const kernel = make(
    'ld',
    'vmlinux',
    '--build-id',
    '-z',
    'noseparate-code',
    unit.replace(/c$/, 'o'),
    file('outside.o'),
  )
  const module = make(
    'gcc',
    'module.o',
    ...flags,
    put('module.c', `__asm__(${JSON.stringify(modinfo)});${source}${tables}`),
  )
  const manifest = {
    format: 'inarch-manifest-1',
    name: 'x',
    module: 'livepatch_x',
    description: 'x',
    tool: { name: 'inarch', version: '0.1.0' },
    kernel: { release: '6.1.0-1-amd64', version: '6.1.1-1', origin: 'debian', compiler: 'gcc' },
    replace: true,
    inputs: [{ file: 'x.patch', sha256 }],
    sha256: createHash('sha256').update(module).digest('hex'),
    objects: [{ name: 'vmlinux', functions: [{ name: 'f', sympos: 0, unit: 'x.c', reasons: ['x'] }] }],
    carried: [{ kind: 'function', name: 'g', unit: 'x.c', reason: 'x' }],
    findings: [{ rule: 'x', severity: 'note', unit: 'x.c', message: 'x' }],
    timings: [],
  }
  put('proved.ko', module)
  const systemMap = systemMapText(decodeKallsyms(kallsymsTable(1200, 'new')))
  const goodTypes = readBtf(types!.data, 'good')
  const image = Buffer.alloc(5 * 512)
  image.write('HdrS', 0x202, 'latin1')
  image.writeUInt16LE(0x20f, 0x206)
  const payload = gzipSync(kernel)
  image.writeUInt32LE(payload.length, 0x24c)

  const readers: Reader[] = [
    elf('object', object, (bytes) => {
      const read = readObject(bytes, 'x.o')
      for (const section of read.sections) read.relocations(section)
      livepatchTables(viewOf(read, 'x.o'), structures)
      readDirectives(splitObject(read), 'x.c')
      return [declaredVariables(read), replacementsIn(read), distancesIn(read), imageIn(read)]
    }),
    elf('module', module, (bytes) => {
      const { content } = splitSignature(bytes)
      parseModuleSymbols(content)
      namesInModule(content, 'x')
      livepatchTables(viewOf(content, 'x.ko'), structures)
      return readCalls(mapModule(content, 'x'))
    }),
    elf('core', coreOf(kernel), (bytes) => {
      put('proc/kcore', bytes)
      const core = openCore(openHost(work))
      try {
        for (const at of [0x400000n, 0x401000n, 2n ** 64n - 1n]) core.read(at, 64)
      } finally {
        core.close()
      }
    }),
    elf('kernel', kernel, async (bytes) => {
      const vmlinux = put('spoilt', bytes)
      readBuildId(vmlinux)
      sealedInImage(vmlinux)
      const opened = openImage(vmlinux)
      try {
        for (const at of [0x400000n, 0x401000n, 2n ** 64n - 1n]) opened.read(at, 64)
      } finally {
        opened.close()
      }
      readCalls(await mapKernel({ vmlinux, systemMap: put('System.map', systemMap) } as Kernel))
    }),
    ...(['old', 'new'] as const).map((order) =>
      binary(`symbol table, ${order}`, kallsymsTable(1200, order), (bytes) => systemMapText(decodeKallsyms(bytes))),
    ),
    binary('boot image', Buffer.concat([image, payload]), (bytes) =>
      extractVmlinux(put('image', bytes), file('unpacked')),
    ),
    binary(
      'notes',
      readObject(object, 'x').sections.find(({ name }) => name.startsWith('.note'))?.data ?? image,
      buildIdIn,
    ),
    binary('types', types!.data, (bytes) => {
      const btf = readBtf(bytes, 'spoilt')
      for (let type = 0; type < btf.count; type++) spell(btf, type, { plain: true })
      return [compareTypes(goodTypes, btf), compareTypes(btf, goodTypes)]
    }),
    text('System.map', systemMap, (_, bytes) => {
      const symbols = parseSymbols(bytes)
      for (const name of ['function_3', 'nothing', '']) symbols.lookup(name)
      symbols.lookupAll(new Set(Array.from({ length: 20 }, (_, i) => `function_${i}`)))
      return [symbols.at(0xffffffff81000100n), symbols.nearest(0xffffffff81000108n), symbols.nearest(0n)]
    }),
    text('running symbols', `${systemMap}${systemMap.replaceAll(/$/gm, '\t[ext4]')}`, (_, bytes) => {
      const symbols = parseRunningSymbols(bytes)
      return [symbols.meant('ext4', 'function_3'), symbols.nearest(0xffffffff81000108n), symbols.after(0n)]
    }),
    text('traced functions', tracedFunctions, parseEnabledFunctions),
    text('probes', probes, parseKprobes),
    text('probe events', 'p:kprobes/a ext4:f+16 x=%di\nr4:g/b h\n', parseProbeEvents),
    text('tasks', '12 (a (b) c) S 1 2 3 4 5 2097216 0\n', (read) => read.split('\n').map(parseStat)),
    text('stacks', '[<0>] do_sys_poll+0x2d1/0x600\n[<0>] f+0x1/0x2 [ext4]\n', parseStack),
    text('dependencies', 'x.o: fs/x.c ../a\\ b.h \\\n  include/$$c.h\n', parseDependencies),
    text('inputs', 'F\tabc\t1 2\tfs/x.c\nD\tdef\t3\tinclude\n\n', parseInputs),
    text('exports', '0x1234\tf\tvmlinux\tEXPORT_SYMBOL\t\n0x5\tg\tfs/x/x\tEXPORT_SYMBOL_GPL\tNS\n', (read) => {
      const exports = parseExports(read)
      return ['f', 'g', '', '\t'].map((name) => exports.find(name))
    }),
    text('configuration', 'CONFIG_X=y\n# CONFIG_Y is not set\nCONFIG_CC="gcc \\"12\\""\n', (read) =>
      parseConfig(read).value('CC'),
    ),
    text('packages', packages, (read) => assembleKernels(parsePackages(read), 'trixie')),
    text('sources', sources, (_, bytes) => findPackaging(bytes, { name: 'linux', version: '6.1.187-1' })),
    text('series', 'a.patch -p1 # x\n\n# y\nb/c.patch\n', parseSeries),
    text('modules.dep', 'kernel/fs/x.ko: kernel/lib/y.ko kernel/z.ko\nkernel/lib/y.ko:\n', (read) => {
      for (const name of ['modules.dep', 'modules.softdep']) put(`lib/modules/6.1/${name}`, read)
      return findModule({ modulesRoot: work, release: '6.1' }, 'x')
    }),
    text('events', events, async (read) => {
      const job = { signal: new AbortController().signal, journal: silentJournal() }
      const recorder = await openRecorder(job, [], new Map(), 0, parseEvent)
      // Its number and its length are right: what stands in it is what may be wrong.
      for (const [at, told] of read.split('\n').entries()) recorder.take(`inarch ${at + 1} ${told.length} ${told}`, at)
      return await recorder.close()
    }),
    text('console', consoleText, (read) => readLog(consoleLines(read))),
    text('pairs', 'a.o\tb.o\n# x\nc.o d.o\n', (read) => readPairList(put('pairs', read))),
    json('proof', proof, (bytes) => readProof(put('proof.json', bytes), sha256)),
    json('manifest', manifest, (bytes) => {
      put('livepatch-x.json', bytes)
      return readSubject(put('livepatch-x.ko', module))
    }),
    elf('live patch', module, (bytes) => {
      rmSync(file('alone.json'), { force: true })
      return readSubject(put('alone.ko', bytes))
    }),
    json('suite', [{ module: 'proved.ko', checks: [{ run: 'x', after: '/x/' }], load: ['x'] }], (bytes) =>
      readSuite(put('suite.json', bytes)),
    ),
    json(
      'source directory',
      {
        format: 'inarch-source-1',
        name: 'x',
        kernel: { release: '6.1.0', version: '6.1.1' },
        patches: [{ file: 'x.patch', sha256 }],
        units: [{ file: 'fs-x.c', source: 'fs/x.c' }],
        headers: ['include/linux/x.h'],
      },
      (bytes) => {
        put('source/inarch.json', bytes)
        return readSourceDirectory(file('source'))
      },
    ),
    json('expectation', expectation, (bytes) => unpackExpectation(packedText(bytes))),
    json('evidence', { inputs: [{ file: 'x', text: 'x' }], functions: [] }, (bytes) =>
      unpackEvidence(packedText(bytes)),
    ),
  ]
  return { readers, clear: () => rmSync(work, { recursive: true, force: true }) }
}
