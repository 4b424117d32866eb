// SPDX-License-Identifier: GPL-3.0-or-later
// The transition, foretold: what the rules know of tasks that sleep in what is replaced, and what was seen in the guest
// before the live patch came.

import { forecastRules } from '../../check/rules/concurrency/forecast.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import { sentence } from '../../ground/sentence.ts'
import type { Facts } from '../facts/facts.ts'
import type { ProofRecord } from '../facts/proof-file.ts'
import { type Html, html } from '../html/html.ts'
import { findingList } from './findings.ts'

const promises = {
  'will-finish': 'the transition will finish at once',
  'will-wait': 'the transition will wait',
  'cannot-finish': 'the transition can’t finish',
} as const

const noneSleeps =
  'A task goes over to the new code when no replaced function is on its stack. ' +
  'No task is known to sleep for long in what is replaced here.'

export function forecastPart({ manifest, proof, functions }: Facts): Html {
  const known = manifest.findings.filter(({ rule }) => forecastRules.includes(rule))
  const still = functions.length > 0 && known.length === 0 ? html`<p>${noneSleeps}</p>` : findingList(known)
  return html`${still}${proof?.orders.map(measured)}
<p class="quiet">On the system that is to be patched, <code>inarch forecast livepatch-${manifest.name}.ko</code> looks at every task’s stack.</p>`
}

/** What was seen in the guest before the live patch came. */
export function measured({ title, forecast }: ProofRecord['orders'][number]): Html | undefined {
  if (forecast === undefined) return undefined
  const { verdict, tasks, sleeping, held, went } = forecast
  const seen =
    sleeping.length === 0
      ? `none of ${inNumbers(tasks, 'task')} was in a replaced function`
      : `${sleeping.length} of ${inNumbers(tasks, 'task')} ${sleeping.length === 1 ? 'was' : 'were'} in ` +
        'a replaced function'
  const came = held === undefined ? 'But' : held ? 'So it went' : 'It went otherwise'
  return html`<h3>Measured in the virtual machine <small>${title}</small></h3>
<p>Just before the live patch came, ${seen}: ${promises[verdict]}. ${came}: ${sentence(went)}</p>
${sleeping.length > 0 && html`<div class="wide"><table class="plain"><thead><tr><th>Task<th>Kind<th>In<th>It</thead><tbody>${sleeping.map(({ pid, name, kind, functions, outlook }) => html`<tr><td><code>${name}</code> (${pid})<td>${kind}<td><code>${functions.join(', ')}</code><td>${outlook}`)}</tbody></table></div>`}`
}
