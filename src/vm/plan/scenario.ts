// SPDX-License-Identifier: GPL-3.0-or-later
// What the guest does, step by step, as a value and as the script that its init runs.
//
// A live patch of a module must work in both orders: the module is there when the patch comes
// (klp_init_object), or it comes later (klp_module_coming); the kernel takes different paths. Both
// orders run in one boot, one after the other, as the module is unloaded in between, which brings the
// kernel back to where it began and costs 2 s instead of another boot's 4 s. Where the module can't be
// unloaded, the second order gets a boot of its own.
//
// Older live patches may be there before. One that replaces (klp_patch.replace) makes the kernel disable
// all that came before it, whose modules can then be unloaded; any other is stacked on them.
//
// Several live patches can have their proofs in one boot, one after the other, as each leaves the kernel as it
// found it. Each is a part of the boot; a part has a turn for each order.
import { coreModule, type Model } from '../../kernel/model.ts'
import { guestPaths, partPaths } from '../guest/agent.ts'
import type { Replacement } from './replacement.ts'

/** `module-first` also stands for a patch of vmlinux, which is always there first. */
export type Order = 'module-first' | 'patch-first'

/** When a check runs: without the patch, with it, and without it again. */
export type Phase = 'before' | 'after' | 'reverted'

/** A live patch as the guest loads it. */
export interface PlannedPatch {
  /** Its module's name, such as `livepatch_meminfo`. */
  readonly name: string
  /** True when loading it atomically replaces every earlier live patch. */
  readonly replace: boolean
  readonly model: Model
}

export interface Plan {
  /** The number of this proof among those of the same boot. */
  readonly part: number
  readonly patch: PlannedPatch
  /** Older live patches, in the order in which they are loaded before it. */
  readonly over: readonly PlannedPatch[]
  /** The functions that the live patch replaces, as far as they are known. */
  readonly functions: readonly Replacement[]
  /** Modules to bring, dependencies first: name and path inside the guest. */
  readonly modules: readonly { readonly name: string; readonly path: string }[]
  /** The patched modules. */
  readonly targets: readonly string[]
  /** Modules to unload at the end of an order, in this order. */
  readonly removed: readonly string[]
  readonly mount?: { readonly type: string; readonly device: string }
  readonly commands: readonly { readonly command: string; readonly label: string }[]
  readonly script: boolean
  /** How many background loads there are. */
  readonly loads: number
  /** How many exercises there are. */
  readonly exercises: number
  /** Limits in seconds. */
  readonly transitionLimit: number
  readonly checkLimit: number
  readonly exerciseLimit: number
}

export interface PlannedStep {
  /** Unique among all steps of a part, such as `module-first.load`; what comes after the dot is its action. */
  readonly id: string
  readonly title: string
  /** Lines of the guest's script. */
  readonly script: string
  /** Of a check: the command it runs. */
  readonly command?: string
}

/** One order of one live patch. */
export interface Turn {
  readonly part: number
  readonly order: Order
  readonly steps: readonly PlannedStep[]
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}

/** Below /sys/kernel: where the one who carries live patches of a model has them. */
function carrierOf(model: Model): string {
  return model === 'kernel' ? 'livepatch' : 'inarch'
}

/** Words that tell the guest where the new code of each function is: a section and an offset. */
function placesOf(functions: readonly Replacement[]): string {
  return functions.map(({ code }) => `${quote(code?.section ?? '-')} ${code?.offset ?? 0}`).join(' ')
}

/** What grep finds in a stack when one of these functions is on it. */
function stackPattern(functions: readonly string[]): string {
  const names = [...new Set(functions)].map((name) => name.replace(/[^\w]/g, '\\$&'))
  return `\\] (${names.join('|')})\\+0x`
}

/** The steps of one order. */
export function planOrder(plan: Plan, order: Order): PlannedStep[] {
  const steps: PlannedStep[] = []
  const add = (action: string, title: string, verb: string, ...words: string[]) => {
    const id = `${order}.${action}`
    steps.push({ id, title, script: `step ${[id, verb, ...words.map(quote)].join(' ')}` })
  }
  /** Adds to the step just added. */
  const amend = (change: (last: PlannedStep) => Partial<PlannedStep>) => {
    const last = steps.pop()
    if (last) steps.push({ ...last, ...change(last) })
  }
  const targets = plan.targets.join(', ')
  const paths = partPaths(plan.part)
  /** What is said of a live patch when it is loaded. */
  const wordsOf = ({ name, model }: PlannedPatch) => [name, `/${paths.patch(name)}`, carrierOf(model), model]
  const bring = () => {
    if (plan.modules.length > 0) {
      const what = plan.targets.length > 0 ? `load ${targets}` : 'load the modules that are needed'
      const files = plan.modules.flatMap(({ name, path }) => [name, `/${path}`])
      add('module', what, 'bring', ...files)
      // The author's checks see the module that came a second time.
      if (order === 'patch-first' && plan.removed.length > 0)
        add(
          'reload',
          `unload ${targets} and load it again, under the live patch`,
          'reloaded',
          ...[order, ...wordsOf(plan.patch), String(plan.transitionLimit)],
          ...[...plan.removed, '--', ...files],
        )
    }
    if (plan.mount) add('mount', `mount ${plan.mount.type}`, 'mounted', plan.mount.type, plan.mount.device)
  }
  const check = (phase: Phase, title: string) => {
    const limit = String(plan.checkLimit)
    plan.commands.forEach(({ command, label }, index) => {
      const id = `${phase}.${index}`
      add(`check.${id}`, `${title}: ${label}`, 'checked', `${order}.${id}`, limit, 'sh', '-c', command)
      amend(() => ({ command }))
    })
    if (plan.script)
      add(
        `check.${phase}.script`,
        `${title}: script ${phase}`,
        'checked',
        `${order}.${phase}.script`,
        limit,
        `/${paths.script}`,
        phase,
      )
  }
  const settle = (action: string, title: string, { name }: PlannedPatch, leaving: '0' | '1') =>
    add(action, title, 'settled', `${order}.${action}`, name, leaving, String(plan.transitionLimit))
  const load = (action: string, title: string, patch: PlannedPatch) => add(action, title, 'loaded', ...wordsOf(patch))
  const withCore = [plan.patch, ...plan.over].some(({ model }) => model !== 'kernel')

  /** The older live patches that are enabled, with what begins the ids of their steps. */
  let below: { readonly patch: PlannedPatch; readonly id: string }[] = []
  /** What becomes of those that are enabled when a new one has come. */
  const succeed = (successor: PlannedPatch) => {
    for (const { patch, id } of below.toReversed())
      if (successor.replace) add(`${id}.replaced`, `unload ${patch.name}, which was replaced`, 'unloaded', patch.name)
      else add(`${id}.under.${successor.name}`, `${patch.name} stays under ${successor.name}`, 'stands', patch.name)
    if (successor.replace) below = []
  }
  const bringOlder = () => {
    for (const [index, patch] of plan.over.entries()) {
      const id = `older.${index}`
      load(`${id}.load`, `load ${patch.name}, which is older`, patch)
      settle(`${id}.transition`, `transition to ${patch.name}`, patch, '0')
      succeed(patch)
      below.push({ patch, id })
    }
  }
  const removeOlder = () => {
    for (const { patch, id } of below.toReversed()) {
      add(`${id}.revert`, `disable ${patch.name}`, 'disabled', patch.name)
      settle(`${id}.return`, `transition back from ${patch.name}`, patch, '1')
      add(`${id}.unload`, `unload ${patch.name}`, 'unloaded', patch.name)
    }
  }
  const busy = () => {
    if (plan.loads > 0) add('busy', 'start the background load', 'busy', String(plan.part), String(plan.loads))
  }

  if (withCore) add('core', 'load the core', 'bring', coreModule, `/${guestPaths.core}`)
  if (order === 'module-first') bring()
  bringOlder()
  if (order === 'module-first') {
    check('before', 'before')
    busy()
  }
  load('load', 'load the live patch', plan.patch)
  // With the other models it is not the stacks that decide when a task goes over.
  if (plan.functions.length > 0 && (plan.patch.model === 'kernel' || plan.patch.model === 'hybrid'))
    amend(({ script }) => ({
      script: `asleep ${order} ${quote(stackPattern(plan.functions.map(({ name }) => name)))}\n${script}`,
    }))
  settle('transition', 'transition', plan.patch, '0')
  if (plan.functions.length > 0)
    amend(({ script }) => ({
      script: `${script}\nprobed ${quote(plan.patch.name)} ${placesOf(plan.functions)}`,
    }))
  succeed(plan.patch)
  if (order === 'patch-first') {
    bring()
    busy()
  }
  amend(({ script }) => ({ script: `${script}\nreplaced ${quote(plan.patch.name)}` }))
  check('after', 'with the live patch')
  if (plan.exercises > 0)
    add(
      'exercise',
      'exercise what is replaced',
      'exercised',
      String(plan.part),
      String(plan.exercises),
      String(plan.exerciseLimit),
    )
  if (plan.functions.length > 0) amend(({ script }) => ({ script: `${script}\ncounted ${order}` }))
  add('revert', 'disable the live patch', 'disabled', plan.patch.name)
  settle('return', 'transition back', plan.patch, '1')
  if (plan.loads > 0) add('idle', 'stop the background load', 'idle', String(plan.loads))
  add('unload', 'unload the live patch', 'unloaded', plan.patch.name)
  check('reverted', 'reverted')
  removeOlder()
  if (withCore) add('core.unload', 'unload the core', 'left', coreModule)
  if (plan.mount) add('unmount', `unmount ${plan.mount.type}`, 'unmounted')
  if (plan.removed.length > 0) add('remove', `unload ${targets}`, 'removed', ...plan.removed)
  return steps
}

/** The steps that exercise the kernel without the live patch. */
export function planBaseline(plan: Plan): PlannedStep[] {
  const kept = ['module', 'mount', 'exercise']
  return planOrder({ ...plan, functions: [], over: [] }, 'module-first').filter(({ id }) =>
    kept.includes(id.slice(id.indexOf('.') + 1)),
  )
}

/** The script that the guest's init runs: the turns in this order, those of a part side by side. */
export function scenarioScript(turns: readonly Turn[]): string {
  const lines = turns.flatMap(({ part, steps }, index) => [
    ...(turns[index - 1]?.part === part ? [] : [`part ${part}`]),
    ...steps.map(({ script }) => script),
  ])
  return `${lines.join('\n')}\n`
}
