// SPDX-License-Identifier: GPL-3.0-or-later
// Functions that the live patching itself runs through, or that run where no task's patch state counts.
import { type Context, openContexts } from '../../subject/contexts.ts'
import { type Found, warning } from '../../subject/rule.ts'

const dangers: Readonly<Record<Exclude<Context['name'], 'start'>, (name: string, way: string) => string>> = {
  nmi: (name, way) =>
    `${name} runs in an NMI or a machine check (${way}), which can interrupt a task in either patch ` +
    'state: on one processor old and new code alternate until the transition is over',
  redirection: (name, way) =>
    `${name} is part of what redirects functions (${way}): while it is being redirected it runs itself, ` +
    'and a call of it out of ftrace’s handler runs the old code',
  'stack-walk': (name, way) =>
    `${name} is part of what reads a task’s stack to find out whether the task can switch (${way}): if ` +
    'it is wrong, tasks switch with old code on their stack',
  'switching-point': (name) =>
    `${name} is where a task switches to the new code without a look at its stack; the task’s patch ` +
    `state changes while it runs ${name}`,
}

export const unsafeContext = warning(
  'unsafe-context',
  'A replaced function that runs in an NMI or a machine check, or that ftrace or the livepatch code itself calls',
  'There a task’s patch state keeps nothing consistent, and the live patch may change the code that ' + 'applies it',
  'Fix the bug in a caller that runs in a task’s own context, or make sure that old and new code may ' +
    'alternate at any moment',
  [
    'kernel/livepatch/patch.c: notrace klp_ftrace_handler',
    'Documentation/livepatch/livepatch.rst: implementing ftrace or the livepatch ftrace handler could not be',
  ],
  async ({ extraction, kernel }, job): Promise<Found[]> => {
    const { replaced } = extraction
    const core = replaced.filter(({ unit }) => /^kernel\/livepatch\/(?:core|patch|transition)\.c$/.test(unit))
    const found = core.map(
      ({ before: { name }, unit }): Found => ({
        severity: 'error',
        symbol: name,
        unit,
        message: `${name} is part of the livepatch code, which would replace itself while it runs`,
        hint: 'Install the fixed kernel, and reboot',
      }),
    )
    const others = replaced.filter((one) => one.object === 'vmlinux' && !core.includes(one))
    if (others.length === 0) return found
    const contexts = await openContexts(job, kernel)
    const unsafe = others.flatMap(({ before: { name }, unit }) => {
      const context = contexts.get(name)
      if (context === undefined || context.name === 'start') return []
      const way = context.path.length > 1 ? `by way of ${context.path.slice(0, -1).join(', ')}` : 'called straight'
      return { symbol: name, unit, message: dangers[context.name](name, way) }
    })
    return [...found, ...unsafe]
  },
)
