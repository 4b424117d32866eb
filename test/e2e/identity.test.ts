// SPDX-License-Identifier: GPL-3.0-or-later
// Identical copies of a unit's functions, on both series; further units are in test/long.
import { describeCopies, describeRunning, others, warnings } from './copies.ts'

describeCopies('6.1', [warnings, others[1]!])
describeCopies('6.12', [warnings])
describeRunning('6.1')
