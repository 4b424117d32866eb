// SPDX-License-Identifier: GPL-3.0-or-later
// A few functions of real units, cut out; test/long has more.
import { describeExtracts } from './extracts.ts'

describeExtracts(10, 4, { compiled: 0.9, identical: 0.8 })
