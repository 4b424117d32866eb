// SPDX-License-Identifier: GPL-3.0-or-later
// Tables that kbuild makes of a header's text, such as drivers/scsi/scsi_devinfo_tbl.c of scsi_devinfo.h by a sed
// command. No compiler sees where they come from, so a change of the header shows in no unit; the makefiles' rules
// tell.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Finding } from '../../ground/finding.ts'
import { makefilesIn } from '../kbuild/makefiles.ts'

export interface MadeFrom {
  /** Path of what is made, such as `drivers/scsi/scsi_devinfo_tbl.c`. */
  readonly target: string
  /** Path of the file that it is made of. */
  readonly from: string
  readonly makefile: string
}

/** A line of a makefile at its first colon or equals sign: an assignment, a rule, or neither (a recipe, a comment). */
function partsOf(line: string): { readonly kind: 'set' | 'rule'; left: string; right: string } | undefined {
  if (line.startsWith('\t') || line.startsWith('#')) return undefined
  const [colon, equals] = [line.indexOf(':'), line.indexOf('=')]
  if (equals >= 0 && (colon < 0 || equals <= colon + 2)) {
    const left = line.slice(0, colon >= 0 && colon < equals ? colon : equals).trim()
    return { kind: 'set', left: left.replace(/[?+!]$/, '').trimEnd(), right: line.slice(equals + 1).trim() }
  }
  // With an equals sign further on it is a variable of the target.
  if (colon < 0 || equals >= 0) return undefined
  return { kind: 'rule', left: line.slice(0, colon), right: line.slice(colon + 1).replace(/^:/, '') }
}

/**
 * What the rules of a makefile make of which files. Objects, and names with patterns, are left out: they come from what
 * is compiled.
 * @param makefile its path in the tree; names in it count from its directory by `$(src)` and `$(obj)`, and from the
 * root
 */
export function rulesIn(makefile: string, text: string): MadeFrom[] {
  const dir = path.posix.dirname(makefile)
  const variables = new Map([
    ['src', dir],
    ['obj', dir],
    ['srctree', '.'],
    ['objtree', '.'],
  ])
  const expand = (words: string, depth = 0): string =>
    words.replace(/\$[({]([\w-]+)[)}]/g, (all, name: string) => {
      const value = variables.get(name)
      return value === undefined || depth > 8 ? all : expand(value, depth + 1)
    })
  const found: MadeFrom[] = []
  for (const line of text.replace(/\\\r?\n/g, ' ').split('\n')) {
    const parts = partsOf(line)
    if (parts === undefined) continue
    if (parts.kind === 'set') {
      if (!variables.has(parts.left) && parts.right.length < 500) variables.set(parts.left, parts.right)
      continue
    }
    const paths = (words: string) =>
      expand(words)
        .split(/[\s|]+/)
        .filter((word) => word !== '' && !/[$%()]/.test(word))
        .map((word) => path.posix.normalize(word))
    for (const target of paths(parts.left).filter((one) => !/\.(?:o|a|ko|so|lds)$|^\./.test(one)))
      for (const from of paths(parts.right)) found.push({ target, from, makefile })
  }
  return found
}

/**
 * What is made of changed files by rules of the makefiles beside units, one finding for each.
 * @param root the kernel's source
 * @param objects paths of the objects of all units
 * @param changed paths of files that no compiler reads by themselves
 */
export function generatedFrom(root: string, objects: readonly string[], changed: readonly string[]): Finding[] {
  const wanted = new Set(changed)
  const names = changed.map((file) => path.posix.basename(file))
  const dirs = new Set(objects.map((object) => path.posix.dirname(object)))
  return [...dirs].flatMap((dir) =>
    makefilesIn(root, dir, false).flatMap((makefile) => {
      const text = readFileSync(path.join(root, makefile), 'latin1')
      if (!names.some((name) => text.includes(name))) return []
      return rulesIn(makefile, text)
        .filter(({ from, target }) => wanted.has(from) && from !== target)
        .map(
          ({ from, target }): Finding => ({
            severity: 'warning',
            rule: 'generated-from',
            unit: from,
            message:
              `${makefile} makes ${target} of ${from}, and a live patch does not make it anew: what is ` +
              'compiled from it stays as it is',
            hint: `Allow it if nothing of what changes is to be seen in ${path.posix.basename(target)}`,
          }),
        )
    }),
  )
}
