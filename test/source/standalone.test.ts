// SPDX-License-Identifier: GPL-3.0-or-later
// Functions of any C file, with nothing but a compiler: what `inarch source` does.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import { extractStandalone, type StandaloneRequest } from '../../src/source/standalone.ts'
import { splitCommand } from '../../src/source/view/compiler-flags.ts'
import { compiler, compilers, work } from '../objects.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
const clang = compilers.find((name) => name.startsWith('clang'))
let number = 0

const program = `#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <sys/stat.h>

static int calls;

static inline int twice(int a) { return 2 * a; }

static void count(void)
{
	calls++;
}

/* The size of a file. */
int wanted(const char *path)
{
	struct stat st;

	count();
	if (stat(path, &st) < 0) {
		fprintf(stderr, "%s: %s\\n", path, strerror(errno));
		return -1;
	}
	return twice(S_ISREG(st.st_mode) ? st.st_size : 0);
}
`

function request(source: string, more: Partial<StandaloneRequest> = {}, ...flags: string[]): StandaloneRequest {
  const file = path.join(work, `alone${++number}.c`)
  writeFileSync(file, source, 'latin1')
  return {
    unit: { file, cwd: work, compiler, flags: ['-O2', '-Wall', ...flags] },
    functions: ['wanted'],
    externalize: 'all',
    rename: false,
    includes: 'keep',
    ...more,
  }
}

describe('inarch source', () => {
  it('declares what the program has, and copies what is inline', async () => {
    const { text, findings } = await extractStandalone(job, request(program))
    // gcc takes count() in, which has one caller.
    expect(findings).toMatchObject([{ severity: 'note', rule: 'same-by-source', symbol: 'wanted' }])
    expect(text).toContain('extern void count(void);\n')
    expect(text).toContain('static inline int twice(int a) { return 2 * a; }')
    expect(text).not.toContain('calls')
  })

  it('copies everything on request, and names what it is to declare', async () => {
    const { text } = await extractStandalone(job, request(program, { externalize: 'none', rename: true }))
    expect(text).toContain('static int calls;\n')
    expect(text).toContain('int livepatch_wanted(const char *path)\n{')
    const some = await extractStandalone(job, request(program, { externalize: ['calls', 'nothing'] }))
    expect(some.text).toContain('extern int calls;')
    expect(some.findings).toMatchObject([{ rule: 'not-used', symbol: 'nothing' }])
  })

  it.each([compiler, ...(clang === undefined ? [] : [clang])])(
    'writes what is needed from the headers instead of #include lines, by %s',
    async (program_) => {
      const wish = request(program, { externalize: 'none', includes: 'expand' })
      const { text, findings } = await extractStandalone(job, {
        ...wish,
        unit: { ...wish.unit, compiler: program_ },
      })
      expect(findings).toEqual([])
      expect(text).not.toContain('#include')
      expect(text.split('\n').length).toBeLessThan(200)
      const code = (source: string) => {
        const base = path.join(work, `expanded${++number}`)
        writeFileSync(`${base}.c`, source)
        execFileSync(program_, ['-O2', '-c', '-o', `${base}.o`, `${base}.c`])
        return execFileSync('objdump', ['-d', `${base}.o`], { encoding: 'utf8' }).replace(/^.*file format.*$/m, '')
      }
      expect(code(text)).toBe(code(program))
    },
  )

  it('says when the file does not compile, and where', async () => {
    await expect(
      extractStandalone(job, request(`${program}int broken(void) { return x + ; }\n`)),
    ).rejects.toMatchObject({
      kind: 'patch',
      code: 'does-not-compile',
      detail: expect.stringContaining('broken'),
    })
  })

  it.each([compiler, ...(clang === undefined ? [] : [clang])])(
    'names a flag that %s does not know',
    async (program_) => {
      const wish = request(program, {}, '-fno-such-thing')
      await expect(
        extractStandalone(job, { ...wish, unit: { ...wish.unit, compiler: program_ } }),
      ).rejects.toMatchObject({
        kind: 'usage',
        code: 'unknown-flag',
        message: expect.stringContaining('-fno-such-thing'),
      })
    },
  )

  it('takes a command as a build prints it', () => {
    expect(splitCommand(['clang', '-O2', '-c', '-o', 'a.o', 'a.c', '-Wall'], 'a.c')).toEqual({
      compiler: 'clang',
      flags: ['-O2', '-Wall'],
    })
    expect(splitCommand(['-O2'], 'a.c')).toEqual({ compiler: 'cc', flags: ['-O2'] })
  })
})
