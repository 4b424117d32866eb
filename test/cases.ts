// SPDX-License-Identifier: GPL-3.0-or-later
// Cases of what compilers and the kernel's macros make of a change: many small ones stand on a sheet, which
// each compiler compiles once before and once after. So a case costs next to nothing, and must hold among
// all the others, as in a real unit.
import { beforeAll, describe, expect, test } from 'vitest'
import { type Change, compareObjects } from '../src/diff/change.ts'
import { readObject } from '../src/elf/read.ts'
import { type Extraction, extract } from '../src/extract/extraction.ts'
import { compilers, compileWith } from './objects.ts'

/** A name in an expectation is one of the source: without the compiler's suffixes. */
type Names = readonly string[]

export interface Case {
  readonly title: string
  /** C. No other case of the sheet may use its names. */
  readonly before: string
  readonly after: string
  /** Functions that change; none by default. */
  readonly changed?: Names
  readonly added?: Names
  readonly removed?: Names
  /** New data that have a name. */
  readonly newData?: Names
  /** `rule symbol`, errors only; none by default. */
  readonly refused?: Names
  /** As `refused`, for warnings and notes. */
  readonly noted?: Names
  /** What a live patch carries besides the changed functions. */
  readonly carried?: Names
  /** What it must refer to in the running kernel. */
  readonly refers?: Names
  /** What it must have of its own, and not refer to. */
  readonly owns?: Names
  /** Symbols that the running kernel does not have. */
  readonly missing?: Names
  /** The compilers that can make it; all by default. */
  readonly compilers?: RegExp
  /** More about the change, or about what is carried. */
  readonly check?: (change: Change, extraction: Extraction) => void
}

export interface Sheet {
  readonly title: string
  /** C in front of all cases. */
  readonly prelude?: string
  readonly flags?: readonly string[]
  /** False for objects without ftrace's hooks. */
  readonly hooks?: boolean
  readonly cases: readonly Case[]
}

/** Attributes and names of the kernel's, for every sheet. */
export const kernelWords = `
#define noinline __attribute__((noinline))
#define notrace __attribute__((no_instrument_function))
#define __section(name) __attribute__((section(name)))
#define __used __attribute__((used))
#define __cold __attribute__((cold))
#define unlikely(x) __builtin_expect(!!(x), 0)
#define NULL ((void *)0)
typedef _Bool bool;
/* The symbol that another compiler, or another run of it, would have made. */
#define NAMED(symbol) __asm__(symbol)
void use(const void *);
void say(const char *, ...);
int get(void);
void die(void) __cold;
`

/** The source's name of a function: `walk.isra.0.cold` is a part of `walk`. */
function sourceName(name: string): string {
  return name.replace(/\.(isra|constprop|part|cold|lto_priv|llvm)\b.*$/, '')
}

/** The source's name of a datum: gcc numbers static locals, clang puts the function in front. */
function dataName(name: string): string {
  const plain = name.replace(/(\.(lto_priv|llvm))?(\.\d+)+$/, '')
  return plain.slice(plain.lastIndexOf('.') + 1)
}

interface Result {
  readonly change: Change
  readonly extraction: Extraction
}

function resultOf(before: Buffer, after: Buffer, missing: Names = []): Result {
  const change = compareObjects(readObject(before, 'before.o'), readObject(after, 'after.o'), 'unit.c', {
    linesMoved: true,
  })
  const has = (_: string, name: string) => !missing.includes(dataName(sourceName(name)))
  const extraction = extract([{ change, object: 'vmlinux' }], { has })
  return { change, extraction }
}

/** What belongs to one case, as its expectations say it. */
function seen({ change, extraction }: Result, belongs: (name: string) => boolean) {
  const names = (list: readonly { readonly name: string }[], plain: (name: string) => string) =>
    [...new Set(list.map(({ name }) => plain(name)))].filter(belongs).sort()
  const findings = (severities: readonly string[]) =>
    [
      ...new Set(
        [...change.findings, ...extraction.findings]
          .filter(({ severity }) => severities.includes(severity))
          .map(({ rule, symbol }) => `${rule} ${dataName(sourceName(symbol ?? ''))}`),
      ),
    ]
      .filter((text) => belongs(text.split(' ')[1] ?? ''))
      .sort()
  return {
    changed: names(
      change.changed.map(({ after }) => after),
      sourceName,
    ),
    added: names(change.added, sourceName),
    removed: names(change.removed, sourceName),
    newData: names(change.addedData, dataName),
    refused: findings(['error']),
    noted: findings(['warning', 'note']),
    carried: [
      ...new Set(extraction.carried.map(({ name, kind }) => (kind === 'data' ? dataName(name) : sourceName(name)))),
    ]
      .filter(belongs)
      .sort(),
  }
}

/** Describes a sheet: every case with every compiler. */
export function sheet({ title, prelude = '', flags = [], hooks = true, cases }: Sheet): void {
  const suits = (compiler: string) => (one: Case) => one.compilers?.test(compiler) !== false
  const able = compilers.filter((compiler) => cases.some(suits(compiler)))
  describe.each(able)(`${title}, %s:`, (compiler) => {
    const here = cases.filter(suits(compiler))
    const object = (side: 'before' | 'after') => {
      const text = [kernelWords, prelude, ...here.map((one) => one[side])].join('\n')
      return compileWith(compiler, text, flags, ...(hooks ? [] : [[]]))
    }
    let objects: readonly [Buffer, Buffer]
    let result: Result
    beforeAll(() => {
      objects = [object('before'), object('after')]
      const missing = here.flatMap((one) => one.missing ?? [])
      result = resultOf(...objects, missing)
    }, 60_000)
    const belongsTo = (one: Case) => (name: string) =>
      new RegExp(`(?<![\\w.])${name.replace(/[.$]/g, '\\$&')}(?![\\w])`).test(`${one.before}\n${one.after}`)

    for (const one of here)
      test(one.title, () => {
        const sorted = (names: Names = []) => [...names].sort()
        const belongs = belongsTo(one)
        const is = seen(result, belongs)
        expect({ ...is, carried: one.carried === undefined ? [] : is.carried }).toEqual({
          changed: sorted(one.changed),
          added: sorted(one.added),
          removed: sorted(one.removed),
          newData: sorted(one.newData),
          refused: sorted(one.refused),
          noted: sorted(one.noted),
          carried: sorted(one.carried),
        })
        const references = [...result.extraction.references.values()].map(({ name }) => name)
        const referred = new Set(references.flatMap((name) => [sourceName(name), dataName(name)]))
        for (const name of one.refers ?? []) expect(referred).toContain(name)
        for (const name of one.owns ?? []) expect(referred).not.toContain(name)
        for (const { severity, symbol, message, hint } of [...result.change.findings, ...result.extraction.findings])
          if (severity === 'error' && belongs(dataName(sourceName(symbol ?? '')))) {
            expect(message).toContain(symbol)
            expect(hint).not.toBe('')
          }
        one.check?.(result.change, result.extraction)
      })

    test('nothing else differs', () => {
      const strangers = (name: string) => !here.some((one) => belongsTo(one)(name))
      expect(Object.entries(seen(result, strangers)).filter(([, names]) => names.length > 0)).toEqual([])
    })

    test('each side is the same as itself', () => {
      for (const side of objects) {
        const { changed, added, removed, addedData, findings } = resultOf(side, side).change
        expect([changed, added, removed, addedData, findings]).toEqual([[], [], [], [], []])
      }
    })
  })
}
