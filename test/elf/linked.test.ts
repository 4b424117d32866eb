// SPDX-License-Identifier: GPL-3.0-or-later
// Executables and core files, read part by part, the good ones and the spoilt ones.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { fileType, sectionFlag, segmentType } from '../../src/elf/format.ts'
import { bytesAt, fileAt, readLinkedSections, readSegments } from '../../src/elf/linked.ts'
import { refuser } from '../../src/elf/read.ts'
import { compileBytes, compiler, work } from '../objects.ts'

const bad = refuser('the program')

/** A program whose code lies where a kernel's does, with a build-id. */
function program(): { file: string; bytes: Buffer } {
  const base = path.join(work, 'linked')
  writeFileSync(`${base}.s`, '.globl _start\n_start: ret\n.data\n.quad 42\n')
  const options = ['-nostdlib', '-static', '-no-pie', '-Wl,-Ttext=0xffffffff81000000', '-Wl,--build-id=0x1234']
  execFileSync(compiler, [...options, '-o', base, `${base}.s`], { stdio: ['ignore', 'ignore', 'pipe'] })
  return { file: base, bytes: readFileSync(base) }
}
const { file, bytes } = program()

/** The program with other bytes in its header. */
function spoilt(at: number, ...values: number[]): Buffer {
  const copy = Buffer.from(bytes)
  for (const [index, value] of values.entries()) copy[at + index] = value
  return copy
}

test('segments and sections are those that readelf tells, from a file as from bytes', () => {
  const fd = openSync(file, 'r')
  try {
    const told = execFileSync('readelf', ['-lSW', file], { encoding: 'utf8' })
    const segments = readSegments(fileAt(fd), bad)
    expect(segments).toEqual(readSegments(bytesAt(bytes), bad))
    const loads = [...told.matchAll(/^ {2}LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)/gm)]
    expect(loads.length).toBeGreaterThan(1)
    expect(segments.filter(({ type }) => type === segmentType.load)).toEqual(
      loads.map(([, offset, address, size]) => ({
        type: segmentType.load,
        offset: BigInt(`0x${offset}`),
        address: BigInt(`0x${address}`),
        size: BigInt(`0x${size}`),
      })),
    )
    const sections = readLinkedSections(fileAt(fd), bad)
    expect(sections).toEqual(readLinkedSections(bytesAt(bytes), bad))
    const lines = [...told.matchAll(/^ {2}\[ *\d+\] (\.\S+) +\S+ +(\w{16}) (\w{6}) (\w{6})/gm)]
    expect(sections.slice(1).map(({ name, address, offset, size }) => [name, address, offset, size])).toEqual(
      lines.map(([, name, address, offset, size]) => [
        name,
        BigInt(`0x${address}`),
        Number.parseInt(offset!, 16),
        Number.parseInt(size!, 16),
      ]),
    )
    expect(sections.find(({ name }) => name === '.text')?.flags).toBe(sectionFlag.alloc | sectionFlag.exec)
  } finally {
    closeSync(fd)
  }
})

test.each([
  ['another magic', spoilt(0, 0), 'it is not an ELF file'],
  ['32 bits', spoilt(4, 1), 'it is not a little-endian 64-bit ELF file'],
  ['the other order of bytes', spoilt(5, 2), 'it is not a little-endian 64-bit ELF file'],
  ['another processor', spoilt(18, 183), 'it is not for x86-64'],
  ['a core file', spoilt(16, fileType.core), 'it is another kind of ELF file'],
  ['an object', compileBytes('int f(void) { return 1; }'), 'it is another kind of ELF file'],
  ['segments behind the end', spoilt(36, 1), 'its program headers lie outside the file'],
  ['segments of another size', spoilt(54, 32), 'its program headers have an unknown size'],
  ['nothing', Buffer.alloc(0), 'it is not an ELF file'],
  ['a few bytes', bytes.subarray(0, 63), 'it is not an ELF file'],
])('segments are not read of %s', (_, content, why) => {
  expect(() => readSegments(bytesAt(content), bad)).toThrow(why)
})

test.each([
  ['sections behind the end', spoilt(44, 1), 'its section headers lie outside the file'],
  ['sections of another size', spoilt(58, 40), 'its section headers have an unknown size'],
  ['more sections than there are', spoilt(60, 0xff, 0xff), 'its section headers lie outside the file'],
  ['no names', spoilt(62, 0xf0), 'its section name table does not exist'],
])('sections are not read of a file with %s', (_, content, why) => {
  expect(() => readLinkedSections(bytesAt(content), bad)).toThrow(why)
})

test('no more is read than the file has, and nothing is made for what a header only claims', () => {
  const fd = openSync(file, 'r')
  try {
    for (const readAt of [fileAt(fd), bytesAt(bytes)]) {
      expect(readAt(0n, bytes.length)?.equals(bytes)).toBe(true)
      expect(readAt(BigInt(bytes.length - 4), 4)).toHaveLength(4)
      expect(readAt(BigInt(bytes.length - 3), 4)).toBeUndefined()
      expect(readAt(0n, 2 ** 45)).toBeUndefined()
      expect(readAt(2n ** 63n, 4)).toBeUndefined()
    }
  } finally {
    closeSync(fd)
  }
})
