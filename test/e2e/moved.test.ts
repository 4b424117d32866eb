// SPDX-License-Identifier: GPL-3.0-or-later
// What is new in a file and not in the kernel; test/long has the other suite's.
import { describeMoved } from './moved.ts'

describeMoved('trixie')
