// SPDX-License-Identifier: GPL-3.0-or-later
// A file that somebody names, or that lies in a tree which is not ours: it may be a directory, a device without an end,
// a pipe into which nobody writes, or larger than the memory. Each kind of input has a largest size, and nothing is
// waited for without an end.
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { Fault, type FaultKind } from './fault.ts'

export interface InputKind {
  /** With its article: `a patch`. */
  readonly what: string
  /** Bytes. */
  readonly largest: number
  /** Of the fault when there is no such file; the other faults' codes are `unreadable` and `too-large`. */
  readonly missing?: string
  /** What to do when there is no such file, or it is none. */
  readonly remedy?: string
  /** By default `usage`. */
  readonly fault?: FaultKind
}

const mega = 1024 * 1024

/** The kinds of files that are named on the command line, beside it, or in a suite. */
export const inputKinds = {
  patch: {
    what: 'a patch',
    largest: 64 * mega,
    missing: 'no-such-patch',
    remedy: 'Name a unified diff, as git diff or quilt make it',
  },
  /** vmlinux.o with debug information is the largest that there is. */
  object: { what: 'an object', largest: 1536 * mega },
  module: {
    what: 'a kernel module',
    largest: 256 * mega,
    remedy: 'Name a live patch module, such as the one that `inarch build fix.patch` makes',
  },
  manifest: {
    what: 'a manifest',
    largest: 128 * mega,
    remedy: 'Build the live patch again with `inarch build`',
  },
  proof: {
    what: 'a proof',
    largest: 128 * mega,
    remedy: 'Make one with `inarch prove --proof FILE MODULE`',
  },
  list: { what: 'a list', largest: 16 * mega },
  /** A C file or a header. */
  source: { what: 'a source file', largest: 64 * mega },
  /** Goes into the guest's memory. */
  program: { what: 'a program for the guest', largest: 256 * mega },
} as const satisfies Record<string, InputKind>

/** ms for which a pipe may be silent, and for which it may have no writer. */
const [patience, writerless] = [10_000, 1000]
/** ms between two looks at a pipe. */
const pause = 20
/** Bytes that are asked for at once where nobody knows how many there are. */
const portion = 256 * 1024

/** What is wrong with the file, by what the system says; all else is wrong with the machine. */
const reasons: Readonly<Record<string, string>> = {
  ELOOP: 'its symbolic links lead in a circle',
  ENAMETOOLONG: 'its name is longer than the file system allows',
  ERR_INVALID_ARG_VALUE: 'its name has a NUL in it',
}

function kindOf(status: Stats): string {
  if (status.isDirectory()) return 'a directory'
  return status.isSocket() ? 'a socket' : 'a device'
}

/** `64 MB` */
function inMegabytes(bytes: number): string {
  return bytes < mega ? `${Math.ceil(bytes / 1024)} kB` : `${Math.ceil(bytes / mega)} MB`
}

/** A file that is being read. */
class Reading {
  private readonly descriptor: number
  private readonly pipe: boolean
  private bytes: Buffer
  private length = 0
  private silent = 0

  constructor(
    private readonly file: string,
    private readonly kind: InputKind,
  ) {
    try {
      // To open a device may already do something.
      this.checkKind(statSync(file))
      // A pipe is opened, and read, without waiting for a writer.
      this.descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
    } catch (error) {
      throw this.refused(error)
    }
    try {
      const status = fstatSync(this.descriptor)
      this.checkKind(status)
      this.pipe = status.isFIFO()
      if (status.size > kind.largest) throw this.tooLarge()
      // One more, so that the end is met at once.
      this.bytes = Buffer.allocUnsafe(status.size > 0 ? status.size + 1 : portion)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** @returns all of it; undefined when there may be more, but not yet */
  next(): Buffer | undefined {
    for (;;) {
      if (this.length === this.bytes.length) {
        const grown = Buffer.allocUnsafe(Math.min(2 * this.length, this.kind.largest + portion))
        this.bytes.copy(grown)
        this.bytes = grown
      }
      const count = this.read()
      if (count > 0) {
        this.silent = 0
        this.length += count
        if (this.length > this.kind.largest) throw this.tooLarge()
      } else if (count === 0 && (!this.pipe || this.length > 0 || this.silent >= writerless))
        return this.bytes.subarray(0, this.length)
      else {
        this.silent += pause
        if (this.silent > patience)
          throw this.fault('unreadable', `${this.file} can't be read: it is a pipe into which nobody writes`)
        return undefined
      }
    }
  }

  close(): void {
    closeSync(this.descriptor)
  }

  /** @returns -1 when there is nothing yet */
  private read(): number {
    try {
      return readSync(this.descriptor, this.bytes, this.length, this.bytes.length - this.length, null)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return -1
      throw this.refused(error)
    }
  }

  private checkKind(status: Stats): void {
    if (status.isFile() || status.isFIFO()) return
    throw this.fault(this.missing, `${this.file} is ${kindOf(status)}, not ${this.kind.what}`)
  }

  private get missing(): string {
    return this.kind.missing ?? 'no-such-file'
  }

  private fault(code: string, message: string, cause?: unknown): Fault {
    const { fault = 'usage', remedy } = this.kind
    return new Fault(fault, code, message, { cause, remedy })
  }

  private tooLarge(): Fault {
    const { what, largest } = this.kind
    return this.fault('too-large', `${this.file} is larger than ${what} may be, which is ${inMegabytes(largest)}`)
  }

  /** What is thrown when the system refuses: its own error where the file is not at fault. */
  private refused(error: unknown): unknown {
    if (error instanceof Fault) return error
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return this.fault(this.missing, `There is no file ${this.file}`, error)
    const reason = reasons[code]
    return reason === undefined ? error : this.fault('unreadable', `${this.file} can't be read: ${reason}`, error)
  }
}

/**
 * The content of `file`.
 * @throws Fault of the kind's own, `…/unreadable`, `…/too-large`
 */
export async function readInput(file: string, kind: InputKind): Promise<Buffer> {
  const reading = new Reading(file, kind)
  try {
    for (;;) {
      const content = reading.next()
      if (content !== undefined) return content
      await setTimeout(pause)
    }
  } finally {
    reading.close()
  }
}

/** `readInput` for who can't wait otherwise. */
export function readInputSync(file: string, kind: InputKind): Buffer {
  const reading = new Reading(file, kind)
  const nobody = new Int32Array(new SharedArrayBuffer(4))
  try {
    for (;;) {
      const content = reading.next()
      if (content !== undefined) return content
      Atomics.wait(nobody, 0, 0, pause)
    }
  } finally {
    reading.close()
  }
}

/** `readInput` for a file that may be missing. @returns undefined then */
export async function readInputIfAny(file: string, kind: InputKind): Promise<Buffer | undefined> {
  return readInput(file, kind).catch((error: unknown) => {
    if (error instanceof Fault && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
      return undefined
    throw error
  })
}
