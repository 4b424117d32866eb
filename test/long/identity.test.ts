// SPDX-License-Identifier: GPL-3.0-or-later
// Identical copies of the functions of several units.
import { describeCopies, describeRunning, others } from '../e2e/copies.ts'

for (const series of ['6.1', '6.12']) describeCopies(series, others)
describeRunning('6.12')
