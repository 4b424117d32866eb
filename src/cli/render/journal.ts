// SPDX-License-Identifier: GPL-3.0-or-later
// How a running job looks: on a terminal one live line for the current step and a tick for each that
// ended; elsewhere plain lines. All of it goes to standard error, so that results can be piped.
import pc from 'picocolors'
import type { Journal, Timing } from '../../ground/job.ts'

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
  const out = process.stderr
  const live = out.isTTY === true && !options.quiet
  const shown = !options.quiet
  const timings: Timing[] = []
  const running: Running[] = []
  let tick = 0
  const erase = () => {
    if (live) out.write('\r\x1b[2K')
  }
  const draw = () => {
    const current = running.at(-1)
    if (!live || current === undefined) return
    const frame = frames[tick % frames.length] ?? ''
    const line = `${'  '.repeat(current.depth)}${frame} ${current.title} ${current.text}`
    out.write(`\r\x1b[2K${line.slice(0, (out.columns || 80) - 1)}`)
  }
  const timer = live
    ? setInterval(() => {
        tick++
        draw()
      }, 100)
    : undefined
  timer?.unref()
  const finish = (step: Running, mark: string, ms: number, result: string) => {
    running.splice(running.indexOf(step), 1)
    if (!shown) return
    erase()
    const tail = result === '' ? '' : `: ${result}`
    out.write(`${'  '.repeat(step.depth)}${mark} ${step.title}${tail} ${pc.dim(duration(ms))}\n`)
    draw()
  }
  return {
    timings,
    note(message) {
      if (!shown) return
      erase()
      out.write(`${pc.dim('·')} ${message}\n`)
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
        finish(step, pc.green('✓'), ms, result)
        return value
      } catch (error) {
        finish(step, pc.red('✗'), performance.now() - start, '')
        throw error
      }
    },
    close() {
      if (timer) clearInterval(timer)
      erase()
    },
  }
}
