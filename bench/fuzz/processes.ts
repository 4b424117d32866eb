// SPDX-License-Identifier: GPL-3.0-or-later
// The same hostile pairs, given to the command as files: its exit codes, what it prints, what it leaves.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pLimit from 'p-limit'
import { readObject } from '../../src/elf/read.ts'
import { withScratch } from '../../src/ground/scratch.ts'
import type { Failure } from './campaign.ts'
import type { GoodPair } from './corpus.ts'
import { caseOf } from './examine.ts'

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function start(program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** What no command may print, whatever it was given; undefined when all is well. */
function wrongOutput({ code, stdout, stderr }: Ended): string | undefined {
  if (code !== 0 && code !== 3 && code !== 4) return `it ends with ${code}: ${stderr.slice(0, 500)}`
  const both = stdout + stderr
  if (/^\s+at .+:\d+:\d+\)?$/m.test(both)) return 'it prints a stack'
  if (/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(both)) return 'it prints control characters'
  if (code === 3 && !/^error: .{10,}\.$/m.test(stderr) && !/^[{[]/.test(stdout))
    return `its error is no sentence: ${stderr.slice(0, 500)}`
  return undefined
}

const outcomes: Readonly<Record<number, readonly string[]>> = { 0: ['change'], 4: ['none', 'refused'] }

/** @returns the outcome, or `error` */
function outcomeOf(document: { outcome?: string; error?: { kind: string } }): string {
  return document.outcome ?? (document.error?.kind === 'patch' ? 'error' : 'neither')
}

/** @throws Error when the command does something wrong with this pair */
async function give(program: string, before: string, after: string, dir: string): Promise<string> {
  const json = await start(program, ['diff', '--json', before, after])
  const plain = await start(program, ['diff', before, after])
  const output = path.join(dir, 'carried.o')
  const carried = await start(program, ['extract', before, after, '-o', output])
  for (const ended of [json, plain, carried]) {
    const wrong = wrongOutput(ended)
    if (wrong !== undefined) throw new Error(wrong)
  }
  const outcome = outcomeOf(JSON.parse(json.stdout))
  const expected = outcomes[json.code ?? -1] ?? ['error']
  if (!expected.includes(outcome)) throw new Error(`it ends with ${json.code}, but says ${outcome}`)
  if (plain.code !== json.code || carried.code !== json.code)
    throw new Error(`diff --json, diff and extract end with ${json.code}, ${plain.code} and ${carried.code}`)
  if (existsSync(output) !== (carried.code === 0)) throw new Error('extract writes what it refuses, or nothing')
  if (carried.code === 0) readObject(readFileSync(output), 'carried.o')
  const left = readdirSync(dir).filter((name) => !/^(before|after|carried)\.o$/.test(name))
  if (left.length > 0) throw new Error(`extract leaves ${left.join(', ')}`)
  return outcome
}

export interface ProcessReport {
  readonly cases: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly failures: readonly Failure[]
}

/**
 * Gives cases 0 to `cases` of a seed to the command: all in one call with `--pairs`, and the first of them
 * each by itself, which must say the same.
 * @param alone how many are given by themselves
 * @param program the built command
 * @param jobs how many run at the same time
 */
export async function runProcesses(
  corpus: readonly GoodPair[],
  seed: number,
  cases: number,
  alone: number,
  program: string,
  jobs: number,
): Promise<ProcessReport> {
  return await withScratch(async (scratch) => {
    const failures: Failure[] = []
    const limit = pLimit(jobs)
    const pairs = Array.from({ length: cases }, (_, number) => {
      const dir = path.join(scratch, String(number))
      return { number, dir, before: path.join(dir, 'before.o'), after: path.join(dir, 'after.o') }
    })
    const said = await Promise.all(
      pairs.map(({ number, dir, before, after }) =>
        limit(async () => {
          const forged = caseOf(corpus, seed, number)
          mkdirSync(dir)
          writeFileSync(before, forged.before.bytes)
          writeFileSync(after, forged.after.bytes)
          if (number >= alone) return undefined
          try {
            return await give(program, before, after, dir)
          } catch (error) {
            failures.push({ number, what: (error as Error).message })
            return undefined
          }
        }),
      ),
    )
    const list = path.join(scratch, 'pairs')
    writeFileSync(list, pairs.map(({ before, after }) => `${before}\t${after}\n`).join(''))
    const together = await start(program, ['diff', '--json', '--pairs', list])
    const wrong = wrongOutput(together)
    if (wrong !== undefined) failures.push({ number: -1, what: `--pairs: ${wrong}` })
    const results: Parameters<typeof outcomeOf>[0][] = wrong === undefined ? JSON.parse(together.stdout) : []
    const tally: Record<string, number> = {}
    for (const { number } of pairs) {
      const result = results[number]
      const outcome = result === undefined ? 'missing' : outcomeOf(result)
      tally[outcome] = (tally[outcome] ?? 0) + 1
      if (outcome === 'missing' || outcome === 'neither' || (said[number] ?? outcome) !== outcome)
        failures.push({ number, what: `--pairs says ${outcome}, diff alone ${said[number]}` })
    }
    return { cases, outcomes: tally, failures }
  })
}
