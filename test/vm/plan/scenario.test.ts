// SPDX-License-Identifier: GPL-3.0-or-later
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { guestInit, guestLoad } from '../../../src/vm/guest/agent.ts'
import { type Plan, planBaseline, planOrder, scenarioScript } from '../../../src/vm/plan/scenario.ts'
import { actionOf } from '../../../src/vm/verdict/record.ts'

const plan: Plan = {
  part: 0,
  patch: { name: 'livepatch_fix', replace: true, model: 'kernel' as const },
  over: [],
  functions: [],
  modules: [],
  targets: [],
  removed: [],
  commands: [],
  script: false,
  loads: 0,
  exercises: 0,
  transitionLimit: 60,
  checkLimit: 60,
  exerciseLimit: 30,
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
  commands: [{ command: "echo 'it'\nls $HOME", label: 'it' }],
  loads: 1,
}
const actions = (plan: Plan, order: 'module-first' | 'patch-first') =>
  planOrder(plan, order).map(({ id }) => actionOf(id))

describe('a scenario', () => {
  test('without a check still loads, waits, reverts, waits and unloads', () => {
    expect(actions(plan, 'module-first')).toEqual(['load', 'transition', 'revert', 'return', 'unload'])
  })

  test('looks for the replaced functions on all stacks before the live patch is loaded', () => {
    const replaced = {
      ...plan,
      functions: ['f.isra.0', 'do_poll', 'do_poll'].map((name) => ({ object: 'vmlinux', name, sympos: 0 })),
    }
    const load = planOrder(replaced, 'module-first').find(({ id }) => actionOf(id) === 'load')
    const [look = '', step] = load?.script.split('\n') ?? []
    expect(step).toMatch(/^step module-first\.load loaded /)
    const [, pattern = ''] = /^asleep module-first '(.*)'$/.exec(look) ?? []
    const stack = ['do_poll+0x1/0x2', 'do_poll_x+0x1/0x2', 'x_do_poll+0x1/0x2', 'f.isra.0+0x9/0xa', 'f_isra_0+0x9/0xa']
    const input = stack.map((line) => `[<0>] ${line}\n`).join('')
    const found = execFileSync('grep', ['-E', pattern], { input, encoding: 'utf8' })
    expect(found).toBe('[<0>] do_poll+0x1/0x2\n[<0>] f.isra.0+0x9/0xa\n')
  })

  test('checks before, after and when it is reverted', () => {
    expect(actions({ ...plan, commands: [{ command: 'true', label: 'truth' }], script: true }, 'module-first')).toEqual(
      [
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
      ],
    )
  })

  test('of a patched module brings the module first in one order', () => {
    const all = actions(ofModule, 'module-first')
    expect(all.indexOf('module')).toBeLessThan(all.indexOf('load'))
    expect(all.slice(0, 4)).toEqual(['module', 'mount', 'check.before.0', 'busy'])
    expect(all.slice(-3)).toEqual(['check.reverted.0', 'unmount', 'remove'])
  })

  test('and the live patch first in the other, where the module comes when the transition is over', () => {
    const all = actions(ofModule, 'patch-first')
    expect(all.slice(0, 5)).toEqual(['load', 'transition', 'module', 'reload', 'mount'])
    expect(all).not.toContain('check.before.0')
  })

  test('counts how often what is replaced runs, until it is reverted', () => {
    const functions = [
      { object: 'vmlinux', name: 'f', sympos: 0, code: { section: '.text.f', offset: 16 } },
      { object: 'vmlinux', name: 'g', sympos: 0 },
    ]
    const steps = planOrder({ ...plan, functions, exercises: 2 }, 'module-first')
    const scriptOf = (action: string) => steps.find(({ id }) => actionOf(id) === action)?.script.split('\n')
    expect(scriptOf('transition')).toContain("probed 'livepatch_fix' '.text.f' 16 '-' 0")
    expect(scriptOf('exercise')).toEqual(["step module-first.exercise exercised '0' '2' '30'", 'counted module-first'])
    expect(actions({ ...plan, functions, exercises: 2 }, 'module-first').slice(1, 4)).toEqual([
      'transition',
      'exercise',
      'revert',
    ])
  })

  test('has a baseline that exercises the same without the live patch', () => {
    const baseline = planBaseline({ ...ofModule, exercises: 2 })
    expect(baseline.map(({ id }) => actionOf(id))).toEqual(['module', 'mount', 'exercise'])
    expect(baseline.map(({ script }) => script).join()).not.toContain('livepatch')
  })

  test('has different names for the steps of both orders', () => {
    const ids = (['module-first', 'patch-first'] as const).flatMap((order) =>
      planOrder(ofModule, order).map(({ id }) => id),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('hands a command on as it was written', () => {
    const command = "printf '%s' \"a'b\"; echo $HOME `id`"
    const [step] = planOrder({ ...plan, commands: [{ command, label: 'it' }] }, 'module-first')
    expect(step).toMatchObject({ title: 'before: it', command })
    const words = execFileSync('sh', ['-c', `step() { printf '%s\\n' "$@"; }\n${step?.script}`], {
      encoding: 'utf8',
    })
    expect(words.split('\n').slice(-2)[0]).toBe(command)
  })
})

describe('a scenario over older live patches', () => {
  const first = { name: 'livepatch_first', replace: true, model: 'kernel' as const }
  const second = { name: 'livepatch_second', replace: false, model: 'kernel' as const }
  const checked = { ...plan, commands: [{ command: 'true', label: 'truth' }], over: [first, second] }
  const older = ['older.0.load', 'older.0.transition', 'older.1.load', 'older.1.transition']

  test('that are replaced unloads them while it is there, and reverts to the bare kernel', () => {
    expect(actions(checked, 'module-first')).toEqual([
      ...older,
      'older.0.under.livepatch_second',
      'check.before.0',
      'load',
      'transition',
      'older.1.replaced',
      'older.0.replaced',
      'check.after.0',
      'revert',
      'return',
      'unload',
      'check.reverted.0',
    ])
  })

  test('that stay reverts to them, and removes them in the end', () => {
    const patch = { name: 'livepatch_fix', replace: false, model: 'kernel' as const }
    expect(actions({ ...checked, patch }, 'module-first')).toEqual([
      ...older,
      'older.0.under.livepatch_second',
      'check.before.0',
      'load',
      'transition',
      'older.1.under.livepatch_fix',
      'older.0.under.livepatch_fix',
      'check.after.0',
      'revert',
      'return',
      'unload',
      'check.reverted.0',
      'older.1.revert',
      'older.1.return',
      'older.1.unload',
      'older.0.revert',
      'older.0.return',
      'older.0.unload',
    ])
  })
})

describe('a live patch that the core carries', () => {
  const carried: Plan = { ...plan, patch: { name: 'livepatch_fix', replace: true, model: 'kgraft' } }

  test('is loaded behind the core, which goes when nothing needs it any more', () => {
    expect(actions(carried, 'module-first')).toEqual([
      'core',
      'load',
      'transition',
      'revert',
      'return',
      'unload',
      'core.unload',
    ])
  })

  test('must come where the core has its live patches, with its model', () => {
    const loads = (one: Plan) => planOrder(one, 'module-first').find(({ id }) => actionOf(id) === 'load')?.script
    expect(loads(carried)).toMatch(/'inarch' 'kgraft'$/)
    expect(loads(plan)).toMatch(/'livepatch' 'kernel'$/)
  })

  test('asks for nobody’s stack where stacks decide nothing', () => {
    const functions = [{ object: 'vmlinux', name: 'do_poll', sympos: 0 }]
    const looks = (model: 'kernel' | 'kgraft' | 'kpatch' | 'hybrid') =>
      planOrder({ ...plan, functions, patch: { ...plan.patch, model } }, 'module-first').some(({ script }) =>
        script.includes('asleep '),
      )
    expect([looks('kernel'), looks('hybrid'), looks('kgraft'), looks('kpatch')]).toEqual([true, true, false, false])
  })
})

describe('a transition in the guest', () => {
  const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-guest-'))
  afterAll(() => rmSync(work, { recursive: true }))

  /** Waits with the guest's own verb for a transition whose one task is in `state`, for at most 1 s. */
  async function settle(state: string, endsAfter: number, enabled = '1', tasks?: string): Promise<string> {
    const root = mkdtempSync(path.join(work, 'root-'))
    const patch = path.join(root, 'sys/kernel', tasks === undefined ? 'livepatch' : 'inarch', 'fix')
    const task = path.join(root, 'proc/7/task/7')
    for (const dir of [patch, task, path.join(root, 'run')]) mkdirSync(dir, { recursive: true })
    writeFileSync(path.join(patch, 'transition'), '1\n')
    writeFileSync(path.join(patch, 'enabled'), `${enabled}\n`)
    writeFileSync(path.join(task, 'patch_state'), `${state}\n`)
    if (tasks !== undefined) writeFileSync(path.join(patch, 'tasks'), tasks)
    writeFileSync(path.join(task, 'comm'), 'kswapd0\n')
    const init = guestInit(10)
    const verbs = init
      .slice(init.indexOf('\n( n=0;'), init.indexOf('\nsay hello'))
      .replaceAll(/\/(?=proc\/\[|sys\/|run\/)/g, `${root}/`)
    const script = `exec 3>&1
${verbs}
ticker=$!
( sleep ${endsAfter}; echo 0 >${patch}/transition ) &
if settled x fix 0 1; then echo settled; else cat ${root}/run/why; fi
kill $ticker
`
    const ran = promisify(execFile)('busybox', ['sh', '-c', script])
    return (await ran).stdout.trimEnd().split('\n').at(-1) ?? ''
  }

  test('that a task holds up fails at the limit', async () => {
    expect(await settle('0', 3)).toBe('the transition did not end within 1 s')
  })

  test('after which the live patch is not enabled fails', async () => {
    expect(await settle('1', 0, '0')).toBe('the live patch is not enabled')
  })

  test('that waits only for the kernel itself goes on', async () => {
    expect(await settle('1', 3)).toBe('settled')
  })

  test('of the core is held up by the tasks that it names, whatever the kernel says of them', async () => {
    expect(await settle('1', 3, '1', '7 kswapd0: has not left the kernel\n')).toBe(
      'the transition did not end within 1 s',
    )
    expect(await settle('1', 3, '1', 'and 12 more\n')).toBe('the transition did not end within 1 s')
    expect(await settle('0', 3, '1', '')).toBe('settled')
  })
})

describe('the guest’s programs', () => {
  test.each([
    ['init', guestInit(10)],
    ['load', guestLoad],
    ['scenario', scenarioScript([{ part: 0, order: 'patch-first', steps: planOrder(ofModule, 'patch-first') }])],
  ])('%s is a script that busybox’s shell understands', (_, script) => {
    execFileSync('busybox', ['sh', '-n'], { input: script, stdio: ['pipe', 'pipe', 'pipe'] })
  })
})
