// SPDX-License-Identifier: GPL-3.0-or-later
// The source engine with real kernels: live patches made of C source that people can read, edit and build again, and
// what the two engines say of one another. One boot for each kernel.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { Fault } from '../../../src/ground/fault.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import { selectKernel } from '../../../src/kernel/select.ts'
import { buildDirectory } from '../../../src/module/engines/directory.ts'
import { makeLivePatch } from '../../../src/module/make.ts'
import type { Engine } from '../../../src/module/manifest/request.ts'
import { parsePatch } from '../../../src/patch/parse.ts'
import { readSourceDirectory } from '../../../src/source/directory/layout.ts'
import { changes } from '../../changes/changes.ts'
import { diffOf } from '../../changes/prove.ts'
import { inarch } from '../inarch.ts'
import { buildSecretSet, describeMade, edit, insertion, job, make, work } from './made.ts'

describeMade('bookworm', ['dummy-count-drops', 'callback'])

test('a function whose extract is other code than the unit by more than the compiler’s choice is refused', async () => {
  const kernel = await selectKernel(job, 'bookworm')
  // Of the kernel's own table the compiler can't know that it has an address, so a check of it stays in the extract.
  const diff = insertion(kernel, 'drivers/comedi/drivers/8255_pci.c', '\tdev->board_ptr = board;', [
    '\tif (board->n_8255 > 4)',
    '\t\treturn -ENODEV;',
  ])
  const build = (engine: Engine, allow: readonly string[]) =>
    makeLivePatch(job, kernel, {
      patches: [parsePatch(diff, 'board.patch')],
      replace: true,
      engine,
      allow,
      output: path.join(work, `board-${engine}-${allow.length}`),
    }).catch((error: unknown) => error)
  // No consent helps: it is not a question of taste.
  const fault = await build('source', ['extract-differs'])
  expect(fault).toMatchObject({ kind: 'refused', code: 'extract-differs' })
  expect((fault as Fault).remedy).toContain('binary engine')
  expect((fault as Fault).findings).toContainEqual(
    expect.objectContaining({
      severity: 'error',
      rule: 'extract-differs',
      symbol: 'pci_8255_auto_attach',
      unit: 'drivers/comedi/drivers/8255_pci.c',
    }),
  )
  // Both engines make something else of it then, which is refused unless the author allows it.
  const differ = await build('both', [])
  expect(differ).toMatchObject({ kind: 'refused', code: 'engines-differ' })
  expect((differ as Fault).remedy).toContain('--allow engines-differ')
  expect((differ as Fault).findings).toContainEqual(
    expect.objectContaining({ severity: 'error', rule: 'engines-differ' }),
  )
})

test('a function that only calls what another unit adds goes along with it, its own variables, too', async () => {
  const kernel = await selectKernel(job, 'bookworm')
  const added = [
    'int brand_new(int n);',
    'int brand_new(int n)',
    '{',
    '\tstatic int calls;',
    '',
    '\treturn calls += n;',
    '}',
    '',
  ]
  const diff = Buffer.concat([
    insertion(kernel, 'fs/proc/uptime.c', '\tidle_nsec = 0;', [
      '\textern int brand_new(int n);',
      '',
      '\tbrand_new(3);',
    ]),
    insertion(kernel, 'fs/proc/version.c', 'static int version_proc_show(struct seq_file *m, void *v)', added),
  ])
  const { manifest, directory } = await makeLivePatch(job, kernel, {
    patches: [parsePatch(diff, 'brand-new.patch')],
    replace: true,
    engine: 'source',
    output: path.join(work, 'brand-new'),
  })
  expect(manifest.objects.flatMap(({ functions }) => functions.map(({ name }) => name))).toEqual(['uptime_proc_show'])
  expect(readFileSync(path.join(directory!, 'fs-proc-version.c'), 'latin1')).toContain('\tstatic int calls;\n')
})

test('new functions of which each has a variable of its own, of one name, are the same by both engines', async () => {
  const kernel = await selectKernel(job, 'bookworm')
  const counting = (name: string, sign: string) =>
    `static noinline int ${name}(int n)\n{\n\tstatic int c;\n\n\tc ${sign}= n;\n\treturn c;\n}\n\n`
  const head = 'static int version_proc_show(struct seq_file *m, void *v)\n{\n'
  const calls = '\tif (first_count(2) > 1000 || second_count(3) > 1000)\n\t\treturn -EINVAL;\n'
  const to = `${counting('first_count', '+')}${counting('second_count', '^')}${head}${calls}`
  const diff = diffOf(kernel, { name: 'counts', edits: [{ file: 'fs/proc/version.c', from: head, to }] })
  const { manifest } = await makeLivePatch(job, kernel, {
    patches: [parsePatch(diff, 'counts.patch')],
    replace: true,
    engine: 'both',
    output: path.join(work, 'counts'),
  })
  expect(manifest.engines).toMatchObject({ agree: true, functions: [{ name: 'version_proc_show', code: 'identical' }] })
})

test('what differs between the engines only by what the compiler chose is told and goes through', async () => {
  const kernel = await selectKernel(job, 'bookworm')
  // The compiler made a form of the changed function that C has no name for.
  const change = changes.find(({ name }) => name === 'unix-hidden')!
  const { manifest } = await makeLivePatch(job, kernel, {
    patches: [parsePatch(diffOf(kernel, change), 'unix-hidden.patch')],
    replace: true,
    engine: 'both',
    output: path.join(work, 'both'),
  })
  expect(manifest.engines?.agree).toBe(true)
  expect(manifest.engines?.functions.map(({ name, code }) => `${name}: ${code}`).sort()).toEqual([
    '__unix_find_socket_byname.isra.0: same-by-source',
    'unix_autobind: same-by-source',
    'unix_bind: same-by-source',
    'unix_find_other: same-by-source',
  ])
  const told = manifest.findings.filter(({ rule }) => rule === 'same-by-source')
  expect(told.map(({ severity }) => severity)).toEqual(['note', 'note', 'note', 'note'])
  const form = told.find(({ symbol }) => symbol?.endsWith('.isra.0'))
  expect(form?.message).toMatch(
    /^Only the binary engine replaces .* but replaces unix_autobind, unix_bind, unix_find_other instead/,
  )
})

test('a fix of which only one engine makes a live patch goes through when the author allows that', async () => {
  const { manifest, directory } = await buildSecretSet(['engines-differ'])
  expect(manifest.engines?.agree).toBe(false)
  // The check stands in front, so that the compiler puts it into the callers: they are replaced, too.
  expect(manifest.engines?.functions.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['inet_ehashfn', '__inet_lookup_established']),
  )
  expect(manifest.engines?.functions.every(({ replacedBy }) => replacedBy === 'binary')).toBe(true)
  expect(manifest.findings.filter(({ rule }) => rule === 'engines-differ')).toMatchObject([
    { severity: 'warning', allowed: true },
  ])
  expect(directory).toBeUndefined()
})

describe('a directory that was edited', () => {
  let kernel: Kernel
  let made: string
  beforeAll(async () => {
    kernel = await selectKernel(job, 'bookworm')
    made = (await make(kernel, 'examples/dummy-count-drops.patch', 'source')).directory!
  })

  /** Edits one file, builds, and puts it back. */
  async function built(file: string, from: string, to: string): Promise<Fault | undefined> {
    const place = path.join(made, file)
    const original = readFileSync(place)
    edit(place, from, to)
    try {
      await buildDirectory(job, kernel, await readSourceDirectory(made), {
        output: path.join(work, 'refused'),
      })
      return undefined
    } catch (error) {
      if (error instanceof Fault) return error
      throw error
    } finally {
      writeFileSync(place, original)
    }
  }
  const rules = (fault: Fault | undefined) =>
    fault?.findings.filter(({ severity }) => severity === 'error').map(({ rule }) => rule)

  test('and does not compile any more: the file and the line are told', async () => {
    const fault = await built('drivers-net-dummy.c', 'tx_dropped =', 'tx_dropped = =')
    expect(fault).toMatchObject({ kind: 'patch', code: 'compile-error' })
    expect(fault?.message).toMatch(/^drivers-net-dummy\.c:\d+: expected expression/)
  })

  test('and replaces what the unit does not have', async () => {
    expect(rules(await built('livepatch.c', '"dummy_get_stats64"', '"dummy_get_stats65"'))).toEqual(['not-in-unit'])
  })

  test('and puts a function at a place where it is not', async () => {
    const from = '.old_name = "dummy_get_stats64",'
    expect(rules(await built('livepatch.c', from, `${from} .old_sympos = 2,`))).toEqual(['wrong-position'])
  })

  test('and puts a function into another object than its unit is in', async () => {
    expect(rules(await built('livepatch.c', '.name = "dummy",', ''))).toEqual(['wrong-object'])
  })

  test('and replaces a function by one that nobody defines', async () => {
    const fault = await built('livepatch.c', '.new_func = livepatch_', '.new_func = (void *)&')
    expect(fault).toMatchObject({ kind: 'patch', code: 'compile-error' })
    const other = await built(
      'livepatch.c',
      'LIVEPATCH_REPLACEMENT(livepatch_dummy_get_stats64);',
      'LIVEPATCH_REPLACEMENT(other);\n#define livepatch_dummy_get_stats64 other',
    )
    expect(rules(other)).toContain('no-replacement')
  })

  test('and refers to what the kernel does not have', async () => {
    const fault = await built(
      'drivers-net-dummy.c',
      'dev_lstats_read(dev,',
      'extern void not_there(void);\n\tnot_there();\n\tdev_lstats_read(dev,',
    )
    expect(rules(fault)).toEqual(['no-symbol'])
  })

  test('and says of itself that it is for another kernel', async () => {
    const fault = await built('inarch.json', '"version": "6.1', '"version": "5.1')
    expect(fault).toMatchObject({ kind: 'usage', code: 'other-kernel' })
  })

  test('is not written over', async () => {
    await expect(make(kernel, 'examples/dummy-count-drops.patch', 'source', path.dirname(made))).rejects.toMatchObject({
      kind: 'usage',
      code: 'directory-exists',
    })
  })

  test.each([
    [['--name', 'other'], 'said-in-directory'],
    [['--engine', 'source'], 'said-in-directory'],
    [['--no-replace'], 'said-in-directory'],
    [['fix.patch'], 'directory-and-patch'],
  ])('is built with nothing that it says itself: %s', async (more, code) => {
    const run = await inarch(['build', '--json', made, ...more], { cwd: work })
    expect(run.code).toBe(2)
    expect(JSON.parse(run.stdout).error.code).toBe(code)
  })
})
