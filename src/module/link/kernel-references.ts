// SPDX-License-Identifier: GPL-3.0-or-later
// What a live patch module says of the kernel that it is for, and of each place in it that it reaches by distance: the
// tables that kernel/module.c reads when it begins. Here they are written, and read again by whoever looks at a
// module.
import { relocationType } from '../../elf/format.ts'
import type { ObjectFile } from '../../elf/read.ts'
import { type SectionDraft, type SymbolDraft, sectionSymbol } from '../../elf/write.ts'
import type { Identity } from '../../match/identity.ts'
import { anchor, type Distance } from '../bind/distance.ts'
import { ownSection } from '../structures/tables.ts'

/** The symbols by which kernel/module.c knows the tables. */
export const imageSymbol = 'inarch_image'
export const referencesSymbol = 'inarch_references'

const imageSection = '.init.rodata.inarch_image'
const referencesSection = '.init.rodata.inarch_references'
const namesSection = '.init.rodata.inarch_names'

/** Bytes of struct inarch_image: two strings of __NEW_UTS_LEN + 1, and the build-id behind its length. */
const stringSize = 65
const longestBuildId = 32
const imageSize = 2 * stringSize + 1 + longestBuildId
/** Bytes of struct inarch_reference. */
const entrySize = 16
/** Bytes of the names of one place. They are aliases, of which the kernel has some twenty; each is at most 512 long. */
const longestNames = 64 * 1024

export interface Tables {
  readonly image: SectionDraft
  readonly references: SectionDraft
  readonly sections: readonly SectionDraft[]
  /** Further symbols that the sections need. */
  readonly symbols: readonly SymbolDraft[]
}

/**
 * @param from the symbol of the anchor
 * @param distances of everything that the module reaches by distance
 */
export function referenceTables(
  { release, version, buildId = '' }: Identity,
  from: SymbolDraft | undefined,
  distances: readonly Distance[],
): Tables {
  const image = Buffer.alloc(imageSize)
  // The kernel's own strings are cut off there.
  image.write(release.slice(0, stringSize - 1), 0, 'latin1')
  image.write(version.slice(0, stringSize - 1), stringSize, 'latin1')
  const id = Buffer.from(buildId, 'hex').subarray(0, longestBuildId)
  image.writeUInt8(id.length, 2 * stringSize)
  id.copy(image, 2 * stringSize + 1)

  const texts: Buffer[] = []
  let textSize = 0
  const names = ownSection(namesSection, 0, 1, Buffer.alloc(0))
  const namesStart = sectionSymbol(names)
  const sorted = [...distances].sort((a, b) => a.bytes - b.bytes)
  const references = ownSection(referencesSection, 0, 8, Buffer.alloc(entrySize * (sorted.length + 1)))
  sorted.forEach((one, index) => {
    if (from === undefined) throw new Error(`the module does not refer to ${anchor}`)
    const offset = entrySize * index
    references.relocations.push(
      { offset, type: relocationType.abs64, symbol: from, addend: one.bytes },
      { offset: offset + 8, type: relocationType.abs64, symbol: namesStart, addend: textSize },
    )
    const text = Buffer.from(`${one.names.join('\0')}\0\0`, 'latin1')
    texts.push(text)
    textSize += text.length
  })
  names.data = Buffer.concat(texts)
  const own = [ownSection(imageSection, 0, 1, image), references] as const
  const isEmpty = sorted.length === 0
  return {
    image: own[0],
    references,
    sections: isEmpty ? own : [...own, names],
    symbols: isEmpty ? [] : [namesStart],
  }
}

/** The image that a module was made for; undefined for a module without the table. */
export function imageIn(module: ObjectFile): Identity | undefined {
  const data = module.sections.find(({ name }) => name === imageSection)?.data
  if (data === undefined || data.length !== imageSize) return undefined
  const text = (at: number) => data.toString('latin1', at, at + stringSize).replace(/\0.*$/s, '')
  const size = data[2 * stringSize] ?? 0
  const start = 2 * stringSize + 1
  return {
    release: text(0),
    version: text(stringSize),
    buildId: size === 0 ? undefined : data.toString('hex', start, start + Math.min(size, longestBuildId)),
  }
}

/** What a module reaches by distance, nearest to the image's beginning first. */
export function distancesIn(module: ObjectFile): Distance[] {
  const section = module.sections.find(({ name }) => name === referencesSection)
  if (section === undefined) return []
  const found: Distance[] = []
  const relocations = module.relocations(section)
  for (const [index, { offset, symbol, addend }] of relocations.entries()) {
    const text = relocations[index + 1]
    if (offset % entrySize !== 0 || symbol.name !== anchor || text?.offset !== offset + 8) continue
    const data = text.symbol.section?.data ?? Buffer.alloc(0)
    const start = text.symbol.value + text.addend
    if (start < 0) continue
    const names = data.subarray(start, start + longestNames)
    const end = names.indexOf('\0\0', 0, 'latin1')
    if (end < 0) continue
    found.push({ bytes: addend, names: names.toString('latin1', 0, end).split('\0') })
  }
  return found
}
