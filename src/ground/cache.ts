// SPDX-License-Identifier: GPL-3.0-or-later
// Where Inarch keeps what can be made again. The layout is the XDG base directory specification's.
import os from 'node:os'
import path from 'node:path'

/** `$XDG_CACHE_HOME/inarch`, absolute. */
export function cacheRoot(): string {
  const xdg = process.env['XDG_CACHE_HOME']
  const base = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(os.homedir(), '.cache')
  return path.join(base, 'inarch')
}
