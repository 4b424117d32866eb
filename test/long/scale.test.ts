// SPDX-License-Identifier: GPL-3.0-or-later
// Functions of real units, cut out; `npm run bench:source` takes a thousand.
import { describeExtracts } from '../e2e/source/extracts.ts'

for (const kernel of ['bookworm', 'trixie']) describeExtracts(kernel, 40, 10, { compiled: 0.95, identical: 0.85 })
