// SPDX-License-Identifier: GPL-3.0-or-later
// The directory that holds a live patch as C source, which people read, edit and keep under version control:
//
//   livepatch-NAME/
//     inarch.json     what a build needs to know and C can't say: the kernel, and which C file stands for which unit
//     livepatch.c     the wrapper: the tables of what is replaced, the module's beginning and end
//     fs-ext4-x.c     one C file for each changed translation unit
//     headers/        the kernel's headers that the fix changes, by their paths in the kernel's tree; mostly absent
//     Kbuild          what kbuild needs to compile it
import path from 'node:path'
import * as v from 'valibot'
import { Fault } from '../../ground/fault.ts'
import { inputKinds, readInputIfAny } from '../../ground/input.ts'
import { fittingJson } from '../../ground/schema.ts'
import { writeAllWhole } from '../../ground/whole-file.ts'

/** A path in the kernel's tree, without `.` and `..`. */
const treePath = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_][^\0\\]*$/),
  v.check((text) => text.split('/').every((part) => part !== '' && !/^\.\.?$/.test(part)), 'it leaves the tree'),
)

const fileName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*\.c$/))

const schema = v.strictObject({
  format: v.literal('inarch-source-1'),
  /** As in a manifest: the module is `livepatch_NAME`. */
  name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9_-]{0,40}$/)),
  /** The kernel that the source belongs to. */
  kernel: v.object({ release: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._+~-]{1,64}$/)), version: v.string() }),
  /** The fix that it was made of. */
  patches: v.array(
    v.object({
      file: v.pipe(v.string(), v.regex(/^[^\0\n/]{1,255}$/)),
      sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
    }),
  ),
  /** Which C file of the directory stands for which of the kernel's: it is compiled with the flags of that one. */
  units: v.array(v.object({ file: fileName, source: treePath })),
  /** Headers under `headers/` that take the place of the kernel's own. */
  headers: v.optional(v.array(treePath), []),
})

export type SourceDescription = v.InferOutput<typeof schema>

export const descriptionFile = 'inarch.json'
export const wrapperFile = 'livepatch.c'
export const headersDirectory = 'headers'

export interface SourceDirectory extends SourceDescription {
  /** Absolute path. */
  readonly dir: string
}

/** A file of the directory to be written. */
export interface SourceFile {
  /** Path in the directory. */
  readonly path: string
  /** latin1, as the kernel's own texts are kept. */
  readonly text: string
}

/** The name of the C file that stands for a unit: `fs/ext4/mballoc.c` becomes `fs-ext4-mballoc.c`. */
export function unitFileName(source: string): string {
  return source.replaceAll('/', '-')
}

/**
 * @throws Fault `usage/not-a-source-directory`, `usage/bad-source-directory`
 */
export async function readSourceDirectory(place: string): Promise<SourceDirectory> {
  const dir = path.resolve(place)
  const bad = (why: string) =>
    new Fault('usage', 'bad-source-directory', `${path.join(place, descriptionFile)} can't be understood: ${why}`, {
      remedy: 'Correct it, or make the directory again with `inarch build --engine source fix.patch`',
    })
  const bytes = await readInputIfAny(path.join(dir, descriptionFile), {
    ...inputKinds.list,
    missing: 'bad-source-directory',
  })
  if (bytes === undefined)
    throw new Fault(
      'usage',
      'not-a-source-directory',
      `${place} is a directory without ${descriptionFile}, so it is no source of a live patch`,
      { remedy: 'Name a patch file, or a directory that `inarch build --engine source` made' },
    )
  const description = fittingJson(schema, bytes.toString('utf8'), bad)
  const files = description.units.map(({ file }) => file)
  const twice = files.find((file, index) => file === wrapperFile || files.indexOf(file) !== index)
  if (twice !== undefined) throw bad(`${twice} can't be the file of this unit, too`)
  return { ...description, dir }
}

/** The text of `inarch.json`. */
export function renderDescription(description: Omit<SourceDescription, 'format'>): string {
  return `${JSON.stringify({ format: 'inarch-source-1', ...description }, null, 2)}\n`
}

/** Writes a directory's files, all or none. Files that it has besides them are left alone. */
export async function writeSourceDirectory(dir: string, files: readonly SourceFile[]): Promise<void> {
  await writeAllWhole(
    files.map(({ path: name, text }) => ({
      file: path.join(dir, name),
      content: Buffer.from(text, 'latin1'),
    })),
  )
}
