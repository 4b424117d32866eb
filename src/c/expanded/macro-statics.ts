// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables inside of functions that the kernel's macros make for diagnostics: a fresh one in a replaced
// function does no harm. The name alone does not tell: it must be declared as the macro declares it, and serve nothing
// but a message.

import { statementStart } from '../tokens/brackets.ts'
import type { Token } from '../tokens/lexer.ts'
import { isMember } from '../tokens/names.ts'
import { assignment } from '../tokens/words.ts'
import { nameGiver, speaker } from './message-functions.ts'

/** What the macros call them, and how they declare them. */
export const macroStatics = {
  // once_lite.h, mmdebug.h, rcupdate.h, net_debug.h; bug.h and printk.h of older kernels; dev_printk.h, drm_print.h
  onceFlag: {
    name: /^(?:__already_done|__warned|__print_once)$/,
    declaration: /^(?!.*=)(?=.*\b(?:bool|_Bool)\b).*"\.data\.\.?(?:once|unlikely|read_mostly)"/,
  },
  // ratelimit_types.h
  rateLimit: { name: /^_rs$/, declaration: /\bstruct ratelimit_state/ },
  // lockdep_types.h
  lockKey: { name: /^__key$/, declaration: /\bstruct lock_class_key\b/ },
  // dynamic_debug.h
  debugDescriptor: {
    name: /^(?:descriptor|_dd_ddp|__UNIQUE_ID_.*)$/,
    declaration: /\bstruct _ddebug\b|"\.discard\./,
  },
  // tracepoint.h, trace_events.h
  tracepointString: { name: /^_*tp_?str\w*$/, declaration: /"__tracepoint_str"|\bconst char\b/ },
  // printk.h: the index of all messages
  messageEntry: { name: /^_entry(?:_ptr)?$/, declaration: /\bconst struct pi_entry\b/ },
  constant: { name: /^(?:__msg|__func__|__flags|__compound\w*)$/, declaration: /\bconst\b/ },
} as const

/** @param declaration the text that declares it, its words one blank apart */
export function isDeclaredByMacro(name: string, declaration: string): boolean {
  return Object.values(macroStatics).some((one) => one.name.test(name) && one.declaration.test(declaration))
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
  const { onceFlag, rateLimit } = macroStatics
  if (!onceFlag.name.test(name) && !rateLimit.name.test(name)) return true
  for (let at = to; at < tokens.length; at++) {
    if (tokens[at]!.text !== name || isMember(tokens, at)) continue
    // Another block has one of its own.
    if (isDeclared(tokens, at)) return true
    if (!(rateLimit.name.test(name) ? asksLimit(tokens, at) : isFlag(tokens, at))) return false
  }
  return true
}

function isDeclared(tokens: readonly Token[], at: number): boolean {
  return tokens.slice(statementStart(tokens, at), at).some(({ text }) => text === 'static')
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
  return !/^(?:&|\+\+|--)$/.test(before) && !assignment.test(behind)
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
