// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch verify --running` inside of the other series, whose kernel has landing pads that it seals (IBT), other
// mitigations and another table of symbols.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe } from 'vitest'
import { testRunning } from '../e2e/running.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-running-'))
afterAll(() => rmSync(work, { recursive: true }))

describe('on the kernel of trixie', () => testRunning('trixie', work))
