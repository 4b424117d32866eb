// SPDX-License-Identifier: GPL-3.0-or-later
// A suite: several live patches with what is to be seen of each, in a JSON file. Its paths are relative to it.
import path from 'node:path'
import * as v from 'valibot'
import { Fault } from '../../ground/fault.ts'
import { inputKinds, readInput } from '../../ground/input.ts'
import { fittingJson } from '../../ground/schema.ts'
import { defined } from '../../ground/values/defined.ts'
import { type Check, parseExpectation, parsePattern } from './check.ts'
import type { ProofRequest } from './request.ts'
import { readSubject } from './subject.ts'

const text = v.exactOptional(v.string())
const list = v.exactOptional(v.array(v.string()))
const checkSchema = v.strictObject({ run: v.string(), label: text, before: text, after: text, reverted: text })
const suiteSchema = v.pipe(
  v.array(
    v.strictObject({
      module: v.string(),
      over: list,
      checks: v.exactOptional(v.array(checkSchema)),
      script: text,
      exercise: v.exactOptional(v.boolean()),
      load: list,
      fs: text,
      modprobe: list,
      program: list,
      expect: list,
    }),
  ),
  v.minLength(1, 'at least one live patch is needed'),
)

/** A check as a person writes it: texts, or `/expression/flags`. */
export type WrittenCheck = Readonly<v.InferOutput<typeof checkSchema>>

/** @throws Fault `usage/bad-expression` */
export function readCheck({ run, label, before, after, reverted }: WrittenCheck): Check {
  const parsed = (text: string | undefined) => (text === undefined ? undefined : parseExpectation(text))
  return {
    command: run,
    ...defined({ label, before: parsed(before), after: parsed(after), reverted: parsed(reverted) }),
  }
}

/**
 * Reads a suite and the live patches that it names.
 * @throws Fault `usage` when it can't be understood, or a live patch can't be read
 */
export async function readSuite(file: string): Promise<ProofRequest[]> {
  const bad = (detail: string) =>
    new Fault('usage', 'bad-suite', `The suite ${file} can't be understood`, {
      detail,
      remedy: 'docs/commands.md shows what a suite looks like',
    })
  const content = (await readInput(file, inputKinds.list)).toString('utf8')
  const suite = fittingJson(suiteSchema, content, bad, (why) => bad(`it is not JSON: ${why}`))
  const at = (name: string) => path.resolve(path.dirname(file), name)
  return Promise.all(
    suite.map(async ({ module, over, checks, script, exercise, load, fs, modprobe, program, expect }) => ({
      subject: await readSubject(at(module)),
      over: await Promise.all((over ?? []).map((older) => readSubject(at(older)))),
      checks: (checks ?? []).map(readCheck),
      loads: load ?? [],
      modules: modprobe ?? [],
      programs: (program ?? []).map(at),
      expected: (expect ?? []).map((pattern) => parsePattern(pattern)),
      ...defined({ script: script === undefined ? undefined : at(script), exercise, fileSystem: fs }),
    })),
  )
}
