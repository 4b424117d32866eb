// SPDX-License-Identifier: GPL-3.0-or-later
// The sets of real fixes. Each folder beside this file is one: its choice.json records which hunks of the difference
// between two sources belong together, and which entries of the changelog they are. The patches made from it lie in
// the folder of the same name below test/fixes, so that they outlive the two versions in the archive.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'

// npm runs everything from the project's own directory, and this file as part of a bundle.
const here = path.resolve('bench/fixes')

const ChoiceSchema = v.object({
  /** As the page calls where the fixes come from: `Debian 12`. */
  title: v.string(),
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

export type Choice = v.InferOutput<typeof ChoiceSchema> & {
  /** The set's name, which is its folder's. */
  readonly set: string
}
export type ChosenFix = Choice['fixes'][number]

/** The names of all sets. */
export function setNames(): string[] {
  return readdirSync(here)
    .filter((name) => existsSync(path.join(here, name, 'choice.json')))
    .sort()
}

/** The file of a set that lies beside its choice.json. */
export function fileOf(set: string, name: string): string {
  return path.join(here, set, name)
}

/** @throws when choice.json is not as it has to be */
export function readChoice(set: string): Choice {
  return { set, ...v.parse(ChoiceSchema, JSON.parse(readFileSync(fileOf(set, 'choice.json'), 'utf8'))) }
}

/** Every set, as it was chosen. */
export function readChoices(): Choice[] {
  return setNames().map(readChoice)
}

/** Where the patches of a set lie. */
export function patchDir(set: string): string {
  return path.resolve('test/fixes', set)
}

/** Where the patch of a fix lies. */
export function patchOf(set: string, id: string): string {
  return path.join(patchDir(set), `${id}.patch`)
}
