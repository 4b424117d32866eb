// SPDX-License-Identifier: GPL-3.0-or-later
// Colours and weights of text on a terminal, by Node's own table; asking Node's streams whether they are terminals
// would load what most short commands never need. Until a line is printed a colour is a mark that nobody else can know:
// so what is ours is told from what stands in a name or a message (`printable.ts`).
import { fstatSync } from 'node:fs'
import { inspect } from 'node:util'

let wanted: boolean | undefined

/** True when standard output is a terminal, or the user says so: https://no-color.org, https://force-color.org. */
function isWanted(): boolean {
  const { env } = process
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR']) return true
  if (env['TERM'] === 'dumb') return false
  try {
    return fstatSync(1).isCharacterDevice()
  } catch {
    return false
  }
}

const secret = Math.random().toString(36).slice(2)

/** Finds the marks; the group has what a terminal understands (ECMA-48, SGR) behind its escape character. */
export const marks = new RegExp(`\\x1b${secret}(\\[\\d{1,2}m)`, 'g')

function style(format: string): (text: string) => string {
  const [on, off] = inspect.colors[format] ?? []
  const mark = (code: number | undefined) => `\x1b${secret}[${code}m`
  return (text) => {
    wanted ??= isWanted()
    return wanted ? mark(on) + text + mark(off) : text
  }
}

export const bold = style('bold')
export const dim = style('dim')
export const red = style('red')
export const green = style('green')
export const yellow = style('yellow')
export const cyan = style('cyan')
