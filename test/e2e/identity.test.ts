// SPDX-License-Identifier: GPL-3.0-or-later
// Identical copies of a unit's functions, on both series; further units are in test/long.
import { describeCopies, describeRunning, others, warnings } from './copies.ts'

describeCopies('bookworm', [warnings, others[1]!])
describeCopies('trixie', [warnings])
describeRunning('bookworm')
