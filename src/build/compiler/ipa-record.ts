// SPDX-License-Identifier: GPL-3.0-or-later
// The compiler's own words about what it did with a unit's functions. They cost nothing when the unit is compiled
// anyway, so the side before the patch is compiled with the question, and the answer is kept beside its object.
import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Compiler } from '../../kernel/kernel.ts'
import type { Unit } from '../kbuild/units.ts'
import { isClang } from './compiler-run.ts'
import { loadObject, storeObject } from './object-cache.ts'

export interface IpaDump {
  /** gcc's -fdump-ipa-clones; empty for clang. */
  readonly clones: string
  /** gcc's -fopt-info-ipa-optimized, or clang's -Rpass=inline. */
  readonly remarks: string
}

/** Changes when what is asked or how it is kept does; a part of the key under which it is kept. */
export const ipaFormat = 'ipa-dump-1'

function filesOf(base: string) {
  return { clones: `${base}.clones`, remarks: `${base}.remarks` }
}

/**
 * The unit with the flags that make the compiler say what it does; they change nothing of the object.
 * @param base a path; what the compiler writes stands beside it
 */
export function asking(unit: Unit, compiler: Compiler, base: string): Unit {
  if (unit.flags === undefined) return unit
  const { clones, remarks } = filesOf(base)
  const flags = isClang(compiler)
    ? ['-Rpass=inline', '-fdiagnostics-color=never']
    : [`-fdump-ipa-clones=${clones}`, `-fopt-info-ipa-optimized=${remarks}`]
  return { ...unit, flags: [...unit.flags, ...flags] }
}

/**
 * Reads what the compiler said, and removes its files.
 * @param messages what it said on its standard error
 */
export async function readAnswer(compiler: Compiler, base: string, messages: string): Promise<IpaDump> {
  if (isClang(compiler)) return { clones: '', remarks: messages }
  const files = filesOf(base)
  const read = (file: string) => readFile(file, 'latin1').catch(() => '')
  const dump = { clones: await read(files.clones), remarks: await read(files.remarks) }
  await Promise.all(Object.values(files).map((file) => rm(file, { force: true })))
  return dump
}

/** An answer is about one object: the key is that of its compilation and its bytes. */
async function placeOf(key: string, object: string): Promise<string> {
  return createHash('sha256')
    .update(key)
    .update(await readFile(object))
    .digest('hex')
}

/** Keeps it in the cache of objects. */
export async function keepDump(key: string, object: string, dump: IpaDump): Promise<void> {
  const bytes = gzipSync(Buffer.from(JSON.stringify(dump), 'latin1'))
  await storeObject(await placeOf(key, object), bytes)
}

/** What was kept; undefined when the object was made without the question. */
export async function keptDump(key: string, object: string): Promise<IpaDump | undefined> {
  const bytes = await loadObject(await placeOf(key, object))
  return bytes === undefined ? undefined : (JSON.parse(gunzipSync(bytes).toString('latin1')) as IpaDump)
}
