// SPDX-License-Identifier: GPL-3.0-or-later
// What of a unit must be taken along with some of its functions: from use to use, until nothing new is needed. Each
// name is given by the headers, bound to the running program, or copied; what is copied has its reason.

import { type Use, usesOf } from '../../c/expanded/name-uses.ts'
import { type Token, tokenize, wordsOf } from '../../c/tokens/lexer.ts'
import type { Finding } from '../../ground/finding.ts'
import { type Attribute, attributesOf, attributesOnly, declarationsInHeaders } from './attributes.ts'
import { isParameterList } from './bound-declaration.ts'
import { type BoundLocal, bindLocals, nameLocals } from './bound-statics.ts'
import {
  aliased,
  assemblerName,
  declaredBy,
  declaresInBody,
  definitionAmong,
  definitionOf,
  indexOf,
  isBeforeBody,
  isFunctionIn,
  isInline,
  isOnlyForInlining,
  labelAmong,
  titleOf,
} from './declared-names.ts'
import { isWritten } from './function-statics.ts'
import { pointersInHeaders } from './pointed-types.ts'
import type { RunningSymbol, SourceRequest } from './request.ts'
import { type Item, isDeclaredByHeaders, isFromHeader, type View } from './unit-view.ts'

/** A name of the unit that is only declared. */
export interface Binding {
  readonly name: string
  readonly kind: 'function' | 'variable'
  readonly running: RunningSymbol
  /** Where its type is taken from, and where its first declaration stands. */
  readonly item: Item
  readonly first: Item
  /** Its size is asked for. */
  readonly needsBound: boolean
  /** The symbol that an asm label of the unit gives it. */
  readonly label: string | undefined
}

export interface Closure {
  /** Declarations that are in the output as they are. */
  readonly whole: ReadonlySet<Item>
  /** Of these, only the types that they define. */
  readonly typesOnly: ReadonlySet<Item>
  /** Types that are only announced, such as `struct x`, and the line in front of which they must be. */
  readonly forwards: ReadonlyMap<string, number>
  readonly bindings: ReadonlyMap<string, Binding>
  readonly locals: ReadonlyMap<Item, readonly BoundLocal[]>
  /** The item of each function to extract. */
  readonly targets: ReadonlyMap<string, Item>
  /** Why each declaration is in the output. */
  readonly reasons: ReadonlyMap<Item, string>
  readonly findings: readonly Finding[]
  /** Functions whose name differs in the output, and their names there. */
  readonly renamed: ReadonlyMap<string, string>
  /** The first declaration in the output that uses a function. */
  firstUse(name: string): Item | undefined
  /** The uses of the file's names in a declaration. */
  usesIn(item: Item): readonly Use[]
  /** The symbol that an asm label gives a function, be it one of a header. */
  labelOf(name: string): string | undefined
  /**
   * The attributes that other declarations of a name give what `item` defines, and that are not in the output with
   * them.
   */
  attributesBeside(item: Item, name: string): readonly Attribute[]
}

/**
 * Follows all uses from the functions that the request names.
 * @returns undefined in `targets` what the unit does not define
 */
export function closeOver(view: View, request: SourceRequest): Closure {
  const items = view.chunks.flatMap((chunk) => chunk.items)
  const order = new Map(items.map((item, at) => [item, at]))
  const index = indexOf(items)
  const whole = new Set<Item>()
  const typesOnly = new Set<Item>()
  const forwards = new Map<string, { readonly item: Item; readonly line: number }>()
  const bindings = new Map<string, Binding>()
  const locals = new Map<Item, readonly BoundLocal[]>()
  const reasons = new Map<Item, string>()
  const findings: Finding[] = []
  const uses = new Map<Item, Use[]>()
  const targets = new Map<string, Item>()
  const isKnown = (name: string, isTag: boolean) => index.has(`${isTag ? 't' : 'o'} ${name}`)
  const renamed = new Map<string, string>()

  const usesIn = (item: Item): Use[] => {
    let found = uses.get(item)
    if (found === undefined) {
      const { declarators, tags, body } = item.declaration
      const own = new Set([
        ...(body === undefined ? declarators : declarators.slice(0, 1)).map(({ at }) => at),
        ...tags.filter(({ isDefined }) => isDefined).map(({ at }) => at),
      ])
      found = usesOf(item.tokens, own, isKnown)
      uses.set(item, found)
    }
    return found
  }

  for (const name of request.functions) {
    const item = definitionAmong(index.get(`o ${name}`) ?? [], name)
    if (item?.declaration.body === undefined) continue
    targets.set(name, item)
    if (request.rename(name) !== name) renamed.set(name, request.rename(name))
  }

  const queue: (() => void)[] = []
  /** Constant variables wait until all else is known: how they are used decides. */
  const constants = new Map<string, string>()
  const waiting = new Set<string>()
  /** How each variable of the file is used by what is in the output. */
  const manners = new Map<string, Set<Use['how'] | 'sizeof'>>()

  const takeWhole = (item: Item, reason: string) => {
    if (whole.has(item)) return
    whole.add(item)
    typesOnly.delete(item)
    reasons.set(item, reason)
    queue.push(() => {
      const bound = item.declaration.body === undefined ? [] : localsOf(item)
      follow(
        item,
        (at) =>
          !bound.some(
            ({ local }) => local.value !== undefined && at >= local.value.from && at < local.value.to,
          ),
      )
      for (const { name } of item.declaration.declarators)
        if (definitionOf(item, name) !== undefined) takeLabels(name)
      if (item.declaration.body === undefined) return
      takeTypesOfHeaders(item)
      takeLinkage(item)
      for (const one of index.get(`o ${titleOf(item)}`) ?? [])
        if (one !== item && !isFromHeader(one) && attributesOf(one, titleOf(item)).length > 0)
          follow(one, () => true)
    })
  }

  /** Declarations by which an `inline` function that is not static has code of its own (C11, 6.7.4). */
  const takeLinkage = (item: Item) => {
    const name = titleOf(item)
    if (!isInline(item) || item.declaration.storage.has('static') || renamed.has(name)) return
    for (const one of index.get(`o ${name}`) ?? [])
      if (one !== item && !isFromHeader(one) && (!isInline(one) || one.declaration.storage.has('extern')))
        takeWhole(one, `it makes ${name} more than inline`)
  }

  /**
   * Declarations that give a name its symbol by an asm label; what the output calls otherwise has a symbol of its own.
   */
  const takeLabels = (name: string) => {
    if (renamed.has(name)) return
    for (const one of index.get(`o ${name}`) ?? [])
      if (assemblerName(one, name) !== undefined) takeWhole(one, `it gives ${name} its symbol`)
  }

  /**
   * Types of the unit that a function comes to without a word, through what a header declares:
   * `mm->subscriptions->lock`.
   */
  const takeTypesOfHeaders = (item: Item) => {
    pointers ??= pointersInHeaders(view, index)
    if (pointers.size === 0) return
    for (const { kind, text } of item.tokens)
      if (kind === 'name')
        for (const type of pointers.get(text) ?? [])
          takeTypes(type, `${titleOf(item)} uses ${text}, which leads to it`)
  }
  let pointers: ReadonlyMap<string, readonly Item[]> | undefined

  const attributesBeside = (item: Item, name: string): Attribute[] => {
    const others = (index.get(`o ${name}`) ?? []).filter(
      (one) => one !== item && !one.declaration.storage.has('typedef') && !isOnlyForInlining(one),
    )
    if (!renamed.has(name))
      return attributesOnly(
        others.filter((one) => !whole.has(one)),
        item,
        name,
      )
    // A header's declaration is one of the name that it says, and not of another one.
    const isThere = others.some(isFromHeader)
    return attributesOnly([...others, ...(isThere ? [] : declarationsInHeaders(view, name))], item, name)
  }

  const follow = (item: Item, counts: (at: number) => boolean) => {
    const by = titleOf(item)
    for (const use of usesIn(item)) if (counts(use.at)) need(use, item.tokens, by)
  }

  const need = (use: Use, tokens: readonly Token[], by: string) => {
    const candidates = index.get(`${use.isTag ? 't' : 'o'} ${use.name}`)!
    if (use.isTag) {
      const defined = candidates.filter((one) =>
        one.declaration.tags.some((tag) => tag.name === use.name && tag.isDefined),
      )
      for (const one of defined) takeTypes(one, `${by} uses its type`)
      return
    }
    const definition =
      definitionAmong(candidates, use.name) ??
      candidates.find(
        (one) => aliased(one, use.name) !== undefined && !one.declaration.storage.has('typedef'),
      )
    if (definition === undefined) {
      const one = candidates[0]!
      const isType = one.declaration.enumerators.includes(use.name) || one.declaration.storage.has('typedef')
      const declared = candidates.find((it) => !isFromHeader(it) && !it.declaration.storage.has('typedef'))
      if (!isType && declared !== undefined && isInAssembly(use.name)) {
        const kind = isFunctionIn(declared, use.name) ? 'function' : 'variable'
        const running = runningOf(use.name, kind, candidates)
        if (running !== undefined) return bind(use.name, kind, running, declared, candidates)
      }
      if (isType && one.declaration.enumerators.includes(use.name)) takeTypes(one, `${by} uses ${use.name}`)
      else takeWhole(one, `${by} uses ${use.name}`)
      if (!isType) takeSayingMore(use.name, candidates)
      return
    }
    if (isFunctionIn(definition, use.name)) functionNeeded(use, definition, by)
    else {
      const list = manners.get(use.name) ?? new Set()
      list.add(use.how)
      const before = tokens[use.at - 1]?.text
      if (
        before === 'sizeof' ||
        (before === '(' && tokens[use.at - 2]?.text === 'sizeof' && tokens[use.at + 1]?.text === ')')
      )
        list.add('sizeof')
      manners.set(use.name, list)
      variableNeeded(use.name, definition, candidates, by)
    }
  }

  /**
   * Of what is only declared, other declarations that say more of it: that it may be missing (`weak`), or what its
   * symbol is.
   */
  const takeSayingMore = (name: string, candidates: readonly Item[]) => {
    for (const one of candidates)
      if (!isFromHeader(one) && attributesOf(one, name).length > 0) takeWhole(one, `it says more of ${name}`)
    takeLabels(name)
  }

  /** Whether assembly beside the functions has a name, and may be what defines it. */
  const isInAssembly = (name: string): boolean => {
    assembled ??= new Set(
      items.flatMap(({ tokens, declaration }) =>
        declaration.declarators.length === 0 && /^(?:asm|__asm__|__asm)$/.test(tokens[0]?.text ?? '')
          ? tokens.flatMap(({ kind, text }) => (kind === 'string' ? wordsOf(text) : []))
          : [],
      ),
    )
    return assembled.has(name)
  }
  let assembled: ReadonlySet<string> | undefined

  const takeTypes = (item: Item, reason: string) => {
    if (whole.has(item) || typesOnly.has(item)) return
    const hasData = item.declaration.declarators.some(({ name }) => definitionOf(item, name) !== undefined)
    if (!hasData) return takeWhole(item, reason)
    typesOnly.add(item)
    reasons.set(item, reason)
    const { declarators } = item.declaration
    queue.push(() => follow(item, (at) => at < declarators[0]!.from))
  }

  /** What a header uses that stands above its #include. */
  const followHeaders = () => {
    const first = new Map<string, number>()
    for (const item of items)
      if (!isFromHeader(item))
        for (const [key, start] of declaredBy(item)) if (!first.has(key)) first.set(key, start)
    const { text, parts } = view.expanded
    const line = view.chunks.find(({ from }) => from > 0)?.from ?? Number.POSITIVE_INFINITY
    for (const { start, end, line: at, files } of parts) {
      if (at <= line) continue
      const tokens = tokenize(text, start, end)
      for (const [index, token] of tokens.entries()) {
        if (token.kind !== 'name' || /^(?:\.|->)$/.test(tokens[index - 1]?.text ?? '')) continue
        const isTag = /^(?:struct|union|enum)$/.test(tokens[index - 1]?.text ?? '')
        const declared = first.get(`${isTag ? 't' : 'o'} ${token.text}`)
        if (declared === undefined || declared > start) continue
        need({ name: token.text, isTag, at: index, how: 'other' }, tokens, files.at(-1)!)
      }
    }
  }

  const bind = (
    name: string,
    kind: Binding['kind'],
    running: RunningSymbol,
    item: Item,
    candidates: readonly Item[],
  ) => {
    if (bindings.has(name)) return
    const first = candidates.find((one) => !isFromHeader(one)) ?? candidates[0]!
    for (const one of candidates) if (isFromHeader(one)) takeWhole(one, `${name} is declared by it`)
    const label = labelAmong(candidates, name)
    const typed = withParameters(item, name, candidates)
    const head = isBeforeBody(typed)
    bindings.set(name, { name, kind, running, item: typed, first, needsBound: false, label })
    queue.push(() => {
      for (const use of usesIn(typed))
        if (head(use.at) && !isAnnounced(typed, name, use, first.chunk.from))
          need(use, typed.tokens, titleOf(typed))
    })
  }

  /**
   * The definition; of a function in the style of K&R, whose parameters only a prototype tells to callers, that
   * prototype.
   */
  const withParameters = (item: Item, name: string, candidates: readonly Item[]): Item => {
    const one = item.declaration.declarators.find((it) => it.name === name)
    if (one === undefined || !isParameterList(item.tokens, item.declaration, one)) return item
    const typed = candidates.find((it) => {
      const other = it.declaration.declarators.find((own) => own.name === name)
      return it !== item && other?.isFunction === true && it.tokens[other.at + 2]?.text !== ')'
    })
    return typed ?? item
  }

  /** Whether a pointer is all that a function is handed of a type: who calls it has the pointer from elsewhere. */
  const isAnnounced = (
    { tokens, declaration }: Item,
    name: string,
    { isTag, name: tag, at }: Use,
    line: number,
  ): boolean => {
    const one = declaration.declarators.find((it) => it.name === name && it.isFunction)
    const keyword = tokens[at - 1]?.text ?? ''
    if (one === undefined || !isTag || at < one.at || !/^(?:struct|union)$/.test(keyword)) return false
    const type = index
      .get(`t ${tag}`)!
      .find(({ declaration: { tags } }) => tags.some((it) => it.name === tag && it.isDefined))
    if (tokens[at + 1]?.text !== '*' || type === undefined || isFromHeader(type)) return false
    const known = forwards.get(`${keyword} ${tag}`)?.line ?? type.chunk.from
    forwards.set(`${keyword} ${tag}`, { item: type, line: Math.min(line, known) })
    return true
  }

  const functionNeeded = (use: Use, item: Item, by: string) => {
    const { name } = use
    const candidates = index.get(`o ${name}`)!
    if (targets.has(name)) {
      if (renamed.has(name) && use.how !== 'call') {
        const running = runningOf(name, 'function', candidates, isInline(item))
        if (running !== undefined) bind(name, 'function', running, item, candidates)
      }
      return
    }
    if (whole.has(item) || bindings.has(name)) return
    if (isFromHeader(item)) return takeWhole(item, `${by} calls it`)
    if (item.declaration.body === undefined) return aliasNeeded(name, 'function', item, candidates, by)
    const running = runningOf(name, 'function', candidates, isInline(item))
    if (running !== undefined) bind(name, 'function', running, item, candidates)
    else {
      if (request.privateCopy !== undefined && !item.declaration.storage.has('static'))
        renamed.set(name, request.privateCopy(name))
      takeWhole(item, `${by} ${use.how === 'call' ? 'calls' : 'refers to'} it`)
    }
  }

  const variableNeeded = (name: string, item: Item, candidates: readonly Item[], by: string) => {
    if (bindings.has(name) || whole.has(item) || waiting.has(name)) return
    // A register has no place of its own.
    if (isFromHeader(item) || item.declaration.storage.has('register'))
      return takeWhole(item, `${by} uses it`)
    const one = definitionOf(item, name)
    if (one === undefined) return aliasNeeded(name, 'variable', item, candidates, by)
    // What else may change it changes the running one.
    const isVolatile = item.tokens.slice(0, one.at).some(({ text }) => /^(?:__)?volatile(?:__)?$/.test(text))
    if (one.isConst && !isVolatile && one.value !== undefined && item.declaration.storage.has('static')) {
      waiting.add(name)
      constants.set(name, by)
      return
    }
    const running = runningOf(name, 'variable', candidates)
    if (running !== undefined) return bind(name, 'variable', running, item, candidates)
    copyVariable(name, item, candidates, by)
  }

  /** What a name is in the running program; an asm label tells its symbol. */
  const runningOf = (name: string, kind: Binding['kind'], candidates: readonly Item[], inline = false) => {
    return request.externalize(name, kind, inline, labelAmong(candidates, name))
  }

  /** Another name of something is bound like it, or comes with a copy of it. */
  const aliasNeeded = (
    name: string,
    kind: Binding['kind'],
    item: Item,
    candidates: readonly Item[],
    by: string,
  ) => {
    const running = runningOf(name, kind, candidates)
    if (running !== undefined) return bind(name, kind, running, item, candidates)
    const meant = aliased(item, name)!
    const real = definitionAmong(index.get(`o ${meant}`) ?? [], meant)
    if (real === undefined || request.externalize(meant, kind) !== undefined)
      findings.push({
        severity: 'error',
        rule: 'alias-copied',
        symbol: name,
        message:
          `${by} uses ${name}, another name of ${meant} by an alias attribute, and only ${meant} can ` +
          'be bound to the running kernel',
        hint: `Use ${meant} in the fix`,
      })
    takeWhole(item, `${by} uses it`)
  }

  const copyVariable = (name: string, item: Item, candidates: readonly Item[], by: string) => {
    const one = definitionOf(item, name)!
    if (!one.isConst && request.carry?.(name) !== true && !isNeverWritten(name, item))
      findings.push({
        severity: 'error',
        rule: 'writable-copied',
        symbol: name,
        message:
          `${by} uses the variable ${name}, of which the running kernel has no symbol; a copy would ` +
          'be a second one',
        hint: 'Keep the code that uses it out of the functions that change, or use a shadow variable',
      })
    for (const candidate of candidates)
      if (definitionOf(candidate, name)) takeWhole(candidate, `${by} uses it`)
  }

  /** A private variable that nothing in the unit writes to: the compiler has put its value wherever it is used. */
  const isNeverWritten = (name: string, item: Item): boolean => {
    const one = definitionOf(item, name)!
    const isArray = item.tokens[one.at + 1]?.text === '['
    return (
      item.declaration.storage.has('static') &&
      items.every(
        ({ tokens }) => !isWritten(tokens, name, 0, tokens === item.tokens ? tokens.length : 0, isArray),
      )
    )
  }

  const localsOf = (item: Item): readonly BoundLocal[] => {
    const { bound, findings: own } = bindLocals(item, request)
    findings.push(...own)
    if (bound.length > 0) locals.set(item, bound)
    return bound
  }

  /** Whether something in the output, or in a header, has a name that is known in the whole file. */
  const isTaken = (name: string): boolean =>
    bindings.has(name) ||
    [...renamed.values()].includes(name) ||
    (index.get(`o ${name}`) ?? []).some((item) => whole.has(item) || typesOnly.has(item)) ||
    isDeclaredByHeaders(view, name, true) ||
    isDeclaredByHeaders(view, name, false) ||
    [...whole].some((item) => declaresInBody(item, name))

  const drain = () => {
    for (;;) {
      const next = queue.shift()
      if (next !== undefined) next()
      else if (constants.size > 0) {
        const [name, by] = constants.entries().next().value!
        constants.delete(name)
        decideConstant(name, by)
      } else if (!completeForwards()) return
    }
  }

  /** Constant data may be copied where only its elements are read; what has an identity stays the running one. */
  const decideConstant = (name: string, by: string) => {
    const candidates = index.get(`o ${name}`)!
    const item = definitionAmong(candidates, name)!
    if (bindings.has(name) || whole.has(item)) return
    const how = manners.get(name) ?? new Set()
    const isScalar = isPlainScalar(item, name)
    const escapes = [...how].some(
      (one) => one !== 'element' && one !== 'sizeof' && !(isScalar && one === 'other'),
    )
    const running = escapes ? runningOf(name, 'variable', candidates) : undefined
    if (running !== undefined) bind(name, 'variable', running, item, candidates)
    else copyVariable(name, item, candidates, by)
  }

  /** Where in the file what is in the output uses each name first. */
  const firstUses = (): Map<string, number> => {
    const firstUse = new Map<string, number>()
    const note = (item: Item, counts: (at: number) => boolean) => {
      const at = order.get(item)!
      for (const use of usesIn(item)) {
        if (!counts(use.at)) continue
        const key = `${use.isTag ? 't' : 'o'} ${use.name}`
        if (at < (firstUse.get(key) ?? Number.POSITIVE_INFINITY)) firstUse.set(key, at)
      }
    }
    for (const item of whole) note(item, () => true)
    for (const item of typesOnly) note(item, (at) => at < item.declaration.declarators[0]!.from)
    for (const { item } of bindings.values()) note(item, isBeforeBody(item))
    return firstUse
  }

  /** What is used before it is defined needs its earlier declarations, too. */
  const completeForwards = (): boolean => {
    const before = whole.size
    const firstUse = firstUses()
    for (const [key, first] of firstUse) {
      const isTag = key.startsWith('t ')
      const name = key.slice(2)
      if (!isTag && bindings.has(name)) continue
      if (!isTag && renamed.has(name)) continue
      const candidates = index.get(key)!
      const definition = isTag
        ? candidates.find((one) => one.declaration.tags.some((tag) => tag.name === name && tag.isDefined))
        : definitionAmong(candidates, name)
      if (definition !== undefined && order.get(definition)! <= first) continue
      for (const one of candidates) {
        const announces = one.declaration.declarators.some(
          (it) => it.name === name && (isOnlyForInlining(one) || !definitionOf(one, name)),
        )
        if (one !== definition && order.get(one)! <= first && (isTag || announces))
          takeWhole(one, `${name} is used before its definition`)
      }
    }
    return whole.size > before || queue.length > 0
  }

  const isPlainScalar = (item: Item, name: string): boolean => {
    const one = definitionOf(item, name)!
    const specifiers = item.tokens.slice(0, one.from)
    // An array, or a structure, by a typedef: its initial value tells.
    const value = one.value === undefined ? undefined : item.tokens[one.value.from + 1]
    const isPointer = item.tokens.slice(one.from, one.at).some(({ text }) => text === '*')
    return (
      item.tokens[one.at + 1]?.text !== '[' &&
      value?.text !== '{' &&
      (isPointer || value?.kind !== 'string') &&
      !specifiers.some(({ text }) => text === 'struct' || text === 'union')
    )
  }

  for (const [name, item] of targets) takeWhole(item, `${name} is extracted`)
  followHeaders()
  drain()
  const sized = new Map(
    [...bindings].map(([name, binding]) => [
      name,
      manners.get(name)?.has('sizeof') === true ? { ...binding, needsBound: true } : binding,
    ]),
  )
  const inOrder = firstUses()
  const named = nameLocals(locals, isTaken, view.expanded.macros)
  findings.push(...named.findings)
  return {
    whole,
    typesOnly,
    forwards: new Map(
      [...forwards].flatMap(([type, { item, line }]) => {
        const isThere = index.get(`t ${type.split(' ')[1]}`)!.some((one) => whole.has(one))
        return isThere || typesOnly.has(item) ? [] : [[type, line] as const]
      }),
    ),
    bindings: sized,
    locals: named.locals,
    targets,
    reasons,
    findings,
    renamed,
    usesIn,
    attributesBeside,
    labelOf: (name) =>
      labelAmong([...(index.get(`o ${name}`) ?? []), ...declarationsInHeaders(view, name)], name),
    firstUse: (name) => items[inOrder.get(`o ${name}`) ?? -1],
  }
}
