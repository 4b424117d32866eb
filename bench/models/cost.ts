// SPDX-License-Identifier: GPL-3.0-or-later
// How many instructions a call of a replaced function costs more than the same call unpatched: during a transition, and
// when it is over.
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { models } from '../../src/kernel/model.ts'
import { makeModules, runInGuest } from './guest.ts'

/** Instructions for each call, beyond the unpatched one's. */
export interface Cost {
  readonly model: string
  /** Undefined where the model has no middle. */
  readonly during: number | undefined
  readonly after: number
}

const calls = 1000

// A process that sleeps in a replaced function keeps the transition open, but for kpatch's model, which refuses.
const script = `
insmod inarch_core.ko; insmod cost.ko
state() { cat /sys/kernel/*/cost_patch/transition 2>/dev/null; }
measure() { echo "$1 $2 $(cat /proc/cost)"; }
measure none none
for model in 0 1 2 3; do
  if [ $model != 2 ]; then
    (exec sh -c 'echo > /proc/cost') &
    usleep 200000
    insmod cost_patch.ko model=$model || echo failed $model
    usleep 500000
    echo "$model open $(state)"
    measure $model during
    kill $!
  else
    insmod cost_patch.ko model=$model || echo failed $model
  fi
  for i in $(seq 100); do
    [ "$(state)" = 0 ] && break
    echo 1 > /sys/kernel/inarch/cost_patch/wake
    usleep 100000
  done 2>/dev/null
  # Until the jumps stand.
  usleep 1500000
  echo "$model open $(state) $(cat /sys/kernel/inarch/cost_patch/*/cost_target*/way 2>/dev/null)"
  measure $model after
  echo 0 > /sys/kernel/inarch/cost_patch/enabled || echo 0 > /sys/kernel/livepatch/cost_patch/enabled
  for i in $(seq 100); do
    [ -e /sys/kernel/inarch/cost_patch ] || [ -e /sys/kernel/livepatch/cost_patch ] || break
    echo 1 > /sys/kernel/inarch/cost_patch/wake
    usleep 100000
  done 2>/dev/null
  rmmod cost_patch
  measure $model reverted
done 2>&1
`

export async function measureCost(job: Job, kernel: Kernel): Promise<{ costs: Cost[]; lines: string[] }> {
  const modules = await makeModules(job, kernel, ['cost', 'cost_patch'])
  const lines = await runInGuest(job, kernel, modules, script, { cpus: 1, counting: true, timeout: 600 })
  const measured = new Map<string, number>()
  for (const line of lines) {
    const [, model, when, ns] = /^(\w+) (\w+) (\d+) ns for 1000 calls$/.exec(line) ?? []
    if (model !== undefined && when !== undefined) measured.set(`${model} ${when}`, Number(ns))
  }
  const base = measured.get('none none')
  if (lines.some((line) => line.startsWith('failed'))) throw new Error(['a patch was refused', ...lines].join('\n'))
  if (base === undefined) throw new Error(['nothing was measured', ...lines].join('\n'))
  const beyond = (key: string) => {
    const ns = measured.get(key)
    return ns === undefined ? undefined : (ns - base) / calls
  }
  const costs = models.map((model, index) => {
    const after = beyond(`${index} after`)
    if (after === undefined) throw new Error([`the model ${model} was not measured`, ...lines].join('\n'))
    return { model, during: beyond(`${index} during`), after }
  })
  return { costs, lines }
}
