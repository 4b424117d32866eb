// SPDX-License-Identifier: GPL-3.0-or-later
// A header that thousands of units include.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import { readPatches } from '../../src/patch/read.ts'
import { writePatch } from '../e2e/change.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-headers-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('an inline function changes in a header of thousands of units: the few that use it are compiled', async () => {
  const kernel = await selectKernel(job)
  const patch = writePatch(
    dir,
    'acceptq',
    kernel,
    'include/net/sock.h',
    'return READ_ONCE(sk->sk_ack_backlog) > READ_ONCE(sk->sk_max_ack_backlog);',
    'return READ_ONCE(sk->sk_ack_backlog) >= READ_ONCE(sk->sk_max_ack_backlog);',
  )
  const { manifest } = await makeLivePatch(job, kernel, {
    patches: await readPatches([patch]),
    replace: true,
    output: dir,
  })
  expect(manifest.units?.considered).toBeGreaterThan(1000)
  expect(manifest.units?.compiled).toBeLessThan(30)
  expect(manifest.units?.changed).toBeGreaterThan(3)
  const replaced = manifest.objects.flatMap(({ name, functions }) => functions.map((one) => `${name}:${one.name}`))
  expect(replaced).toEqual(expect.arrayContaining(['vmlinux:tcp_conn_request', 'sctp:sctp_sf_do_5_1D_ce']))
  expect(manifest.objects.length).toBeGreaterThan(1)
})
