// SPDX-License-Identifier: GPL-3.0-or-later
// A few functions of real units, cut out; test/long has more, and the second series.
import { describeExtracts } from './extracts.ts'

describeExtracts('bookworm', 6, 3, { compiled: 0.8, identical: 0.8 })
