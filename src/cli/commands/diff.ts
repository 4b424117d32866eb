// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch diff`: what changed between two objects, without a kernel.
import { Command } from 'commander'
import type { PairResult } from '../../extract/pairs/pairs.ts'
import { type CommonOptions, perform, type Session, withCommonOptions } from '../options/session.ts'

interface DiffOptions extends CommonOptions {
  readonly pairs?: string
}

export function diffCommand(): Command {
  return withCommonOptions(new Command('diff'), 'notes')
    .description('show what changed between two object files: functions, data, callbacks')
    .argument('[before]', 'the object before the change')
    .argument('[after]', 'the object after it')
    .option('--pairs <file>', 'compare many pairs: a line for each, BEFORE and AFTER with a tab or a space between')
    .addHelpText(
      'after',
      `
The objects are relocatable, for x86-64, and best compiled with -ffunction-sections -fdata-sections. No kernel is
needed. Line numbers that moved are no change.

Examples:
  inarch diff before.o after.o
  inarch diff --json before.o after.o | jq '.changed[].name'
  inarch diff --pairs list.txt

Exit codes: 0 there is a change; 4 there is none, or it can't be live patched (the findings say why); 3 a file is
not a usable object. With --pairs: 0 when no pair is refused, 4 when one is.`,
    )
    .action((before: string | undefined, after: string | undefined, options: DiffOptions) =>
      perform(options, async (session) => {
        const { Fault } = await import('../../ground/fault.ts')
        if (options.pairs !== undefined && before === undefined) await comparePairs(session, options.pairs)
        else if (options.pairs === undefined && before !== undefined && after !== undefined)
          await compareOne(session, before, after)
        else
          throw new Fault('usage', 'bad-arguments', 'Either two objects are wanted or --pairs with a file', {
            remedy: 'Run `inarch diff --help` for examples',
          })
      }),
    )
}

async function compareOne(session: Session, before: string, after: string): Promise<void> {
  const { reportPair } = await import('../../extract/pairs/pair.ts')
  const { openBytes } = await import('../../elf/open.ts')
  const report = reportPair(openBytes(before), openBytes(after))
  session.data(report)
  const { pairLines } = await import('../render/pair.ts')
  for (const line of pairLines(report, session.verbose)) session.print(line)
  session.exitCode = report.outcome === 'change' ? 0 : 4
}

async function comparePairs(session: Session, file: string): Promise<void> {
  const { examinePairs } = await import('../../extract/pairs/pairs.ts')
  const { readPairList } = await import('../../extract/pairs/pair-list.ts')
  const results = await examinePairs(session.job, await readPairList(file))
  session.data(results.map((result) => ('report' in result ? { ...files(result), ...result.report } : result)))
  const { resultLines } = await import('../render/pair.ts')
  for (const result of results) for (const line of resultLines(result, session.verbose)) session.print(line)
  if (results.some((result) => 'error' in result)) session.exitCode = 3
  else if (results.some((result) => 'report' in result && result.report.outcome === 'refused')) session.exitCode = 4
}

function files({ before, after }: PairResult) {
  return { before, after }
}
