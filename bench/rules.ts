// SPDX-License-Identifier: GPL-3.0-or-later
// Writes docs/rules.md anew: npm run rules
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { rulesPage } from '../test/check/rules-page.ts'

writeFileSync(path.join(process.cwd(), 'docs/rules.md'), rulesPage())
