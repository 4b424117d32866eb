// SPDX-License-Identifier: GPL-3.0-or-later
// An Example is a patch that Inarch ships, with the kernel that it is for and how its effect is seen.
// The demo shows them, and the tests prove every one of them.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { shippedFile } from '../ground/installation.ts'

const exampleSchema = v.object({
  name: v.string(),
  title: v.string(),
  /** Path below examples/. */
  patch: v.string(),
  /** The one kernel whose source the patch fixes; any kernel when it is not given. */
  kernel: v.exactOptional(v.object({ version: v.string(), flavour: v.string() })),
  /** The kernel module that it patches. */
  module: v.exactOptional(v.string()),
  /** A file system for the guest to mount. */
  fs: v.exactOptional(v.string()),
  /** What the guest does in the background meanwhile. */
  load: v.exactOptional(v.array(v.string())),
  check: v.object({
    run: v.string(),
    /** What the check is called; by default the command, shortened. */
    label: v.exactOptional(v.string()),
    before: v.string(),
    after: v.string(),
    /** What is printed after the revert, if not the same as before. */
    reverted: v.exactOptional(v.string()),
  }),
})

export type Example = v.InferOutput<typeof exampleSchema>

/** The directory `examples/`. */
export function examplesDirectory(): string {
  return path.dirname(shippedFile('examples/examples.json'))
}

/** Every example, in the order in which the demo tries them. */
export function readExamples(): Example[] {
  const text = readFileSync(path.join(examplesDirectory(), 'examples.json'), 'utf8')
  return v.parse(v.array(exampleSchema), JSON.parse(text))
}
