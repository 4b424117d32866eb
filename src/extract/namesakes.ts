// SPDX-License-Identifier: GPL-3.0-or-later
// Functions of one name in several files of a live patch: the first keeps it, the others get a number, so that objtool
// finds the parent of each cold part, and a stack trace or a kprobe means one function.
import { coldParent } from '../diff/object/compiler-names.ts'

export class Namesakes {
  /** The files that have a function of each name, in order. */
  private readonly files = new Map<string, string[]>()

  /**
   * @returns `name` for the first file that has it, `name..2` for the second one; a cold part goes with its function
   */
  nameFor(file: string, name: string): string {
    const parent = coldParent(name)
    const files = [...new Set(this.files.get(parent)).add(file)]
    this.files.set(parent, files)
    const place = files.indexOf(file) + 1
    return place === 1 ? name : `${parent}..${place}${name.slice(parent.length)}`
  }
}
