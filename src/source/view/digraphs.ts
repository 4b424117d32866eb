// SPDX-License-Identifier: GPL-3.0-or-later
// Other spellings of punctuators: `<% %> <: :> %:` (C11, 6.4.6) and trigraphs (5.2.1.1). Nobody writes the kernel in
// them, and text that is taken apart by its brackets would be taken apart wrongly, so a file that has some is refused.
import { comment, outsideLiterals } from '../../c/tokens/lexer.ts'
import { Fault } from '../../ground/fault.ts'
import type { SourceUnit } from './request.ts'

const digraph = /<[:%]|%[:>]|:>/
const scanDigraphs = outsideLiterals(`${comment}|${digraph.source}`)
const trigraph = /\?\?[=/'()!<>-]/

/**
 * @param text the unit as written, or what the preprocessor makes of it
 * @throws Fault `patch/digraphs`
 */
export function refuseDigraphs({ file, flags }: Pick<SourceUnit, 'file' | 'flags'>, text: string): void {
  const found = (hasTrigraphs(flags) ? trigraph.exec(text)?.[0] : undefined) ?? digraphIn(text)
  if (found === undefined) return
  throw new Fault('patch', 'digraphs', `${file} is written with ${found}, which stands for another character`, {
    remedy: 'Write { } [ ] # and \\ as they are, in the file and in its headers',
  })
}

function digraphIn(text: string): string | undefined {
  if (!digraph.test(text)) return undefined
  for (const { text: one } of scanDigraphs(text)) if (!one.startsWith('/')) return one
  return undefined
}

/** gcc and clang leave trigraphs alone, except by the standards without GNU's extensions. */
function hasTrigraphs(flags: readonly string[]): boolean {
  return flags.some((flag) => /^(?:-trigraphs|-ansi|-?-std=(?:c|iso)\S+)$/.test(flag))
}
