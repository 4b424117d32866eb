// SPDX-License-Identifier: GPL-3.0-or-later
// A build that is wrong: its own stages run one after the other (compile, compare, extract, bind, assemble), and what
// one of them hands on is altered on the way, as a fault in it would have. The build itself notices nothing; the audit,
// which sees the finished bytes, refuses each.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { audit } from '../../src/audit/audit.ts'
import { readObject } from '../../src/elf/read.ts'
import type { SymbolDraft } from '../../src/elf/write.ts'
import { extract, type UnitChange } from '../../src/extract/extraction.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { Binder, type Binding } from '../../src/module/bind/bind.ts'
import type { Draft, StudiedFix } from '../../src/module/engines/draft.ts'
import { type Alter, buildToAudit } from '../audit/built.ts'
import { Mutant } from '../audit/mutant.ts'
import { auditedPatch } from '../audit/patched.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-faults-'))
afterAll(() => rmSync(work, { recursive: true }))

/** Lets another binding stand for the references that are so called. */
const bound =
  (wanted: RegExp, to: (binding: Binding, draft: Draft) => Binding): Alter =>
  (draft) => {
    const bindings = new Map(
      [...draft.bindings].map(([symbol, binding]) => [
        symbol,
        wanted.test(binding.name) ? to(binding, draft) : binding,
      ]),
    )
    expect([...bindings], 'something is bound otherwise').not.toEqual([...draft.bindings])
    return { ...draft, bindings }
  }

/** A private symbol of the kernel itself. */
const ofKernel = (name: string, sympos = 0): Binding => ({
  kind: 'livepatch',
  object: 'vmlinux',
  when: 'vmlinux',
  name,
  sympos,
})

const named = (draft: Draft, wanted: RegExp) => [...draft.bindings].find(([, { name }]) => wanted.test(name))![1]

/** Exchanges where the relocations of one section lead: two variables, each in a section of its own. */
const exchanged =
  (section: RegExp, one: RegExp, other: RegExp): Alter =>
  (draft) => {
    const { sections } = draft.extraction.draft
    const led = (wanted: RegExp) =>
      sections
        .filter(({ name }) => section.test(name))
        .flatMap(({ relocations }) => relocations.map(({ symbol }) => symbol))
        .find(({ place, name }) => wanted.test(typeof place === 'object' ? place.name : name))!
    const [a, b] = [led(one), led(other)]
    const swap = new Map([
      [a, b],
      [b, a],
    ])
    for (const each of sections)
      if (section.test(each.name))
        each.relocations = each.relocations.map((relocation) => ({
          ...relocation,
          symbol: swap.get(relocation.symbol) ?? relocation.symbol,
        }))
    return draft
  }

const faults: Readonly<Record<string, { alter: Alter; rule: RegExp }>> = {
  'binding: a function that is freed after boot': {
    alter: bound(/^__siphash_(un)?aligned$/, () => ofKernel('start_kernel')),
    rule: /^audit-(freed|reference|reach|symbol)/,
  },
  'binding: another function': {
    alter: bound(/^__siphash_(un)?aligned$/, () => ofKernel('siphash_1u64')),
    rule: /^audit-/,
  },
  'binding: two statics of the kernel, exchanged': {
    alter: (draft, fix) => {
      const [secret, done] = [named(draft, /^net_secret$/), named(draft, /^___done\.\d+$/)]
      return bound(/^net_secret$|^___done\.\d+$/, ({ name }) => (name === 'net_secret' ? done : secret))(draft, fix)
    },
    rule: /^audit-/,
  },
  'binding: the position of a name': {
    alter: (draft) => ({
      ...draft,
      functions: draft.functions.map((one) =>
        one.before.name === 'c_next' ? { ...one, sympos: (one.sympos % 3) + 1 } : one,
      ),
    }),
    rule: /^audit-/,
  },
  'comparison: a variable is not recognised, and comes along once more': {
    alter: (draft, fix) => {
      const units = fix.units.map(({ change, object }) => {
        const { counterpartOf } = change.correlation
        const correlation: typeof change.correlation = {
          ...change.correlation,
          counterpartOf: (piece) => (piece.name === 'net_secret' ? undefined : counterpartOf(piece)),
        }
        return { object, change: { ...change, correlation } }
      })
      return fromUnits(draft, fix, units)
    },
    rule: /^audit-copied$/,
  },
  'comparison: a function that changes is not seen': {
    alter: (draft, fix) =>
      fromUnits(
        draft,
        fix,
        fix.units.map(({ change, object }) => ({
          object,
          change: { ...change, changed: change.changed.filter(({ after }) => after.name !== 'c_next') },
        })),
      ),
    rule: /^audit-missing$/,
  },
  'extraction: a relocation with another addend': {
    alter: (draft) => {
      const [symbol] = [...draft.bindings].find(([, { name }]) => name === 'net_secret')!
      let count = 0
      for (const section of draft.extraction.draft.sections)
        section.relocations = section.relocations.map((relocation) =>
          relocation.symbol === symbol && count++ === 0 ? { ...relocation, addend: relocation.addend + 8 } : relocation,
        )
      expect(count).toBeGreaterThan(0)
      return draft
    },
    rule: /^audit-/,
  },
  'extraction: two new variables, exchanged': {
    alter: exchanged(/^\.text.*audit_count/, /audit_asked/, /audit_told/),
    rule: /^audit-/,
  },
  'extraction: a byte of code': {
    alter: (draft) => {
      const code = draft.extraction.draft.sections.find(({ name }) => /^\.text.*audit_count/.test(name))!
      const data = Buffer.from(code.data as Buffer)
      // The bound of a comparison: `audit_asked > 7`.
      data[data.indexOf(7, 8)] = 9
      code.data = data
      return draft
    },
    rule: /^audit-code$/,
  },
  'tables: a function is left out': {
    alter: (draft) => ({
      ...draft,
      functions: draft.functions.filter(({ before }) => before.name !== 'c_next'),
    }),
    rule: /^audit-missing$/,
  },
  'tables: two replacements, exchanged': {
    alter: (draft) => {
      const [one, other, ...rest] = draft.functions
      return {
        ...draft,
        functions: [{ ...one!, symbol: other!.symbol }, { ...other!, symbol: one!.symbol }, ...rest],
      }
    },
    rule: /^audit-/,
  },
}

/** What the stages behind the comparison make of units. */
function fromUnits(draft: Draft, { names }: StudiedFix, units: readonly UnitChange[]): Draft {
  const has = (object: string, symbol: string) => names.symbols(object, symbol).length > 0
  const extraction = extract(units, { has })
  const bind = new Binder(names)
  const bindings = new Map(
    [...extraction.references].flatMap(([symbol, reference]): [SymbolDraft, Binding][] => {
      const binding = bind.bind(reference)
      return binding === undefined ? [] : [[symbol, binding]]
    }),
  )
  const functions = extraction.replaced.map((one) => ({
    ...one,
    sympos: bind.replacement(one.object, one.before, one.change)!,
  }))
  return { ...draft, extraction, bindings, functions }
}

describe.each(['bookworm', 'trixie'])('a build for %s', (which) => {
  let kernel: Kernel
  beforeAll(async () => {
    kernel = await selectKernel(job, which)
  })
  const build = async (alter?: Alter, further = false) =>
    await buildToAudit(
      job,
      kernel,
      'binary',
      [auditedPatch(kernel, further, 'binary')],
      mkdtempSync(path.join(work, 'fix-')),
      [],
      alter,
    )
  const rules = async (built: Awaited<ReturnType<typeof build>>) => (await audit(kernel, built)).map(({ rule }) => rule)

  test('that goes as it should passes', async () => {
    expect(await rules(await build())).toEqual([])
  })

  // A few are enough for another kernel.
  test.each(Object.entries(faults).filter((_, nth) => which === 'bookworm' || nth % 4 === 1))(
    'with a fault in the %s',
    async (_, { alter, rule }) => {
      const found = await rules(await build(alter))
      expect(found.length).toBeGreaterThan(0)
      for (const one of found) expect(one).toMatch(rule)
    },
  )

  // Joining would make one section of two, so this is the fault of who writes the file.
  test('with a fault in the writing: two sections of one name', async () => {
    const built = await build()
    const [one, other] = readObject(built.bytes, built.file).sections.filter(({ name }) => /^\.text\./.test(name))
    const bytes = new Mutant(built.bytes).nameSection(one!.name, other!.name).bytes
    expect(await rules({ ...built, bytes })).toContain('audit-section-name')
  })

  test('that took an object of an earlier patch', async () => {
    const [stale, fresh] = [await build(), await build(undefined, true)]
    const found = await rules({ ...fresh, bytes: stale.bytes })
    expect(found).toContain('audit-missing')
  })
})
