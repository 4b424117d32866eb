// SPDX-License-Identifier: GPL-3.0-or-later
// A change to the real kernel that the tests make live: what it edits, how its effect is seen in the guest,
// and what of the engine it exercises. One text fits several series of the kernel where the code allows it,
// as it is edited into the kernel's own source and made a patch there.

export interface Edit {
  /** Path in the kernel's tree. */
  readonly file: string
  /** Stands there once; when there are several, the one that stands in this kernel. */
  readonly from: string | readonly string[]
  /** One text for all of them, or one for each. */
  readonly to: string | readonly string[]
}

export interface Change {
  /** Also the live patch's name. */
  readonly name: string
  /** What of the engine it exercises, for docs/changes.md: one line. */
  readonly exercises: string
  /** What of a later kernel it brings to this one. */
  readonly backports?: string
  readonly edits: readonly Edit[]
  /** Functions that must be among those that are replaced. */
  readonly replaces: readonly string[]
  /** The same for a series in which the code is put into other functions. */
  readonly replacesIn?: Readonly<Record<string, readonly string[]>>
  /** Sections that the live patch must have, as the proof that it exercises what it says. */
  readonly sections?: readonly string[]
  /** Run in the guest; `probe` is the program in probe.c. */
  readonly run: string
  /** What it must print without the live patch and with it; `/expression/` too. */
  readonly before: string
  readonly after: string
  /** What it must print after the revert, if not the same as before. */
  readonly reverted?: string
  /** Modules for the guest's modprobe, besides the patched ones. */
  readonly modules?: readonly string[]
  /** A line of the kernel's log that the change provokes. */
  readonly expected?: RegExp
  /** The rules whose warnings its author has thought about. */
  readonly allow?: readonly string[]
  /** The only series that it is for: others have it, or have no such code. */
  readonly series?: readonly string[]
  /** The first series that has what it uses. */
  readonly since?: string
}
