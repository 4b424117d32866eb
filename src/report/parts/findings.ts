// SPDX-License-Identifier: GPL-3.0-or-later
// What there was to say against the live patch, the gravest first, and what its author consented to.
import { forecastRules } from '../../check/rules/concurrency/forecast.ts'
import type { Finding } from '../../ground/finding.ts'
import { sentence } from '../../ground/sentence.ts'
import type { Facts } from '../facts/facts.ts'
import { type Html, html } from '../html/html.ts'

const titles = { error: 'Error', warning: 'Warning', note: 'Note' } as const

export function findingsPart({ manifest }: Facts): Html {
  const findings = manifest.findings.filter(({ rule }) => !forecastRules.includes(rule))
  if (findings.length === 0) return html`<p>The safety rules found nothing to say.</p>`
  return findingList(findings)
}

/** The findings, the gravest first. */
export function findingList(findings: readonly Finding[]): Html {
  const ranks = ['error', 'warning', 'note'] as const
  const ranked = ranks.flatMap((rank) => findings.filter(({ severity }) => severity === rank))
  return html`<ul class="findings">${ranked.map(oneFinding)}</ul>`
}

function oneFinding({ severity, rule, message, hint, symbol, unit, allowed }: Finding): Html {
  return html`<li class="finding ${severity}">
<p class="kind"><b>${titles[severity]}</b> <code>${rule}</code>${allowed === true && html` <em class="allowed">allowed by the author</em>`}</p>
<p>${sentence(message)}</p>
${hint !== undefined && html`<p class="hint">${sentence(hint)}</p>`}
${(symbol ?? unit) !== undefined && html`<p class="where">${symbol !== undefined && html`<code>${symbol}</code> `}${unit !== undefined && html`<code>${unit}</code>`}</p>`}
</li>`
}
