// SPDX-License-Identifier: GPL-3.0-or-later
// Imports go one way, down the flow of the data: a room may import only rooms that stand before it here.
const rooms = [
  'ground',
  'elf',
  'x86',
  'patch',
  'kernel',
  'c',
  'build',
  'diff',
  'match',
  'calls',
  'transition',
  'extract',
  'source',
  'check',
  'audit',
  'module',
  'core',
  'vm',
  'livepatch',
  'report',
  'demo',
  'cli',
]

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...rooms.slice(0, -1).map((room, index) => ({
      name: `${room}-imports-no-later-room`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: `^src/(${rooms.slice(index + 1).join('|')})/` },
    })),
    {
      name: 'every-room-has-its-place',
      comment: 'A new room belongs into the list above.',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: `^src/(${rooms.join('|')})/` },
    },
    {
      name: 'the-audit-makes-up-its-own-mind',
      comment: 'It must not inherit a fault of what it judges.',
      severity: 'error',
      from: { path: '^src/audit/' },
      to: { path: '^src/', pathNot: '^src/(audit|ground|elf|x86|kernel|match)/' },
    },
    {
      name: 'only-the-architecture-knows-encodings',
      comment: 'What an opcode means, other rooms ask the files beside it.',
      severity: 'error',
      from: { path: '^(src|test|bench)/', pathNot: '^(src|test)/x86/' },
      to: { path: '^src/x86/encoding\\.ts$' },
    },
    {
      name: 'a-command-imports-no-other-command',
      severity: 'error',
      from: { path: '^src/cli/commands/([^/]+)$' },
      to: { path: '^src/cli/(main|commands/)', pathNot: '^src/cli/commands/$1$' },
    },
    {
      name: 'no-cycle',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-cycle-of-folders',
      comment: 'Within a room, too, data goes one way.',
      severity: 'error',
      scope: 'folder',
      from: {},
      to: { circular: true },
    },
    {
      name: 'nothing-unreachable',
      comment: 'What the command does not reach is dead code.',
      severity: 'error',
      from: { path: '^src/cli/main\\.ts$' },
      // The bundle's second entry is started as a thread.
      to: { path: '^src/', pathNot: '^src/extract/pairs/pair-worker\\.ts$', reachable: false },
    },
    {
      name: 'sources-import-no-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'sources-need-no-development-package',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
}
