// SPDX-License-Identifier: GPL-3.0-or-later
// A part of an expectation, ready to be walked: its bytes, and its fields and sites by where they are.
import type { Field, Part, Site, Snippet } from './expectation.ts'

type SiteOf<Kind extends Site['kind']> = Site & { readonly kind: Kind }

export type AlternativeSite = SiteOf<'alternative'>

export interface PreparedSnippet {
  readonly bytes: Buffer
  readonly fields: ReadonlyMap<number, Field>
}

export interface Prepared extends PreparedSnippet {
  readonly labels: ReadonlyMap<number, SiteOf<'label'>>
  readonly alternatives: ReadonlyMap<number, AlternativeSite>
  readonly paravirt: ReadonlyMap<number, SiteOf<'paravirt'>>
  /** Offsets of `lock` prefixes. */
  readonly locks: ReadonlySet<number>
  /** 1 for each byte that the kernel writes when it starts. */
  readonly constants: ReadonlySet<number>
}

const snippets = new WeakMap<Snippet, PreparedSnippet>()
const parts = new WeakMap<Part, Prepared>()

export function prepareSnippet(snippet: Snippet): PreparedSnippet {
  const known = snippets.get(snippet)
  if (known !== undefined) return known
  const prepared = {
    bytes: Buffer.from(snippet.code, 'base64'),
    fields: new Map(snippet.fields.map((field) => [field.at, field])),
  }
  snippets.set(snippet, prepared)
  return prepared
}

export function prepare(part: Part): Prepared {
  const known = parts.get(part)
  if (known !== undefined) return known
  const of = <Kind extends Site['kind']>(kind: Kind) =>
    new Map(part.sites.flatMap((site) => (site.kind === kind ? [[site.at, site as SiteOf<Kind>] as const] : [])))
  const prepared: Prepared = {
    ...prepareSnippet(part),
    labels: of('label'),
    alternatives: of('alternative'),
    paravirt: of('paravirt'),
    locks: new Set(of('lock').keys()),
    constants: new Set(
      [...of('constant').values()].flatMap(({ at, length }) => Array.from({ length }, (_, index) => at + index)),
    ),
  }
  parts.set(part, prepared)
  return prepared
}
