// SPDX-License-Identifier: GPL-3.0-or-later
// Takes the kernel proper (an ELF file) out of a boot image. Where the compressed payload lies is told
// by the header of the x86 boot protocol (Documentation/arch/x86/boot.rst); how it is compressed, by
// its first bytes, as the kernel's own scripts/extract-vmlinux does.
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip, constants as zlib } from 'node:zlib'
import { command, type Limits } from '../../ground/command.ts'
import { Fault } from '../../ground/fault.ts'
import { type InputKind, readInput } from '../../ground/input.ts'

interface Format {
  readonly name: string
  readonly magic: readonly number[]
  /** The program that decompresses standard input to standard output; undefined where node does it. */
  readonly program?: readonly [string, ...string[]]
}

const formats: readonly Format[] = [
  { name: 'gzip', magic: [0x1f, 0x8b, 0x08] },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], program: ['xz', '-dc'] },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], program: ['zstd', '-dcq'] },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68], program: ['bzip2', '-dc'] },
  { name: 'lz4', magic: [0x02, 0x21, 0x4c, 0x18], program: ['lz4', '-dcq'] },
  { name: 'lzma', magic: [0x5d, 0x00, 0x00], program: ['xz', '-dc', '--format=lzma'] },
  { name: 'lzo', magic: [0x89, 0x4c, 0x5a, 0x4f], program: ['lzop', '-dc'] },
]

const elfMagic = Buffer.from([0x7f, 0x45, 0x4c, 0x46])

function bad(why: string): Fault {
  return new Fault('environment', 'image-unreadable', `The boot image can’t be read: ${why}`)
}

/**
 * The compressed payload inside a bzImage.
 * @throws Fault `environment/image-unreadable`
 */
export function payloadOf(image: Buffer): Buffer {
  if (image.length < 0x250 || image.toString('latin1', 0x202, 0x206) !== 'HdrS')
    throw bad('it is not an x86 boot image')
  const protocol = image.readUInt16LE(0x206)
  if (protocol < 0x208) throw bad(`its boot protocol ${(protocol / 256) | 0}.${protocol & 255} is too old`)
  // boot.rst: a setup_sects of 0 means 4; the boot sector itself comes on top.
  const setup = ((image[0x1f1] || 4) + 1) * 512
  const offset = setup + image.readUInt32LE(0x248)
  const length = image.readUInt32LE(0x24c)
  if (length < 16 || offset + length > image.length) throw bad('its payload lies outside of the file')
  return image.subarray(offset, offset + length)
}

const mega = 1024 * 1024
/** Debian's largest is 12 MB, and 70 MB unpacked. */
const bootImage: InputKind = { what: 'a boot image', largest: 256 * mega, fault: 'environment' }
const unpackedImage: InputKind = { what: 'a kernel', largest: 1024 * mega, fault: 'environment' }
/** What a program that unpacks something may take: a few bytes can stand for very many. */
const limits: Limits = { memory: 4096 * mega, cpu: 120, fileSize: unpackedImage.largest + 1 }

/**
 * Extracts the kernel proper from `image` into the new file `output`.
 * @returns its bytes
 * @throws Fault `environment/image-unreadable`, `environment/program-missing`
 */
export async function extractVmlinux(image: string, output: string, signal?: AbortSignal): Promise<Buffer> {
  const payload = payloadOf(await readInput(image, bootImage))
  const format = formats.find(({ magic }) => magic.every((byte, i) => payload[i] === byte))
  let vmlinux: Buffer
  if (format === undefined) {
    if (!payload.subarray(0, 4).equals(elfMagic)) throw bad('its payload’s compression is not known')
    vmlinux = payload
    await writeFile(output, vmlinux)
  } else if (format.program === undefined) {
    try {
      vmlinux = await promisify(gunzip)(payload, {
        finishFlush: zlib.Z_SYNC_FLUSH,
        maxOutputLength: unpackedImage.largest,
      })
    } catch (error) {
      throw bad(`its ${format.name} payload is damaged (${(error as Error).message})`)
    }
    await writeFile(output, vmlinux)
  } else {
    const [program, ...args] = format.program
    // Behind what was compressed stands its size in 4 bytes (scripts/Makefile.lib, size_append), but for gzip, which
    // has one of its own. lz4 would take it for a further block, and since 1.10 give nothing.
    const result = await command(program, args, {
      input: payload.subarray(0, -4),
      outputFile: output,
      allowFailure: true,
      limits,
      ...(signal === undefined ? {} : { signal }),
    })
    vmlinux = await readInput(output, unpackedImage)
    if (vmlinux.length === 0)
      throw bad(`${program} could not decompress its payload: ${result.stderr.trim().split('\n')[0] ?? ''}`)
  }
  if (!vmlinux.subarray(0, 4).equals(elfMagic)) throw bad('its payload is not an ELF file')
  const expected = payload.readUInt32LE(payload.length - 4)
  if (format !== undefined && vmlinux.length < expected)
    throw bad(`its payload is damaged: ${vmlinux.length} bytes of ${expected}`)
  return vmlinux
}
