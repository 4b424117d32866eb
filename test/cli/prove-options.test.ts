// SPDX-License-Identifier: GPL-3.0-or-later
// What each option of `inarch prove` asks for: parsed as a user writes it, down to QEMU's command line where it is
// about the machine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { machineOf, type ProveOptions, proveCommand, requestsOf } from '../../src/cli/commands/prove.ts'
import { writeObject } from '../../src/elf/write.ts'
import { qemuArguments } from '../../src/vm/guest/qemu.ts'
import { exercises } from '../../src/vm/guest-contents.ts'
import { kernelWish } from '../../src/vm/plan/subject.ts'
import { isChecked } from '../../src/vm/verdict/coverage.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-options-'))
afterAll(() => rmSync(work, { recursive: true }))

/** The smallest object that says it is a live patch. */
function livePatch(name: string): string {
  const info = `livepatch=Y\0name=${name}\0vermagic=6.1.0-1-amd64 SMP\0`
  const file = path.join(work, `${name}.ko`)
  const modinfo = { name: '.modinfo', type: 1, flags: 2, align: 1, entrySize: 0, data: Buffer.from(info) }
  writeFileSync(file, writeObject({ sections: [{ ...modinfo, relocations: [] }], symbols: [] }))
  return file
}
const module = livePatch('livepatch_new')
const older = livePatch('livepatch_old')
const suite = path.join(work, 'suite.json')
writeFileSync(suite, JSON.stringify([{ module, exercise: false }, { module: older }]))

/** What these arguments ask for. */
async function asked(...args: string[]) {
  let options: ProveOptions | undefined
  let files: readonly string[] = []
  const command = proveCommand().action((named: string[], given: ProveOptions) => {
    files = named
    options = given
  })
  await command.parseAsync(args, { from: 'user' })
  if (options === undefined) throw new Error('nothing was asked for')
  const requests = await requestsOf(files, options)
  const request = requests[0]!
  const machine = machineOf(options)
  const qemu = qemuArguments(
    {
      image: 'image',
      initramfs: 'initramfs',
      accelerator: machine.accelerator === 'kvm' ? 'kvm' : 'tcg',
      cpus: machine.cpus ?? 0,
      memory: machine.memory ?? 0,
      ...(machine.processor === undefined ? {} : { processor: machine.processor }),
      parameters: machine.parameters ?? [],
      consoleFile: '/console',
      timeout: 1,
    },
    false,
  )
  const after = (word: string) => qemu[qemu.indexOf(word) + 1]
  return { options, requests, request, machine, after, wish: kernelWish(request.subject, options) }
}
type Asked = Awaited<ReturnType<typeof asked>>

const check = (pick: 'before' | 'after' | 'reverted') => (all: Asked) => all.request.checks?.[0]?.[pick]?.text

/** Of each option: how it is given, and what it changes. */
const table: Record<string, { args: string[]; shows: (all: Asked) => unknown; value: unknown }> = {
  '--suite': { args: ['--suite', suite], shows: ({ requests }) => requests.length, value: 2 },
  '--kernel': { args: [module, '-k', '6.12'], shows: ({ wish }) => wish.kernel, value: '6.12' },
  '--build-dir': { args: [module, '--build-dir', 'tree'], shows: ({ wish }) => wish.buildDir, value: 'tree' },
  '--over': {
    args: [module, '--over', older],
    shows: ({ request }) => request.over?.map(({ name }) => name).join(),
    value: 'livepatch_old',
  },
  '--run': { args: [module, '--run', 'ls'], shows: (all) => all.request.checks?.[0]?.command, value: 'ls' },
  '--label': {
    args: [module, '--run', 'ls', '--label', 'files'],
    shows: (all) => all.request.checks?.[0]?.label,
    value: 'files',
  },
  '--before': { args: [module, '--run', 'ls', '--before', 'x'], shows: check('before'), value: 'x' },
  '--after': { args: [module, '--run', 'ls', '--after', 'x'], shows: check('after'), value: 'x' },
  '--reverted': { args: [module, '--run', 'ls', '--reverted', 'x'], shows: check('reverted'), value: 'x' },
  '--script': {
    args: [module, '--script', 'x.sh'],
    shows: ({ request }) => isChecked([], request.script),
    value: true,
  },
  '--load': { args: [module, '--load', 'dd'], shows: ({ request }) => request.loads?.join(), value: 'dd' },
  '--exercise': {
    args: [module, '--run', 'ls', '--after', 'x', '--exercise'],
    shows: ({ request }) =>
      request.subject.name === 'livepatch_new' && exercises(request) && isChecked(request.checks ?? [], undefined),
    value: true,
  },
  '--no-exercise': {
    args: [module, '--no-exercise'],
    shows: ({ request }) => !exercises(request),
    value: true,
  },
  '--require-coverage': {
    args: [module, '--require-coverage'],
    shows: ({ request }) => request.requireCoverage,
    value: true,
  },
  '--fs': { args: [module, '--fs', 'xfs'], shows: ({ request }) => request.fileSystem, value: 'xfs' },
  '--modprobe': {
    args: [module, '--modprobe', 'veth', '--modprobe', 'tun'],
    shows: ({ request }) => request.modules?.join(),
    value: 'veth,tun',
  },
  '--program': {
    args: [module, '--program', 'p'],
    shows: ({ request }) => request.programs?.join(),
    value: 'p',
  },
  '--memory': { args: [module, '--memory', '700'], shows: ({ after }) => after('-m'), value: '700M' },
  '--cpus': { args: [module, '--cpus', '5'], shows: ({ after }) => after('-smp'), value: '5' },
  '--processor': {
    args: [module, '--processor', 'Nehalem'],
    shows: ({ after }) => after('-cpu'),
    value: 'Nehalem',
  },
  '--append': {
    args: [module, '--append', 'a=1  b'],
    shows: ({ after }) => after('-append')?.endsWith(' a=1 b'),
    value: true,
  },
  '--timeout': { args: [module, '--timeout', '33'], shows: ({ machine }) => machine.timeout, value: 33 },
  '--accel': { args: [module, '--accel', 'kvm'], shows: ({ after }) => after('-accel'), value: 'kvm' },
  '--expect': {
    args: [module, '--expect', 'a+b'],
    shows: ({ request }) => request.expected?.some((pattern) => pattern.test('aab')),
    value: true,
  },
}

/** What e2e/prove.test.ts shows: files that are written, and how results are printed. */
const shownElsewhere = ['--json', '--quiet', '--verbose', '--junit', '--proof']

describe('an option of inarch prove', () => {
  test.each(Object.entries(table))('%s changes what it says', async (_, { args, shows, value }) => {
    expect(shows(await asked(...args))).toBe(value)
    expect(shows(await asked(module))).not.toBe(value)
  })

  test('is in this table', () => {
    const options = proveCommand().options.map(({ long }) => long)
    expect(options.toSorted()).toEqual([...Object.keys(table), ...shownElsewhere].toSorted())
  })

  test('of a suite holds for each live patch that does not say otherwise', async () => {
    const { requests } = await asked('--suite', suite, '--exercise', '--require-coverage')
    expect(requests.map(({ exercise, requireCoverage }) => [exercise, requireCoverage])).toEqual([
      [false, true],
      [true, true],
    ])
  })
})
