// SPDX-License-Identifier: GPL-3.0-or-later
// A cheap look at a changed file: whether it can change a type or the way in which a function is called. Most fixes
// change lines inside of functions, and for them the compiler is not asked again.

import { type Token, tokenize } from '../../c/tokens/lexer.ts'
import { isTagWord } from '../../c/tokens/words.ts'
import { type Declaration, lacking, splitDeclarations } from '../../c/written/declarations.ts'
import { nameOfHead } from '../../c/written/functions.ts'
import type { FileChange } from '../../patch/patch.ts'

export interface Scope {
  /** A struct, union, enum or typedef, or a number that may stand in one. */
  readonly types: boolean
  /** A function's head, or a prototype. */
  readonly signatures: boolean
  /** Names that what differs declares; empty when that is not known. */
  readonly names: ReadonlySet<string>
}

const none: Scope = { types: false, signatures: false, names: new Set() }
const all: Scope = { types: true, signatures: true, names: new Set() }

/** What stands before a function's body; undefined for what is no function with a body. */
function headOfFunction(text: string): { readonly name: string; readonly text: string } | undefined {
  const brace = text.indexOf('{')
  if (brace < 0 || !text.endsWith('}')) return undefined
  const head = tokenize(text, 0, brace)
  const name = nameOfHead(head)
  if (name === undefined || head[0]!.text === 'typedef' || head.some((one) => one.text === '=')) return undefined
  return { name, text: head.map((one) => one.text).join(' ') }
}

/** True for a typedef, and for what tells the members of a type. */
function isType(tokens: readonly Token[]): boolean {
  const says = (token: Token) => isTagWord(token.text) || /^[;={(]$/.test(token.text)
  const marks = tokens.filter(says)
  return tokens[0]?.text === 'typedef' || marks.some(({ text }, at) => text === '{' && isTagWord(marks[at - 1]?.text))
}

/** True for what only gives data a first value, or defines data of a type that there is. */
function isData(text: string): boolean {
  const brace = text.indexOf('{')
  return (brace < 0 ? text : text.slice(0, brace)).includes('=') || (brace < 0 && !text.includes('('))
}

/** A macro that stands for a declaration: `DEFINE_MUTEX(lock)`, `EXPORT_SYMBOL(f)`. */
const invocation = /^(?:static\s+)?[A-Z_][A-Z0-9_]*\s*\(/

/** What a change of one file can mean to types. In doubt it can. */
export function mayChangeTypes({ path: file, before, after }: FileChange): Scope {
  if (before === undefined || after === undefined || !/\.[ch]$/.test(file)) return none
  const [old, young] = [splitDeclarations(before), splitDeclarations(after)]
  if (old === undefined || young === undefined) return all
  const differing = [lacking(old, young), lacking(young, old)] as const
  const names = new Set(differing.flat().flatMap((one) => one.names))
  let types = false
  let signatures = false
  const heads = differing.map(
    (list) =>
      new Map(
        list.flatMap(({ text }) => {
          const head = headOfFunction(text)
          return head === undefined ? [] : [[head.name, head.text] as const]
        }),
      ),
  )
  for (const [name, head] of heads[0]!) {
    const other = heads[1]!.get(name)
    if (other !== undefined && other !== head) signatures = true
  }
  for (const [side, list] of differing.entries())
    for (const { kind, names: own, text } of list) {
      if (kind === 'directive') {
        if (!/^\s*#\s*include\b/.test(text)) types = true
      } else if (kind === 'macro') {
        // One that is new stands for nothing that was there.
        if (side === 1 && !differing[0].some((one) => one.kind === 'macro' && one.names[0] === own[0])) continue
        const uses = new RegExp(`\\b${own[0]}\\b`)
        const isOutside = (one: Declaration) =>
          !(one.kind === 'macro' && one.names[0] === own[0]) &&
          headOfFunction(one.text) === undefined &&
          uses.test(one.text)
        if (file.endsWith('.h') || old.some(isOutside) || young.some(isOutside)) types = true
      } else if (headOfFunction(text) === undefined) {
        if (isType(tokenize(text))) types = true
        else if (text.includes('(') && !text.includes('{')) {
          // What is only announced anew was called in no other way before.
          const name = nameOfHead(tokenize(text))
          const isOther = (one: Declaration) => one.text !== text && nameOfHead(tokenize(one.text)) === name
          if (!invocation.test(text) && differing[1 - side]!.some(isOther)) signatures = true
        } else if (!isData(text)) types = true
      }
    }
  return { types, signatures, names }
}
