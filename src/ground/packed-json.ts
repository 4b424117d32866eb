// SPDX-License-Identifier: GPL-3.0-or-later
// A large value inside of a JSON document: JSON, gzip (RFC 1952), base64.
import { gunzipSync, gzipSync } from 'node:zlib'

export function pack(value: unknown): string {
  return gzipSync(JSON.stringify(value), { level: 9 }).toString('base64')
}

/**
 * The value, unchecked: it is hostile until it is parsed.
 * @param largest bytes of JSON that are accepted
 * @throws Error when it is not what `pack` made, or larger
 */
export function unpack(packed: string, largest: number): unknown {
  const text = gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: largest })
  return JSON.parse(text.toString('utf8'))
}
