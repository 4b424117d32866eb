// SPDX-License-Identifier: GPL-3.0-or-later
// The set-up as its users meet it: nothing to do, and something to do that it may not do itself.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
const script = new URL('../../scripts/node-range.mjs', import.meta.url)

/** A checkout of its own, without what the set-up makes. */
function withCheckout(work: (dir: string) => void): void {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-setup-'))
  try {
    for (const name of ['package.json', 'package-lock.json', 'scripts', 'src'])
      cpSync(path.join(root, name), path.join(dir, name), { recursive: true })
    work(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

describe('the set-up', () => {
  test('says nothing when nothing is missing', () => {
    const setup = () => spawnSync(process.execPath, ['scripts/setup.mjs'], { cwd: root, encoding: 'utf8' })
    // The first call may have to build the command: these tests also run while its sources are edited.
    expect(setup().status).toBe(0)
    expect(setup()).toMatchObject({ status: 0, stdout: '', stderr: '' })
  })

  test('builds the command again after its sources changed', () => {
    withCheckout((dir) => {
      symlinkSync(path.join(root, 'node_modules'), path.join(dir, 'node_modules'))
      const setup = () => spawnSync(process.execPath, ['scripts/setup.mjs'], { cwd: dir, encoding: 'utf8' }).stderr
      expect(setup()).toMatch(/^setup: built dist\/inarch\.js \(.*\)\n$/)
      expect(setup()).toBe('')
      writeFileSync(path.join(dir, 'src/cli/main.ts'), "console.log('changed')\n")
      expect(setup()).toMatch(/^setup: built dist\/inarch\.js/)
      const run = spawnSync(process.execPath, ['dist/inarch.js'], { cwd: dir, encoding: 'utf8' })
      expect(run.stdout).toBe('changed\n')
    })
  })

  test('for the tests says which Node they need before it does anything', () => {
    withCheckout((dir) => {
      symlinkSync(path.join(root, 'node_modules'), path.join(dir, 'node_modules'))
      const lock = JSON.parse(readFileSync(path.join(dir, 'package-lock.json'), 'utf8'))
      lock.packages['node_modules/vite'].engines.node = '^99.1.0 || >=100'
      writeFileSync(path.join(dir, 'package-lock.json'), JSON.stringify(lock))
      const { status, stderr } = spawnSync(process.execPath, ['scripts/setup.mjs', '--tests'], {
        cwd: dir,
        encoding: 'utf8',
      })
      expect([status, stderr]).toEqual([
        5,
        `setup: the tests do not run with Node ${process.versions.node}: they need ^99.1.0 || >=100\n`,
      ])
    })
  })

  test.runIf(process.getuid?.() === 0)(
    'gives one line with the command to run to a user who may not install packages',
    () => {
      withCheckout((dir) => {
        // dpkg's own variable shows it a system in which nothing is installed.
        const empty = path.join(dir, 'dpkg')
        mkdirSync(path.join(empty, 'info'), { recursive: true })
        writeFileSync(path.join(empty, 'status'), '')
        const nobody = 65534
        spawnSync('chown', ['-R', `${nobody}:${nobody}`, dir])
        const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/setup.mjs'], {
          cwd: dir,
          encoding: 'utf8',
          uid: nobody,
          gid: nobody,
          env: { ...process.env, HOME: dir, DPKG_ADMINDIR: empty },
        })
        expect(stdout).toBe('')
        expect(stderr).toMatch(
          /^setup: run this, then try again: sudo apt-get update && sudo apt-get install --no-install-recommends [^\n]*qemu-system-x86[^\n]*\n$/,
        )
        expect(status).toBe(5)
      })
    },
  )
})

test.each([
  ['^20.19.0 || >=22.12.0', { '20.12.0': false, '20.19.0': true, '21.7.0': false, '22.11.9': false, '24.0.0': true }],
  ['>=20.12', { '20.9.0': false, '20.12.0': true, '22.0.0': true, '18.20.0': false }],
  ['^22', { '22.0.0': true, '24.1.0': false }],
  ['20.x', { '18.0.0': true }],
])('the range %s has some Nodes, and others not', async (range, nodes) => {
  const { isNodeIn } = await import(script.href)
  expect(Object.fromEntries(Object.keys(nodes).map((node) => [node, isNodeIn(range, node)]))).toEqual(nodes)
})
