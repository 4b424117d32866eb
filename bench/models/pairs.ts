// SPDX-License-Identifier: GPL-3.0-or-later
// Consistency itself: functions that belong together are called in all places where code of the kernel runs, while a
// live patch of them goes over and back again and again (kernel/trial/pairs.c). A mixed pair that the model forbids is
// a fault of ours. Without a model nothing is promised, and mixed pairs must show: so the trial can fail.
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { Model } from '../../src/kernel/model.ts'
import { models } from '../../src/kernel/model.ts'
import { makeModules, runInGuest } from './guest.ts'

/** Pairs of one kind made in one place. */
export interface Pairs {
  readonly place: string
  /** `held`: made by a function that is replaced with them; `bare`: made by one that is not. */
  readonly kind: string
  readonly old: number
  readonly new: number
  readonly mixed: number
}

export interface Trial {
  /** How often the patch went over, and back. */
  readonly cycles: number
  readonly refused: number
  readonly pairs: readonly Pairs[]
  /** The kernel's log from warnings on, without what loading any module says. */
  readonly complaints: readonly string[]
  readonly lines: readonly string[]
}

/** Whether a mixed pair of this kind breaks the model's promise. */
export function forbids(model: Model | typeof none, { kind }: Pick<Pairs, 'kind'>): boolean {
  return model !== none && (kind === 'held' || model === 'kgraft')
}

/** No model at all. */
export const none = 'none' as const

const script = (model: number, seconds: number) => `
insmod inarch_core.ko; insmod pairs.ko between=20 || echo failed
at=$([ ${model} = 0 ] && echo /sys/kernel/livepatch/pairs_patch || echo /sys/kernel/inarch/pairs_patch)
now() { cut -d. -f1 /proc/uptime; }
(while :; do echo call 40 > /proc/pairs; usleep 1000; done) &
(while :; do echo sleep 2 > /proc/pairs; usleep 2000; done) &
(while :; do cat /proc/self/stat; done > /dev/null) &
cycles=0; refused=0; end=$(( $(now) + ${seconds} ))
while [ $(now) -lt $end ]; do
  if insmod pairs_patch.ko model=${model}; then
    for i in $(seq 200); do
      [ "$(cat $at/transition)" = 1 ] || break
      echo 1 > $at/wake
      usleep 20000
    done
    # Until the jumps stand, most times.
    usleep $(( cycles % 4 * 50000 ))
    for i in $(seq 200); do
      [ -e $at ] || break
      [ "$(cat $at/enabled)" = 1 ] && echo 0 > $at/enabled
      echo 1 > $at/wake
      usleep 20000
    done
    [ -e $at ] && { echo "stuck $(cat $at/tasks)"; break; }
    cycles=$((cycles + 1))
    rmmod pairs_patch
  else
    refused=$((refused + 1))
  fi
done 2>/dev/null
kill $(jobs -p); wait
echo "cycles $cycles refused $refused"
sed 's/^/pairs: /' /proc/pairs
`

const usual =
  /out-of-tree module|TAINT_LIVEPATCH|module verification failed|waking the tasks|was in pairs_|can't be read|interrupt took/

export async function tryPairs(
  job: Job,
  kernel: Kernel,
  model: Model | typeof none,
  { seconds, cpus }: { readonly seconds: number; readonly cpus: number },
): Promise<Trial> {
  const modules = await makeModules(job, kernel, ['pairs', 'pairs_patch'])
  const text = script([...models, none].indexOf(model), seconds)
  const lines = await runInGuest(job, kernel, modules, text, { cpus, timeout: 10 * seconds + 200 })
  const pairs: Pairs[] = []
  let counted: RegExpExecArray | null = null
  for (const line of lines) {
    counted ??= /^cycles (\d+) refused (\d+)$/.exec(line)
    const found = /^pairs: (\w+) (\w+): \d+ calls, (\d+) old, (\d+) new, (\d+) mixed$/.exec(line)
    const [, place = '', kind = '', old, young, mixed] = found ?? []
    if (found !== null) pairs.push({ place, kind, old: Number(old), new: Number(young), mixed: Number(mixed) })
  }
  if (counted === null || pairs.length === 0 || lines.some((line) => /^(failed|stuck)/.test(line)))
    throw new Error(['the trial did not come to its end', ...lines.slice(-60)].join('\n'))
  const complaints = lines.filter((line) => /^log: <[0-4]>/.test(line) && !usual.test(line))
  return { cycles: Number(counted[1]), refused: Number(counted[2]), pairs, complaints, lines }
}
