// SPDX-License-Identifier: GPL-3.0-or-later
// Small C texts compiled the way kbuild compiles the kernel, for the tests of the rooms about objects.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll } from 'vitest'
import { compiler } from '../bench/fuzz/compilers.ts'
import { type Change, compareObjects } from '../src/diff/change.ts'
import { type ObjectFile, readObject } from '../src/elf/read.ts'
import { type Extraction, extract } from '../src/extract/extraction.ts'

export { compiler, compilers, oneOfEach } from '../bench/fuzz/compilers.ts'

export const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-objects-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

/** As kbuild's, where they matter to what an object looks like. */
export const flags = [
  '-std=gnu11',
  '-O2',
  '-w',
  '-ffunction-sections',
  '-fdata-sections',
  '-mcmodel=kernel',
  '-mno-red-zone',
  '-fno-PIE',
  '-fno-pic',
  '-fno-common',
  '-fno-strict-aliasing',
  '-fno-asynchronous-unwind-tables',
  '-fno-stack-protector',
  '-fcf-protection=none',
]
export const traced = ['-pg', '-mfentry']
const plainSwitches = '-fno-jump-tables'

let number = 0

/** Compiles C with one of the `compilers`, and with switch tables. @returns the object's bytes */
export function compileWith(program: string, source: string, more: readonly string[], hooks = traced): Buffer {
  const base = path.join(work, `unit${++number}`)
  writeFileSync(`${base}.c`, source)
  execFileSync(program, [...flags, ...hooks, ...more, '-c', '-o', `${base}.o`, `${base}.c`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return readFileSync(`${base}.o`)
}

/** Compiles C. @returns the object's bytes */
export function compileBytes(source: string, ...more: string[]): Buffer {
  return compileWith(compiler, source, [plainSwitches, ...more], more.includes('-fpie') ? [] : traced)
}

export function compile(source: string, ...more: string[]): ObjectFile {
  return readObject(compileBytes(source, ...more), 'unit.o')
}

/** What changes between two C texts. */
export function changeOf(before: string, after: string, unit = 'unit.c'): Change {
  return compareObjects(compile(before), compile(after), unit)
}

/** Names of the functions that change. */
export function changedNames(before: string, after: string): string[] {
  return changeOf(before, after)
    .changed.map(({ after: { name } }) => name)
    .sort()
}

export const rules = (findings: readonly { rule: string; severity: string }[]): string[] =>
  findings.map(({ severity, rule }) => `${severity} ${rule}`)

/** The extraction of changes, when the kernel has every symbol but `missing`. */
export function extractionOf(
  changes: readonly (Change | { readonly change: Change; readonly object: string })[],
  missing: readonly string[] = [],
): Extraction {
  return extract(
    changes.map((change) => ('change' in change ? change : { change, object: 'vmlinux' })),
    { has: (_, name) => !missing.includes(name) },
  )
}
