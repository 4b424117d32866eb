// SPDX-License-Identifier: GPL-3.0-or-later
// Macros that a patch changes: what a function does by way of them is seen where the function uses them, although its
// own text is the same on both sides.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { beyondOf } from '../../../src/check/semantics/plain/judgement.ts'
import { libraryOf } from '../../../src/check/subject/callee-bodies.ts'
import { changedFunctions } from '../../../src/check/subject/changed-functions.ts'
import { textFindings } from '../../alive/text-findings.ts'
import { changeOf } from '../text.ts'

/** The rules that warn when one part of the text is replaced. */
function warned(text: string, from: string | RegExp, to: string): string[] {
  const change = changeOf(text, text.replace(from, to))
  return textFindings(changedFunctions([change]), [change]).flatMap(({ rule, severity, message }) =>
    severity === 'note' ? [] : [`${rule}: ${message}`],
  )
}

const job = `
struct job { struct mutex lock; struct mutex other; int state; unsigned long flags; struct kref ref; void *data; };
`

describe('a macro that the patch changes', () => {
  test.each([
    [
      'takes another lock',
      `#define lock_job(j) mutex_lock(&(j)->lock)
#define unlock_job(j) mutex_unlock(&(j)->lock)
${job}
void set(struct job *j) { lock_job(j); j->state = 1; unlock_job(j); }`,
      /&\(j\)->lock/g,
      '&(j)->other',
      /lock-balance: set took .*lock, and now takes .*other instead/,
    ],
    [
      'takes a lock no longer, behind do and while',
      `#define ENTER(j) do { mutex_lock(&(j)->lock); (j)->state++; } while (0)
#define LEAVE(j) do { (j)->state--; mutex_unlock(&(j)->lock); } while (0)
${job}
void run(struct job *j) { ENTER(j); work(j->data); LEAVE(j); }`,
      /mutex_(?:un)?lock\(&\(j\)->lock\);|\+\+/g,
      '',
      /lock-balance: .*no longer/,
    ],
    [
      'gives memory back to another allocator',
      `#define drop(p) kfree(p)
${job}
int open(struct job *j) { j->data = kmalloc(64, GFP_KERNEL); return 0; }
void close(struct job *j) { drop(j->data); }`,
      'kfree(p)',
      'vfree(p)',
      /given-back-otherwise: close now gives data back by vfree/,
    ],
    [
      'stores and asks for another number',
      `#define MARK(j) ((j)->state = 3)
#define IS_MARKED(j) ((j)->state == 3)
${job}
void kill(struct job *j) { MARK(j); }
int ask(struct job *j) { return IS_MARKED(j) ? -EIO : 0; }`,
      /3\)/g,
      '4)',
      /stored-otherwise: kill now writes struct job.state otherwise .*, and ask reads it otherwise/,
    ],
    [
      'takes what is held for something else',
      `#define JOB_OF(file) ((struct job *)(file)->private_data)
#define job_of(file) JOB_OF(file)
${job}
int ask(struct file *file) { struct job *j = (struct job *)file->private_data; return j->state; }
int tell(struct file *file) { void *x = job_of(file); return 0; }`,
      '(struct job *)(file)',
      '(struct wrap *)(file)',
      /held-otherwise: tell now casts private_data of struct file to struct wrap instead of struct job; .*hold a struct job/,
    ],
    [
      'stands for another lock without parentheses',
      `#define the_lock j->lock
${job}
void set(struct job *j) { mutex_lock(&the_lock); j->state = 1; j->flags = 2; mutex_unlock(&the_lock); }`,
      'j->lock',
      'j->other',
      /lock-balance: set took .*lock, and now takes .*other instead/,
    ],
  ])('%s', (_what, text, from, to, message) => {
    expect(warned(text, from, to)).toEqual([expect.stringMatching(message)])
  })
})

describe('a constant that gets another value', () => {
  const uses = `
#define JOB_DEAD 3
${job}`
  test.each([
    [
      'by a macro that does not change',
      `#define kill(j) ((j)->state = JOB_DEAD)
void end(struct job *j) { kill(j); }
int ask(struct job *j) { return j->state == JOB_DEAD; }`,
    ],
    [
      'by a local variable',
      `void end(struct job *j) { int state = 0; if (j->data) state = JOB_DEAD; j->state = state; }
int ask(struct job *j) { int state = READ_ONCE(j->state); return state == JOB_DEAD; }`,
    ],
    [
      'by functions that set and get it',
      `static void set_state(struct job *j, int state) { WRITE_ONCE(j->state, state); }
static int state_of(struct job *j) { return READ_ONCE(j->state); }
void end(struct job *j) { set_state(j, JOB_DEAD); }
int ask(struct job *j) { if (state_of(j) == JOB_DEAD) return 1; return 0; }`,
    ],
    [
      'by a switch and an exchange',
      `void end(struct job *j) { cmpxchg(&j->state, 0, JOB_DEAD); }
int ask(struct job *j) { switch (READ_ONCE(j->state)) { case 1: return 0; case JOB_DEAD: return 1; } return 2; }`,
    ],
    [
      'as the bit of a lock',
      'void enter(struct job *j) { bit_spin_lock(JOB_DEAD, &j->flags); j->state = 1; ' +
        'bit_spin_unlock(JOB_DEAD, &j->flags); }',
    ],
    [
      'under a name in small letters',
      `#define job_dead (JOB_DEAD + 1)
void end(struct job *j) { j->state = job_dead; }
int ask(struct job *j) { return j->state != job_dead; }`,
    ],
  ])('%s', (_what, text) => {
    expect(warned(uses + text, 'JOB_DEAD 3', 'JOB_DEAD 4')).toEqual([
      expect.stringMatching(/^stored-otherwise: (?:JOB_DEAD|job_dead) is .*struct job\.(?:state|flags)/),
    ])
  })

  test.each([
    ['that is only compared', 'int ask(struct job *j) { return j->state > JOB_DEAD; }'],
    ['that is only written', 'void end(struct job *j) { j->state = JOB_DEAD; }'],
    ['that a call computes with', 'int ask(struct job *j) { int wait = JOB_DEAD; return later(wait); }'],
    [
      'of which one function writes one member and reads another one',
      'int ask(struct job *j) { j->state = JOB_DEAD; return j->flags == JOB_DEAD; }',
    ],
  ])('%s is no danger', (_what, text) => {
    expect(warned(uses + text, 'JOB_DEAD 3', 'JOB_DEAD 4')).toEqual([])
  })
})

describe('a macro of a header', () => {
  const root = mkdtempSync(path.join(os.tmpdir(), 'inarch-macros-'))
  afterAll(() => rmSync(root, { recursive: true }))
  const header = `#define JOB_DEAD 3
#define lock_job(j) mutex_lock(&(j)->lock)
#define unlock_job(j) mutex_unlock(&(j)->lock)
${job}`
  mkdirSync(path.join(root, 'fs/job'), { recursive: true })
  writeFileSync(
    path.join(root, 'fs/job/main.c'),
    `#include "job.h"
static void end(struct job *j) { lock_job(j); j->state = JOB_DEAD; unlock_job(j); }
int ask(struct job *j) { return j->state == JOB_DEAD; }
int other(struct job *j) { return j->flags; }`,
  )
  const changed = (from: string | RegExp, to: string) => {
    const change = changeOf(header, header.replace(from, to), 'fs/job/job.h')
    const functions = changedFunctions([change], libraryOf(root, [change]))
    const findings = textFindings(functions, [change]).filter(({ severity }) => severity !== 'note')
    return { functions, rules: findings.map(({ rule, symbol }) => `${rule} ${symbol}`) }
  }

  test('that is stored is asked about, with the files that use it', () => {
    expect(changed('JOB_DEAD 3', 'JOB_DEAD 5').rules).toEqual(['stored-otherwise JOB_DEAD'])
  })

  test('that locks changes the functions that use it, and no others', () => {
    const { functions, rules } = changed(/&\(j\)->lock/g, '&(j)->other')
    expect(rules).toEqual(['lock-balance end'])
    const end = functions.all.find(({ name }) => name === 'end')
    expect(end?.file).toBe('fs/job/main.c')
    expect(end && beyondOf(functions, end)?.verdict).toBe('lives')
    expect(functions.all.map(({ name }) => name)).not.toContain('other')
  })
})

describe('a number that changes', () => {
  const table = (use: string) => `#define SLOT 3
struct job { int id; };
static struct job *jobs[64];
${use}`

  test.each([
    ['how long a local array is', 'int show(void)\n{\n\tchar buffer[SLOT];\n\treturn fill(buffer, sizeof(buffer));\n}'],
    ['how long a later one is', 'int show(void)\n{\n\tunsigned char a[4][2], *b[SLOT];\n\treturn fill(a, b);\n}'],
    [
      'how long an array in a struct’s variable is',
      'int show(void)\n{\n\tstruct job list[SLOT];\n\treturn fill(list);\n}',
    ],
  ])('is no place when it says %s', (_, use) => {
    expect(warned(table(use), 'SLOT 3', 'SLOT 5')).toEqual([])
  })

  test.each([
    ['read', 'struct job *get(void)\n{\n\treturn jobs[SLOT];\n}'],
    ['written', 'void put(struct job *job)\n{\n\tjobs[SLOT] = job;\n}'],
    [
      'written beside a local array',
      'void put(struct job *job)\n{\n\tchar old[SLOT];\n\tfill(old);\n\tjobs[SLOT] = job;\n}',
    ],
  ])('is a place where a table is %s', (_, use) => {
    expect(warned(table(use), 'SLOT 3', 'SLOT 5')).toEqual([expect.stringMatching(/^placed-otherwise: /)])
  })
})
