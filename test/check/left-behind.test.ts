// SPDX-License-Identifier: GPL-3.0-or-later
// What a live patch leaves behind, and what of a patch it does not bring at all.
import { describe, expect, test } from 'vitest'
import { infoFindings } from '../../src/check/rules/interfaces/module-info.ts'
import { shadowFindings } from '../../src/check/rules/state/shadow-variable.ts'
import { changeOf } from './text.ts'

describe('a shadow variable that the patch allocates', () => {
  const said = (...bodies: string[]) =>
    shadowFindings(bodies.map((body) => changeOf('void f(void) { }\n', body))).map(({ message }) => message)
  const allocates = 'void f(void)\n{\n\tklp_shadow_alloc(o, ID, sizeof(*o), GFP_KERNEL, NULL, NULL);\n}\n'
  const frees = 'static void undo(struct klp_object *o)\n{\n\tklp_shadow_free_all(ID, NULL);\n}\n'

  test('and nothing frees is noted', () => {
    expect(said(allocates)).toEqual([expect.stringContaining('(ID)')])
  })

  test('and a callback frees is fine, also where that stands in another file', () => {
    expect(said(`${allocates}${frees}INARCH_POST_UNPATCH(undo);\n`)).toEqual([])
    expect(said(allocates, `${frees}INARCH_POST_UNPATCH(undo);\n`)).toEqual([])
  })

  test.each([
    'INARCH_PRE_UNPATCH',
    'KPATCH_POST_UNPATCH_CALLBACK',
    'KPATCH_PRE_UNPATCH_CALLBACK',
    'KLP_POST_UNPATCH_CALLBACK',
  ])('and a callback frees that %s declares is fine', (macro) => {
    expect(said(`${allocates}${frees}${macro}(undo);\n`)).toEqual([])
  })

  test('and is freed in a callback that runs earlier is noted', () => {
    expect(said(`${allocates}${frees}KLP_PRE_PATCH_CALLBACK(undo);\n`)).toHaveLength(1)
  })

  test('and is freed in no callback is noted', () => {
    expect(said(`${allocates}${frees}`)).toHaveLength(1)
  })

  test('under one number, while another one is freed, is noted', () => {
    const other = frees.replace('ID', 'OTHER')
    expect(said(`${allocates}${other}INARCH_POST_UNPATCH(undo);\n`)).toHaveLength(1)
  })

  test('or only gets where there is one: only that counts', () => {
    expect(said(allocates.replace('alloc(', 'get_or_alloc('))).toHaveLength(1)
    expect(said('void f(void)\n{\n\tklp_shadow_get(o, ID);\n}\n')).toEqual([])
  })
})

describe('a module’s information', () => {
  const said = (before: string[], after: string[]) =>
    infoFindings('drivers/x.c', before, after).map(({ message }) => message)

  test.each(['alias=pci:v1', 'softdep=pre: veth', 'firmware=x/y.fw', 'import_ns=CRYPTO_INTERNAL'])(
    '%s that is added or removed is noted',
    (entry) => {
      expect(said(['license=GPL'], ['license=GPL', entry])).toEqual([expect.stringContaining(`adds ${entry}`)])
      expect(said(['license=GPL', entry], ['license=GPL'])).toEqual([expect.stringContaining(`removes ${entry}`)])
    },
  )

  test('that stays, or that only people read, is not', () => {
    expect(said(['alias=a', 'license=GPL'], ['license=GPL', 'alias=a'])).toEqual([])
    expect(said([], ['author=Somebody', 'description=Something'])).toEqual([])
  })
})
