// SPDX-License-Identifier: GPL-3.0-or-later
// The signature that a kernel may want of a module. It is appended to the file when somebody signs it, after the
// manifest was written; what was signed is still the module that the manifest describes.
// Format: the kernel's include/linux/module_signature.h and kernel/module/signing.c: content, signature, 12 bytes of
// which the last four are the signature's length (big-endian), and a magic text.

const magic = '~Module signature appended~\n'
const trailer = 12 + magic.length

/** @returns the module without its signature, and whether it has one; whether it is a good one only the kernel knows */
export function splitSignature(bytes: Buffer): { readonly content: Buffer; readonly signed: boolean } {
  const end = bytes.length - trailer
  if (end < 0 || bytes.toString('latin1', bytes.length - magic.length) !== magic)
    return { content: bytes, signed: false }
  const length = bytes.readUInt32BE(bytes.length - magic.length - 4)
  return length > end ? { content: bytes, signed: false } : { content: bytes.subarray(0, end - length), signed: true }
}
