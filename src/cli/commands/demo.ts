// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch demo`: the whole story on a stock kernel, with nothing to prepare.
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import type { DemoCase } from '../../demo/demo.ts'
import { defined } from '../../ground/values/defined.ts'
import { type CommonOptions, perform, type Session, withCommonOptions } from '../options/session.ts'
import { bold, cyan, dim, green, red } from '../render/colour.ts'

interface DemoOptions extends CommonOptions {
  readonly kernel?: string
  readonly output?: string
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

/** The lines of a diff that say what changes. */
function changedLines(patch: string): string[] {
  return readFileSync(patch, 'utf8')
    .split('\n')
    .filter((line) => /^(@@|[-+](?!--|\+\+))/.test(line))
    .map((line) => (line[0] === '+' ? green(line) : line[0] === '-' ? red(line) : dim(line)))
}

/** What the check printed before, with and after the live patch. */
function behaviour(shown: DemoCase): string[] {
  const lines: string[] = []
  for (const order of shown.proof.orders) {
    if (shown.proof.orders.length > 1) lines.push(`  ${order.title}:`)
    for (const step of order.steps) {
      if (step.output === undefined) continue
      const when = step.title.slice(0, step.title.indexOf(':'))
      lines.push(`  ${dim(when.padEnd(20))} ${step.output.text.trim().split('\n').join('  ')}`)
    }
  }
  return lines
}

function transitions(shown: DemoCase): string {
  const steps = shown.proof.orders.flatMap(({ steps }) => steps).filter(({ title }) => title.startsWith('transition'))
  const tasks = Math.max(0, ...steps.flatMap(({ samples }) => (samples ?? []).map(({ total }) => total)))
  return `${steps.length} transitions, ${tasks} tasks, ${steps.map(({ ms }) => seconds(ms)).join(', ')}`
}

function tell(session: Session, shown: DemoCase): void {
  const { made, proof } = shown
  const functions = made.manifest.objects.flatMap(({ name, functions: list }) =>
    list.map((one) => `${one.name} (${name})`),
  )
  session.print('')
  session.print(`${bold('replaces')}   ${functions.join(', ')}`)
  session.print(bold('behaviour'))
  for (const line of behaviour(shown)) session.print(line)
  session.print(`${bold('switched')}   ${transitions(shown)}`)
  if (proof.loads.length > 0)
    session.print(`${bold('meanwhile')}  ${proof.loads.map((rounds) => `${rounds} rounds`).join(', ')} of load`)
  session.print(
    `${bold('time')}       built in ${seconds(shown.buildMs)}, proven in ${seconds(shown.proveMs)} ` +
      `(boot ${proof.bootMs.map(seconds).join(', ')})`,
  )
}

export function demoCommand(): Command {
  return withCommonOptions(new Command('demo'), 'every step of each proof')
    .description('build real fixes for stock Debian kernels, and prove them in a virtual machine')
    .argument('[example...]', 'which examples (default: all)')
    .option('-k, --kernel <which>', 'a release, a series (6.12), a Debian (trixie, stable), `running` or `latest`')
    .option('-o, --output <dir>', 'keep the modules, manifests, proofs and reports there')
    .action((names: string[], options: DemoOptions) =>
      perform(options, async (session) => {
        const { demo } = await import('../../demo/demo.ts')
        const { failureLines, renderProof, verdictWords } = await import('../render/proof.ts')
        const start = performance.now()
        const wanted = { names, ...defined({ kernel: options.kernel, output: options.output }) }
        const cases = await demo(session.job, wanted, {
          begin(example, kernel, patch) {
            session.print('')
            session.print(bold(cyan(`${example.title}`)))
            session.print(dim(`${example.patch} for ${kernel.release} (Debian ${kernel.version})`))
            for (const line of changedLines(patch)) session.print(`  ${line}`)
            session.print('')
          },
          end: (shown) => {
            tell(session, shown)
            if (session.verbose) for (const line of ['', ...renderProof(shown.proof, true)]) session.print(line)
            for (const failure of shown.proof.failures)
              for (const line of [failure.message, ...failureLines(failure)]) session.print(red(line))
          },
          skip: (example, why) => session.print(`Left out: ${example.title}: ${why}.`),
        })
        const failed = cases.filter(({ proof }) => proof.verdict === 'failed')
        session.data(cases.map(({ made, ...rest }) => ({ ...rest, manifest: made.manifest })))
        session.print('')
        for (const { example, kernel, proof, buildMs, proveMs } of cases) {
          const verdict = verdictWords(proof)
          session.print(
            `${verdict}  ${example.name.padEnd(24)} ${kernel.release.padEnd(22)} build ` +
              `${seconds(buildMs).padStart(7)}  prove ${seconds(proveMs).padStart(7)}`,
          )
        }
        session.print(`all in ${seconds(performance.now() - start)}`)
        if (failed.length > 0) session.exitCode = 6
      }),
    )
}
