// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's own builder beside Inarch: npm run peers -- [--kernel testing] [--only NAME…] [--whole] [--work DIR]
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { requireRoot } from '../scripts/debian-root.ts'
import { readObject } from '../src/elf/read.ts'
import { Fault } from '../src/ground/fault.ts'
import { inputKinds, readInput } from '../src/ground/input.ts'
import { type Job, silentJournal } from '../src/ground/job.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { listedFunctions } from '../src/module/structures/listed-functions.ts'
import { parseExpectation } from '../src/vm/plan/check.ts'
import { readSubject } from '../src/vm/plan/subject.ts'
import { type Proof, prove } from '../src/vm/proof.ts'
import { makeProbe } from '../test/changes/prove.ts'
import { type Built, runKlpBuild, touchedBy } from './peers/klp-build.ts'
import type { Work } from './peers/measured.ts'
import { runInarch } from './peers/ours.ts'
import { openTree } from './peers/tree.ts'
import { patchOf, type Trial, trials } from './peers/trials.ts'

const help = `npm run peers -- [OPTIONS]

The same patches through klp-build, as the source of a kernel of Linux 7.2 or later brings it, and through Inarch: what
each costs, replaces and refuses, and whether each live patch loads, switches and reverts in a guest.

  --kernel WHICH   the kernel; testing by default
  --only NAME      only this patch (${trials.map(({ name }) => name).join(', ')}); repeatable
  --whole          klp-build as it is, which builds the whole kernel: hours, and 20 GB. Without, its make builds
                   only what can include a changed file (see docs/peers.md)
  --work DIR       where the root of the kernel's suite is made, and stays; /var/tmp/inarch-peers by default
  --stale          take package lists that are older than they are valid
  --no-proof       do not boot the live patches

As root, with mmdebstrap. The first run makes the root (4 GB) and the tree in it.`

const { values } = parseArgs({
  options: {
    kernel: { type: 'string', default: 'testing' },
    only: { type: 'string', multiple: true, default: [] },
    whole: { type: 'boolean', default: false },
    work: { type: 'string', default: '/var/tmp/inarch-peers' },
    stale: { type: 'boolean', default: false },
    'no-proof': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(name, () => stop.abort(new Fault('usage', 'stopped', `Stopped by ${name}`)))
const job: Job = { signal: stop.signal, journal: silentJournal() }

/** What one builder made of a patch. */
interface Side {
  readonly cold: Built
  readonly again: Built
  readonly replaced: readonly string[]
  readonly proof?: Proof
}

async function proofOf(kernel: Kernel, { checks }: Trial, module: string, probe: string): Promise<Proof> {
  return await prove(job, kernel, {
    subject: await readSubject(module),
    checks: checks.map(({ name, run, before, after, reverted }) => ({
      command: run,
      label: name,
      before: parseExpectation(before),
      after: parseExpectation(after),
      ...(reverted === undefined ? {} : { reverted: parseExpectation(reverted) }),
    })),
    programs: [probe],
    expected: checks.flatMap(({ expected }) => (expected === undefined ? [] : [expected])),
    // One processor: no other is idle when a transition begins, so it ends at once.
    cpus: 1,
  })
}

async function sideOf(
  kernel: Kernel,
  trial: Trial,
  probe: string,
  run: (again: boolean) => Promise<Built>,
): Promise<Side> {
  const cold = await run(false)
  const again = cold.module === undefined ? cold : await run(true)
  if (again.module === undefined) return { cold, again, replaced: [] }
  const object = readObject(await readInput(again.module, inputKinds.module), again.module)
  const replaced = (listedFunctions(object) ?? []).map(({ object: of, name }) =>
    of === 'vmlinux' ? name : `${of}:${name}`,
  )
  return {
    cold,
    again,
    replaced: replaced.sort(),
    ...(values['no-proof'] ? {} : { proof: await proofOf(kernel, trial, again.module, probe) }),
  }
}

const cost = ({ worked, wall }: Work) => `${worked.toFixed(1)} (${wall.toFixed(0)})`

function say(who: string, { cold, again, replaced, proof }: Side): void {
  if (again.module === undefined) {
    console.log(`  ${who}: refused after ${cost(again.work)} s: ${again.refusal}`)
    return
  }
  console.log(`  ${who}: cold ${cost(cold.work)} s, again ${cost(again.work)} s; replaces ${replaced.join(', ')}`)
  if (proof === undefined) return
  console.log(`  ${who}: ${proof.verdict}, in ${proof.orders.length} orders`)
  for (const { message, lines = [] } of proof.failures) console.log(`    ${[message, ...lines].join('\n      ')}`)
}

async function compare(): Promise<void> {
  const kernel = await selectKernel(job, values.kernel)
  const work = path.resolve(values.work)
  const start = performance.now()
  const tree = await openTree(job, kernel, { work, stale: values.stale, whole: values.whole })
  console.log(`${kernel.release}; the tree: ${((performance.now() - start) / 1000).toFixed(0)} s`)
  await mkdir(path.join(work, 'probe'), { recursive: true })
  const probe = makeProbe(path.join(work, 'probe'))
  let isWholeBuilt = false
  for (const trial of trials.filter(({ name }) => values.only.length === 0 || values.only.includes(name))) {
    const patch = patchOf(kernel, trial)
    const files = trial.edits.map(({ file }) => file)
    const touched = values.whole ? undefined : await touchedBy(job, kernel, files)
    console.log(`${trial.name}: ${trial.what}${touched === undefined ? '' : `; built: ${touched.join(' ')}`}`)
    const theirs = await sideOf(kernel, trial, probe, async (again) => {
      const request = { name: trial.name, patch, touched, again: again || (values.whole && isWholeBuilt) }
      const built = await runKlpBuild(job, tree, request, path.join(work, 'klp-build'))
      isWholeBuilt ||= built.module !== undefined
      return built
    })
    say('klp-build', theirs)
    const ours = await sideOf(kernel, trial, probe, (again) =>
      runInarch(job, kernel, trial, patch, again, { work, output: path.join(work, 'inarch') }),
    )
    say('inarch', ours)
    if (
      theirs.replaced.join() !== ours.replaced.join() &&
      theirs.again.module !== undefined &&
      ours.again.module !== undefined
    )
      console.log('  they replace different functions')
  }
}

if (values.help) console.log(help)
else
  try {
    requireRoot()
    await compare()
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    console.error([error.message, error.remedy, error.detail].filter((line) => line !== undefined).join('\n'))
    process.exitCode = 1
  }
