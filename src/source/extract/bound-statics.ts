// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables of functions that stay the running kernel's: in the place of its definition, each is declared with
// the symbol that it has there. All such declarations of a file share one space of names, so two of one name must not
// meet.

import { isLabel, type StaticLocal, shifted, staticLocalsOf } from '../../c/expanded/local-statics.ts'
import { isDeclaredByMacro, servesMessage } from '../../c/expanded/macro-statics.ts'
import type { MacroUses } from '../../c/expanded/macro-uses.ts'
import { placesOf } from '../../c/expanded/name-uses.ts'
import { plainest, typeIn, typeThrough } from '../../c/expanded/split-declaration.ts'
import { type Token, tokenize, wordsOf } from '../../c/tokens/lexer.ts'
import { spell } from '../../c/tokens/spelling.ts'
import type { Finding } from '../../ground/finding.ts'
import { grouped } from '../../ground/values/grouped.ts'
import type { RunningSymbol, SourceRequest } from '../view/request.ts'
import type { Item } from '../view/unit-view.ts'
import { tokensIn, writtenBody, writtenStatics } from '../view/written-body.ts'
import type { Edit } from '../view/written-piece.ts'
import { declarationOf } from './bound-declaration.ts'

/** A static variable of a function, bound to the running one. */
export interface BoundLocal {
  readonly local: StaticLocal
  readonly running: RunningSymbol
  /** Its name in the output. */
  readonly as: string
  /** Indexes of the words that mean it in the function's expanded tokens, where its name is another one. */
  readonly places: readonly number[]
}

/** Whether it serves a macro at one place in the source. What the author names is his own, whatever he calls it. */
function isIncidental({ chunk, tokens }: Item, { name, from, to }: StaticLocal): boolean {
  const declaration = tokens.slice(from, to).map(({ text }) => text)
  return (
    isDeclaredByMacro(name, declaration.join(' ')) &&
    !chunk.tokens.some(({ text }) => text === name) &&
    servesMessage(tokens, name, to)
  )
}

/** Which static variables of a function are bound, and what is wrong about it. */
export function bindLocals(
  item: Item,
  request: SourceRequest,
): { readonly bound: readonly BoundLocal[]; readonly findings: readonly Finding[] } {
  const bound: BoundLocal[] = []
  const findings: Finding[] = []
  const owner = item.declaration.declarators[0]!.name
  const locals = staticLocalsOf(item)
  const refuse = (name: string, message: string, hint: string) =>
    findings.push({ severity: 'error', rule: 'writable-copied', symbol: `${owner}.${name}`, message, hint })
  const places = locals.length === 0 ? undefined : writtenStatics(item)
  for (const local of locals) {
    const { name } = local
    if (isIncidental(item, local)) continue
    // Of a constant there may be copies, unless somebody may keep its address, which then leads into the live patch.
    if (local.isConst && (!local.isWritten || isLiteral(item, local) || holdsLabel(item, local))) continue
    const running = request.externalize(`${owner}.${name}`, 'variable', false)
    const isOnlyOne = locals.every((other) => other === local || other.name !== name)
    if (local.isConst) {
      if (request.carry?.(`${owner}.${name}`) === true || (running === undefined && isOnlyOne)) continue
      if (running !== undefined && isOnlyOne && places?.has(local.from) === true)
        bound.push({ local, running, as: name, places: [] })
      else
        findings.push({
          severity: 'warning',
          rule: 'constant-copied',
          symbol: `${owner}.${name}`,
          message:
            `${owner} hands on the address of its constant ${name}, and the source can't name the ` +
            `running kernel's: who keeps it has a pointer into the live patch`,
          hint: 'Build with the binary engine; if nobody keeps the address, allow it',
        })
    } else if (running === undefined) {
      if (request.carry?.(`${owner}.${name}`) !== true && local.isWritten)
        refuse(
          name,
          `${owner} has a static variable ${name}, of which the running kernel has no symbol, or ` +
            `several that can't be told apart; a copy would be a second one`,
          'Use a shadow variable, or keep the function out of the change',
        )
    } else if (holdsLabel(item, local)) {
      if (local.isWritten)
        refuse(
          name,
          `${owner} has a static variable ${name} with addresses inside of ${owner}; the running ` +
            `kernel's leads into the code that is replaced`,
          'Make it const in the fix, or keep the function out of the change',
        )
    } else if (!isOnlyOne)
      refuse(
        name,
        `${owner} has several static variables of the name ${name}, so it can't be said which of the ` +
          `running kernel's is meant`,
        'Give them different names in a change before this one, or use the binary engine',
      )
    else if (places?.has(local.from) !== true)
      refuse(
        name,
        `${owner} has the static variable ${name} by a macro, so it can't be bound to the running ` +
          `kernel's; a copy would be a second one`,
        'Write out in the fix what the macro does, or use the binary engine',
      )
    else bound.push({ local, running, as: name, places: [] })
  }
  return { bound, findings }
}

/** Whether it is text, of which there are copies anyway, as of a literal. */
function isLiteral({ tokens }: Item, { from, declarator }: StaticLocal): boolean {
  const type = tokens.slice(from, declarator.from)
  return (
    tokens[declarator.at + 1]?.text === '[' &&
    type.some(({ text }) => text === 'char') &&
    !tokens.slice(declarator.from, declarator.at).some(({ text }) => text === '*')
  )
}

/** Whether a variable begins with the address of a label: `&&name`. */
function holdsLabel({ tokens, declaration: { body } }: Item, { value }: StaticLocal): boolean {
  if (value === undefined) return false
  for (let at = value.from; at < value.to; at++)
    if (tokens[at]!.text === '&&' && isLabel(tokens, tokens[at + 1]?.text ?? '', body!)) return true
  return false
}

/**
 * Gives the bound variables names that do not meet in the output.
 * @param isTaken whether something else in the output, or in its headers, has the name
 */
export function nameLocals(
  locals: ReadonlyMap<Item, readonly BoundLocal[]>,
  isTaken: (name: string) => boolean,
  macros: ReadonlyMap<string, readonly string[]>,
): { readonly locals: ReadonlyMap<Item, readonly BoundLocal[]>; readonly findings: readonly Finding[] } {
  const counts = new Map<string, number>()
  for (const bound of locals.values())
    for (const { local } of bound) counts.set(local.name, (counts.get(local.name) ?? 0) + 1)
  const findings: Finding[] = []
  const given = new Set<string>()
  const named = new Map<Item, readonly BoundLocal[]>()
  for (const [item, bound] of locals) {
    const owner = item.declaration.declarators[0]!.name
    const words = new Set(item.tokens.map(({ text }) => text))
    named.set(
      item,
      bound.map((one) => {
        const { name } = one.local
        if (counts.get(name) === 1 && !isTaken(name)) return one
        let as = `${owner}_${name}`
        while (given.has(as) || words.has(as) || counts.has(as) || isTaken(as)) as += '_'
        given.add(as)
        const places = placesOf(item.tokens, one.local.declarator.at)
        if (places === undefined || !areWritten(item, one.local, places, macros))
          findings.push({
            severity: 'error',
            rule: 'writable-copied',
            symbol: `${owner}.${name}`,
            message:
              `${owner} uses its static variable ${name} through a macro, and something else of the name ` +
              `${name} is needed, too, so it can't be bound to the running kernel's`,
            hint: 'Write out in the fix what the macro does, or use the binary engine',
          })
        return { ...one, as, places: places ?? [] }
      }),
    )
  }
  return { locals: named, findings }
}

/** Whether all words that mean a variable can be found in the written text. */
function areWritten(
  item: Item,
  local: StaticLocal,
  places: readonly number[],
  macros: ReadonlyMap<string, readonly string[]>,
): boolean {
  const { name, from, to } = local
  const expanded = wordsAt(item, local)
  const written = wordsIn(item, local)
  if (expanded.length === written.length) return true
  // A macro takes a word several times. That is all right where no other meaning of it is about, and no macro brings
  // it.
  if (expanded.length !== places.filter((at) => at < from || at >= to).length) return false
  const seen = new Set(item.chunk.tokens.flatMap(({ kind, text }) => (kind === 'name' ? [text] : [])))
  seen.delete(name)
  for (const word of seen)
    for (const body of macros.get(word) ?? [])
      for (const inner of wordsOf(body)) {
        if (inner === name) return false
        seen.add(inner)
      }
  return true
}

/**
 * Where a variable's name stands in the function's body, in the expanded tokens and in the written ones; not in its
 * declaration, in whose place another one comes, and in which a macro may take the name any number of times.
 */
function wordsAt({ tokens, declaration: { body } }: Item, { name, from, to }: StaticLocal): number[] {
  const isOutside = (at: number) => at < from || at >= to
  return tokens.flatMap(({ kind, text }, at) =>
    kind === 'name' && text === name && at >= body!.from && at < body!.to && isOutside(at) ? [at] : [],
  )
}

function wordsIn(item: Item, { name, from }: StaticLocal): Token[] {
  const body = writtenBody(item)
  if (body === undefined) return []
  const place = writtenStatics(item).get(from)
  const own = new Set(place === undefined ? [] : tokensIn(item.chunk, place))
  return tokensIn(item.chunk, body).filter((token) => token.kind === 'name' && token.text === name && !own.has(token))
}

/** How the declarations are made. */
export interface LocalText {
  readonly source: string
  readonly definitions: MacroUses
  /** What stands behind the declarator. */
  readonly label: (one: BoundLocal) => string
  /** The bound of an array whose initial value tells it. */
  readonly bound: (one: BoundLocal) => number | undefined
}

/**
 * The edits that make a function's written text declare the running kernel's variables, and call them by their names
 * here.
 */
export function localEdits(item: Item, bound: readonly BoundLocal[], text: LocalText): Edit[] {
  const edits: Edit[] = []
  if (bound.length === 0) return edits
  const { tokens } = item.chunk
  const places = writtenStatics(item)
  for (const group of declarationsOf(bound)) {
    const place = places.get(group[0]!.local.from)!
    const [from, to] = [tokens[place.from]!.start, tokens[place.to - 1]!.end]
    const line = text.source.slice(text.source.lastIndexOf('\n', from - 1) + 1, from)
    const parts = declarationsFor(item, bound, group, text, tokens.slice(place.from, place.to))
    edits.push({ from, to, text: parts.join(line.trim() === '' ? `\n${line}` : ' ') })
  }
  for (const { local, as, places: meant } of bound) {
    if (as === local.name) continue
    const words = wordsIn(item, local)
    const expanded = wordsAt(item, local)
    const isMeant = (index: number) => words.length !== expanded.length || meant.includes(expanded[index]!)
    for (const [index, { start, end }] of words.entries())
      if (isMeant(index) && !edits.some(({ from, to }) => start >= from && start < to))
        edits.push({ from: start, to: end, text: as })
  }
  return edits
}

/**
 * A function's expanded tokens with such declarations.
 * @param rename what a token is in the output otherwise
 */
export function withBoundLocals(
  item: Item,
  bound: readonly BoundLocal[],
  text: LocalText,
  rename: (token: Token) => Token,
): Token[] {
  const words = renamedIn(item.tokens, bound).map(rename)
  const found: Token[] = []
  let at = 0
  for (const group of declarationsOf(bound)) {
    const { from, to } = group[0]!.local
    const { line } = item.tokens[from]!
    const parts = declarationsFor(item, bound, group, text)
    found.push(...words.slice(at, from), ...parts.flatMap((part) => tokenize(part, 0, part.length, line)))
    at = to
  }
  return [...found, ...words.slice(at)]
}

function renamedIn(tokens: readonly Token[], bound: readonly BoundLocal[]): Token[] {
  const names = new Map(bound.flatMap(({ as, places }) => places.map((at) => [at, as] as const)))
  return tokens.map((token, at) => {
    const as = names.get(at)
    return as === undefined ? token : { ...token, text: as }
  })
}

/** The bound variables by the declaration in which they stand, in the order of the text. */
function declarationsOf(bound: readonly BoundLocal[]): BoundLocal[][] {
  const inOrder = [...bound].sort((a, b) => a.local.from - b.local.from)
  return [...grouped(inOrder, ({ local }) => local.from).values()]
}

/**
 * One declaration of static variables as several: of each that is bound, and of those that are not.
 * @param written its tokens as they are written, where they are wanted
 */
function declarationsFor(
  item: Item,
  bound: readonly BoundLocal[],
  group: readonly BoundLocal[],
  text: LocalText,
  written: readonly Token[] = [],
): string[] {
  const { local } = group[0]!
  const own = item.tokens.slice(local.from, local.to)
  const declaration = shifted(local)
  const type = typeIn(own, declaration)
  const isBound = (name: string) => group.some((one) => one.local.name === name)
  const first = plainest(declaration.declarators.filter(({ name }) => isBound(name)))!
  const ofFirst = group.find((one) => one.local.name === first.name)!
  const typeFor = type === undefined ? undefined : (type.name ?? typeThrough(own, first, ofFirst.as))
  const declared: Item = {
    tokens: own,
    declaration,
    chunk: { ...item.chunk, tokens: written, items: written.length === 0 ? [] : [item] },
  }
  const parts = [ofFirst, ...group.filter((one) => one !== ofFirst)].map((one) => {
    const size = text.bound(one)
    return declarationOf(
      {
        item: declared,
        name: one.local.name,
        as: one.as,
        prefix: 'extern ',
        label: text.label(one),
        ...(one === ofFirst || typeFor === undefined ? {} : { specifiers: typeFor }),
        ...(size === undefined ? {} : { bound: `${size}` }),
      },
      text.source,
      text.definitions,
    ).text
  })
  const words = renamedIn(item.tokens, bound).slice(local.from, local.to)
  const specifiers = typeFor === undefined ? spell(own.slice(0, declaration.declarators[0]!.from)) : `static ${typeFor}`
  for (const one of declaration.declarators)
    if (!isBound(one.name)) parts.push(`${specifiers} ${spell(words.slice(one.from, one.value?.to ?? one.to))};`)
  return parts
}
