// SPDX-License-Identifier: GPL-3.0-or-later
// Applying to real files in a temporary tree; the author's view of what went wrong.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Fault } from '../../src/ground/fault.ts'
import { applyPatches } from '../../src/patch/apply.ts'
import { parsePatch } from '../../src/patch/parse.ts'

let tree: string

beforeEach(() => {
  tree = mkdtempSync(path.join(os.tmpdir(), 'inarch-apply-'))
})
afterEach(() => rmSync(tree, { recursive: true }))

function put(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(tree, file)), { recursive: true })
  writeFileSync(path.join(tree, file), text, 'latin1')
}

const read = (text: string, name = 'fix.patch') => parsePatch(Buffer.from(text, 'latin1'), name)

async function refusal(...patches: string[]): Promise<Fault> {
  try {
    await applyPatches(
      tree,
      patches.map((text) => read(text)),
    )
  } catch (error) {
    return error as Fault
  }
  throw new Error('the patch was not refused')
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `line ${i + 1}\n`).join('')

function replaceLine(file: string, at: number, to: string, prefix = ['a/', 'b/']): string {
  return (
    `--- ${prefix[0]}${file}\n+++ ${prefix[1]}${file}\n@@ -${at - 1},3 +${at - 1},3 @@\n line ` +
    `${at - 1}\n-line ${at}\n+${to}\n line ${at + 1}\n`
  )
}

describe('a patch applies', () => {
  test('and tells where each line came from', async () => {
    put('fs/a.c', numbered(9))
    const { changes, notes } = await applyPatches(tree, [read(replaceLine('fs/a.c', 5, 'new'))])
    expect(notes).toEqual([])
    expect(changes).toHaveLength(1)
    const change = changes[0]!
    expect(change.after).toBe(numbered(9).replace('line 5', 'new'))
    expect(change.before).toBe(numbered(9))
    expect([...change.origins]).toEqual([[5, { patch: 'fix.patch', line: 6 }]])
    expect(change.lineage).toEqual([1, 2, 3, 4, 0, 6, 7, 8, 9])
    expect(readFileSync(path.join(tree, 'fs/a.c'), 'latin1')).toBe(numbered(9))
  })

  test('at another line than it says, which is noted', async () => {
    put('fs/a.c', `one\ntwo\n${numbered(9)}`)
    const { changes, notes } = await applyPatches(tree, [read(replaceLine('fs/a.c', 5, 'new'))])
    expect(changes[0]!.after).toContain('line 4\nnew\nline 6')
    expect(notes).toEqual(['fix.patch: hunk 1 of 1 for fs/a.c applies 2 lines down'])
  })

  test.each([
    ['a/', 'b/'],
    ['', ''],
    ['linux-6.1.orig/', 'linux-6.1/'],
    ['home/me/a/', 'home/me/b/'],
  ])('with the prefixes %j and %j detected', async (a, b) => {
    put('fs/a.c', numbered(9))
    const { changes } = await applyPatches(tree, [read(replaceLine('fs/a.c', 5, 'new', [a, b]))])
    expect(changes.map((change) => change.path)).toEqual(['fs/a.c'])
  })

  test('after another patch, whose lines it sees', async () => {
    put('fs/a.c', numbered(9))
    const second = replaceLine('fs/a.c', 5, 'newer').replace('-line 5', '-new')
    const { changes } = await applyPatches(tree, [
      read(replaceLine('fs/a.c', 5, 'new'), 'one.patch'),
      read(second, 'two.patch'),
    ])
    expect(changes[0]!.after).toContain('newer')
    expect(changes[0]!.origins.get(5)).toEqual({ patch: 'two.patch', line: 6 })
  })

  test('and leaves nothing when a second patch takes it back', async () => {
    put('fs/a.c', numbered(9))
    const back = replaceLine('fs/a.c', 5, 'line 5').replace('-line 5', '-new')
    expect((await applyPatches(tree, [read(replaceLine('fs/a.c', 5, 'new')), read(back)])).changes).toEqual([])
  })

  test('to new, removed and renamed files', async () => {
    put('old.c', 'x\n')
    put('from.c', numbered(9))
    const { changes } = await applyPatches(tree, [
      read(`diff --git a/new.c b/new.c
new file mode 100644
--- /dev/null
+++ b/new.c
@@ -0,0 +1 @@
+y
diff --git a/old.c b/old.c
deleted file mode 100644
--- a/old.c
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/from.c b/to.c
similarity index 90%
rename from from.c
rename to to.c
--- a/from.c
+++ b/to.c
@@ -4,3 +4,3 @@
 line 4
-line 5
+new
 line 6
`),
    ])
    expect(changes.map(({ path, before, after }) => [path, before?.length, after?.length])).toEqual([
      ['from.c', 63, undefined],
      ['new.c', undefined, 2],
      ['old.c', 2, undefined],
      ['to.c', undefined, 60],
    ])
  })

  test('with bytes that are not UTF-8 untouched', async () => {
    put('a.c', '/* \xe4\xff */\nline 4\nline 5\nline 6\n')
    const { changes } = await applyPatches(tree, [read(replaceLine('a.c', 5, '\xfc'))])
    expect(changes[0]!.after).toBe('/* \xe4\xff */\nline 4\n\xfc\nline 6\n')
  })
})

describe('a patch that does not apply', () => {
  test('names hunk, file and line, and shows what differs', async () => {
    put('fs/a.c', numbered(9).replace('line 6', 'line six'))
    const fault = await refusal(replaceLine('fs/a.c', 5, 'new'))
    expect(fault.code).toBe('hunk-does-not-apply')
    expect(fault.message).toBe('fix.patch:3: hunk 1 of 1 for fs/a.c does not apply at line 4')
    expect(fault.detail).toContain('- 6 | line 6')
    expect(fault.detail).toContain('+ 6 | line six')
    expect(fault.exitCode).toBe(3)
  })

  test('is told from one that is applied already', async () => {
    put('fs/a.c', numbered(9).replace('line 5', 'new'))
    expect((await refusal(replaceLine('fs/a.c', 5, 'new'))).code).toBe('already-applied')
  })

  test('is not guessed into one of several places', async () => {
    put('a.c', 'pad\nline 4\nline 5\nline 6\nline 4\nline 5\nline 6\n')
    expect(
      (await refusal(replaceLine('a.c', 50, 'new').replaceAll(/line (\d\d)/g, (_, n) => `line ${n - 45}`))).code,
    ).toBe('hunk-ambiguous')
  })

  test('is not put at a line by its number alone', async () => {
    put('a.c', numbered(9))
    const head = '--- a/a.c\n+++ b/a.c\n'
    for (const hunk of ['@@ -4,0 +5 @@\n+new\n', '@@ -0,0 +1 @@\n+new\n', '@@ -9,0 +10 @@\n+new\n'])
      expect((await refusal(head + hunk)).code).toBe('hunk-without-context')
    const replaced = await applyPatches(tree, [read(`${head}@@ -4 +4 @@\n-line 4\n+new\n`)])
    expect(replaced.changes[0]?.after).toBe(numbered(9).replace('line 4', 'new'))
  })

  test('goes to the nearest of several places when it is known to be for this source', async () => {
    put('a.c', `line 4\nline 5\nline 6\n${'pad\n'.repeat(3)}line 4\nline 5\nline 6\n`)
    const at = async (stated: number) => {
      const hunk = `@@ -${stated},3 +${stated},3 @@\n line 4\n-line 5\n+new\n line 6\n`
      const patch = read(`--- a/a.c\n+++ b/a.c\n${hunk}`)
      const { changes } = await applyPatches(tree, [patch], { nearest: true })
      return changes[0]!.after!.split('\n').indexOf('new') + 1
    }
    // patch(1), too, goes down where both are equally near.
    expect([await at(2), await at(3), await at(4), await at(5), await at(9)]).toEqual([2, 2, 8, 8, 8])
  })

  test('because a newline is missing, says so', async () => {
    put('a.c', 'x')
    expect((await refusal('--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-x\n+y\n')).detail).toContain('no newline')
  })

  test('because the file is not there, is there already or keeps lines, says which', async () => {
    put('a.c', 'x\ny\n')
    expect((await refusal(replaceLine('fs/none.c', 5, 'new'))).code).toBe('file-missing')
    expect((await refusal('--- /dev/null\n+++ b/a.c\n@@ -0,0 +1 @@\n+z\n')).code).toBe('file-exists')
    expect((await refusal('--- a/a.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n')).code).toBe('file-not-emptied')
  })
})

describe('a hostile patch', () => {
  test('can not reach through a symbolic link', async () => {
    const outside = mkdtempSync(path.join(os.tmpdir(), 'inarch-outside-'))
    try {
      writeFileSync(path.join(outside, 'a.c'), numbered(9))
      symlinkSync(outside, path.join(tree, 'link'))
      symlinkSync(path.join(outside, 'a.c'), path.join(tree, 'a.c'))
      expect((await refusal(replaceLine('link/a.c', 5, 'new'))).code).toBe('path-through-link')
      expect((await refusal('--- /dev/null\n+++ b/link/b.c\n@@ -0,0 +1 @@\n+z\n')).code).toBe('path-through-link')
      expect((await refusal(replaceLine('a.c', 5, 'new'))).code).toMatch(/path-through-link|file-missing/)
    } finally {
      rmSync(outside, { recursive: true })
    }
  })

  test('can not name an absolute path', async () => {
    expect((await refusal(replaceLine('/etc/passwd', 5, 'new', ['', '']))).code).toMatch(/file-missing|path-/)
    const patch = read(replaceLine('/etc/passwd', 5, 'new', ['', '']))
    await expect(applyPatches(tree, [patch], { strip: 0 })).rejects.toMatchObject({
      code: 'path-leaves-tree',
    })
  })

  test('can not name a directory', async () => {
    mkdirSync(path.join(tree, 'fs'))
    expect((await refusal('--- a/fs\n+++ b/fs\n@@ -1 +1 @@\n-x\n+y\n')).code).toMatch(/not-a-regular-file|file-missing/)
  })
})
