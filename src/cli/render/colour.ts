// SPDX-License-Identifier: GPL-3.0-or-later
// Colours and weights of text on a terminal. Node's own; asking Node's streams whether they are terminals would load
// what most short commands never need.
import { fstatSync } from 'node:fs'
import { styleText } from 'node:util'

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

function style(format: Parameters<typeof styleText>[0]): (text: string) => string {
  return (text) => {
    wanted ??= isWanted()
    return wanted ? styleText(format, text) : text
  }
}

export const bold = style('bold')
export const dim = style('dim')
export const red = style('red')
export const green = style('green')
export const yellow = style('yellow')
export const cyan = style('cyan')
