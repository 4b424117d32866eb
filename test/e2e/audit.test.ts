// SPDX-License-Identifier: GPL-3.0-or-later
// The audit of live patches that were built for real: each engine on one kernel. The other way round is a campaign.
import { mkdtempSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { audit } from '../../src/audit/audit.ts'
import { livepatchTables } from '../../src/audit/livepatch-tables.ts'
import { viewOf } from '../../src/audit/object-view.ts'
import type { Fault } from '../../src/ground/fault.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { buildToAudit } from '../audit/built.ts'
import { Mutant } from '../audit/mutant.ts'
import { build, describeAudited, describeCases, job, work } from './audited.ts'

describeCases('bookworm')
describeAudited('bookworm', 'binary')
describeAudited('trixie', 'source')

describe('a patch', () => {
  test.each(['binary', 'source'] as const)(
    'with helpers of one name in two files makes a module in which all names differ (%s)',
    async (engine) => {
      const { object } = await build('same-helper-in-two-files', 'bookworm', [], engine)
      const sections = object.sections.filter(({ flags }) => (flags & 2) !== 0).map(({ name }) => name)
      expect(new Set(sections).size).toBe(sections.length)
      const helpers = object.symbols.filter(({ name, type }) => name.startsWith('too_long') && type === 'function')
      expect(helpers.map(({ name }) => name)).toEqual(['too_long', 'too_long..2'])
    },
  )

  test('that needs another module says which', async () => {
    const refused = build('new-module-dependency', 'bookworm')
    const fault = await refused.catch((error: unknown) => error as Fault)
    expect(fault).toMatchObject({ code: 'needs-consent' })
    expect((fault as Fault).findings).toContainEqual(
      expect.objectContaining({ rule: 'module-needed', symbol: 'crc_itu_t', severity: 'warning' }),
    )
    await build('new-module-dependency', 'bookworm', ['module-needed', 'reaches-only-new'])
  })
})

describe.each(['binary', 'source'] as const)('callbacks and states (%s)', (engine) => {
  const built = async (name: string) => {
    const kernel = await selectKernel(job, 'bookworm')
    const patches = [parsePatch(readFileSync(path.resolve('examples/authoring', `${name}.patch`)), name)]
    const dir = mkdtempSync(path.join(work, 'asked-'))
    return { kernel, made: await buildToAudit(job, kernel, engine, patches, dir) }
  }

  test('are those that the author asks for', async () => {
    const { kernel, made } = await built('callback')
    const rules = async (bytes: Buffer) => (await audit(kernel, { ...made, bytes })).map(({ rule }) => rule)
    expect(await rules(made.bytes)).toEqual([])
    const mutant = () => new Mutant(made.bytes)
    const { callbacks } = livepatchTables(viewOf(made.bytes, 'audited.ko'), made.structures)!
    expect(callbacks.map(({ kind }) => kind)).toEqual(['pre_patch', 'post_unpatch'])
    const pointers = mutant()
      .relocations()
      .filter(({ section, addend, symbol }) => {
        const { object } = viewOf(made.bytes, 'audited.ko')
        const to = object.symbols[symbol]!
        return (
          object.sections[section]!.name.startsWith('.data') &&
          callbacks.some(
            ({ place }) =>
              place.section === undefined ||
              (to.section?.index === place.section.index && to.value + addend === place.offset),
          )
        )
      })
    expect(pointers).toHaveLength(2)
    const [before, behind] = pointers
    expect(await rules(mutant().exchange(before!, behind!).bytes)).not.toEqual([])
    // One of them is called at another time: pre_unpatch is the member in front of post_unpatch.
    const moved = mutant()
    moved.bytes.writeBigUInt64LE(BigInt(behind!.offset - 8), behind!.at)
    expect(await rules(moved.bytes)).toEqual(['audit-replaced', 'audit-missing'])
  })

  test('have the id and the version that the patch says', async () => {
    const { kernel, made } = await built('state-1')
    const { states } = livepatchTables(viewOf(made.bytes, 'audited.ko'), made.structures)!
    expect(states).toHaveLength(1)
    expect(await audit(kernel, made)).toEqual([])
    const module = viewOf(made.bytes, 'audited.ko')
    const wrong = Buffer.from(made.bytes)
    const text = states[0]!.split(' ')
    const entry = Buffer.alloc(12)
    entry.writeBigUInt64LE(BigInt(text[0]!))
    entry.writeUInt32LE(Number(text[1]), 8)
    const { name, data } = module.object.sections.find(
      (section) => /^\.data/.test(section.name) && section.data.includes(entry),
    )!
    const bytes = new Mutant(wrong).write(name, data.indexOf(entry) + 8, Buffer.from([9])).bytes
    expect((await audit(kernel, { ...made, bytes })).map(({ rule }) => rule)).toEqual(['audit-replaced'])
  })
})
