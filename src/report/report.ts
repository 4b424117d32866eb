// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch's report as a file.
import path from 'node:path'
import type { Job } from '../ground/job.ts'
import { makeOutputDirectory, writeWhole } from '../ground/whole-file.ts'
import { gatherFacts } from './facts/facts.ts'
import { reportPage } from './page.ts'

export interface ReportRequest {
  /** The module's file; its manifest lies beside it. */
  readonly module: string
  /** A file that `inarch prove --proof` wrote. */
  readonly proof?: string
  readonly output: string
}

/** What was written, and what could not be shown; serialisable. */
export interface WrittenReport {
  readonly report: string
  readonly bytes: number
  readonly missing: readonly string[]
}

/** @throws what `gatherFacts` throws */
export async function writeReport(job: Job, { module, proof, output }: ReportRequest): Promise<WrittenReport> {
  return await job.journal.step('Writing the report', async (step) => {
    const facts = await gatherFacts(job, module, proof)
    const page = reportPage(facts)
    await makeOutputDirectory(path.dirname(output))
    await writeWhole(output, page)
    const bytes = Buffer.byteLength(page)
    step.result(`${Math.ceil(bytes / 1024)} kB`)
    return { report: output, bytes, missing: facts.missing }
  })
}
