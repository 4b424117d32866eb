// SPDX-License-Identifier: GPL-3.0-or-later
// The guest's whole user space: busybox, our init, the live patch and the modules that it needs.
// Not compressed: gzip saves 1 MB and costs as much time as it saves (measured, DESIGN's machine).
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { segmentType } from '../../elf/format.ts'
import { bytesAt, readSegments } from '../../elf/linked.ts'
import { command } from '../../ground/command.ts'
import { Fault } from '../../ground/fault.ts'
import { type Entry, writeCpio } from './cpio.ts'

/** A statically linked busybox, as Debian's busybox-static brings it. */
export interface Busybox {
  readonly bytes: Buffer
  /** The programs it offers. */
  readonly applets: readonly string[]
}

const noBusybox = (message: string) =>
  new Fault('environment', 'no-busybox', message, {
    remedy: 'Install it with `apt-get install busybox-static`, or run `npm run setup`',
  })

/** True for an ELF program that asks for no interpreter, that is, for no shared libraries. */
function isStatic(bytes: Buffer): boolean {
  try {
    const segments = readSegments(bytesAt(bytes), () => noBusybox('busybox is no program'))
    return !segments.some(({ type }) => type === segmentType.interpreter)
  } catch (error) {
    if (error instanceof Fault) return false
    throw error
  }
}

/**
 * Finds a static busybox on PATH.
 * @throws Fault `environment/no-busybox`
 */
export async function findBusybox(signal?: AbortSignal): Promise<Busybox> {
  const dirs = new Set([...(process.env['PATH'] ?? '').split(':'), '/bin', '/usr/bin'])
  for (const dir of dirs) {
    const file = path.join(dir, 'busybox')
    if (!path.isAbsolute(dir) || !existsSync(file)) continue
    const bytes = await readFile(file)
    if (!isStatic(bytes)) continue
    const { stdout } = await command(file, ['--list'], { ...(signal ? { signal } : {}), timeout: 10_000 })
    const applets = stdout.split('\n').filter((name) => /^[A-Za-z0-9_.[-]+$/.test(name))
    return { bytes, applets }
  }
  throw noBusybox('There is no statically linked busybox for the virtual machine')
}

/**
 * Writes an initramfs to `output`: busybox with its links, `init`, device nodes and `extra`, whose
 * parent directories are made as needed. Deterministic.
 */
export async function writeInitramfs(
  output: string,
  busybox: Busybox,
  init: string,
  extra: readonly Entry[],
): Promise<void> {
  const entries: Entry[] = []
  const made = new Set<string>()
  const directory = (dir: string) => {
    if (dir === '.' || dir === '' || made.has(dir)) return
    directory(path.posix.dirname(dir))
    made.add(dir)
    entries.push({ kind: 'directory', path: dir })
  }
  const put = (entry: Entry) => {
    directory(path.posix.dirname(entry.path))
    entries.push(entry)
  }
  for (const dir of ['bin', 'dev', 'etc', 'mnt', 'proc', 'run', 'sys', 'tmp', 'usr']) directory(dir)
  put({ kind: 'device', path: 'dev/console', major: 5, minor: 1 })
  put({ kind: 'device', path: 'dev/null', major: 1, minor: 3 })
  put({ kind: 'link', path: 'sbin', target: 'bin' })
  put({ kind: 'link', path: 'usr/bin', target: '../bin' })
  put({ kind: 'link', path: 'usr/sbin', target: '../bin' })
  put({ kind: 'file', path: 'bin/busybox', bytes: busybox.bytes, mode: 0o755 })
  for (const applet of busybox.applets)
    if (applet !== 'busybox') put({ kind: 'link', path: `bin/${applet}`, target: 'busybox' })
  put({ kind: 'file', path: 'etc/passwd', bytes: Buffer.from('root::0:0:root:/tmp:/bin/sh\n') })
  put({ kind: 'file', path: 'etc/group', bytes: Buffer.from('root:x:0:\n') })
  put({ kind: 'file', path: 'init', bytes: Buffer.from(init), mode: 0o755 })
  for (const entry of extra) put(entry)
  await writeFile(output, writeCpio(entries))
}
