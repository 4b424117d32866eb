// SPDX-License-Identifier: GPL-3.0-or-later
// Which functions an indirect call may lead to, read from a linked program that plays the kernel, and from
// an object that plays a module.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { readObject } from '../../src/elf/read.ts'
import { sealedInImage, sealedInModule } from '../../src/match/indirect-calls.ts'
import { layOutModule, openImage } from '../../src/match/running.ts'
import { isLandingPad } from '../../src/x86/entry.ts'
import { compiler, work } from '../objects.ts'

// As objtool writes it: for each pad that nothing needs, its distance from the entry.
const source = `
  .text
  .globl _start, open, sealed, bare
_start: ret
  .balign 16
open:   endbr64
  ret
  .balign 16
sealed: endbr64
  ret
  .balign 16
bare:   ret
  .section .ibt_endbr_seal, "a"
  .long sealed - .
  .section .note.GNU-stack,""
`

function assemble(): { object: string; program: string } {
  const base = path.join(work, 'landing')
  writeFileSync(`${base}.s`, source)
  execFileSync(compiler, ['-c', '-o', `${base}.o`, `${base}.s`])
  const options = ['-nostdlib', '-static', '-no-pie', '-Wl,-Ttext=0xffffffff81000000']
  execFileSync(compiler, [...options, '-o', base, `${base}.o`], { stdio: ['ignore', 'ignore', 'pipe'] })
  return { object: `${base}.o`, program: base }
}

test('in the kernel: where the compiler left a landing pad that the boot does not remove', () => {
  const { program } = assemble()
  const addresses = new Map(
    execFileSync('nm', [program], { encoding: 'utf8' })
      .split('\n')
      .map((line) => [line.split(' ')[2], BigInt(`0x${line.split(' ')[0] || 0}`)]),
  )
  // The symbols are gone from what a boot image holds.
  execFileSync('strip', [program])
  const image = openImage(program)
  const pad = (name: string) => isLandingPad(image.read(addresses.get(name) ?? 0n, 4))
  expect([pad('open'), pad('sealed'), pad('bare')]).toEqual([true, true, false])
  expect([...sealedInImage(program)]).toEqual([addresses.get('sealed')])
  image.close()
})

test('in the kernel: a program without the section has nothing sealed; of one without sections nobody knows', () => {
  const { program } = assemble()
  execFileSync('objcopy', ['--remove-section', '.ibt_endbr_seal', program])
  expect(sealedInImage(program).size).toBe(0)
  const bytes = readFileSync(program)
  bytes.fill(0, 40, 48)
  bytes.fill(0, 60, 64)
  writeFileSync(program, bytes)
  expect(() => sealedInImage(program)).toThrow('its section name table does not exist')
})

test('in a module: the same, by the relocations of the table', () => {
  const { object } = assemble()
  const module = readObject(readFileSync(object), 'landing.ko')
  const counted = module.symbols.filter(({ place, name }) => place !== 'undefined' && name !== '')
  const running = layOutModule(module, counted)
  const [address] = running.addressesOf('sealed')
  expect([...sealedInModule(module, running.addressAt)]).toEqual([address])
  expect(isLandingPad(running.read(address!, 4))).toBe(true)
  expect(isLandingPad(running.read(running.addressesOf('bare')[0]!, 4))).toBe(false)
})
