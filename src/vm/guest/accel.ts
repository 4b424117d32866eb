// SPDX-License-Identifier: GPL-3.0-or-later
// Whether KVM can be used. /dev/kvm may exist and yet hang a guest at boot (nested virtualisation that
// is offered but does not work), so it is believed only after a guest has booted with it once.
import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import path from 'node:path'
import * as v from 'valibot'
import { bootIdentity } from '../../ground/boot-identity.ts'
import { cacheRoot, makeCacheDirectory } from '../../ground/cache.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { keepFile } from '../../ground/kept-file.ts'
import { withScratch } from '../../ground/scratch.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { type Busybox, writeInitramfs } from './initramfs.ts'
import { parseEvent } from './protocol.ts'
import { type Accelerator, runMachine } from './qemu.ts'

/** ms that a guest under KVM has to start its init: ten times what it needs. */
const probeLimit = 10_000
/** ms for which a probe's result is believed, within one boot of this machine. */
const probeValid = 24 * 60 * 60 * 1000

const probeInit = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev || { mount -t tmpfs dev /dev; mdev -s; }
stty -F /dev/ttyS1 raw -echo
set -- "hello $(uname -r)"
echo "inarch 1 \${#1} $1" >/dev/ttyS1
reboot -f
`

const record = v.object({ boot: v.string(), at: v.number(), works: v.boolean() })

async function remembered(file: string, boot: string): Promise<boolean | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  if (text === '') return undefined
  try {
    const known = v.parse(record, JSON.parse(text))
    const age = Date.now() - known.at
    return known.boot === boot && age >= 0 && age < probeValid ? known.works : undefined
  } catch {
    return undefined
  }
}

/** Boots the kernel under KVM with an init that only says hello. */
async function kvmBoots(job: Job, kernel: Kernel, busybox: Busybox): Promise<boolean> {
  return withScratch(async (dir) => {
    const initramfs = path.join(dir, 'initramfs')
    await writeInitramfs(initramfs, busybox, probeInit, [])
    let booted = false
    await runMachine(
      {
        image: kernel.image,
        initramfs,
        accelerator: 'kvm',
        cpus: 1,
        memory: 256,
        consoleFile: path.join(dir, 'console'),
        timeout: probeLimit,
      },
      (line) => {
        if (parseEvent(line)?.kind === 'hello') booted = true
      },
      job.signal,
    )
    return booted
  })
}

/**
 * The accelerator to use. `auto` takes KVM where a probe shows that it boots, and remembers the answer.
 * @throws Fault `environment/no-kvm` when KVM was asked for and does not work
 */
export async function chooseAccelerator(
  job: Job,
  kernel: Kernel,
  busybox: Busybox,
  wanted: 'auto' | Accelerator,
): Promise<Accelerator> {
  if (wanted === 'tcg') return 'tcg'
  const refuse = (why: string) =>
    new Fault('environment', 'no-kvm', `KVM can't be used: ${why}`, {
      remedy: 'Use `--accel tcg`, which needs no hardware support',
    })
  const reachable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  if (!reachable) {
    if (wanted === 'kvm') throw refuse('/dev/kvm is missing or not accessible')
    return 'tcg'
  }
  const file = path.join(cacheRoot(), 'accelerator.json')
  const boot = bootIdentity()
  let works = wanted === 'auto' ? await remembered(file, boot) : undefined
  if (works === undefined) {
    works = await job.journal.step('try KVM', async (step) => {
      const answer = await kvmBoots(job, kernel, busybox)
      step.result(answer ? 'works' : 'does not boot a guest; going on without')
      return answer
    })
    makeCacheDirectory(cacheRoot())
    await keepFile(file, JSON.stringify({ boot, at: Date.now(), works }))
  }
  if (!works && wanted === 'kvm') throw refuse('a guest did not boot with it')
  return works ? 'kvm' : 'tcg'
}
