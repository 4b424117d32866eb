// SPDX-License-Identifier: GPL-3.0-or-later
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findIncluded } from '../../../src/build/kbuild/includes.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'inarch-includes-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function put(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
  writeFileSync(path.join(root, file), text)
}

test('a C file is found through every C file that includes it, near or far', async () => {
  put('kernel/policy.c', '#include <linux/sched.h>\n#include "rt.c"\n  #  include "idle.c"\n')
  put('kernel/rt.c', '#include "../lib/deep.c"\n')
  put('kernel/idle.c', '/* nothing */\n')
  put('lib/deep.c', '#include "missing.c"\n')
  put('mm/other.c', '#include "kernel/rt.c"\n// #include "kernel/idle.c"\n')
  const found = await findIncluded(root, ['kernel/policy.c', 'mm/other.c', 'generated.c'])
  expect(Object.fromEntries(found)).toEqual({
    'kernel/idle.c': ['kernel/policy.c'],
    'kernel/rt.c': ['kernel/policy.c', 'mm/other.c'],
    'lib/deep.c': ['kernel/policy.c', 'mm/other.c'],
  })
})

test('files that include each other end the search', async () => {
  put('a.c', '#include "b.c"\n')
  put('b.c', '#include "a.c"\n')
  expect(Object.fromEntries(await findIncluded(root, ['a.c']))).toEqual({ 'b.c': ['a.c'] })
})
