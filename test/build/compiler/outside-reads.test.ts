// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { readsOutside } from '../../../src/build/compiler/outside-reads.ts'
import { applyPatches } from '../../../src/patch/apply.ts'
import { parsePatch } from '../../../src/patch/parse.ts'

/** What is said of lines that a patch adds to fs/proc/x.c. */
async function said(lines: string, before = 'int x;\n'): Promise<string[]> {
  const source = mkdtempSync(path.join(os.tmpdir(), 'inarch-outside-'))
  try {
    mkdirSync(path.join(source, 'fs/proc'), { recursive: true })
    writeFileSync(path.join(source, 'fs/proc/x.c'), before)
    const added = lines.split('\n')
    const text =
      `--- a/fs/proc/x.c\n+++ b/fs/proc/x.c\n@@ -1,1 +1,${1 + added.length} @@\n ` +
      `${before.split('\n')[0]}\n${added.map((line) => `+${line}\n`).join('')}`
    const { changes } = await applyPatches(source, [parsePatch(Buffer.from(text), 'fix.patch')])
    return changes.flatMap(readsOutside).map(({ rule, message }) => `${rule}: ${message}`)
  } finally {
    rmSync(source, { recursive: true })
  }
}

test.each([
  ['#include "/etc/passwd"'],
  ['#include </etc/passwd>'],
  ['#  include   "../../../etc/passwd"'],
  ['#/**/include "/etc/passwd"'],
  ['%:include "/etc/passwd"'],
  ['#inc\\\nlude "/etc/passwd"'],
  ['#include_next "/etc/passwd"'],
  ['#import "/etc/passwd"'],
  ['#include <../../../../../../../etc/passwd>'],
  ['static const char x[] = {\n#embed "/etc/passwd"\n};'],
  ['#embed NAME'],
  ['#if __has_include("/etc/passwd")'],
  ['#if defined(A) && __has_include(NAME)'],
  ['#line 1 "/etc/passwd"'],
  ['# 7 "/etc/passwd" 1'],
  ['#pragma GCC dependency "/etc/passwd"'],
  ['_Pragma("GCC dependency \\"/etc/passwd\\"")'],
  ['#pragma GCC pch_preprocess "/etc/passwd"'],
  ['asm(".incbin \\"/etc/passwd\\"");'],
  ['asm(".section .x\\n\\t.INCLUDE \\"/etc/passwd\\"");'],
  ['asm(".inc" "bin \\"../x\\"");'],
  ['asm(".inc"\n"bin " NAME);'],
])('%s is refused', async (lines) => {
  expect(await said(lines)).toEqual([expect.stringMatching(/^reads-outside: fix\.patch:\d+ reads|^reads-outside: fs/)])
})

test.each([
  ['#include <linux/fs.h>'],
  ['#include "internal.h"'],
  ['#include "../internal.h"'],
  ['#include <../arch/x86/mm/mm_internal.h>'],
  ['#include TRACE_INCLUDE(TRACE_INCLUDE_FILE)'],
  ['#if __has_include(<linux/fs.h>)'],
  ['#ifdef __has_include'],
  ['#line 12'],
  ['#line 12 "fs/proc/x.y"'],
  ['#pragma GCC diagnostic ignored "-Wformat"'],
  ['/* #include "/etc/passwd" */'],
  ['char *s = "no .includes here";'],
  ['asm(".incbin \\"kernel/config_data.gz\\"");'],
  ['int y; /* a dependency on /etc/passwd */'],
])('%s is none of it', async (lines) => {
  expect(await said(lines)).toEqual([])
})

test('what the file has had before is not the patch’s', async () => {
  expect(await said('int y;', 'asm(".incbin \\"/boot/x\\"");\n#include "/usr/include/x.h"\n')).toEqual([])
})
