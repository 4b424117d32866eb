// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch source`: functions of a C file, with all that they need, as a small C file of their own.

import { Command, InvalidArgumentError } from 'commander'
import type { ExtractedSource } from '../../source/view/request.ts'
import { type CommonOptions, perform, withCommonOptions } from '../options/session.ts'
import { complain, outputBytes } from '../render/output.ts'

interface SourceOptions extends CommonOptions {
  readonly extract: readonly string[]
  readonly externalize?: readonly string[] | boolean
  readonly rename?: boolean
  readonly expandIncludes?: boolean
  readonly output?: string
}

/** Warnings that the extract is not what the file is. A script that only looks at the exit code must not take it. */
const isOther: ReadonlySet<string> = new Set(['extract-differs', 'static-local-copied'])

function names(text: string): readonly string[] {
  const list = text.split(',').map((name) => name.trim())
  for (const name of list)
    if (!/^[A-Za-z_$][\w$.]*$/.test(name)) throw new InvalidArgumentError(`${JSON.stringify(name)} is no name in C.`)
  return list
}

/** What the extract holds; on standard error, as the extract itself may go to standard output. */
function contentLines({ copied, externalized }: ExtractedSource): string[] {
  return [
    ...copied.map(({ name, kind, reason }) => `copied: ${kind} ${name}: ${reason}`),
    ...externalized.map(({ name, kind }) => `only declared: ${kind} ${name}`),
  ]
}

export function sourceCommand(): Command {
  return withCommonOptions(new Command('source'), 'what was copied, and why, and what is only declared')
    .description('write the functions of a C file, with what they need, as a small C file')
    .argument('<file>', 'the C file')
    .argument(
      '[compiler...]',
      'behind --: the compiler, if it is not cc, and the flags with which the file is compiled',
    )
    .requiredOption('--extract <names>', 'the functions, with commas between', names)
    .option('--externalize <names>', 'declare only these functions and variables, and copy all else', names)
    .option('--no-externalize', 'copy everything that is needed')
    .option('--rename', 'give the functions the prefix livepatch_')
    .option('--expand-includes', 'write what is needed from the headers instead of #include lines')
    .option('-o, --output <file>', 'write to this file instead of standard output')
    .addHelpText(
      'after',
      `
Headers, macros, types and comments stay as they are written; conditions are resolved. What the running program has
already is only declared: as a rule all variables that can be written and all functions that are not inline. The
compiler checks the result. Paths in the flags are relative to the current directory.

Examples:
  inarch source main.c --extract parse -- -O2 -Iinclude
  inarch source main.c --extract parse,emit --no-externalize -o small.c -- clang -O2 -Iinclude

Exit codes: 0 written; 2 there is no such function, the file is no C, or the compiler does not know a flag; 3 the file
does not compile; 4 the extract is written, but does not compile, is other code than the file and not known to be the
same by its source (extract-differs), or has a second copy of a variable that nobody asked for.`,
    )
    .action((file: string, words: readonly string[], options: SourceOptions) =>
      perform(options, async (session) => {
        const { extractStandalone } = await import('../../source/standalone.ts')
        const { splitCommand } = await import('../../source/view/compiler-flags.ts')
        const extracted = await extractStandalone(session.job, {
          unit: { file, cwd: process.cwd(), ...splitCommand(words, file) },
          functions: options.extract,
          externalize:
            options.externalize === false ? 'none' : Array.isArray(options.externalize) ? options.externalize : 'all',
          rename: options.rename === true,
          includes: options.expandIncludes === true ? 'expand' : 'keep',
        })
        session.data(extracted)
        if (options.output !== undefined) {
          const { writeWhole } = await import('../../ground/whole-file.ts')
          await writeWhole(options.output, Buffer.from(extracted.text, 'latin1'))
        } else if (!session.json) outputBytes(Buffer.from(extracted.text, 'latin1'))
        const { findingLines } = await import('../render/findings.ts')
        if (session.verbose && !session.json) for (const line of contentLines(extracted)) complain(line)
        for (const finding of extracted.findings) for (const line of findingLines(finding)) complain(line)
        if (extracted.findings.some(({ severity, rule }) => severity === 'error' || isOther.has(rule)))
          session.exitCode = 4
      }),
    )
}
