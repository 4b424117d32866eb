// SPDX-License-Identifier: GPL-3.0-or-later
// What a patch may look like, and what is refused: each form as its program writes it.
import { describe, expect, test } from 'vitest'
import type { Fault } from '../../src/ground/fault.ts'
import { parsePatch } from '../../src/patch/parse.ts'

const parse = (text: string) => parsePatch(Buffer.from(text, 'latin1'), 'fix.patch')

function refusal(text: string): Fault {
  try {
    parse(text)
  } catch (error) {
    return error as Fault
  }
  throw new Error('the patch was not refused')
}

const hunk = `@@ -1,3 +1,3 @@ int f(void)
 {
-	return 1;
+	return 2;
 }
`

describe('a patch is read', () => {
  test('as git format-patch writes it, with message and footer', () => {
    const patch = parse(`From 1234 Mon Sep 17 00:00:00 2001
Subject: [PATCH] fs: fix it

Because.
---
 fs/a.c | 2 +-

diff --git a/fs/a.c b/fs/a.c
index 111..222 100644
--- a/fs/a.c
+++ b/fs/a.c
${hunk}-- 
2.39.5

`)
    expect(patch.files).toHaveLength(1)
    expect(patch.files[0]).toMatchObject({
      oldPath: 'a/fs/a.c',
      newPath: 'b/fs/a.c',
      renamed: false,
      patchLine: 8,
    })
    expect(patch.files[0]!.hunks[0]).toMatchObject({
      oldStart: 1,
      oldCount: 3,
      newStart: 1,
      newCount: 3,
      patchLine: 12,
    })
    expect(patch.files[0]!.hunks[0]!.lines.map((line) => [line.kind, line.text, line.patchLine])).toEqual([
      ['context', '{', 13],
      ['removed', '\treturn 1;', 14],
      ['added', '\treturn 2;', 15],
      ['context', '}', 16],
    ])
    expect(patch.preamble).toContain('fs: fix it')
    expect(patch.preamble).not.toContain('diff --git')
    expect(patch.sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  test('as diff -ru writes it, with timestamps and files that only one side has', () => {
    const patch = parse(`Only in linux/fs: a.o
diff -ru linux.orig/fs/a.c linux/fs/a.c
--- linux.orig/fs/a.c	2024-01-01 10:00:00.000000000 +0100
+++ linux/fs/a.c	2024-01-01 10:00:01.000000000 +0100
${hunk}`)
    expect(patch.files[0]).toMatchObject({ oldPath: 'linux.orig/fs/a.c', newPath: 'linux/fs/a.c' })
  })

  test('as quilt writes it', () => {
    const patch = parse(`Index: linux/fs/a.c
===================================================================
--- linux.orig/fs/a.c
+++ linux/fs/a.c
${hunk}`)
    expect(patch.files[0]).toMatchObject({ oldPath: 'linux.orig/fs/a.c', newPath: 'linux/fs/a.c' })
    expect(patch.preamble).toBe('')
  })

  test('with CRLF line ends', () => {
    const patch = parse(`--- a/fs/a.c\n+++ b/fs/a.c\n${hunk}`.replaceAll('\n', '\r\n'))
    expect(patch.files[0]!.newPath).toBe('b/fs/a.c')
    expect(patch.files[0]!.hunks[0]!.lines[2]!.text).toBe('\treturn 2;')
  })

  test('with CRs that belong to the file', () => {
    const patch = parse('--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\r\n+b\r\n')
    expect(patch.files[0]!.hunks[0]!.lines[1]!.text).toBe('b\r')
  })

  test('with counts of one line left out', () => {
    const patch = parse('--- a/x.c\n+++ b/x.c\n@@ -7 +7 @@\n-a\n+b\n')
    expect(patch.files[0]!.hunks[0]).toMatchObject({ oldStart: 7, oldCount: 1, newStart: 7, newCount: 1 })
  })

  test('with an empty context line whose space a mailer took', () => {
    const patch = parse('--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,3 @@\n x\n\n-a\n+b\n')
    expect(patch.files[0]!.hunks[0]!.lines[1]).toMatchObject({ kind: 'context', text: '' })
  })

  test('with no newline at the end of either side', () => {
    const marker = '\\ No newline at end of file'
    const patch = parse(`--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n${marker}\n+b\n${marker}\n`)
    expect(patch.files[0]!.hunks[0]!.lines.map((line) => line.noNewline)).toEqual([true, true])
  })

  test('with paths in git quotes', () => {
    const patch = parse(
      `diff --git "a/fs/\\303\\244.c" "b/fs/\\303\\244.c"\n--- "a/fs/\\303\\244.c"\n+++ "b/fs/\\303\\244.c"\n${hunk}`,
    )
    expect(patch.files[0]!.newPath).toBe('b/fs/ä.c')
  })

  test('with new, removed, renamed and mode-only files', () => {
    const patch = parse(`diff --git a/new.c b/new.c
new file mode 100644
index 0000000..e69de29
--- /dev/null
+++ b/new.c
@@ -0,0 +1 @@
+int x;
diff --git a/empty.c b/empty.c
new file mode 100644
index 0000000..e69de29
diff --git a/old.c b/old.c
deleted file mode 100644
--- a/old.c
+++ /dev/null
@@ -1 +0,0 @@
-int x;
diff --git a/dir/from name.c b/dir/to name.c
similarity index 100%
rename from dir/from name.c
rename to dir/to name.c
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
`)
    expect(patch.files.map(({ oldPath, newPath, renamed }) => [oldPath, newPath, renamed])).toEqual([
      [undefined, 'b/new.c', false],
      [undefined, 'b/empty.c', false],
      ['a/old.c', undefined, false],
      ['a/dir/from name.c', 'b/dir/to name.c', true],
    ])
  })

  test('with a file that diff -N shows as new by its timestamp', () => {
    const patch = parse(
      '--- a/new.c\t1970-01-01 01:00:00.000000000 +0100\n+++ b/new.c\t2024-01-01 00:00:00.0 +0100\n@@ -0,0 +1 @@\n+x\n',
    )
    expect(patch.files[0]!.oldPath).toBeUndefined()
  })

  test('with lines that look like headers inside a hunk', () => {
    const patch = parse('--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- old\n+++ new\n @@ -1 +1 @@\n')
    expect(patch.files).toHaveLength(1)
    expect(patch.files[0]!.hunks[0]!.lines.map((line) => line.text)).toEqual(['-- old', '++ new', '@@ -1 +1 @@'])
  })
})

describe('a patch is refused', () => {
  test('when there is no diff in it', () => {
    expect(refusal('').code).toBe('empty-patch')
    expect(refusal('Dear list,\nplease pull.\n').code).toBe('empty-patch')
    expect(refusal('\0\xff\x01').code).toBe('empty-patch')
    expect(refusal('diff --git a/x b/x\nold mode 100644\nnew mode 100755\n').message).toContain('no file')
  })

  test('when it changes a binary file', () => {
    expect(refusal('diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 3\n').code).toBe('binary-patch')
    expect(refusal('diff --git a/x b/x\nindex 1..2\nBinary files a/x and b/x differ\n').code).toBe('binary-patch')
    expect(refusal(`--- a/x\n+++ b/x\n${hunk}Binary files a/y and b/y differ\n`).code).toBe('binary-patch')
  })

  test('when a path leaves the tree or holds a NUL', () => {
    const fault = refusal(`--- a/../../etc/passwd\n+++ b/../../etc/passwd\n${hunk}`)
    expect(fault.code).toBe('path-leaves-tree')
    expect(fault.message).toMatch(/^fix\.patch:1: /)
    expect(refusal(`--- a/fs/../fs/x\n+++ b/fs/../fs/x\n${hunk}`).message).toContain('has .. in it')
    expect(refusal(`--- "a/x\\000.c"\n+++ b/x\n${hunk}`).code).toBe('hostile-path')
    expect(refusal('diff --git a/../x b/../x\nnew file mode 100644\n').code).toBe('path-leaves-tree')
    expect(refusal('diff --git a/x b/x\nrename from x\nrename to ../../y\n').code).toBe('path-leaves-tree')
  })

  test('when it makes a symbolic link', () => {
    expect(
      refusal('diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+/etc\n').code,
    ).toBe('not-a-regular-file')
  })

  test('when a hunk and its counts disagree, with the line where that shows', () => {
    const cut = refusal('--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n')
    expect(cut.code).toBe('hunk-counts-disagree')
    expect(cut.message).toContain('line 3')
    const longer = refusal('--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n+d\n')
    expect(longer.message).toMatch(/^fix\.patch:7: /)
    expect(refusal('--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\nb\n').code).toBe('hunk-counts-disagree')
  })

  test('when it is a context diff, a copy, or a hunk without a file', () => {
    expect(refusal('*** a/x\n--- b/x\n***************\n*** 1 ****\n! a\n').code).toBe('context-diff')
    expect(refusal('diff --git a/x b/y\ncopy from x\ncopy to y\n').code).toBe('copy-in-patch')
    expect(refusal(hunk).code).toBe('malformed-patch')
    expect(refusal('--- a/x\n+++ b/x\nnothing\n').code).toBe('malformed-patch')
  })
})
