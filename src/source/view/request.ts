// SPDX-License-Identifier: GPL-3.0-or-later
// What an extraction is asked, and what it gives.
import type { Finding } from '../../ground/finding.ts'

/** How a C file is compiled. */
export interface SourceUnit {
  /** As named to the compiler: relative to `cwd` or absolute. */
  readonly file: string
  readonly cwd: string
  readonly compiler: string
  /** Without input, `-c` and `-o`. */
  readonly flags: readonly string[]
}

/** The symbol of the running program that a name of the unit stands for. */
export interface RunningSymbol {
  /** `vmlinux` or a module's name; the program itself when it is absent. */
  readonly object?: string
  readonly symbol: string
  /** Which of several symbols of this name, from 1; absent when there is one only. */
  readonly position?: number
}

export interface SourceRequest {
  readonly unit: SourceUnit
  /** Functions to extract, by their C names. */
  readonly functions: readonly string[]
  /**
   * The symbol that a function or variable of the unit is bound to; undefined when it must be copied. Names are C
   * names, or `function.variable` for a static local. It is asked for what is static and for what is not.
   */
  readonly externalize: (
    name: string,
    kind: 'function' | 'variable',
    isInline?: boolean,
    /** Its symbol in the unit's object, where an asm label gives it another one than its name. */
    label?: string,
  ) => RunningSymbol | undefined
  /** The name that an extracted function gets; the same name when it keeps it. */
  readonly rename: (functionName: string) => string
  readonly includes: 'keep' | 'expand'
  /**
   * The name that a copy of a function gets which is not static and which the program has already: the compiler took it
   * in where it is called. The copy is static. Without it, the function is copied as it is.
   */
  readonly privateCopy?: (functionName: string) => string
  /**
   * What the compiler did with a function of the unit where it could choose, so that it does the same with a copy,
   * though that has fewer callers: it inlined it, or called it. Without it, and where undefined, the compiler chooses
   * anew.
   */
  readonly inlining?: (functionName: string) => 'inline' | 'noinline' | undefined
  /**
   * Whether a variable that can't be bound may be copied although it can be written: one that the fix adds.
   * Without it, copying such a variable is an error among the findings.
   */
  readonly carry?: (name: string) => boolean
}

export interface ExtractedSource {
  /** The C file. */
  readonly text: string
  readonly functions: readonly {
    readonly name: string
    readonly as: string
    /** Its symbol in the unit's object, where an asm label gives it another name. */
    readonly symbol?: string | undefined
  }[]
  readonly externalized: readonly {
    readonly name: string
    readonly symbol: string
    readonly kind: 'function' | 'variable'
  }[]
  /** What else was taken along from the unit, and why. */
  readonly copied: readonly { readonly name: string; readonly kind: string; readonly reason: string }[]
  readonly findings: readonly Finding[]
}
