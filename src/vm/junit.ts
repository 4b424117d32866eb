// SPDX-License-Identifier: GPL-3.0-or-later
// A proof as JUnit XML, which CI systems show: one suite for each order, one case for each check and
// one for the live patch's way in and out.

import type { OrderRecord, Proof } from './proof.ts'
import { uncoveredWords } from './verdict/coverage.ts'
import type { Failure } from './verdict/judge.ts'
import { actionOf, type StepRecord } from './verdict/record.ts'

/** Text for XML 1.0: markup escaped; characters that XML can't hold are replaced. */
function escapeText(text: string): string {
  return text
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;')
}

const attribute = (text: string) => escapeText(text).replaceAll('\n', '&#10;').replaceAll('\t', '&#9;')
const seconds = (ms: number) => (ms / 1000).toFixed(3)

interface Case {
  readonly name: string
  readonly ms: number
  readonly failures: readonly Failure[]
  readonly output?: string
  /** Why it says nothing. */
  readonly skipped?: string
}

function caseXml(suite: string, { name, ms, failures, output, skipped }: Case): string {
  const failed = failures.map(
    ({ code, message, lines }) =>
      `      <failure type="${attribute(code)}" ` +
      `message="${attribute(message)}">${escapeText((lines ?? []).join('\n'))}</failure>\n`,
  )
  const out = output === undefined ? '' : `      <system-out>${escapeText(output)}</system-out>\n`
  if (skipped !== undefined && failed.length === 0) failed.push(`      <skipped message="${attribute(skipped)}"/>\n`)
  const head = `    <testcase classname="${attribute(suite)}" name="${attribute(name)}" time="${seconds(ms)}"`
  return failed.length === 0 && out === '' ? `${head}/>\n` : `${head}>\n${failed.join('')}${out}    </testcase>\n`
}

function suiteXml(name: string, cases: readonly Case[]): string {
  const failures = cases.filter((one) => one.failures.length > 0).length
  const ms = cases.reduce((sum, one) => sum + one.ms, 0)
  const skipped = cases.filter((one) => one.skipped !== undefined && one.failures.length === 0).length
  const head =
    `  <testsuite name="${attribute(name)}" tests="${cases.length}" failures="${failures}" ` +
    `errors="0" skipped="${skipped}" time="${seconds(ms)}">\n`
  return `${head}${cases.map((one) => caseXml(name, one)).join('')}  </testsuite>\n`
}

function orderCases(order: OrderRecord, proof: Proof): Case[] {
  const isCheck = (step: StepRecord) => actionOf(step.id).startsWith('check.')
  const ids = new Set(order.steps.filter(isCheck).map(({ id }) => id))
  const rest = order.steps.filter((step) => !isCheck(step))
  const mine = ({ step }: Failure) => step?.startsWith(`${order.order}.`) === true
  return [
    {
      name: 'load, transition, revert and unload',
      ms: rest.reduce((sum, { ms }) => sum + ms, 0),
      failures: proof.failures.filter((failure) => mine(failure) && !ids.has(failure.step ?? '')),
    },
    ...order.steps.filter(isCheck).map(
      (step): Case => ({
        name: step.title,
        ms: step.ms,
        failures: proof.failures.filter((failure) => failure.step === step.id),
        ...(step.output === undefined ? {} : { output: step.output.text }),
      }),
    ),
  ]
}

/** Proofs as a JUnit XML document. */
export function junitXml(proofs: readonly Proof[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${proofs.map(suitesXml).join('')}</testsuites>\n`
}

function suitesXml(proof: Proof): string {
  const name = `${proof.module.name} on ${proof.kernel.release}`
  const orders = new Set<string>(proof.orders.map(({ order }) => order))
  const suites = proof.orders.map((order) => suiteXml(`${name}: ${order.title}`, orderCases(order, proof)))
  const machine: Case = {
    name: 'boot and kernel log',
    ms: proof.bootMs.reduce((sum, ms) => sum + ms, 0),
    failures: proof.failures.filter(({ step, code }) => code !== 'coverage' && !orders.has(step?.split('.')[0] ?? '')),
  }
  const uncovered = uncoveredWords(proof.coverage)
  const coverage: Case = {
    name: 'every replaced function ran',
    ms: 0,
    failures: proof.failures.filter(({ code }) => code === 'coverage'),
    output: proof.coverage.functions
      .map(({ object, name: one, ran, uncounted }) => `${object}:${one} ${ran ?? uncounted}`)
      .join('\n'),
    ...(uncovered === undefined ? {} : { skipped: uncovered }),
  }
  return `${suiteXml(`${name}: machine`, [machine, coverage])}${suites.join('')}`
}
