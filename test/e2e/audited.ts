// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch is built for real, and what faults of the build would have made of it is put into its bytes, or into
// what it is compared with: the audit, which sees nothing else, refuses each.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Audited, audit } from '../../src/audit/audit.ts'
import { livepatchTables } from '../../src/audit/livepatch-tables.ts'
import { meaningOf } from '../../src/audit/meaning.ts'
import { viewOf } from '../../src/audit/object-view.ts'
import { catalogue } from '../../src/check/catalogue.ts'
import { readObject } from '../../src/elf/read.ts'
import type { Finding } from '../../src/ground/finding.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { type KernelNames, kernelNames } from '../../src/match/names.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import type { Engine } from '../../src/module/manifest/request.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { type Built, buildToAudit } from '../audit/built.ts'
import { isDistance, Mutant, type RawRelocation } from '../audit/mutant.ts'
import { auditedPatch, consoles, patched, pipe, random, secure } from '../audit/patched.ts'
import { diffOf } from '../changes/prove.ts'

export const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
export const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-audit-'))
afterAll(() => rmSync(work, { recursive: true }))

/** @param of the patch; `engine` for another engine's */
async function make(kernel: Kernel, further: boolean, engine: 'binary' | 'source', of = engine): Promise<Built> {
  const patches = [auditedPatch(kernel, further, of)]
  return await buildToAudit(job, kernel, engine, patches, mkdtempSync(path.join(work, 'fix-')))
}

/** Builds a patch of test/cases. */
export const build = async (name: string, wanted: string, allow: readonly string[] = [], engine: Engine = 'binary') => {
  const kernel = await selectKernel(job, wanted)
  const file = path.resolve('test/cases', `${name}.patch`)
  const patches = [parsePatch(readFileSync(file), `${name}.patch`)]
  const output = mkdtempSync(path.join(work, 'case-'))
  const request = { patches, replace: true, allow, output, engine }
  const { module, manifest } = await makeLivePatch(job, kernel, request)
  return { manifest, object: readObject(readFileSync(module), module) }
}

/** @param wanted a suite */
export const describeCases = (wanted: 'bookworm' | 'trixie') =>
  describe(`a patch for Linux ${wanted}`, () => {
    test('that uses what was freed after boot carries it', async () => {
      for (const name of ['drop-init-noinline', 'call-init']) {
        const { object, manifest } = await build(name, wanted)
        const helper = object.symbols.find((symbol) => symbol.name === 'list_bdev_fs_names')
        expect(helper?.section?.name).toMatch(/^\.text/)
        expect(manifest.carried.map((item) => item.name)).toContain('list_bdev_fs_names')
      }
      await build('drop-init-call', wanted)
    })

    test('with data that are set up once keeps them writable', async () => {
      const { object } = await build('ro-after-init', wanted)
      expect(object.sections.map(({ name }) => name)).not.toContain('.data..ro_after_init')
      expect(object.symbols.find(({ name }) => name === 'audit_mtu')?.section?.name).toBe('.data')
    })

    // The compiler numbers the other statics of the file anew.
    test('that moves a static out of its function changes no other', async () => {
      const use = wanted === 'bookworm' ? 'pause_on_oops < 9' : 'spin_counter < 9'
      const kernel = await selectKernel(job, wanted)
      const counter = '\tstatic int spin_counter;\n'
      const change = {
        ...{ name: 'counter-moved', exercises: '', replaces: [], run: '', before: '', after: '' },
        edits: [
          {
            file: 'kernel/panic.c',
            from: `static void do_oops_enter_exit(void)\n{\n\tunsigned long flags;\n${counter}`,
            to: 'static int spin_counter;\nstatic void do_oops_enter_exit(void)\n{\n\tunsigned long flags;\n',
          },
          {
            file: 'kernel/panic.c',
            from: 'return pause_on_oops_flag == 0;',
            to: `return pause_on_oops_flag == 0 && ${use};`,
          },
        ],
      }
      const patches = [parsePatch(diffOf(kernel, change), 'counter-moved.patch')]
      const dir = mkdtempSync(path.join(work, 'moved-'))
      const made = await buildToAudit(job, kernel, 'binary', patches, dir)
      expect(await audit(kernel, made)).toEqual([])
      const [unit] = made.units
      const named = (bytes: Buffer) => viewOf(bytes, 'panic.o').named.map(({ symbol }) => symbol!.name)
      expect(named(unit!.before)).not.toEqual(named(unit!.after))
    })
  })

/** @param wanted a kernel or a suite */
export const describeAudited = (wanted: string, engine: 'binary' | 'source') =>
  describe(`a module for ${wanted} (${engine})`, () => {
    const { callee, datum, other } = patched[engine]
    let kernel: Kernel
    let made: Built
    let names: KernelNames & { close(): void }
    beforeAll(async () => {
      kernel = await selectKernel(job, wanted)
      names = await kernelNames(kernel, ['vmlinux'])
      made = await make(kernel, false, engine)
    })
    afterAll(() => names?.close())
    let more: Promise<Built> | undefined
    /** The same patch with one unit more, by the binary engine. */
    const further = () => (more ??= make(kernel, true, 'binary', engine))

    const rulesOf = async (audited: Audited) => [...new Set((await audit(kernel, audited)).map(({ rule }) => rule))]
    const mutated = (mutate: (mutant: Mutant) => Mutant) =>
      rulesOf({ ...made, bytes: mutate(new Mutant(made.bytes)).bytes })
    const address = (name: string) => names.symbols('vmlinux', name)[0]!.address

    // What was taken into others stands beside them in a module made from source, and never runs.
    const walked = engine === 'source' ? /^\.text\.(livepatch_|audit_)/ : /^\.text/

    /** The relocations of code that lead to what the kernel, or the module, calls `name`. */
    const leadingTo = (mutant: Mutant, name: string | RegExp): RawRelocation[] => {
      const view = viewOf(mutant.bytes, 'audited.ko')
      const isIt = (one: string) => (typeof name === 'string' ? one === name : name.test(one))
      return mutant.relocations().filter((raw) => {
        const section = view.object.sections[raw.section]!
        if (!walked.test(section.name)) return false
        const one = view.references({ section, start: raw.offset, end: raw.offset + 1 })[0]
        if (one === undefined) return false
        const meaning = meaningOf(names, one)
        if (meaning.kind === 'kernel')
          return names.at('vmlinux', meaning.at.address).some((symbol) => isIt(symbol.name))
        if (meaning.kind !== 'own') return false
        return view.extentsAt(meaning.place, one.symbol).some(({ symbol }) => isIt(symbol?.name ?? ''))
      })
    }
    const first = (mutant: Mutant, name: string | RegExp, fits: (raw: RawRelocation) => boolean = () => true) => {
      const found = leadingTo(mutant, name).find(fits)
      if (found === undefined) throw new Error(`nothing leads to ${name}`)
      return found
    }
    /** Lets a reference to one thing of the kernel lead to another one. */
    const turn = (mutant: Mutant, from: string | RegExp, to: bigint) => {
      const raw = first(mutant, from)
      const view = viewOf(mutant.bytes, 'audited.ko')
      const section = view.object.sections[raw.section]!
      const one = view.references({ section, start: raw.offset, end: raw.offset + 1 })[0]!
      const meaning = meaningOf(names, one)
      if (meaning.kind !== 'kernel') throw new Error(`${from} is not the kernel's`)
      return mutant.lead(raw, raw.addend + Number(to - meaning.at.address))
    }

    test('as it was built passes', async () => {
      expect(await audit(kernel, made)).toEqual([])
    })

    test('that calls what was freed after boot', async () => {
      expect(await mutated((mutant) => turn(mutant, callee, address('start_kernel')))).toContain('audit-freed')
    })

    test('that calls another function', async () => {
      expect(await mutated((mutant) => turn(mutant, callee, address('vsnprintf')))).toEqual(['audit-reference'])
    })

    test('that calls a datum', async () => {
      const rules = await mutated((mutant) => turn(mutant, callee, address('jiffies_64')))
      expect(rules).toContain('audit-kind')
    })

    test.runIf(engine === 'source')('held against the files of its directory', async () => {
      const units = made.parts!
      const held = async (mutate: (mutant: Mutant) => Mutant) =>
        await rulesOf({ ...made, units, code: 'from-directory', bytes: mutate(new Mutant(made.bytes)).bytes })
      expect(await held((mutant) => mutant)).toEqual([])
      expect(await held((mutant) => turn(mutant, callee, address('vsnprintf')))).toEqual(['audit-reference'])
      const exchanged = await held((mutant) =>
        mutant.exchange(
          first(mutant, datum),
          first(mutant, other, (raw) => raw.type === first(mutant, datum).type),
        ),
      )
      expect(exchanged).toContain('audit-reference')
      expect(await held((mutant) => mutant.lead(first(mutant, datum), first(mutant, datum).addend + 8))).toContain(
        'audit-reference',
      )
    })

    test('with two sections of one name', async () => {
      const sections = viewOf(made.bytes, 'audited.ko').object.sections.map(({ name }) => name)
      const [one, other] = sections.filter((name) => name.startsWith('.text.'))
      expect(await mutated((mutant) => mutant.nameSection(other!, one!))).toContain('audit-section-name')
    })

    test('in which two statics of the kernel are exchanged', async () => {
      const rules = await mutated((mutant) =>
        mutant.exchange(
          first(mutant, datum),
          first(mutant, other, (raw) => raw.type === first(mutant, datum).type),
        ),
      )
      expect(rules).toContain('audit-reference')
    })

    test.skipIf(engine === 'source')('in which another static of the same name is meant', async () => {
      // net_get_random_once() has one ___done in each place.
      const rules = await mutated((mutant) => {
        const at = names.at('vmlinux', address('net_secret'))
        expect(at).not.toEqual([])
        const used = leadingTo(mutant, /^___done\.\d+$/)
        expect(used.length).toBeGreaterThan(0)
        const name = ['___done.0', '___done.1', '___done.2', '___done.3'].find(
          (candidate) => names.symbols('vmlinux', candidate).length > 0 && leadingTo(mutant, candidate).length === 0,
        )!
        const own = ['___done.0', '___done.1', '___done.2', '___done.3'].find(
          (candidate) => leadingTo(mutant, candidate).length > 0,
        )!
        return turn(mutant, own, address(name))
      })
      expect(rules).toContain('audit-reference')
    })

    test('in which two new statics are exchanged', async () => {
      const rules = await mutated((mutant) => {
        const asked = leadingTo(mutant, 'audit_asked')
        const [told] = leadingTo(mutant, 'audit_told')
        const one = asked.find((raw) => raw.type === told!.type)!
        return mutant.exchange(one, told!)
      })
      expect(rules.filter((rule) => rule === 'audit-reference' || rule === 'audit-copied')).not.toEqual([])
    })

    test('with a copy of what the kernel has', async () => {
      const rules = await mutated((mutant) => {
        const kernels = first(mutant, datum)
        const own = leadingTo(mutant, 'audit_told')[0]!
        if (kernels.table.startsWith('.klp.rela')) throw new Error(`${datum} is reached by a livepatch symbol`)
        return mutant.lead(
          kernels,
          isDistance(kernels) ? own.addend : own.addend + (isDistance(own) ? 4 : 0),
          own.symbol,
        )
      })
      expect(rules).toContain('audit-copied')
    })

    test('with another addend', async () => {
      expect(
        await mutated((mutant) => {
          const raw = first(mutant, datum)
          return mutant.lead(raw, raw.addend + 8)
        }),
      ).toContain('audit-reference')
    })

    test('with another position of a name', async () => {
      const view = viewOf(made.bytes, 'audited.ko')
      const { functions } = livepatchTables(view, made.structures)!
      const next = functions.find(({ name }) => name === 'c_next')!
      expect(next.position).toBeGreaterThan(0)
      const right = Buffer.alloc(8)
      right.writeBigUInt64LE(BigInt(next.position))
      const { section, offset } = next.entry
      const at = section.data.indexOf(right, offset)
      for (const position of [1, 2, 3, 4].filter((one) => one !== next.position)) {
        const wrong = Buffer.alloc(8)
        wrong.writeBigUInt64LE(BigInt(position))
        expect(await mutated((mutant) => mutant.write(section.name, at, wrong))).toContain('audit-replaced')
      }
    })

    test('without a function that changes, whatever else is said about the function', async () => {
      const more = await further()
      const units = more.units.filter(({ unit }) => unit !== random)
      const lacking = async (told: readonly Finding[]) => await rulesOf({ ...made, units, told })
      const saying = (rule: string, unit = consoles): Finding => {
        return { severity: 'note', rule, symbol: 'show_console_dev', unit, message: 'It is said' }
      }
      expect(await lacking([])).toEqual(['audit-missing'])
      const leftOut = ['ignored', 'line-numbers', 'same-source-other-code']
      const others = catalogue
        .flatMap(({ rules }) => rules.map(({ name }) => name))
        .filter((name) => !leftOut.includes(name))
      expect(others.length).toBeGreaterThan(100)
      expect(await lacking(others.map((rule) => saying(rule)))).toEqual(['audit-missing'])
      expect(await lacking([saying('ignored', secure)])).toEqual(['audit-missing'])
      for (const rule of leftOut) expect(await lacking([saying(rule)])).toEqual([])
    })

    // On trixie gcc puts nothing of this unit aside.
    test.skipIf(wanted === 'trixie')('without a function of which only the part that seldom runs changes', async () => {
      const { before } = (await further()).units.find(({ unit }) => unit === random)!
      const cold = viewOf(before, random).named.find(({ symbol }) => /\.cold$/.test(symbol?.name ?? ''))!
      const after = new Mutant(before).write(cold.section.name, cold.start, Buffer.from([0x90])).bytes
      const same = { unit: random, object: 'vmlinux', before, after: before }
      expect(await rulesOf({ ...made, units: [...made.units, same] })).toEqual([])
      expect(await rulesOf({ ...made, units: [...made.units, { ...same, after }] })).toEqual(['audit-missing'])
    })

    test('in which a name, or what the kernel keeps for itself, is written over', async () => {
      const { functions } = livepatchTables(viewOf(made.bytes, 'audited.ko'), made.structures)!
      const { section, offset } = functions[0]!.entry
      const one = Buffer.from([1])
      // old_func, new_size and the hooks of ftrace behind the three members that a live patch fills in.
      for (const at of [24, made.structures.func.size - 1])
        expect(await mutated((mutant) => mutant.write(section.name, offset + at, one))).toContain('audit-replaced')
      // The empty entry at the end, by which the kernel knows that there is no other one.
      const last = functions.at(-1)!.entry.offset + made.structures.func.size + 16
      expect(await mutated((mutant) => mutant.write(section.name, last, one))).toContain('audit-replaced')
      expect(await rulesOf({ ...made, replace: false })).toEqual(['audit-replaced'])
    })

    test('with an address that is there before the kernel puts it', async () => {
      expect(
        await mutated((mutant) => {
          const { section, offset } = first(mutant, callee)
          const { name } = viewOf(mutant.bytes, 'audited.ko').object.sections[section]!
          return mutant.write(name, offset, Buffer.from([1]))
        }),
      ).toContain('audit-section')
    })

    test('with an entry of objtool about something else', async () => {
      for (const table of ['.return_sites', '__mcount_loc'])
        expect(
          await mutated((mutant) => {
            const [raw] = mutant.relocations().filter((one) => one.table === `.rela${table}`)
            return mutant.lead(raw!, raw!.addend + 1)
          }),
        ).toContain('audit-table')
    })

    test.runIf(engine === 'source')('with a byte of a function of which the compiler made other code', async () => {
      const unit = pipe
      const told: Finding[] = [
        ...made.told,
        {
          severity: 'note',
          rule: 'same-by-source',
          symbol: 'alloc_pipe_info',
          unit,
          message: 'It is said',
        },
      ]
      const { object } = viewOf(made.bytes, 'audited.ko')
      const text = object.sections.find(({ name }) => name === '.text.livepatch_alloc_pipe_info')!
      // A number that is compared: PIPE_DEF_BUFFERS is 16.
      const at = text.data.indexOf(16)
      expect(at).toBeGreaterThan(0)
      const { bytes } = new Mutant(made.bytes).write(text.name, at, Buffer.from([17]))
      expect(await rulesOf({ ...made, told })).toEqual([])
      expect(await rulesOf({ ...made, told, bytes })).toEqual(['audit-code'])
      // The units alone tell nothing about such code.
      expect(await rulesOf({ ...made, told, bytes, parts: [] })).toEqual([])
    })

    test('made of objects that are stale', async () => {
      const more = await further()
      expect(await rulesOf({ ...more, units: made.units })).not.toEqual([])
      const stale = made.units.map((unit) => ({ ...unit, after: unit.before }))
      expect(await rulesOf({ ...made, units: stale })).toContain('audit-code')
    })

    test('with one byte of code changed', async () => {
      const text = viewOf(made.bytes, 'audited.ko').object.sections.find(({ name }) =>
        /^\.text.*audit_count$/.test(name),
      )!
      // The limit of 7 that the source has.
      const at = text.data.indexOf(7)
      expect(at).toBeGreaterThan(0)
      const other = Buffer.from([text.data[at]! ^ 1])
      expect(await mutated((mutant) => mutant.write(text.name, at, other))).toEqual(['audit-code'])
    })

    test('with data that become read-only, or code that is freed', async () => {
      const sections = viewOf(made.bytes, 'audited.ko').object.sections.map(({ name }) => name)
      const data = sections.find((name) => /^\.bss.*audit_told/.test(name))!
      const code = sections.find((name) => /^\.text.*audit_count$/.test(name))!
      expect(await mutated((mutant) => mutant.nameSection(data, '.data..ro_after_init'))).toContain('audit-read-only')
      expect(await mutated((mutant) => mutant.nameSection(code, '.init.text.audit'))).toContain('audit-freed')
    })

    test('with a table that is about another key, and with another version of a symbol', async () => {
      const table = await mutated((mutant) => {
        const keys = mutant.relocations().filter((raw) => raw.table === '.rela__jump_table' && raw.offset % 16 === 8)
        return mutant.lead(keys[0]!, keys[0]!.addend + 16)
      })
      expect(table).toContain('audit-reference')
      expect(await mutated((mutant) => mutant.write('__versions', 0, Buffer.from([1, 2, 3, 4])))).toContain(
        'audit-version',
      )
    })
  })
