// SPDX-License-Identifier: GPL-3.0-or-later
// Where a reference leads, in words, and what tells two such places apart.
import type { Target } from './object/split-object.ts'

/** A sentence about two targets, with as much of them as it takes to see the difference. */
export function toldApart(before: Target, after: Target): string {
  const ways = [describeTarget, withSpaces, withOffset].map((way) => [way(before), way(after)] as const)
  const seen = (text: string) => text.replace(/\s+/g, ' ')
  const [b, a] = ways.find(([one, other]) => seen(one) !== seen(other)) ?? []
  return a === undefined ? `it refers to another ${describeTarget(after)}` : `it refers to ${a} instead of ${b}`
}

/** White space looks alike in a terminal. */
function withSpaces(target: Target): string {
  return describeTarget(target).replace(/ {2,}/g, (spaces) => `{${spaces.length} spaces}`)
}

function withOffset(target: Target): string {
  const offset =
    target.kind === 'string'
      ? target.offset - target.start
      : target.kind === 'atom' || target.kind === 'external'
        ? target.offset
        : 0
  if (target.kind === 'string') return `byte ${offset} of ${withSpaces(target)}`
  return offset === 0
    ? describeTarget(target)
    : `${describeTarget(target)} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`
}

/** How a person would call it. */
export function describeTarget(target: Target): string {
  switch (target.kind) {
    case 'external':
      return target.name
    case 'string':
      return JSON.stringify(target.text.toString('latin1').replace(/\0$/, ''))
    case 'entry':
      return `its entry of ${target.entry.table.name}`
    case 'absolute':
      return `address 0x${target.value.toString(16)}`
    case 'nowhere':
      return `nothing known (${target.why})`
    case 'atom':
      return target.atom.name
  }
}
