// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch forecast fix.ko`: whether the tasks of this host would let a live patch come.
import { Command, InvalidArgumentError } from 'commander'
import { type CommonOptions, perform, type Session, withCommonOptions } from '../options/session.ts'

interface ForecastOptions extends CommonOptions {
  readonly looks: number
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 1000)
    throw new InvalidArgumentError('It must be a whole number from 1 to 1000.')
  return value
}

export function forecastCommand(): Command {
  return withCommonOptions(new Command('forecast'), 'the stacks of the tasks that would be waited for')
    .description('say whether a live patch could go over on this host now, by the stacks of its tasks')
    .argument('<module>', 'a live patch with its manifest, such as livepatch-fix.ko')
    .option('--looks <n>', 'how often to look at all tasks, five times a second', count, 5)
    .addHelpText(
      'after',
      `
A task goes over to the new code when none of the replaced functions is on its stack. Nothing is loaded or changed. It takes root.

Exit codes: 0 the transition will finish, or wait for tasks that go on; 4 it can't finish; 5 the stacks can't be seen.`,
    )
    .action((file: string, options: ForecastOptions) => perform(options, (session) => run(session, file, options)))
}

async function run(session: Session, file: string, { looks }: ForecastOptions): Promise<void> {
  const [{ readSubject, replacedNames }, { openHost }, { forecastFor }, { forecastPage }] = await Promise.all([
    import('../../vm/plan/subject.ts'),
    import('../../livepatch/host.ts'),
    import('../../livepatch/transition-forecast.ts'),
    import('../render/forecast.ts'),
  ])
  const subject = await readSubject(file)
  const forecast = await forecastFor(session.job, openHost(), subject, replacedNames(subject), {
    looks,
    interval: 200,
  })
  session.data(forecast)
  for (const line of forecastPage(forecast, session.verbose)) session.print(line)
  if (forecast.verdict === 'cannot-finish') session.exitCode = 4
}
