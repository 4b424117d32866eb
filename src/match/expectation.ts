// SPDX-License-Identifier: GPL-3.0-or-later
// What the running kernel must have where a function of it is replaced: the code that the compiler makes of the source
// before the patch, what each relocated field in it must lead to, and the sites that the kernel rewrites itself. It is
// a plain value that the manifest carries, so that a host can compare without compiler and source.

/**
 * What a field holds: a distance from the end of its instruction (`near`, 4 bytes; `far`, 8; `short`, the one byte of a
 * jump), or an address of 4 or 8 bytes.
 */
export const fieldForms = ['near', 'far', 'short', 'signed', 'unsigned', 'wide'] as const
export type FieldForm = (typeof fieldForms)[number]

/** Where a field leads. */
export type Destination =
  | PlainDestination
  /** To an entry of a table that is about the function itself. */
  | { readonly entry: ToldEntry }
  /** To what UBSAN tells of a place in the source, and where it keeps that it has told it. */
  | { readonly complaint: ToldEntry }

/** What an entry of a table, or other nameless data that the kernel writes to, must say. */
export interface ToldEntry {
  /** base64 */
  readonly code: string
  readonly fields: readonly Field<PlainDestination>[]
}

export type PlainDestination =
  /**
   * `plus` bytes behind a symbol; with `within`, anywhere in that many bytes, since linking moves code inside of
   * functions.
   */
  | {
      readonly symbol: string
      readonly plus?: number
      readonly within?: number
      /** The symbol is the unit's own: another one of this name is not meant. */
      readonly own?: true
      /** It has no bytes, so others may lie at its address. */
      readonly empty?: true
    }
  /** Into the function itself: a part, by its place in the list, and the offset in our code. */
  | { readonly part: number; readonly plus?: number }
  /** To something without a name that has this content (base64): a string, a constant. */
  | { readonly holds: string }
  /**
   * To the name of a source file, which begins with `./` or not, as the build was beside the source or in it; with
   * `whole`, or with all of the directory in which the source was, since no option maps the name.
   */
  | { readonly file: string; readonly whole?: true }
  /** To an address that the compiler knew. */
  | { readonly value: number }
  /** Nobody can tell. */
  | { readonly unknown: string }

/** A field of the code that the linker fills in. */
export interface Field<To = Destination> {
  /** Bytes from the begin of the code. */
  readonly at: number
  readonly form: FieldForm
  readonly to: To
}

/** Code with fields: what may be put in the place of other code. */
export interface Snippet {
  /** base64 */
  readonly code: string
  readonly fields: readonly Field[]
}

/** A place that the kernel rewrites when it starts, loads a module or switches a feature; `at` as in Field. */
export type Site =
  /** A branch of a static key: a nop, or a jump. */
  | { readonly kind: 'label'; readonly at: number; readonly to: { part: number; plus?: number } | 'unknown' }
  /** Code that is replaced on processors with some features (`ALTERNATIVE`). */
  | {
      readonly kind: 'alternative'
      readonly at: number
      readonly length: number
      readonly choices: readonly Snippet[]
      /** A choice is a call whose target is read from the pointer that the original code calls through. */
      readonly direct?: true
    }
  /** A `lock` prefix that goes when there is one processor only. */
  | { readonly kind: 'lock'; readonly at: number }
  /** A call through `pv_ops` that becomes a direct one, or nothing (until 6.7). */
  | { readonly kind: 'paravirt'; readonly at: number; readonly length: number }
  /** A number that the kernel writes into the code when it starts. */
  | { readonly kind: 'constant'; readonly at: number; readonly length: number }

/** A piece of code that lies in one place. */
export interface Part extends Snippet {
  /** Its symbol; absent for out-of-line code, which has none. */
  readonly name?: string
  readonly sites: readonly Site[]
}

export interface Expectation {
  /** The function itself, then its cold part, then code that is out of line. */
  readonly parts: readonly [Part, ...Part[]]
}

/** Bytes of the function itself, as the compiler made it. */
export function sizeOf({ parts: [main] }: Expectation): number {
  return Buffer.byteLength(main.code, 'base64')
}
