// SPDX-License-Identifier: GPL-3.0-or-later
// Every suite's kernels in every flavour that Debian builds, from the archive to the reverted live patch. It takes
// more than an hour and 18 GB: `npm run test:flavours`, or a part: `npm run test:flavours -- -t 'trixie 6.12 rt'`.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examplesDirectory, readExamples } from '../../src/demo/example.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { parseConfig } from '../../src/kernel/config.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { listKernels } from '../../src/kernel/list.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import { readPatches } from '../../src/patch/read.ts'
import { parseExpectation } from '../../src/vm/plan/check.ts'
import type { MachineRequest, ProofRequest } from '../../src/vm/plan/request.ts'
import { readSubject } from '../../src/vm/plan/subject.ts'
import { proveMany } from '../../src/vm/proof.ts'
import { identityOf } from '../e2e/identity.ts'
import { buildPeek, callTargets } from './peek.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-flavours-'))
afterAll(() => rmSync(work, { recursive: true }))

/** Real-time kernels switch between tasks much more often, which costs without hardware support. */
const machine: MachineRequest = { timeout: 900 }

const units = [
  'arch/x86/mm/fault.c',
  'drivers/block/virtio_blk.c',
  'drivers/net/dummy.c',
  'drivers/net/tun.c',
  'fs/btrfs/inode.c',
  'fs/ext4/inode.c',
  'fs/ext4/mballoc.c',
  'fs/namei.c',
  'fs/xfs/xfs_log.c',
  'kernel/fork.c',
  'kernel/printk/printk.c',
  'kernel/sched/core.c',
  'kernel/softirq.c',
  'kernel/time/hrtimer.c',
  'mm/page_alloc.c',
  'net/core/sock.c',
  'net/ipv4/tcp.c',
]

/** Builds an example and says how its effect is seen. */
async function exampleRequest(kernel: Kernel, name: string): Promise<ProofRequest> {
  const example = readExamples().find((one) => one.name === name)!
  const { module } = await makeLivePatch(job, kernel, {
    patches: await readPatches([path.join(examplesDirectory(), example.patch)]),
    name,
    replace: true,
    output: mkdtempSync(path.join(work, 'example-')),
  })
  const { run, before, after } = example.check
  return {
    subject: await readSubject(module),
    checks: [{ command: run, before: parseExpectation(before), after: parseExpectation(after) }],
    ...(example.fs === undefined ? {} : { fileSystem: example.fs }),
    ...(example.load === undefined ? {} : { loads: example.load }),
  }
}

/** A live patch that replaces functions of a unit by their identical copies. */
async function copies(kernel: Kernel, source: string, wanted?: (name: string) => boolean): Promise<ProofRequest> {
  const { module, manifest, wrong, replaced } = await identityOf(job, kernel, source, wanted)
  expect([wrong, replaced > 0]).toEqual([[], true])
  const file = path.join(mkdtempSync(path.join(work, 'copies-')), `livepatch-${manifest.name}.ko`)
  writeFileSync(file, module!)
  writeFileSync(file.replace(/ko$/, 'json'), JSON.stringify(manifest))
  return { subject: await readSubject(file), exercise: false }
}

async function expectProven(
  kernel: Kernel,
  requests: readonly ProofRequest[],
  more: MachineRequest = {},
): Promise<void> {
  const proofs = await proveMany(job, kernel, requests, { ...machine, ...more })
  expect(proofs.map(({ module, failures }) => [module.name, failures])).toEqual(
    requests.map(({ subject }) => [subject.name, []]),
  )
}

/** The newest kernel of a suite in a series and a flavour, whatever Debian this machine runs. */
async function newest(suite: string, series: string | undefined, flavour: string): Promise<Kernel> {
  const listed = await listKernels(job, { suite, series })
  const found = listed.find((one) => one.flavour === flavour && one.distribution === suite)
  if (found === undefined) throw new Error(`${suite} has no kernel ${series ?? ''} of the flavour ${flavour}`)
  return selectKernel(job, found.release)
}

describe.each([
  ['bookworm', '6.1', 'cloud-amd64'],
  ['bookworm', '6.1', 'amd64'],
  ['bookworm', '6.1', 'rt-amd64'],
  ['bookworm', '6.12', 'cloud-amd64'],
  ['trixie', '6.12', 'cloud-amd64'],
  ['trixie', '6.12', 'amd64'],
  ['trixie', '6.12', 'rt-amd64'],
  ['forky', undefined, 'cloud-amd64'],
  ['forky', undefined, 'amd64'],
])('%s %s %s', (suite, series, flavour) => {
  let kernel: Kernel
  beforeAll(async () => {
    kernel = await newest(suite, series, flavour)
  })

  test('is fetched with the source that it was built from', () => {
    expect([kernel.flavour, kernel.series]).toEqual([flavour, series ?? kernel.series])
    const config = parseConfig(readFileSync(kernel.config, 'utf8'))
    expect(config.has('PREEMPT_RT')).toBe(flavour.startsWith('rt-'))
    if (config.has('PREEMPT_RT'))
      expect(readFileSync(path.join(kernel.source, 'localversion-rt'), 'utf8')).toMatch(/^-rt\d+$/m)
  })

  test('runs the code that its source compiles to, and copies of it lead where it leads', async () => {
    let functions = 0
    for (const source of units) {
      const { wrong, findings, replaced } = await identityOf(job, kernel, source)
      const errors = findings.filter(({ severity }) => severity === 'error')
      expect([source, wrong, errors]).toEqual([source, [], []])
      functions += replaced
    }
    expect(functions).toBeGreaterThan(1000)
  })

  test('takes live patches of the kernel proper and of modules', async () => {
    // Every path that anything opens goes through these.
    const paths = /^(link_path_walk|walk_component|path_lookupat|path_openat|lookup_fast|step_into)\b/
    await expectProven(kernel, [
      await exampleRequest(kernel, 'meminfo'),
      await exampleRequest(kernel, 'dummy-count-drops'),
      await copies(kernel, 'fs/namei.c', (name) => paths.test(name)),
      await copies(kernel, 'drivers/net/dummy.c'),
    ])
  })
})

test('ext4 is patched as a module where it is one (Debian 12, generic)', async ({ skip }) => {
  const name = 'ext4-mballoc-null-folio'
  const { version } = readExamples().find((example) => example.name === name)!.kernel!
  const kernels = await listKernels(job)
  const found = kernels.find((kernel) => kernel.version === version && kernel.flavour === 'amd64')
  if (found === undefined) return skip(`the archive no longer has ${version}`)
  const kernel = await selectKernel(job, found.release)
  await expectProven(kernel, [await exampleRequest(kernel, name)])
})

describe.each(['trixie', 'trixie-amd64'])('%s with call depth tracking', (wish) => {
  // Only the kernels for processors that need it do it: Skylake is one.
  const tracked: MachineRequest = {
    processor: 'Skylake-Server,-hle,-rtm',
    parameters: ['spectre_v2=retpoline', 'retbleed=stuff'],
    accelerator: 'tcg',
  }

  test('calls of a live patch are counted as all others are', async () => {
    const kernel = await selectKernel(job, wish)
    const meminfo = await exampleRequest(kernel, 'meminfo')
    const { calls, command } = callTargets(meminfo.subject, 'meminfo_proc_show')
    expect(calls).toBeGreaterThan(20)
    // arch/x86/kernel/callthunks.c: sarq $5, %gs:…, in the padding in front of the called function.
    const counting = "'^65 48 c1 3'"
    const state = { before: parseExpectation('Stuffing'), after: parseExpectation('Stuffing') }
    await expectProven(
      kernel,
      [
        {
          ...meminfo,
          programs: [buildPeek(work)],
          checks: [
            ...meminfo.checks!,
            { command: 'cat /sys/devices/system/cpu/vulnerabilities/retbleed', ...state },
            {
              command:
                `${command} >/tmp/led; grep -v ${counting} /tmp/led; echo counted=$(grep -c ${counting} ` + '/tmp/led)',
              after: parseExpectation(`/^counted=${calls}$/`),
            },
          ],
        },
        await exampleRequest(kernel, 'dummy-count-drops'),
        await copies(kernel, 'drivers/net/dummy.c'),
      ],
      tracked,
    )
  })
})
