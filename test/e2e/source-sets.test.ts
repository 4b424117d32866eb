// SPDX-License-Identifier: GPL-3.0-or-later
// On the real kernel: what must be replaced is found from the source alone as it is from the objects. A macro of a
// header, a system call, a function that the compiler gave other arguments, and a struct that grows.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compilePairs } from '../../src/build/compile.ts'
import { rootsOf } from '../../src/extract/roots.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { withScratch } from '../../src/ground/scratch.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { applyPatches } from '../../src/patch/apply.ts'
import { readPatches } from '../../src/patch/read.ts'
import type { SourceChange } from '../../src/source/change/source-change.ts'
import { findSourceChanges } from '../../src/source/change/unit-change.ts'
import { compareUnit } from '../../src/source/change/unit-comparison.ts'
import { writePatch } from './change.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-sets-'))
afterAll(() => rmSync(dir, { recursive: true }))

let kernel: Kernel
beforeAll(async () => {
  kernel = await selectKernel(job)
})

async function changesOf(...edits: readonly [file: string, from: string, to: string][]): Promise<SourceChange[]> {
  const files = edits.map(([file, from, to], i) => writePatch(dir, `edit-${i}`, kernel, file, from, to))
  return await withScratch(async (scratch) => {
    const { changes } = await applyPatches(kernel.source, await readPatches(files))
    const { pairs, bench } = await compilePairs(job, kernel, changes, scratch)
    const units = await Promise.all(pairs.map((pair) => compareUnit(job, bench, bench!.known, pair)))
    return await findSourceChanges(job, bench, units)
  })
}

const fromSource = ({ functions }: SourceChange) => functions.map(({ symbol }) => symbol)
const fromObjects = ({ compared }: SourceChange) =>
  rootsOf(compared)
    .replaced.map(({ before }) => before.name)
    .sort()

test('a macro of a header, and the body of a system call', async () => {
  const changes = await changesOf(
    ['fs/proc/internal.h', '#define PROC_NUMBUF 13', '#define PROC_NUMBUF 21'],
    ['fs/proc/internal.h', 'struct pde_opener {', 'struct pde_opener {\n\tlong inarch_first;'],
    [
      'kernel/sys.c',
      '\tmemcpy(&tmp, utsname(), sizeof(tmp));\n',
      "\tmemcpy(&tmp, utsname(), sizeof(tmp));\n\ttmp.version[0] = '@';\n",
    ],
  )
  expect(changes.map(fromSource)).toEqual(changes.map(fromObjects))
  const all = changes.flatMap(({ functions }) => functions)
  const reasonOf = (name: string) => all.find((one) => one.name === name)?.reasons
  expect(reasonOf('oom_adj_read')).toEqual(['it uses the macro PROC_NUMBUF of fs/proc/internal.h, which changes'])
  expect(reasonOf('close_pdeo')).toEqual(['it uses struct pde_opener, whose declaration changes'])
  expect(reasonOf('__x64_sys_newuname')?.join()).toContain('__do_sys_newuname')
})

test('a function that the compiler gave other arguments is replaced with those that call it', async () => {
  const [change] = await changesOf([
    'kernel/seccomp.c',
    '\t\tif (!(actions_logged & cur->log))\n\t\t\tcontinue;\n',
    '\t\tif (!(actions_logged & cur->log) || cur->log == SECCOMP_LOG_TRACE)\n\t\t\tcontinue;\n',
  ])
  expect(change?.changed).toEqual(['seccomp_names_from_actions_logged'])
  expect([...change!.embedded.keys()].sort()).toEqual(fromObjects(change!))
  expect(fromSource(change!)).toEqual(['audit_actions_logged', 'read_actions_logged'])
})

test('a unit is compared once, and its source is looked at with that comparison', async () => {
  const file = writePatch(dir, 'once', kernel, 'fs/proc/uptime.c', 'NSEC_PER_SEC / 100', 'NSEC_PER_SEC / 10')
  await withScratch(async (scratch) => {
    const { changes } = await applyPatches(kernel.source, await readPatches([file]))
    const { bench, pairs } = await compilePairs(job, kernel, changes, scratch)
    const unit = await compareUnit(job, bench, bench!.known, pairs[0]!)
    expect(unit.change.changed.map(({ before }) => before.name)).toEqual(['uptime_proc_show'])
    const [bySource] = await findSourceChanges(job, bench, [unit])
    expect(bySource?.compared).toBe(unit.change)
  })
})
