// SPDX-License-Identifier: GPL-3.0-or-later
// What the guest does, step by step, as a value and as the script that its init runs.
//
// A live patch of a module must work in both orders: the module is there when the patch comes
// (klp_init_object), or it comes later (klp_module_coming); the kernel takes different paths. Both
// orders run in one boot, one after the other, as the module is unloaded in between, which brings the
// kernel back to where it began and costs 2 s instead of another boot's 4 s. Where the module can't be
// unloaded, the second order gets a boot of its own.
import { guestPaths } from './guest.ts'

/** `module-first` also stands for a patch of vmlinux, which is always there first. */
export type Order = 'module-first' | 'patch-first'

/** When a check runs: without the patch, with it, and without it again. */
export type Phase = 'before' | 'after' | 'reverted'

export interface Plan {
  /** The live patch's module name, such as `livepatch_meminfo`. */
  readonly patch: string
  /** Modules to bring, dependencies first: name and path inside the guest. */
  readonly modules: readonly { readonly name: string; readonly path: string }[]
  /** The patched modules. */
  readonly targets: readonly string[]
  /** Modules to unload at the end of an order, in this order. */
  readonly removed: readonly string[]
  readonly mount?: { readonly type: string; readonly device: string }
  readonly commands: readonly string[]
  readonly script: boolean
  /** How many background loads there are. */
  readonly loads: number
  /** Limits in seconds. */
  readonly transitionLimit: number
  readonly checkLimit: number
}

export interface PlannedStep {
  /** Unique among all orders, such as `module-first.load`; what comes after the dot is its action. */
  readonly id: string
  readonly title: string
  /** Lines of the guest's script. */
  readonly script: string
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}

/** The steps of one order. */
export function planOrder(plan: Plan, order: Order): PlannedStep[] {
  const steps: PlannedStep[] = []
  const add = (action: string, title: string, verb: string, ...words: string[]) => {
    const id = `${order}.${action}`
    steps.push({ id, title, script: `step ${[id, verb, ...words.map(quote)].join(' ')}` })
  }
  /** The script's line goes on with the step just added. */
  const tell = (line: string) => {
    const last = steps.pop()
    if (last) steps.push({ ...last, script: `${last.script}\n${line}` })
  }
  const targets = plan.targets.join(', ')
  const bring = () => {
    if (plan.modules.length > 0) {
      const what = plan.targets.length > 0 ? `load ${targets}` : 'load the modules that are needed'
      add('module', what, 'bring', ...plan.modules.flatMap(({ name, path }) => [name, `/${path}`]))
    }
    if (plan.mount) add('mount', `mount ${plan.mount.type}`, 'mounted', plan.mount.type, plan.mount.device)
  }
  const check = (phase: Phase, title: string) => {
    const limit = String(plan.checkLimit)
    plan.commands.forEach((command, index) => {
      const id = `${phase}.${index}`
      add(`check.${id}`, `${title}: ${command}`, 'checked', `${order}.${id}`, limit, 'sh', '-c', command)
    })
    if (plan.script)
      add(
        `check.${phase}.script`,
        `${title}: script ${phase}`,
        'checked',
        `${order}.${phase}.script`,
        limit,
        `/${guestPaths.script}`,
        phase,
      )
  }
  const settle = (action: string, title: string, leaving: '0' | '1') =>
    add(action, title, 'settled', `${order}.${action}`, plan.patch, leaving, String(plan.transitionLimit))
  const busy = () => {
    if (plan.loads > 0) add('busy', 'start the background load', 'busy', String(plan.loads))
  }

  if (order === 'module-first') {
    bring()
    check('before', 'before')
    busy()
  }
  add('load', 'load the live patch', 'loaded', plan.patch, `/${guestPaths.patch}`)
  settle('transition', 'transition', '0')
  if (order === 'patch-first') {
    bring()
    busy()
  }
  tell(`replaced ${quote(plan.patch)}`)
  check('after', 'with the live patch')
  add('revert', 'disable the live patch', 'disabled', plan.patch)
  settle('return', 'transition back', '1')
  if (plan.loads > 0) add('idle', 'stop the background load', 'idle', String(plan.loads))
  add('unload', 'unload the live patch', 'unloaded', plan.patch)
  check('reverted', 'reverted')
  if (plan.mount) add('unmount', `unmount ${plan.mount.type}`, 'unmounted')
  if (plan.removed.length > 0) add('remove', `unload ${targets}`, 'removed', ...plan.removed)
  return steps
}

/** The script that the guest's init runs. */
export function scenarioScript(steps: readonly PlannedStep[]): string {
  return `${steps.map((step) => step.script).join('\n')}\n`
}
