// SPDX-License-Identifier: GPL-3.0-or-later
// A module that was made from source has code that was compiled anew from a part of the unit. Where it may differ from
// the patched object without meaning anything else: a landing pad, since the module's tables know the address of a
// function that was private; a function's own name, which is another in the module; and numbers of lines.
import { isCode } from '../elf/format.ts'
import type { Section } from '../elf/read.ts'
import { isLandingPad, landingPadSize } from '../x86/entry.ts'
import { decodeInstruction } from '../x86/instruction.ts'
import { type Extent, hasToldEntries, isFunction, type ObjectView, type Place, textAt } from './object-view.ts'
import { type SourceTexts, stem } from './unit.ts'

function hasPad({ section: { data }, offset }: Place): boolean {
  return isLandingPad(data.subarray(offset))
}

/** Where the code begins that the patched object has, too. */
export function behindPad(mine: Place, theirs: Extent): Place {
  const isOnlyHere = isFunction(theirs) && hasPad(mine) && !hasPad({ section: theirs.section, offset: theirs.start })
  return isOnlyHere ? { ...mine, offset: mine.offset + landingPadSize } : mine
}

/** The begin of the function to which such a place belongs. */
export function beforePad(module: ObjectView, behind: Place): Place {
  const start = { ...behind, offset: behind.offset - landingPadSize }
  return module.at(behind).length === 0 && module.at(start).length > 0 && hasPad(start) ? start : behind
}

/** True for a datum that holds the name of the function in which it stands. */
export function isOwnName({ symbol }: Extent): boolean {
  return /^__(func|FUNCTION|PRETTY_FUNCTION)__$/.test(stem(symbol?.name ?? ''))
}

/**
 * A clause that says which other text it is, unless it is the same name, or that of the function that replaces it:
 * `livepatch_foo` for `foo`.
 */
export function otherName(module: ObjectView, mine: Place, theirs: Extent): string | undefined {
  const [ours, made] = [textAt(mine), textAt({ section: theirs.section, offset: theirs.start })]
  const isReplacement = ours.endsWith(`_${made}`) && module.called(ours).length > 0
  return ours === made || isReplacement ? undefined : `it is ${JSON.stringify(ours)} instead of ${JSON.stringify(made)}`
}

/** Bytes of struct _ddebug in front of its line, which has 18 bits (include/linux/dynamic_debug.h). */
const lineOfDescriptor = 32

/** Where struct source_location has its line and its column, behind a reference to the file's name (lib/ubsan.h). */
const location = { line: 8, end: 16 }

/** What the compiler writes for UBSAN begins with the place in the source. */
function isToldBySanitizer({ name }: Section): boolean {
  return /^\.data\.\.Lubsan_data\d+$/.test(name)
}

/**
 * Makes lines equal: in a descriptor of dynamic debug, in an entry about a WARN or a BUG (include/asm-generic/bug.h:
 * two bytes behind the references); and, where the source has the same line there, in what UBSAN tells and in code.
 */
export function excuseLines(theirs: Extent, texts: SourceTexts | undefined, ours: Buffer, made: Buffer): void {
  const { section } = theirs
  const told = made.length - 4
  if (hasToldEntries(section) && told >= 8) made.copy(ours, told, told, told + 2)
  if (texts !== undefined && isCode(section)) excuseNumbers(theirs, texts, ours, made)
  if (texts !== undefined && isToldBySanitizer(section) && made.length >= location.end)
    if (isSameLine(texts, made.readUInt32LE(location.line), ours.readUInt32LE(location.line)))
      made.copy(ours, location.line, location.line, location.end)
  if (section.name !== '__dyndbg' || ours.length < lineOfDescriptor + 4) return
  const line = made.readUInt32LE(lineOfDescriptor) & 0x3ffff
  ours.writeUInt32LE(((ours.readUInt32LE(lineOfDescriptor) & ~0x3ffff) | line) >>> 0, lineOfDescriptor)
}

/**
 * Whether two texts are the same but for the line in `FILE:LINE` of the unit, and both lines have one text
 * (include/linux/fortify-string.h: FILE_LINE).
 */
export function isSameTextAtLine(mine: Place, theirs: Extent, unit: string, texts: SourceTexts): boolean {
  const made = textAt({ section: theirs.section, offset: theirs.start }).split(`${unit}:`)
  const ours = textAt(mine).split(`${unit}:`)
  const lineOf = (part: string) => Number.parseInt(part, 10)
  const behindLine = (part: string) => part.replace(/^\d+/, '')
  return (
    made.length === ours.length &&
    made.every((part, at) => {
      const own = ours[at]!
      if (part === own) return true
      return at > 0 && behindLine(part) === behindLine(own) && isSameLine(texts, lineOf(part), lineOf(own))
    })
  )
}

/** A number is the last of an instruction. */
function excuseNumbers({ section, start, end }: Extent, texts: SourceTexts, ours: Buffer, made: Buffer): void {
  for (let at = start; at < end; ) {
    const instruction = decodeInstruction(section.data, at)
    if (instruction === undefined) return
    const number = instruction.end - start - 4
    const [from, to] = [at - start, number + 4]
    if (number > from && to <= made.length && !ours.subarray(from, to).equals(made.subarray(from, to)))
      if (isSameLine(texts, made.readInt32LE(number), ours.readInt32LE(number))) made.copy(ours, number, number, to)
    at = instruction.end
  }
}

/** How far a patch may move a line of its own. */
const window = 200

/** Whether two numbers stand for one line, by its text: in the unit, near the first, and in the part. */
function isSameLine({ unit, part }: SourceTexts, line: number, own: number): boolean {
  const plain = (text: string | undefined) => text?.replace(/\blivepatch_/g, '').replace(/\s/g, '') ?? ''
  const text = plain(part[own - 1])
  if (line < 1 || !/\w{3}/.test(text)) return false
  return unit.some((lines) =>
    lines.slice(Math.max(0, line - 1 - window), line + window).some((one) => plain(one) === text),
  )
}
