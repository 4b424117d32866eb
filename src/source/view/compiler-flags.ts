// SPDX-License-Identifier: GPL-3.0-or-later
// What the compiler refuses to work with: flags that it does not know, input that takes too much; and its flags as a
// person gives them.
import { exhaustion } from '../../build/compiler/compiler-run.ts'
import { Fault } from '../../ground/fault.ts'
import type { SourceUnit } from './request.ts'

/**
 * Throws when the compiler's message says that it does not know a flag.
 * @throws Fault `usage/unknown-flag`
 */
export function refusedFlag(unit: Pick<SourceUnit, 'compiler'>, stderr: string): void {
  const flag =
    /error: unrecognized (?:command-line )?option [‘'"`]?([^’'"\s;]+)/.exec(stderr)?.[1] ??
    /error: (?:unknown argument|unsupported option|unknown warning option):? [‘'"`]?([^’'"\s;]+)/.exec(stderr)?.[1]
  if (flag !== undefined)
    throw new Fault('usage', 'unknown-flag', `${unit.compiler} does not know the flag ${flag}`, {
      remedy: 'Check the flags behind --, or name the compiler that they are for as their first word',
    })
}

/**
 * Throws when the compiler was ended at its limits, of which it has nothing to say.
 * @throws Fault `patch/takes-too-much`
 */
export function refusedInput(unit: Pick<SourceUnit, 'compiler' | 'file'>, messages: string): void {
  const why = exhaustion(messages)
  if (why !== undefined)
    throw new Fault('patch', 'takes-too-much', `${unit.compiler} ${why} for ${unit.file}`, {
      remedy: 'Look for macros or headers in it that grow without end',
    })
}

/**
 * The compiler and its flags from what stands behind `--`: the first word is the compiler unless it is an option. What
 * only concerns the output is left out, so that a command may be given as a build printed it.
 */
export function splitCommand(words: readonly string[], file: string): { compiler: string; flags: string[] } {
  const named = words[0] !== undefined && !words[0].startsWith('-')
  const flags: string[] = []
  for (let at = named ? 1 : 0; at < words.length; at++) {
    const word = words[at]!
    if (word === '-o') at++
    else if (word !== '-c' && word !== '-S' && word !== '-E' && word !== file) flags.push(word)
  }
  return { compiler: named ? words[0]! : 'cc', flags }
}
