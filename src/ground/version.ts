// SPDX-License-Identifier: GPL-3.0-or-later
// Inarch's own version, which the bundler writes into the program.

declare const INARCH_VERSION: string | undefined

/** `0.1.0`; `development` when the sources run without being bundled. */
export const version: string = typeof INARCH_VERSION === 'string' ? INARCH_VERSION : 'development'
