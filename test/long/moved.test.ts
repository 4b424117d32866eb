// SPDX-License-Identifier: GPL-3.0-or-later
// What is new in a file and not in the kernel, on the suite that `npm test` leaves out.
import { describeMoved } from '../e2e/moved.ts'

describeMoved('bookworm')
