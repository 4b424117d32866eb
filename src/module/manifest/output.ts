// SPDX-License-Identifier: GPL-3.0-or-later
// What a build ends with: the module and its manifest as files, or the reasons why there is none.
import path from 'node:path'
import type { PatchedUnit } from '../../audit/audit.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import { version } from '../../ground/version.ts'
import { writeAllWhole } from '../../ground/whole-file.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Layout } from '../structures/template.ts'
import type { Manifest } from './manifest.ts'

/** A module before it is written. */
export interface BuiltModule {
  readonly bytes: Buffer
  readonly manifest: Manifest
  /** How its kernel lays the livepatch structures out. */
  readonly layout: Layout
  /** The directory with its source, if it has one. */
  readonly directory?: string
  /** What the files of its own source compile to, and the units that they stand for, if it was made of some. */
  readonly parts?: readonly PatchedUnit[]
}

export interface WrittenModule {
  readonly module: string
  readonly manifestFile: string
  readonly manifest: Manifest
  /** The directory with its source, if one was made. */
  readonly directory?: string
}

/** Writes the module and the manifest; neither is seen before both are whole. */
export async function writeModule(output: string, bytes: Buffer, manifest: Manifest): Promise<WrittenModule> {
  const module = path.join(output, `livepatch-${manifest.name}.ko`)
  const manifestFile = path.join(output, `livepatch-${manifest.name}.json`)
  await writeAllWhole([
    { file: module, content: bytes },
    { file: manifestFile, content: `${JSON.stringify(manifest, null, 2)}\n` },
  ])
  return { module, manifestFile, manifest }
}

/** The Fault for a patch that leaves everything as it is. */
export function changesNothing(findings: readonly Finding[]): Fault {
  return new Fault('refused', 'no-functional-change', 'The patch makes no functional change', {
    remedy: 'Only comments, white space or unused code differ, so there is nothing to replace',
    findings,
  })
}

/** What every manifest begins with. */
export function manifestHead(
  { release, version: kernelVersion, origin, compiler }: Kernel,
  name: string,
  description: string,
): Pick<Manifest, 'format' | 'name' | 'module' | 'description' | 'tool' | 'kernel'> {
  return {
    format: 'inarch-manifest-1',
    name,
    module: moduleNameOf(name),
    description,
    tool: { name: 'inarch', version },
    kernel: { release, version: kernelVersion, origin, compiler: compiler.versionText },
  }
}

/** What the module itself says of its origin, as lines of modinfo. */
export function originInfo(patches: readonly { readonly file: string; readonly sha256: string }[]): string[] {
  return [`inarch=${version}`, ...patches.map(({ file, sha256 }) => `inarch_patch=${sha256} ${file}`)]
}

/** The name by which the kernel knows the live patch `name`. */
export function moduleNameOf(name: string): string {
  return `livepatch_${name.replaceAll('-', '_')}`
}
