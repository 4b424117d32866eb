// SPDX-License-Identifier: GPL-3.0-or-later
// An option that does nothing is a fault. Each option of each command is in a table here, or of `prove` in
// cli/prove-options.test.ts: the command is run with it and without it, and what it says it changes is looked at. The
// tables are held against the command's own list.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { forecastCommand } from '../../src/cli/commands/forecast.ts'
import { inarchCommand } from '../../src/cli/program.ts'
import { forecastPage } from '../../src/cli/render/forecast.ts'
import { renderProof } from '../../src/cli/render/proof.ts'
import { silentJournal } from '../../src/ground/job.ts'
import { distributions, hostDistribution } from '../../src/kernel/distributions.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { forecastOnHost } from '../../src/livepatch/stacks.ts'
import type { HostForecast } from '../../src/livepatch/transition-forecast.ts'
import { hostWith } from '../livepatch/recorded.ts'
import { compileBytes } from '../objects.ts'
import { writePatch } from './change.ts'
import { buildCommand, inarch, type Outcome, root } from './inarch.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-options-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))
const at = (name: string) => path.join(work, name)
const example = path.join(root, 'examples/meminfo.patch')
/** A distribution whose kernel is not the one that is used without `--kernel`, and how its releases begin. */
const other = distributions.find((one) => one.series !== undefined && one !== hostDistribution())!
const otherRelease = `${other.series}.`

interface Ran extends Outcome {
  /** The directory in which it ran, with what it wrote. */
  readonly cwd: string
}

let count = 0
const known = new Map<string, Promise<Ran>>()

/** Runs a command in an empty directory; the same one only once. */
function run(words: readonly string[]): Promise<Ran> {
  const line = words.join(' ')
  const earlier = known.get(line)
  if (earlier !== undefined) return earlier
  const cwd = at(`run-${count++}`)
  mkdirSync(cwd)
  const env = words[1] === 'prune' ? { XDG_CACHE_HOME: oldKernels(cwd) } : {}
  const ran = inarch(words, { cwd, env }).then((outcome) => ({ ...outcome, cwd }))
  known.set(line, ran)
  return ran
}

/** A cache of its own with two kernels that are worth nothing. */
function oldKernels(cwd: string): string {
  for (const release of ['6.1.0-1-amd64', '6.1.0-2-amd64'])
    mkdirSync(path.join(cwd, 'cache/inarch/kernels', release), { recursive: true })
  return path.join(cwd, 'cache')
}

interface Row {
  /** The command without the option; each table has its own. */
  readonly base?: readonly string[]
  /** The option as it is given. */
  readonly given: readonly string[]
  readonly shows: (ran: Ran) => unknown
  readonly value: unknown
}
type Table = Readonly<Record<string, Row>>

const row = (given: readonly string[], shows: Row['shows'], value: unknown = true, base?: readonly string[]): Row => ({
  given,
  shows,
  value,
  ...(base === undefined ? {} : { base }),
})
const json = ({ stdout }: Ran) => {
  try {
    return JSON.parse(stdout)
  } catch {
    return undefined
  }
}
const prints =
  (...words: readonly string[]) =>
  ({ stdout }: Ran) =>
    words.every((word) => stdout.includes(word))
const complains =
  (word: string) =>
  ({ stderr }: Ran) =>
    stderr.includes(word)
const wrote =
  (name: string) =>
  ({ cwd }: Ran) =>
    existsSync(path.join(cwd, name))
const manifest = ({ cwd }: Ran) => {
  const name = readdirSync(cwd).find((one) => /^livepatch-.*\.json$/.test(one))
  return name === undefined ? undefined : JSON.parse(readFileSync(path.join(cwd, name), 'utf8'))
}
const isDocument = row(['--json'], (ran) => typeof json(ran) === 'object')
const isSilent = row(['--quiet'], ({ stderr }) => stderr === '')
/** Of a command that says nothing but its result in any case. */
const staysSilent = row(['--quiet'], ({ stderr, stdout }) => stderr === '' && stdout !== '')
const notATree = row(['--build-dir', work], complains(`${work} has no .config`))

/** One proof with what it can write. */
let proved: Ran

beforeAll(async () => {
  buildCommand()
  const kernel = await selectKernel(job)
  await selectKernel(job, other.codename)
  // More new functions than `check` lists by itself, and none whose result the compiler knows.
  const added = Array.from({ length: 9 }, (_, index) => `kauditd_portid_${index}`)
  const helpers = added.map((name, index) => `static noinline u32 ${name}(void)\n{\n\treturn jiffies + ${index};\n}\n`)
  const head = 'static int kauditd_thread(void *dummy)\n{\n\tint rc;\n\tu32 portid = '
  const sum = added.map((name) => `${name}()`).join(' + ')
  writePatch(work, 'thread', kernel, 'kernel/audit.c', `${head}0;\n`, `${helpers.join('')}${head}${sum};\n`)
  const built = await run(['build', example])
  expect(built.code, built.stderr).toBe(0)
  for (const end of ['ko', 'json'])
    cpSync(path.join(built.cwd, `livepatch-meminfo.${end}`), at(`livepatch-meminfo.${end}`))
  const text = `void __might_sleep(const char *, int);
int served;
static inline int twice(int n) { return 2 * n; }
int serve(int n) { __might_sleep("mm/serve.c", __LINE__); return twice(n) + served; }
int other(int n) { __might_sleep("mm/serve.c", __LINE__); return n; }
`
  writeFileSync(at('serve.c'), `#include <stddef.h>\n${text}size_t more(void) { return served; }\n`)
  writeFileSync(at('before.o'), compileBytes(text))
  writeFileSync(at('after.o'), compileBytes(`\n${text.replace('2 * n', '3 * n')}`))
  const words = ['--no-exercise', '--junit', at('proof.xml'), '--proof', at('proof.json')]
  proved = await run(['prove', module, ...words, '--json', '--quiet'])
  writeFileSync(at('pairs'), `${at('before.o')}\t${at('after.o')}\n`)
})

const module = at('livepatch-meminfo.ko')
const pair = [at('before.o'), at('after.o')]
const thread = at('thread.patch')
const consent = ['--allow', 'never-finishes']
const more = ['source', at('serve.c'), '--extract', 'more']
const source = ['source', at('serve.c'), '--extract', 'serve']

/** Of a command line without options, what each option changes. */
const tables: Record<string, { readonly base: readonly string[]; readonly rows: Table }> = {
  build: {
    base: ['build', example],
    rows: {
      '--json': isDocument,
      '--quiet': isSilent,
      '--verbose': row(['-v'], prints('carried: kauditd_portid_8'), true, ['build', thread, ...consent]),
      '--kernel': row(['-k', other.codename], (ran) => manifest(ran)?.kernel.release.startsWith(otherRelease)),
      '--build-dir': notATree,
      '--strip': row(['-p', '2'], ({ code }) => code, 3),
      '--name': row(['-n', 'other'], wrote('livepatch-other.ko')),
      '--bind': row(['--bind', 'klp'], (ran) => manifest(ran)?.binding.mode, 'klp'),
      '--model': row(['--model', 'kgraft'], (ran) => manifest(ran)?.model, 'kgraft'),
      '--allow': row(
        consent,
        (ran) => manifest(ran)?.findings.some(({ allowed }: { allowed: boolean }) => allowed),
        true,
        ['build', thread],
      ),
      '--output': row(['-o', 'out'], wrote('out/livepatch-meminfo.ko')),
      '--engine': row(['--engine', 'source'], wrote('livepatch-meminfo/livepatch.c')),
      '--report': row(['--report', 'page.html'], wrote('page.html')),
      '--no-replace': row(['--no-replace'], (ran) => manifest(ran)?.replace, false),
    },
  },
  check: {
    base: ['check', example],
    rows: {
      '--json': isDocument,
      '--quiet': isSilent,
      '--verbose': row(['-v'], prints('more (--verbose shows all)'), false, ['check', thread]),
      '--kernel': row(['-k', other.codename], prints(`applied live to ${otherRelease}`)),
      '--build-dir': notATree,
      '--strip': row(['-p', '2'], ({ code }) => code, 3),
      '--name': row(['-n', 'other'], (ran) => json(ran)?.name, 'other', ['check', example, '--json']),
      '--bind': row(['--bind', 'klp'], (ran) => json(ran)?.binding.distance, 0, ['check', example, '--json']),
      '--model': row(['--model', 'kpatch'], (ran) => json(ran)?.model, 'kpatch', ['check', example, '--json']),
      '--allow': row(consent, ({ code }) => code, 0, ['check', thread]),
      '--rules': row(['--rules'], prints('never-finishes')),
    },
  },
  verify: {
    base: ['verify', module],
    rows: {
      '--json': isDocument,
      '--quiet': isSilent,
      '--verbose': row(['-v'], prints('si_swapinfo of vmlinux, init_uts_ns')),
      '--kernel': row(
        ['--kernel', other.codename],
        ({ code, stdout }) => code === 4 && stdout.includes(`against ${otherRelease}`),
      ),
      '--build-dir': notATree,
      '--running': row(['--running'], prints('on this host')),
    },
  },
  report: {
    base: ['report', module],
    rows: {
      '--json': isDocument,
      '--quiet': isSilent,
      '--proof': row(
        ['--proof', at('proof.json')],
        ({ cwd }) => readFileSync(path.join(cwd, 'page.html'), 'utf8').includes('Loaded and reverted on its kernel'),
        true,
        ['report', module, '-o', 'page.html'],
      ),
      '--output': row(['-o', 'other.html'], wrote('other.html')),
    },
  },
  diff: {
    base: ['diff', ...pair],
    rows: {
      '--json': isDocument,
      '--quiet': staysSilent,
      '--verbose': row(['-v'], prints('changed serve'), true, ['diff', '--pairs', at('pairs')]),
      '--pairs': row(['--pairs', at('pairs')], prints('after.o: serve'), true, ['diff']),
    },
  },
  extract: {
    base: ['extract', ...pair, '-o', 'change.o'],
    rows: {
      '--json': isDocument,
      '--quiet': staysSilent,
      '--verbose': row(['-v'], prints('only line numbers differ')),
      '--output': row(['-o', 'change.o'], wrote('change.o'), true, ['extract', ...pair]),
    },
  },
  source: {
    base: source,
    rows: {
      '--json': isDocument,
      '--quiet': row(['--quiet'], staysSilent.shows, true, more),
      '--verbose': row(['-v'], complains('only declared: variable served')),
      '--extract': row(['--extract', 'more'], prints('size_t more(void)')),
      '--externalize': row(['--externalize', 'twice'], prints('\nint served;', 'twice(int n);')),
      '--no-externalize': row(['--no-externalize'], prints('\nint served;')),
      '--rename': row(['--rename'], prints('int livepatch_serve(int n)')),
      '--expand-includes': row(['--expand-includes'], prints('long unsigned int size_t'), true, more),
      '--output': row(['-o', 'small.c'], ({ cwd, stdout }) => existsSync(path.join(cwd, 'small.c')) && stdout === ''),
    },
  },
  'core build': {
    base: ['core', 'build'],
    rows: {
      '--json': isDocument,
      '--quiet': staysSilent,
      '--verbose': row(['-v'], prints('by distance')),
      '--kernel': row(['-k', other.codename], (ran) => json(ran)?.kernel.release.startsWith(otherRelease), true, [
        'core',
        'build',
        '--json',
      ]),
      '--build-dir': notATree,
      '--bind': row(['--bind', 'klp'], prints('by distance'), false, ['core', 'build', '-v']),
      '--output': row(['-o', work], wrote('inarch_core.ko'), false),
    },
  },
  'kernels list': {
    base: ['kernels'],
    rows: {
      '--json': isDocument,
      '--quiet': staysSilent,
      '--verbose': row(['-v'], ({ stdout }) => / is in \/.*\/kernels\/\d+\.\d+\./.test(stdout), true, [
        'kernels',
        'list',
      ]),
      '--suite': row(['--suite', 'testing'], ({ stdout }) => /\+deb14-/.test(stdout) && !/\+deb13-/.test(stdout)),
      '--series': row(['--series', other.series!], ({ stdout }) => {
        const series = stdout.split('\n').flatMap((line) => / +(\d+\.\d+) +\S*amd64 /.exec(line)?.[1] ?? [])
        return series.length > 0 && series.every((one) => one === other.series)
      }),
      // No machine's own distribution and stable are all three.
      '--all': row(['--all'], prints('+deb12-rt-amd64', '+deb13-rt-amd64', '+deb14-rt-amd64')),
    },
  },
  'kernels fetch': {
    base: ['kernels', 'fetch', '6.1'],
    rows: {
      '--json': isDocument,
      '--quiet': staysSilent,
      '--verbose': row(['-v'], prints('compiler: gcc-12 ')),
    },
  },
  'kernels prune': {
    base: ['kernels', 'prune', '6.1.0-1-amd64'],
    rows: {
      '--json': isDocument,
      '--quiet': isSilent,
      '--all': row(['--all'], wrote('cache/inarch/kernels/6.1.0-2-amd64'), false),
      '--dry-run': row(['--dry-run'], wrote('cache/inarch/kernels/6.1.0-1-amd64')),
    },
  },
}

/** Each command that does something itself, by its words. */
function commands(command: Command, before = ''): [words: string, options: string[]][] {
  if (command.commands.length > 0)
    return command.commands.flatMap((one) => commands(one, `${before} ${one.name()}`.trim()))
  return [[before, command.options.map(({ long }) => long ?? '').sort()]]
}

/** What needs a guest or a host of a certain kind: the tests below, and of `prove` the table of its own. */
const elsewhere: Readonly<Record<string, readonly string[]>> = {
  prove: commands(inarchCommand()).find(([words]) => words === 'prove')![1],
  demo: ['--json', '--kernel', '--output', '--quiet', '--verbose'],
  forecast: ['--json', '--looks', '--quiet', '--verbose'],
}

test('each option of each command is shown to work', () => {
  const shown = Object.entries(tables).map(([words, { rows }]) => [words, Object.keys(rows).sort()])
  expect(commands(inarchCommand()).sort()).toEqual([...shown, ...Object.entries(elsewhere)].sort())
})

describe.each(Object.entries(tables))('of inarch %s', (_, { base, rows }) => {
  test.each(Object.entries(rows))('%s changes what it says', async (_, { given, shows, value, base: own }) => {
    const with_ = await run([...(own ?? base), ...given])
    expect(shows(with_), `${with_.stdout}${with_.stderr}`).toEqual(value)
    if (shows !== staysSilent.shows) expect(shows(await run(own ?? base))).not.toEqual(value)
  })
})

test('of inarch prove: what it writes, and how it prints the result', async () => {
  expect([proved.code, proved.stderr]).toEqual([0, ''])
  expect(json(proved)).toMatchObject({ format: 'inarch-proof-2' })
  expect(JSON.parse(readFileSync(at('proof.json'), 'utf8'))).toEqual(json(proved))
  expect(readFileSync(at('proof.xml'), 'utf8')).toContain('<testsuite')
  const checked = ['--no-exercise', '--run', 'cat /proc/meminfo', '--proof', 'proof.json']
  const loud = await run(['prove', module, ...checked, '--verbose'])
  expect([json(loud), loud.stderr]).toEqual([undefined, expect.stringContaining('✓')])
  expect(readdirSync(loud.cwd)).toEqual(['proof.json'])
  expect(loud.stdout).toMatch(/^ +MemTotal:/m)
  const proof = JSON.parse(readFileSync(path.join(loud.cwd, 'proof.json'), 'utf8'))
  expect(renderProof(proof, false).join('\n')).not.toContain('MemTotal:')
})

// Under --json, demo.test.ts reads what it prints.
test('of inarch demo: which kernel, what is kept and what is told', async () => {
  const quiet = await run(['demo', 'meminfo', '--quiet', '--output', 'kept'])
  const loud = await run(['demo', 'meminfo', '--verbose', '--kernel', other.codename])
  const step = /^ +unload the live patch .* ok/m
  expect([quiet.code, quiet.stderr, quiet.stdout]).toEqual([0, '', expect.not.stringMatching(step)])
  expect([loud.code, loud.stderr, loud.stdout]).toEqual([0, expect.stringContaining('✓'), expect.stringMatching(step)])
  expect([quiet, loud].map(prints(`for ${otherRelease}`))).toEqual([false, true])
  expect([quiet, loud].map(wrote('kept/livepatch-meminfo.ko'))).toEqual([true, false])
})

test('of inarch forecast: how often it looks, and whether it shows the stacks', async () => {
  let looks = 0
  const command = forecastCommand().action((_, options: { looks: number }) => {
    looks = options.looks
  })
  await command.parseAsync([module, '--looks', '2'], { from: 'user' })
  const host = hostWith({
    '/proc/self/stack': '',
    '/proc/7/task/7/stack': '[<0>] show+0x5/0x40\n[<0>] do_syscall_64+0x3b/0x90\n',
    '/proc/7/task/7/stat': `7 (sleeper) S 1 7 7 0 -1 4194304 ${'0 '.repeat(43)}\n`,
  })
  const replaced = [{ object: 'vmlinux', name: 'show', sympos: 1 }]
  const measured = await forecastOnHost(job, host, replaced, { looks, interval: 1 })
  expect(measured).toMatchObject({ looks: 2, sleeping: [{ name: 'sleeper', seen: 2 }] })
  const forecast: HostForecast = {
    ...measured,
    format: 'inarch-forecast-1',
    module: { name: 'livepatch_fix', release: '6.1.0-1-test' },
    loaded: 'absent',
    left: [],
  }
  const shows = [false, true].map((verbose) => forecastPage(forecast, verbose).join('\n').includes('do_syscall_64'))
  expect(shows).toEqual([false, true])
  // On a host whose kernel is another one there is only this to say.
  const [plain, document] = [await run(['forecast', module, '--quiet']), await run(['forecast', module, '--json'])]
  expect([plain.stdout, plain.stderr]).toEqual(['', expect.stringMatching(/^[^✓·]*was built for/)])
  expect(json(document)).toMatchObject({ error: { code: 'other-kernel' } })
})
