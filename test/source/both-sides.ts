// SPDX-License-Identifier: GPL-3.0-or-later
// A small unit with its headers on both sides of a patch, looked at as the source engine looks at one of the kernel's:
// real diff, real preprocessor, real compiler.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { keepLineNumbers } from '../../src/build/compiler/line-directives.ts'
import { compareObjects } from '../../src/diff/change.ts'
import { readObject } from '../../src/elf/read.ts'
import { applyPatches } from '../../src/patch/apply.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { type SourceChange, sourceChangeOf } from '../../src/source/change/source-change.ts'
import { compiler, flags, traced, work } from '../objects.ts'

export type Tree = Readonly<Record<string, string>>

let number = 0

function write(dir: string, tree: Tree): void {
  for (const [file, text] of Object.entries(tree)) {
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true })
    writeFileSync(path.join(dir, file), text)
  }
}

function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'latin1' })
  if (status !== 0) throw new Error(`${program}: ${stderr}`)
  return stdout + stderr
}

/** What the source engine says of `unit.c` in a tree of files, of which `after` says what differs. */
export async function sourceChange(before: Tree, after: Tree, program = compiler): Promise<SourceChange> {
  const dir = path.join(work, `sides${++number}`)
  const [a, b] = [path.join(dir, 'a'), path.join(dir, 'b')]
  write(a, before)
  write(b, { ...before, ...after })
  const { stdout: diff } = spawnSync('diff', ['-urN', 'a', 'b'], { cwd: dir })
  const { changes } = await applyPatches(a, diff.length === 0 ? [] : [parsePatch(diff, 'test.patch')])
  for (const { path: file, after: text, lineage } of changes)
    if (text !== undefined) writeFileSync(path.join(b, file), keepLineNumbers(text, lineage), 'latin1')
  const isClang = program.startsWith('clang')
  const asked = isClang
    ? ['-Rpass=inline']
    : [`-fdump-ipa-clones=${dir}/clones`, `-fopt-info-ipa-optimized=${dir}/remarks`]
  const compile = (tree: string, ...more: string[]) =>
    run(program, [...flags, ...traced, ...more, '-c', '-o', `${tree}.o`, 'unit.c'], tree)
  const said = compile(a, ...asked)
  compile(b)
  const text = (tree: string) => run(program, [...flags, '-E', '-D__LINE__=0', '-D__COUNTER__=0', 'unit.c'], tree)
  const read = (file: string) => {
    try {
      return readFileSync(path.join(dir, file), 'latin1')
    } catch {
      return ''
    }
  }
  return sourceChangeOf(
    {
      unit: 'unit.c',
      object: 'vmlinux',
      before: text(a),
      after: text(b),
      dump: { clones: read('clones'), remarks: isClang ? said : read('remarks') },
      compared: compareObjects(
        readObject(readFileSync(`${a}.o`), 'before'),
        readObject(readFileSync(`${b}.o`), 'after'),
        'unit.c',
      ),
    },
    changes,
  )
}

/** The names of the functions to replace. */
export const names = ({ functions }: SourceChange): string[] => functions.map(({ name }) => name)

/** Why a function is replaced. */
export const reasons = ({ functions }: SourceChange, name: string): readonly string[] =>
  functions.find((one) => one.name === name)?.reasons ?? []
