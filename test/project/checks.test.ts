// SPDX-License-Identifier: GPL-3.0-or-later
// The project's own rules must be able to fail: each is shown a small project that breaks it.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
const licence = '// SPDX-License-Identifier: GPL-3.0-or-later\n'
let dir: string

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-checks-'))
})
afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true })
    writeFileSync(path.join(dir, name), text)
  }
}

function runCheck(script: string) {
  for (const name of [script, 'source-files.mjs'])
    cpSync(path.join(root, 'scripts', name), path.join(dir, 'scripts', name))
  return spawnSync(process.execPath, [path.join(dir, 'scripts', script)], { encoding: 'utf8' })
}

describe('the licence check', () => {
  const check = () => runCheck('licences.mjs')

  test('accepts sources that say their licence', () => {
    write({
      'src/a.ts': `${licence}export const a = 1\n`,
      'kernel/a.c': '// SPDX-License-Identifier: GPL-2.0-only\n',
    })
    expect(check()).toMatchObject({ status: 0, stderr: '' })
  })

  test('names the file that says none', () => {
    write({ 'src/a.ts': 'export const a = 1\n' })
    const { status, stderr } = check()
    expect(status).toBe(1)
    expect(stderr).toContain('src/a.ts: no licence, should be GPL-3.0-or-later')
  })

  test("wants the kernel's own licence for what is compiled into it", () => {
    write({ 'kernel/a.c': licence })
    const { status, stderr } = check()
    expect(status).toBe(1)
    expect(stderr).toContain('kernel/a.c: GPL-3.0-or-later, should be GPL-2.0-only')
  })
})

describe('the check of columns', () => {
  const long = 'x'.repeat(120)

  test('names the line that is too long, and what stands there', () => {
    symlinkSync(path.join(root, 'node_modules'), path.join(dir, 'node_modules'))
    write({ 'src/a.ts': `${licence}// ${long}\n`, 'guest/b.c': `int a;\n/* ${long} */\n` })
    const { status, stderr } = runCheck('columns.mjs')
    expect(status).toBe(1)
    expect(stderr).toContain('src/a.ts:2: 123 columns')
    expect(stderr).toContain('guest/b.c:2: 126 columns')
  })

  test('lets pass what can not be broken: a regular expression, and a text of several lines', () => {
    symlinkSync(path.join(root, 'node_modules'), path.join(dir, 'node_modules'))
    write({ 'src/a.ts': `${licence}export const a = /${long}/\nexport const b = \`\n${long} b\n\`\n` })
    expect(runCheck('columns.mjs')).toMatchObject({ status: 0, stderr: '' })
  })
})

describe('the dependency rule', () => {
  function check(files: Record<string, string>) {
    write(files)
    for (const name of ['.dependency-cruiser.mjs', 'tsconfig.json', 'package.json'])
      cpSync(path.join(root, name), path.join(dir, name))
    symlinkSync(path.join(root, 'node_modules'), path.join(dir, 'node_modules'))
    const program = path.join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
    const { status, stdout } = spawnSync(process.execPath, [program, '--output-type', 'err', 'src'], {
      cwd: dir,
      encoding: 'utf8',
    })
    return { failed: status !== 0, stdout }
  }

  const ground = { 'src/ground/fault.ts': 'export const fault = 1\n' }

  test('accepts imports of earlier rooms', () => {
    const { failed, stdout } = check({
      ...ground,
      'src/cli/main.ts': "import { fault } from '../ground/fault.ts'\nconsole.log(fault)\n",
    })
    expect(stdout).toContain('no dependency violations')
    expect(failed).toBe(false)
  })

  test('refuses an import of a later room, even of a type', () => {
    const { failed, stdout } = check({
      ...ground,
      'src/elf/read.ts': "import type { V } from '../vm/v.ts'\nexport const v: V = 1\n",
      'src/vm/v.ts': 'export type V = number\n',
      'src/cli/main.ts': "import { v } from '../elf/read.ts'\nconsole.log(v)\n",
    })
    expect(failed).toBe(true)
    expect(stdout).toContain('elf-imports-no-later-room: src/elf/read.ts → src/vm/v.ts')
  })

  test('refuses code that the command does not reach', () => {
    const { failed, stdout } = check({ ...ground, 'src/cli/main.ts': 'console.log(1)\n' })
    expect(failed).toBe(true)
    expect(stdout).toContain('nothing-unreachable: src/ground/fault.ts')
  })

  test('refuses another room that wants to know opcodes', () => {
    const { failed, stdout } = check({
      'src/x86/encoding.ts': 'export const lea = 0x8d\n',
      'src/diff/d.ts': "import { lea } from '../x86/encoding.ts'\nexport const d = lea\n",
      'src/cli/main.ts': "import { d } from '../diff/d.ts'\nconsole.log(d)\n",
    })
    expect(failed).toBe(true)
    expect(stdout).toContain('only-the-architecture-knows-encodings: src/diff/d.ts → src/x86/encoding.ts')
  })

  test('refuses a room that has no place in the order', () => {
    const { failed, stdout } = check({
      'src/utils/u.ts': 'export const u = 1\n',
      'src/cli/main.ts': "import { u } from '../utils/u.ts'\nconsole.log(u)\n",
    })
    expect(failed).toBe(true)
    expect(stdout).toContain('every-room-has-its-place: src/cli/main.ts → src/utils/u.ts')
  })
})
