// SPDX-License-Identifier: GPL-3.0-or-later
// One C file of which the kernel has several copies, each in an object of its own: every one is compared and replaced.
// And what a live patch of a module does not bring, though it stands in the same file: the module's information.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { writePatch } from './change.ts'
import { buildCommand, inarch } from './inarch.ts'

beforeAll(buildCommand)
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-several-'))
afterAll(() => rmSync(work, { recursive: true }))

/** Builds a live patch: what it replaces, as `object unit function`, and what is told. */
async function build(kernel: Kernel, ...patches: string[]) {
  const output = mkdtempSync(path.join(work, 'out-'))
  const args = ['build', '--kernel', kernel.release, '--output', output, '--name', 'several', ...patches]
  const { code, stderr } = await inarch(args, { cwd: work })
  expect(stderr).not.toContain('error')
  expect(code).toBe(0)
  const { objects, findings } = JSON.parse(readFileSync(path.join(output, 'livepatch-several.json'), 'utf8'))
  type Objects = { name: string; functions: { name: string; unit: string }[] }[]
  return {
    replaced: (objects as Objects)
      .flatMap((object) => object.functions.map((one) => `${object.name} ${one.unit} ${one.name}`))
      .sort(),
    findings: findings as { rule: string; severity: string; message: string }[],
  }
}

const caseOf = (name: string) => path.join(import.meta.dirname, `../cases/${name}.patch`)

/** Its tests on the kernel of a suite. */
export function describeSeveralObjects(suite: string): void {
  describe(`the kernel of ${suite}`, () => {
    let kernel: Kernel
    beforeAll(async () => {
      kernel = await selectKernel({ signal: new AbortController().signal, journal: silentJournal() }, suite)
    })

    test('a file that another one includes in the same image is replaced in both', async () => {
      const patch =
        suite === 'bookworm'
          ? caseOf('binfmt-in-two-objects')
          : writePatch(
              work,
              'core-in-two-objects',
              kernel,
              'fs/binfmt_elf.c',
              'static int elf_core_dump(struct coredump_params *cprm)\n{\n\tint has_dumped = 0;\n',
              'static int elf_core_dump(struct coredump_params *cprm)\n{\n\tint has_dumped = cprm->limit == 0xa9e7c;\n',
            )
      const name = suite === 'bookworm' ? 'load_elf_binary' : 'elf_core_dump'
      expect((await build(kernel, patch)).replaced).toEqual([
        `vmlinux fs/binfmt_elf.c ${name}`,
        `vmlinux fs/compat_binfmt_elf.c ${name}`,
      ])
    })

    test('a file that two modules include is replaced in both', async () => {
      const patch = writePatch(
        work,
        `raid-in-two-modules-${suite}`,
        kernel,
        'drivers/md/raid1-10.c',
        'static void rbio_pool_free(void *rbio, void *data)\n{\n',
        'static void rbio_pool_free(void *rbio, void *data)\n{\n\tif (!rbio)\n\t\tpr_warn_once("md: ' +
          'nothing to give back\\n");\n',
      )
      const { replaced } = await build(kernel, patch)
      expect(replaced).toContain('raid1 drivers/md/raid1.c rbio_pool_free')
      expect(replaced).toContain('raid10 drivers/md/raid10.c rbio_pool_free')
    })

    test('an alias and a dependency that are added to a module are noted, and the rest is built', async () => {
      const last = 'MODULE_ALIAS_RTNL_LINK(DRV_NAME);\n'
      const dummy = 'drivers/net/dummy.c'
      const own = () => [
        writePatch(work, 'mtu', kernel, dummy, 'dev->min_mtu = 0;', 'dev->min_mtu = 1;'),
        writePatch(work, 'info', kernel, dummy, last, `${last}MODULE_ALIAS("old-dummy");\nMODULE_FIRMWARE("d.fw");\n`),
      ]
      const patches = suite === 'bookworm' ? [caseOf('module-alias')] : own()
      const { replaced, findings } = await build(kernel, ...patches)
      expect(replaced).toEqual(['dummy drivers/net/dummy.c dummy_setup'])
      const notes = findings.filter(({ rule }) => rule === 'module-info')
      expect(notes).toMatchObject([{ severity: 'note' }])
      const added =
        suite === 'bookworm' ? ['alias=agentc-dummy', 'softdep=pre: veth'] : ['alias=old-dummy', 'firmware=d.fw']
      for (const entry of added) expect(notes[0]?.message).toContain(entry)
    })
  })
}
