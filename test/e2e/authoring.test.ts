// SPDX-License-Identifier: GPL-3.0-or-later
// The worked examples of the guide for patch authors, and patches written the way of kpatch: each is built
// unchanged for both series, and its effect is seen in one boot of each.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import type { Made } from '../../src/module/made.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import { readPatches } from '../../src/patch/read.ts'
import { type Check, parseExpectation } from '../../src/vm/check.ts'
import { proveMany } from '../../src/vm/proof.ts'
import { readSubject } from '../../src/vm/subject.ts'
import { root } from './inarch.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-authoring-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

interface Seen {
  readonly patch: string
  /** The live patch that it takes over from. */
  readonly over?: string
  readonly run: string
  readonly before: string
  readonly after: string
  /** If not the same as before. */
  readonly reverted?: string
  /** What the manifest says of callbacks: `kind function object`. */
  readonly callbacks: readonly string[]
  /** Names of the functions that are replaced; when it is left out, any. */
  readonly functions?: readonly string[]
  /** Rules of the findings. */
  readonly findings?: readonly string[]
}

const fifos = 'cat /proc/sys/fs/protected_fifos'
const seen: readonly Seen[] = [
  {
    patch: 'examples/authoring/callback.patch',
    run: fifos,
    before: '/^0$/m',
    after: '/^1$/m',
    callbacks: ['post_unpatch unprotect_fifos vmlinux', 'pre_patch protect_fifos vmlinux'],
    functions: [],
  },
  {
    patch: 'examples/authoring/state-2.patch',
    over: 'examples/authoring/state-1.patch',
    run: fifos,
    before: '/^1$/m',
    after: '/^2$/m',
    // What was there before the first of the two, not what the first one had made of it.
    reverted: '/^0$/m',
    callbacks: ['post_unpatch unprotect_fifos vmlinux', 'pre_patch protect_fifos vmlinux'],
    functions: [],
  },
  {
    patch: 'examples/authoring/module.patch',
    run: 'modprobe dummy; cat /sys/class/net/dummy0/mtu; ip link add d1 type dummy; cat /sys/class/net/d1/mtu; ip link del d1',
    before: '/^1500\n1500$/m',
    after: '/^9000\n9000$/m',
    callbacks: ['post_patch enlarge_all dummy', 'pre_unpatch shrink_all dummy'],
    functions: ['dummy_setup'],
  },
  {
    patch: 'examples/authoring/shadow.patch',
    run: 'exec 3</bin/busybox; for i in 1 2 3; do dd bs=1 skip=1 count=1 <&3 >/dev/null 2>&1; done; grep seeks /proc/$$/fdinfo/3 || echo not counted',
    before: 'not counted',
    after: '/^seeks:\t3$/m',
    callbacks: ['post_unpatch forget_seeks vmlinux'],
  },
  {
    patch: 'examples/authoring/ignore.patch',
    run: 'cat /proc/version',
    before: '/^Linux version .*\n$/',
    after: '/^Linux version .*\nLive patched by Inarch\n$/',
    callbacks: [],
    functions: ['version_proc_show'],
    findings: ['ignored'],
  },
  {
    patch: 'examples/authoring/include.patch',
    run: 'sleep 1000 & sleep 1; cut -d" " -f3 /proc/$!/stat; grep State /proc/$!/status; kill $!',
    before: '/^S\nState:\tS \\(sleeping\\)$/m',
    after: '/^S\nState:\tS \\(asleep\\)$/m',
    callbacks: [],
    functions: ['children_seq_show', 'do_task_stat', 'proc_pid_status'],
  },
  {
    patch: 'test/e2e/kpatch/fifos.patch',
    run: fifos,
    before: '/^0$/m',
    after: '/^1$/m',
    callbacks: ['post_unpatch kpatch_post_unpatch_fifos vmlinux', 'pre_patch kpatch_pre_patch_fifos vmlinux'],
    functions: [],
  },
  {
    patch: 'test/e2e/kpatch/sethostname.patch',
    run: 'hostname localhost && echo taken || echo refused; hostname box; hostname',
    before: '/^taken\nbox$/m',
    after: '/^refused\nbox$/m',
    callbacks: [],
    functions: ['__ia32_sys_sethostname', '__x64_sys_sethostname'],
  },
  {
    patch: 'test/e2e/kpatch/version.patch',
    run: 'dmesg -c >/dev/null; cat /proc/version; dmesg | grep -c "kpatch: version was read"',
    before: '/^Linux version .*\n0$/m',
    after: '/^Linux version .*\nstolen \\d+\n1$/m',
    callbacks: [],
    functions: ['version_proc_show'],
    findings: ['force-unsafe', 'ignored'],
  },
]

test('every example of the guide and every patch for kpatch is tried', () => {
  const tried = new Set(seen.flatMap(({ patch, over }) => (over === undefined ? [patch] : [over, patch])))
  for (const dir of ['examples/authoring', 'test/e2e/kpatch'])
    for (const name of readdirSync(path.join(root, dir))) expect(tried).toContain(`${dir}/${name}`)
})

test('the guide shows the examples as they are', () => {
  const guide = readFileSync(path.join(root, 'docs/authoring.md'), 'utf8')
  const shown = [...guide.matchAll(/<!-- from \.\.\/(\S+) -->\n```c\n(.*?)```/gs)]
  for (const [, name = '', code = ''] of shown) {
    const added = readFileSync(path.join(root, name), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('+'))
      .map((line) => line.slice(1))
      .join('\n')
    expect(added, name).toContain(code.trimEnd())
  }
  expect(shown.length).toBeGreaterThan(5)
  for (const name of readdirSync(path.join(root, 'examples/authoring')))
    expect(guide).toContain(`(../examples/authoring/${name})`)
})

describe.each(['6.1', '6.12'])('Linux %s', (series) => {
  test('each does what it is made for', async () => {
    const kernel = await selectKernel(job, series)
    const output = path.join(work, series)
    mkdirSync(output, { recursive: true })
    const build = async (patch: string): Promise<Made> =>
      await makeLivePatch(job, kernel, {
        patches: await readPatches([path.join(root, patch)]),
        name: patch.replace(/^.*?(\w+)\/([\w-]+)\.patch$/, '$1-$2'),
        replace: true,
        output,
      })
    const requests = []
    for (const { patch, over, run, before, after, reverted, callbacks, functions, findings = [] } of seen) {
      const { module, manifest } = await build(patch)
      const told = manifest.objects.flatMap((object) =>
        object.callbacks.map(({ kind, name }) => `${kind} ${name} ${object.name}`),
      )
      expect(told.sort(), patch).toEqual(callbacks)
      const replaced = manifest.objects.flatMap((object) => object.functions.map(({ name }) => name))
      if (functions !== undefined) expect(replaced.sort(), patch).toEqual(functions)
      expect([...new Set(manifest.findings.map(({ rule }) => rule))].sort(), patch).toEqual(findings)
      const check: Check = {
        command: run,
        before: parseExpectation(before),
        after: parseExpectation(after),
        ...(reverted === undefined ? {} : { reverted: parseExpectation(reverted) }),
      }
      requests.push({
        subject: await readSubject(module),
        ...(over === undefined ? {} : { over: [await readSubject((await build(over)).module)] }),
        checks: [check],
      })
    }
    const proofs = await proveMany(job, kernel, requests, { timeout: 600 })
    expect(proofs.map(({ module, failures }) => [module.name, failures])).toEqual(
      proofs.map(({ module }) => [module.name, []]),
    )
    expect(proofs.map(({ notes }) => notes)).toEqual(proofs.map(() => []))
    const states = JSON.parse(readFileSync(path.join(output, 'livepatch-authoring-state-2.json'), 'utf8'))
    expect(states.states).toEqual([{ name: 'protected_fifos', id: 4711, version: 2, unit: 'fs/namei.c' }])
  }, 700_000)
})
