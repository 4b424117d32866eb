// SPDX-License-Identifier: GPL-3.0-or-later
// Definitions that the patch moves from one file of the kernel to another, or that take the place of a `__weak` one:
// the kernel has one of each already, and a live patch with a second one would leave everybody else with the old.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { buildCommand, inarch } from './inarch.ts'

beforeAll(buildCommand)
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-moved-'))
afterAll(() => rmSync(work, { recursive: true }))

type Edit = readonly [file: string, from: RegExp, to: string | ((found: string) => string)]

/** What `inarch check` says of these edits, by rule and symbol. */
async function check(kernel: Kernel, name: string, edits: readonly Edit[]): Promise<string[]> {
  const patch = edits.map(([file, from, to]) => {
    const original = path.join(kernel.source, file)
    const text = readFileSync(original, 'latin1')
    expect(text, file).toMatch(from)
    const changed = path.join(work, name, file)
    mkdirSync(path.dirname(changed), { recursive: true })
    writeFileSync(
      changed,
      text.replace(from, (found) => (typeof to === 'string' ? to : to(found))),
      'latin1',
    )
    return spawnSync('diff', ['-u', '--label', `a/${file}`, '--label', `b/${file}`, original, changed]).stdout
  })
  const file = path.join(work, `${name}.patch`)
  writeFileSync(file, Buffer.concat(patch))
  const { stdout } = await inarch(['check', '--kernel', kernel.release, '--json', file], { cwd: work })
  const { findings } = JSON.parse(stdout) as {
    findings: { severity: string; rule: string; symbol: string }[]
  }
  return findings.filter(({ severity }) => severity !== 'note').map(({ rule, symbol }) => `${rule} ${symbol}`)
}

const last = /\n$/
const append = (text: string) => (end: string) => `${end}\n${text}\n`
const vmaIsStack = 'int vma_is_stack_for_current(struct vm_area_struct *vma)'

/** Its tests on the kernel of a suite. */
export function describeMoved(suite: string): void {
  describe(`what is new in a file of ${suite} and not in the kernel`, () => {
    let kernel: Kernel
    beforeAll(async () => {
      kernel = await selectKernel({ signal: new AbortController().signal, journal: silentJournal() }, suite)
    })

    test('is refused: a variable that moves', async () => {
      const found = await check(kernel, `variable-${suite}`, [
        ['mm/util.c', /int sysctl_max_map_count __read_mostly = .*\n/, ''],
        ['mm/mmap.c', last, append('int sysctl_max_map_count __read_mostly = DEFAULT_MAX_MAP_COUNT;')],
      ])
      expect(found).toEqual(['defined-elsewhere sysctl_max_map_count'])
    })

    test('is refused: a function that moves and changes, and one that moves beside another change', async () => {
      const body =
        `${vmaIsStack}\n{\n\treturn vma && vma->vm_start <= KSTK_ESP(current) && vma->vm_end > ` +
        `KSTK_ESP(current);\n}`
      const found = await check(kernel, `function-${suite}`, [
        ['mm/util.c', /int vma_is_stack_for_current\([\s\S]*?\n}\n/, ''],
        ['mm/mmap.c', last, append(body)],
      ])
      expect(found).toEqual(['defined-elsewhere vma_is_stack_for_current'])
    })

    test('is refused: a function in place of a weak one', async () => {
      const found = await check(kernel, `weak-${suite}`, [
        [
          'arch/x86/kernel/uprobes.c',
          last,
          append(
            'bool arch_uprobe_ignore(struct arch_uprobe *auprobe, struct pt_regs *regs)\n{\n\treturn regs->ip == 0;\n}',
          ),
        ],
      ])
      expect(found).toEqual(['defined-elsewhere arch_uprobe_ignore'])
    })

    test('is asked about: a private variable that becomes another file’s', async () => {
      const found = await check(kernel, `private-${suite}`, [
        ['fs/eventpoll.c', /static u64 loop_check_gen = 0;/, 'extern u64 loop_check_gen;'],
        ['fs/eventfd.c', last, append('u64 loop_check_gen = 0;')],
      ])
      expect(found).toEqual(['defined-elsewhere loop_check_gen'])
    })

    test('goes through: one that no file of the kernel has, and one whose name is private to other files', async () => {
      const added = ['brand_new_here', 'm_next']
        .map((name) => `int ${name}(int it);\nnoinline int ${name}(int it)\n{\n\treturn it * 3;\n}\n`)
        .join('')
      const use = 'if (brand_new_here(m->count) == 12345 && m_next(m->count) == 12345)\n\t\treturn 0;\n\t'
      const found = await check(kernel, `new-${suite}`, [
        [
          'fs/proc/cmdline.c',
          /static int cmdline_proc_show[\s\S]*seq_puts\(m, saved_command_line\);/,
          (text) => `${added}${text.replace('seq_puts', () => `${use}seq_puts`)}`,
        ],
      ])
      expect(found).toEqual([])
    })
  })
}
