// SPDX-License-Identifier: GPL-3.0-or-later
// What several units say of one type, put together.
import { expect, test } from 'vitest'
import { layoutsTogether, type UnitLayout } from '../../../../src/check/rules/interfaces/type-layout.ts'
import type { Found } from '../../../../src/check/subject/rule.ts'

const layout = (unit: string, severity: Found['severity'], ...users: string[]): UnitLayout => ({
  unit,
  name: 'struct some',
  users,
  told: (all) => ({ unit, message: `seen by ${all.join(', ')}`, functions: all, ...(severity && { severity }) }),
})

test('the gravest is told, of the first unit that says so, with the users in all units', () => {
  const layouts = [layout('a.c', 'note', 'f'), layout('b.c', 'warning', 'g'), layout('c.c', 'warning', 'h', 'f')]
  expect([...layoutsTogether(layouts)]).toEqual([
    ['struct some', { unit: 'b.c', severity: 'warning', message: 'seen by f, g, h', functions: ['f', 'g', 'h'] }],
  ])
  const [[, told] = []] = layoutsTogether([...layouts, layout('d.c', undefined)])
  expect(told).toMatchObject({ unit: 'd.c', functions: ['f', 'g', 'h'] })
  expect(told).not.toHaveProperty('severity')
})
