// SPDX-License-Identifier: GPL-3.0-or-later
// Where memory comes from and how it is given back. The kernel's allocators are families: what one gave, another one
// can't take (include/linux/{slab,vmalloc,percpu,gfp,mempool,dmapool}.h); `kvfree` takes what kmalloc and what vmalloc
// gave, and `kfree` also what kmem_cache_alloc gave (mm/slub.c).

import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { argumentsAt } from '../../locks/operations.ts'
import type { Side } from '../../subject/changed-functions.ts'
import { accessPathOf, accessPathStart, isCast } from '../reading/access-paths.ts'

export type Family = string

export interface Allocation {
  readonly role: 'take' | 'give'
  /** Of a take: the family; of a give: those that it takes. */
  readonly families: readonly Family[]
  readonly word: string
  /** The struct, or the last name where it is no struct. */
  readonly thing: string
  /** How the address differs from the allocator's, such as `- 64`; empty for none. */
  readonly offset: string
  readonly definition: Definition
  /** The local variable in which it lies. */
  readonly variable?: string
  /** The thing is what the function returns, or a parameter of it. */
  readonly forOthers?: 'result' | number
}

const takes: readonly (readonly [RegExp, Family])[] = [
  [
    /^k(?:[mz]|re|c)alloc(?:_(?:node|array|array_node|large|large_node|track_caller|trace|noprof))?(?:_noprof)?$|^kmemdup\w*$|^kstrdup\w*$|^kstrndup$|^kvasprintf$|^kasprintf$|^memdup_user(?:_nul)?$|^kcalloc_node$|^krealloc_array$/,
    'kmalloc',
  ],
  [
    /^kv(?:[mz]|c|re)alloc(?:_(?:node|array))?$|^kvmemdup$|^vmemdup_user$|^kvmalloc_array$|^kvcalloc$/,
    'kvmalloc',
  ],
  [/^__?vmalloc\w*$|^vmalloc(?:_\w+)?$|^vzalloc(?:_node)?$|^vcalloc$/, 'vmalloc'],
  [/^kmem_cache_(?:z?alloc)(?:_\w+)?$/, 'kmem_cache'],
  [/^(?:__)?alloc_percpu(?:_gfp)?$|^netdev_alloc_pcpu_stats$|^alloc_percpu_\w+$/, 'percpu'],
  [/^(?:__)?alloc_pages?(?:_node|_vma|_noprof)?$|^(?:__)?folio_alloc\w*$|^dev_alloc_pages?$/, 'struct page'],
  [/^__get_free_pages?$|^get_zeroed_page(?:_\w+)?$|^alloc_pages_exact$/, 'page address'],
  [/^mempool_alloc$/, 'mempool'],
  [/^dma_pool_z?alloc$/, 'dma_pool'],
  [/^dma_alloc_(?:coherent|attrs|wc)$/, 'dma_alloc'],
  [/^devm_k(?:[mz]|c)alloc(?:_array)?$|^devm_kmemdup$|^devm_kasprintf$|^devm_kstrdup$/, 'devm_kmalloc'],
  [/^memblock_\w*alloc\w*$/, 'memblock'],
]

const gives: readonly (readonly [RegExp, readonly Family[], number])[] = [
  [
    /^kv(?:z)?free(?:_sensitive)?$|^k(?:v)?free_rcu(?:_mightsleep)?$/,
    ['kmalloc', 'kvmalloc', 'vmalloc', 'kmem_cache'],
    0,
  ],
  [/^kz?free(?:_sensitive)?$|^kfree_const$/, ['kmalloc', 'kmem_cache'], 0],
  [/^vfree(?:_atomic)?$/, ['vmalloc'], 0],
  [/^kmem_cache_free$/, ['kmem_cache'], 1],
  [/^free_percpu$/, ['percpu'], 0],
  [/^__free_pages?$|^put_page$|^folio_put$|^__folio_put$/, ['struct page'], 0],
  [/^free_pages?$|^free_pages_exact$/, ['page address'], 0],
  [/^mempool_free$/, ['mempool'], 0],
  [/^dma_pool_free$/, ['dma_pool'], 1],
  [/^dma_free_(?:coherent|attrs|wc)$/, ['dma_alloc'], 2],
  [/^devm_kfree$/, ['devm_kmalloc'], 1],
]

/** The family, with the cache that it comes from where one is named. */
function familyOf(word: string, inner: readonly (readonly Token[])[]): Family | undefined {
  const family = takes.find(([words]) => words.test(word))?.[1]
  if (family === undefined) return undefined
  const pool = /^(?:kmem_cache|mempool|dma_pool)$/.test(family)
    ? inner[family === 'mempool' ? 0 : 0]
    : undefined
  return pool === undefined ? family : `${family} ${pool.map(({ text }) => text).join('')}`
}

function acceptedBy(
  word: string,
  inner: readonly (readonly Token[])[],
): { families: readonly Family[]; argument: number } | undefined {
  const row = gives.find(([words]) => words.test(word))
  if (row === undefined) return undefined
  const [, families, argument] = row
  const pool = /^(?:kmem_cache_free|dma_pool_free)$/.test(word)
    ? inner[0]
    : word === 'mempool_free'
      ? inner[1]
      : undefined
  return {
    families: pool === undefined ? families : [`${families[0]} ${pool.map(({ text }) => text).join('')}`],
    argument,
  }
}

/** True when what `family` gave may go back by way of a function that takes `families`. */
export function accepts(families: readonly Family[], family: Family): boolean {
  if (family === 'kvmalloc') return families.includes('kmalloc') && families.includes('vmalloc')
  // `kfree` finds the cache itself.
  return families.includes(family) || (family.startsWith('kmem_cache ') && families.includes('kmem_cache'))
}

/** Arithmetic at the top level of a pointer's expression: `- 64` of `(void *)msg - 64`. */
function offsetIn(tokens: readonly Token[]): string {
  const found: string[] = []
  for (let at = 0; at < tokens.length; at++) {
    const { text } = tokens[at]!
    // A cast, or parentheses around a part, are looked into only at the start.
    if (text === '[' || (text === '(' && at > 0)) at = closing(tokens, at) - 1
    else if ((text === '-' || text === '+') && at > 0) {
      found.push(
        tokens
          .slice(at)
          .map((token) => token.text)
          .join(' '),
      )
      break
    }
  }
  return found.join('')
}

function thingOf(tokens: readonly Token[], definition: Definition): string | undefined {
  // `(void *)p - 64` is about p.
  const end = tokens.findIndex(({ text }, at) => at > 0 && (text === '-' || text === '+'))
  const place = accessPathOf(end < 0 ? tokens : tokens.slice(0, end), variablesOf(definition))
  if (place === undefined) return undefined
  const variable = variablesOf(definition).get(place.base)
  if (place.member === '' && variable !== undefined && /^(?:struct|union) /.test(variable.type))
    return variable.type
  if (place.member !== '' || variable === undefined || variable.isParameter) return place.member || place.base
  return keptAs(definition, place.base) ?? `${place.base} of ${definition.name}`
}

/** The name alone of a variable that is the function's own. */
function localIn(written: readonly Token[], definition: Definition): { readonly variable?: string } {
  const tokens = bare(written)
  const variable = tokens.length === 1 ? variablesOf(definition).get(tokens[0]!.text) : undefined
  return variable === undefined || variable.isParameter || variable.isStatic
    ? {}
    : { variable: variable.name }
}

/**
 * The member that gets a local pointer, or the pointer's own name where it is returned; undefined when it stays local.
 */
function keptAs({ body }: Definition, name: string): string | undefined {
  const at = body.findIndex(
    ({ text }, index) =>
      text === name && /^(?:=|return)$/.test(body[index - 1]?.text ?? '') && body[index + 1]?.text === ';',
  )
  if (at < 0) return undefined
  if (body[at - 1]!.text === 'return') return name
  return /^(?:->|\.)$/.test(body[at - 3]?.text ?? '') ? body[at - 2]!.text : undefined
}

/** What the functions of a side allocate and free. */
export function allocationsOf(side: Side): Allocation[] {
  return [...side.definitions.values()].flatMap((definition) => allocationsThrough(side, definition))
}

/**
 * What a function allocates and frees; where it only does so for others, by what these call it. `buf` of
 * `m->buf = seq_buf_alloc(size)` is what that function returns.
 */
export function allocationsThrough(side: Side, definition: Definition): Allocation[] {
  return allocationsIn(definition).flatMap((one) => {
    if (one.forOthers === undefined) return [one]
    const things = thingsOfUsers(side, definition, one.forOthers)
    return things.length === 0 ? [one] : things.map((thing): Allocation => ({ ...one, thing }))
  })
}

/** @param what `result`, or the number of the parameter */
function thingsOfUsers(side: Side, { name }: Definition, what: 'result' | number): string[] {
  return [...side.users(name)].flatMap((user) => {
    const definition = side.definitions.get(user)
    if (definition === undefined) return []
    return statementsOf(definition.body).flatMap(({ tokens }) =>
      tokens.flatMap(({ text }, at): string[] => {
        if (text !== name || tokens[at + 1]?.text !== '(') return []
        const thing =
          what === 'result'
            ? receiverOf(tokens, at, definition)?.name
            : thingOf(argumentsAt(tokens, at + 1)[what] ?? [], definition)
        return thing === undefined ? [] : [thing]
      }),
    )
  })
}

export function allocationsIn(definition: Definition): Allocation[] {
  const found: Allocation[] = []
  for (const { tokens } of statementsOf(definition.body))
    for (let at = 0; at < tokens.length; at++) {
      const { kind, text } = tokens[at]!
      if (kind !== 'name' || tokens[at + 1]?.text !== '(') continue
      const inner = argumentsAt(tokens, at + 1)
      const give = acceptedBy(text, inner)
      if (give !== undefined) {
        const argument = inner[give.argument] ?? []
        const thing = thingOf(argument, definition)
        const parameter = argument.length === 1 ? parameterOf(definition, argument[0]!.text) : undefined
        if (thing !== undefined)
          found.push({
            role: 'give',
            ...localIn(argument, definition),
            ...(parameter === undefined ? {} : { forOthers: parameter }),
            families: give.families,
            word: text,
            thing,
            offset: offsetIn(bare(argument)),
            definition,
          })
        continue
      }
      const family = familyOf(text, inner)
      if (family === undefined) continue
      const thing = isReturned(tokens, at, definition)
        ? { name: `the result of ${definition.name}`, offset: '', forOthers: 'result' as const }
        : receiverOf(tokens, at, definition)
      if (thing !== undefined)
        found.push({
          ...('forOthers' in thing ? { forOthers: thing.forOthers } : {}),
          role: 'take',
          ...('target' in thing ? localIn(thing.target, definition) : {}),
          families: [family],
          word: text,
          thing: thing.name,
          offset: thing.offset,
          definition,
        })
    }
  return found
}

/** `return kvmalloc(…)`, also behind a cast; of a macro, all that it stands for. */
function isReturned(tokens: readonly Token[], call: number, { kind }: Definition): boolean {
  if (kind === 'macro' && (call === 0 || (isCast(tokens, 0) && closing(tokens, 0) === call))) return true
  return tokens[0]?.text === 'return' && (call === 1 || (isCast(tokens, 1) && closing(tokens, 1) === call))
}

/** The number of a parameter that is no pointer to a struct: such a one is told by its type. */
function parameterOf(definition: Definition, name: string): number | undefined {
  const parameters = [...variablesOf(definition).values()].filter(({ isParameter }) => isParameter)
  const at = parameters.findIndex((one) => one.name === name)
  return at < 0 || /^(?:struct|union) /.test(parameters[at]!.type) ? undefined : at
}

function bare(tokens: readonly Token[]): readonly Token[] {
  return tokens[0]?.text === '(' && closing(tokens, 0) === tokens.length ? bare(tokens.slice(1, -1)) : tokens
}

/** What an allocation is assigned to, and what is added to it there or by the next assignment to the same. */
function receiverOf(tokens: readonly Token[], call: number, definition: Definition) {
  let at = call - 1
  while (at >= 0 && tokens[at]!.text !== '=') at--
  if (at < 0) return undefined
  const from = accessPathStart(tokens, at)
  const target = tokens.slice(tokens[from]?.text === '*' ? from + 1 : from, at)
  const name = thingOf(target, definition)
  if (name === undefined) return undefined
  const behind = tokens.slice(closing(tokens, call + 1))
  const here = /^[-+]$/.test(behind[0]?.text ?? '') ? behind.map(({ text }) => text).join(' ') : ''
  const own = target.map(({ text }) => text).join('')
  // `msg = (void *)msg + 64;`
  const later = statementsOf(definition.body).find(({ tokens: other }) => {
    const equals = other.findIndex(({ text }) => text === '=')
    if (
      equals < 1 ||
      other
        .slice(0, equals)
        .map(({ text }) => text)
        .join('') !== own
    )
      return false
    const value = other.slice(equals + 1)
    return (
      value.some(({ text }) => text === target.at(-1)?.text) &&
      offsetIn(bare(value)) !== '' &&
      !value.some(({ text }) => text === '?')
    )
  })
  const moved =
    later === undefined
      ? ''
      : offsetIn(bare(later.tokens.slice(later.tokens.findIndex(({ text }) => text === '=') + 1)))
  return { name, target, offset: here || moved }
}
