// SPDX-License-Identifier: GPL-3.0-or-later
// Standard output and standard error, written at once and whole. Node's own streams are slow to make, and end a program
// with a stack trace when their reader has gone or the disk is full.
import { fstatSync, writeSync } from 'node:fs'
import { Fault } from '../../ground/fault.ts'
import { revealed } from '../../ground/invisible-characters.ts'
import { printable } from './printable.ts'

/** ms to wait for a reader that is slow. */
const patience = 5

/** Those that nobody reads any more. */
const closed = new Set<number>()

function write(to: 1 | 2, text: string | Uint8Array): void {
  let rest = typeof text === 'string' ? Buffer.from(text) : text
  while (rest.length > 0 && !closed.has(to))
    try {
      rest = rest.subarray(writeSync(to, rest))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, patience)
      else if (code === 'EPIPE') closed.add(to)
      else throw error
    }
}

/**
 * Prints a text. What reads it may have gone (`inarch kernels | head -1`): then nobody wants the rest.
 * @throws Fault `environment/output-not-written`
 */
export function output(text: string | Uint8Array): void {
  try {
    write(1, text)
  } catch (error) {
    throw new Fault('environment', 'output-not-written', 'The result could not be written', {
      detail: (error as Error).message,
      remedy: 'Free some space where standard output goes, or send it elsewhere',
    })
  }
}

/** The value as JSON in which no character is that a terminal obeys, or that is not seen. */
export function jsonText(value: unknown): string {
  const escaped = (character: string) =>
    Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
      .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
      .join('')
  return revealed(JSON.stringify(value, null, 2), '\n', escaped)
}

/** Prints a result for a program. */
export function outputJson(value: unknown): void {
  output(`${jsonText(value)}\n`)
}

/** Prints a file's bytes as they are; on a terminal, only what a reader sees. */
export function outputBytes(bytes: Buffer): void {
  const lines = () => bytes.toString('utf8').split('\n').map(printable).join('\n')
  output(fstatSync(1).isCharacterDevice() ? lines() : bytes)
}

/** Prints a line on standard error, where it can. */
export function complain(line: string): void {
  try {
    write(2, `${printable(line)}\n`)
  } catch {
    // There is no other place to say it.
  }
}
