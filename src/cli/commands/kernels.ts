// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch kernels`: which kernels there are, to fetch them and to remove them again.
import { Command } from 'commander'
import type { Kernel } from '../../kernel/kernel.ts'
import type { ListedKernel, ListOptions } from '../../kernel/list.ts'
import { type CommonOptions, perform, withCommonOptions } from '../options/session.ts'
import { bold, dim, green } from '../render/colour.ts'

function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`
}

function state(kernel: ListedKernel): string {
  const text = kernel.fetched
    ? green(`fetched, ${size(kernel.bytes)}`)
    : dim(`${size(kernel.downloadBytes)} to download`)
  const marks = [...(kernel.running ? [bold('running')] : []), ...(kernel.default ? [bold('default')] : [])]
  return [text, ...marks].join(', ')
}

function table(kernels: readonly ListedKernel[]): string[] {
  const rows = kernels.map((one) => [one.release, one.version, one.series, one.flavour, one.distribution])
  const header = ['RELEASE', 'VERSION', 'SERIES', 'FLAVOUR', 'SUITE']
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')
  return [dim(`${line(header)}  STATE`), ...kernels.map((kernel, index) => `${line(rows[index]!)}  ${state(kernel)}`)]
}

/** What is in a kernel's directory. */
function parts({ source, image, compiler }: Kernel): string[] {
  return [`  source: ${source}`, `  image: ${image}`, `  compiler: ${compiler.versionText}`]
}

/** `inarch kernels`, with `list` (what it does by itself), `fetch` and `prune`. */
export function kernelsCommand(): Command {
  const kernels = new Command('kernels').description('list, fetch and remove the kernels that patches are made for')

  withCommonOptions(kernels.command('list', { isDefault: true }), 'where they are')
    .description('show the kernels that are fetched or can be had from the Debian archive')
    .option('--suite <name>', 'of one distribution (trixie, stable, testing); as a rule this machine’s and stable')
    .option('--series <series>', 'of one series, such as 6.12')
    .option('--all', 'of every distribution')
    .action((options: CommonOptions & ListOptions) =>
      perform(options, async (session) => {
        const { listKernels } = await import('../../kernel/list.ts')
        const { kernelDir } = await import('../../kernel/store.ts')
        const listed = await listKernels(session.job, options)
        session.data(listed)
        if (listed.length === 0)
          session.print('No such kernel is fetched, and none is in the lists that could be read.')
        else for (const row of table(listed)) session.print(row)
        if (session.verbose)
          for (const { release } of listed.filter(({ fetched }) => fetched))
            session.print(dim(`${release} is in ${kernelDir(release)}`))
      }),
    )

  withCommonOptions(kernels.command('fetch'), 'where source and image are, and the compiler')
    .description('fetch kernels: source, configuration, image, modules and symbols')
    .argument(
      '<kernel...>',
      'releases (6.12.118+deb13-cloud-amd64), series (6.12, 6.1-amd64), distributions (trixie, ' +
        'stable-rt), `running` or `latest`',
    )
    .addHelpText(
      'after',
      `
Examples:
  inarch kernels fetch latest               the newest kernel of the archive
  inarch kernels fetch 6.1 6.12             the newest cloud kernel of each series
  inarch kernels fetch 6.1-amd64            the newest generic kernel of a series
  inarch kernels fetch 6.1-rt               the newest real-time kernel of a series
  inarch kernels fetch trixie               the newest cloud kernel of Debian 13
  inarch kernels fetch running              the running kernel`,
    )
    .action((wanted: string[], options: CommonOptions) =>
      perform(options, async (session) => {
        const { selectKernel } = await import('../../kernel/select.ts')
        const fetched = []
        for (const one of wanted) {
          const kernel = await selectKernel(session.job, one)
          fetched.push(kernel)
          session.print(`${kernel.release} (${kernel.version}) is in ${kernel.dir}`)
          if (session.verbose) for (const line of parts(kernel)) session.print(dim(line))
        }
        session.data(fetched)
      }),
    )

  withCommonOptions(kernels.command('prune'))
    .description('remove fetched kernels; without arguments all but the newest of each suite, series and flavour')
    .argument('[release...]', 'remove exactly these')
    .option('--all', 'remove every kernel, everything made from them, and the archive’s lists')
    .option('--dry-run', 'only tell what would be removed')
    .addHelpText(
      'after',
      `
Examples:
  inarch kernels prune --dry-run            what would go, and what it would free
  inarch kernels prune 6.1.0-55-cloud-amd64 one kernel`,
    )
    .action((releases: string[], options: CommonOptions & { all?: boolean; dryRun?: boolean }) =>
      perform(options, async (session) => {
        const { prune } = await import('../../kernel/prune.ts')
        const removed = await prune(session.job, {
          releases,
          all: options.all === true,
          dryRun: options.dryRun === true,
        })
        const bytes = removed.reduce((sum, one) => sum + one.bytes, 0)
        session.data({ removed, bytes, dryRun: options.dryRun === true })
        for (const one of removed) session.print(`${one.name}  ${size(one.bytes)}`)
        session.print(
          removed.length === 0
            ? 'There is nothing to remove.'
            : `${options.dryRun ? 'Would free' : 'Freed'} ${size(bytes)}.`,
        )
      }),
    )

  return kernels.addHelpText(
    'after',
    `
Examples:
  inarch kernels                            what there is; the default is marked
  inarch kernels --suite testing            what the next Debian has
  inarch kernels fetch 6.1                  get the newest 6.1 kernel
  inarch kernels prune                      remove superseded ones`,
  )
}
