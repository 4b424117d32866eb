// SPDX-License-Identifier: GPL-3.0-or-later
// Extracts of small C files, for the tests: made, compiled as their unit is, and compared with it function by function.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'vitest'
import { readObject } from '../../src/elf/read.ts'
import { silentJournal } from '../../src/ground/job.ts'
import { readInlining } from '../../src/source/change/ipa-clones.ts'
import { runningNames } from '../../src/source/change/running-names.ts'
import { compareFunctions } from '../../src/source/compare/same-code.ts'
import { extractSource } from '../../src/source/extract/extraction.ts'
import type { ExtractedSource, RunningSymbol } from '../../src/source/view/request.ts'
import { compiler, compilers, work } from '../objects.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
export const clang = compilers.find((name) => name.startsWith('clang'))
const flags = [
  '-std=gnu11',
  '-O2',
  '-Wall',
  '-ffunction-sections',
  '-fdata-sections',
  '-fno-pic',
  '-fcf-protection=none',
]
const headers = path.join(import.meta.dirname, '../../kernel/include')

let number = 0

export function compile(
  program: string,
  source: string,
  more: readonly string[] = [],
): { messages: string; object: Buffer | undefined } {
  const base = path.join(work, `extract${++number}`)
  writeFileSync(`${base}.c`, source, 'latin1')
  const { status, stderr } = spawnSync(
    program,
    [...flags, ...more, '-iquote', work, '-idirafter', headers, '-c', '-o', `${base}.o`, `${base}.c`],
    { encoding: 'latin1' },
  )
  return { messages: stderr, object: status === 0 ? readFileSync(`${base}.o`) : undefined }
}

export interface Wish {
  readonly functions?: readonly string[]
  readonly externalize?: readonly string[]
  readonly rename?: boolean
  readonly program?: string
  readonly carry?: boolean
  /** Static variables of functions are bound to the symbols that the compiler gives them in the unit. */
  readonly isRunning?: boolean
  /** The compiler knows more of the functions in the whole unit than a declaration says. */
  readonly isOther?: boolean
}

/** The symbols of static variables in the object of the whole unit. */
function symbolsOf(
  program: string,
  source: string,
  names: readonly string[],
): (name: string) => RunningSymbol | undefined {
  const dump = path.join(work, `clones${++number}`)
  const { object, messages } = compile(program, source, program === clang ? [] : [`-fdump-ipa-clones=${dump}`])
  expect(object, messages).toBeDefined()
  const clones = program === clang ? '' : readFileSync(dump, 'latin1')
  const { externalize } = runningNames({
    object: 'vmlinux',
    code: readObject(object!, 'unit.o'),
    count: () => 1,
    extracted: { names, inlining: readInlining({ clones, remarks: '' }) },
  })
  return (name) => (name.includes('.') ? externalize(name, 'variable') : undefined)
}

export async function extract(source: string, wish: Wish = {}): Promise<ExtractedSource> {
  const file = path.join(work, `unit${++number}.c`)
  writeFileSync(file, source, 'latin1')
  const bound = new Set(wish.externalize ?? [])
  const program = wish.program ?? compiler
  const functions = wish.functions ?? ['wanted']
  const symbolOf = wish.isRunning === true ? symbolsOf(program, source, functions) : () => undefined
  return await extractSource(job, {
    unit: { file, cwd: work, compiler: program, flags },
    functions,
    externalize: (name) =>
      bound.has(name) ? (symbolOf(name) ?? { symbol: name.slice(name.indexOf('.') + 1) }) : undefined,
    rename: (name) => (wish.rename === true ? `livepatch_${name}` : name),
    includes: 'keep',
    ...(wish.carry === true ? { carry: () => true } : {}),
  })
}

/** The warnings that only the first has. */
function newIn(messages: string, known: string): string[] {
  const said = (text: string): string[] => text.match(/\bwarning: .*/g) ?? []
  return said(messages).filter((one) => !said(known).includes(one))
}

/** Extracts, compiles both, and expects the same code. */
export async function same(source: string, wish: Wish = {}): Promise<string> {
  const extracted = await extract(source, wish)
  const whole = compile(wish.program ?? compiler, source)
  expect(whole.object, whole.messages).toBeDefined()
  const own = compile(wish.program ?? compiler, extracted.text)
  expect(own.object, `${own.messages}\n${extracted.text}`).toBeDefined()
  expect(newIn(own.messages, whole.messages), extracted.text).toEqual([])
  if (wish.isOther === true) return extracted.text
  const pairs = extracted.functions.map(({ name, as, symbol = name }) => ({
    name: symbol,
    as: as === name ? symbol : as,
  }))
  const found = compareFunctions(readObject(whole.object!, 'unit.o'), readObject(own.object!, 'extract.o'), pairs)
  const isWhole = wish.isRunning === true ? { identical: true, carried: [] } : { identical: true }
  for (const { name } of pairs) expect(found.get(name), extracted.text).toMatchObject(isWhole)
  if (wish.isRunning === true) expect(extracted.findings).toEqual([])
  return extracted.text
}
