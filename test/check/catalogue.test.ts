// SPDX-License-Identifier: GPL-3.0-or-later
// Nothing is found under a name that nobody explains.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { catalogue, everyRule } from '../../src/check/catalogue.ts'
import { rules } from '../../src/check/rules.ts'
import { rulesPage } from './rules-page.ts'

const root = path.join(import.meta.dirname, '../..')

/** The names under which the rooms of a fix report, as they stand in the code. */
function namesInCode(): Map<string, string> {
  const found = new Map<string, string>()
  for (const room of ['build', 'diff', 'extract', 'match', 'source', 'module', 'check', 'audit'])
    for (const file of readdirSync(path.join(root, 'src', room), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || file.startsWith('catalogue')) continue
      const text = readFileSync(path.join(root, 'src', room, file), 'utf8')
      for (const [, name] of text.matchAll(/\brule: (?:\w+(?:\.\w+)* [=!]== \w+ \? )?'([a-z][a-z-]+)'/g))
        found.set(name!, `${room}/${file}`)
      for (const [, name] of text.matchAll(
        /\b(?:error|refuse|refusal|say|problem|tell|complain)\(\s*(?:(?:file|unit|unit\.source|'(?:error|warning|note)'),\s*)?'([a-z]+(?:-[a-z]+)+)'/g,
      ))
        found.set(name!, `${room}/${file}`)
    }
  return found
}

describe('the rules', () => {
  test('are all explained, whichever room reports them', () => {
    const names = namesInCode()
    expect(names.size).toBeGreaterThan(40)
    const unknown = [...names].filter(([name]) => !everyRule.has(name))
    expect(unknown).toEqual([])
  })

  test('have each one name', () => {
    const all = catalogue.flatMap((chapter) => chapter.rules.map(({ name }) => name))
    expect(all.filter((name, index) => all.indexOf(name) !== index)).toEqual([])
    for (const rule of rules) expect(everyRule.get(rule.name)?.why).toBe(rule.why)
  })

  test('are said in sentences without a full stop', () => {
    for (const { looksFor, why, remedy } of everyRule.values())
      for (const sentence of [looksFor, why, remedy]) expect(sentence).toMatch(/^[A-Z][\s\S]*[^.\s]$/)
  })

  test('rest on the kernel’s own words, where they are about safety', () => {
    for (const { name, restsOn } of rules) expect([name, restsOn.length]).not.toEqual([name, 0])
  })

  test('stand in docs/rules.md as they are', () => {
    expect(readFileSync(path.join(root, 'docs/rules.md'), 'utf8')).toBe(rulesPage())
  })
})
