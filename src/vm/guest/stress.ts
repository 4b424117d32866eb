// SPDX-License-Identifier: GPL-3.0-or-later
// stress-ng for the guest: the program of this machine with the shared libraries that it needs, each where the
// program looks for it.
import { access, readFile } from 'node:fs/promises'
import { command } from '../../ground/command.ts'
import type { Entry } from './cpio.ts'

const program = '/usr/bin/stress-ng'
/** The loader that the x86-64 ABI names. */
const loader = '/lib64/ld-linux-x86-64.so.2'

/** What the guest needs for stress-ng; undefined when this machine does not have it. */
export async function stressEntries(signal: AbortSignal): Promise<Entry[] | undefined> {
  try {
    await access(program)
  } catch {
    return undefined
  }
  const { stdout, exitCode } = await command(loader, ['--list', program], {
    signal,
    timeout: 10_000,
    allowFailure: true,
  })
  const libraries = [...stdout.matchAll(/ => (\/\S+) \(/g)].map(([, file]) => file ?? '')
  if (exitCode !== 0 || libraries.length === 0) return undefined
  const files = [...new Set([program, loader, ...libraries])]
  return Promise.all(
    files.map(
      async (file): Promise<Entry> => ({
        kind: 'file',
        // In the guest /usr/bin is /bin.
        path: file === program ? 'bin/stress-ng' : file.slice(1),
        bytes: await readFile(file),
        mode: 0o755,
      }),
    ),
  )
}
