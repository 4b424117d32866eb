// SPDX-License-Identifier: GPL-3.0-or-later
// The page of `inarch check`: the verdict first, the next step last.
import { expect, test } from 'vitest'
import { type Asked, renderJudgement } from '../../src/cli/render/judgement.ts'
import { wrapped } from '../../src/cli/render/width.ts'
import type { Judgement } from '../../src/module/judgement.ts'

const asked: Asked = { files: ['my fix.patch'], options: { allow: [] }, width: 60, verbose: false }

const judgement: Judgement = {
  format: 'inarch-check-1',
  name: 'fix',
  title: 'mm: count what is counted',
  kernel: { release: '6.1.0-1-amd64', version: '6.1.1-1' },
  verdict: 'possible',
  functions: [
    {
      object: 'vmlinux',
      name: 'one',
      unit: 'mm/one.c',
      reasons: ['its size changes', 'it refers to "two"'],
      match: { by: 'name', fields: 3, unconfirmed: 0 },
    },
  ],
  carried: [{ name: 'two', kind: 'function', unit: 'mm/one.c', reason: 'one needs it' }],
  findings: [],
}

const page = (change: Partial<Judgement>, more: Partial<Asked> = {}) =>
  renderJudgement({ ...judgement, ...change }, { ...asked, ...more })

test('a fix that can be applied: what it is, the verdict, what is replaced, and the command that builds it', () => {
  const lines = page({})
  expect(lines.slice(0, 4)).toEqual([
    'mm: count what is counted',
    'my fix.patch on 6.1.0-1-amd64 (6.1.1-1)',
    '',
    '✓ It can be applied live to 6.1.0-1-amd64.',
  ])
  expect(lines.join('\n')).toContain('  ✓ it is what the kernel runs')
  expect(lines.at(-1)).toBe("next: inarch build 'my fix.patch'")
})

test('a warning waits for consent, and the next command gives it', () => {
  const warning = { severity: 'warning', rule: 'lock-balance', message: 'A lock', hint: 'Look' } as const
  const lines = page(
    { verdict: 'consent', findings: [warning, { ...warning, rule: 'known', allowed: true }] },
    { options: { allow: ['known'], kernel: '6.12', bind: 'klp' } },
  )
  expect(lines).toContain('! It waits for your judgement: 1 warning.')
  expect(lines).toContain('2 warnings')
  expect(lines).toContain('  ! known allowed')
  expect(lines.at(-1)).toBe("      inarch build --kernel 6.12 --bind klp --allow known,lock-balance 'my fix.patch'")
})

test('what one rule says of one file stands together, with its remedy once', () => {
  const warning = {
    severity: 'warning',
    rule: 'lock-balance',
    unit: 'mm/one.c',
    message: 'A lock',
    hint: 'Look',
  } as const
  const findings = [warning, { ...warning, message: 'Another lock' }, { ...warning, unit: 'mm/two.c' }]
  const lines = page({ verdict: 'consent', findings })
  const from = lines.indexOf('3 warnings')
  expect(lines.slice(from + 1, from + 8)).toEqual([
    '  ! lock-balance  mm/one.c',
    '    A lock.',
    '    Another lock.',
    '    → Look.',
    '  ! lock-balance  mm/two.c',
    '    A lock.',
    '    → Look.',
  ])
})

test('errors come before warnings and notes, and what is foretold has a place of its own', () => {
  const finding = (severity: 'error' | 'warning' | 'note', rule: string) => ({
    severity,
    rule,
    message: rule,
  })
  const lines = page({
    verdict: 'refused',
    findings: [
      finding('note', 'a-note'),
      finding('warning', 'never-finishes'),
      finding('warning', 'a-warning'),
      finding('error', 'an-error'),
    ],
  })
  const order = ['1 error', '1 warning', 'Transition', '1 note'].map((title) => lines.indexOf(title))
  expect(order).toEqual([...order].sort((a, b) => a - b))
  expect(order).not.toContain(-1)
  expect(lines.indexOf('  ! never-finishes')).toBeGreaterThan(lines.indexOf('Transition'))
})

test('no line of prose is wider than the terminal, and none is broken for a program', () => {
  const message = 'a word '.repeat(60).trim()
  const findings = [{ severity: 'note', rule: 'a-note', message, hint: message }] as const
  for (const line of page({ findings }, { width: 40 }).filter((one) => one.includes('word')))
    expect(line.length).toBeLessThanOrEqual(40)
  expect(page({ findings }, { width: Number.POSITIVE_INFINITY })).toContain(`    ${message}.`)
})

test('a word that is longer than the line stays whole', () => {
  expect(wrapped('a abcdefghij b', 5, ' ')).toEqual([' a', ' abcdefghij', ' b'])
})
