// SPDX-License-Identifier: GPL-3.0-or-later
// What was found about a replaced function, in sentences for the operator who is about to load the live patch.
import type { Finding } from '../ground/finding.ts'
import { defined } from '../ground/values/defined.ts'
import type { VerifiedFunction } from './functions.ts'
import type { Hook } from './hooks.ts'

const probeNames = { kprobe: 'A kprobe', kretprobe: 'A return probe' } as const

type Said = Omit<Finding, 'symbol' | 'unit'>

/**
 * Says what stands against replacing the function, and what its hooks mean; what has no consequence is a note.
 * @param own the live patch's own module, whose hook needs no sentence
 */
export function functionFindings(one: VerifiedFunction, own: string): Finding[] {
  const said = [codeSentence(one), ledSentence(one), ...one.hooks.map((hook) => hookSentence(one.name, hook, own))]
  return said.flatMap((finding) =>
    finding === undefined ? [] : [{ ...finding, symbol: one.name, ...defined({ unit: one.unit }) }],
  )
}

function codeSentence({ code, name, object, problem, comparedWith, difference }: VerifiedFunction) {
  const place = comparedWith === 'file' ? `the file of ${object}` : 'memory'
  switch (code) {
    case 'differs':
      return {
        severity: 'error',
        rule: 'code-differs',
        message: `The code of ${name} in ${place} is not what the live patch was made for: ${difference?.text}`,
        hint: 'Build the live patch from the source of exactly this kernel; if it was, something has changed the code',
      } satisfies Said
    case 'missing':
      return {
        severity: 'error',
        rule: 'no-symbol',
        message: `${name} can’t be replaced: ${problem}`,
        hint: 'The kernel is not the one that the live patch was made for: build it again',
      } satisfies Said
    case 'unseen':
      return {
        severity: 'warning',
        rule: 'code-unseen',
        message: `The code of ${name} could not be compared: ${problem}`,
      } satisfies Said
    default:
      return undefined
  }
}

function ledSentence({ name, led }: VerifiedFunction): Said | undefined {
  if (led !== 'nowhere') return undefined
  return {
    severity: 'error',
    rule: 'not-led-away',
    message: `The core says that ${name} is replaced, and neither a jump nor ftrace leads its calls away`,
    hint: 'Something has changed the code since: revert the live patch and load it again',
  }
}

function hookSentence(symbol: string, { kind, name, part, offset, effect }: Hook, own: string): Said | undefined {
  const called = name === undefined ? '' : ` (${name})`
  switch (kind) {
    case 'live-patch':
      return name === own
        ? undefined
        : {
            severity: 'note',
            rule: 'replaced-already',
            message: `${symbol} is replaced by the live patch ${name} now`,
          }
    case 'kprobe':
    case 'kretprobe': {
      const what = `${probeNames[kind]}${called}`
      if (effect === 'forbids')
        return {
          severity: 'error',
          rule: 'entry-taken',
          message:
            `${what} on ${symbol} has a handler that runs behind it, and keeps the place that the live ` +
            'patch needs',
          hint: 'Remove the probe while the live patch is loaded, or set it without a post handler',
        }
      if (effect === 'falls-silent')
        return {
          severity: 'warning',
          rule: 'probe-falls-silent',
          message:
            `${what} sits at ${part}+${offset}, inside of code that no call will reach any more: it ` + 'falls silent',
          hint: 'Set it anew, in the function of the live patch, when that is loaded',
        }
      return {
        severity: 'note',
        rule: 'probe-goes-on',
        message: `${what} on the entry of ${symbol} goes on seeing its calls`,
      }
    }
    case 'bpf':
      return {
        severity: 'note',
        rule: 'bpf-goes-on',
        message:
          `${name === undefined ? 'A BPF program' : `The BPF program ${name}`} is attached to ` +
          `${symbol} and goes on seeing its calls, which the new code answers`,
      }
    case 'direct':
      return {
        severity: 'error',
        rule: 'entry-taken',
        message:
          `A trampoline${called} is called directly from the entry of ${symbol}, and does not share ` +
          'it with a live patch',
        hint: 'Unload the module that it belongs to',
      }
    case 'unknown':
      return {
        severity: 'error',
        rule: 'entry-taken',
        message:
          `Something sends the calls of ${symbol} elsewhere already (ftrace says IPMODIFY), and only ` +
          'one can do that',
        hint: 'Find out which module does it, and unload it',
      }
    case 'ftrace':
      return {
        severity: 'note',
        rule: 'traced',
        message: `${symbol} is traced by ftrace${called}, which goes on`,
      }
  }
}
