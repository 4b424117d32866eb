// SPDX-License-Identifier: GPL-3.0-or-later
// What programs cost: the processor's time of all that were started and have ended, and the time on the wall.
import { childrenWorked } from '../peer.ts'

export interface Work {
  /** Seconds of processor time. */
  readonly worked: number
  /** Seconds on the wall. */
  readonly wall: number
}

/** Nothing else may run beside it in this process. */
export async function measured<T>(run: () => Promise<T>): Promise<{ readonly result: T; readonly work: Work }> {
  const [before, start] = [childrenWorked(), performance.now()]
  const result = await run()
  return { result, work: { worked: (childrenWorked() - before) / 1000, wall: (performance.now() - start) / 1000 } }
}
