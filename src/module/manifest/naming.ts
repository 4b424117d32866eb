// SPDX-License-Identifier: GPL-3.0-or-later
// What to call a live patch, and how to describe it, from the patches that it is made of.
import path from 'node:path'
import { Fault } from '../../ground/fault.ts'
import type { Patch } from '../../patch/patch.ts'

/**
 * @param given what the user wants to call it
 * @returns `given`, or a name from the first patch's file name
 * @throws Fault `usage/bad-name`
 */
export function nameOf(given: string | undefined, patches: readonly Patch[]): string {
  const name = given ?? path.basename(patches[0]?.file ?? '').replace(/\.(patch|diff)$/, '')
  const clean =
    given === undefined
      ? name
          .toLowerCase()
          .replace(/[^a-z0-9]+/g, '-')
          .replace(/^-+|-+$/g, '')
          .slice(0, 40)
          .replace(/-+$/, '')
      : name
  if (!/^[a-z0-9][a-z0-9_-]{0,40}$/.test(clean))
    throw new Fault('usage', 'bad-name', `${JSON.stringify(name)} can't be the name of a live patch`, {
      remedy: 'Give one with --name: lower-case letters, digits, dashes and underscores, at most 41',
    })
  return clean
}

/** What git format-patch and mail put in front of a patch, on as many lines as it takes, without `[PATCH 1/2]`. */
function subjectOf({ preamble }: Patch): string | undefined {
  const subject = /^Subject:[ \t]*(\S.*(?:\n[ \t]+\S.*)*)/m.exec(preamble)?.[1]
  return subject?.replace(/\s*\n\s+/g, ' ').replace(/^\[[^\]]*\]\s*/, '')
}

/** The first patch's subject, or what it changes. */
export function describe(patches: readonly Patch[]): string {
  const text =
    patches.map(subjectOf).find((subject) => subject !== undefined) ??
    `Live patch from ${patches.map(({ file }) => path.basename(file)).join(', ')}`
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200)
}

/** What the fix is, in a line: the first patch's subject, or the first line of what it says about itself. */
export function titleOf(patches: readonly Patch[]): string | undefined {
  for (const patch of patches) {
    const isSaid = (line: string) => line.trim() !== '' && !/^(From|Date|commit) /.test(line)
    const first = subjectOf(patch) ?? patch.preamble.split('\n').find(isSaid)
    if (first !== undefined) return first.trim().slice(0, 200)
  }
  return undefined
}
