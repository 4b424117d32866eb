// SPDX-License-Identifier: GPL-3.0-or-later
// The call graph that is kept beside a kernel: read from the code once, and again only when the code is another.
import { copyFileSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { openCallGraph } from '../../src/calls/kept-calls.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { linkedKernel } from './linked-kernel.ts'

const kernelOf = (last: string) =>
  linkedKernel(`
void __fentry__(void) { }
__attribute__((noinline)) int leaf(int x) { asm volatile(""); return x + 1; }
__attribute__((noinline)) int other(int x) { asm volatile(""); return x + 2; }
int caller(int x) { asm volatile(""); return ${last}(x) + 3; }`)

let kernel: Kernel
let kept: string
beforeEach(() => {
  kernel = kernelOf('leaf')
  kept = path.join(kernel.dir, 'calls')
})

/** Who calls a function, and whether the code had to be read for it. */
async function callers(name: string): Promise<{ by: string[]; wasRead: boolean }> {
  const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
  const graph = await openCallGraph(job, kernel)
  return {
    by: [...graph.callers(graph.named(name)[0]!)].map(graph.name),
    wasRead: job.journal.timings.length > 0,
  }
}

test('is read from the code once, and is the same from then on', async () => {
  expect(await callers('leaf')).toEqual({ by: ['caller'], wasRead: true })
  expect(await callers('leaf')).toEqual({ by: ['caller'], wasRead: false })
})

test('is read anew when the kernel was built again', async () => {
  await callers('leaf')
  const next = kernelOf('other')
  copyFileSync(next.vmlinux, kernel.vmlinux)
  copyFileSync(next.systemMap, kernel.systemMap)
  utimesSync(kernel.vmlinux, 1, 1)
  expect(await callers('other')).toEqual({ by: ['caller'], wasRead: true })
})

test.each([
  ['cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
  ['empty', () => Buffer.alloc(0)],
  ['of another format', (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replace('calls-', 'calls+'), 'latin1')],
  [
    'with lengths that are none',
    (bytes: Buffer) =>
      Buffer.from(
        bytes.toString('latin1').replace(/\d+ \d+ /, (text) => '9'.repeat(text.length - 1).padEnd(text.length)),
        'latin1',
      ),
  ],
])('is made again when what is kept is %s', async (_what, spoil) => {
  await callers('leaf')
  writeFileSync(kept, spoil(readFileSync(kept)))
  expect(await callers('leaf')).toEqual({ by: ['caller'], wasRead: true })
  expect(await callers('leaf')).toEqual({ by: ['caller'], wasRead: false })
})
