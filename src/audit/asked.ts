// SPDX-License-Identifier: GPL-3.0-or-later
// What the author of a patch asks for with the macros of kernel/include, kpatch's, or the kernel's own: they leave notes in
// sections of the patched object. Read anew, since a build that misread them would also believe what it made of them.
import { type Extent, isFunction } from './object-view.ts'
import type { UnitView } from './unit.ts'

/** The sections of which the author asks for copies. */
export function sectionsAskedFor(units: readonly UnitView[]): (unit: UnitView, section: string) => boolean {
  const asked = new Map(units.map((unit) => [unit.unit, askedIn(unit)]))
  return ({ unit }, section) => asked.get(unit)?.has(section) === true
}

function askedIn({ after: { view } }: UnitView): ReadonlySet<string> {
  const asked = new Set<string>()
  for (const section of view.object.sections) {
    if (!/^\.(inarch|kpatch)\.include\.sections$/.test(section.name)) continue
    for (const name of section.data.toString('latin1').split('\0')) asked.add(name)
    for (const relocation of view.relocations({ section, start: 0, end: section.size })) {
      const target = view.target(section, relocation)
      if (target.kind !== 'place') continue
      const { data } = target.place.section
      asked.add(data.toString('latin1', target.place.offset, data.indexOf(0, target.place.offset)))
    }
  }
  return asked
}

/** A function that the kernel is to call back. */
export interface AskedCallback {
  readonly kind: string
  readonly extent: Extent
}

export function callbacksAskedFor({ after: { view } }: UnitView): AskedCallback[] {
  return view.object.sections.flatMap((section) => {
    const [, kind] = /^\.(?:inarch|kpatch)\.callbacks\.(\w+)$/.exec(section.name) ?? []
    const isKernelsOwn = section.name === '.discard.klp_callback_ptrs'
    if (kind === undefined && !isKernelsOwn) return []
    return view
      .relocations({ section, start: 0, end: section.size })
      .flatMap((relocation): AskedCallback[] => {
        const holder = view.named.find((one) => one.section === section && one.start === relocation.offset)
        const [, named] = /^__klp_(\w+)_callback_/.exec(holder?.symbol?.name ?? '') ?? []
        const target = view.target(section, relocation)
        const extents = target.kind === 'place' ? view.extentsAt(target.place, target.symbol) : []
        const extent = extents.find(isFunction)
        const called = kind ?? named
        return extent === undefined || called === undefined ? [] : [{ kind: called, extent }]
      })
  })
}

/** As `id version` (struct inarch_state). */
export function statesAskedFor({ after: { view } }: UnitView): string[] {
  return view.named
    .filter(({ section }) => /^\.(inarch|kpatch)\.states$/.test(section.name))
    .map(({ section: { data }, start }) => `${data.readBigUInt64LE(start)} ${data.readUInt32LE(start + 8)}`)
}
