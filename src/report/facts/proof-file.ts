// SPDX-License-Identifier: GPL-3.0-or-later
// The proof of a live patch, as `inarch prove --json` and `--proof` write it; a file is hostile until parsed. A file
// with several proofs is asked for the one of this module.
import * as v from 'valibot'
import { Fault } from '../../ground/fault.ts'
import { inputKinds, readInput } from '../../ground/input.ts'
import { fittingJson } from '../../ground/schema.ts'

const strings = v.array(v.string())
/** ms: at most a month, which no proof takes. */
const duration = v.pipe(v.number(), v.minValue(0), v.maxValue(31 * 86_400_000))
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

const step = v.object({
  id: v.string(),
  title: v.string(),
  ms: duration,
  outcome: v.picklist(['done', 'failed', 'kept', 'refused', 'unfinished']),
  reason: v.exactOptional(v.string()),
  samples: v.exactOptional(v.array(v.object({ ms: duration, left: count, total: count }))),
  stuck: v.exactOptional(v.string()),
  command: v.exactOptional(v.string()),
  output: v.exactOptional(v.object({ exitCode: v.number(), text: v.string() })),
})

/** Who slept in a replaced function before the live patch came, and whether the transition went accordingly. */
const forecast = v.object({
  verdict: v.picklist(['will-finish', 'will-wait', 'cannot-finish']),
  tasks: count,
  sleeping: v.array(
    v.object({
      pid: v.number(),
      name: v.string(),
      kind: v.string(),
      functions: strings,
      stack: v.optional(strings, []),
      outlook: v.string(),
    }),
  ),
  hidden: v.optional(strings, []),
  held: v.exactOptional(v.boolean()),
  went: v.string(),
})

const proofSchema = v.object({
  format: v.literal('inarch-proof-2'),
  verdict: v.picklist(['proven', 'loaded', 'failed']),
  failures: v.array(
    v.object({
      code: v.string(),
      message: v.string(),
      step: v.exactOptional(v.string()),
      lines: v.exactOptional(strings),
    }),
  ),
  notes: strings,
  module: v.object({ name: v.string(), file: v.string(), sha256: v.string() }),
  over: v.array(v.object({ name: v.string(), file: v.string(), sha256: v.string(), outcome: v.string() })),
  kernel: v.object({ release: v.string(), version: v.string() }),
  machine: v.object({
    accelerator: v.string(),
    cpus: count,
    inTurn: v.exactOptional(v.literal(true)),
    memory: count,
    processor: v.exactOptional(v.string()),
    parameters: strings,
  }),
  boots: count,
  bootMs: v.array(duration),
  orders: v.array(
    v.object({
      order: v.string(),
      title: v.string(),
      steps: v.array(step),
      forecast: v.exactOptional(forecast),
    }),
  ),
  replaced: v.array(
    v.object({
      object: v.string(),
      name: v.string(),
      sympos: count,
      active: v.exactOptional(v.boolean()),
    }),
  ),
  coverage: v.object({
    functions: v.array(
      v.object({
        object: v.string(),
        name: v.string(),
        sympos: count,
        ran: v.exactOptional(count),
        uncounted: v.exactOptional(v.string()),
      }),
    ),
    checked: v.boolean(),
    exercises: strings,
  }),
  loads: v.array(count),
  log: v.array(
    v.object({
      rule: v.string(),
      step: v.exactOptional(v.string()),
      line: count,
      lines: strings,
      expected: v.boolean(),
    }),
  ),
  consoles: v.array(strings),
  ms: duration,
})

const documentSchema = v.variant('format', [
  proofSchema,
  v.object({ format: v.literal('inarch-proofs-2'), proofs: v.array(proofSchema) }),
])

export type ProofRecord = v.InferOutput<typeof proofSchema>
export type ProofStep = v.InferOutput<typeof step>

/**
 * The proof of the module with this SHA-256.
 * @throws what `readInput` throws; Fault `usage/bad-proof`, `usage/other-proof` when it is about another module
 */
export async function readProof(file: string, sha256: string): Promise<ProofRecord> {
  const text = (await readInput(file, inputKinds.proof)).toString('utf8')
  const document = fittingJson(documentSchema, text, (why) => bad(file, why))
  const proofs = document.format === 'inarch-proof-2' ? [document] : document.proofs
  const proof = proofs.find(({ module }) => module.sha256 === sha256)
  if (proof !== undefined) return proof
  throw new Fault('usage', 'other-proof', `${file} is not about this module`, {
    detail: [`module  ${sha256}`, ...proofs.map(({ module }) => `proof   ${module.sha256} ${module.file}`)].join('\n'),
    remedy: 'Prove the module as it is now with `inarch prove --proof FILE MODULE`',
  })
}

function bad(file: string, detail: string): Fault {
  return new Fault('usage', 'bad-proof', `The proof ${file} can't be understood`, {
    detail,
    remedy: 'Make it again with `inarch prove --proof FILE MODULE`',
  })
}
