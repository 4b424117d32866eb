// SPDX-License-Identifier: GPL-3.0-or-later
// Live patches that meet: one on top of the other, and one in place of the other, each by each model; and one of a
// function that ftrace does not know.
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { models } from '../../src/kernel/model.ts'
import { makeModules, runInGuest } from './guest.ts'

const helpers = `
at=/sys/kernel/inarch
settle() {
  for i in $(seq 60); do
    busy=
    for f in $at/*/transition; do [ "$(cat $f)" = 1 ] && { busy=1; echo 1 > \${f%transition}wake; }; done
    [ "$busy" ] || break
    usleep 50000
  done 2>/dev/null
  usleep 300000
}
revert() {
  echo 0 > $at/$1/enabled || echo "not reverted $1"
  for i in $(seq 60); do [ -e $at/$1 ] || break; echo 1 > $at/$1/wake; usleep 50000; done 2>/dev/null
  rmmod $1 || echo "not unloaded $1"
}
say() { echo "$1: $(cat /proc/version | cut -c1-13) / $(cat /proc/loadavg) / $(cat /proc/uptime)"; }
load() { insmod $1.ko model=$2 $3 || echo "refused $1"; settle; }
insmod inarch_core.ko
`

const meeting = (first: number, second: number) => `
load stack_one ${first}; say one
load stack_two ${second}; say both
echo "ways: $(cat $at/*/vmlinux/*/way | sort | uniq -c | tr -s ' \\n' ' ')"
revert stack_one; settle; say two
revert stack_two; say none
load stack_one ${first}
load stack_two ${second} replace=1; say replaced; echo "left: $(ls $at)"
rmmod stack_one || echo 'not unloaded stack_one'
revert stack_two; say none
`

/** @returns what the guest said: `one: VERSION / LOADAVG / UPTIME` and so on, for the models in this order */
export async function meet(job: Job, kernel: Kernel, first: number, second: number): Promise<string[]> {
  const modules = await makeModules(job, kernel, ['stack_one', 'stack_two'])
  return await runInGuest(job, kernel, modules, `${helpers}${meeting(first, second)}`, { cpus: 2, timeout: 200 })
}

const entryless = `
for model in $(seq ${models.length - 1}); do
  insmod entryless.ko model=$model || { echo "$model refused"; continue; }
  settle
  echo "$model: $(cat /sys/module/entryless/parameters/z) $(cat $at/entryless/vmlinux/*/way)"
  revert entryless
done
`

export async function withoutEntry(job: Job, kernel: Kernel): Promise<string[]> {
  const modules = await makeModules(job, kernel, ['entryless'])
  return await runInGuest(job, kernel, modules, `${helpers}${entryless}`, { cpus: 2, timeout: 200 })
}
