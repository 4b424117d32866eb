// SPDX-License-Identifier: GPL-3.0-or-later
// How a running job looks: on a terminal one live line for the current step and a tick for each that
// ended; elsewhere plain lines. All of it goes to standard error, so that results can be piped.

import type { Journal, Timing } from '../../ground/job.ts'
import { dim, green, red } from './colour.ts'
import { complain } from './output.ts'
import { printable } from './printable.ts'

export interface OpenJournal extends Journal {
  close(): void
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

interface Running {
  readonly title: string
  readonly depth: number
  text: string
}

export function openJournal(options: { quiet: boolean; json: boolean }): OpenJournal {
  const shown = !options.quiet
  const timings: Timing[] = []
  const running: Running[] = []
  let tick = 0
  let timer: NodeJS.Timeout | undefined
  // Opened with the first thing to show: many commands have none.
  let terminal: { readonly out: typeof process.stderr; readonly live: boolean } | undefined
  const open = () => {
    if (terminal !== undefined) return terminal
    const out = process.stderr
    const live = out.isTTY === true && shown
    if (live)
      timer = setInterval(() => {
        tick++
        draw()
      }, 100).unref()
    terminal = { out, live }
    return terminal
  }
  const erase = () => {
    if (terminal?.live) terminal.out.write('\r\x1b[2K')
  }
  const draw = () => {
    const { out, live } = open()
    const current = running.at(-1)
    if (!live || current === undefined) return
    const frame = frames[tick % frames.length] ?? ''
    const line = `${'  '.repeat(current.depth)}${frame} ${current.title} ${current.text}`
    out.write(`\r\x1b[2K${printable(line).slice(0, (out.columns || 80) - 1)}`)
  }
  const finish = (step: Running, mark: string, ms: number, result: string) => {
    running.splice(running.indexOf(step), 1)
    if (!shown) return
    erase()
    const tail = result === '' ? '' : `: ${result}`
    open()
    complain(`${'  '.repeat(step.depth)}${mark} ${step.title}${tail} ${dim(duration(ms))}`)
    draw()
  }
  return {
    timings,
    note(message) {
      if (!shown) return
      erase()
      open()
      complain(`${dim('·')} ${message}`)
      draw()
    },
    async step(title, work) {
      const step: Running = { title, depth: running.length, text: '' }
      running.push(step)
      draw()
      const start = performance.now()
      let result = ''
      try {
        const value = await work({
          progress(text) {
            step.text = text
          },
          result(text) {
            result = text
          },
        })
        const ms = performance.now() - start
        timings.push({ step: title, ms })
        finish(step, green('✓'), ms, result)
        return value
      } catch (error) {
        finish(step, red('✗'), performance.now() - start, '')
        throw error
      }
    },
    close() {
      clearInterval(timer)
      erase()
    },
  }
}
