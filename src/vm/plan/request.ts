// SPDX-License-Identifier: GPL-3.0-or-later
// What is asked of a proof: a live patch with what is to be seen of it, and the machine to try it on.

import type { Accelerator } from '../guest/qemu.ts'
import type { Check } from './check.ts'
import type { Subject } from './subject.ts'

/** A live patch, and how its effect is seen. */
export interface ProofRequest {
  readonly subject: Subject
  /** Older live patches that are there before it, in the order in which they are loaded. */
  readonly over?: readonly Subject[]
  readonly checks?: readonly Check[]
  /** A program that runs in the guest with the argument `before`, `after` or `reverted`, and must exit 0. */
  readonly script?: string
  /** Commands that are repeated in the background from before the live patch comes until it has gone. */
  readonly loads?: readonly string[]
  /** A file system to mount at /mnt; chosen by the patched module when not given. */
  readonly fileSystem?: string
  /** Modules of the kernel that the guest's modprobe shall find, besides those that are patched. */
  readonly modules?: readonly string[]
  /** Statically linked programs of this machine that the guest shall find on its PATH. */
  readonly programs?: readonly string[]
  /**
   * Whether to drive the guest so that what is replaced runs; by default where no check says what the live patch must
   * do.
   */
  readonly exercise?: boolean
  /** Seconds for it, in each order; default 30. */
  readonly exerciseLimit?: number
  /** Whether it is a failure when a replaced function never ran. */
  readonly requireCoverage?: boolean
  /** Lines of the kernel's log that are no failure. */
  readonly expected?: readonly RegExp[]
}

export interface MachineRequest {
  /** MiB; default 512 */
  readonly memory?: number
  /** default 2 */
  readonly cpus?: number
  /** Seconds for each boot, all in all; default 180, and 30 more for each further live patch. */
  readonly timeout?: number
  /** What QEMU calls the processor to be imitated; the best that the accelerator has by default. */
  readonly processor?: string
  /** Further words for the kernel's command line. */
  readonly parameters?: readonly string[]
  /** default `auto` */
  readonly accelerator?: 'auto' | Accelerator
}
