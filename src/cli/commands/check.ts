// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch check`: judges a source diff without making a module.
import { Command } from 'commander'
import { type FixOptions, fixOptions, requestOf } from '../options/fix-options.ts'
import { type CommonOptions, perform, withCommonOptions } from '../options/session.ts'

interface CheckOptions extends CommonOptions, FixOptions {
  readonly rules?: boolean
}

export function checkCommand(): Command {
  return fixOptions(withCommonOptions(new Command('check'), 'every reason, and all that is carried'))
    .description('say whether one or more source diffs can be applied live, and what could go wrong')
    .argument('[patch...]', 'unified diffs (git, quilt or diff -u), applied in this order')
    .option('--rules', 'explain the safety rules instead')
    .addHelpText(
      'after',
      `
Everything that \`inarch build\` would object to is told at once; no module is made.

Examples:
  inarch check fix.patch
  inarch check --kernel 6.12 --json fix.patch
  inarch check --rules

Exit codes: 0 it can be applied live; 3 it does not apply or compile; 4 it can't be, or waits for your judgement.`,
    )
    .action((files: string[], options: CheckOptions) =>
      perform(options, async (session) => {
        if (options.rules === true) {
          const { renderRules } = await import('../render/rules.ts')
          const { catalogue } = await import('../../check/catalogue.ts')
          session.data(catalogue.flatMap(({ rules }) => rules))
          for (const line of renderRules(catalogue)) session.print(line)
          return
        }
        const { renderJudgement } = await import('../render/judgement.ts')
        const { judgeFix } = await import('../../module/judgement.ts')
        const { kernel, request } = await requestOf(session.job, files, options)
        const judgement = await judgeFix(session.job, kernel, { ...request, replace: true, output: '.' })
        session.data(judgement)
        const { terminalWidth } = await import('../render/width.ts')
        const asked = { files, options, width: terminalWidth(), verbose: session.verbose }
        for (const line of renderJudgement(judgement, asked)) session.print(line)
        if (judgement.verdict !== 'possible') session.exitCode = 4
      }),
    )
}
