// SPDX-License-Identifier: GPL-3.0-or-later
// What a reviewer of a live patch reads besides its manifest: the patches, and the source of each replaced function
// before and after. It is kept in the manifest, packed (gzip, base64), so that a report can be made where there is
// neither the kernel's source nor a compiler. The machine code is not in it: the module has it.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import * as v from 'valibot'
import { extentOf } from '../../c/written/function-extent.ts'
import { sourceName } from '../../diff/object/compiler-names.ts'
import { Fault } from '../../ground/fault.ts'
import { pack, unpack } from '../../ground/packed-json.ts'
import { fitting } from '../../ground/schema.ts'
import { remembered } from '../../ground/values/remembered.ts'
import type { Manifest } from './manifest.ts'
import type { CompiledFix } from './request.ts'

const piece = v.object({
  /** 1-based line of the file at which it begins. */
  line: v.pipe(v.number(), v.integer(), v.minValue(1)),
  text: v.string(),
})

const evidenceSchema = v.object({
  /** What the live patch was made of: patches, or C files of its own; by the manifest's names. */
  inputs: v.array(v.object({ file: v.string(), text: v.string() })),
  /** The source of the replaced functions that were found in it. */
  functions: v.array(
    v.object({
      object: v.string(),
      name: v.string(),
      unit: v.string(),
      /** Where it is defined: the unit, or a file that it includes. */
      file: v.string(),
      before: v.exactOptional(piece),
      /** Absent when it is as before. */
      after: v.exactOptional(piece),
    }),
  ),
})

export type Evidence = v.InferOutput<typeof evidenceSchema>
export type FunctionSource = Evidence['functions'][number]

/** Bytes, unpacked; more than this is not a review any more. */
const largest = 32 * 1024 * 1024

/**
 * Collects the texts of a fix. What is not found is left out; nothing is thrown.
 * @param directory with the C files of the live patch, if it was made of some
 */
export async function evidenceFor(
  { kernel, request, changes }: Pick<CompiledFix, 'kernel' | 'request' | 'changes'>,
  { objects, inputs }: Pick<Manifest, 'objects' | 'inputs'>,
  directory?: string,
): Promise<Evidence> {
  const changed = new Map(changes.map((change) => [change.path, change]))
  const unchanged = remembered((file: string) =>
    readFile(path.join(kernel.source, file), 'latin1').catch(() => undefined),
  )
  const sidesOf = async (file: string) => {
    const change = changed.get(file)
    if (change !== undefined) return change
    const text = await unchanged(file)
    return text === undefined ? {} : { before: text, after: text }
  }
  const functions: FunctionSource[] = []
  for (const object of objects)
    for (const { name, unit } of object.functions) {
      const written = sourceName(name)
      // A function of a header stands in a file that the patch changes, or the reason for its change does.
      for (const file of new Set([unit, ...changed.keys()])) {
        const sides = await sidesOf(file)
        const [before, after] = [cut(sides.before, written), cut(sides.after, written)]
        if (before === undefined && after === undefined) continue
        functions.push({
          object: object.name,
          name,
          unit,
          file,
          ...(before === undefined ? {} : { before }),
          ...(after === undefined || after.text === before?.text ? {} : { after }),
        })
        break
      }
    }
  const patches = request.patches.map(({ file, text }) => ({ file: path.basename(file), text }))
  const files = directory === undefined ? [] : await textsOf(directory, inputs)
  return { inputs: [...patches, ...files], functions }
}

/** The texts of a live patch's own C files; what the directory no longer has as it was built is left out. */
export async function textsOf(directory: string, inputs: Manifest['inputs']): Promise<Evidence['inputs']> {
  const texts = await Promise.all(
    inputs.map(async ({ file, sha256 }) => {
      const bytes = await readFile(path.join(directory, file)).catch(() => undefined)
      const isSame = bytes !== undefined && createHash('sha256').update(bytes).digest('hex') === sha256
      return isSame ? [{ file, text: bytes.toString('utf8') }] : []
    }),
  )
  return texts.flat()
}

function cut(latin1: string | undefined, name: string): { line: number; text: string } | undefined {
  if (latin1 === undefined) return undefined
  const extent = extentOf(latin1, name)
  if (extent === undefined) return undefined
  const lines = latin1.split('\n').slice(extent.first - 1, extent.last)
  return { line: extent.first, text: Buffer.from(lines.join('\n'), 'latin1').toString('utf8') }
}

/** @returns the evidence as the manifest holds it */
export function packEvidence(evidence: Evidence): string {
  return pack(evidence)
}

/** @throws Fault `usage/bad-manifest` when it is not what `packEvidence` made */
export function unpackEvidence(packed: string): Evidence {
  let value: unknown
  try {
    value = unpack(packed, largest)
  } catch {
    throw bad('it can’t be unpacked')
  }
  return fitting(evidenceSchema, value, bad)
}

function bad(detail: string): Fault {
  return new Fault('usage', 'bad-manifest', 'The evidence in the manifest can’t be understood', {
    detail,
    remedy: 'Build the live patch again with `inarch build`',
  })
}
