// SPDX-License-Identifier: GPL-3.0-or-later
// The one set-up step behind `npm run demo` and `npm test`: brings the Debian packages, the npm packages of
// the lock file and the bundle, where they are missing. With `--tests` it also brings the compilers that only
// the tests use. It runs before anything is installed, so it uses Node alone. When nothing is missing it says
// nothing and takes a fraction of a second.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, isBuilt } from './build.mjs'
import { isNodeIn } from './node-range.mjs'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const record = path.join(root, 'dist/.setup.json')
const forTests = process.argv.includes('--tests')

/**
 * The Debian packages that Inarch needs besides those that every Debian system has, each by the names it has
 * had in Debian's releases, and why. Found by running everything in a system that had nothing but these.
 */
const packages = [
  ['binutils'], // the compiler's assembler
  ['busybox-static'], // all that runs in the proof's guest
  ['bzip2'], // images are compressed in one of these ways
  ['cpio'], // the tests look into the guest's file system with it
  ['e2fsprogs'], // a disk for the proofs of file systems
  ['gcc'], // kbuild compiles small programs that generate sources; the tests compile with it, too
  ['git'], // the tests compare with its diffs
  ['kmod'], // depmod, for the guest's modprobe
  ['libc6-dev'], // for those small programs
  ['libelf1', 'libelf1t64'], // the kernel's objtool is linked with it
  ['lz4'],
  ['make'], // kbuild
  ['procps'], // the tests look for processes that were left behind
  ['qemu-system-x86'], // the proof's machine
  ['stress-ng'], // what makes a guest run the functions that a live patch replaces
  ['xz-utils'],
  ['zstd'],
]

/** What only the tests need. */
const testPackages = [
  ['chromium'], // reports are looked at in it
]

function say(message) {
  process.stderr.write(`setup: ${message}\n`)
}

/** Ends the set-up because something is missing that it can't bring. */
function giveUp(message) {
  say(message)
  process.exit(5)
}

function seconds(started) {
  return `${((Date.now() - started) / 1000).toFixed(1)} s`
}

function run(program, args, options = {}) {
  return spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
  })
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** `debian 12`: the release of the system, to which the remembered compiler belongs. */
function systemName() {
  try {
    const text = readFileSync('/etc/os-release', 'utf8')
    const field = (name) => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(text)?.[1] ?? ''
    return `${field('ID')} ${field('VERSION_ID')}`
  } catch {
    return 'unknown'
  }
}

/**
 * The package of the compiler with which the archive's newest kernel was built, such as `gcc-12`: the headers
 * of a kernel depend on it. Undefined when the package lists do not say.
 */
function archiveCompiler() {
  const show = (name) => run('apt-cache', ['show', '--no-all-versions', name]).stdout ?? ''
  const depends = (text) => /^Depends: (.*)$/m.exec(text)?.[1] ?? ''
  for (const meta of ['linux-headers-cloud-amd64', 'linux-headers-amd64']) {
    const headers = /linux-headers-[0-9][^ ,]*/.exec(depends(show(meta)))?.[0]
    const compiler = headers && /\bgcc-\d+\b/.exec(depends(show(headers)))?.[0]
    if (compiler) return compiler
  }
  return undefined
}

/**
 * The packages of the compilers with which the tests make objects: the oldest and the newest gcc that the
 * archive has, the clang that it recommends and its newest. Undefined when the package lists do not say.
 */
function archiveTestCompilers() {
  const found = run('apt-cache', ['search', '--names-only', '^(gcc|clang)-[0-9]+$']).stdout ?? ''
  const versions = (name) =>
    [...found.matchAll(new RegExp(`^${name}-(\\d+) `, 'gm'))]
      .map(([, version]) => Number(version))
      .sort((a, b) => a - b)
      .map((version) => `${name}-${version}`)
  const [gcc, clang] = [versions('gcc'), versions('clang')]
  if (gcc.length === 0 || clang.length === 0) return undefined
  const meta = run('apt-cache', ['show', '--no-all-versions', 'clang']).stdout ?? ''
  const recommended = /^Depends:.*?\b(clang-\d+)\b/m.exec(meta)?.[1]
  return [...new Set([gcc[0], gcc.at(-1), recommended ?? clang[0], clang.at(-1)])]
}

/** Those of `wanted` (lists of alternative names) that are not installed. One call, a few milliseconds. */
function notInstalled(wanted) {
  const { stdout, error } = run('dpkg-query', [
    '-W',
    '-f',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is dpkg's own syntax
    '${Package} ${db:Status-Status}\n',
    ...wanted.flat(),
  ])
  if (error)
    giveUp(`this set-up knows only Debian; elsewhere, install ${wanted.map((names) => names[0]).join(', ')} yourself`)
  const installed = new Set(stdout.split('\n').flatMap((line) => /^(\S+) installed$/.exec(line)?.[1] ?? []))
  return wanted.filter((names) => !names.some((name) => installed.has(name))).map((names) => names[0])
}

/** What precedes a command that needs root; undefined when this user can't become root without a password. */
function rootPrefix() {
  if (process.getuid() === 0) return []
  return run('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined
}

function aptGet(prefix, args) {
  const [program, ...rest] = [
    ...prefix,
    ...['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=600'],
    ...args,
  ]
  return run(program, rest)
}

function installPackages() {
  const started = Date.now()
  let compilers = findCompilers()
  let missing = missingPackages(compilers)
  if (missing.length === 0 && compilers !== undefined) return
  const prefix = rootPrefix()
  if (prefix === undefined) {
    // Without package lists nobody knows the compiler's name; the first build will ask for the right one.
    if (missing.length === 0) return
    giveUp(
      'run this, then try again: sudo apt-get update && sudo apt-get install --no-install-recommends ' +
        `${missing.join(' ')}`,
    )
  }
  // A third party's archive that can't be reached must not stop this: only the installation counts.
  const update = aptGet(prefix, ['update', '-q'])
  compilers = findCompilers() ?? ['gcc']
  missing = missingPackages(compilers)
  if (missing.length === 0) return
  say(`installing Debian packages: ${missing.join(' ')}`)
  const install = aptGet(prefix, ['install', '-q', '-y', '--no-install-recommends', ...missing])
  if (install.status !== 0) {
    const log = [update, install].flatMap(({ stdout, stderr }) => `${stdout}\n${stderr}`.trim().split('\n'))
    const errors = log.filter((line) => /^(E|W|Err):?/.test(line))
    giveUp(`apt-get could not install them\n${(errors.length > 0 ? errors : log).slice(-15).join('\n')}`)
  }
  say(`${missing.length} Debian packages installed (${seconds(started)})`)
}

/** The packages of the compilers found at an earlier set-up on this release of the system; undefined if none was. */
function knownCompilers() {
  const known = readJson(record)
  if (known?.system !== systemName() || known.compiler === undefined) return undefined
  if (!forTests) return [known.compiler]
  return known.testCompilers && [known.compiler, ...known.testCompilers]
}

/** Asks the package lists for the compilers, once; asking takes seconds. */
function findCompilers() {
  const known = knownCompilers()
  if (known !== undefined) return known
  const compiler = archiveCompiler()
  const testCompilers = forTests ? archiveTestCompilers() : undefined
  if (compiler === undefined || (forTests && testCompilers === undefined)) return undefined
  writeFileSync(record, `${JSON.stringify({ system: systemName(), compiler, testCompilers })}\n`)
  return [compiler, ...(testCompilers ?? [])]
}

/** The Debian packages to be installed, with the compilers when they are known. */
function missingPackages(compilers) {
  const wanted = [...new Set(compilers ?? [])].map((compiler) => [compiler])
  return notInstalled([...packages, ...(forTests ? testPackages : []), ...wanted])
}

/** True when node_modules holds what the lock file says: npm keeps a lock file of what it installed there. */
function npmIsReady() {
  const wanted = readJson(path.join(root, 'package-lock.json'))?.packages ?? {}
  const present = readJson(path.join(root, 'node_modules/.package-lock.json'))?.packages
  if (present === undefined) return false
  return Object.entries(wanted).every(
    ([place, { version, optional }]) =>
      place === '' || present[place]?.version === version || (optional === true && !(place in present)),
  )
}

function installNpmPackages() {
  const started = Date.now()
  say('installing npm packages by the lock file')
  const npm = run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  if (npm.status !== 0)
    giveUp(`npm ci failed\n${(npm.stderr ?? String(npm.error)).trim().split('\n').slice(-15).join('\n')}`)
  say(`npm packages installed (${seconds(started)})`)
}

if (!isNodeIn('>=20.12')) giveUp(`Node ${process.versions.node} is too old: Inarch needs 20.12 or newer`)
// What runs the tests may ask for more than Inarch; npm leaves out what this Node is too old for, and says little.
const runner = forTests && readJson(path.join(root, 'package-lock.json'))?.packages['node_modules/vite']?.engines?.node
if (runner && !isNodeIn(runner)) giveUp(`the tests do not run with Node ${process.versions.node}: they need ${runner}`)
if (process.platform !== 'linux' || process.arch !== 'x64') giveUp('Inarch needs Linux on x86-64')

const compilers = knownCompilers()
const ready = compilers !== undefined && missingPackages(compilers).length === 0 && npmIsReady() && isBuilt()
if (!ready && !process.argv.includes('--alone')) {
  // One at a time. The kernel holds the lock, so that a set-up that is killed does not leave it behind.
  mkdirSync(path.join(root, 'dist'), { recursive: true })
  const self = fileURLToPath(import.meta.url)
  const again = [process.execPath, self, '--alone', ...process.argv.slice(2)]
  const alone = run('flock', [path.join(root, 'dist/.lock'), ...again], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  process.exitCode = alone.status ?? 1
} else if (!ready) {
  installPackages()
  if (!npmIsReady()) installNpmPackages()
  if (!isBuilt()) {
    const started = Date.now()
    try {
      await build()
    } catch {
      say('the sources do not build')
      process.exit(1)
    }
    say(`built dist/inarch.js (${seconds(started)})`)
  }
}
