// SPDX-License-Identifier: GPL-3.0-or-later
// The translation units of a kernel: what becomes of each C file, and how it is compiled. The table is
// taken from kbuild once and kept in the kernel's directory as text in which a unit is found by
// searching, without parsing the thousands of others.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { keepFile } from '../../ground/kept-file.ts'
import { digestOfStamps, untilBelievable } from '../../ground/stamp.ts'
import { mostFrequent } from '../../ground/values/grouped.ts'
import { getOrInsertComputed, remembered } from '../../ground/values/remembered.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { findIncluded } from './includes.ts'
import { type AssemblyAnswer, askKbuild, type KbuildAnswer } from './kbuild.ts'
import { decisiveFiles } from './makefiles.ts'
import { splitWords } from './shell.ts'

export interface Unit {
  /** Path of the C file in the source tree. */
  readonly source: string
  /** The C file as kbuild names it to the compiler; `__FILE__` follows from it. */
  readonly argument: string
  /** Path of the object that kbuild makes of it. */
  readonly object: string
  /** Where it ends up. `elsewhere`: vdso, boot code, EFI stub, … which no live patch reaches. */
  readonly home: 'vmlinux' | 'module' | 'elsewhere'
  /** The modules that hold it (KBUILD_MODNAME); empty for vmlinux. */
  readonly modules: readonly string[]
  /** False when kbuild keeps objtool away from it: it has no reliable stack unwinding. */
  readonly standard: boolean
  /** The compiler's arguments, without input, output and dependency file; undefined when kbuild's need a shell. */
  readonly flags: readonly string[] | undefined
  /** objtool's arguments, without the file, for a module that holds this unit's code. */
  readonly objtool: readonly string[]
}

/** A file of assembly, or a linker script, that goes through the preprocessor. */
export interface Assembly {
  /** Path in the source tree. */
  readonly source: string
  readonly object: string
  readonly flags: readonly string[]
}

export interface Units {
  /** Every unit that is made of this C file: usually one; more when `elsewhere` compiles it too. */
  find(source: string): Unit[]
  /** Paths of the units that may take in this C file by `#include`, whatever the #ifs around it say. */
  mayInclude(source: string): readonly string[]
  /** A unit compiled with the flags that most units of modules have; undefined when there are no modules. */
  typicalOfModules(): Unit | undefined
  /** Every unit, in the order of the objects' names. */
  all(): Unit[]
  /** Every file of assembly. */
  assembly(): Assembly[]
  /** Changes when what kbuild's answers come from does; empty when that is not known. */
  readonly stamp: string
}

const format = 'inarch-units-6'
const fieldBreak = '\t'
const argumentBreak = '\x1f'

/** Arguments that name the unit itself; the others are shared by many units. */
function isOwn(argument: string): boolean {
  return /^-D(__)?KBUILD_(MODFILE|BASENAME|MODNAME)=/.test(argument)
}

function renderRows(
  answers: readonly KbuildAnswer[],
  assembly: readonly AssemblyAnswer[],
  makefiles: readonly string[],
): string {
  const shared = new Map<string, number>()
  const intern = (args: readonly string[]) => getOrInsertComputed(shared, args.join(argumentBreak), () => shared.size)
  // make's jobs end in any order; the table should not.
  const ordered = [...answers].sort((a, b) => (a.object < b.object ? -1 : 1))
  const rows = ordered.map((answer) => {
    const flags = splitWords(answer.flags)?.filter((flag) => !flag.startsWith('-Wp,-M'))
    const usable = flags?.every((flag) => !/[\t\n\x1f]/.test(flag)) === true ? flags : undefined
    return [
      'U',
      path.posix.normalize(answer.source),
      answer.source,
      answer.object,
      answer.kind,
      answer.standard ? 'y' : 'n',
      intern(splitWords(answer.objtool) ?? []),
      usable === undefined ? '-' : intern(usable.filter((flag) => !isOwn(flag))),
      usable?.filter(isOwn).join(argumentBreak) ?? '',
    ].join(fieldBreak)
  })
  const others = [...assembly]
    .sort((a, b) => (a.object < b.object ? -1 : 1))
    .flatMap(({ object, source, flags }) => {
      const words = splitWords(flags)?.filter((flag) => !flag.startsWith('-Wp,-M'))
      return words === undefined ? [] : [['S', path.posix.normalize(source), object, intern(words)].join(fieldBreak)]
    })
  const sets = [...shared.keys()].map((text, index) => `A${fieldBreak}${index}${fieldBreak}${text}`)
  const decisive = makefiles.map((file) => ['K', file].join(fieldBreak))
  return `${[...rows, ...others, ...sets, ...decisive].join('\n')}\n`
}

/** Which C files the units may include, as rows of the table. */
async function renderIncluded(kernel: Kernel, sources: readonly string[]): Promise<string> {
  const included = await findIncluded(kernel.source, sources)
  return [...included].map(([file, users]) => `${['I', file, users.join(argumentBreak)].join(fieldBreak)}\n`).join('')
}

/** The second field of all rows of a kind, each once. */
function namesIn(text: string, kind: 'U' | 'K'): string[] {
  const found = text.matchAll(new RegExp(`^${kind}\\t([^\\t\\n]*)`, 'gm'))
  return [...new Set([...found].map(([, name]) => name!))]
}

function parseTable(text: string): Units {
  const split = (joined: string) => (joined === '' ? [] : joined.split(argumentBreak))
  /** The list in the third field of the row of a kind whose second field is `name`. */
  const listOf = (kind: 'A' | 'I', name: string): readonly string[] => {
    const key = `\n${kind}${fieldBreak}${name}${fieldBreak}`
    const start = text.indexOf(key)
    return start === -1 ? [] : split(text.slice(start + key.length, text.indexOf('\n', start + 1)))
  }
  const argumentsOf = remembered((index: string) => listOf('A', index))
  const parseRow = (row: string): Unit => {
    const [, source, argument, object, kind, standard, objtool, sharedFlags, own] = row.split(fieldBreak) as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ]
    const ownFlags = split(own)
    const name = ownFlags.find((flag) => flag.startsWith('-DKBUILD_MODNAME='))?.slice('-DKBUILD_MODNAME='.length)
    const home = kind === 'm' ? 'module' : kind === 'n' ? 'elsewhere' : 'vmlinux'
    return {
      source,
      argument,
      object,
      home,
      // A unit of several modules has their names with colons between them.
      modules: home === 'module' ? (name ?? '').replaceAll('"', '').split(':') : [],
      standard: standard === 'y',
      flags: sharedFlags === '-' ? undefined : [...argumentsOf(sharedFlags), ...ownFlags],
      objtool: argumentsOf(objtool),
    }
  }
  return {
    typicalOfModules() {
      const rows = text.split('\n').filter((row) => {
        const fields = row.split(fieldBreak)
        return fields[0] === 'U' && fields[4] === 'm' && fields[5] === 'y' && fields[7] !== '-'
      })
      const row = mostFrequent(rows, (one) => one.split(fieldBreak)[7] ?? '')
      return row === undefined ? undefined : parseRow(row)
    },
    all() {
      const end = text.search(/\n[^U]/)
      const rows = text.slice(text.indexOf('\n') + 1, end).split('\n')
      return rows.filter((row) => row.startsWith('U')).map(parseRow)
    },
    assembly() {
      return [...text.matchAll(/^S\t([^\t]*)\t([^\t]*)\t(\d+)$/gm)].map(([, source, object, flags]) => ({
        source: source!,
        object: object!,
        flags: argumentsOf(flags!),
      }))
    },
    stamp: text.slice(0, text.indexOf('\n')).split(fieldBreak)[3] ?? '',
    mayInclude: (source) => listOf('I', path.posix.normalize(source)),
    find(source) {
      const units: Unit[] = []
      const key = `\nU${fieldBreak}${path.posix.normalize(source)}${fieldBreak}`
      for (let at = text.indexOf(key); at !== -1; at = text.indexOf(key, at + 1))
        units.push(parseRow(text.slice(at + 1, text.indexOf('\n', at + 1))))
      return units
    },
  }
}

/** Changes when the kernel that the table was taken from may have changed, by what it says of itself. */
export function headOf(kernel: Kernel): string {
  return [kernel.version, kernel.source, kernel.compiler.program].join(' ')
}

/** What is kept: kbuild's rows, those about included files, and what each of both was taken from. */
interface KeptTable {
  readonly text: string
  readonly rows: string
  readonly rowsFrom: string
  readonly included: string
  readonly includedFrom: string
}

async function readKept(kernel: Kernel, file: string): Promise<KeptTable | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const end = text.indexOf('\n')
  const [found, , head, rowsFrom, includedFrom, length] = text.slice(0, end).split(fieldBreak)
  if (found !== format || head !== headOf(kernel) || !text.endsWith('\n')) return undefined
  const middle = end + 1 + Number(length)
  const rows = text.slice(end + 1, middle)
  const included = text.slice(middle)
  return { text, rows, rowsFrom: rowsFrom ?? '', included, includedFrom: includedFrom ?? '' }
}

/**
 * The units of a kernel, from the table in its directory; the first time it is made, in seconds, and again when a file
 * has changed that it was made from. Nobody writes to a fetched tree: one that is fetched again comes without a table.
 * @throws Fault `environment/kbuild-failed`
 */
export async function openUnits(job: Job, kernel: Kernel): Promise<Units> {
  const file = path.join(kernel.dir, 'units')
  const kept = await readKept(kernel, file)
  if (kept !== undefined && kernel.origin === 'debian') return parseTable(kept.text)
  const stampsOf = (names: readonly string[], since?: number) => digestOfStamps(kernel.source, names, since) ?? ''
  const known = kept !== undefined && stampsOf(namesIn(kept.rows, 'K')) === kept.rowsFrom ? kept : undefined
  const render = ({ rows, rowsFrom, included, includedFrom }: Omit<KeptTable, 'text'>) => {
    const count = rows.match(/^U\t/gm)?.length ?? 0
    const first = [format, count, headOf(kernel), rowsFrom, includedFrom, rows.length].join(fieldBreak)
    return `${first}\n${rows}${included}`
  }
  if (known !== undefined && stampsOf(namesIn(known.rows, 'U')) === known.includedFrom) return parseTable(known.text)
  await untilBelievable(path.join(kernel.source, 'include/config/auto.conf'))
  const since = Date.now()
  const { rows, rowsFrom } =
    known ??
    (await job.journal.step(`Asking kbuild how ${kernel.release} is compiled`, async (step) => {
      const { units, assembly, makefiles } = await askKbuild(job, kernel)
      if (units.length === 0) throw new Fault('environment', 'kbuild-failed', 'kbuild names no unit')
      step.result(`${units.length} units`)
      const decisive = decisiveFiles(
        kernel.source,
        makefiles,
        units.map(({ object }) => object),
      )
      return { rows: renderRows(units, assembly, decisive), rowsFrom: stampsOf(decisive, since) }
    }))
  const sources = namesIn(rows, 'U')
  const included = await renderIncluded(kernel, sources)
  const table = render({ rows, rowsFrom, included, includedFrom: stampsOf(sources, since) })
  await keepFile(file, table)
  return parseTable(table)
}
