// SPDX-License-Identifier: GPL-3.0-or-later
// Against the real diff and git: what they write, we apply; and whatever we are given, we answer with
// a Fault or a result, never with a crash.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { Fault } from '../../src/ground/fault.ts'
import { applyPatches } from '../../src/patch/apply.ts'
import { parsePatch } from '../../src/patch/parse.ts'

const root = mkdtempSync(path.join(os.tmpdir(), 'inarch-roundtrip-'))
for (const side of ['a', 'b']) mkdirSync(path.join(root, side))
afterAll(() => rmSync(root, { recursive: true }))

const line = fc.oneof(
  fc.constantFrom('{', '}', '', '\treturn 0;', '-- ', '--- a/x', '+++ b/x', '@@ -1 +1 @@', '\\', 'x\r', '\xe4\xff'),
  fc.integer({ min: 0, max: 9 }).map(String),
)
const text = fc
  .tuple(fc.array(line, { maxLength: 40 }), fc.boolean())
  .map(([lines, ended]) => lines.join('\n') + (ended && lines.length > 0 ? '\n' : ''))

/** Two texts that have much in common, as the two sides of a patch do. */
const sides = fc
  .tuple(text, fc.array(fc.tuple(fc.nat(40), fc.nat(3), fc.array(line, { maxLength: 4 })), { maxLength: 4 }), text)
  .map(([before, edits, other]) => {
    if (edits.length === 0) return [before, other] as const
    const lines = before.split('\n')
    for (const [at, removed, added] of edits) lines.splice(at, removed, ...added)
    return [before, lines.join('\n')] as const
  })

function write(before: string, after: string): void {
  writeFileSync(path.join(root, 'a', 'x.c'), before, 'latin1')
  writeFileSync(path.join(root, 'b', 'x.c'), after, 'latin1')
}

const programs = {
  diff: (context: number) => ['diff', `-U${context}`, 'a/x.c', 'b/x.c'],
  git: (context: number) => ['git', 'diff', '--no-index', '--no-prefix', `-U${context}`, 'a/x.c', 'b/x.c'],
}

test.each(Object.keys(programs) as (keyof typeof programs)[])(
  'what %s writes gives the second text',
  async (program) => {
    await fc.assert(
      fc.asyncProperty(sides, fc.constantFrom(0, 1, 3), async ([before, after], context) => {
        if (before === after) return
        write(before, after)
        const [name, ...args] = programs[program](context) as [string, ...string[]]
        const { stdout } = spawnSync(name, args, { cwd: root })
        const applied = applyPatches(path.join(root, 'a'), [parsePatch(stdout, 'fix.patch')])
        // Without a line of the source nothing shows where the new ones belong.
        if (before !== '' && /^@@ -\d+,0 /m.test(stdout.toString('latin1'))) {
          await expect(applied).rejects.toMatchObject({ code: 'hunk-without-context' })
          return
        }
        const { changes } = await applied
        expect(changes[0]?.after).toBe(after)
        const change = changes[0]!
        const lines = after.split(/(?<=\n)/)
        const old = before.split(/(?<=\n)/)
        change.lineage.forEach((from, i) => {
          if (from > 0) expect(old[from - 1]).toBe(lines[i])
          expect(from === 0).toBe(change.origins.has(i + 1))
        })
      }),
      { numRuns: 150 },
    )
  },
)

test('a damaged patch is applied or refused, never more', async () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom('drop', 'double', 'byte'), fc.nat(255)), {
    maxLength: 6,
  })
  await fc.assert(
    fc.asyncProperty(sides, damage, async ([before, after], hits) => {
      write(before, after)
      const { stdout } = spawnSync('git', programs.git(3).slice(1), { cwd: root })
      const bytes = [...stdout]
      for (const [at, kind, value] of hits) {
        const i = bytes.length === 0 ? 0 : at % bytes.length
        if (kind === 'drop') bytes.splice(i, 1 + (value % 30))
        else if (kind === 'double') bytes.splice(i, 0, ...bytes.slice(i, i + (value % 30)))
        else bytes[i] = value
      }
      try {
        await applyPatches(path.join(root, 'a'), [parsePatch(Buffer.from(bytes), 'fix.patch')])
      } catch (error) {
        if (!(error instanceof Fault)) throw error
      }
    }),
    { numRuns: 150 },
  )
})

test('arbitrary bytes are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        parsePatch(bytes, 'fix.patch')
      } catch (error) {
        if (!(error instanceof Fault)) throw error
      }
    }),
  )
})
