// SPDX-License-Identifier: GPL-3.0-or-later
// Names and messages go to the terminal, and a patch or an object may come from anywhere.
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { printable } from '../../src/cli/render/printable.ts'

test('a name can neither move the cursor, nor set the title, nor hide a line', () => {
  expect(printable('changed \x1b[2J\x1b]0;root\x07f\r\ng\x9b1m')).toBe(
    'changed \\x1b[2J\\x1b]0;root\\x07f\\x0d\\x0ag\\x9b1m',
  )
})

test.each([
  ['concealed text (SGR 8)', '\x1b[8mhidden', '\\x1b[8mhidden'],
  ['a colour that is not ours', '\x1b[32mproven\x1b[39m', '\\x1b[32mproven\\x1b[39m'],
  ['several at once', '\x1b[0;8m', '\\x1b[0;8m'],
  ['text from right to left', 'a\u202eb\u2066c\u200f', 'a\\u202eb\\u2066c\\u200f'],
  ['characters without width', 'ad\u200bmin\ufeff\u00ad\u2060', 'ad\\u200bmin\\ufeff\\xad\\u2060'],
  ['ends of lines', 'a\u2028b\u2029c\x85d\x0be', 'a\\u2028b\\u2029c\\x85d\\x0be'],
  ['letters that are blank', 'a\u3164b\u115f', 'a\\u3164b\\u115f'],
  ['tags and variations', 'a\u{e0041}b\ufe0f', 'a\\u{e0041}b\\ufe0f'],
  ['half of a character', 'a\ud83d', 'a\\ud83d'],
])('%s is shown as what it is', (_, text, shown) => {
  expect(printable(text)).toBe(shown)
})

test('tabs and other languages stay', () => {
  for (const line of ['a\tb', 'größe → 中 русский עברית 👍']) expect(printable(line)).toBe(line)
})

test('whatever a line has, nothing that is not seen gets through', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (line) => {
      expect(printable(line)).not.toMatch(/[^\P{C}\p{Co}\p{Cn}\t]/u)
    }),
    { numRuns: 300 },
  )
})

test('bytes of a terminal language, however they are put together, are only shown', () => {
  const piece = fc.constantFrom('\x1b', '[', '8', ';', 'm', '3', '1', 'J', ']', '\x07', '\x9b', 'P', '\\', 'a')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      expect(printable(pieces.join(''))).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
    }),
    { numRuns: 300 },
  )
})

test.each(['{}', '[]', '"x"'])('what is printed as JSON is the same value: %s', async (empty) => {
  const { jsonText } = await import('../../src/cli/render/output.ts')
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
      const written = jsonText({ text, empty: JSON.parse(empty) })
      expect(JSON.parse(written)).toEqual({ text, empty: JSON.parse(empty) })
      expect(written).not.toMatch(/[^\P{C}\p{Co}\p{Cn}\n]/u)
    }),
  )
})

beforeEach(() => {
  vi.resetModules()
})
afterEach(() => {
  vi.unstubAllEnvs()
})

test('our own colours are colours, around whatever they have', async () => {
  vi.stubEnv('FORCE_COLOR', '1')
  vi.stubEnv('NO_COLOR', '')
  const { bold, green } = await import('../../src/cli/render/colour.ts')
  const fresh = await import('../../src/cli/render/printable.ts')
  expect(fresh.printable(`${bold(green('ok \x1b[8m'))} end`)).toBe('\x1b[1m\x1b[32mok \\x1b[8m\x1b[39m\x1b[22m end')
})
