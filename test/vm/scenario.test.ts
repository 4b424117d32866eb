// SPDX-License-Identifier: GPL-3.0-or-later
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { guestInit, guestLoad } from '../../src/vm/guest.ts'
import { actionOf } from '../../src/vm/record.ts'
import { type Plan, planOrder, scenarioScript } from '../../src/vm/scenario.ts'

const plan: Plan = {
  patch: 'livepatch_fix',
  modules: [],
  targets: [],
  removed: [],
  commands: [],
  script: false,
  loads: 0,
  transitionLimit: 60,
  checkLimit: 60,
}
const ofModule: Plan = {
  ...plan,
  modules: [
    { name: 'fat', path: 'lib/fat.ko' },
    { name: 'vfat', path: 'lib/vfat.ko' },
  ],
  targets: ['vfat'],
  removed: ['vfat'],
  mount: { type: 'vfat', device: '/dev/vda' },
  commands: ["echo 'it'\nls $HOME"],
  loads: 1,
}
const actions = (plan: Plan, order: 'module-first' | 'patch-first') =>
  planOrder(plan, order).map(({ id }) => actionOf(id))

describe('a scenario', () => {
  test('without a check still loads, waits, reverts, waits and unloads', () => {
    expect(actions(plan, 'module-first')).toEqual(['load', 'transition', 'revert', 'return', 'unload'])
  })

  test('checks before, after and when it is reverted', () => {
    expect(actions({ ...plan, commands: ['true'], script: true }, 'module-first')).toEqual([
      'check.before.0',
      'check.before.script',
      'load',
      'transition',
      'check.after.0',
      'check.after.script',
      'revert',
      'return',
      'unload',
      'check.reverted.0',
      'check.reverted.script',
    ])
  })

  test('of a patched module brings the module first in one order', () => {
    const all = actions(ofModule, 'module-first')
    expect(all.indexOf('module')).toBeLessThan(all.indexOf('load'))
    expect(all.slice(0, 4)).toEqual(['module', 'mount', 'check.before.0', 'busy'])
    expect(all.slice(-3)).toEqual(['check.reverted.0', 'unmount', 'remove'])
  })

  test('and the live patch first in the other, where the module comes when the transition is over', () => {
    const all = actions(ofModule, 'patch-first')
    expect(all.slice(0, 4)).toEqual(['load', 'transition', 'module', 'mount'])
    expect(all).not.toContain('check.before.0')
  })

  test('has different names for the steps of both orders', () => {
    const ids = (['module-first', 'patch-first'] as const).flatMap((order) =>
      planOrder(ofModule, order).map(({ id }) => id),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('hands a command on as it was written', () => {
    const [step] = planOrder({ ...plan, commands: ["printf '%s' \"a'b\"; echo $HOME `id`"] }, 'module-first')
    const words = execFileSync('sh', ['-c', `step() { printf '%s\\n' "$@"; }\n${step?.script}`], {
      encoding: 'utf8',
    })
    expect(words.split('\n').slice(-2)[0]).toBe("printf '%s' \"a'b\"; echo $HOME `id`")
  })
})

describe('the guest’s programs', () => {
  test.each([
    ['init', guestInit(10)],
    ['load', guestLoad],
    ['scenario', scenarioScript(planOrder(ofModule, 'patch-first'))],
  ])('%s is a script that busybox’s shell understands', (_, script) => {
    execFileSync('busybox', ['sh', '-n'], { input: script, stdio: ['pipe', 'pipe', 'pipe'] })
  })
})
