// SPDX-License-Identifier: GPL-3.0-or-later
// A way out of a function that is gone took a release with it. That is plain where the function still takes and still
// gives back the same; where the way out stays, the release is missing now, and that lives.
import { describe, expect, test } from 'vitest'
import { beyondLines } from '../../../../src/check/semantics/plain/description.ts'
import { type Beyond, beyondOf } from '../../../../src/check/semantics/plain/judgement.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'

const frame = `struct port { struct mutex lock; struct kref kref; int flags; int state; void *data; };
static void port_close(struct port *port) { port->state = 0; }
int f(struct port *port, struct port *other)
{
BODY
}
`

function beyond(before: string, after: string): Beyond {
  const [old, young] = [before, after].map((body) => frame.replace('BODY', () => body))
  const change = { path: 'fs/a.c', before: old!, after: young!, origins: new Map(), lineage: [] }
  const functions = changedFunctions([change])
  const one = functions.all.find(({ name }) => name === 'f')
  return beyondOf(functions, one!)!
}

const leaving = (release: string) => `	if (port->flags & DEAD) {
${release}		return 0;
	}
`
const locked = (inner: string, end = '	mutex_unlock(&port->lock);\n') =>
  `	mutex_lock(&port->lock);\n${inner}	port_close(port);\n${end}	return 0;`
const unlock = '		mutex_unlock(&port->lock);\n'

describe('a way out that is gone', () => {
  test('takes the release of a lock with it', () => {
    expect(beyond(locked(leaving(unlock)), locked(''))).toMatchObject({
      verdict: 'plain',
      why: expect.stringContaining('leaves out a check'),
    })
  })

  test('takes the release of a reference with it', () => {
    const held = (inner: string) =>
      `	kref_get(&port->kref);\n${inner}	port_close(port);\n	kref_put(&port->kref, port_free);\n	return 0;`
    expect(beyond(held(leaving('		kref_put(&port->kref, port_free);\n')), held('')).verdict).toBe('plain')
  })

  test('out of a loop as well', () => {
    const loop = (inner: string) =>
      '	while (port->state) ' +
      `{\n		mutex_lock(&port->lock);\n${inner}		port_close(port);\n		mutex_unlock(&port->lock);\n	}\n	return 0;`
    const left = `		if (port->flags & DEAD) {\n	${unlock}			break;\n		}\n`
    expect(beyond(loop(left), loop('')).verdict).toBe('plain')
  })
})

describe('a release that is missing', () => {
  test.each([
    ['on a way out that stays', locked(leaving(unlock)), locked(leaving(''))],
    [
      'on a way out that another condition leads to',
      locked(leaving(unlock)),
      locked('	if (port->state)\n		return 0;\n'),
    ],
    [
      'on a way out with another condition and another answer',
      locked(leaving(unlock)),
      locked('	if (port->state)\n		return -EIO;\n'),
    ],
    ['for a caller that gets the lock with the answer', locked(leaving(unlock), ''), locked('', '')],
    [
      'on a way out that goes elsewhere now',
      locked(leaving(unlock)),
      locked('	if (port->flags & DEAD)\n		goto out;\n', '	mutex_unlock(&port->lock);\nout:\n'),
    ],
    ['where nothing gives it back any more', locked(leaving(unlock)), locked('', '')],
    [
      'of what the function does not take itself',
      `${leaving(unlock)}	port_close(port);\n	mutex_unlock(&port->lock);\n	return 0;`,
      '	port_close(port);\n	mutex_unlock(&port->lock);\n	return 0;',
    ],
    [
      'of another object than the one that is taken',
      locked(leaving('		mutex_unlock(&port->lock);\n		kref_put(&other->kref, port_free);\n')),
      locked(''),
    ],
    ['that no way out belongs to', locked(`	if (port->flags)\n${unlock}`), locked('')],
  ])('lives %s', (_, before, after) => {
    const found = beyond(before, after)
    expect(found.verdict, beyondLines(found, true).join('\n')).toBe('lives')
  })
})
