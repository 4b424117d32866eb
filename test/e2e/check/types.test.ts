// SPDX-License-Identifier: GPL-3.0-or-later
// Types, signatures and exports of the real kernel that a patch changes: what is told, and what is not. One patch of
// many edits, as each is judged by itself.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { namedRecords } from '../../../src/check/types/btf/compare.ts'
import { sizeOf } from '../../../src/check/types/btf/layout.ts'
import { Kind, readBtf } from '../../../src/check/types/btf/read.ts'
import type { Finding } from '../../../src/ground/finding.ts'
import { type Job, silentJournal } from '../../../src/ground/job.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import { selectKernel } from '../../../src/kernel/select.ts'
import { judgeFix } from '../../../src/module/judgement.ts'
import { parsePatch } from '../../../src/patch/parse.ts'
import { writePatch } from '../change.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
let kernel: Kernel
let dir: string

beforeAll(async () => {
  kernel = await selectKernel(job)
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-types-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const edits: readonly (readonly [name: string, file: string, from: string, to: string])[] = [
  // Allocated when a file of /proc is opened.
  ['opener', 'fs/proc/internal.h', 'struct pde_opener {', 'struct pde_opener {\n\tlong inarch_first;'],
  // Only ever a variable of a function, handed to others.
  ['buffer', 'fs/d_path.c', 'struct prepend_buffer {', 'struct prepend_buffer {\n\tlong inarch_first;'],
  // A variable of a function, which another one finds by container_of.
  ['callback', 'fs/readdir.c', 'struct getdents_callback {', 'struct getdents_callback {\n\tlong inarch_first;'],
  // Called by a module that declares it itself.
  [
    'query',
    'drivers/acpi/ec.c',
    'void acpi_ec_remove_query_handler(struct acpi_ec *ec, u8 ' +
      'query_bit)\n{\n\tacpi_ec_remove_query_handlers(ec, false, query_bit);',
    'void acpi_ec_remove_query_handler(struct acpi_ec *ec, u8 query_bit, bool ' +
      'all)\n{\n\tacpi_ec_remove_query_handlers(ec, all, query_bit);',
  ],
  [
    'query-header',
    'drivers/acpi/internal.h',
    'void acpi_ec_remove_query_handler(struct acpi_ec *ec, u8 query_bit);',
    'void acpi_ec_remove_query_handler(struct acpi_ec *ec, u8 query_bit, bool all);',
  ],
  // Completes types that were only named behind those of exported functions; nothing else changes.
  [
    'include',
    'fs/filesystems.c',
    '#include <linux/syscalls.h>\n',
    '#include <linux/syscalls.h>\n#include <linux/mtd/mtd.h>\n',
  ],
]

const ours = new Set(['type-layout', 'signature', 'export-crc'])

async function check(list: typeof edits): Promise<{ findings: Finding[]; functions: readonly string[] }> {
  const patches = list.map(([name, file, from, to]) => {
    const made = writePatch(dir, name, kernel, file, from, to)
    return parsePatch(readFileSync(made), made)
  })
  const { findings, functions } = await judgeFix(job, kernel, { patches, replace: true, output: dir })
  return {
    findings: findings.filter(({ rule }) => ours.has(rule)),
    functions: functions.map(({ name }) => name),
  }
}

describe('a patch of types and signatures', () => {
  let findings: Finding[]
  let functions: readonly string[]
  const about = (symbol: string) => findings.filter((one) => one.symbol === symbol)

  beforeAll(async () => {
    ;({ findings, functions } = await check(edits))
  })

  test('is told where it changes objects that are there, with the members and the functions', () => {
    const [finding, ...more] = about('struct pde_opener')
    expect(more).toEqual([])
    expect(finding).toMatchObject({ severity: 'error', rule: 'type-layout', unit: 'fs/proc/inode.c' })
    expect(finding!.message).toContain('its size goes from 40 to 48 bytes')
    expect(finding!.message).toContain('lh moves from byte 0 to byte 8')
    expect(finding!.message).toMatch(/seen by .*close_pdeo/)
  })

  test('is not told of a type that only lies on the stack, though its code changes', () => {
    expect(functions).toContain('d_absolute_path')
    expect(about('struct prepend_buffer')).toEqual([])
  })

  test('asks where a type on the stack is found by another pointer', () => {
    expect(about('struct getdents_callback')).toEqual([
      expect.objectContaining({ severity: 'warning', rule: 'type-layout', unit: 'fs/readdir.c' }),
    ])
  })

  test('sees that an #include alone gives exported symbols another version', () => {
    expect(about('register_filesystem')).toEqual([
      expect.objectContaining({ severity: 'note', rule: 'export-crc', unit: 'fs/filesystems.c' }),
    ])
  })

  test('names who would go on calling in the old way, and what is exported', () => {
    const found = about('acpi_ec_remove_query_handler')
    expect(found.map(({ severity, rule }) => `${severity} ${rule}`).sort()).toEqual([
      'error signature',
      'warning export-crc',
    ])
    expect(found.find(({ rule }) => rule === 'signature')!.message).toContain('drivers/acpi/sbshc.c')
    expect(found[0]!.message).toContain('void (struct acpi_ec *, u8, bool) instead of void (struct acpi_ec *, u8)')
  })

  test('has nothing else to be told', () => {
    expect(new Set(findings.map(({ symbol }) => symbol)).size).toBe(4)
  })
})

test('a new type, a new static function and a changed body are no matter for these rules', async () => {
  const { findings, functions } = await check([
    [
      'new',
      'fs/proc/version.c',
      'static int version_proc_show(struct seq_file *m, void *v)\n{\n',
      'struct inarch_pair {\n\tint a, b;\n};\n\nstatic noinline int inarch_sum(struct inarch_pair ' +
        '*pair)\n{\n\treturn pair->a + pair->b;\n}\n\nstatic int version_proc_show(struct seq_file *m, ' +
        'void *v)\n{\n\tstruct inarch_pair pair = { 1, 2 };\n\n\tseq_printf(m, "%d ", inarch_sum(&pair));\n',
    ],
  ])
  expect(functions).toEqual(['version_proc_show'])
  expect(findings).toEqual([])
})

test('the kernel’s own types are read, all of them', () => {
  // Not an object: its section is found by the header of the ELF file.
  const image = readFileSync(kernel.vmlinux)
  const start = image.indexOf(Buffer.from([0x9f, 0xeb, 0x01, 0x00, 24, 0, 0, 0]))
  expect(start).toBeGreaterThan(0)
  const [types, strings] = [image.readUInt32LE(start + 12), image.readUInt32LE(start + 20)]
  const btf = readBtf(image.subarray(start, start + 24 + types + strings), 'vmlinux')
  expect(btf.count).toBeGreaterThan(50_000)
  const records = namedRecords(btf)
  expect(records.size).toBeGreaterThan(5_000)
  for (const { type } of records.values()) sizeOf(btf, type)
  const task = records.get('struct task_struct')!
  expect(sizeOf(btf, task.type)).toBeGreaterThan(1000)
  expect(btf.ofKind(Kind.function).length).toBeGreaterThan(10_000)
})
