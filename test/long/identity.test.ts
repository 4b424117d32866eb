// SPDX-License-Identifier: GPL-3.0-or-later
// Identical copies of the functions of several units.
import { describeCopies, describeRunning, others } from '../e2e/copies.ts'

for (const suite of ['bookworm', 'trixie']) describeCopies(suite, others)
describeRunning('trixie')
