// SPDX-License-Identifier: GPL-3.0-or-later
// The fixes that were chosen from a stable update, as choice.json records them: which hunks of the difference
// between two sources belong together, and which entries of the changelog they are. The patches made from it
// lie in test/fixes, so that they outlive the two versions in the archive.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'

// npm runs everything from the project's own directory, and this file as part of a bundle.
const here = path.resolve('bench/fixes')

const ChoiceSchema = v.object({
  series: v.string(),
  /** Debian's versions of the two sources. */
  older: v.string(),
  newer: v.string(),
  fixes: v.array(
    v.object({
      id: v.pipe(v.string(), v.regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)),
      subsystem: v.string(),
      /** As Debian's changelog of the newer version has them; several where their hunks can't be parted. */
      titles: v.pipe(v.array(v.string()), v.minLength(1)),
      /** The file's hunks in the difference, counted from 0. */
      files: v.record(v.string(), v.union([v.literal('all'), v.array(v.number())])),
      /** Chosen when the rules were done: nobody who wrote one had seen it. */
      heldOut: v.exactOptional(v.boolean()),
    }),
  ),
})

export type Choice = v.InferOutput<typeof ChoiceSchema>
export type ChosenFix = Choice['fixes'][number]

export const patchDir = path.resolve('test/fixes')

/** @throws when choice.json is not as it has to be */
export function readChoice(): Choice {
  return v.parse(ChoiceSchema, JSON.parse(readFileSync(path.join(here, 'choice.json'), 'utf8')))
}

/** Where the patch of a fix lies. */
export function patchOf(id: string): string {
  return path.join(patchDir, `${id}.patch`)
}
