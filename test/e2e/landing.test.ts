// SPDX-License-Identifier: GPL-3.0-or-later
// A kernel with IBT (6.12) lets indirect calls lead only where it was built for them.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildCommand, inarch } from './inarch.ts'

let dir: string
beforeAll(() => {
  buildCommand()
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-landing-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A patch of /proc/meminfo by which one of the functions that add to it is called through a pointer. */
const patch = (how: string) => `--- a/fs/proc/meminfo.c
+++ b/fs/proc/meminfo.c
@@ -25,5 +25,7 @@
 {
 }
+${how}
+static void (*volatile report)(struct seq_file *m) = inarch_report;
 
 static void show_val_kb(struct seq_file *m, const char *s, unsigned long num)
 {
@@ -165,5 +167,5 @@
 
-\thugetlb_report_meminfo(m);
+\treport(m);
 
 \tarch_report_meminfo(m);
 
`

test('a function whose address nothing takes so far is refused by name; the way out is open', async () => {
  // The pointer is the patch's own, and goes with it.
  const allowed = ['--allow', 'address-of-new-function']
  const build = async (how: string) => {
    writeFileSync(path.join(dir, 'report.patch'), patch(how))
    return await inarch(['build', 'report.patch', '-k', 'trixie', '-o', dir, '--json', ...allowed], {
      cwd: dir,
    })
  }
  const direct = await build('#define inarch_report hugetlb_report_meminfo')
  expect(direct.code, direct.stderr).toBe(4)
  const { findings } = JSON.parse(direct.stdout).error
  expect(findings.filter(({ severity }: { severity: string }) => severity === 'error')).toEqual([
    expect.objectContaining({
      rule: 'no-landing-pad',
      symbol: 'hugetlb_report_meminfo',
      unit: 'fs/proc/meminfo.c',
    }),
  ])
  expect(readdirSync(dir)).toEqual(['report.patch'])
  // As the hint says.
  const around = await build('static void inarch_report(struct seq_file *m) { hugetlb_report_meminfo(m); }')
  expect(around.code, around.stderr).toBe(0)
})
