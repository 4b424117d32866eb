// SPDX-License-Identifier: GPL-3.0-or-later
// What a host's state means for a live patch: what would make the kernel refuse it, what would be lost, and what an
// operator ought to know before loading it.
// Facts: the kernel's kernel/livepatch/core.c (klp_enable_patch), kernel/module/{main,signing}.c,
// kernel/trace/ftrace.c.
import type { Finding } from '../ground/finding.ts'
import { coreModule } from '../kernel/model.ts'
import { splitSignature } from '../module/manifest/signature.ts'
import { taintNames } from '../vm/guest/log.ts'
import type { Subject } from '../vm/plan/subject.ts'
import type { Hooks } from './hooks.ts'
import type { HostState } from './host-state.ts'
import { type Lists, lists, type RunningPatch, replaces } from './patches.ts'

/** What the live patch will do, as far as it is known. */
export interface Wanted extends Lists {
  /** Whether every earlier live patch is replaced by it; undefined when nobody knows. */
  readonly replace: boolean | undefined
}

/** Bits of the taint after which a kernel is not to be trusted: an oops, a bad page, a machine check, a lockup. */
const broken = [4, 5, 7, 14]

function finding(severity: Finding['severity'], rule: string, message: string, hint?: string): Finding {
  return { severity, rule, message, ...(hint === undefined ? {} : { hint }) }
}

/** What the host's kernel has against the live patch, whatever it replaces. */
export function obstaclesOf(condition: HostState, subject: Subject, wanted: Wanted): Finding[] {
  const findings: Finding[] = []
  const say = (...what: Parameters<typeof finding>) => findings.push(finding(...what))
  const loaded = condition.modules.includes(subject.name)
  if (subject.model !== 'kernel' && !condition.modules.includes(coreModule))
    say(
      'error',
      'core-missing',
      `The live patch has the model ${subject.model}, and the core (${coreModule}) that carries it is not loaded`,
      'Make it with `inarch core build --kernel running`, and load it first',
    )
  if (condition.patches === undefined)
    say(
      'error',
      'no-livepatch',
      'The running kernel has no live patching (CONFIG_LIVEPATCH)',
      'Boot a kernel that has it; Debian’s kernels for amd64 do',
    )
  if (condition.modulesDisabled && !loaded)
    say(
      'error',
      'modules-disabled',
      'The kernel loads no modules any more (kernel.modules_disabled is 1)',
      'Only a reboot changes this',
    )
  if (condition.signedOnly && !splitSignature(subject.bytes).signed && !loaded)
    say(
      'error',
      'needs-signature',
      'The kernel loads only modules with a valid ' +
        `signature${condition.lockdown === 'none' ? '' : `, as it is locked down (${condition.lockdown})`}, ` +
        'and the live patch has none',
      'Sign it with a key that the kernel trusts (the kernel’s scripts/sign-file)',
    )
  if (!condition.ftraceOn)
    say(
      'error',
      'ftrace-off',
      'ftrace is switched off, through which functions are replaced (kernel.ftrace_enabled is 0)',
      'Switch it on: `sysctl kernel.ftrace_enabled=1`',
    )
  const trouble = taintNames(condition.taint, broken)
  if (trouble.length > 0)
    say(
      'warning',
      'kernel-damaged',
      `The kernel has been in trouble since it booted: ${trouble.join(', ')}`,
      'Reboot rather than repair it',
    )
  return [...findings, ...othersOf(condition, subject, wanted)]
}

/** The other live patches that the host has, and this one if it is there already. */
function othersOf({ patches = [], modules }: HostState, { name, model }: Subject, wanted: Wanted): Finding[] {
  const findings: Finding[] = []
  const say = (...what: Parameters<typeof finding>) => findings.push(finding(...what))
  const own = patches.find((patch) => patch.name === name)
  if (own !== undefined) {
    if (!own.enabled || own.moving)
      say('note', 'already-loaded', `${name} is loaded already, and its transition is not over`)
    else if (isOtherBuild(own, wanted))
      say(
        'error',
        'already-loaded',
        `Another build of ${name} is loaded: it replaces other functions`,
        `Disable and unload it first, or build this one with another --name`,
      )
    else say('note', 'already-loaded', `${name} is loaded already and at work`)
  } else if (modules.includes(name))
    say(
      'error',
      'still-loaded',
      `The module ${name} is still loaded, although its live patch is disabled`,
      `Unload it first: \`rmmod ${name}\``,
    )
  for (const patch of patches) {
    if (patch === own) continue
    if ((patch.model === 'kernel') !== (model === 'kernel')) {
      findings.push(...heldByOther(patch, wanted))
      continue
    }
    if (patch.moving) {
      say(
        'error',
        'transition-running',
        `The live patch ${patch.name} is still in its transition; until it ends the kernel takes no other`,
        `Wait until /sys/kernel/${patch.model === 'kernel' ? 'livepatch' : 'inarch'}/${patch.name}/transition is 0`,
      )
      continue
    }
    if (!patch.enabled || own !== undefined) continue
    findings.push(meeting(patch, wanted))
  }
  return findings
}

/** What a live patch keeps from this one that the kernel carries where the core does this one, or the reverse. */
function heldByOther(patch: RunningPatch, { objects }: Wanted): Finding[] {
  const both = objects.flatMap(({ name: object, functions }) =>
    functions.filter(({ name, sympos }) => replaces(patch, object, name, sympos)).map(({ name }) => name),
  )
  if (both.length === 0) return []
  const who = patch.model === 'kernel' ? 'the kernel’s own livepatch' : `the core, by its model ${patch.model},`
  return [
    finding(
      'error',
      'entry-taken',
      `${who[0]!.toUpperCase()}${who.slice(1)} carries the live patch ${patch.name}, which replaces ${both.join(', ')}`,
      `Revert ${patch.name} first, or build this one for the same carrier (--model ${patch.model})`,
    ),
  ]
}

/** What becomes of another live patch. */
function meeting(patch: RunningPatch, wanted: Wanted): Finding {
  if (wanted.replace === undefined)
    return finding(
      'warning',
      'replaces-live-patch',
      `Without a manifest nobody knows whether the live patch ${patch.name} will be replaced as a whole`,
      'Ask the tool that made this one; the kernel’s own builder makes live patches that replace all earlier ones',
    )
  return wanted.replace ? replacedPatch(patch, wanted) : stackedPatch(patch, wanted)
}

/** True when what is loaded under this name replaces other functions than are wanted. */
function isOtherBuild(own: RunningPatch, { objects }: Wanted): boolean {
  const wanted = objects.flatMap(({ name, functions }) => functions.map((one) => ({ object: name, ...one })))
  const count = own.objects.reduce((sum, { functions }) => sum + functions.length, 0)
  return count !== wanted.length || !wanted.every(({ object, name, sympos }) => lists(own, object, name, sympos))
}

function replacedPatch(patch: RunningPatch, wanted: Wanted): Finding {
  const lost = patch.objects.flatMap(({ name: object, functions }) =>
    functions.filter(({ name, sympos }) => !lists(wanted, object, name, sympos)).map(({ name }) => name),
  )
  const whole = `The live patch ${patch.name} will be replaced as a whole`
  return lost.length === 0
    ? finding('note', 'replaces-live-patch', whole)
    : finding(
        'warning',
        'replaces-live-patch',
        `${whole}, and what it did to ${lost.join(', ')} will be gone`,
        'Build one live patch of all the fixes, or this one with --no-replace to stack it',
      )
}

function stackedPatch(patch: RunningPatch, { objects }: Wanted): Finding {
  const both = objects.flatMap(({ name: object, functions }) =>
    functions.filter(({ name, sympos }) => replaces(patch, object, name, sympos)).map(({ name }) => name),
  )
  const stays = `The live patch ${patch.name} stays`
  return both.length === 0
    ? finding('note', 'stacks-on-live-patch', stays)
    : finding(
        'warning',
        'stacks-on-live-patch',
        `${stays}, but of ${both.join(', ')} the new version takes the place of its own`,
        'Make sure that this fix has the older one in it: both were made from the unpatched source',
      )
}

/** What could not be seen of the hooks, and how to make it visible. */
export function blindSpots({ tracefs, debugfs, kprobes, traced }: Hooks, { lockdown }: HostState): Finding[] {
  const findings: Finding[] = []
  const say = (what: string, place: string | undefined, mount: string) =>
    findings.push({
      severity: 'warning',
      rule: 'hooks-unseen',
      message:
        place === undefined
          ? `${what} can't be listed, as ${mount.split(' ')[2]} is not mounted; only what shows in memory is told`
          : `${what} can't be listed: ${place} can't be ` +
            `read${lockdown === 'none' ? '' : ` (the kernel is locked down: ${lockdown})`}; only what ` +
            'shows in memory is told',
      ...(place === undefined ? { hint: `Mount it: \`${mount}\`` } : {}),
    })
  if (traced === undefined)
    say(
      'The users of ftrace',
      tracefs && `${tracefs}/enabled_functions`,
      'mount -t tracefs tracefs /sys/kernel/tracing',
    )
  if (kprobes === undefined)
    say('kprobes', debugfs && `${debugfs}/kprobes/list`, 'mount -t debugfs debugfs /sys/kernel/debug')
  return findings
}
