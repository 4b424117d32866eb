// SPDX-License-Identifier: GPL-3.0-or-later
// What a report can show of a live patch without a manifest, such as one that the kernel's own builder made: its own
// tables, its code, its proof. What only a manifest tells is said to be unknown.
import { readObject } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { defined } from '../../ground/values/defined.ts'
import { splitSignature } from '../../module/manifest/signature.ts'
import { compactTables, type ListedCallback } from '../../module/structures/compact-tables.ts'
import type { ListedFunction } from '../../module/structures/function-entry.ts'
import { listedFunctions } from '../../module/structures/listed-functions.ts'
import type { Subject } from '../../vm/plan/subject.ts'
import { shownCode } from './assembly.ts'
import type { ReportedFunction } from './facts.ts'
import { type Replacement, replacementsIn } from './module-code.ts'
import { type ProofRecord, readProof } from './proof-file.ts'

export interface ListedFacts {
  readonly subject: Pick<Subject, 'name' | 'release' | 'sha256' | 'targets'>
  readonly module: { readonly file: string; readonly bytes: number }
  readonly signed: boolean
  readonly functions: readonly ReportedFunction[]
  readonly callbacks: readonly ListedCallback[]
  readonly proof?: ProofRecord
  /** What can't be shown, and why: sentences without full stops. */
  readonly missing: readonly string[]
}

/**
 * @param proof a file that `inarch prove` wrote
 * @throws Fault `usage/no-manifest` when the module does not tell either what it replaces; what `readProof` throws
 */
export async function gatherListedFacts(job: Job, subject: Subject, proof?: string): Promise<ListedFacts> {
  const object = readObject(subject.bytes, subject.file)
  const listed = listedFunctions(object)
  if (listed === undefined)
    throw new Fault('usage', 'no-manifest', `${subject.file} has no manifest beside it`, {
      remedy: `Put ${subject.file.replace(/\.ko$/, '.json')} there, which \`inarch build\` wrote with it`,
    })
  const missing = [
    'There is no manifest: why each function is replaced, its source, and the code that it had are not known',
    'Nobody has compared the kernel’s code with what this live patch was made for, and no safety rule has seen it',
  ]
  const replacements = replacementsIn(object)
  const pairs = listed.map((one) => ({ one, replacement: replacementOf(replacements, one) }))
  const codes = await shownCode(
    job,
    pairs.map(({ replacement }) => replacement?.code),
    missing,
  )
  const functions = pairs.map(({ one, replacement }, index): ReportedFunction => {
    const after = codes[index]
    return {
      object: one.object,
      name: one.name,
      sympos: one.sympos,
      unit: 'its file is not known',
      reasons: [],
      ...defined({ after }),
      touches: replacement?.touches ?? [],
    }
  })
  return {
    subject,
    module: { file: subject.file.replace(/^.*\//, ''), bytes: subject.bytes.length },
    signed: splitSignature(subject.bytes).signed,
    functions,
    callbacks: compactTables(object)?.callbacks ?? [],
    ...(proof === undefined ? {} : { proof: await readProof(proof, subject.sha256) }),
    missing,
  }
}

function replacementOf(all: readonly Replacement[], { name, section, offset }: ListedFunction) {
  return all.find(({ name: own, place }) => own === name && place.section === section && place.offset === offset)
}
