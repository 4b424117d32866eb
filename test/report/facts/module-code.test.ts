// SPDX-License-Identifier: GPL-3.0-or-later
// The code of a live patch, read from a module that a compiler made.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readObject } from '../../../src/elf/read.ts'
import { silentJournal } from '../../../src/ground/job.ts'
import { disassemble } from '../../../src/report/facts/assembly.ts'
import { replacementsIn } from '../../../src/report/facts/module-code.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-module-code-'))
afterAll(() => rmSync(work, { recursive: true }))

const source = `
struct func { const char *name; void *code; unsigned long position; void *rest[4]; };
extern int of_the_kernel(const char *text, long *datum);
extern long kernel_datum[4];
static long own_datum = 1;
static __attribute__((noinline)) int own_helper(int a) { asm volatile(""); return own_datum += a; }
static int first_new(int a) { return a ? of_the_kernel("a \\"text\\"", &kernel_datum[2]) : own_helper(a); }
static int second_new(int a) { kernel_datum[1] = a; return own_helper(3); }
struct func functions[] = { { "first", first_new, 0 }, { "second", second_new, 7 }, {} };
`

function compiled() {
  const file = path.join(work, 'module.c')
  writeFileSync(file, source)
  const { status, stderr } = spawnSync(
    'gcc',
    [
      '-O2',
      '-c',
      '-fno-pie',
      '-mcmodel=kernel',
      '-ffunction-sections',
      '-fdata-sections',
      '-fcf-protection=none',
      '-o',
      `${file}.o`,
      file,
    ],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
  return readObject(readFileSync(`${file}.o`), 'module.o')
}

test('the functions come in the order of the kernel’s list, with their positions and what they refer to', () => {
  const found = replacementsIn(compiled())
  expect(found.map(({ name, sympos }) => [name, sympos])).toEqual([
    ['first', 0],
    ['second', 7],
  ])
  const touches = found.map((one) => one.touches.map(({ of, name }) => `${of} ${name}`).sort())
  expect(touches[0]).toEqual(expect.arrayContaining(['vmlinux of_the_kernel', 'vmlinux kernel_datum']))
  expect(touches[1]).toEqual(['own own_helper', 'vmlinux kernel_datum'])
})

test('instructions name what they refer to, at the place where it stands', async () => {
  const listed = await disassemble(
    { signal: new AbortController().signal, journal: silentJournal() },
    replacementsIn(compiled()).map(({ code }) => code),
  )
  const [first, second] = listed ?? []
  const lines = first?.map(({ text }) => text) ?? []
  expect(lines).toContain('jmp of_the_kernel')
  expect(lines.join('\n')).toMatch(/^mov \$"a \\"text\\"",%[er]di$/m)
  expect(lines.join('\n')).toMatch(/^mov \$kernel_datum\+0x10,%[er]si$/m)
  // A jump inside of the function is told by its target, which is the begin of an instruction.
  const jump = first?.find(({ target }) => target !== undefined)
  expect(jump?.text).toMatch(/^j/)
  expect(first?.some(({ at }) => at === jump?.target)).toBe(true)
  expect(second?.map(({ text }) => text).join('\n')).toMatch(/^mov %r\w+,kernel_datum\+0x8(\(%rip\))?$/m)
})

test('what is replaced by one function, and all of its references, is read at once however many there are', () => {
  const many = 50_000
  const file = path.join(work, 'many.s')
  writeFileSync(
    file,
    `
.section .rodata.name,"a"
name: .string "of_the_kernel"
.section .data.many,"aw"
.rept ${many}
  .long 0
.endr
${Array.from({ length: many }, (_, index) => `.type d${index},@object; .size d${index},4; .set d${index},.data.many+${4 * index}`).join('\n')}
.text
.type new,@function
new:
.rept ${many}
  .quad .data.many + (. - new) / 2
.endr
.size new, . - new
.data
.rept ${many}
  .quad name, new, 0
.endr
`,
  )
  const { status, stderr } = spawnSync('as', ['-o', `${file}.o`, file], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  const found = replacementsIn(readObject(readFileSync(`${file}.o`), 'many.o'))
  expect(found).toHaveLength(many)
  expect(found.at(-1)?.name).toBe('of_the_kernel')
  const references = found[0]?.code.references ?? []
  expect(references).toHaveLength(many)
  expect(references.slice(0, 3).map(({ name }) => name)).toEqual(['d0', 'd1', 'd2'])
  expect(references.at(-1)?.name).toBe(`d${many - 1}`)
  expect(found[many - 1]?.code).toBe(found[0]?.code)
})
