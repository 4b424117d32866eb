// SPDX-License-Identifier: GPL-3.0-or-later
// Trouble in the log during the exercises may be the kernel's own: a stock kernel warns, too, when it is driven hard. So the
// exercises are done once more in a boot without the live patch, and what comes there as well is nobody's fault.
import { type LogFinding, readLog } from './log.ts'
import { actionOf } from './record.ts'

/** Trouble that may come of the exercises alone. */
export function inDoubt({ step, expected }: LogFinding): boolean {
  return step !== undefined && actionOf(step) === 'exercise' && !expected
}

/** What a finding says, without what differs from boot to boot. */
function signature({ rule, lines }: LogFinding): string {
  const words = lines.map((line) =>
    line
      .replace(/^.*?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?/, '')
      .replace(/\+0x\S+/g, '')
      .replace(/0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+/g, '#')
      .replace(/Comm: \S+/, ''),
  )
  const told = words.find((line) => !/^-+\[ cut here|^Call Trace:/.test(line)) ?? ''
  // A bare call trace says only by its functions what it is about.
  return rule === 'trace' ? `${rule} ${words.slice(1, 12).join(' ')}` : `${rule} ${told}`
}

/**
 * The findings of a log, where those that are in doubt and came without the live patch, too, count as expected.
 * @param baseline the console of a boot that did the same exercises without the live patch
 * @returns also the findings that were cleared so
 */
export function clearedBy(
  baseline: readonly string[],
  log: readonly LogFinding[],
): { readonly log: LogFinding[]; readonly cleared: readonly LogFinding[] } {
  const known = new Set(readLog(baseline).map(signature))
  const cleared = log.filter((finding) => inDoubt(finding) && known.has(signature(finding)))
  return {
    log: log.map((finding) => (cleared.includes(finding) ? { ...finding, expected: true } : finding)),
    cleared,
  }
}
