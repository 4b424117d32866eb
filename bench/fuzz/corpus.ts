// SPDX-License-Identifier: GPL-3.0-or-later
// The good objects that the fuzzer starts from: pairs before and after a change, by every compiler that is
// there. With a kernel, real units before and after the patches of examples/, also after objtool, join them.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { compilePairs } from '../../src/build/compile.ts'
import { command } from '../../src/ground/command.ts'
import { Fault } from '../../src/ground/fault.ts'
import { shippedFile } from '../../src/ground/installation.ts'
import type { Job } from '../../src/ground/job.ts'
import { withScratch } from '../../src/ground/scratch.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { applyPatches } from '../../src/patch/apply.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { compilers } from './compilers.ts'
import { numberExtended } from './forge.ts'

/** Two well-formed objects. */
export interface GoodPair {
  readonly name: string
  readonly before: Buffer
  readonly after: Buffer
}

/** The kernel's own, as far as they shape an object. */
const flags = [
  ...['-std=gnu11', '-O2', '-w', '-ffunction-sections', '-fdata-sections', '-mcmodel=kernel', '-mno-red-zone'],
  ...['-fno-PIE', '-fno-pic', '-fno-common', '-fno-strict-aliasing', '-fno-asynchronous-unwind-tables'],
  ...['-fno-stack-protector'],
]
const traced = ['-pg', '-mfentry']
const [gcc, clang] = ['gcc-', 'clang-'].map((family) => compilers.filter((name) => name.startsWith(family)))
/** The newest two of gcc, and the oldest clang. */
const used = [...gcc!.slice(-2).reverse(), ...clang!.slice(0, 1)]

/** Each makes other objects of the same text. */
const variants: readonly {
  readonly compiler: 'each' | 'gcc' | 'newest gcc' | 'clang'
  readonly name: string
  readonly flags: readonly string[]
}[] = [
  { compiler: 'each', name: 'traced', flags: [...traced, '-fcf-protection=none'] },
  {
    compiler: 'gcc',
    name: 'mcount table, ENDBR',
    flags: [...traced, '-mrecord-mcount', '-fcf-protection=branch'],
  },
  { compiler: 'newest gcc', name: 'unoptimised, common', flags: ['-O0', '-fcommon', '-fcf-protection=none'] },
  {
    compiler: 'newest gcc',
    name: 'GOT, debug',
    flags: ['-fpic', '-mcmodel=small', '-g', '-fcf-protection=none'],
  },
  {
    compiler: 'clang',
    name: 'padded',
    flags: ['-fpatchable-function-entry=16,16', '-fcf-protection=branch'],
  },
]

function suits(compiler: string, wanted: (typeof variants)[number]['compiler']): boolean {
  return wanted === 'each' || (wanted === 'newest gcc' ? compiler === used[0] : compiler.startsWith(wanted))
}

/** Pairs of the C files beside this one; `-DAFTER` makes the second side. */
export async function compiledCorpus(): Promise<GoodPair[]> {
  const dir = path.dirname(shippedFile('bench/fuzz/corpus/code.c'))
  const sources = readdirSync(dir).sort()
  const pairs: GoodPair[] = []
  await withScratch(async (scratch) => {
    const made = { before: [] as string[], after: [] as string[] }
    for (const compiler of used) {
      for (const variant of variants.filter((one) => suits(compiler, one.compiler)))
        for (const source of sources) {
          const compile = async (side: string, more: readonly string[]) => {
            const object = path.join(scratch, `${pairs.length}.${side}.o`)
            const args = [...flags, ...variant.flags, ...more, '-c', '-o', object, path.join(dir, source)]
            await command(compiler, args, { env: { TMPDIR: scratch } })
            return object
          }
          const [before, after] = await Promise.all([compile('before', []), compile('after', ['-DAFTER'])])
          if (compiler === used[0] && variant === variants[0]) {
            made.before.push(before)
            made.after.push(after)
          }
          pairs.push({
            name: `${source}, ${compiler}, ${variant.name}`,
            before: readFileSync(before),
            after: readFileSync(after),
          })
        }
    }
    const link = async (side: 'before' | 'after') => {
      const object = path.join(scratch, `linked.${side}.o`)
      // The texts define some names twice, which `ld -r` is told to take.
      await command('ld', ['-r', '-z', 'muldefs', '-z', 'noexecstack', '-o', object, ...made[side]])
      return readFileSync(object)
    }
    pairs.push({ name: 'all, linked', before: await link('before'), after: await link('after') })
  })
  return [
    ...pairs,
    ...pairs
      .filter((_, index) => index % 5 === 0)
      .map(({ name, before, after }) => ({
        name: `${name}, extended numbering`,
        before: numberExtended(before),
        after: numberExtended(after),
      })),
  ]
}

/** Pairs of the real units that the patches in examples/ change, as compiled and as objtool leaves them. */
export async function kernelCorpus(job: Job, which: string): Promise<GoodPair[]> {
  const kernel = await selectKernel(job, which)
  const dir = path.dirname(shippedFile('examples/meminfo.patch'))
  const pairs: GoodPair[] = []
  for (const file of readdirSync(dir).sort()) {
    if (!file.endsWith('.patch')) continue
    const patch = parsePatch(readFileSync(path.join(dir, file)), file)
    await withScratch(async (scratch) => {
      const { changes } = await applyPatches(kernel.source, [patch])
      const compiled = await compilePairs(job, kernel, changes, scratch)
      for (const { unit, before, after, objtool } of compiled.pairs) {
        if (before === undefined) continue
        const read = () => ({ before: readFileSync(before), after: readFileSync(after) })
        pairs.push({ name: `${unit}, ${kernel.release}`, ...read() })
        for (const object of [before, after])
          await command(path.join(kernel.source, 'tools/objtool/objtool'), [...objtool, object], {
            allowFailure: true,
          })
        pairs.push({ name: `${unit}, ${kernel.release}, objtool`, ...read() })
      }
    }).catch((error) => {
      // A patch that is not for this kernel says nothing about the reader.
      if (!(error instanceof Fault) || error.kind !== 'patch') throw error
    })
  }
  return pairs
}
