// SPDX-License-Identifier: GPL-3.0-or-later
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Fault } from '../../../src/ground/fault.ts'
import { kernelWish, readSubject } from '../../../src/vm/plan/subject.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-subject-'))
afterAll(() => rmSync(work, { recursive: true }))

/** Tables as include/linux/livepatch.h has them: `f` of vmlinux, and the second `g` of a module called some-fs. */
const tables = [
  '.section .data.livepatch,"aw"',
  'patch: .quad __this_module, objects, 0, 0',
  'objects: .quad 0, vmlinux, 0, 0, some_name, some, 0, 0, 0, 0, 0, 0',
  'vmlinux: .quad f_name, f, 0, 0, 0, 0, 0, 0',
  'some: .quad g_name, f, 2, 0, 0, 0, 0, 0',
  '.section .rodata,"a"',
  'f_name: .asciz "f"',
  'g_name: .asciz "g"',
  'some_name: .asciz "some-fs"',
  '.text',
  'f: ret',
]

/** Compiles an object with these tables and .modinfo strings and further sections. */
function compile(name: string, modinfo: readonly string[], sections: readonly string[] = []): string {
  const file = path.join(work, name)
  const source = [
    ...tables,
    '.section .modinfo,"a"',
    ...modinfo.map((text) => `.asciz ${JSON.stringify(text)}`),
    ...sections.map((section) => `.section ${section},"a"\n.quad 0`),
  ].join('\n')
  execFileSync('as', ['-o', file, '-'], { input: `${source}\n` })
  return file
}

const info = ['livepatch=Y', 'name=livepatch_fix', 'vermagic=6.1.0-1-amd64 SMP preempt mod_unload modversions ']

async function refusal(work: Promise<unknown>): Promise<Fault> {
  try {
    await work
  } catch (error) {
    return error as Fault
  }
  throw new Error('it was not refused')
}

let good: string
beforeAll(() => {
  good = compile('livepatch-fix.ko', info)
})

function withManifest(name: string, change: object): string {
  const file = compile(name, info)
  const manifest = {
    format: 'inarch-manifest-1',
    name: 'fix',
    module: 'livepatch_fix',
    description: 'a fix',
    tool: { name: 'inarch', version: '0.1.0' },
    kernel: { release: '6.1.0-1-amd64', version: '6.1.1-1', origin: 'debian', compiler: 'gcc' },
    replace: true,
    inputs: [],
    sha256: createHash('sha256').update(readFileSync(file)).digest('hex'),
    objects: [
      { name: 'vmlinux', functions: [{ name: 'f', sympos: 0, unit: 'fs/x.c', reasons: [] }] },
      { name: 'some_fs', functions: [{ name: 'g', sympos: 2, unit: 'fs/some/x.c', reasons: [] }] },
    ],
    carried: [],
    findings: [],
    timings: [],
    ...change,
  }
  writeFileSync(file.replace(/\.ko$/, '.json'), JSON.stringify(manifest))
  return file
}

describe('a live patch to prove', () => {
  test('without a manifest is known by its own sections', async () => {
    const file = compile('livepatch-alone.ko', info, ['.klp.rela.ext4..text.f', '.klp.rela.vmlinux..text.g'])
    expect(await readSubject(file)).toMatchObject({
      name: 'livepatch_fix',
      release: '6.1.0-1-amd64',
      origin: 'unknown',
      targets: ['some_fs', 'ext4'],
      listed: [
        { object: 'vmlinux', name: 'f', sympos: 0 },
        { object: 'some_fs', name: 'g', sympos: 2 },
      ],
    })
  })

  test('with a manifest is known by it', async () => {
    expect(await readSubject(withManifest('livepatch-known.ko', {}))).toMatchObject({
      name: 'livepatch_fix',
      origin: 'debian',
      targets: ['some_fs'],
    })
  })

  test('that is not the one its manifest describes is refused', async () => {
    const fault = await refusal(readSubject(withManifest('livepatch-other.ko', { sha256: '0'.repeat(64) })))
    expect(fault).toMatchObject({ kind: 'usage', code: 'manifest-differs' })
  })

  const f = { name: 'f', sympos: 0, unit: 'fs/x.c', reasons: [] }
  const g = { name: 'g', sympos: 2, unit: 'fs/some/x.c', reasons: [] }
  test.each([
    ['no function', [], 'it replaces f of vmlinux, of which'],
    ['one function too few', [{ name: 'vmlinux', functions: [f] }], 'it replaces g of some_fs, number 2'],
    [
      'one function too many',
      [
        { name: 'vmlinux', functions: [f, { ...f, name: 'h' }] },
        { name: 'some_fs', functions: [g] },
      ],
      'it does not replace h of vmlinux',
    ],
    [
      'another position',
      [
        { name: 'vmlinux', functions: [f] },
        { name: 'some_fs', functions: [{ ...g, sympos: 1 }] },
      ],
      'it replaces g of some_fs, number 2',
    ],
    ['another object', [{ name: 'vmlinux', functions: [f, g] }], 'it replaces g of some_fs, number 2'],
  ])('whose manifest tells of %s is refused', async (_what, objects, says) => {
    const fault = await refusal(readSubject(withManifest('livepatch-half.ko', { objects })))
    expect(fault).toMatchObject({ kind: 'usage', code: 'manifest-differs' })
    expect(fault.message).toContain(says)
  })

  test.each([
    ['objects', { objects: [{ name: '../../etc', functions: [] }] }],
    ['module', { module: 'a b; reboot' }],
    ['kernel', { kernel: { release: '../..', version: '1', origin: 'debian', compiler: '' } }],
    ['format', { format: 'inarch-manifest-99' }],
  ])('with a manifest whose %s can’t be is refused', async (key, change) => {
    const fault = await refusal(readSubject(withManifest('livepatch-hostile.ko', change)))
    expect(fault).toMatchObject({ kind: 'usage', code: 'bad-manifest' })
    expect(fault.detail).toContain(key)
  })

  test('with a manifest that is not JSON is refused', async () => {
    const file = compile('livepatch-text.ko', info)
    writeFileSync(path.join(work, 'livepatch-text.json'), '{')
    expect(await refusal(readSubject(file))).toMatchObject({ code: 'bad-manifest' })
  })

  test('that is no live patch, no module, no file or a piece of one is refused in one sentence', async () => {
    const text = path.join(work, 'text.ko')
    writeFileSync(text, 'hello')
    const cut = path.join(work, 'cut.ko')
    writeFileSync(cut, readFileSync(good).subarray(0, 100))
    mkdirSync(path.join(work, 'dir.ko'))
    const ordinary = compile('ordinary.ko', ['name=ext4'])
    const named = compile('named.ko', ['livepatch=Y', 'name=$(reboot)', 'vermagic=6.1'])
    for (const file of [text, cut, ordinary, named, path.join(work, 'dir.ko'), path.join(work, 'none.ko')]) {
      const fault = await refusal(readSubject(file))
      expect(fault.kind, file).toBe('usage')
      expect(fault.message, file).toContain(path.basename(file))
    }
  })

  test('from a build tree needs the tree to be named', async () => {
    const kernel = { release: '6.1.0-1-amd64', version: '6.1.1', origin: 'local', compiler: 'gcc' }
    const subject = await readSubject(withManifest('livepatch-local.ko', { kernel }))
    expect(() => kernelWish(subject, {})).toThrow(expect.objectContaining({ code: 'build-dir-needed' }))
    expect(kernelWish(subject, { buildDir: '/x' })).toEqual({ buildDir: '/x' })
  })
})
