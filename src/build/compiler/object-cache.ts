// SPDX-License-Identifier: GPL-3.0-or-later
// Objects that were compiled before, found by a hash of all that made them. Each is stored behind the
// hash of its own bytes, so that a file that was cut off or spoiled is compiled again, not used.
import { createHash } from 'node:crypto'
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import { cacheRoot, makeCacheDirectory } from '../../ground/cache.ts'
import { keepFile } from '../../ground/kept-file.ts'

/** Bytes that the cache may hold; when there are more, the objects used longest ago go first. */
const bound = 1024 ** 3
const hashLength = 32
/** One store in so many looks at the cache's size, by the key's first byte. */
const sweepEvery = 16

function directory(): string {
  return path.join(cacheRoot(), 'objects')
}

function fileOf(key: string): string {
  return path.join(directory(), key)
}

function hash(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** The object that was stored under `key` (64 hex digits), if it is there and whole. */
export async function loadObject(key: string): Promise<Buffer | undefined> {
  const file = fileOf(key)
  let stored: Buffer
  try {
    stored = await readFile(file)
  } catch {
    return undefined
  }
  const bytes = stored.subarray(hashLength)
  if (stored.length <= hashLength || !hash(bytes).equals(stored.subarray(0, hashLength))) return undefined
  const now = new Date()
  await utimes(file, now, now).catch(() => {})
  return bytes
}

/** Keeps an object under `key`; readers see all of it or nothing. */
export async function storeObject(key: string, bytes: Uint8Array): Promise<void> {
  makeCacheDirectory(directory())
  await keepFile(fileOf(key), Buffer.concat([hash(bytes), bytes]))
  if (Number.parseInt(key.slice(0, 2), 16) % sweepEvery === 0) await evict(bound)
}

/** Removes the objects used longest ago until at most `limit` bytes are left. */
export async function evict(limit: number): Promise<void> {
  const found = await Promise.all(
    (await readdir(directory())).map(async (name) => {
      const file = path.join(directory(), name)
      const status = await stat(file).catch(() => undefined)
      return status === undefined ? [] : [{ file, size: status.size, used: status.mtimeMs }]
    }),
  )
  const objects = found.flat().sort((a, b) => b.used - a.used)
  let total = 0
  for (const object of objects) {
    total += object.size
    if (total > limit) await rm(object.file, { force: true })
  }
}
