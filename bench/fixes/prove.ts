// SPDX-License-Identifier: GPL-3.0-or-later
// Builds the fixes that can be built, with both engines, and proves them, as many as possible in one boot.
import pLimit from 'p-limit'
import { Fault } from '../../src/ground/fault.ts'
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import type { WrittenModule } from '../../src/module/manifest/output.ts'
import { readSubject } from '../../src/vm/plan/subject.ts'
import { type Proof, proveMany } from '../../src/vm/proof.ts'
import type { FittingFix } from './fit.ts'
import type { EngineComparison, FixResult, Proven } from './results.ts'

/** What became of a fix that was judged. */
export type Attempt = Pick<FixResult, 'refusal' | 'allowed' | 'engines' | 'proof'>

/**
 * Builds fixes and proves them in one boot, as long as none fails.
 * @param consents whether the reader, who has thought about its warnings, would apply a fix
 */
export async function proveAll(
  job: Job,
  kernel: Kernel,
  fixes: readonly FittingFix[],
  consents: (id: string) => boolean,
  output: string,
  jobs: number,
  tell: (id: string, attempt: Attempt) => void,
): Promise<void> {
  const limit = pLimit(jobs)
  const built = await Promise.all(
    fixes.map((one) =>
      limit(async () => {
        const { id } = one.fix
        try {
          return [{ id, ...(await build(job, kernel, one, consents(id), output)) }]
        } catch (error) {
          if (!(error instanceof Fault)) throw error
          tell(id, { refusal: error.message })
          return []
        }
      }),
    ),
  )
  const ready: readonly { id: string; allow: readonly string[]; made: WrittenModule }[] = built.flat()
  if (ready.length === 0) return
  const requests = await Promise.all(
    ready.map(async ({ made }) => ({ subject: await readSubject(made.module), checks: [], exercise: false })),
  )
  // One processor: no other is idle when a transition begins, so it ends at once.
  const proofs = await proveMany(job, kernel, requests, { cpus: 1, memory: 1024 })
  for (const [index, { id, allow, made }] of ready.entries()) {
    const proof = proofs[index]
    if (proof === undefined) continue
    tell(id, {
      ...(allow.length === 0 ? {} : { allowed: [...allow] }),
      engines: comparedEngines(made),
      proof: provenOf(proof),
    })
  }
}

/**
 * Builds a fix with both engines, and takes the binary one's module; where only warnings stand in the way, again with
 * the reader's consent.
 */
async function build(
  job: Job,
  kernel: Kernel,
  one: FittingFix,
  consents: boolean,
  output: string,
  allow: readonly string[] = [],
): Promise<{ made: WrittenModule; allow: readonly string[] }> {
  try {
    const { fix, patch } = one
    const made = await makeLivePatch(job, kernel, {
      patches: [patch],
      name: fix.id,
      replace: true,
      engine: 'both',
      allow: ['engines-differ', ...allow],
      output,
    })
    return { made, allow }
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'needs-consent' || !consents || allow.length > 0) throw error
    const asking = error.findings.filter(({ severity }) => severity === 'warning').map(({ rule }) => rule)
    return await build(job, kernel, one, consents, output, [...new Set(asking)])
  }
}

function comparedEngines({ manifest: { engines } }: WrittenModule): EngineComparison {
  const functions = engines?.functions ?? []
  return {
    agree: engines?.agree === true,
    identical: functions.filter(({ code }) => code === 'identical').length,
    functions: functions.length,
    differences: [
      ...(engines?.failure === undefined ? [] : [engines.failure]),
      ...functions.flatMap(({ name, replacedBy, code, explanation }) =>
        replacedBy === 'both' && code === 'identical' ? [] : `${name}: ${replacedBy}, ${explanation ?? code ?? ''}`,
      ),
    ],
  }
}

function provenOf({ verdict, failures, notes, orders }: Proof): Proven {
  return {
    verdict,
    failures: failures.map(({ message, lines = [] }) => [message, ...lines].join('\n').slice(0, 2000)),
    notes: [...notes],
    orders: orders.map(({ title, steps }) => {
      const time = (part: RegExp) =>
        Math.round(steps.filter(({ id }) => part.test(id)).reduce((sum, { ms }) => sum + ms, 0))
      return {
        title,
        loadMs: time(/^[a-z-]+\.load$/),
        switchMs: time(/^[a-z-]+\.transition$/),
        revertMs: time(/\.(revert|return)$/),
      }
    }),
  }
}
