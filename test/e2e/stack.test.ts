// SPDX-License-Identifier: GPL-3.0-or-later
// Live patches upon live patches, on a stock kernel in real virtual machines: one that replaces all
// earlier ones, and one that is stacked on them.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import type { Proof } from '../../src/vm/proof.ts'
import { actionOf } from '../../src/vm/verdict/record.ts'
import { writePatch } from './change.ts'
import { buildCommand, inarch } from './inarch.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-stack-'))
const run = (...args: string[]) => inarch(args, { cwd: work })

/** Each prints its name before the kernel's command line; `second` is made to be stacked. */
const modules = { first: '', second: '', third: '' }

beforeAll(async () => {
  buildCommand()
  const kernel = await selectKernel(job)
  const show = 'seq_puts(m, saved_command_line);'
  for (const name of ['first', 'second', 'third'] as const) {
    const to = `seq_puts(m, "${name} ");\n\t${show}`
    const patch = writePatch(work, name, kernel, 'fs/proc/cmdline.c', show, to)
    const stacked = name === 'second' ? ['--no-replace'] : []
    const { code, stderr } = await run('build', patch, '--kernel', kernel.release, ...stacked)
    expect(code, stderr).toBe(0)
    modules[name] = path.join(work, `livepatch-${name}.ko`)
  }
})
afterAll(() => rmSync(work, { recursive: true }))

/** Runs `inarch prove --json` with a look at the command line. */
async function proof(...args: string[]): Promise<Proof> {
  const { code, stdout, stderr } = await run('prove', '--json', ...args)
  expect(stdout, stderr).not.toBe('')
  const result = JSON.parse(stdout) as Proof
  expect(code, stderr).toBe(result.verdict === 'failed' ? 6 : 0)
  return result
}

const look = ['--run', 'cat /proc/cmdline', '--label', 'the command line']

/** What was seen, in order: a check's first word, any other step's action. */
const story = ({ orders }: Proof) =>
  orders.flatMap(({ steps }) => steps.map(({ id, output }) => output?.text.split(/[ =]/)[0] ?? actionOf(id)))

describe('a live patch over an older one', () => {
  test('on which it is stacked leaves it there, and reverts to it', async () => {
    const result = await proof(
      modules.second,
      '--over',
      modules.first,
      ...look,
      '--before',
      'first',
      '--after',
      'second',
    )
    expect(result.failures).toEqual([])
    expect(result.over).toMatchObject([{ name: 'livepatch_first', outcome: 'kept' }])
    expect(story(result)).toEqual([
      'older.0.load',
      'older.0.transition',
      'first',
      'load',
      'transition',
      'older.0.under.livepatch_second',
      'second',
      'revert',
      'return',
      'unload',
      'first',
      'older.0.revert',
      'older.0.return',
      'older.0.unload',
    ])
  })

  test('replaces a whole stack at once, whose modules can go, and reverts to the bare kernel', async () => {
    const over = ['--over', modules.first, '--over', modules.second]
    const expected = ['--before', 'second', '--after', 'third', '--reverted', '/^console=/']
    const result = await proof(modules.third, ...over, ...look, ...expected)
    expect(result.failures).toEqual([])
    expect(result.over.map(({ outcome }) => outcome)).toEqual(['replaced', 'replaced'])
    expect(story(result).slice(5)).toEqual([
      'second',
      'load',
      'transition',
      'older.1.replaced',
      'older.0.replaced',
      'third',
      'revert',
      'return',
      'unload',
      'console',
    ])
    const check = result.orders[0]?.steps.find(({ id }) => id.endsWith('check.before.0'))
    expect(check).toMatchObject({ title: 'before: the command line', command: 'cat /proc/cmdline' })
    expect(result.replaced).toMatchObject([{ name: 'cmdline_proc_show', active: true }])
  })

  test('that it replaces does not come back, and a proof that says so fails', async () => {
    const expected = ['--after', 'third', '--reverted', 'first']
    const result = await proof(modules.third, '--over', modules.first, ...look, ...expected)
    expect(result.failures.map(({ message }) => message)).toEqual([
      '"reverted: the command line" did not print "first"',
    ])
  })

  test('of the same name is refused', async () => {
    const { code, stderr } = await run('prove', modules.third, '--over', modules.third)
    expect(stderr).toContain('Two of the live patches are called livepatch_third')
    expect(code).toBe(2)
  })

  test('whose manifest is missing is refused, as nobody knows what it replaces', async () => {
    const alone = path.join(work, 'alone.ko')
    copyFileSync(modules.first, alone)
    const { code, stderr } = await run('prove', modules.third, '--over', alone)
    expect(stderr).toContain('Without the manifest of livepatch_first')
    expect(code).toBe(2)
  })
})
