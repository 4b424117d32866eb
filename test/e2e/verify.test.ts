// SPDX-License-Identifier: GPL-3.0-or-later
// Whether real kernels hold the code that a live patch was made for: the stock kernel's own units compared with its
// image, the command on a real module, and what it says about kernels that differ.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openUnits } from '../../src/build/kbuild/units.ts'
import { openBuildTrees } from '../../src/build/unpatched-units.ts'
import type { Fault } from '../../src/ground/fault.ts'
import { silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import type { ImageReport } from '../../src/livepatch/verify-image.ts'
import { kernelNames } from '../../src/match/names.ts'
import { packExpectation, unpackExpectation } from '../../src/match/record.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import { readPatches } from '../../src/patch/read.ts'
import { decodeInstruction } from '../../src/x86/instruction.ts'
import { buildCommand, inarch, root } from './inarch.ts'
import { compileUnit, type MatchedFunction, matchUnit, readUnit } from './matched.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
let dir: string
let kernel: Kernel
beforeAll(async () => {
  buildCommand()
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-verify-'))
  kernel = await selectKernel(job, 'bookworm')
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Compiles units and compares them with what the kernel has. */
async function matched(sources: readonly string[], flags: readonly string[] = []) {
  const units = await openUnits(job, kernel)
  const place = mkdtempSync(path.join(dir, 'units-'))
  const bench = await openBuildTrees(job, kernel, units, path.join(place, 'bench'))
  const chosen = sources.map((source) => units.find(source).find(({ home }) => home !== 'elsewhere')!)
  const files = await Promise.all(
    chosen.map((unit) => compileUnit(job, bench, unit, place, (own) => [...own, ...flags])),
  )
  const names = await kernelNames(
    kernel,
    chosen.flatMap(({ modules }) => modules.slice(0, 1)),
  )
  const read = files.map((file) => readUnit(file!))
  const functions = chosen.flatMap(({ modules }, index) => matchUnit(names, modules[0] ?? 'vmlinux', read[index]!))
  return { functions, names, units: read }
}

const named = (functions: readonly MatchedFunction[], outcome: MatchedFunction['outcome']) =>
  functions.filter((one) => one.outcome === outcome).map(({ name }) => name)

describe('the code of the stock kernel', () => {
  // Jump labels, alternatives, static calls, out-of-line code, functions that share a section, a module.
  const sources = ['kernel/locking/mutex.c', 'mm/shmem.c', 'fs/ext4/mballoc.c', 'drivers/net/tun.c']

  test('is what the compiler makes of its source, each function', async () => {
    const { functions, names } = await matched(sources)
    names.close()
    expect(functions.length).toBeGreaterThan(250)
    expect(named(functions, 'differs')).toEqual([])
    expect(named(functions, 'alike')).toEqual([])
    // What a module throws away when it has started has no name any more.
    expect(functions.filter(({ outcome, kind }) => outcome === 'absent' && kind !== 'init')).toEqual([])
    const fields = functions.reduce((sum, one) => sum + one.fields, 0)
    const unconfirmed = functions.reduce((sum, one) => sum + one.unconfirmed, 0)
    expect(unconfirmed).toBeLessThan(fields / 1000)
  })

  test('is not what it makes with another flag', async () => {
    const { functions, names } = await matched(['drivers/net/tun.c'], ['-Os'])
    names.close()
    expect(named(functions, 'differs').length).toBeGreaterThan(functions.length / 3)
  })
})

/** The names that most functions of the kernel proper share, worst first; not the compiler's forms of one. */
function worstNames(): string[] {
  const counts = new Map<string, number>()
  for (const [, name] of readFileSync(kernel.systemMap, 'latin1').matchAll(/^\S+ [tT] ([a-z_]\w*)$/gim))
    counts.set(name!, (counts.get(name!) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a).map(([name]) => name)
}

test('each of the functions that share the worst names is told apart, and so are data', async () => {
  const all = (await openUnits(job, kernel)).all().filter(
    // Some are generated.
    ({ home, source }) => home === 'vmlinux' && existsSync(path.join(kernel.source, source)),
  )
  const texts = new Map(all.map(({ source }) => [source, readFileSync(path.join(kernel.source, source), 'latin1')]))
  const names = worstNames().slice(0, 5)
  const sources = names.flatMap((name) =>
    [...texts].filter(([, text]) => new RegExp(`\\b${name}\\(`).test(text)).slice(0, 4),
  )
  const { names: table, units } = await matched([...new Set(sources.map(([source]) => source))])
  let several = 0
  for (const name of names) {
    const places = units.flatMap((unit) => {
      const atom = unit.atoms.find((one) => one.name === name)
      return atom === undefined ? [] : [table.matcher('vmlinux', unit).locate(atom)]
    })
    expect(places).not.toContain(undefined)
    expect(new Set(places).size).toBe(places.length)
    if (places.length > 1) several++
  }
  expect(several).toBeGreaterThan(1)
  // The worst of all names: a function's own name as a string, numbered by the compiler.
  const places = units.flatMap((unit) => {
    const atom = unit.atoms.find((one) => /^(__func__|__already_done|__key)\.0$/.test(one.name))
    return atom === undefined ? [] : [table.matcher('vmlinux', unit).locate(atom)]
  })
  const told = places.filter((place) => place !== undefined)
  expect(new Set(told).size).toBe(told.length)
  table.close()
})

/** Where the first instruction is that has a number of its own, and no address. */
function firstWithNumber(code: Buffer, fields: ReadonlySet<number>): number {
  for (let at = 0; at < code.length; ) {
    const { end, operands, branch } = decodeInstruction(code, at)!
    if (branch < 0 && operands < end && !fields.has(operands) && !fields.has(end - 4)) return at
    at = end
  }
  throw new Error('no instruction with a number')
}

describe('inarch verify', () => {
  test('confirms a module for its kernel, and finds what differs', async () => {
    const patch = path.join(root, 'examples/meminfo.patch')
    const built = await inarch(['build', patch, '-k', 'bookworm', '-o', dir, '--json'], { cwd: dir })
    expect(built.code, built.stderr).toBe(0)
    const verify = async (module: string, ...more: string[]) => {
      const { code, stdout, stderr } = await inarch(['verify', module, '--json', ...more], { cwd: dir })
      expect(stderr).not.toContain('at ')
      return { code, report: JSON.parse(stdout || '{}') as ImageReport }
    }
    const fine = await verify('livepatch-meminfo.ko')
    expect(fine.code).toBe(0)
    expect(fine.report).toMatchObject({ verdict: 'matches', findings: [] })
    expect(fine.report.functions).toMatchObject([
      { name: 'meminfo_proc_show', object: 'vmlinux', code: 'matches', by: 'name', unconfirmed: 0 },
    ])
    expect(fine.report.references.found).toBe(fine.report.references.all)

    // The same with one expected byte that is another.
    const manifest = JSON.parse(readFileSync(path.join(dir, 'livepatch-meminfo.json'), 'utf8'))
    const [entry] = manifest.objects[0].functions
    const { parts } = unpackExpectation(entry.match.expected)
    const code = Buffer.from(parts[0].code, 'base64')
    const start = firstWithNumber(code, new Set(parts[0].fields.map(({ at }) => at)))
    const spoiled = decodeInstruction(code, start)!.operands
    code[spoiled] = (code[spoiled] ?? 0) ^ 0x40
    entry.match.expected = packExpectation({ parts: [{ ...parts[0], code: code.toString('base64') }] })
    copyFileSync(path.join(dir, 'livepatch-meminfo.ko'), path.join(dir, 'livepatch-spoiled.ko'))
    writeFileSync(path.join(dir, 'livepatch-spoiled.json'), JSON.stringify(manifest))
    const bad = await verify('livepatch-spoiled.ko')
    expect(bad.code).toBe(4)
    expect(bad.report.functions).toMatchObject([{ code: 'differs', difference: { part: 0, offset: start } }])
    expect(bad.report.functions[0]?.difference?.text).toMatch(/`\w+ .*` is expected, and `\w+ .*` runs/)
    const page = await inarch(['verify', 'livepatch-spoiled.ko'], { cwd: dir })
    expect(page.code).toBe(4)
    expect(page.stdout).toContain('meminfo_proc_show differs')

    // A manifest of the wrong kind is told in a sentence.
    entry.match.expected = 'AAAA'
    writeFileSync(path.join(dir, 'livepatch-spoiled.json'), JSON.stringify(manifest))
    const hostile = await inarch(['verify', 'livepatch-spoiled.ko'], { cwd: dir })
    expect(hostile.code).toBe(2)
    expect(hostile.stderr).toContain('can’t be read')
  })
})

test('a build for a kernel that runs other code is refused, with both instructions', async () => {
  // The image with one number changed in the function that the example replaces.
  const names = await kernelNames(kernel, ['vmlinux'])
  const [symbol] = names.symbols('vmlinux', 'meminfo_proc_show')
  const code = names.running('vmlinux').read(symbol!.address, 200)!
  names.close()
  const vmlinux = path.join(dir, 'vmlinux')
  const image = readFileSync(kernel.vmlinux)
  const place = image.indexOf(code)
  const at = firstWithNumber(code, new Set())
  const { operands } = decodeInstruction(code, at)!
  image[place + operands] = image[place + operands]! ^ 0x40
  writeFileSync(vmlinux, image)
  const request = { patches: await readPatches([path.join(root, 'examples/meminfo.patch')]), replace: true }
  const refused = await makeLivePatch(job, { ...kernel, vmlinux }, { ...request, output: dir }).catch((error) => error)
  expect(refused).toMatchObject({ kind: 'refused', code: 'not-live-patchable' })
  const found = (refused as Fault).findings.find(({ rule }) => rule === 'code-differs')
  expect(found).toMatchObject({ severity: 'error', symbol: 'meminfo_proc_show', unit: 'fs/proc/meminfo.c' })
  expect(found?.message).toContain(`0x${at.toString(16)}`)
  expect(found?.message).toMatch(/`\w+ .*`.*`\w+ .*`/)
})
