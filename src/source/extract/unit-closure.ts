// SPDX-License-Identifier: GPL-3.0-or-later
// What of a unit must be taken along with some of its functions: from use to use, until nothing new is needed. Each
// name is given by the headers, bound to the running program, or copied; what is copied has its reason.

import type { Use } from '../../c/expanded/name-uses.ts'
import { type Token, tokenize } from '../../c/tokens/lexer.ts'
import { isTagWord } from '../../c/tokens/words.ts'
import type { Finding } from '../../ground/finding.ts'
import { type Attribute, attributesOf, attributesOnly, declarationsInHeaders } from '../view/attributes.ts'
import {
  aliased,
  assemblerName,
  declaredBy,
  declaresInBody,
  definitionOf,
  isBeforeBody,
  isFunctionIn,
  isInline,
  isOnlyForInlining,
  labelAmong,
  titleOf,
} from '../view/declared-names.ts'
import type { RunningSymbol, SourceRequest } from '../view/request.ts'
import { type Item, isDeclaredByHeaders, isFromHeader, type View } from '../view/unit-view.ts'
import { VariableManners } from '../view/variable-manners.ts'
import { type BoundLocal, bindLocals, nameLocals } from './bound-statics.ts'
import type { Binding, Closure } from './closure.ts'
import { UnitNames } from './unit-names.ts'

/**
 * Follows all uses from the functions that the request names.
 * @returns undefined in `targets` what the unit does not define
 */
export function closeOver(view: View, request: SourceRequest): Closure {
  return new UnitClosure(view, request).close()
}

/** What is in the output so far, and what is still to be followed. */
class UnitClosure {
  readonly #names: UnitNames
  readonly #whole = new Set<Item>()
  readonly #typesOnly = new Set<Item>()
  readonly #forwards = new Map<string, { readonly item: Item; readonly line: number }>()
  readonly #bindings = new Map<string, Binding>()
  readonly #locals = new Map<Item, readonly BoundLocal[]>()
  readonly #targets = new Map<string, Item>()
  readonly #reasons = new Map<Item, string>()
  readonly #renamed = new Map<string, string>()
  readonly #findings: Finding[] = []
  readonly #queue: (() => void)[] = []
  /** Constant variables wait until all else is known: how they are used decides. Each with who uses it first. */
  readonly #constants = new Map<string, string>()
  readonly #waiting = new Set<string>()
  readonly #manners = new VariableManners()

  constructor(
    private readonly view: View,
    private readonly request: SourceRequest,
  ) {
    this.#names = new UnitNames(view)
  }

  close(): Closure {
    this.#findTargets()
    for (const [name, item] of this.#targets) this.#takeWhole(item, `${name} is extracted`)
    this.#followHeaders()
    this.#drain()
    const firstUses = this.#firstUses()
    const named = nameLocals(this.#locals, (name) => this.#isTaken(name), this.view.expanded.macros)
    this.#findings.push(...named.findings)
    return {
      whole: this.#whole,
      typesOnly: this.#typesOnly,
      forwards: this.#neededForwards(),
      bindings: this.#sizedBindings(),
      locals: named.locals,
      targets: this.#targets,
      reasons: this.#reasons,
      findings: this.#findings,
      renamed: this.#renamed,
      usesIn: (item) => this.#names.usesIn(item),
      attributesBeside: (item, name) => this.#attributesBeside(item, name),
      labelOf: (name) => labelAmong([...this.#names.candidates(name), ...declarationsInHeaders(this.view, name)], name),
      firstUse: (name) => this.#names.items[firstUses.get(`o ${name}`) ?? -1],
    }
  }

  #findTargets(): void {
    for (const name of this.request.functions) {
      const item = this.#names.definition(name)
      if (item?.declaration.body === undefined) continue
      this.#targets.set(name, item)
      const as = this.request.rename(name)
      if (as !== name) this.#renamed.set(name, as)
    }
  }

  #neededForwards(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#forwards].flatMap(([type, { item, line }]) => {
        const isThere = this.#names.tagged(type.split(' ')[1]!).some((one) => this.#whole.has(one))
        return isThere || this.#typesOnly.has(item) ? [] : [[type, line] as const]
      }),
    )
  }

  #sizedBindings(): ReadonlyMap<string, Binding> {
    return new Map(
      [...this.#bindings].map(([name, binding]) => [
        name,
        this.#manners.isSized(name) ? { ...binding, needsBound: true } : binding,
      ]),
    )
  }

  #takeWhole(item: Item, reason: string): void {
    if (this.#whole.has(item)) return
    this.#whole.add(item)
    this.#typesOnly.delete(item)
    this.#reasons.set(item, reason)
    this.#queue.push(() => {
      const bound = item.declaration.body === undefined ? [] : this.#localsOf(item)
      this.#follow(
        item,
        (at) => !bound.some(({ local }) => local.value !== undefined && at >= local.value.from && at < local.value.to),
      )
      for (const { name } of item.declaration.declarators)
        if (definitionOf(item, name) !== undefined) this.#takeLabels(name)
      if (item.declaration.body === undefined) return
      this.#takeTypesOfHeaders(item)
      this.#takeLinkage(item)
      for (const one of this.#names.candidates(titleOf(item)))
        if (one !== item && !isFromHeader(one) && attributesOf(one, titleOf(item)).length > 0)
          this.#follow(one, () => true)
    })
  }

  /** Declarations by which an `inline` function that is not static has code of its own (C11, 6.7.4). */
  #takeLinkage(item: Item): void {
    const name = titleOf(item)
    if (!isInline(item) || item.declaration.storage.has('static') || this.#renamed.has(name)) return
    for (const one of this.#names.candidates(name))
      if (one !== item && !isFromHeader(one) && (!isInline(one) || one.declaration.storage.has('extern')))
        this.#takeWhole(one, `it makes ${name} more than inline`)
  }

  /**
   * Declarations that give a name its symbol by an asm label; what the output calls otherwise has a symbol of its own.
   */
  #takeLabels(name: string): void {
    if (this.#renamed.has(name)) return
    for (const one of this.#names.candidates(name))
      if (assemblerName(one, name) !== undefined) this.#takeWhole(one, `it gives ${name} its symbol`)
  }

  /**
   * Types of the unit that a function comes to without a word, through what a header declares:
   * `mm->subscriptions->lock`.
   */
  #takeTypesOfHeaders(item: Item): void {
    for (const { kind, text } of item.tokens)
      if (kind === 'name')
        for (const type of this.#names.typesBehind(text))
          this.#takeTypes(type, `${titleOf(item)} uses ${text}, which leads to it`)
  }

  #attributesBeside(item: Item, name: string): Attribute[] {
    const others = this.#names
      .candidates(name)
      .filter((one) => one !== item && !one.declaration.storage.has('typedef') && !isOnlyForInlining(one))
    if (!this.#renamed.has(name))
      return attributesOnly(
        others.filter((one) => !this.#whole.has(one)),
        item,
        name,
      )
    // A header's declaration is one of the name that it says, and not of another one.
    const isThere = others.some(isFromHeader)
    return attributesOnly([...others, ...(isThere ? [] : declarationsInHeaders(this.view, name))], item, name)
  }

  #follow(item: Item, counts: (at: number) => boolean): void {
    const by = titleOf(item)
    for (const use of this.#names.usesIn(item)) if (counts(use.at)) this.#need(use, item.tokens, by)
  }

  #need(use: Use, tokens: readonly Token[], by: string): void {
    if (use.isTag) {
      for (const one of this.#names.tagDefinitions(use.name)) this.#takeTypes(one, `${by} uses its type`)
      return
    }
    const candidates = this.#names.candidates(use.name)
    const definition =
      this.#names.definition(use.name) ??
      candidates.find((one) => aliased(one, use.name) !== undefined && !one.declaration.storage.has('typedef'))
    if (definition === undefined) this.#onlyDeclared(use.name, candidates, by)
    else if (isFunctionIn(definition, use.name)) this.#functionNeeded(use, definition, by)
    else {
      this.#manners.note(use, tokens)
      this.#variableNeeded(use.name, definition, candidates, by)
    }
  }

  #onlyDeclared(name: string, candidates: readonly Item[], by: string) {
    const one = candidates[0]!
    const isType = one.declaration.enumerators.includes(name) || one.declaration.storage.has('typedef')
    const declared = candidates.find((it) => !isFromHeader(it) && !it.declaration.storage.has('typedef'))
    if (!isType && declared !== undefined && this.#names.isInAssembly(name)) {
      const kind = isFunctionIn(declared, name) ? 'function' : 'variable'
      const running = this.#runningOf(name, kind, candidates)
      if (running !== undefined) return this.#bind(name, kind, running, declared, candidates)
    }
    if (isType && one.declaration.enumerators.includes(name)) this.#takeTypes(one, `${by} uses ${name}`)
    else this.#takeWhole(one, `${by} uses ${name}`)
    if (!isType) this.#takeSayingMore(name, candidates)
  }

  /**
   * Of what is only declared, other declarations that say more of it: that it may be missing (`weak`), or what its
   * symbol is.
   */
  #takeSayingMore(name: string, candidates: readonly Item[]): void {
    for (const one of candidates)
      if (!isFromHeader(one) && attributesOf(one, name).length > 0) this.#takeWhole(one, `it says more of ${name}`)
    this.#takeLabels(name)
  }

  #takeTypes(item: Item, reason: string) {
    if (this.#whole.has(item) || this.#typesOnly.has(item)) return
    const hasData = item.declaration.declarators.some(({ name }) => definitionOf(item, name) !== undefined)
    if (!hasData) return this.#takeWhole(item, reason)
    this.#typesOnly.add(item)
    this.#reasons.set(item, reason)
    const { declarators } = item.declaration
    this.#queue.push(() => this.#follow(item, (at) => at < declarators[0]!.from))
  }

  /** What a header uses that stands above its #include. */
  #followHeaders(): void {
    const first = new Map<string, number>()
    for (const item of this.#names.items)
      if (!isFromHeader(item)) for (const [key, start] of declaredBy(item)) if (!first.has(key)) first.set(key, start)
    const { text, parts } = this.view.expanded
    const line = this.view.chunks.find(({ from }) => from > 0)?.from ?? Number.POSITIVE_INFINITY
    for (const { start, end, line: at, files } of parts) {
      if (at <= line) continue
      const tokens = tokenize(text, start, end)
      for (const [index, token] of tokens.entries()) {
        if (token.kind !== 'name' || /^(?:\.|->)$/.test(tokens[index - 1]?.text ?? '')) continue
        const isTag = isTagWord(tokens[index - 1]?.text)
        const declared = first.get(`${isTag ? 't' : 'o'} ${token.text}`)
        if (declared === undefined || declared > start) continue
        this.#need({ name: token.text, isTag, at: index, how: 'other' }, tokens, files.at(-1)!)
      }
    }
  }

  #bind(name: string, kind: Binding['kind'], running: RunningSymbol, item: Item, candidates: readonly Item[]): void {
    if (this.#bindings.has(name)) return
    const first = candidates.find((one) => !isFromHeader(one)) ?? candidates[0]!
    for (const one of candidates) if (isFromHeader(one)) this.#takeWhole(one, `${name} is declared by it`)
    const label = labelAmong(candidates, name)
    const typed = this.#names.withParameters(item, name)
    const head = isBeforeBody(typed)
    this.#bindings.set(name, { name, kind, running, item: typed, first, needsBound: false, label })
    this.#queue.push(() => {
      for (const use of this.#names.usesIn(typed))
        if (head(use.at) && !this.#isAnnounced(typed, name, use, first.chunk.from))
          this.#need(use, typed.tokens, titleOf(typed))
    })
  }

  /** Whether a pointer is all that a function is handed of a type: who calls it has the pointer from elsewhere. */
  #isAnnounced({ tokens, declaration }: Item, name: string, { isTag, name: tag, at }: Use, line: number): boolean {
    const one = declaration.declarators.find((it) => it.name === name && it.isFunction)
    const keyword = tokens[at - 1]?.text ?? ''
    if (one === undefined || !isTag || at < one.at || !/^(?:struct|union)$/.test(keyword)) return false
    const [type] = this.#names.tagDefinitions(tag)
    if (tokens[at + 1]?.text !== '*' || type === undefined || isFromHeader(type)) return false
    const known = this.#forwards.get(`${keyword} ${tag}`)?.line ?? type.chunk.from
    this.#forwards.set(`${keyword} ${tag}`, { item: type, line: Math.min(line, known) })
    return true
  }

  #functionNeeded(use: Use, item: Item, by: string) {
    const { name } = use
    const candidates = this.#names.candidates(name)
    if (this.#targets.has(name)) {
      if (this.#renamed.has(name) && use.how !== 'call') {
        const running = this.#runningOf(name, 'function', candidates, isInline(item))
        if (running !== undefined) this.#bind(name, 'function', running, item, candidates)
      }
      return
    }
    if (this.#whole.has(item) || this.#bindings.has(name)) return
    if (isFromHeader(item)) return this.#takeWhole(item, `${by} calls it`)
    if (item.declaration.body === undefined) return this.#aliasNeeded(name, 'function', item, candidates, by)
    const running = this.#runningOf(name, 'function', candidates, isInline(item))
    if (running !== undefined) this.#bind(name, 'function', running, item, candidates)
    else {
      if (this.request.privateCopy !== undefined && !item.declaration.storage.has('static'))
        this.#renamed.set(name, this.request.privateCopy(name))
      this.#takeWhole(item, `${by} ${use.how === 'call' ? 'calls' : 'refers to'} it`)
    }
  }

  #variableNeeded(name: string, item: Item, candidates: readonly Item[], by: string) {
    if (this.#bindings.has(name) || this.#whole.has(item) || this.#waiting.has(name)) return
    // A register has no place of its own.
    if (isFromHeader(item) || item.declaration.storage.has('register')) return this.#takeWhole(item, `${by} uses it`)
    const one = definitionOf(item, name)
    if (one === undefined) return this.#aliasNeeded(name, 'variable', item, candidates, by)
    // What else may change it changes the running one.
    const isVolatile = item.tokens.slice(0, one.at).some(({ text }) => /^(?:__)?volatile(?:__)?$/.test(text))
    if (one.isConst && !isVolatile && one.value !== undefined && item.declaration.storage.has('static')) {
      this.#waiting.add(name)
      this.#constants.set(name, by)
      return
    }
    const running = this.#runningOf(name, 'variable', candidates)
    if (running !== undefined) return this.#bind(name, 'variable', running, item, candidates)
    this.#copyVariable(name, item, candidates, by)
  }

  /** What a name is in the running program; an asm label tells its symbol. */
  #runningOf(name: string, kind: Binding['kind'], candidates: readonly Item[], inline = false) {
    return this.request.externalize(name, kind, inline, labelAmong(candidates, name))
  }

  /** Another name of something is bound like it, or comes with a copy of it. */
  #aliasNeeded(name: string, kind: Binding['kind'], item: Item, candidates: readonly Item[], by: string) {
    const running = this.#runningOf(name, kind, candidates)
    if (running !== undefined) return this.#bind(name, kind, running, item, candidates)
    const meant = aliased(item, name)!
    const real = this.#names.definition(meant)
    if (real === undefined || this.request.externalize(meant, kind) !== undefined)
      this.#findings.push({
        severity: 'error',
        rule: 'alias-copied',
        symbol: name,
        message:
          `${by} uses ${name}, another name of ${meant} by an alias attribute, and only ${meant} can ` +
          'be bound to the running kernel',
        hint: `Use ${meant} in the fix`,
      })
    this.#takeWhole(item, `${by} uses it`)
  }

  #copyVariable(name: string, item: Item, candidates: readonly Item[], by: string): void {
    const one = definitionOf(item, name)!
    if (!one.isConst && this.request.carry?.(name) !== true && !this.#names.isNeverWritten(name, item))
      this.#findings.push({
        severity: 'error',
        rule: 'writable-copied',
        symbol: name,
        message:
          `${by} uses the variable ${name}, of which the running kernel has no symbol; a copy would ` +
          'be a second one',
        hint: 'Keep the code that uses it out of the functions that change, or use a shadow variable',
      })
    for (const candidate of candidates) if (definitionOf(candidate, name)) this.#takeWhole(candidate, `${by} uses it`)
  }

  #localsOf(item: Item): readonly BoundLocal[] {
    const { bound, findings: own } = bindLocals(item, this.request)
    this.#findings.push(...own)
    if (bound.length > 0) this.#locals.set(item, bound)
    return bound
  }

  /** Whether something in the output, or in a header, has a name that is known in the whole file. */
  #isTaken(name: string): boolean {
    const isInOutput = (item: Item) => this.#whole.has(item) || this.#typesOnly.has(item)
    return (
      this.#bindings.has(name) ||
      [...this.#renamed.values()].includes(name) ||
      this.#names.candidates(name).some(isInOutput) ||
      isDeclaredByHeaders(this.view, name, true) ||
      isDeclaredByHeaders(this.view, name, false) ||
      [...this.#whole].some((item) => declaresInBody(item, name))
    )
  }

  #drain(): void {
    for (;;) {
      const next = this.#queue.shift()
      if (next !== undefined) next()
      else if (this.#constants.size > 0) {
        const [name, by] = this.#constants.entries().next().value!
        this.#constants.delete(name)
        this.#decideConstant(name, by)
      } else if (!this.#completeForwards()) return
    }
  }

  /** Constant data may be copied where only its elements are read; what has an identity stays the running one. */
  #decideConstant(name: string, by: string): void {
    const candidates = this.#names.candidates(name)
    const item = this.#names.definition(name)!
    if (this.#bindings.has(name) || this.#whole.has(item)) return
    const running = this.#manners.escapes(name, item) ? this.#runningOf(name, 'variable', candidates) : undefined
    if (running !== undefined) this.#bind(name, 'variable', running, item, candidates)
    else this.#copyVariable(name, item, candidates, by)
  }

  /** Where in the file what is in the output uses each name first. */
  #firstUses(): Map<string, number> {
    const firstUse = new Map<string, number>()
    const note = (item: Item, counts: (at: number) => boolean) => {
      const at = this.#names.orderOf(item)
      for (const use of this.#names.usesIn(item)) {
        if (!counts(use.at)) continue
        const key = `${use.isTag ? 't' : 'o'} ${use.name}`
        if (at < (firstUse.get(key) ?? Number.POSITIVE_INFINITY)) firstUse.set(key, at)
      }
    }
    for (const item of this.#whole) note(item, () => true)
    for (const item of this.#typesOnly) note(item, (at) => at < item.declaration.declarators[0]!.from)
    for (const { item } of this.#bindings.values()) note(item, isBeforeBody(item))
    return firstUse
  }

  /** What is used before it is defined needs its earlier declarations, too. */
  #completeForwards(): boolean {
    const before = this.#whole.size
    const firstUse = this.#firstUses()
    for (const [key, first] of firstUse) {
      const isTag = key.startsWith('t ')
      const name = key.slice(2)
      if (!isTag && this.#bindings.has(name)) continue
      if (!isTag && this.#renamed.has(name)) continue
      const candidates = isTag ? this.#names.tagged(name) : this.#names.candidates(name)
      const definition = isTag ? this.#names.tagDefinitions(name)[0] : this.#names.definition(name)
      if (definition !== undefined && this.#names.orderOf(definition) <= first) continue
      for (const one of candidates) {
        const announces = one.declaration.declarators.some(
          (it) => it.name === name && (isOnlyForInlining(one) || !definitionOf(one, name)),
        )
        if (one !== definition && this.#names.orderOf(one) <= first && (isTag || announces))
          this.#takeWhole(one, `${name} is used before its definition`)
      }
    }
    return this.#whole.size > before || this.#queue.length > 0
  }
}
