// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables in real units: those of DO_ONCE, of which a function has two of each name, are told apart by the
// source; one that is renamed is asked about.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { buildCommand, inarch } from './inarch.ts'

beforeAll(buildCommand)
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-statics-'))
afterAll(() => rmSync(work, { recursive: true }))

/** What `inarch check` says of a patch. */
async function check(which: string, name: string, patch: string) {
  const file = path.join(work, `${name}.patch`)
  writeFileSync(file, patch)
  const { stdout } = await inarch(['check', '--kernel', which, '--json', file], { cwd: work })
  const { findings, carried } = JSON.parse(stdout)
  return {
    rules: findings
      .filter(({ severity }: { severity: string }) => severity !== 'note')
      .map(({ rule }: { rule: string }) => rule),
    carried: carried.map(({ name: what }: { name: string }) => what.replace(/\.\d+$/, '')).sort(),
  }
}

/** Its tests on the kernel of a suite. */
export function describeStatics(which: string): void {
  describe(`static variables of a unit of ${which}`, () => {
    test('that a macro makes twice keep their state when their lines change places', async () => {
      const kernel = await selectKernel({ signal: new AbortController().signal, journal: silentJournal() }, which)
      const file = 'net/ipv6/inet6_hashtables.c'
      const lines = readFileSync(path.join(kernel.source, file), 'latin1').split('\n')
      const at = lines.findIndex((line) => line.startsWith('\tnet_get_random_once('))
      const [first, second, third] = [lines[at], lines[at + 1], lines[at + 2]]
      const hunk =
        `--- a/${file}\n+++ b/${file}\n@@ -${at + 1},3 +${at + 1},3 @@\n-${first}\n ` +
        `${second}\n+${first}\n ${third}\n`
      expect(await check(which, `swapped-${which}`, hunk)).toEqual({
        // It is in a function that makes hashes, of which the texts don't tell whether the order matters.
        rules: ['placed-otherwise'],
        carried: [],
      })
    })

    test('that are renamed are asked about, and ones that get another type', async () => {
      const patch = readFileSync(path.join(import.meta.dirname, '../cases/static-renamed.patch'), 'utf8')
      const [file, first] = patch.split('\n@@ ')
      const retyped = first!
        .replace('+\tstatic int spin_count', '+\tstatic unsigned int spin_counter')
        .replace(' \tif (!pause_on_oops)', '-\tif (!pause_on_oops)\n+\tif (pause_on_oops <= 0)')
      expect(await check(which, `retyped-${which}`, `${file}\n@@ ${retyped}\n`)).toEqual({
        rules: ['variable-retyped'],
        carried: [],
      })
      const output = path.join(work, which)
      mkdirSync(output)
      const options = ['--kernel', which, '--engine', 'source', '--allow', 'variable-retyped', '--json']
      const built = await inarch(['build', ...options, path.join(work, `retyped-${which}.patch`)], {
        cwd: output,
      })
      expect(built, built.stdout).toMatchObject({ code: 0 })
      // The live patch goes on with what is in the kernel's.
      const directory = readdirSync(output).find((name) => statSync(path.join(output, name)).isDirectory())!
      const source = readFileSync(path.join(output, directory, 'kernel-panic.c'), 'utf8')
      expect(source).toMatch(/extern unsigned int spin_counter LIVEPATCH_SYMBOL\(vmlinux, spin_counter\.\d+, 0\);/)
      expect(await check(which, `renamed-${which}`, patch)).toEqual({
        rules: ['state-lost'],
        carried: ['spin_count'],
      })
    })
  })
}
