// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch's report as a file.
import path from 'node:path'
import type { Job } from '../ground/job.ts'
import { makeOutputDirectory, writeWhole } from '../ground/whole-file.ts'
import { readSubject, type Subject } from '../vm/plan/subject.ts'
import { gatherFacts } from './facts/facts.ts'
import { gatherListedFacts } from './facts/listed-facts.ts'
import { listedPage } from './listed-page.ts'
import { reportPage } from './page.ts'

export interface ReportRequest {
  /** The module's file; its manifest lies beside it, if it has one. */
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

/** @throws what `readSubject`, `gatherFacts` and `gatherListedFacts` throw */
export async function writeReport(job: Job, { module, proof, output }: ReportRequest): Promise<WrittenReport> {
  return await job.journal.step('Writing the report', async (step) => {
    const subject = await readSubject(module)
    const { page, missing } = await pageOf(job, subject, proof)
    await makeOutputDirectory(path.dirname(output))
    await writeWhole(output, page)
    const bytes = Buffer.byteLength(page)
    step.result(`${Math.ceil(bytes / 1024)} kB`)
    return { report: output, bytes, missing }
  })
}

async function pageOf(job: Job, subject: Subject, proof: string | undefined) {
  if (subject.manifest === undefined) {
    const facts = await gatherListedFacts(job, subject, proof)
    return { page: listedPage(facts), missing: facts.missing }
  }
  const facts = await gatherFacts(job, subject, subject.manifest, proof)
  return { page: reportPage(facts), missing: facts.missing }
}
