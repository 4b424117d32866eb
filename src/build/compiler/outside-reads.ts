// SPDX-License-Identifier: GPL-3.0-or-later
// A patch is somebody else's text, and the compiler reads whatever file it names: its words would stand in an error
// message, or its bytes in the module. What a patch says plainly is refused before the compiler sees it; what it
// composes of macros and strings shows in the list of the files that were read, and is refused then.
import { existsSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import type { FileChange } from '../../patch/patch.ts'
import type { Unit } from '../kbuild/units.ts'
import { pathIn } from './compiler-run.ts'
import { searchedBy } from './inputs.ts'

const rule = 'reads-outside'
const hint = 'A patch may only include files of the kernel’s source'

/** A line as the compiler reads it: without comments, with those that a backslash continues. */
interface LogicalLine {
  readonly text: string
  /** 1-based numbers of the file's lines. */
  readonly first: number
  readonly last: number
}

function logicalLines(text: string): LogicalLine[] {
  const lines: LogicalLine[] = []
  const physical = text.split('\n')
  for (let at = 0; at < physical.length; at++) {
    const first = at + 1
    let joined = physical[at] ?? ''
    while (/\\[ \t\r]*$/.test(joined) && at + 1 < physical.length)
      joined = joined.replace(/\\[ \t\r]*$/, '') + (physical[++at] ?? '')
    lines.push({ text: joined.replace(/\/\*.*?\*\//g, ' '), first, last: at + 1 })
  }
  return lines
}

function isOutside(name: string, from: string): boolean {
  return path.posix.isAbsolute(name) || path.posix.normalize(path.posix.join(from, name)).startsWith('..')
}

/** Header directories lie at most so deep in the tree. */
const deepest = 6

const quotedOrAngled = /^\s*(?:"([^"]*)"|<([^>]*)>)/
const directive = /^\s*(?:#|%:|\?\?=)\s*(\w+)(.*)$/
const asks = /\b__has_(?:include|include_next|embed)\b/g
const plainAsk = /^\s*\(\s*(?:"([^"]*)"|<([^>]*)>)/

/** What a line names that is outside of the tree, or says so that nobody can tell; undefined when nothing. */
function offence(line: string, file: string): string | undefined {
  const from = path.posix.dirname(file)
  const named = (rest: string, pattern: RegExp) => {
    const [, quoted, angled] = pattern.exec(rest) ?? []
    if (quoted !== undefined) return isOutside(quoted, from) ? quoted : undefined
    if (angled === undefined) return undefined
    const ups = angled.split('/').filter((part) => part === '..').length
    return path.posix.isAbsolute(angled) || ups > deepest ? angled : undefined
  }
  for (const { 0: word, index } of line.matchAll(asks)) {
    const rest = line.slice(index + word.length)
    const name = named(rest, plainAsk)
    if (name !== undefined) return name
    if (!plainAsk.test(rest) && /^\s*\(/.test(rest)) return `what ${word} asks for`
  }
  if (/\b(?:pragma|_Pragma)\b.*\b(?:dependency|pch_preprocess|include_alias)\b/.test(line)) return 'what a pragma names'
  const [, word, rest = ''] = directive.exec(line) ?? []
  if (word === undefined) return undefined
  if (/^(?:include|include_next|import)$/.test(word)) return named(rest, quotedOrAngled)
  if (word === 'embed') return quotedOrAngled.test(rest) ? named(rest, quotedOrAngled) : 'what #embed names'
  const [, place] = (word === 'line' || /^\d+$/.test(word) ? /"([^"]*)"/.exec(rest) : null) ?? []
  return place !== undefined && isOutside(place, '.') ? place : undefined
}

const assemblers = /\.(?:incbin|include)\b[\s\\nt]*(?:\\?"((?:[^"\\]|\\[^"])*)\\?")?/gi

/** Files that strings of assembly take in; neighbouring strings are one. */
function assembled(text: string | undefined): string[] {
  const joined = (text ?? '').replace(/(?<!\\)"\s*"/g, '')
  return [...joined.matchAll(assemblers)].map(([, name]) => name ?? '')
}

/** What the patch's own lines make the compiler read outside of the tree. */
export function readsOutside({ path: file, before, after, origins }: FileChange): Finding[] {
  if (after === undefined || !/\.[chS]$|\.inc$/.test(file)) return []
  const refusal = (message: string): Finding => ({ severity: 'error', rule, message, hint, unit: file })
  const found: Finding[] = []
  for (const { text, first, last } of logicalLines(after)) {
    let origin = origins.get(first)
    for (let at = first; origin === undefined && at <= last; at++) origin = origins.get(at)
    if (origin === undefined) continue
    const name = offence(text, file)
    if (name !== undefined)
      found.push(refusal(`${origin.patch}:${origin.line} reads ${name}, which is not in the kernel’s source`))
  }
  const known = assembled(before)
  for (const name of assembled(after)) {
    const at = known.indexOf(name)
    if (at !== -1) known.splice(at, 1)
    else if (name === '' || isOutside(name, '.'))
      found.push(
        refusal(
          `${file} takes ${name === '' ? 'a file' : name} into its assembly, which is not in the kernel’s source`,
        ),
      )
  }
  return found
}

/** Where a unit may read. */
export interface Places {
  /** The tree in which the compiler ran. */
  readonly tree: string
  /** The kernel's source, to which the tree's links lead. */
  readonly source: string
  readonly directories: readonly string[]
}

function isBelow(file: string, dir: string): boolean {
  return file === dir || file.startsWith(`${dir}/`)
}

/**
 * Holds the files that a compiler has read against those that it may read.
 * @throws Fault `refused/reads-outside`
 */
export function refuseOutside(unit: Unit, read: readonly string[], places: Places): void {
  const flags = unit.flags ?? []
  const roots = [places.tree, places.source, ...places.directories]
  const given = [...searchedBy(flags), ...flags].filter((one) => path.isAbsolute(one))
  const allowed = [...new Set([...roots, ...given].flatMap((one) => [one, real(one)]))]
  const outside = read.find((file) => {
    const full = pathIn(places.tree, file)
    const isPlain = !/(?:^|\/)\.\.\//.test(file)
    // A path inside the tree, or one that the kernel's own links lead out of it.
    if (isPlain && !path.isAbsolute(file)) return false
    const place = isPlain || !existsSync(full) ? path.normalize(full) : real(full)
    return !allowed.some((dir) => isBelow(place, dir))
  })
  if (outside === undefined) return
  const message = `${unit.source} reads ${outside}, which is not in the kernel’s source`
  throw new Fault('refused', rule, message, {
    findings: [{ severity: 'error', rule, message, hint, unit: unit.source }],
  })
}

function real(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return file
  }
}
