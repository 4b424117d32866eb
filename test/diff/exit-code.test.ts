// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest'
import { withoutExitCode } from '../../src/diff/exit-code.ts'
import { changeOf, rules } from '../objects.ts'

const exit = '__attribute__((section(".exit.text"), used)) static'
const start = '__attribute__((section(".init.text"), used)) static'
const source = (leaves: string, shown: string, more = '') => `
extern void use(int); extern int get(void);
int shown(int a) { return ${shown}; }
${exit} void leave(void) { ${leaves} }
static void *__exitcall_leave __attribute__((used, section(".exitcall.exit"))) = leave;
${more}`
const old = source('use(1);', 'a + get()')

test('of what is built in, exit code that changes is no change, and a note', () => {
  const change = changeOf(old, source('use(2); get();', 'a + get()'))
  expect(rules(change.findings)).toEqual(['error init-code'])
  const left = withoutExitCode(change)
  expect(rules(left.findings)).toEqual(['note init-code'])
  expect(left.changed).toEqual([])
})

test('so is new exit code with its call, beside a function that changes', () => {
  const more =
    `${exit} void later(void) { use(7); } static void *__exitcall_later __attribute__((used, ` +
    'section(".exitcall.exit"))) = later;'
  const left = withoutExitCode(changeOf(old, source('use(1);', 'a - get()', more)))
  expect(rules(left.findings)).toEqual(['note init-code'])
  expect(left.changed.map(({ after }) => after.name)).toEqual(['shown'])
  expect([...left.added, ...left.addedData]).toEqual([])
})

test('boot code and what only looks like exit code stay what they are', () => {
  const more =
    `${start} int begin(void) { return get(); } __attribute__((section(".exit_never"), used)) ` + 'static int odd = 3;'
  const change = changeOf(old, source('use(1);', 'a + get()', more))
  expect(withoutExitCode(change).findings).toEqual(change.findings)
  expect(rules(change.findings)).toEqual(['error init-code', 'error registration-added'])
})

test('a function that leaves the exit code, and one that goes there, are changes', () => {
  const moved = old.replace(`${exit} void leave`, '__attribute__((used)) static void leave')
  for (const [before, after] of [
    [old, moved],
    [moved, old],
  ] as const) {
    const change = changeOf(before, after)
    const left = withoutExitCode(change)
    expect(left.changed.map(({ after }) => after.name)).toEqual(change.changed.map(({ after }) => after.name))
  }
})
