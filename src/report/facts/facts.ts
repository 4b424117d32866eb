// SPDX-License-Identifier: GPL-3.0-or-later
// Everything that a report shows, as a plain value: from the module, its manifest and, if there is one, its proof.
// Neither the kernel nor a compiler is needed; what can't be shown is said.
import type { Beyond } from '../../check/semantics/plain/judgement.ts'
import { readObject } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { defined } from '../../ground/values/defined.ts'
import { grouped } from '../../ground/values/grouped.ts'
import type { MatchRecord } from '../../match/record.ts'
import { type Evidence, unpackEvidence } from '../../module/manifest/evidence.ts'
import type { Manifest } from '../../module/manifest/manifest.ts'
import { parsePatch } from '../../patch/parse.ts'
import type { Patch } from '../../patch/patch.ts'
import type { Subject } from '../../vm/plan/subject.ts'
import { type Instruction, shownCode } from './assembly.ts'
import { codeBefore } from './kernel-code.ts'
import { replacementsIn, type Touch } from './module-code.ts'
import { type ProofRecord, readProof } from './proof-file.ts'

export interface ReportedFunction {
  readonly object: string
  readonly name: string
  readonly sympos: number
  readonly unit: string
  readonly reasons: readonly string[]
  /** What of it reaches beyond its call; undefined when the manifest does not tell. */
  readonly beyond?: Beyond
  /** How it was recognised in the kernel's image; undefined when the manifest does not tell. */
  readonly match?: Pick<MatchRecord, 'by' | 'address' | 'fields' | 'unconfirmed'>
  readonly source?: Evidence['functions'][number]
  /** The running kernel's code; undefined when the manifest does not have it. */
  readonly before?: readonly Instruction[]
  /** The module's. */
  readonly after?: readonly Instruction[]
  readonly touches: readonly Touch[]
}

export interface ReportedInput {
  readonly file: string
  readonly sha256: string
  /** Undefined when it is no patch, or the manifest does not hold its text. */
  readonly patch?: Patch
  /** The text of a C file that the live patch was made of. */
  readonly source?: string
}

export interface Facts {
  readonly manifest: Manifest
  readonly module: { readonly file: string; readonly bytes: number }
  readonly inputs: readonly ReportedInput[]
  readonly functions: readonly ReportedFunction[]
  readonly proof?: ProofRecord
  /** What can't be shown, and why: sentences without full stops. */
  readonly missing: readonly string[]
}

/**
 * @param subject the module, with its manifest
 * @param proof a file that `inarch prove` wrote
 * @throws what reading the manifest's evidence and the proof throw
 */
export async function gatherFacts(
  job: Job,
  { bytes, file }: Pick<Subject, 'bytes' | 'file'>,
  manifest: Manifest,
  proof?: string,
): Promise<Facts> {
  const missing: string[] = []
  const evidence: Evidence =
    manifest.evidence === undefined ? { inputs: [], functions: [] } : unpackEvidence(manifest.evidence)
  // Two patches may have one name; they come in the same order.
  const texts = grouped(evidence.inputs, (input) => input.file)
  const inputs = manifest.inputs.map((input): ReportedInput => {
    const text = texts.get(input.file)?.shift()?.text
    if (text === undefined) return input
    if (/\.[ch]$/.test(input.file)) return { ...input, source: text }
    const patch = readAgain(text, input.file)
    return { ...input, ...defined({ patch }) }
  })
  const unread = inputs.filter((input) => !('patch' in input || 'source' in input)).map((input) => input.file)
  if (unread.length > 0) missing.push(`The manifest does not hold the text of ${unread.join(', ')}`)
  const functions = await functionsOf(job, manifest, bytes, evidence, missing)
  return {
    manifest,
    module: { file: file.replace(/^.*\//, ''), bytes: bytes.length },
    inputs,
    functions,
    ...(proof === undefined ? {} : { proof: await readProof(proof, manifest.sha256) }),
    missing,
  }
}

/** A patch that the manifest holds. Its bytes may have been mended, so that it can't be read any more. */
function readAgain(text: string, file: string): Patch | undefined {
  try {
    return parsePatch(Buffer.from(text), file)
  } catch (error) {
    if (error instanceof Fault) return undefined
    throw error
  }
}

async function functionsOf(
  job: Job,
  manifest: Manifest,
  bytes: Buffer,
  evidence: Evidence,
  missing: string[],
): Promise<ReportedFunction[]> {
  // Two objects may have a function of one name; the module lists them in the same order.
  const keyOf = ({ name, sympos }: { name: string; sympos: number }) => `${name},${Math.max(1, sympos)}`
  const replacements = grouped(replacementsIn(readObject(bytes, manifest.module)), keyOf)
  const sources = new Map(
    evidence.functions.toReversed().map((one) => [`${one.object}\0${one.name}\0${one.unit}`, one]),
  )
  const listed = manifest.objects.flatMap((object) =>
    object.functions.map((one) => {
      const replacement = replacements.get(keyOf(one))?.shift()
      const source = sources.get(`${object.name}\0${one.name}\0${one.unit}`)
      return { object: object.name, one, replacement, before: codeBefore(one.match), source }
    }),
  )
  // Of each function its code before, then after.
  const codes = listed.flatMap(({ before, replacement }) => [before, replacement?.code])
  const shown = await shownCode(job, codes, missing)
  const functions = listed.map(({ object, one, replacement, source }, index): ReportedFunction => {
    const [before, after] = shown.slice(2 * index)
    return {
      object,
      name: one.name,
      sympos: one.sympos,
      unit: one.unit,
      reasons: one.reasons,
      ...defined({ beyond: one.beyond, match: one.match, source, before, after }),
      touches: replacement?.touches ?? [],
    }
  })
  const without = functions.filter(({ source }) => source === undefined)
  if (without.length > 0)
    missing.push(`The manifest does not hold the source of ${without.map(({ name }) => name).join(', ')}`)
  return functions
}
