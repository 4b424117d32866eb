// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch extract`: the smallest object that carries what changed between two objects.
import { Command } from 'commander'
import { type CommonOptions, perform, withCommonOptions } from '../options/session.ts'
import { bold, green } from '../render/colour.ts'

interface ExtractOptions extends CommonOptions {
  readonly output: string
}

export function extractCommand(): Command {
  return withCommonOptions(new Command('extract'), 'notes')
    .description('write the smallest object that carries what changed between two object files')
    .argument('<before>', 'the object before the change')
    .argument('<after>', 'the object after it')
    .requiredOption('-o, --output <file>', 'the object to write')
    .addHelpText(
      'after',
      `
The object holds the changed functions and what they need; what is already in the kernel stays undefined in it, by
the name that it has there. \`inarch build\` goes on from here to a live patch module.

Example:
  inarch extract before.o after.o -o change.o

Exit codes: 0 written; 4 there is no change, or it can't be live patched; 3 a file is not a usable object.`,
    )
    .action((before: string, after: string, options: ExtractOptions) =>
      perform(options, async (session) => {
        const { extractPair } = await import('../../extract/pairs/pair-object.ts')
        const { openObject } = await import('../../elf/open.ts')
        const made = await extractPair(openObject(before), openObject(after), after, options.output)
        session.data({
          output: options.output,
          replaced: made.replaced,
          carried: made.carried,
          ...made.report,
        })
        for (const name of made.replaced) session.print(`${bold(name)} replaced`)
        for (const { name, reason } of made.carried) session.print(`${bold(name)} carried: ${reason}`)
        const { findingLines } = await import('../render/findings.ts')
        for (const finding of made.report.findings)
          if (session.verbose || finding.severity !== 'note')
            for (const line of findingLines(finding)) session.print(line)
        session.print(`${green('made')} ${options.output}`)
      }),
    )
}
