// SPDX-License-Identifier: GPL-3.0-or-later
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { isDirectory } from '../../src/ground/is-directory.ts'

test('what can not be looked at is no directory', () => {
  const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-directory-'))
  try {
    symlinkSync('circle', path.join(work, 'circle'))
    symlinkSync(work, path.join(work, 'there'))
    expect(isDirectory(path.join(work, 'there'))).toBe(true)
    for (const name of ['circle', 'none', 'a'.repeat(300), path.join('circle', 'below')])
      expect(isDirectory(path.join(work, name))).toBe(false)
  } finally {
    rmSync(work, { recursive: true })
  }
})
