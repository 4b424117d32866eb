// SPDX-License-Identifier: GPL-3.0-or-later
// What `inarch verify --running` says of a host: of its memory, its hooks, and what would make its kernel refuse.
import { describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Host } from '../../src/livepatch/host.ts'
import { verifyRunning } from '../../src/livepatch/verify-running.ts'
import type { Manifest } from '../../src/module/manifest/manifest.ts'
import { splitSignature } from '../../src/module/manifest/signature.ts'
import {
  addressOf,
  coreOf,
  hostWith,
  kallsymsOf,
  memoryWith,
  moduleForAnyImage,
  release,
  subjectWith,
} from './recorded.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const look = (host: Host, change: Partial<Manifest> = {}) => verifyRunning(job, host, subjectWith(change))
const show = addressOf('show')
const hex = (address: bigint) => address.toString(16)

/** The rules of the findings, the worst first. */
async function saidOf(host: Host, change: Partial<Manifest> = {}) {
  const { verdict, findings } = await look(host, change)
  const order = ['error', 'warning', 'note']
  const said = findings
    .map(({ severity, rule }) => `${severity} ${rule}`)
    .sort((a, b) => order.indexOf(a.split(' ')[0]!) - order.indexOf(b.split(' ')[0]!))
  return [verdict, ...said]
}

/** The distance of a call of five bytes. */
function callFrom(from: bigint, to: bigint): string {
  const bytes = Buffer.alloc(5, 0xe8)
  bytes.writeInt32LE(Number(to - from - 5n), 1)
  return bytes.toString('hex')
}

const list = '/sys/kernel/debug/kprobes/list'
const enabled = '/sys/kernel/tracing/enabled_functions'
const hooked = (traced: string, probes = '') =>
  hostWith({
    '/proc/kcore': coreOf(memoryWith(new Map([[show, callFrom(show, addressOf('__fentry__') + 64n)]]))),
    [enabled]: traced,
    [list]: probes,
  })

describe('a host on which nothing stands in the way', () => {
  test('has the code that was expected, and hooks nowhere', async () => {
    const report = await look(hostWith())
    expect(report).toMatchObject({ verdict: 'ready', findings: [], references: 1, host: { release } })
    expect(report.functions).toMatchObject([
      { name: 'show', code: 'matches', comparedWith: 'memory', address: `0x${hex(show)}`, hooks: [] },
    ])
  })
})

describe('code that differs', () => {
  test('is told with its instruction, wherever a byte is another one', async () => {
    const at = show + 9n
    const memory = memoryWith()
    const offset = Number(at - 0xffffffff81000000n)
    memory.writeUInt8(memory.readUInt8(offset) ^ 0x10, offset)
    const report = await look(hostWith({ '/proc/kcore': coreOf(memory) }))
    expect(report.verdict).toBe('differs')
    expect(report.functions[0]?.difference?.offset).toBeLessThanOrEqual(9)
    expect(report.findings).toMatchObject([{ rule: 'code-differs', symbol: 'show' }])
  })

  test('is no kprobe, unless one is listed there', async () => {
    const at = show + 5n
    const memory = coreOf(memoryWith(new Map([[at, 'cc']])))
    expect(await saidOf(hostWith({ '/proc/kcore': memory }))).toEqual(['differs', 'error code-differs'])
    const probes = `${hex(at)}  k  show+0x5    \n`
    expect(await saidOf(hostWith({ '/proc/kcore': memory, [list]: probes }))).toEqual([
      'ready',
      'warning probe-falls-silent',
    ])
    const unlisted = hostWith({ '/proc/kcore': memory, '/proc/mounts': '', [list]: undefined })
    expect(await saidOf(unlisted)).toEqual([
      'ready',
      'warning hooks-unseen',
      'warning hooks-unseen',
      'warning probe-falls-silent',
    ])
  })

  test('is also a name that the kernel has twice', async () => {
    const twice = hostWith({ '/proc/kallsyms': kallsymsOf('ffffffff82000000 t show') })
    expect(await saidOf(twice)).toEqual(['forbidden', 'error no-symbol'])
  })

  test('is also a place that the live patch replaces twice, by two names', async () => {
    const { objects } = subjectWith().manifest!
    const [own] = objects[0]!.functions
    const twice = [{ ...objects[0]!, functions: [own!, { ...own!, name: 'show_it' }] }]
    const host = hostWith({ '/proc/kallsyms': kallsymsOf(`${hex(show)} T show_it`) })
    expect(await saidOf(host, { objects: twice })).toEqual(['forbidden', 'error not-one-place'])
  })

  test('is also a reference that the kernel can’t resolve', async () => {
    const none = hostWith({ '/proc/kallsyms': kallsymsOf().replace('T other', 'T another') })
    expect(await saidOf(none)).toEqual(['forbidden', 'error no-symbol'])
  })
})

describe('the entry of a function', () => {
  test('is shared with a kprobe that only looks', async () => {
    const host = hooked(
      'show (1) R   \ttramp: 0xffffffffc0000000 (kprobe_ftrace_handler+0x0/0x1b0) ->kprobe_ftrace_handler+0x0/0x1b0\n',
      `${hex(show)}  k  show+0x0    [FTRACE]\n`,
    )
    expect(await saidOf(host)).toEqual(['ready', 'note probe-goes-on'])
  })

  test('is not shared with a kprobe that has a post handler', async () => {
    const host = hooked(
      'show (1) R I \ttramp: 0xffffffffc0000000 (kprobe_ftrace_handler+0x0/0x1b0) ->kprobe_ftrace_handler+0x0/0x1b0\n',
      `${hex(show)}  k  show+0x0    [FTRACE]\n`,
    )
    expect(await saidOf(host)).toEqual(['forbidden', 'error entry-taken'])
  })

  test('is not shared with whoever else sends the calls away', async () => {
    expect(
      await saidOf(hooked('show (1)   I \ttramp: 0xffffffffc0000000 (steal+0x0/0x10) ->steal+0x0/0x10\n')),
    ).toEqual(['forbidden', 'error entry-taken'])
  })

  test('is not shared with a direct call of a module', async () => {
    const host = hooked(
      'show (1) R   D\ttramp: ftrace_regs_caller+0x0/0x58 (call_direct_funcs+0x0/0x30)\n\tdirect-->my_tramp+0x0/0x20\n',
    )
    expect(await saidOf(host)).toEqual(['forbidden', 'error entry-taken'])
  })

  test('is traced by more users than are known: somebody is named, if ftrace names him', async () => {
    const report = await look(hooked('show (1)     \ttramp: 0xffffffffc0000000 (watch+0x0/0x10) ->watch+0x0/0x10\n'))
    expect(report.functions[0]?.hooks).toEqual([
      { kind: 'ftrace', name: 'watch', part: 'show', offset: 0, effect: 'goes-on' },
    ])
    expect(report.verdict).toBe('ready')
  })

  test('that is a nop belongs to another function of the name that ftrace lists', async () => {
    const free = hostWith({ [enabled]: 'show (1)   I \ttramp: 0xffffffffc0000000 (steal+0x0/0x10)\n' })
    expect(await saidOf(free)).toEqual(['ready'])
  })
})

describe('a live patch that the core carries', () => {
  const replacement = 0xffffffffc0002000n
  const at = '/sys/kernel/inarch/livepatch_fix'
  const loaded = (code: string | undefined, transition = '0') =>
    hostWith({
      '/proc/modules':
        'livepatch_fix 16384 1 - Live 0xffffffffc0002000\ninarch_core 65536 1 - Live 0xffffffffc0004000\n',
      '/proc/kallsyms': kallsymsOf(
        `${hex(replacement)} t show\t[livepatch_fix]`,
        'ffffffffc0003000 t show\t[livepatch_other]',
      ),
      '/proc/kcore': coreOf(memoryWith(code === undefined ? new Map() : new Map([[show + 5n, code]]))),
      [`${at}/enabled`]: '1\n',
      [`${at}/transition`]: `${transition}\n`,
      [`${at}/model`]: 'kgraft\n',
      [`${at}/tasks`]: '1 init: has not left the kernel\n',
      [`${at}/vmlinux/patched`]: '1\n',
      [`${at}/vmlinux/show,1/way`]: 'jump\n',
    })
  const jumpTo = (to: bigint) => `e9${callFrom(show + 5n, to).slice(2)}`

  test('at rest has a jump behind the place of ftrace’s hook, and the code is taken for what it was', async () => {
    const report = await look(loaded(jumpTo(replacement)), { model: 'kgraft' })
    expect(report.verdict).toBe('at-work')
    expect(report.host.patches).toEqual([{ name: 'livepatch_fix', enabled: true, moving: false, model: 'kgraft' }])
    expect(report.functions).toMatchObject([{ code: 'matches', led: 'jump' }])
  })

  test('whose jump is gone leads nobody away', async () => {
    expect(await saidOf(loaded(undefined), { model: 'kgraft' })).toEqual([
      'forbidden',
      'error not-led-away',
      'note already-loaded',
    ])
  })

  test('whose jump leads elsewhere has other code than is expected', async () => {
    const { verdict, functions } = await look(loaded(jumpTo(0xffffffffc0003000n)), { model: 'kgraft' })
    expect(verdict).toBe('differs')
    expect(functions[0]?.led).toBe('nowhere')
  })

  test('needs no jump while tasks go over', async () => {
    const { functions } = await look(loaded(undefined, '1'), { model: 'kgraft' })
    expect(functions[0]).not.toHaveProperty('led')
  })

  test('is refused where the core is not loaded', async () => {
    expect(await saidOf(hostWith(), { model: 'kpatch' })).toEqual(['forbidden', 'error core-missing'])
  })

  test('is refused where the kernel’s own livepatch holds the function', async () => {
    const held = hostWith({
      '/proc/modules': 'inarch_core 65536 1 - Live 0xffffffffc0004000\n',
      '/sys/kernel/livepatch/livepatch_old/enabled': '1\n',
      '/sys/kernel/livepatch/livepatch_old/transition': '0\n',
      '/sys/kernel/livepatch/livepatch_old/vmlinux/patched': '1\n',
      '/sys/kernel/livepatch/livepatch_old/vmlinux/show,1/x': '\n',
    })
    expect(await saidOf(held, { model: 'hybrid' })).toContain('error entry-taken')
    expect(await saidOf(held)).not.toContain('error entry-taken')
  })
})

describe('the kernel would refuse', () => {
  const sys = '/proc/sys/kernel'
  const patch = (name: string, flags: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(flags).map(([file, text]) => [`/sys/kernel/livepatch/${name}/${file}`, `${text}\n`]),
    )
  const cases: readonly [string, Record<string, string | undefined>, string][] = [
    ['a live patch for another kernel', { [`${sys}/osrelease`]: '6.1.0-2-test\n' }, 'other-kernel'],
    ['modules at all', { [`${sys}/modules_disabled`]: '1\n' }, 'modules-disabled'],
    ['unsigned modules', { '/sys/module/module/parameters/sig_enforce': 'Y\n' }, 'needs-signature'],
    [
      'unsigned modules under lockdown',
      { '/sys/kernel/security/lockdown': 'none [integrity] confidentiality\n' },
      'needs-signature',
    ],
    ['to replace anything without ftrace', { [`${sys}/ftrace_enabled`]: '0\n' }, 'ftrace-off'],
    ['live patches, having none', { '/sys/kernel/livepatch/': undefined }, 'no-livepatch'],
    [
      'a second transition',
      patch('livepatch_slow', { enabled: '1', transition: '1', 'vmlinux/patched': '1' }),
      'transition-running',
    ],
    [
      'a module that is still loaded',
      { '/proc/modules': 'livepatch_fix 16384 0 - Live 0xffffffffc0000000\n' },
      'still-loaded',
    ],
    [
      'another build of the same name',
      patch('livepatch_fix', {
        enabled: '1',
        transition: '0',
        'vmlinux/patched': '1',
        'vmlinux/other,1/': '',
      }),
      'already-loaded',
    ],
  ]
  test.each(cases)('%s', async (_, files, rule) => {
    expect(await saidOf(hostWith(files))).toEqual(['forbidden', `error ${rule}`])
  })
})

test('a signed live patch is let through, and its content is still the one of the manifest', async () => {
  const wants = hostWith({ '/sys/module/module/parameters/sig_enforce': 'Y\n' })
  const plain = subjectWith()
  const length = Buffer.alloc(12)
  length.writeUInt32BE(5, 8)
  const signed = Buffer.concat([
    plain.bytes,
    Buffer.from('hello'),
    length,
    Buffer.from('~Module signature appended~\n'),
  ])
  expect((await verifyRunning(job, wants, { ...plain, bytes: signed })).verdict).toBe('ready')
  expect(splitSignature(signed).content.equals(plain.bytes)).toBe(true)
  const torn = signed.subarray(plain.bytes.length)
  torn.writeUInt32BE(500, 5 + 8)
  expect(splitSignature(torn).signed).toBe(false)
})

describe('other live patches', () => {
  const old = (...functions: readonly string[]) =>
    hostWith({
      '/sys/kernel/livepatch/old/enabled': '1\n',
      '/sys/kernel/livepatch/old/transition': '0\n',
      '/sys/kernel/livepatch/old/vmlinux/patched': '1\n',
      ...Object.fromEntries(functions.map((name) => [`/sys/kernel/livepatch/old/vmlinux/${name},1/`, ''])),
    })

  test('are replaced as a whole, which loses what this one does not do', async () => {
    expect(await saidOf(old('show'))).toEqual(['ready', 'note replaces-live-patch', 'note replaced-already'])
    const { findings } = await look(old('show', 'other'))
    expect(findings[0]).toMatchObject({ severity: 'warning', rule: 'replaces-live-patch' })
    expect(findings[0]?.message).toContain('what it did to other will be gone')
  })

  test('stay under one that is stacked, which has the last word', async () => {
    expect(await saidOf(old('show'), { replace: false })).toEqual([
      'ready',
      'warning stacks-on-live-patch',
      'note replaced-already',
    ])
    expect(await saidOf(old('other'), { replace: false })).toEqual(['ready', 'note stacks-on-live-patch'])
  })
})

describe('what can’t be seen', () => {
  test.each([
    ['needs-root', { '/proc/kallsyms': kallsymsOf().replace(/^[0-9a-f]{16}/gm, '0'.repeat(16)) }],
    [
      'addresses-hidden',
      {
        '/proc/kallsyms': kallsymsOf().replace(/^[0-9a-f]{16}/gm, '0'.repeat(16)),
        '/proc/sys/kernel/kptr_restrict': '2\n',
      },
    ],
    ['no-kallsyms', { '/proc/kallsyms': undefined }],
    ['no-proc', { '/proc/sys/kernel/osrelease': undefined }],
  ])('is a fault with a remedy: %s', async (code, files) => {
    await expect(look(hostWith(files))).rejects.toMatchObject({
      kind: 'environment',
      code,
      remedy: expect.any(String),
    })
  })

  test.each([
    ['is missing', undefined],
    ['is empty, as in a container', ''],
    ['is not a core file', 'x'.repeat(4096)],
  ])('of memory is a warning and no match: it %s', async (_, core) => {
    const report = await look(hostWith({ '/proc/kcore': core }))
    expect(report.verdict).toBe('unseen')
    expect(report.findings.map(({ rule }) => rule)).toEqual(['memory-unseen', 'code-unseen'])
  })

  test('is told when it was built before modules looked at the image', async () => {
    const { findings } = await verifyRunning(job, hostWith(), { ...subjectWith(), bytes: moduleForAnyImage })
    expect(findings).toMatchObject([{ severity: 'warning', rule: 'takes-any-image' }])
    expect((await look(hostWith())).findings).toEqual([])
  })

  test('without a manifest, or with an old one, is told', async () => {
    const { manifest: _, ...bare } = subjectWith()
    await expect(verifyRunning(job, hostWith(), bare)).rejects.toMatchObject({ code: 'manifest-needed' })
    const listed = [
      { object: 'vmlinux', name: 'show', sympos: 0 },
      { object: 'vmlinux', name: 'no_such', sympos: 1 },
    ]
    const report = await verifyRunning(job, hostWith(), { ...bare, listed })
    expect(report.verdict).toBe('forbidden')
    expect(report.functions).toMatchObject([
      { name: 'show', code: 'unseen', address: `0x${hex(show)}`, hooks: [] },
      { name: 'no_such', code: 'missing' },
    ])
    const alone = { ...bare, listed: listed.slice(0, 1) }
    const { verdict, findings } = await verifyRunning(job, hostWith(), alone)
    expect(verdict).toBe('unseen')
    expect(findings.map(({ rule }) => rule)).toEqual(['no-manifest', 'code-unseen'])
    const probed = await verifyRunning(job, hostWith({ [list]: `${hex(show)}  k  show+0x0    \n` }), alone)
    expect(probed.functions).toMatchObject([{ hooks: [{ kind: 'kprobe', effect: 'goes-on' }] }])
    const objects = [
      {
        name: 'vmlinux',
        functions: [{ name: 'show', sympos: 0, unit: 'show.c', reasons: [] }],
        callbacks: [],
      },
    ]
    await expect(look(hostWith(), { objects })).rejects.toMatchObject({ code: 'no-expectation' })
  })

  test('of a module that the host does not have is a note', async () => {
    const [{ functions } = { functions: [] }] = subjectWith().manifest?.objects ?? []
    const objects = [{ name: 'gone', functions, callbacks: [] }]
    expect(await saidOf(hostWith(), { objects })).toEqual(['ready', 'note module-not-loaded'])
  })
})
