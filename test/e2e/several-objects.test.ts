// SPDX-License-Identifier: GPL-3.0-or-later
// Files that are built into several objects; test/long has the other suite's.
import { describeSeveralObjects } from './several-objects.ts'

describeSeveralObjects('bookworm')
