// SPDX-License-Identifier: GPL-3.0-or-later
// Who decides: an error refuses the fix, a warning asks for the author's consent (`--allow RULE`), and the consent is
// recorded in the manifest.
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { Kernel } from '../kernel/kernel.ts'

/** The rules to whose warnings the author consents. */
export type Consent = ReadonlySet<string>

/** Marks the warnings that the author allows. */
export function withConsent(findings: readonly Finding[], consent: Consent): Finding[] {
  return findings.map((finding) =>
    finding.severity === 'warning' && consent.has(finding.rule) ? { ...finding, allowed: true } : finding,
  )
}

/** What stands in the way of the live patch. */
export function objectionsAmong(findings: readonly Finding[]): Finding[] {
  return findings.filter(
    ({ severity, allowed }) => severity === 'error' || (severity === 'warning' && allowed !== true),
  )
}

/**
 * @param findings from `withConsent`
 * @throws Fault `refused/not-live-patchable` with all findings when one is an error; `refused/needs-consent` when there
 *   are only warnings that nobody has allowed
 */
export function refuseUnlessAllowed(kernel: Kernel, findings: readonly Finding[]): void {
  refuseIfErrors(kernel, findings)
  const open = objectionsAmong(findings)
  if (open.length === 0) return
  const rules = [...new Set(open.map(({ rule }) => rule))]
  throw new Fault(
    'refused',
    'needs-consent',
    `The patch could harm ${kernel.release}, and ` +
      `${open.length === 1 ? 'one warning waits' : `${open.length} warnings wait`} for your judgement`,
    {
      findings,
      remedy: `When they are harmless here, say so: --allow ${rules.join(',')}`,
    },
  )
}

/** @throws Fault `refused/not-live-patchable` with all findings when one of them is an error */
export function refuseIfErrors(kernel: Kernel, findings: readonly Finding[]): void {
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return
  const count = errors.length === 1 ? 'one reason' : `${errors.length} reasons`
  throw new Fault(
    'refused',
    'not-live-patchable',
    `The patch can't be applied live to ${kernel.release}, for ${count}`,
    { findings },
  )
}
