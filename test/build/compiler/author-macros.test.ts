// SPDX-License-Identifier: GPL-3.0-or-later
// The headers that a patch may include, and how an object knows that they were others.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { macroHeaders } from '../../../src/build/compiler/author-macros.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-macros-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

function headers(text: string): string {
  const dir = mkdtempSync(path.join(work, 'include-'))
  writeFileSync(path.join(dir, 'inarch.h'), text)
  return dir
}

test('what makes an object another one is what the headers say, not where they are', () => {
  const [first, same, other] = ['one', 'one', 'two'].map((text) => macroHeaders(headers(text)))
  expect(first?.digest).toBe(same?.digest)
  expect(first?.flags).not.toEqual(same?.flags)
  expect(first?.digest).not.toBe(other?.digest)
})

test("the compiler looks for them behind the kernel's own headers", () => {
  const { flags } = macroHeaders()
  expect(flags[0]).toBe('-idirafter')
  expect(flags[1]).toMatch(/\/kernel\/include$/)
})
