// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch diff` and `inarch extract` as a program or a person uses them: two objects, no kernel.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/read.ts'
import { compileBytes } from '../objects.ts'
import { buildCommand, inarch, program } from './inarch.ts'

const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-diff-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const text = `
  int note(const char *, ...);
  static int served; static const int weights[3] = { 1, 2, 3 };
  int serve(int n) { served++; return note("serving %d\\n", n) + weights[n % 3]; }
  int count(void) { return served; }
  int reset(void) { served = 0; return note("reset\\n"); }`

const versions = {
  same: text,
  changed: text.replace('served++', 'served += n > 0'),
  grown: text
    .replace(
      'int count',
      'static int limit = 9; static noinline int clip(int n) { return n > limit ? limit++ : n; } int count',
    )
    .replace('return served;', 'return clip(served);')
    .replaceAll('noinline', '__attribute__((noinline))'),
  reset: text.replace('static int served;', 'static int served = 5;').replace('served++', 'served += 2'),
}

const object = (name: keyof typeof versions) => path.join(dir, `${name}.o`)

beforeAll(() => {
  buildCommand()
  for (const [name, source] of Object.entries(versions))
    writeFileSync(path.join(dir, `${name}.o`), compileBytes(source))
  writeFileSync(path.join(dir, 'before.o'), compileBytes(text))
}, 60_000)

const before = path.join(dir, 'before.o')
const run = (...args: string[]) => inarch(args, { cwd: dir })

describe('inarch diff', () => {
  test('ends in silence when nobody reads what it prints', () => {
    const closed = `"$1" "$2" diff --json "$3" "$4" | true; exit "\${PIPESTATUS[0]}"`
    const args = ['-c', closed, '-', process.execPath, program, before, object('changed')]
    const { status, stderr } = spawnSync('bash', args, { encoding: 'utf8' })
    expect(stderr).toBe('')
    expect(status).toBe(0)
  })

  test('tells a changed function and why, and ends with 0', async () => {
    const { code, stdout } = await run('diff', '--json', before, object('changed'))
    expect(code).toBe(0)
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      changed: [{ name: 'serve', section: '.text.serve' }],
      added: [],
      removed: [],
      data: [],
      callbacks: [],
      findings: [],
      outcome: 'change',
    })
    expect(report.changed[0].reasons.length).toBeGreaterThan(0)
  })

  test('tells what is new', async () => {
    const { code, stdout } = await run('diff', '--json', before, object('grown'))
    expect(code).toBe(0)
    const { changed, added, data } = JSON.parse(stdout)
    expect(changed.map(({ name }: { name: string }) => name)).toEqual(['count'])
    expect(added).toEqual([{ name: 'clip', section: '.text.clip' }])
    expect(data).toEqual([{ name: 'limit', section: '.data.limit', change: 'added' }])
  })

  test('ends with 4 when nothing changed, and says so', async () => {
    const { code, stdout } = await run('diff', before, object('same'))
    expect([code, stdout]).toEqual([4, 'no change\n'])
  })

  test('ends with 4 when the change is refused, and says why and what can be done', async () => {
    const { code, stdout } = await run('diff', '--json', before, object('reset'))
    expect(code).toBe(4)
    const report = JSON.parse(stdout)
    expect(report.outcome).toBe('refused')
    expect(report.data).toMatchObject([{ name: 'served', change: 'changed' }])
    expect(report.findings).toMatchObject([{ severity: 'error', rule: 'data-changed', symbol: 'served' }])
    expect(report.findings[0].hint.length).toBeGreaterThan(10)
  })

  test('says in one sentence what is wrong with a file', async () => {
    const broken = path.join(dir, 'broken.o')
    writeFileSync(broken, readFileSync(before).subarray(0, 200))
    for (const [file, expected] of [
      [broken, 3],
      [path.join(dir, 'nothing.o'), 2],
      [dir, 2],
    ] as const) {
      const { code, stdout, stderr } = await run('diff', before, file)
      expect([code, stdout]).toEqual([expected, ''])
      expect(stderr).toContain(file)
      expect(stderr).not.toContain('    at ')
    }
    expect((await run('diff', before)).code).toBe(2)
  })

  test('compares many pairs on all processors, in their order, and goes on behind one that can’t be read', async () => {
    const list = path.join(dir, 'pairs.txt')
    const names = Object.keys(versions) as (keyof typeof versions)[]
    // For a few small ones nothing else is started.
    const large = path.join(dir, 'large.o')
    writeFileSync(large, Buffer.concat([readFileSync(before), Buffer.alloc(2 ** 20)]))
    const lines = Array.from({ length: 40 }, (_, nth) => `${large}\t${object(names[nth % names.length]!)}`)
    writeFileSync(list, `# pairs\n\n${lines.join('\n')}\n${before} ${path.join(dir, 'nothing.o')}\n`)
    const { code, stdout, stderr } = await run('diff', '--json', '--pairs', list)
    expect(code).toBe(3)
    if (os.availableParallelism() > 1) expect(stderr).toMatch(/on \d+ processors/)
    const results = JSON.parse(stdout)
    expect(results.length).toBe(41)
    expect(results.slice(0, 4).map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      'none',
      'change',
      'change',
      'refused',
    ])
    results.slice(0, 40).forEach((result: { after: string }, nth: number) => {
      expect(result).toEqual({ ...results[nth % names.length], after: object(names[nth % names.length]!) })
    })
    expect(results[40].error).toMatchObject({ kind: 'usage' })
  })

  test('names the line of a list that it does not understand', async () => {
    const list = path.join(dir, 'bad.txt')
    writeFileSync(list, `${before} ${before}\njust-one\n`)
    const { code, stderr } = await run('diff', '--pairs', list)
    expect(code).toBe(2)
    expect(stderr).toContain('bad.txt:2')
  })
})

describe('inarch extract', () => {
  test('writes an object with the change and nothing else', async () => {
    const out = path.join(dir, 'out.o')
    const { code, stdout } = await run('extract', '--json', before, object('grown'), '-o', out)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ output: out, replaced: ['count'], outcome: 'change' })
    const made = readObject(readFileSync(out), out)
    const defined = made.symbols.filter(({ place, type }) => place === 'section' && type !== 'section')
    expect(defined.map(({ name }) => name).sort()).toEqual(['clip', 'count', 'limit'])
    const missing = made.symbols.filter(({ place, index }) => place === 'undefined' && index > 0)
    expect(missing.map(({ name }) => name).sort()).toEqual(['__fentry__', 'served'])
  })

  test('writes nothing when there is no change, or it is refused', async () => {
    const out = path.join(dir, 'none.o')
    for (const after of [object('same'), object('reset')]) {
      const { code } = await run('extract', before, after, '-o', out)
      expect(code).toBe(4)
      expect(existsSync(out)).toBe(false)
    }
    expect(readdirSync(dir).filter((name) => name.startsWith('.'))).toEqual([])
  })
})
