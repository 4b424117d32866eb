// SPDX-License-Identifier: GPL-3.0-or-later
// WARN() with a text on the next Debian's kernel, whose code hands over its own entry of the bug table: the live patch
// warns in the guest with its own text and numbers, and the audit sees a reference that leads to another entry.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { audit } from '../../src/audit/audit.ts'
import { sectionFlag } from '../../src/elf/format.ts'
import { readObject } from '../../src/elf/read.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { buildToAudit } from '../audit/built.ts'
import { Mutant } from '../audit/mutant.ts'
import { changes } from '../changes/changes.ts'
import { diffOf, proveChanges } from '../changes/prove.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-told-'))
afterAll(() => rmSync(work, { recursive: true }))

const change = changes.find(({ name }) => name === 'hostname-told')!

describe.each(['binary', 'source'] as const)('a warning with a text (%s)', (engine) => {
  test('is printed by the live patch', async () => {
    const kernel = await selectKernel(job, 'testing')
    const [outcome] = await proveChanges(job, kernel, [change], path.join(work, engine), engine)
    expect(outcome?.complaints).toEqual([])
    expect(outcome?.proof?.verdict).toBe('proven')
  })

  test('is that of the patch, and not another entry', async () => {
    const kernel = await selectKernel(job, 'testing')
    const patches = [parsePatch(diffOf(kernel, change), 'told.patch')]
    const made = await buildToAudit(job, kernel, engine, patches, mkdtempSync(path.join(work, 'audited-')))
    const rules = async (bytes: Buffer) => (await audit(kernel, { ...made, bytes })).map(({ rule }) => rule)
    expect(await rules(made.bytes)).toEqual([])
    const { sections, symbols } = readObject(made.bytes, 'made.ko')
    const table = sections.find(({ name }) => name === '__bug_table')!
    const mutant = () => new Mutant(made.bytes)
    const references = mutant().relocations()
    const code = references.filter(
      ({ symbol, section }) =>
        symbols[symbol]?.section === table && (sections[section]!.flags & sectionFlag.exec) !== 0,
    )
    expect(code.length).toBeGreaterThan(0)
    expect(await rules(mutant().lead(code[0]!, code[0]!.addend + 16).bytes)).not.toEqual([])
    expect(await rules(mutant().lead(code[0]!, code[0]!.addend + 4).bytes)).not.toEqual([])
    const [place, format] = references.filter(({ section }) => section === table.index)
    expect(await rules(mutant().lead(place!, place!.addend + 1).bytes)).not.toEqual([])
    expect(await rules(mutant().lead(format!, format!.addend + 1).bytes)).not.toEqual([])
    expect(await rules(mutant().write('__bug_table', 14, Buffer.from([0x13])).bytes)).not.toEqual([])
  })
})
