// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch as a report sees it, for tests that need no kernel: with what an enemy would write where one can write.

import { parsePatch } from '../../src/patch/parse.ts'
import type { Instruction } from '../../src/report/facts/assembly.ts'
import type { Facts, ReportedFunction } from '../../src/report/facts/facts.ts'

const hash = 'a'.repeat(64)

/** A live patch of `count` functions of `lines` lines each, into which `text` is woven wherever there is text. */
export function someFacts(text: string, count = 1, lines = 4): Facts {
  const patch = parsePatch(
    Buffer.from(
      `Subject: fix: ${text}\n\nA bug. ${text}\n\n--- a/mm/some.c\n+++ b/mm/some.c\n@@ -1,2 +1,2 @@ ` +
        `${text}\n int one(void) /* ${text} */\n-{ return 0; } // ${text}\n+{ return "${text}"; }\n`,
    ),
    'fix.patch',
  )
  const body = (word: string) =>
    Array.from({ length: lines }, (_, at) => (at === 2 ? `\treturn ${word}; /* ${text}` : `\tcall_${at}(${at});`)).join(
      '\n',
    )
  const code = (word: string): Instruction[] =>
    Array.from({ length: lines }, (_, at) =>
      at === 1
        ? { at, text: 'jne', target: 3 }
        : { at, text: at === 2 ? `mov $${word},%eax # ${text}` : `call call_${at}` },
    )
  const functions = Array.from({ length: count }, (_, index): ReportedFunction => {
    const name = `function_${index}`
    return {
      object: index % 2 === 0 ? 'vmlinux' : 'some_module',
      name: index === 0 ? text.replace(/[\s/]/g, '') || name : name,
      sympos: 0,
      unit: `mm/some${index % 5}.c`,
      reasons: [`it refers to "${text}"`],
      source: {
        object: 'vmlinux',
        name,
        unit: 'mm/some.c',
        file: 'mm/some.c',
        before: { line: 10, text: body('0x1') },
        after: { line: 10, text: body('0x2') },
      },
      match: { by: 'code', fields: 3, unconfirmed: 1 },
      before: code('0x1'),
      after: code('0x2'),
      touches: [
        { name: `touched_${text}`, of: 'vmlinux' },
        { name: 'helper', of: 'own' },
      ],
    }
  })
  return {
    manifest: {
      format: 'inarch-manifest-1',
      name: 'fix',
      module: 'livepatch_fix',
      description: text,
      tool: { name: 'inarch', version: '0.1.0' },
      kernel: { release: '6.1.0-1-amd64', version: text, origin: 'debian', compiler: text },
      replace: true,
      inputs: [{ file: text, sha256: hash }],
      sha256: hash,
      objects: [
        {
          name: 'vmlinux',
          functions: functions.map(({ name, sympos, unit, reasons }) => ({
            name,
            sympos,
            unit,
            reasons: [...reasons],
          })),
          callbacks: [],
        },
      ],
      carried: [{ name: 'helper', kind: 'function', unit: text, reason: text }],
      states: [],
      findings: [
        {
          severity: 'warning',
          rule: 'some-rule',
          message: text,
          hint: text,
          unit: text,
          symbol: text,
          allowed: true,
        },
        { severity: 'note', rule: 'other-rule', message: text },
        { severity: 'note', rule: 'long-sleepers', message: text },
      ],
      timings: [{ step: text, ms: 1 }],
    },
    module: { file: text, bytes: 1 },
    inputs: [{ file: text, sha256: hash, patch }],
    functions,
    proof: {
      format: 'inarch-proof-2',
      verdict: 'failed',
      failures: [{ code: 'log', message: text, step: 'module-first.load', lines: [text] }],
      notes: [text],
      module: { name: text, file: text, sha256: hash },
      over: [{ name: text, file: text, sha256: hash, outcome: text }],
      kernel: { release: text, version: text },
      machine: { accelerator: text, cpus: 2, memory: 512, processor: text, parameters: [text] },
      boots: 1,
      bootMs: [1000],
      coverage: {
        functions: [
          { object: text, name: text, sympos: 0, ran: 0 },
          { object: text, name: text, sympos: 1, uncounted: text },
        ],
        checked: false,
        exercises: [text],
      },
      orders: [
        {
          order: 'module-first',
          title: text,
          forecast: {
            verdict: 'will-wait',
            tasks: 40,
            sleeping: [{ pid: 1, name: text, kind: text, functions: [text], stack: [text], outlook: text }],
            hidden: [text],
            held: false,
            went: text,
          },
          steps: [
            { id: 'module-first.load', title: text, ms: 10, outcome: 'done' },
            {
              id: 'module-first.transition',
              title: text,
              ms: 900,
              outcome: 'failed',
              reason: text,
              stuck: text,
              samples: [
                { ms: 100, left: 30, total: 40 },
                { ms: 500, left: 0, total: 40 },
              ],
            },
            {
              id: 'module-first.check.after.0',
              title: text,
              ms: 10,
              outcome: 'done',
              command: text,
              output: { exitCode: 0, text },
            },
          ],
        },
      ],
      replaced: [],
      loads: [],
      log: [],
      consoles: [[text, text]],
      ms: 920,
    },
    missing: [text],
  }
}
