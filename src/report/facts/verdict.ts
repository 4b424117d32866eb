// SPDX-License-Identifier: GPL-3.0-or-later
// The live patch in words: what a reviewer has to know first.

import { forecastRules } from '../../check/rules/concurrency/forecast.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import { uncoveredWords } from '../../vm/verdict/coverage.ts'
import type { Facts } from './facts.ts'

export type Mark = 'good' | 'care' | 'bad' | 'open'

export interface Stamp {
  readonly mark: Mark
  readonly title: string
  readonly text: string
}

export interface Verdict {
  readonly mark: Mark
  /** A sentence. */
  readonly text: string
  readonly stamps: readonly Stamp[]
}

export function seconds(ms: number): string {
  return ms < 995 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

export function verdictOf(facts: Facts): Verdict {
  const { manifest, proof, functions } = facts
  const warnings = manifest.findings.filter(({ severity }) => severity === 'warning')
  const replaced =
    functions.length > 0 ? `It replaces ${inNumbers(functions.length, 'function')}` : 'It replaces no function'
  const allowed = warnings.length === 0 ? '' : `; its author accepts ${inNumbers(warnings.length, 'warning')}`
  const stamps = [matchStamp(facts), ruleStamp(facts), forecastStamp(facts), proofStamp(proof)]
  if (proof?.verdict === 'failed')
    return {
      mark: 'bad',
      text: `Not fit to be applied: its proof failed for ${inNumbers(proof.failures.length, 'reason')}.`,
      stamps,
    }
  if (proof?.verdict === 'loaded')
    return {
      mark: 'open',
      text: `Loaded and reverted on its kernel, but not seen at work. ${replaced}${allowed}.`,
      stamps,
    }
  if (proof === undefined) return { mark: 'open', text: `Not proven yet. ${replaced}${allowed}.`, stamps }
  return {
    mark: warnings.length === 0 ? 'good' : 'care',
    text: `Proven on its kernel. ${replaced}${allowed}.`,
    stamps,
  }
}

function matchStamp({ functions, manifest }: Facts): Stamp {
  const title = 'Code that runs'
  const differs = manifest.findings.some(({ rule }) => rule === 'code-differs')
  if (differs) return { mark: 'bad', title, text: 'The code that would be replaced is not the code that runs' }
  const compared = functions.filter(({ match }) => match !== undefined).length
  if (compared === 0) return { mark: 'open', title, text: 'No record of a comparison with the kernel' }
  if (compared < functions.length)
    return {
      mark: 'care',
      title,
      text: `${compared} of ${functions.length} functions were compared with the kernel`,
    }
  const all =
    compared === 1 ? 'The function is' : compared === 2 ? 'Both functions are' : `All ${compared} functions are`
  return { mark: 'good', title, text: `${all} what the kernel runs, instruction by instruction` }
}

function ruleStamp({ manifest }: Facts): Stamp {
  const title = 'Safety rules'
  const warnings = manifest.findings.filter(({ severity }) => severity === 'warning').length
  const notes = manifest.findings.filter(({ severity }) => severity === 'note').length
  const also = notes === 0 ? '' : `, ${inNumbers(notes, 'note')}`
  if (warnings > 0)
    return { mark: 'care', title, text: `${inNumbers(warnings, 'warning')} accepted by the author${also}` }
  return { mark: 'good', title, text: `Nothing stands against it${also}` }
}

function forecastStamp({ manifest, proof, functions }: Facts): Stamp {
  const title = 'Transition'
  if (functions.length === 0) return { mark: 'open', title, text: 'No function is replaced' }
  const measured = proof?.orders.flatMap(({ forecast }) => forecast ?? []) ?? []
  const known = manifest.findings.filter(({ rule }) => forecastRules.includes(rule))
  if (known.some(({ severity }) => severity !== 'note') || measured.some(({ verdict }) => verdict === 'cannot-finish'))
    return { mark: 'care', title, text: 'It can’t finish while some tasks exist' }
  if (known.length > 0 || measured.some(({ verdict }) => verdict === 'will-wait'))
    return { mark: 'care', title, text: 'It may have to wait for tasks that sleep in what is replaced' }
  return { mark: 'good', title, text: 'No task is known to sleep in what is replaced' }
}

export function proofStamp(proof: Facts['proof']): Stamp {
  const title = 'Proof'
  if (proof === undefined) return { mark: 'open', title, text: 'Not tried in a virtual machine yet' }
  if (proof.verdict === 'failed') return { mark: 'bad', title, text: proof.failures[0]?.message ?? 'It failed' }
  const uncovered = uncoveredWords(proof.coverage)
  if (proof.verdict === 'loaded')
    return {
      mark: 'care',
      title,
      text: `Loaded and reverted; ${uncovered ?? 'nothing of it was seen to run'}`,
    }
  if (uncovered !== undefined && proof.coverage.functions.length > 0)
    return { mark: 'care', title, text: `Its checks passed, but ${uncovered}` }
  const transition = proof.orders.flatMap(({ steps }) => steps).find(({ id }) => id.endsWith('.transition'))
  return {
    mark: 'good',
    title,
    text:
      transition === undefined
        ? 'Loaded, reverted and unloaded on its kernel'
        : `Loaded, switched in ${seconds(transition.ms)}, reverted and unloaded`,
  }
}
