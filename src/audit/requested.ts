// SPDX-License-Identifier: GPL-3.0-or-later
// What the author of a patch asks for with the macros of kernel/include, kpatch's, or the kernel's own: they leave
// notes in sections of the patched object. Read anew, since a build that misread them would also believe what it made
// of them.
import { isFunction, type Named, textAt } from './object-view.ts'
import type { UnitView } from './unit.ts'

/** The sections of which the author asks for copies. */
export function requestedSections({ after: { view } }: UnitView): ReadonlySet<string> {
  const notes = view.object.sections.filter(({ name }) => /^\.(inarch|kpatch)\.include\.sections$/.test(name))
  return new Set(
    notes.flatMap((note) => [
      ...note.data.toString('latin1').split('\0'),
      ...view.references(note).flatMap(({ target }) => (target.kind === 'place' ? textAt(target.place) : [])),
    ]),
  )
}

/** A function that the kernel is to call back. */
export interface RequestedCallback {
  readonly unit: UnitView
  readonly kind: string
  readonly extent: Named
}

export function requestedCallbacks(unit: UnitView): RequestedCallback[] {
  const { view } = unit.after
  return view.object.sections.flatMap((section) => {
    const [, kind] = /^\.(?:inarch|kpatch)\.callbacks\.(\w+)$/.exec(section.name) ?? []
    if (kind === undefined && section.name !== '.discard.klp_callback_ptrs') return []
    return view.references(section).flatMap(({ offset, target }) => {
      const [pointer] = view.at({ section, offset })
      const called = kind ?? /^__klp_(\w+)_callback_/.exec(pointer?.name ?? '')?.[1]
      const extent = view.ledTo(target).find((one): one is Named => isFunction(one))
      return extent === undefined || called === undefined ? [] : [{ unit, kind: called, extent }]
    })
  })
}

const isStates = /^\.(inarch|kpatch)\.states$/
/** Bytes. */
const stateSize = 16

/** As `id version` (struct inarch_state). */
export function requestedStates({ after: { view } }: UnitView): string[] {
  return view.named
    .filter(({ section: { name, data }, start }) => isStates.test(name) && start + stateSize <= data.length)
    .map(({ section: { data }, start }) => `${data.readBigUInt64LE(start)} ${data.readUInt32LE(start + 8)}`)
}
