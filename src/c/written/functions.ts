// SPDX-License-Identifier: GPL-3.0-or-later
// The functions of a C file as a person wrote them. The rules on locks and references read this text and not what the
// preprocessor makes of it: there `mutex_lock` has a name and an argument, behind the preprocessor it has neither.
import { directivesIn, type MacroDefinition, macroDefinedBy } from '../tokens/directives.ts'
import { closing, type Token, tokenize } from '../tokens/lexer.ts'
import { TopLevelCutter } from '../tokens/top-level.ts'

/** A function, or a macro with parameters, which counts as one. */
export interface Definition {
  readonly name: string
  readonly kind: 'function' | 'macro'
  /** 1-based line of the file. */
  readonly line: number
  /** What stands before the body, and the body without its braces. */
  readonly head: readonly Token[]
  readonly body: readonly Token[]
  /** The body as it is written, where macros that the patch changes are put into `body`. */
  readonly written?: readonly Token[]
  /** Of a macro. */
  readonly parameters?: readonly string[]
  /** True when other files can't call it by its name. */
  readonly isPrivate: boolean
}

/** True of `__init` and `__exit` code. */
export function isInitOrExit({ head }: Definition): boolean {
  return head.some(({ text }) => text === '__init' || text === '__exit')
}

export interface Definitions {
  /** The last of several of one name (as behind `#ifdef` and another `#ifndef`) counts. */
  readonly byName: ReadonlyMap<string, Definition>
  /** The functions that are defined more than once, each with all its definitions in their order. */
  readonly repeated: ReadonlyMap<string, readonly Definition[]>
  /** Everything else at the top level: types, prototypes, tables. */
  readonly rest: readonly Token[]
}

/** Macros that make a function of the name in their first argument. */
const namedByArgument = /^[A-Z][A-Z0-9_]*$/

/** Decorations of a function's head that look like a call. */
const decoration =
  /^(?:__\w+|noinline\w*|asmlinkage|EXPORT_\w+|ALLOW_ERROR_INJECTION|NOKPROBE_SYMBOL|STACK_FRAME_NON_STANDARD)$/

/** A conditional part of a file: what of it was let through. */
interface Branch {
  /** False when another part of this group is let through, or the condition is 0. */
  open: boolean
  taken: boolean
  /** The number of the group in the file, and of the part in the group. */
  readonly group: number
  part: number
}

/** Which part of a group of `#if`, `#elif`, `#else` is read, by the number of the group in the file. */
export type ChosenParts = ReadonlyMap<number, number>

/**
 * The tokens outside of directives. Of `#if`, `#elif`, `#else` the chosen part stays, or the first one that is not
 * `#if 0`: in the others braces may open that are closed only once.
 */
function withoutDirectives(
  text: string,
  chosen: ChosenParts,
): { code: readonly Token[]; macros: readonly MacroDefinition[] } {
  const tokens = tokenize(text)
  const macros: MacroDefinition[] = []
  const branches: Branch[] = []
  const code: Token[] = []
  const isOpen = () => branches.every(({ open }) => open)
  let done = 0
  let groups = 0
  const copy = (to: number) => {
    if (isOpen()) for (let at = done; at < to; at++) code.push(tokens[at]!)
  }
  for (const directive of directivesIn(text, tokens)) {
    const { name, from, to } = directive
    copy(from)
    done = to
    const group = branches.at(-1)
    if (/^if/.test(name)) {
      const isZero = name === 'if' && to === from + 3 && tokens[from + 2]!.text === '0'
      const open = chosen.has(groups) ? chosen.get(groups) === 0 : !isZero
      branches.push({ open, taken: open, group: groups++, part: 0 })
    } else if (/^el/.test(name) && group !== undefined) {
      const choice = chosen.get(group.group)
      group.part++
      group.open = choice === undefined ? !group.taken : choice === group.part
      group.taken ||= group.open
    } else if (name === 'endif') branches.pop()
    else if (name === 'define' && isOpen()) {
      const macro = macroDefinedBy(directive, tokens)
      if (macro !== undefined) macros.push(macro)
    }
  }
  copy(tokens.length)
  return { code, macros }
}

interface ConditionalPart {
  readonly group: number
  readonly part: number
  /** The directive that begins it. */
  readonly opening: string
  /** All that stands in it. */
  readonly text: string
}

function conditionalParts(text: string): ConditionalPart[] {
  const tokens = tokenize(text)
  const spell = (from: number, to: number) =>
    tokens
      .slice(from, to)
      .map((one) => one.text)
      .join(' ')
  const open: { group: number; part: number; opening: string; start: number }[] = []
  const found: ConditionalPart[] = []
  let groups = 0
  const close = (end: number) => {
    const last = open.pop()
    if (last !== undefined) found.push({ ...last, text: spell(last.start, end) })
    return last
  }
  for (const { name, from, to } of directivesIn(text, tokens)) {
    const opening = spell(from, to)
    if (/^if/.test(name)) open.push({ group: groups++, part: 0, opening, start: to })
    else if (/^el/.test(name)) {
      const last = close(from)
      if (last !== undefined) open.push({ group: last.group, part: last.part + 1, opening, start: to })
    } else if (name === 'endif') close(from)
  }
  return found
}

/**
 * The parts that are to be read of two sides of a file, so that what differs is read: of a group that has the same
 * directives on both sides, and of which the part that is read else is the same.
 */
export function partsThatChange(before: string, after: string): ChosenParts {
  const chosen = new Map<number, number>()
  const [old, young] = [conditionalParts(before), conditionalParts(after)]
  const isSameShape =
    old.length === young.length &&
    old.every(({ group, part, opening }, at) => {
      const other = young[at]!
      return group === other.group && part === other.part && opening === other.opening
    })
  if (!isSameShape) return chosen
  const usual = (group: number) => old.find((one) => one.group === group && !/^# if 0$/.test(one.opening))?.part
  for (const [at, { group, part, text }] of old.entries()) {
    if (text === young[at]!.text || /^# if 0$/.test(old[at]!.opening)) continue
    if (part === usual(group) || !chosen.has(group)) chosen.set(group, part)
  }
  for (const [group, part] of chosen) if (part === usual(group)) chosen.delete(group)
  return chosen
}

/** Decorations that can't be a function's name. */
const annotation =
  /^__(?:acquires|releases|must_hold|cond_(?:acquires|lock)|attribute__|printf|scanf|alloc_size|section)$/

/**
 * Where a head as it is written declares a function: the last name before parentheses that is no decoration.
 * @returns indexes of the name and of the parenthesis behind it
 */
export function declaredFunction(head: readonly Token[]): { readonly at: number; readonly open: number } | undefined {
  let found: { at: number; open: number } | undefined
  for (let open = 0; open < head.length; open++) {
    if (head[open]!.text !== '(') continue
    const { kind, text } = head[open - 1] ?? head[open]!
    const close = closing(head, open)
    // `int (f)(int x)`, `int (*f(int x))(void)`: the name is in the parentheses.
    if (/^[([]$/.test(head[close]?.text ?? '') && !decoration.test(text)) {
      const inner = nameInParentheses(head.slice(open + 1, close - 1))
      if (inner !== undefined)
        return { at: open + 1 + inner.at, open: inner.open === undefined ? close : open + 1 + inner.open }
    }
    const isPossible = !decoration.test(text) || (found === undefined && !annotation.test(text))
    if (kind === 'name' && isPossible) found = { at: open - 1, open }
    open = close - 1
  }
  return found
}

/** The name within a declarator's parentheses, and of a function that returns a pointer to one its own parenthesis. */
function nameInParentheses(
  tokens: readonly Token[],
): { readonly at: number; readonly open: number | undefined } | undefined {
  const declared = declaredFunction(tokens)
  if (declared !== undefined) return declared
  let name = -1
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text } = tokens[at]!
    if (text === '(') {
      const isDecoration = decoration.test(tokens[at - 1]?.text ?? '')
      if (!isDecoration) {
        const inner = nameInParentheses(tokens.slice(at + 1, closing(tokens, at) - 1))
        return inner === undefined || inner.open !== undefined ? undefined : { at: at + 1 + inner.at, open: undefined }
      }
      at = closing(tokens, at) - 1
    } else if (text === '*' || text === ',') return undefined
    else if (kind === 'name' && !decoration.test(text)) {
      // Two names: parameters, or what a macro is given.
      if (name >= 0) return undefined
      name = at
    }
  }
  return name < 0 ? undefined : { at: name, open: undefined }
}

/** The function that a head declares, or that a macro makes of it. */
export function nameOfHead(head: readonly Token[]): string | undefined {
  const declared = declaredFunction(head)
  if (declared === undefined) return undefined
  const name = head[declared.at]!.text
  // SYSCALL_DEFINE3(read, …), BPF_CALL_2(bpf_foo, …)
  const [argument, next] = head.slice(declared.open + 1)
  // A function may be called like a macro, `EXT4_SB(struct super_block *sb)`; its parameters have types.
  const isNamed = argument?.kind === 'name' && argument.text !== 'void' && /^[,)]$/.test(next?.text ?? '')
  if (namedByArgument.test(name) && isNamed)
    return /^(?:COMPAT_)?SYSCALL_DEFINE\d$/.test(name) ? `sys_${argument.text}` : argument.text
  return name
}

/**
 * @param text a C file, as it is written; latin1
 * @param chosen parts of `#if` that are read in place of the first ones
 */
export function definitionsOf(text: string, chosen: ChosenParts = new Map()): Definitions {
  const byName = new Map<string, Definition>()
  const repeated = new Map<string, Definition[]>()
  const rest: Token[] = []
  const { code: tokens, macros } = withoutDirectives(text, chosen)
  let [start, at, open] = [0, 0, -1]
  const cutter = new TopLevelCutter(() => tokens.slice(start, at), true)
  const finish = (end: number) => {
    const head = tokens.slice(start, Math.max(open, start))
    const name = nameOfHead(head)
    if (name === undefined) for (let index = start; index < end; index++) rest.push(tokens[index]!)
    else {
      const one: Definition = {
        name,
        kind: 'function',
        line: head[0]!.line,
        head,
        body: tokens.slice(open + 1, end - 1),
        isPrivate: head.some(({ text }) => text === 'static'),
      }
      const earlier = byName.get(name)
      if (earlier !== undefined) repeated.set(name, [...(repeated.get(name) ?? [earlier]), one])
      byName.set(name, one)
    }
    start = end
    open = -1
  }
  for (; at < tokens.length; at++) {
    const { text, kind } = tokens[at]!
    if (kind !== 'punctuator' || text.length > 1) continue
    const ends = cutter.endsBehind(text.charCodeAt(0))
    if (cutter.inBody && open < 0) open = at
    if (ends) finish(at + 1)
  }
  finish(tokens.length)
  for (const { name, line, parameters, body } of macros)
    if (parameters !== undefined && !byName.has(name))
      byName.set(name, { name, kind: 'macro', line, head: [], body, parameters, isPrivate: false })
  return { byName, repeated, rest }
}
