// SPDX-License-Identifier: GPL-3.0-or-later
// An expectation, ready to be compared with code at any address: the bytes of each part, and its fields and sites by
// where they are.
import type { Expectation, Field, Part, Site, Snippet } from './expectation.ts'

type SiteOf<Kind extends Site['kind']> = Site & { readonly kind: Kind }

export interface PreparedSnippet {
  readonly bytes: Buffer
  readonly fields: ReadonlyMap<number, Field>
}

export interface AlternativeSite extends Omit<SiteOf<'alternative'>, 'choices'> {
  readonly choices: readonly PreparedSnippet[]
}

export interface PreparedPart extends PreparedSnippet, Pick<Part, 'name'> {
  readonly labels: ReadonlyMap<number, SiteOf<'label'>>
  readonly alternatives: ReadonlyMap<number, AlternativeSite>
  readonly paravirt: ReadonlyMap<number, SiteOf<'paravirt'>>
  /** Offsets of `lock` prefixes. */
  readonly locks: ReadonlySet<number>
  /** Offsets of the bytes that the kernel writes when it starts. */
  readonly constants: ReadonlySet<number>
}

export type PreparedParts = readonly [PreparedPart, ...PreparedPart[]]

export function prepare({ parts: [main, ...others] }: Expectation): PreparedParts {
  return [preparePart(main), ...others.map(preparePart)]
}

function prepareSnippet({ code, fields }: Snippet): PreparedSnippet {
  return { bytes: Buffer.from(code, 'base64'), fields: new Map(fields.map((field) => [field.at, field])) }
}

function preparePart(part: Part): PreparedPart {
  const of = <Kind extends Site['kind']>(kind: Kind) =>
    new Map(part.sites.flatMap((site) => (site.kind === kind ? [[site.at, site as SiteOf<Kind>] as const] : [])))
  const alternatives = [...of('alternative')].map(
    ([at, site]) => [at, { ...site, choices: site.choices.map(prepareSnippet) }] as const,
  )
  return {
    ...prepareSnippet(part),
    ...(part.name === undefined ? {} : { name: part.name }),
    labels: of('label'),
    alternatives: new Map(alternatives),
    paravirt: of('paravirt'),
    locks: new Set(of('lock').keys()),
    constants: new Set(
      [...of('constant').values()].flatMap(({ at, length }) => Array.from({ length }, (_, index) => at + index)),
    ),
  }
}
