// SPDX-License-Identifier: GPL-3.0-or-later
// How functions pack several values into one word and take them out again, and by which unit they multiply and divide:
// what one function makes so, another one must read in the same way.

import type { Token } from '../../../c/tokens/lexer.ts'
import { statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import type { ChangedFunction } from '../../subject/changed-functions.ts'
import { accessPathOf, liveMember, pathBefore } from '../reading/access-paths.ts'
import { spelled } from '../reading/calls-and-assignments.ts'
import { bothVariables, type Replacement, withPlainAccesses } from './replacements.ts'

/** A function that puts values into a word, or takes them out, otherwise than before. */
export interface Packing {
  readonly name: string
  readonly file: string
  readonly does: 'pack' | 'unpack'
  /** The shifts and masks of its word. */
  readonly shifts: ReadonlySet<string>
  readonly gone: string
  readonly come: string
}

/** Units of memory and time that all of the kernel shifts by. */
const everywhere = /^(?:PAGE|SECTOR|PMD|PUD|HPAGE|PAGE_CACHE|MAX_PAGE)_\w*$|^\d/

function shiftsIn(tokens: readonly Token[], does: Packing['does']): string[] {
  const isPacked = tokens.some(({ text }) => text === '|' || text === '|=')
  return tokens.flatMap(({ text }, at) => {
    const next = tokens[at + 1]
    if (next?.kind !== 'name' || !/^[A-Z][A-Z0-9_]+$/.test(next.text) || everywhere.test(next.text)) return []
    const isMask = text === '<<' && /^1[uUlL]*$/.test(tokens[at - 1]?.text ?? '')
    const is =
      text === '>>' || text === '>>=' || isMask ? 'unpack' : /^<<=?$/.test(text) && isPacked ? 'pack' : undefined
    return is === does ? [next.text] : []
  })
}

/** The shifts in the order in which a function uses them. */
function orderOf({ body }: Definition, does: Packing['does']): string[] {
  return statementsOf(body).flatMap(({ tokens }) => shiftsIn(tokens, does))
}

/** Each shift of one side that the other one has, too, once and in its order. */
function kept(list: readonly string[], other: readonly string[]): string[] {
  return [...new Set(list)].filter((one) => other.includes(one))
}

/** @param constants shifts that have another value now */
export function packingsIn(
  of: ChangedFunction,
  replacements: readonly Replacement[],
  constants: ReadonlySet<string>,
): Packing[] {
  const { name, file } = of
  if (of.before === undefined || of.after === undefined) return []
  const [before, after] = [withPlainAccesses(of.before), withPlainAccesses(of.after)]
  return (['pack', 'unpack'] as const).flatMap((does): Packing[] => {
    const [old, young] = [orderOf(before, does), orderOf(after, does)]
    const shifts = new Set([...old, ...young])
    if (shifts.size === 0) return []
    const [was, is] = [kept(old, young), kept(young, old)]
    if (was.join() !== is.join())
      return [{ name, file, does, shifts: new Set(was), gone: was.join(', '), come: is.join(', ') }]
    const shiftsOf = (its: Replacement) => [its.before, its.after].flatMap(({ tokens }) => shiftsIn(tokens, does))
    const one = replacements.find((its) => shiftsOf(its).length > 0)
    if (one !== undefined) {
      const exchange = { gone: spelled(one.before.tokens), come: spelled(one.after.tokens) }
      return [{ name, file, does, shifts: new Set(replacements.flatMap(shiftsOf)), ...exchange }]
    }
    const constant = [...shifts].find((shift) => constants.has(shift))
    return constant === undefined
      ? []
      : [{ name, file, does, shifts: new Set([constant]), gone: constant, come: constant }]
  })
}

/** A value that is multiplied or divided by a unit now, or no longer. */
export interface Scale {
  readonly name: string
  readonly file: string
  /** `HZ`. */
  readonly unit: string
  /** 1 where what is read is multiplied now, or no longer divided. */
  readonly by: 1 | -1
  /** The member of a living object that is so scaled. */
  readonly member?: string
  readonly gone: string
  readonly come: string
}

export function scalesIn(of: ChangedFunction, replacements: readonly Replacement[]): Scale[] {
  const { name, file } = of
  const variables = bothVariables(of)
  return replacements.flatMap((one): Scale[] => {
    const [old, young] = [one.before.tokens, one.after.tokens]
    const [was, is] = [unitsIn(old), unitsIn(young)]
    return [...was.keys(), ...is.keys()].flatMap((key): Scale[] => {
      const [less, more] = [was.get(key) ?? [], is.get(key) ?? []]
      if (less.length === more.length) return []
      const [operator, unit] = key.split(' ') as [string, string]
      const isMore = more.length > less.length
      const by = isMore === (operator === '*') ? 1 : -1
      const [tokens, at] = isMore ? [young, more.at(-1)!] : [old, less.at(-1)!]
      const member = liveMember(accessPathOf(pathBefore(tokens, at), isMore ? variables.after : variables.before))
      const exchange = { gone: spelled(old), come: spelled(young) }
      return [{ name, file, unit, by, ...exchange, ...(member === undefined ? {} : { member }) }]
    })
  })
}

/** Where values are multiplied and divided by units: by operator and unit, where the operator stands. */
function unitsIn(tokens: readonly Token[]): Map<string, number[]> {
  const found = new Map<string, number[]>()
  for (const [at, { text }] of tokens.entries()) {
    const unit = tokens[at + 1]
    if (!/^[*/]$/.test(text) || at === 0 || unit === undefined) continue
    if (!/^[A-Z][A-Z0-9_]*$|^\d{2,}[uUlL]*$/.test(unit.text) || /^[(,=]$/.test(tokens[at - 1]!.text)) continue
    const key = `${text} ${unit.text}`
    found.set(key, [...(found.get(key) ?? []), at])
  }
  return found
}
