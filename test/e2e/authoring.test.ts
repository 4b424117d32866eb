// SPDX-License-Identifier: GPL-3.0-or-later
// The worked examples of the guide for patch authors, and patches written the way of kpatch: they do what they are
// made for, and the guide shows them as they are. On the second series they are a campaign.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { describeAuthoring } from './authoring.ts'
import { root } from './inarch.ts'
import { seen } from './seen.ts'

test('every example of the guide and every patch for kpatch is tried', () => {
  const tried = new Set(seen.flatMap(({ patch, over }) => (over === undefined ? [patch] : [over, patch])))
  for (const dir of ['examples/authoring', 'test/e2e/kpatch'])
    for (const name of readdirSync(path.join(root, dir))) expect(tried).toContain(`${dir}/${name}`)
})

test('the guide shows the examples as they are', () => {
  const guide = readFileSync(path.join(root, 'docs/authoring.md'), 'utf8')
  const shown = [...guide.matchAll(/<!-- from \.\.\/(\S+) -->\n```c\n(.*?)```/gs)]
  for (const [, name = '', code = ''] of shown) {
    const added = readFileSync(path.join(root, name), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('+'))
      .map((line) => line.slice(1))
      .join('\n')
    expect(added, name).toContain(code.trimEnd())
  }
  expect(shown.length).toBeGreaterThan(5)
  for (const name of readdirSync(path.join(root, 'examples/authoring')))
    expect(guide).toContain(`(../examples/authoring/${name})`)
})

describeAuthoring('bookworm')
