// SPDX-License-Identifier: GPL-3.0-or-later
// docs/ext4-source.md: the source that is made of the demo's ext4 fix, and what there is to say about it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { examplesDirectory, readExamples } from '../../src/demo/example.ts'
import type { Job } from '../../src/ground/job.ts'
import { listKernels } from '../../src/kernel/list.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import { readPatches } from '../../src/patch/read.ts'

const name = 'ext4-mballoc-null-folio'

const reading = `## Read critically

Is this what a careful engineer would have written by hand?

- *The right functions.* The fix changes two functions. \`ext4_mb_get_buddy_page_lock()\` has no symbol: the compiler put it into
  \`ext4_mb_init_group()\`, its only caller, which is therefore replaced, and the comment says so. A person finds this out with
  \`objdump\`, or by looking in vain for the name in \`/proc/kallsyms\`.
- *The right neighbours.* \`ext4_mb_init_cache()\` is private to the unit and has a symbol: it is declared, with the object and the
  symbol that it is, and the running kernel's is used. \`ext4_mb_put_buddy_page_lock()\` and the empty \`mb_cmp_bitmaps()\` have none, so they are copied. Of the two definitions of
  \`mb_cmp_bitmaps()\` only the one that this configuration has is there.
- *No state.* Nothing here keeps any: no variable of the unit is copied. \`WARN_RATELIMIT()\` has a rate limit of its own,
  which starts anew.
- *A call between the two* goes to the new one directly: \`livepatch_ext4_mb_init_group()\` in \`livepatch_ext4_mb_load_buddy_gfp()\`.
- *Everything else is verbatim*: the comments, the line breaks, even the odd indentation of the two strings. A \`diff\` against
  \`fs/ext4/mballoc.c\` shows the fix, the prefixes, two prototypes, one declaration, and above each function its file and line.

What a person would have done otherwise:

- Leave out the call of the empty \`mb_cmp_bitmaps()\`. It is kept so that the text stays the author's.
- Break the long prototype, and write the tables of the wrapper in fewer lines.

Both engines agree on this fix: the same two functions, each the same machine code.`

const fenced = (file: string, language: string, text: string) =>
  `## ${file}\n\n\`\`\`${language}\n${text.trimEnd()}\n\`\`\``

/** The page as it has to be; undefined when the archive no longer has the kernel that the fix is for. */
export async function ext4Page(job: Job): Promise<string | undefined> {
  const example = readExamples().find((one) => one.name === name)
  const kernel = (await listKernels(job)).find(
    ({ version, flavour }) => version === example?.kernel?.version && flavour === example.kernel.flavour,
  )
  if (kernel === undefined || example === undefined) return undefined
  const output = mkdtempSync(path.join(os.tmpdir(), 'inarch-ext4-'))
  try {
    const { directory = '', manifest } = await makeLivePatch(job, await selectKernel(job, kernel.release), {
      patches: await readPatches([path.join(examplesDirectory(), example.patch)]),
      name,
      replace: true,
      engine: 'both',
      output,
    })
    if (manifest.engines?.agree !== true) throw new Error('the engines differ')
    const file = (one: string, language: string) =>
      fenced(one, language, readFileSync(path.join(directory, one), 'latin1'))
    return `# The source of the ext4 fix

The demo's [fix of ext4](../examples/ext4-mballoc-null-folio.patch) is the whole difference between two versions of Debian's kernel. This is
what \`inarch build --engine source\` makes of it, unedited; \`npm run engines -- --page\` writes this page.

${reading}

${file('livepatch.c', 'c')}

${file('fs-ext4-mballoc.c', 'c')}

${file('inarch.json', 'json')}

${file('Kbuild', 'make')}
`
  } finally {
    rmSync(output, { recursive: true })
  }
}
