// SPDX-License-Identifier: GPL-3.0-or-later
// A survey of the text that a kernel is made of: which file may include which, and which words stand in
// which files. It is what tells the few units that a changed header can matter to from the thousands that
// include it. Taken by text, without the preprocessor: more may be included than the compiler sees, never
// less. It takes seconds, so it is kept in the kernel's directory.
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Job } from '../../ground/job.ts'
import { keepFile } from '../../ground/kept-file.ts'
import { digestOfStamps } from '../../ground/stamp.ts'
import { addTo } from '../../ground/values/grouped.ts'
import { getOrInsertComputed, lazy } from '../../ground/values/remembered.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { headOf, type Units } from '../kbuild/units.ts'
import { findPastes, type MacroDefinition, macrosIn, type Paste } from './token-pasting.ts'

export interface Survey {
  /** The given files and all that may include them, over any number of steps. */
  includers(files: Iterable<string>): Set<string>
  /** The given files and all that they may include. */
  closure(files: Iterable<string>): Set<string>
  /** The files in which the word stands, be it in a comment. */
  filesWith(word: string): string[]
  /** Files that include a file of this name (without directories), wherever it lies. */
  namesInclude(basename: string): string[]
  /** True when the file includes others by a path with `..`. */
  climbs(file: string): boolean
  /** Whether the name is that of a macro with parameters. */
  isMacro(name: string): boolean
  readonly pastes: readonly Paste[]
}

const format = 'inarch-survey-8'

interface SurveyedFile {
  readonly file: string
  readonly includes: readonly string[]
  /** Base names of everything it asks for, found or not. */
  readonly asked: readonly string[]
  readonly climbs: boolean
}

const includeLine = /^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)/gm
// What a computed #include may be made of.
const definedPath = /^[ \t]*#[ \t]*define[ \t]+\w+[ \t]+(?:"([^"\n]+\.[a-z]+)"|<([^>\n]+\.[a-z]+)>)[ \t]*$/gm
const traceDefine = /^[ \t]*#[ \t]*define[ \t]+(TRACE_INCLUDE_FILE|TRACE_INCLUDE_PATH|TRACE_SYSTEM)[ \t]+(\S+)/gm
const directoryOfTraces = 'include/trace'

/** Finds files by the compiler's search path, or by that of any unit. */
class Directories {
  private readonly listings = new Map<string, ReadonlySet<string>>()
  private readonly found = new Map<string, readonly string[]>()

  constructor(
    private readonly root: string,
    private readonly searched: readonly string[],
  ) {}

  has(file: string): boolean {
    const dir = path.posix.dirname(file)
    const listing = getOrInsertComputed(this.listings, dir, () => {
      try {
        return new Set(readdirSync(path.join(this.root, dir)))
      } catch {
        return new Set()
      }
    })
    return listing.has(path.posix.basename(file))
  }

  /** The directories in which files were looked for, there or not. */
  looked(): string[] {
    return [...this.listings.keys()]
  }

  search(name: string): readonly string[] {
    return getOrInsertComputed(this.found, name, () =>
      this.searched.map((dir) => path.posix.join(dir, name)).filter((file) => this.has(file)),
    )
  }
}

function tracesOf(file: string, text: string): string[] {
  const names: string[] = []
  const paths = ['trace/events', path.posix.dirname(file)]
  for (const { 1: macro, 2: value } of text.matchAll(traceDefine))
    if (macro === 'TRACE_INCLUDE_PATH') paths.push(value!, path.posix.join(directoryOfTraces, value!))
    else names.push(`${value}.h`)
  return names.flatMap((name) => paths.map((dir) => path.posix.join(dir, name)))
}

function surveyFile(file: string, text: string, directories: Directories): SurveyedFile {
  const includes = new Set<string>()
  const asked = new Set<string>()
  let climbs = false
  const take = (name: string, quoted: boolean) => {
    asked.add(path.posix.basename(name))
    if (name.includes('..')) climbs = true
    const near = path.posix.join(path.posix.dirname(file), name)
    if (quoted && directories.has(near)) includes.add(near)
    else for (const found of directories.search(name)) includes.add(found)
  }
  for (const pattern of [includeLine, definedPath])
    for (const { 1: quoted, 2: angled } of text.matchAll(pattern)) take(quoted ?? angled!, quoted !== undefined)
  if (text.includes('TRACE_'))
    for (const name of tracesOf(file, text)) {
      asked.add(path.posix.basename(name))
      if (directories.has(name)) includes.add(name)
      for (const found of directories.search(name)) includes.add(found)
    }
  includes.delete(file)
  return { file, includes: [...includes], asked: [...asked], climbs }
}

/** Where units look for headers, and what every one of them includes by its flags. */
function flagsOf(units: Units): { searched: string[]; included: Map<string, string[]> } {
  const searched = new Set<string>()
  const included = new Map<string, string[]>()
  for (const unit of [...units.all(), ...units.assembly()]) {
    const flags = unit.flags ?? []
    const own: string[] = []
    flags.forEach((flag, i) => {
      const dir = /^-(?:I|iquote|isystem|idirafter)(.*)$/.exec(flag)
      if (dir !== null) searched.add(path.posix.normalize(dir[1] || flags[i + 1] || '.').replace(/\/$/, ''))
      if (flag === '-include') own.push(path.posix.normalize(flags[i + 1] ?? ''))
    })
    included.set(unit.source, [...(included.get(unit.source) ?? []), ...own])
  }
  searched.add(directoryOfTraces)
  return { searched: [...searched], included }
}

/** Files that the build takes numbers from (see constants.ts), as every architecture has them. */
export const constantSources = /^(?:kernel\/bounds|arch\/\w+\/(?:kernel|kvm)\/(?:[\w-]+-)?asm-offsets)\.c$/

/** The files that are no units, but from which the build takes numbers. */
function constantFiles(root: string): string[] {
  const list = (dir: string) => {
    try {
      return readdirSync(path.join(root, dir)).map((name) => `${dir}/${name}`)
    } catch {
      return []
    }
  }
  const places = list('arch').flatMap((arch) => [...list(`${arch}/kernel`), ...list(`${arch}/kvm`)])
  return ['kernel/bounds.c', ...places].filter((file) => constantSources.test(file))
}

const nothing: readonly string[] = []

/** Reads every file that a unit may be made of. */
async function takeSurvey(job: Job, kernel: Kernel, units: Units): Promise<string> {
  const { searched, included } = flagsOf(units)
  const directories = new Directories(kernel.source, searched)
  const order = [...new Set([...included.keys(), ...constantFiles(kernel.source)])].sort()
  const known = new Set(order)
  const files: SurveyedFile[] = []
  const words = new Map<string, number[]>()
  const macros = new Set<string>()
  const definitions: MacroDefinition[] = []
  for (const file of order) {
    // Reading in order keeps one file's text in memory at a time; let others run now and then.
    if (files.length % 64 === 0) {
      await new Promise((resolve) => setImmediate(resolve))
      job.signal.throwIfAborted()
    }
    const text = await readFile(path.join(kernel.source, file), 'latin1').catch(() => '')
    const surveyed = surveyFile(file, text, directories)
    const byFlags = included.get(file) ?? nothing
    const one = { ...surveyed, includes: [...new Set([...surveyed.includes, ...byFlags])] }
    for (const word of new Set(text.match(/[A-Za-z_]\w*/g))) addTo(words, word, files.length)
    for (const macro of macrosIn(text)) {
      if (/[a-z]/.test(macro.name)) macros.add(macro.name)
      if (macro.body.includes('(') || macro.body.includes('##')) definitions.push(macro)
    }
    files.push(one)
    for (const name of one.includes)
      if (!known.has(name)) {
        known.add(name)
        order.push(name)
      }
  }
  const index = new Map(order.map((file, i) => [file, i.toString(36)]))
  const lines = [
    ...files.map(({ file, includes, asked, climbs }) =>
      ['F', file, climbs ? 'y' : 'n', includes.map((one) => index.get(one)).join(' '), asked.join(' ')].join('\t'),
    ),
    ...directories.looked().map((dir) => `D\t${dir}`),
    ...findPastes(definitions).map(({ macro, pieces }) => `P\t${macro}\t${JSON.stringify(pieces)}`),
    `M\t${[...macros].join(' ')}`,
    '',
    ...[...words.keys()].sort().map(
      (word) =>
        `${word}\t${words
          .get(word)!
          .map((at) => at.toString(36))
          .join(' ')}`,
    ),
  ]
  return `${lines.join('\n')}\n`
}

/** The line that begins with `word` and a tab, in text whose lines are sorted from `first` on. */
function findLine(text: string, first: number, word: string): string | undefined {
  let low = first
  let high = text.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const start = Math.max(low, text.lastIndexOf('\n', middle - 1) + 1)
    const end = text.indexOf('\n', start)
    const tab = text.indexOf('\t', start)
    const here = text.slice(start, tab)
    if (here === word) return text.slice(tab + 1, end)
    if (here < word) low = end + 1
    else high = start
  }
  return undefined
}

function parseSurvey(text: string): Survey {
  const end = text.indexOf('\n\n')
  const rows = text.slice(text.indexOf('\n') + 1, end).split('\n')
  const files: string[] = []
  const asked: string[] = []
  const included: string[] = []
  const climbing = new Set<string>()
  const pastes: Paste[] = []
  const macros = new Set<string>()
  for (const row of rows) {
    const fields = row.split('\t')
    if (fields[0] === 'F') {
      files.push(fields[1]!)
      if (fields[2] === 'y') climbing.add(fields[1]!)
      included.push(fields[3]!)
      asked.push(` ${fields[4]} `)
    } else if (fields[0] === 'D') continue
    else if (fields[0] === 'P') pastes.push({ macro: fields[1]!, pieces: JSON.parse(fields[2]!) })
    else for (const name of fields[1]!.split(' ')) macros.add(name)
  }
  const numbers = (list: string) => (list === '' ? [] : list.split(' ').map((at) => Number.parseInt(at, 36)))
  const index = new Map(files.map((file, i) => [file, i]))
  const edges = lazy(() => included.map(numbers))
  const reverse = lazy(() => {
    const backward: number[][] = files.map(() => [])
    for (const [from, targets] of edges().entries()) for (const to of targets) backward[to]!.push(from)
    return backward
  })
  const walk = (start: Iterable<string>, next: number[][]): Set<string> => {
    const seen = new Set<number>()
    const result = new Set<string>()
    for (const file of start) {
      result.add(file)
      const at = index.get(file)
      if (at !== undefined) seen.add(at)
    }
    for (const at of seen) for (const other of next[at]!) seen.add(other)
    for (const at of seen) result.add(files[at]!)
    return result
  }
  return {
    includers: (start) => walk(start, reverse()),
    closure: (start) => walk(start, edges()),
    filesWith(word) {
      const line = findLine(text, end + 2, word)
      return line === undefined ? [] : numbers(line).map((at) => files[at]!)
    },
    namesInclude: (name) => files.filter((_, at) => asked[at]!.includes(` ${name} `)),
    climbs: (file) => climbing.has(file),
    isMacro: (name) => !/[a-z]/.test(name) || macros.has(name),
    pastes,
  }
}

/** The paths that stand in the survey as what it was taken from. */
function readBy(text: string): string[] {
  const end = text.indexOf('\n\n')
  return [...text.slice(0, end).matchAll(/^[FD]\t([^\t\n]*)/gm)].map(([, file]) => file!)
}

/**
 * The survey of a kernel's source; taken in seconds the first time, and when a file or a directory of it has changed.
 */
export async function openSurvey(job: Job, kernel: Kernel, units: Units): Promise<Survey> {
  const file = path.join(kernel.dir, 'survey')
  const head = [format, headOf(kernel), units.stamp].join('\t')
  const kept = await readFile(file, 'latin1').catch(() => '')
  const end = kept.indexOf('\n')
  if (units.stamp !== '' && kept.startsWith(`${head}\t`) && kept.endsWith('\n')) {
    const stamps = digestOfStamps(kernel.source, readBy(kept))
    if (stamps === kept.slice(head.length + 1, end)) return parseSurvey(kept)
  }
  return await job.journal.step(`Reading what ${kernel.release} includes`, async () => {
    const since = Date.now()
    const text = await takeSurvey(job, kernel, units)
    const made = `${head}\t${digestOfStamps(kernel.source, readBy(text), since) ?? ''}\n${text}`
    await keepFile(file, Buffer.from(made, 'latin1'))
    return parseSurvey(made)
  })
}
