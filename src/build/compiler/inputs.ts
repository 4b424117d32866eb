// SPDX-License-Identifier: GPL-3.0-or-later
// What was compiled holds as long as everything that the compiler read is as it was: each file by its content, and
// each directory in which the compiler would have found another file first by the names in it. Contents are only
// read again where a stamp differs or is too young to be believed.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { isOlderThan, stampOf } from '../../ground/stamp.ts'
import { getOrInsertComputed, remembered } from '../../ground/values/remembered.ts'
import { pathIn } from './compiler-run.ts'

/** A file, or the names in a directory. An empty stamp is believed by nobody. */
interface Input {
  readonly path: string
  readonly stamp: string
  readonly hash: string
}

export interface Inputs {
  readonly files: readonly Input[]
  readonly directories: readonly Input[]
  /** Files that kbuild generated for the unit, which lie nowhere in the tree; they have no stamp. */
  readonly generated: readonly Input[]
}

/** What was compiled, and from what. */
export interface Compiled {
  /** True for a text that may make the compiler read what it does not tell; nothing is kept then. */
  readonly hides: (text: string) => boolean
  /** As the compiler names them, from the directory in which it ran. */
  readonly read: readonly string[]
  /** Directories in which it looks for headers, named in the same way. */
  readonly searched: readonly string[]
  /** Paths in the tree of files that are part of the key: the side's own. */
  readonly own: ReadonlySet<string>
  /** By path in the tree: text (latin1) of what was generated for it. */
  readonly generated: ReadonlyMap<string, string>
  /** When the compiler was started, ms. */
  readonly since: number
}

function digest(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('base64').slice(0, 24)
}

function hashOfFile(file: string): string | undefined {
  try {
    return digest(readFileSync(file))
  } catch {
    return undefined
  }
}

function hashOfNames(dir: string): string | undefined {
  try {
    return digest(readdirSync(dir).sort().join('\0'))
  } catch {
    return undefined
  }
}

/** Every way to the end of a path: `linux/fs.h` of `include/linux/fs.h` is what `#include` may have named. */
function endsOf(dir: string): string[] {
  const parts = dir.split('/')
  return ['.', ...parts.map((_, at) => parts.slice(at).join('/'))]
}

function isDirectory(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true
}

/** A source tree, of which each file is looked at once. */
export class InputTree {
  private readonly stamp = remembered((file: string) => stampOf(this.resolve(file)))
  private readonly hashes = new Map<string, string | undefined>()
  private readonly hiding = new Map<string, boolean>()
  private readonly directories = new Map<string, boolean>()

  constructor(private readonly root: string) {}

  private resolve(file: string): string {
    return pathIn(this.root, file)
  }

  private hash(file: string, kind: 'file' | 'names'): string | undefined {
    if (!this.hashes.has(file)) {
      const full = this.resolve(file)
      this.hashes.set(file, kind === 'file' ? hashOfFile(full) : hashOfNames(full))
    }
    return this.hashes.get(file)
  }

  private isHiding(file: string, hides: (text: string) => boolean): boolean {
    return getOrInsertComputed(this.hiding, file, () => hides(readFileSync(this.resolve(file), 'latin1')))
  }

  /** The directory, or the nearest above it that is there: where it would have to be made. */
  private existing(dir: string): string {
    for (let here = dir; ; here = path.posix.dirname(here)) {
      const isThere = getOrInsertComputed(this.directories, here, () => isDirectory(this.resolve(here)))
      if (isThere || here === '.' || here === '/') return here
    }
  }

  /** Where a file that is not there yet would be taken instead of one that was read. */
  private watched(files: readonly string[], searched: readonly string[]): string[] {
    const homes = new Set(files.map((file) => path.posix.dirname(file)))
    const ends = new Set([...homes].flatMap(endsOf))
    const roots = new Set([...searched.map((dir) => path.posix.normalize(dir)), ...homes])
    const watched = new Set<string>()
    for (const root of roots) for (const end of ends) watched.add(this.existing(path.posix.join(root, end)))
    return [...watched].sort()
  }

  /**
   * What to keep beside an object. Undefined when a file changed since the compiler was started: nobody knows which of
   * its contents was compiled.
   */
  record({ hides, read, searched, own, generated, since }: Compiled): Inputs | undefined {
    const place = (file: string) => path.posix.normalize(file)
    const others = read.filter((file) => !own.has(place(file)))
    const made = [...new Set(others.map(place))].filter((file) => generated.has(file))
    const files = others.filter((file) => !generated.has(place(file)))
    const take = (file: string, kind: 'file' | 'names'): Input | undefined => {
      const stamp = stampOf(this.resolve(file))
      // A stamp that was taken before the compiler ran must be the same.
      if (stamp === undefined || !isOlderThan(stamp, since) || this.stamp(file) !== stamp) return undefined
      const hash = this.hash(file, kind)
      return hash === undefined ? undefined : { path: file, stamp, hash }
    }
    const taken = files.map((file) => take(file, 'file'))
    const names = this.watched(files, searched).map((dir) => take(dir, 'names'))
    if ([...taken, ...names].includes(undefined)) return undefined
    if (files.some((file) => this.isHiding(file, hides))) return undefined
    return {
      files: taken.filter((one) => one !== undefined),
      directories: names.filter((one) => one !== undefined),
      generated: made.map((file) => ({
        path: file,
        stamp: '',
        hash: digest(Buffer.from(generated.get(file) ?? '', 'latin1')),
      })),
    }
  }

  /**
   * Whether what was read is still the same.
   * @param generated asked for only when something of it was read
   * @returns undefined when it is not; the inputs with today's stamps when only these differ
   */
  async check(inputs: Inputs, generated: () => Promise<ReadonlyMap<string, string>>): Promise<Inputs | undefined> {
    let isSame = true
    const now = Date.now()
    const hold = (list: readonly Input[], kind: 'file' | 'names'): readonly Input[] | undefined => {
      const fresh: Input[] = []
      for (const one of list) {
        const stamp = this.stamp(one.path)
        if (stamp !== undefined && stamp === one.stamp) {
          // Its content is known by that, and need not be read to be written down again.
          this.hashes.set(one.path, one.hash)
          // It would not have been kept.
          if (kind === 'file') this.hiding.set(one.path, false)
          fresh.push(one)
        } else {
          if (stamp === undefined || this.hash(one.path, kind) !== one.hash) return undefined
          isSame = false
          fresh.push({ ...one, stamp: isOlderThan(stamp, now) ? stamp : '' })
        }
      }
      return fresh
    }
    const files = hold(inputs.files, 'file')
    const directories = files && hold(inputs.directories, 'names')
    if (files === undefined || directories === undefined) return undefined
    if (inputs.generated.length > 0) {
      const made = await generated()
      for (const { path: file, hash } of inputs.generated) {
        const text = made.get(file)
        if (text === undefined || digest(Buffer.from(text, 'latin1')) !== hash) return undefined
      }
    }
    return isSame ? inputs : { ...inputs, files, directories }
  }
}

const lists = [
  ['F', 'files'],
  ['D', 'directories'],
  ['G', 'generated'],
] as const

/** One line for each, and an empty one. */
export function renderInputs(inputs: Inputs): string {
  const rows = lists.flatMap(([letter, list]) =>
    inputs[list].map(({ path: file, stamp, hash }) => [letter, hash, stamp, file].join('\t')),
  )
  return `${[...rows, '', ''].join('\n')}`
}

export function parseInputs(text: string): Inputs {
  const inputs: Record<(typeof lists)[number][1], Input[]> = { files: [], directories: [], generated: [] }
  for (const row of text.split('\n')) {
    const [letter, hash, stamp, ...rest] = row.split('\t')
    const list = lists.find(([one]) => one === letter)?.[1]
    if (list !== undefined && hash !== undefined && stamp !== undefined)
      inputs[list].push({ path: rest.join('\t'), hash, stamp })
  }
  return inputs
}

/** Directories in which these arguments make the compiler look for headers. */
export function searchedBy(flags: readonly string[]): string[] {
  return flags.flatMap((flag, at) => {
    const [, dir] = /^-(?:I|iquote|isystem|idirafter)(.*)$/.exec(flag) ?? []
    return dir === undefined ? [] : [dir === '' ? (flags[at + 1] ?? '.') : dir]
  })
}
