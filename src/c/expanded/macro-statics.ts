// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables inside of functions that the kernel's macros make for diagnostics: a fresh one in a replaced
// function does no harm. The name alone does not tell: it must be declared as the macro declares it, and serve nothing
// but a message.

import type { Token } from '../tokens/lexer.ts'
import { nameGiver, speaker } from './message-functions.ts'

/** By names, what the declaration says. */
const made: readonly (readonly [name: RegExp, declaration: RegExp])[] = [
  [
    /^(?:__already_done|__warned|__print_once)$/,
    /^(?!.*=)(?=.*\b(?:bool|_Bool)\b).*"\.data\.\.?(?:once|unlikely|read_mostly)"/,
  ],
  [/^_rs$/, /\bstruct ratelimit_state/],
  [/^__key$/, /\bstruct lock_class_key\b/],
  [/^(?:descriptor|_dd_ddp|__UNIQUE_ID_.*)$/, /\bstruct _ddebug\b|"\.discard\./],
  [/^_*tp_?str\w*$/, /"__tracepoint_str"|\bconst char\b/],
  [/^_entry(?:_ptr)?$/, /\bconst struct pi_entry\b/],
  [/^(?:__msg|__func__|__flags|__compound\w*)$/, /\bconst\b/],
]

/** @param declaration the text that declares it, its words one blank apart */
export function isDeclaredByMacro(name: string, declaration: string): boolean {
  return made.some(([names, pattern]) => names.test(name) && pattern.test(declaration))
}

/** Words with a parenthesis behind them that call nobody. */
const noCall =
  /^(?:if|while|for|switch|return|sizeof|__?typeof(?:__)?|__attribute__|__builtin_\w+|__compiletime_assert_\w+|_*(?:asm|volatile|inline|goto)_*)$/

/** What a WARN is on x86, in a text of assembly. */
const trap = /0x0f, ?0x0b|\bud2\b/

/**
 * Whether a variable that a macro declares so keeps a message from being said again, and nothing else.
 * @param tokens the function's, behind the preprocessor
 * @param to behind the declaration
 */
export function servesMessage(tokens: readonly Token[], name: string, to: number): boolean {
  if (!/^(?:__already_done|__warned|__print_once|_rs)$/.test(name)) return true
  for (let at = to; at < tokens.length; at++) {
    if (tokens[at]!.text !== name || /^(?:\.|->)$/.test(tokens[at - 1]!.text)) continue
    // Another block has one of its own.
    if (isDeclared(tokens, at)) return true
    if (!(name === '_rs' ? asksLimit(tokens, at) : isFlag(tokens, at))) return false
  }
  return true
}

function isDeclared(tokens: readonly Token[], at: number): boolean {
  let from = at
  while (from > 0 && !/^[;{}]$/.test(tokens[from - 1]!.text)) from--
  return tokens.slice(from, at).some(({ text }) => text === 'static')
}

/** `___ratelimit(&(_rs), __func__)`, and a message where that is true. */
function asksLimit(tokens: readonly Token[], at: number): boolean {
  let call = at - 1
  while (/^[&(]$/.test(tokens[call]?.text ?? '')) call--
  const isAsked = tokens[call]?.text === '___ratelimit' && tokens[call - 1]?.text !== '!'
  return isAsked && saysBehind(tokens, at)
}

/** It is read, or set and a message said. */
function isFlag(tokens: readonly Token[], at: number): boolean {
  const [before, behind] = [tokens[at - 1]!.text, tokens[at + 1]?.text ?? '']
  if (behind === '=') return /^(?:true|1)$/.test(tokens[at + 2]?.text ?? '') && saysBehind(tokens, at)
  return !/^(?:&|\+\+|--)$/.test(before) && !/^(?:[-+*/%&|^]=|<<=|>>=|\+\+|--)$/.test(behind)
}

/** Whether the first call from here on says something. */
function saysBehind(tokens: readonly Token[], from: number): boolean {
  for (let at = from; at < tokens.length; at++) {
    const { kind, text } = tokens[at]!
    if (kind === 'string' && trap.test(text)) return true
    if (kind === 'name' && tokens[at + 1]?.text === '(' && !noCall.test(text) && !nameGiver.test(text))
      return speaker.test(text)
  }
  return false
}
