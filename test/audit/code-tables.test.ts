// SPDX-License-Identifier: GPL-3.0-or-later
// The audit's own reading of tables about code, in the layouts of all kernels.
import { describe, expect, test } from 'vitest'
import { entriesAbout, strayEntries } from '../../src/audit/code-tables.ts'
import { viewOf } from '../../src/audit/object-view.ts'
import { warnText } from '../bug-entry.ts'
import { compileBytes } from '../objects.ts'

/** @returns of each entry about `f` its bytes, and how many relocations it has */
function entries(rows: readonly string[], table = '.altinstructions') {
  const push = (name: string, flags: string, text: string) =>
    `.pushsection ${name},\\"${flags}\\"\\n${text}\\n.popsection\\n`
  const code = rows.map((row, nth) => `1${nth}: nop\\n${push(table, 'a', row.replaceAll('HERE', `1${nth}b`))}`)
  const text = `${push('.altinstr_replacement', 'ax', '9: clac')}${code.join('')}`
  const view = viewOf(compileBytes(`int get(void); int f(void) { asm volatile("${text}"); return get(); }`), 'u.o')
  const section = view.object.sections.find(({ name }) => name === '.text.f')!
  return entriesAbout(view, { section, start: 0, end: section.size }).map((one) => [
    one.end - one.start,
    one.references.length,
  ])
}

describe('an alternative', () => {
  const with13 = '.long HERE - ., 9b - .\\n.word 5\\n.byte 3, 3, 0'
  const without = '.long HERE - .\\n.long 0\\n.word 5\\n.byte 3, 0, 0'
  test.each([
    ['of 12 bytes', ['.long HERE - ., 9b - .\\n.word 5\\n.byte 3, 3'], [[12, 2]]],
    [
      'of 13 bytes',
      [with13, with13],
      [
        [13, 2],
        [13, 2],
      ],
    ],
    ['of 14 bytes', ['.long HERE - ., 9b - .\\n.word 5, 0\\n.byte 3, 3'], [[14, 2]]],
    ['without a replacement', [without], [[13, 1]]],
    // Seven entries of 13 bytes with 13 relocations have the numbers of entries of 14 bytes.
    [
      'without a replacement among six with one',
      [with13, with13, with13, without, with13, with13, with13],
      [
        [13, 2],
        [13, 2],
        [13, 2],
        [13, 1],
        [13, 2],
        [13, 2],
        [13, 2],
      ],
    ],
  ])('%s is read as it is', (_, rows, expected) => {
    expect(entries(rows)).toEqual(expected)
  })
})

test('a table whose entries are none that any kernel has is not read', () => {
  expect(entries(['.long HERE - ., 9b - .\\n.word 5\\n.byte 3, 3, 0, 0, 0'])).toEqual([])
})

describe('an entry about a warning with a text', () => {
  const stray = (body: string) =>
    strayEntries(viewOf(compileBytes(`${warnText} int get(void); int f(int n) { ${body} return get(); }`), 'u.o'))
  const push = (entry: string) => `.pushsection __bug_table,\\"aw\\"\\n${entry}\\n.popsection\\n`
  const row = (place: string) => `.long ${place} - ., 9f - ., 9f - .\\n.word 1, 1`

  test('is about the place behind the instruction that takes its address', () => {
    expect(stray('if (n) WARN_AT(1, 0x911, "some", n); if (n > 2) WARN_AT(2, 0x911, "more", n);')).toEqual([])
  })

  test.each([
    ['about the place behind another one', `9: nop\\n1: nop\\n${push(row('1b'))}`],
    [
      'about its own, with the address of another entry',
      `9: lea 3f+16(%%rip), %%rax\\n1: nop\\n${push(`3: ${row('1b')}`)}`,
    ],
    ['about a place further on', `9: lea 3f(%%rip), %%rax\\nnop\\n1: nop\\n${push(`3: ${row('1b')}`)}`],
  ])('is not %s', (_, text) => {
    const [only, ...others] = stray(`asm volatile("${text.replaceAll('9f', '9b')}" ::: "rax");`)
    expect([only?.section.name, others]).toEqual(['__bug_table', []])
  })
})
