// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch verify --running` on a real host: the stock kernel in a virtual machine, in which the built command looks at
// the kernel that runs it, while kprobes, tracers, BPF programs and other live patches come and go.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe } from 'vitest'
import { testRunning } from './running.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-running-'))
afterAll(() => rmSync(work, { recursive: true }))

describe('on the kernel of bookworm', () => testRunning('bookworm', work))
