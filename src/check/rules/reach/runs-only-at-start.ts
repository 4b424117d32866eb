// SPDX-License-Identifier: GPL-3.0-or-later
// Code that is not marked `__init` and that only such code calls: it stays in memory, and never runs again.
import { openContexts } from '../../subject/contexts.ts'
import { type Found, warning } from '../../subject/rule.ts'

export const runsOnlyAtStart = warning(
  'runs-only-at-start',
  'A replaced function of the kernel proper that, as its machine code says, only code of the start calls',
  'The kernel has started; the function can be replaced, but nothing calls it again, so the fix has no effect',
  'Do in a callback (INARCH_PRE_PATCH) what the function should have done, or install the fixed kernel and reboot',
  ['init/main.c: do_initcalls', 'init/main.c: kernel_init_freeable'],
  async ({ extraction, kernel, names }, job): Promise<Found[]> => {
    if (!extraction.replaced.some(({ object }) => object === 'vmlinux')) return []
    const contexts = await openContexts(job, kernel)
    const isPast = ({ object, before: { name } }: (typeof extraction.replaced)[number]) =>
      // What is exported a module may call.
      object === 'vmlinux' && contexts.get(name)?.name === 'start' && names.exported(name) === undefined
    const past = extraction.replaced.filter(isPast)
    // Where the compiler put it into others as well, the fix has its effect in them.
    const severity = past.length === extraction.replaced.length ? 'warning' : 'note'
    return past.map(({ before: { name }, unit }): Found => {
      return {
        severity,
        symbol: name,
        unit,
        message: `${name} is called while the kernel starts (by ${contexts.get(name)?.path[0]}), and by nothing later`,
      }
    })
  },
)
