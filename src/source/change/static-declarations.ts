// SPDX-License-Identifier: GPL-3.0-or-later
// Which static variable of a function is which, by the source: a declaration that the patch leaves alone declares the
// same variable as before, and so does one that was moved with all the code that can see it. Where both are asked and
// say different things, or where an old declaration goes and a new one of the name comes, nothing is certain.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { BuildTrees } from '../../build/compiler/compile-unit.ts'
import { type Declared, declaredIn } from '../../build/compiler/declared-variables.ts'
import type { Unit } from '../../build/kbuild/units.ts'
import { closing, type Token, tokenize } from '../../c/tokens/lexer.ts'
import type { Change } from '../../diff/change.ts'
import { stem } from '../../diff/object/compiler-names.ts'
import type { Declarations } from '../../diff/statics/static-locals.ts'
import type { Place } from '../../elf/dwarf.ts'
import type { Job } from '../../ground/job.ts'
import { getOrInsertComputed } from '../../ground/values/remembered.ts'
import type { FileChange } from '../../patch/patch.ts'

/** A declaration in one of the texts. */
export interface Declaration {
  readonly symbol: string
  readonly place: Place
  /** The function that it stands in, and the tokens that can see it; undefined when the text is not understood. */
  readonly scope:
    | {
        readonly owner: string
        readonly text: string
        /**
         * Line of the brace before the block in which it is declared itself; 0 for a macro's, of which a block may have
         * several.
         */
        readonly block: number
        /** The block is the function's body. */
        readonly isBody: boolean
      }
    | undefined
}

/** What the source says of a unit's variables. */
export interface UnitDeclarations {
  readonly identities: Declarations
  readonly before: ReadonlyMap<string, Declared>
  readonly after: ReadonlyMap<string, Declared>
}

/** True when the objects alone leave a choice, or when only how variables are used has decided it. */
export function needsDeclarations({ correlation }: Change): boolean {
  return correlation.ambiguous.size > 0 || correlation.pairs.some(({ by }) => by === 'use')
}

/** @returns undefined when the compiler does not tell */
export async function unitDeclarations(
  job: Job,
  bench: BuildTrees,
  unit: Unit,
  change: Change,
): Promise<UnitDeclarations | undefined> {
  const [before, after] = await Promise.all([
    declaredIn(job, bench, unit, 'before', change.before.object),
    declaredIn(job, bench, unit, 'after', change.after.object),
  ])
  if (before === undefined || after === undefined) return undefined
  const changes = new Map(bench.changes.map((one) => [one.path, one]))
  const textOf = (file: string, side: 'before' | 'after') => {
    const changed = changes.get(file)
    if (changed !== undefined) return changed[side]
    try {
      return readFileSync(path.join(bench.kernel.source, file), 'latin1')
    } catch {
      return undefined
    }
  }
  return {
    identities: identities(
      declarationsIn(before, (file) => textOf(file, 'before')),
      declarationsIn(after, (file) => textOf(file, 'after')),
      changes,
    ),
    before,
    after,
  }
}

/**
 * @param places by symbol
 * @param textOf the text of a file, latin1
 */
export function declarationsIn(
  places: ReadonlyMap<string, Place>,
  textOf: (file: string) => string | undefined,
): Declaration[] {
  const tokens = new Map<string, readonly Token[] | undefined>()
  const tokensOf = (file: string) => {
    if (!tokens.has(file)) {
      const text = textOf(file)
      tokens.set(file, text === undefined ? undefined : tokenize(text))
    }
    return tokens.get(file)
  }
  return [...places].map(([symbol, place]) => {
    // Only names with a number of the compiler's, or a function in front, can be meant.
    const list = symbol.includes('.') ? tokensOf(place.file) : undefined
    return { symbol, place, scope: list && scopeOf(list, place.line) }
  })
}

/**
 * What can see a variable that is declared on a line: the tokens up to the end of the block; for a macro's, the macro's
 * own.
 */
function scopeOf(tokens: readonly Token[], line: number): Declaration['scope'] {
  const first = tokens.findIndex((token) => token.line === line)
  if (first < 0) return undefined
  const open: number[] = []
  for (let at = 0; at < first; at++) {
    const { text } = tokens[at]!
    if (text === '{') open.push(at)
    else if (text === '}') open.pop()
  }
  const [body] = open
  const block = open.at(-1)
  if (body === undefined || block === undefined) return undefined
  const words = tokens.filter((token) => token.line === line).map(({ text }) => text)
  let end = closing(tokens, block)
  let start = first
  let own = block
  if (!words.includes('static')) {
    end = first
    while (end < tokens.length && tokens[end]!.text !== ';') end++
  } else {
    // The line may begin in front of the block.
    const inside = tokens.findIndex((token, at) => at >= first && token.line === line && token.text === 'static')
    start = inside
    for (let at = first; at < inside; at++)
      if (tokens[at]!.text === '{') {
        end = closing(tokens, at)
        own = at
      }
  }
  return {
    owner: ownerOf(tokens, body),
    text: tokens
      .slice(start, end)
      .map(({ text }) => text)
      .join(' '),
    block: words.includes('static') ? tokens[own]!.line : 0,
    isBody: own === body,
  }
}

/** The name in front of the parentheses before a function's body. */
function ownerOf(tokens: readonly Token[], body: number): string {
  let depth = 0
  for (let at = body - 1; at > 0; at--) {
    const { text } = tokens[at]!
    if (text === ')') depth++
    else if (text === '(' && --depth === 0) return tokens[at - 1]!.text
    else if (depth === 0 && (text === ';' || text === '}')) break
  }
  return ''
}

function keyOf({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`
}

/** @param changes by path */
export function identities(
  before: readonly Declaration[],
  after: readonly Declaration[],
  changes: ReadonlyMap<string, Pick<FileChange, 'lineage'>>,
): Declarations {
  const groups = new Map<string, { readonly before: Declaration[]; readonly after: Declaration[] }>()
  for (const [side, list] of [
    ['before', before],
    ['after', after],
  ] as const)
    for (const one of list)
      getOrInsertComputed(groups, stem(one.symbol), () => ({ before: [], after: [] }))[side].push(one)
  const told = {
    before: new Map<string, string | undefined>(),
    after: new Map<string, string | undefined>(),
  }
  for (const group of groups.values()) {
    for (const one of group.before) told.before.set(one.symbol, keyOf(one.place))
    const kept = new Map<Declaration, Declaration>()
    for (const one of group.after) {
      const old = keptPlace(one.place, changes)
      const same = old && group.before.find(({ place }) => keyOf(place) === keyOf(old))
      if (same !== undefined) kept.set(one, same)
    }
    const claimed = new Set(kept.values())
    for (const one of group.after) {
      const same = kept.get(one)
      const alike = group.before.filter(
        ({ scope }) => scope !== undefined && scope.owner === one.scope?.owner && scope.text === one.scope.text,
      )
      told.after.set(
        one.symbol,
        same === undefined
          ? (moved(one, alike, group.before, claimed) ?? inBlock(one, group.before, claimed, changes))
          : stayed(same, alike),
      )
    }
  }
  return told
}

/** Where a declaration was before the patch; undefined when the patch wrote its line. */
function keptPlace(place: Place, changes: ReadonlyMap<string, Pick<FileChange, 'lineage'>>): Place | undefined {
  const change = changes.get(place.file)
  if (change === undefined) return place
  const line = change.lineage[place.line - 1] ?? 0
  return line === 0 ? undefined : { ...place, line }
}

/**
 * A block has one variable of a name: one whose declaration is written anew in the block in which the old one was is
 * that.
 */
function inBlock(
  { place: { file }, scope }: Declaration,
  before: readonly Declaration[],
  claimed: ReadonlySet<Declaration>,
  changes: ReadonlyMap<string, Pick<FileChange, 'lineage'>>,
): string | undefined {
  if (scope === undefined || scope.block === 0) return undefined
  const was = keptPlace({ file, line: scope.block, column: 0 }, changes)?.line
  const [one, ...more] = before.filter(
    ({ scope: old, place }) =>
      old !== undefined &&
      old.block !== 0 &&
      place.file === file &&
      old.owner === scope.owner &&
      old.isBody === scope.isBody &&
      (scope.isBody || old.block === was),
  )
  return one === undefined || more.length > 0 || claimed.has(one) ? undefined : keyOf(one.place)
}

/** A line that the patch leaves alone; but what sees the variable must not say that it is another one. */
function stayed(same: Declaration, alike: readonly Declaration[]): string | undefined {
  return alike.length === 0 || alike.includes(same) ? keyOf(same.place) : undefined
}

/** A line that the patch wrote: the only one with the same scope, or new where no other of the function goes. */
function moved(
  { place, scope }: Declaration,
  alike: readonly Declaration[],
  before: readonly Declaration[],
  claimed: ReadonlySet<Declaration>,
): string | undefined {
  const [one, ...more] = alike
  if (one !== undefined) return more.length > 0 || claimed.has(one) ? undefined : keyOf(one.place)
  if (scope === undefined) return undefined
  const goes = before.some((old) => !claimed.has(old))
  return goes ? undefined : `new ${keyOf(place)}`
}
