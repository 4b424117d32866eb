// SPDX-License-Identifier: GPL-3.0-or-later
// The directory with a live patch's source: what is written can be read again, and what people break is told.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Fault } from '../../../src/ground/fault.ts'
import { renderKbuild } from '../../../src/source/directory/kbuild-text.ts'
import {
  descriptionFile,
  readSourceDirectory,
  renderDescription,
  unitFileName,
  writeSourceDirectory,
} from '../../../src/source/directory/layout.ts'
import type { Plan } from '../../../src/source/directory/plan.ts'
import { renderWrapper } from '../../../src/source/directory/wrapper-text.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-directory-'))
afterAll(() => rmSync(work, { recursive: true }))

const description = {
  name: 'fix',
  kernel: { release: '6.1.0-56-cloud-amd64', version: '6.1.192-2' },
  patches: [{ file: 'fix.patch', sha256: 'a'.repeat(64) }],
  units: [{ file: 'fs-ext4-mballoc.c', source: 'fs/ext4/mballoc.c' }],
  headers: ['fs/ext4/ext4.h'],
}

async function refusal(text: string): Promise<string> {
  writeFileSync(path.join(work, descriptionFile), text)
  try {
    await readSourceDirectory(work)
  } catch (error) {
    if (error instanceof Fault) return `${error.kind}/${error.code} ${error.message}`
    throw error
  }
  return 'none'
}

const changed = (more: object) => JSON.stringify({ format: 'inarch-source-1', ...description, ...more })

test('what is written can be read again, byte by byte', async () => {
  const dir = path.join(work, 'livepatch-fix')
  await writeSourceDirectory(dir, [
    { path: descriptionFile, text: renderDescription(description) },
    { path: 'headers/fs/ext4/ext4.h', text: '/* \xe9 */\n' },
  ])
  expect(await readSourceDirectory(dir)).toEqual({ format: 'inarch-source-1', ...description, dir })
  expect(readFileSync(path.join(dir, 'headers/fs/ext4/ext4.h'))).toEqual(Buffer.from('/* \xe9 */\n', 'latin1'))
})

test('the file of a unit is named after it', () => {
  expect(unitFileName('fs/ext4/mballoc.c')).toBe('fs-ext4-mballoc.c')
})

describe('a description', () => {
  test.each([
    ['is not JSON', '{', 'it is not JSON'],
    ['is of another format', changed({ format: 'x' }), 'format'],
    ['has a word that nobody knows', changed({ replace: true }), 'replace'],
    ['leaves the kernel’s tree', changed({ units: [{ file: 'a.c', source: '../../etc/passwd.c' }] }), 'units.0.source'],
    ['leaves the directory', changed({ units: [{ file: '../a.c', source: 'fs/a.c' }] }), 'units.0.file'],
    ['names a header outside the tree', changed({ headers: ['/etc/passwd'] }), 'headers.0'],
    [
      'has one file for two units',
      changed({ units: ['fs/a.c', 'fs/b.c'].map((source) => ({ file: 'a.c', source })) }),
      'a.c can',
    ],
    [
      'takes the wrapper for a unit',
      changed({ units: [{ file: 'livepatch.c', source: 'fs/a.c' }] }),
      'livepatch.c can',
    ],
  ])('that %s is refused', async (_, text, why) => {
    const said = await refusal(text)
    expect(said).toMatch(/^usage\/bad-source-directory /)
    expect(said).toContain(`: ${why}`)
  })

  test('that is missing is told', async () => {
    await expect(readSourceDirectory(os.tmpdir())).rejects.toMatchObject({ code: 'not-a-source-directory' })
  })
})

const plan: Plan = {
  name: 'fix',
  description: 'a "fix" \\ of it all */ int evil; /*',
  title: 'fix it */ int evil; /* now',
  kernel: description.kernel,
  patches: [{ file: 'a*/b\n.patch', sha256: 'a'.repeat(64) }],
  objects: [
    {
      name: 'vmlinux',
      functions: [],
      callbacks: [{ kind: 'pre_patch', name: 'livepatch_begin' }],
    },
    {
      name: 'nf-tables',
      functions: [
        {
          oldName: 'f',
          replacement: 'livepatch_f',
          position: 2,
          unit: 'net/f.c',
          reasons: ['its body changes'],
        },
      ],
      callbacks: [],
    },
  ],
  states: [{ name: 'a state', id: 7, version: 1 }],
  model: 'kernel',
  replace: true,
  units: [{ file: 'net-f.c', source: 'net/f.c' }],
}

test('the wrapper has the tables, and nothing of a comment gets out of it', () => {
  const text = renderWrapper(plan)
  expect(text).toContain('.old_name = "f",\n\t\t.new_func = livepatch_f,\n\t\t.old_sympos = 2,')
  expect(text).toContain('.name = "nf-tables",')
  expect(text).toContain('int livepatch_begin(struct klp_object *object);')
  expect(text).toContain('.pre_patch = livepatch_begin,')
  expect(text).toContain('{ .id = 7, .version = 1 },')
  expect(text).toContain('MODULE_DESCRIPTION("a \\"fix\\" \\\\ of it all */ int evil; /*");')
  const comment = text.slice(0, text.indexOf('#include'))
  expect(comment.split('*/').length).toBe(2)
  expect(comment).toContain('f() of net/f.c, module nf-tables: its body changes')
})

test.each(['8021q', '9p', 'nf-tables', 'vmlinux', 'x86_pkg_temp_thermal'])(
  'the list of functions of %s has a name that C takes',
  (name) => {
    const text = renderWrapper({ ...plan, objects: [{ ...plan.objects[1]!, name }] })
    const list = /^static struct klp_func (\S+)\[\] = \{$/m.exec(text)?.[1]
    expect(list).toMatch(/^[A-Za-z_]\w*$/)
    expect(text).toContain(`.funcs = ${list},`)
  },
)

test('kbuild is told which files there are and where their headers lie', () => {
  const text = renderKbuild(plan, false)
  expect(text).toContain('livepatch-fix-y := livepatch.o net-f.o')
  expect(text).toContain('CFLAGS_net-f.o := -iquote $(srctree)/net')
})
