// SPDX-License-Identifier: GPL-3.0-or-later
// What Debian lays over the upstream source when it builds its kernels: the packaging tarball of a source
// package. The series of patches for the flavours of a feature set (real-time) is found nowhere else.
// apt is asked for the archive's lists of sources in lists of our own, whatever the machine's package
// sources name; they are signed as the lists of packages are, and hold the hash of every file.
import { mkdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { withLock } from '../ground/lock.ts'
import { withScratch } from '../ground/scratch.ts'
import { ageOf } from '../ground/stamp.ts'
import type { Patch } from '../patch/patch.ts'
import { readPatches } from '../patch/read.ts'
import { type Archive, apt, configureApt } from './apt.ts'

/** A source package of one version. */
export interface SourcePackage {
  readonly name: string
  readonly version: string
}

/** The packaging tarball as a list of sources describes it. */
export interface PackagingFile {
  /** Relative to the archive's root. */
  readonly path: string
  readonly sha256: string
}

/** ms for which the lists of sources are good enough. */
const minutes = 600_000

const helper = '/usr/lib/apt/apt-helper'

/** apt's options for a state that holds lists of sources alone (an index target, see apt.conf(5)). */
function sourceOptions({ dir }: Archive): string[] {
  const target = 'Acquire::IndexTargets::deb::inarch-sources'
  return [
    `Dir::State::lists=${path.join(dir, 'sources')}`,
    'Dir::Cache::pkgcache=',
    'Acquire::IndexTargets::deb::Packages::DefaultEnabled=false',
    `${target}::MetaKey=$(COMPONENT)/source/Sources`,
    `${target}::ShortDescription=Sources`,
    `${target}::Description=$(RELEASE)/$(COMPONENT) Sources`,
    `${target}::Optional=true`,
  ].flatMap((option) => ['-o', option])
}

/**
 * Finds the packaging tarball of a source package in the text of a list of sources (deb-src's `Sources`,
 * stanzas as in the Debian policy manual, 5.4).
 */
export function findPackaging(sources: Buffer, wanted: SourcePackage): PackagingFile | undefined {
  const start = Buffer.from(`Package: ${wanted.name}\n`, 'latin1')
  for (let at = sources.indexOf(start); at >= 0; at = sources.indexOf(start, at + 1)) {
    // `Testsuite-Package: …`, for one, is another field.
    if (at > 0 && sources.toString('latin1', at - 2, at) !== '\n\n') continue
    const end = sources.indexOf('\n\n', at)
    const stanza = sources.toString('latin1', at, end < 0 ? sources.length : end)
    const field = (name: string) => new RegExp(`^${name}:(.*(?:\\n[ \\t].*)*)`, 'm').exec(stanza)?.[1] ?? ''
    if (field('Version').trim() !== wanted.version) continue
    const directory = field('Directory').trim()
    for (const line of field('Checksums-Sha256').split('\n')) {
      const [, sha256, name] = /^\s*([\da-f]{64})\s+\d+\s+([\w.+~-]+\.debian\.tar\.\w+)$/.exec(line) ?? []
      if (sha256 !== undefined && name !== undefined && /^\w[\w.+~/-]*$/.test(directory))
        return { path: `${directory}/${name}`, sha256 }
    }
  }
  return undefined
}

/**
 * Downloads the packaging tarball of a source package into `dir`, checked against the archive's signed
 * hashes.
 * @returns its path; undefined when the archive does not have it (any more)
 * @throws Fault `environment/download-failed`
 */
async function downloadPackaging(
  job: Job,
  archive: Archive,
  wanted: SourcePackage,
  dir: string,
): Promise<string | undefined> {
  await configureApt(archive, job.signal)
  mkdirSync(path.join(archive.dir, 'sources/partial'), { recursive: true })
  const options = { signal: job.signal, allowFailure: true }
  const lists = await withLock(path.join(archive.dir, 'sources'), { signal: job.signal }, async () => {
    // Where one version's source is missing, the next one is asked for at once.
    const updated = path.join(archive.dir, 'sources-updated')
    if (ageOf(updated) > minutes) {
      const update = await apt(archive, 'apt-get', ['-q', 'update', ...sourceOptions(archive)], options)
      if (!/^(?:Get|Hit):/m.test(update.stdout))
        throw new Fault('environment', 'archive-unreachable', 'The Debian archive can’t be reached', {
          remedy: 'Check the network, then try again',
          detail: update.stderr.trimEnd().split('\n').slice(-5).join('\n'),
        })
      await writeFile(updated, '')
    }
    const format = '$(REPO_URI) $(FILENAME)'
    const { stdout } = await apt(
      archive,
      'apt-get',
      ['indextargets', ...sourceOptions(archive), '--format', format, 'Identifier: inarch-sources'],
      options,
    )
    return stdout.split('\n').filter((line) => line !== '')
  })
  for (const line of lists) {
    const [root = '', file = ''] = line.split(/ (.*)/)
    const text = path.join(dir, 'Sources')
    await apt(archive, helper, ['cat-file', file], { ...options, outputFile: text })
    const found = findPackaging(await readFile(text), wanted)
    if (found === undefined) continue
    const target = path.join(dir, path.basename(found.path))
    const end = await apt(
      archive,
      helper,
      ['download-file', `${root}${found.path}`, target, `SHA256:${found.sha256}`],
      options,
    )
    if (end.exitCode === 0) return target
    // The list may be ahead of the files.
    if (!/\b(?:404|410)\b/.test(`${end.stdout}${end.stderr}`))
      throw new Fault(
        'environment',
        'download-failed',
        `The Debian archive did not deliver the source package ${wanted.name} ${wanted.version}`,
        {
          remedy: 'Check the network and the disk, then try again',
          detail: `${end.stdout}${end.stderr}`.trimEnd().split('\n').slice(-8).join('\n'),
        },
      )
  }
  return undefined
}

/** The names in a series file, in their order (quilt(1): one each line, options behind, `#` for remarks). */
export function parseSeries(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const name = line.replace(/#.*/, '').trim().split(/\s+/)[0]!
    return name === '' ? [] : [name]
  })
}

/**
 * The patches that the kernels of a feature set, such as `rt`, have on top of the source of all others.
 * @throws Fault `environment/source-missing` when the archive has the packages but not their source,
 *   `environment/download-failed`, `environment/archive-unreachable`, `environment/package-unexpected`
 */
export async function featurePatches(
  job: Job,
  archive: Archive,
  source: SourcePackage,
  feature: string,
): Promise<Patch[]> {
  return withScratch(async (dir) => {
    const tarball = await downloadPackaging(job, archive, source, dir)
    if (tarball === undefined)
      throw new Fault(
        'environment',
        'source-missing',
        `The Debian archive does not have the source package ${source.name} ${source.version}`,
        {
          detail: `Only it holds the patches of the feature set “${feature}”.`,
          remedy: 'Choose another version (see `inarch kernels`); this one may come later',
        },
      )
    const series = `debian/patches-${feature}`
    await command('tar', ['-C', dir, '--no-same-owner', '-xf', tarball, series], {
      signal: job.signal,
      guarded: true,
    })
    const names = parseSeries(await readFile(path.join(dir, series, 'series'), 'utf8'))
    if (names.length === 0 || names.some((name) => path.isAbsolute(name) || name.split('/').includes('..')))
      throw new Fault(
        'environment',
        'package-unexpected',
        `The source package ${source.name} ${source.version} has an unexpected layout: ${series}/series`,
      )
    return readPatches(names.map((name) => path.join(dir, series, name)))
  })
}
