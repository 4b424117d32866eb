// SPDX-License-Identifier: GPL-3.0-or-later
// How far the exercises of a proof reach: in one boot of a kernel, with a probe on every function that the real fixes
// of a set (bench/fixes) replace, all exercises are done, each once.
// npm run coverage -- [--set SET] [--kernel WHICH] [--limit SECONDS]
// The last lines are a table for docs/proof.md.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { makeLivePatch } from '../src/module/make.ts'
import { parsePatch } from '../src/patch/parse.ts'
import { readSubject } from '../src/vm/plan/subject.ts'
import { prove } from '../src/vm/proof.ts'
import { readResults } from './fixes/results.ts'

const { values } = parseArgs({
  options: {
    set: { type: 'string', default: 'bookworm' },
    kernel: { type: 'string', default: '6.1' },
    limit: { type: 'string', default: '600' },
  },
})
const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, values.kernel)
const limit = Number(values.limit)

/** A live patch of what nothing in a proof runs, so that no exercise is left out. */
const idle = `--- a/kernel/reboot.c
+++ b/kernel/reboot.c
@@ -294,3 +294,4 @@
 void kernel_halt(void)
 {
+	pr_info("halted\\n");
 	kernel_shutdown_prepare(SYSTEM_HALT);
`

interface Place {
  readonly object: string
  readonly name: string
}
/** The fixes that were built, with what each replaces. */
const fixes = (readResults(values.set)?.fixes ?? []).filter(({ proof }) => proof !== undefined)
const key = ({ object, name }: Place) => `${object}:${name}`
const places = [...new Map(fixes.flatMap(({ functions }) => functions).map((one) => [key(one), one])).values()]
const modules = [...new Set(places.map(({ object }) => object))].filter((object) => object !== 'vmlinux')

const probe = ({ object, name }: Place, index: number) =>
  `echo 'p:fixes/fix_${index} ${object === 'vmlinux' ? '' : `${object}:`}${name}' >>$t/kprobe_events || ` +
  `echo absent ${index}`
const script = `#!/bin/sh
t=/sys/kernel/tracing
case $1 in
before)
for module in ${modules.join(' ')}; do modprobe $module; done 2>/dev/null
{ ${places.map(probe).join('\n')}
} 2>/dev/null
mkdir $t/instances/fixes
echo 0 >$t/instances/fixes/tracing_on
echo 1 >$t/instances/fixes/events/fixes/enable ;;
reverted)
grep fix_ $t/kprobe_profile ;;
esac
exit 0
`

const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-coverage-'))
try {
  const { module } = await makeLivePatch(job, kernel, {
    patches: [parsePatch(Buffer.from(idle), 'idle.patch')],
    name: 'idle',
    replace: true,
    allow: [],
    output: dir,
  })
  const file = path.join(dir, 'script')
  writeFileSync(file, script)
  const proof = await prove(job, kernel, {
    subject: await readSubject(module),
    script: file,
    modules,
    exercise: true,
    exerciseLimit: limit,
    timeout: 3 * limit,
    memory: 1024,
  })
  const steps = proof.orders.flatMap((order) => order.steps)
  const printed = (phase: string) => steps.find(({ id }) => id.endsWith(`check.${phase}.script`))?.output?.text ?? ''
  const absent = new Set([...printed('before').matchAll(/^absent (\d+)$/gm)].map(([, index]) => Number(index)))
  const times = new Map(
    [...printed('reverted').matchAll(/fix_(\d+)\s+(\d+)\s+(\d+)/g)].map(([, index, hits, missed]) => [
      Number(index),
      Number(hits) + Number(missed),
    ]),
  )
  for (const { message } of proof.failures) console.log(`failure: ${message}`)
  for (const note of proof.notes) console.log(`note: ${note}`)
  for (const { exercises = [] } of steps)
    for (const { index, ms, exitCode } of exercises)
      console.log(`exercise ${proof.coverage.exercises[index]}: ${(ms / 1000).toFixed(1)} s, exit code ${exitCode}`)
  const numbers = new Map(places.map((place, index) => [key(place), index]))
  const ran = (place: Place) => (times.get(numbers.get(key(place)) ?? -1) ?? 0) > 0
  const rows = fixes.map(({ id, functions }) => {
    const own = functions.filter(ran)
    const word = own.length === functions.length ? 'all' : own.length > 0 ? 'some' : 'none'
    return { id, functions, own, word }
  })
  for (const { id, functions, own, word } of rows)
    console.log(`${word.padEnd(4)} ${id.padEnd(24)} ${own.length} of ${functions.length}`)
  const count = (word: string) => rows.filter((row) => row.word === word).length
  console.log(`functions: ${places.filter(ran).length} of ${places.length} ran, ${absent.size} are not in the guest`)
  console.log(`| fixes | all | some | none |\n| --- | --- | --- | --- |`)
  console.log(`| ${rows.length} | ${count('all')} | ${count('some')} | ${count('none')} |`)
} finally {
  rmSync(dir, { recursive: true })
}
