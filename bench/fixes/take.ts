// SPDX-License-Identifier: GPL-3.0-or-later
// Takes the chosen fixes out of the difference between two sources, and checks that the changelog of the newer
// one has them. Only needed again when the choice changes.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { command } from '../../src/ground/command.ts'
import type { Job } from '../../src/ground/job.ts'
import { withScratch } from '../../src/ground/scratch.ts'
import { archiveOf } from '../../src/kernel/apt.ts'
import { archiveKernels, download } from '../../src/kernel/archive.ts'
import { distributionOfRelease } from '../../src/kernel/distributions.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { type Choice, type ChosenFix, patchDir, patchOf } from './choice.ts'

/**
 * Writes the patch of each fix.
 * @returns what the changelog does not have, and hunks that are not there
 */
export async function takePatches(job: Job, choice: Choice, older: Kernel, newer: Kernel): Promise<string[]> {
  const known = await changelogTitles(job, newer, choice.older)
  const complaints = choice.fixes.flatMap(({ id, titles }) =>
    titles.filter((title) => !known.has(title)).map((title) => `${id}: the changelog does not have "${title}"`),
  )
  mkdirSync(patchDir(choice.set), { recursive: true })
  for (const fix of choice.fixes) {
    const { text, missing } = await patchText(fix, older, newer)
    complaints.push(...missing)
    writeFileSync(patchOf(choice.set, fix.id), text, 'latin1')
  }
  return complaints
}

async function patchText(
  { id, titles, files }: ChosenFix,
  older: Kernel,
  newer: Kernel,
): Promise<{ text: string; missing: string[] }> {
  const missing: string[] = []
  const head =
    `${titles.join('\n')}\n\nFrom the Linux kernel as Debian has it, ${older.version} to ` + `${newer.version}.\n---\n`
  const parts: string[] = []
  for (const [file, wanted] of Object.entries(files)) {
    const labels = ['--label', `a/${file}`, '--label', `b/${file}`]
    const sides = [path.join(older.source, file), path.join(newer.source, file)]
    const { stdout } = await command('diff', ['-u', ...labels, ...sides], { allowFailure: true })
    const [names = '', ...hunks] = stdout.split(/^(?=@@)/m)
    const chosen = wanted === 'all' ? hunks : wanted.flatMap((index) => hunks[index] ?? [])
    if (chosen.length === 0 || (wanted !== 'all' && chosen.length !== wanted.length))
      missing.push(`${id}: the difference in ${file} has ${hunks.length} hunks`)
    parts.push(names, ...chosen)
  }
  return { text: head + parts.join(''), missing }
}

/** What the changelog of `newer` lists since the version `older`. */
async function changelogTitles(job: Job, { release, version }: Kernel, older: string): Promise<Set<string>> {
  const archive = archiveOf(distributionOfRelease(release))
  const kernels = await archiveKernels(job, archive)
  const known = kernels.find((one) => one.release === release && one.version === version)
  const headers = known?.packages.find(({ name }) => name === `linux-headers-${release}`)
  if (headers === undefined) throw new Error(`the archive has no headers of ${version} any more`)
  return withScratch(async (dir) => {
    const [deb = ''] = await job.journal.step('Fetching the changelog', (step) =>
      download(job, step, archive, [headers], dir),
    )
    await command('dpkg-deb', ['-x', deb, path.join(dir, 'x')], { signal: job.signal })
    const { stdout } = await command('find', [path.join(dir, 'x'), '-name', 'changelog.Debian.gz'])
    const { readFileSync } = await import('node:fs')
    const text = gunzipSync(readFileSync(stdout.trim())).toString('utf8')
    const end = text.search(new RegExp(`^\\S+ \\(${older.replaceAll(/[.+]/g, '\\$&')}\\)`, 'm'))
    const items = text.slice(0, end < 0 ? undefined : end).split(/^ {4}- /m)
    return new Set(
      items.map((item) =>
        item
          .split('\n\n')[0]!
          .replaceAll(/\n {2,}(\[|https:|\*).*/gs, '')
          .replaceAll(/\s+/g, ' ')
          .trim(),
      ),
    )
  })
}
