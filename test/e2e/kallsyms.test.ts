// SPDX-License-Identifier: GPL-3.0-or-later
// The symbols that are decoded from the boot image against those of the debug package's vmlinux, all of
// them. INARCH_DBG_DIR names a directory with linux-image-RELEASE-dbg packages or their
// vmlinux-RELEASE files; they are 300 MB each, so nothing downloads them for this test.
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import { fetchKernel } from '../../src/kernel/debian.ts'

const dir = process.env['INARCH_DBG_DIR']
const found = new Map<string, string>()
for (const name of dir === undefined ? [] : readdirSync(dir)) {
  const release = /^(?:vmlinux-(.+)|linux-image-(.+)-dbg_.*\.deb)$/.exec(name)
  if (release !== null) found.set((release[1] ?? release[2])!, path.join(dir!, name))
}

/** What nm says about the debug package's vmlinux, one symbol per line. */
function nm(file: string, release: string): string {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'inarch-dbg-'))
  try {
    let vmlinux = file
    if (file.endsWith('.deb')) {
      expect(spawnSync('dpkg-deb', ['-x', file, scratch]).status).toBe(0)
      vmlinux = path.join(scratch, 'usr/lib/debug/boot', `vmlinux-${release}`)
    }
    const output = path.join(scratch, 'nm')
    const fd = openSync(output, 'w')
    expect(
      spawnSync('nm', ['-n', vmlinux], {
        stdio: ['ignore', fd, 'inherit'],
        env: { LC_ALL: 'C', PATH: process.env['PATH'] },
      }).status,
    ).toBe(0)
    closeSync(fd)
    return readFileSync(output, 'latin1')
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** The table's own parts: left out until they had a fixed place (Linux 6.4). */
function isTableItself(name: string): boolean {
  return /^kallsyms_(?:offsets|relative_base|num_syms|names|markers|token_table|token_index|seqs_of_names)$/.test(name)
}

/** What scripts/mksysmap and scripts/kallsyms.c leave out on x86, absolute symbols among it. */
function isLeftOut(type: string, name: string): boolean {
  return (
    'AaNUw'.includes(type) ||
    /^(?:\$|\.L|__crc_|__kstrtab_|__kstrtabns_|__kcfi_typeid_|__pi_\.L|__export_symbol_|__efistub_)|^L0$/.test(name) ||
    isTableItself(name)
  )
}

describe.runIf(found.size > 0)('the symbols of a boot image', () => {
  test.each([...found])('%s: are those of the debug package, every one', async (release, file) => {
    const kernel = await fetchKernel({ signal: new AbortController().signal, journal: silentJournal() }, release)
    const decoded = readFileSync(kernel.systemMap, 'latin1')
      .trimEnd()
      .split('\n')
      .filter((line) => !isTableItself(line.slice(19)))
    const symbols = nm(file, release)
      .trimEnd()
      .split('\n')
      .map((line) => ({ address: line.slice(0, 16), type: line[17]!, name: line.slice(19) }))
      .filter(({ type, name }) => !isLeftOut(type, name))
    const address = (name: string) => symbols.find((symbol) => symbol.name === name)!.address
    const [from, to] = [address('__per_cpu_start'), address('__per_cpu_end')]
    // kallsyms marks every per-CPU symbol as absolute.
    const expected = symbols.map(
      ({ address, type, name }) => `${address} ${address >= from && address <= to ? 'A' : type} ${name}`,
    )
    expect(decoded.length).toBeGreaterThan(50_000)
    const here = new Set(decoded)
    const there = new Set(expected)
    expect(expected.filter((line) => !here.has(line)).slice(0, 20)).toEqual([])
    expect(decoded.filter((line) => !there.has(line)).slice(0, 20)).toEqual([])
    expect(decoded).toHaveLength(expected.length)
    const addresses = decoded.map((line) => line.slice(0, 16))
    expect([...addresses].sort()).toEqual(addresses)
  })
})
describe.runIf(found.size === 0)('the symbols of a boot image', () => {
  test.skip('are compared with a debug package when INARCH_DBG_DIR names its directory', () => {})
})
