// SPDX-License-Identifier: GPL-3.0-or-later
// What a patch changes in a unit, told from its text on both sides behind the preprocessor, token by token. So
// comments, white space and line numbers are no change, and a macro of a header counts wherever it is used.

import path from 'node:path'
import { type Item, type Outline, outline, withoutMarkers } from '../../c/expanded/outline.ts'
import { tokenText } from '../../c/expanded/same-tokens.ts'
import { wordsOf } from '../../c/tokens/lexer.ts'
import { isInitOrExit } from '../../diff/object/init-sections.ts'
import type { FileChange } from '../../patch/patch.ts'
import { changedMacros } from './changed-macros.ts'
import { type LocalStatic, localStatics } from './local-statics.ts'

export interface ChangedData {
  /** `function.variable` for one inside a function. */
  readonly name: string
  readonly change: 'added' | 'changed' | 'removed'
  /** Constant, and inside of a function: each use may have a copy of its own. */
  readonly isConstant: boolean
}

/** A type, prototype or external datum whose declaration differs. */
export interface ChangedDeclaration {
  /** As people call it: `struct foo`, or the names that it declares. */
  readonly title: string
  readonly isType: boolean
  /** Every word of its text on both sides that tells it from others. */
  readonly words: ReadonlySet<string>
}

export interface TextChange {
  readonly before: Outline
  readonly after: Outline
  /** Functions of both sides that differ, also those of headers, by name: why. */
  readonly functions: ReadonlyMap<string, readonly string[]>
  /** New functions of the files that the patch changes. */
  readonly added: readonly string[]
  readonly data: readonly ChangedData[]
  readonly declarations: readonly ChangedDeclaration[]
  /** Assembly at the top level, and what is not understood, on either side. */
  readonly others: readonly string[]
  /** Functions that run only while the kernel or the module starts or ends. */
  readonly transient: ReadonlySet<string>
}

function textOf({ text }: Outline, { start, end }: Item): string {
  return text.slice(start, end)
}

/** The items of each side whose text the other one does not have. */
function differing(before: Outline, after: Outline): { before: Item[]; after: Item[] } {
  const lacking = (one: Outline, other: Outline) => {
    const texts = new Set(other.items.map((item) => textOf(other, item)))
    return one.items.filter((item) => !texts.has(textOf(one, item)))
  }
  return tokensDiffer(before, lacking(before, after), after, lacking(after, before))
}

/** Of those, the ones whose tokens the other side does not have. */
function tokensDiffer(before: Outline, b: readonly Item[], after: Outline, a: readonly Item[]) {
  const tokens = (one: Outline, items: readonly Item[]) =>
    items.map((item) => ({ item, text: tokenText(textOf(one, item)) }))
  const [old, young] = [tokens(before, b), tokens(after, a)]
  const [oldTexts, youngTexts] = [old, young].map((list) => new Set(list!.map(({ text }) => text)))
  return {
    before: old.filter(({ text }) => !youngTexts!.has(text)).map(({ item }) => item),
    after: young.filter(({ text }) => !oldTexts!.has(text)).map(({ item }) => item),
  }
}

/** What defines each name of a kind: the last one counts, as a tentative definition comes first. */
function byName(side: Outline, items: readonly Item[], kind: 'function' | 'data'): Map<string, Item> {
  const found = new Map<string, Item>()
  for (const item of items) {
    const meaning = side.meaning(item)
    if (meaning.kind === kind) for (const name of meaning.names) found.set(name, item)
  }
  return found
}

/** True when some data of the side, whether they differ or not, have the name. */
function defines(side: Outline, name: string): boolean {
  return side.itemsWith(name).some((item) => {
    const { kind, names } = side.meaning(item)
    return kind === 'data' && names.includes(name)
  })
}

/** True for what the author says to Inarch with the macros of kernel/include. */
function isNote(text: string): boolean {
  return /\.(?:inarch|kpatch)\./.test(text)
}

/** What stands at the top level and is neither defined nor declared, but for what only the compiler checks. */
function othersOf(side: Outline, items: readonly Item[]): string[] {
  return items
    .filter((item) => side.meaning(item).kind === 'other')
    .map((item) => tokenText(textOf(side, item)).replaceAll('\n', ' '))
    .filter((text) => !isNote(text) && !/^(?:_Static_assert|static_assert)\b/.test(text))
}

/** True for the text of what its attribute puts among the code that runs only at the start or the end. */
function isTransient(text: string): boolean {
  return [...text.matchAll(/"\s*(\.\w+)\.text/g)].some(([, name = '']) => isInitOrExit({ name }))
}

/** @returns what differs; undefined when nothing does */
export function compareTexts(
  textBefore: string,
  textAfter: string,
  changes: readonly FileChange[],
): TextChange | undefined {
  const before = outline(textBefore)
  const after = outline(textAfter)
  const differ = differing(before, after)
  const files = new Map(changes.map((change) => [change.path, change]))
  const changeOf = ({ file }: Item) => files.get(path.posix.normalize(file))
  const isOwn = (item: Item) => changeOf(item) !== undefined

  const functionsBefore = byName(before, differ.before, 'function')
  const functionsAfter = byName(after, differ.after, 'function')
  const functions = new Map<string, string[]>()
  const data: ChangedData[] = []
  const macros = changedMacros(changes)
  for (const [name, item] of functionsAfter) {
    const old = functionsBefore.get(name) ?? namesake(before, name)
    if (old === undefined) continue
    functions.set(name, [reasonOf(before, old, changeOf(old), macros)])
    data.push(...staticsChanged(name, textOf(before, old), textOf(after, item)))
  }
  const added = [...functionsAfter].filter(([name, item]) => isOwn(item) && !functions.has(name)).map(([name]) => name)

  const dataBefore = byName(before, differ.before, 'data')
  const dataAfter = byName(after, differ.after, 'data')
  for (const [name, item] of [...dataBefore, ...dataAfter]) {
    const side = dataAfter.get(name) === item ? after : before
    if (isNote(textOf(side, item))) continue
    const [inBefore, inAfter] = [defines(before, name), defines(after, name)]
    if (data.some((one) => one.name === name)) continue
    data.push({ name, change: inBefore && inAfter ? 'changed' : inAfter ? 'added' : 'removed', isConstant: false })
  }
  const transientOf = (side: Outline, found: ReadonlyMap<string, Item>) =>
    [...found].filter(([, item]) => isTransient(side.text.slice(item.start, item.body)))
  const transient = [...transientOf(before, functionsBefore), ...transientOf(after, functionsAfter)]
  return {
    before,
    after,
    functions,
    added,
    data,
    declarations: declarationsOf(before, differ.before, after, differ.after),
    others: [...othersOf(after, differ.after), ...othersOf(before, differ.before)],
    transient: new Set(transient.map(([name]) => name)),
  }
}

/** A function that differs from nothing of its own side's, as when it moved. */
function namesake(side: Outline, name: string): Item | undefined {
  return side.itemsWith(name).find((item) => side.functionName(item) === name)
}

/** Why a function differs: its own lines, or a macro that it uses. */
function reasonOf(
  before: Outline,
  item: Item,
  change: FileChange | undefined,
  macros: ReturnType<typeof changedMacros>,
): string {
  if (change === undefined || !touches(change, item.line, item.lastLine)) {
    const used = macros.usedBy(
      change?.before
        ?.split('\n')
        .slice(item.line - 1, item.lastLine)
        .join('\n') ?? textOf(before, item),
    )
    if (used !== undefined) return `it uses the macro ${used.name} of ${used.file}, which changes`
    if (change === undefined) {
      const only = macros.all.length === 1 ? macros.all[0] : undefined
      return only === undefined
        ? 'what it says changes through the macros that it uses'
        : `it uses the macro ${only.name} of ${only.file}, which changes`
    }
  }
  return 'its body changes'
}

/** True when the patch changes a line from `first` to `last` of the file before it. */
function touches({ before, lineage }: FileChange, first: number, last: number): boolean {
  if (before === undefined) return true
  const at = lineage.indexOf(first)
  if (at < 0) return true
  for (let line = first; line <= last; line++) if (lineage[at + line - first] !== line) return true
  return false
}

function staticsChanged(name: string, before: string, after: string): ChangedData[] {
  const [old, young] = [localStatics(before), localStatics(after)]
  const found: ChangedData[] = []
  const say = (one: LocalStatic, change: ChangedData['change']) =>
    found.push({ name: `${name}.${one.name}`, change, isConstant: one.isConst })
  for (const one of young.values()) {
    const counterpart = old.get(one.name)
    if (counterpart === undefined) say(one, 'added')
    else if (counterpart.tokens !== one.tokens) say(one, 'changed')
  }
  for (const one of old.values()) if (!young.has(one.name)) say(one, 'removed')
  return found
}

const commonWord =
  /^(?:auto|char|const|double|enum|extern|float|inline|int|long|register|restrict|short|signed|sizeof|static|struct|typedef|union|unsigned|void|volatile|_Bool|bool|__attribute__|__aligned__|__section__|__extension__|u8|u16|u32|u64|s8|s16|s32|s64|size_t|ssize_t|loff_t|__u\d+|__le\d+|__be\d+|list_head|atomic_t|spinlock_t|\d.*)$/

function declarationsOf(before: Outline, b: readonly Item[], after: Outline, a: readonly Item[]): ChangedDeclaration[] {
  const found = new Map<string, { title: string; isType: boolean; words: Set<string> }>()
  const described = (side: Outline, item: Item) => {
    const { kind, names, tokens, declaration } = side.meaning(item)
    if (kind !== 'declaration') return undefined
    const { declarators, tags, storage } = declaration
    const text = textOf(side, item)
    const open = tokens.findIndex((one) => one.text === '{')
    const tag = tags.find(({ at, isDefined }) => isDefined && at < open)
    const name = tag === undefined ? (names[0] ?? declarators[0]?.name ?? tags[0]?.name) : `${tag.keyword} ${tag.name}`
    return {
      title: name ?? withoutMarkers(text).trim().slice(0, 40),
      isType: open >= 0 || storage.has('typedef'),
      words: new Set(wordsOf(text).filter((word) => !commonWord.test(word))),
    }
  }
  for (const item of b) {
    const one = described(before, item)
    if (one !== undefined) found.set(one.title, one)
  }
  // What is only declared anew changes nothing that was there.
  for (const item of a) {
    const one = described(after, item)
    for (const word of one?.words ?? []) found.get(one?.title ?? '')?.words.add(word)
  }
  return [...found.values()]
}
