// SPDX-License-Identifier: GPL-3.0-or-later
// Standard output, written at once and whole. Node's own stream is slow to make, and ends a program with a stack trace when
// its reader has gone.
import { writeSync } from 'node:fs'

let closed = false

/** ms to wait for a reader that is slow. */
const patience = 5

/** Prints a text. What reads it may have gone (`inarch kernels | head -1`): then nobody wants the rest. */
export function output(text: string | Uint8Array): void {
  let rest = typeof text === 'string' ? Buffer.from(text) : text
  while (rest.length > 0 && !closed)
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE') closed = true
      else if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, patience)
      else throw error
    }
}
