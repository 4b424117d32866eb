// SPDX-License-Identifier: GPL-3.0-or-later
// A Kernel is everything that is known about one kernel: where its source, image and modules are, how
// it was configured and with what it was compiled. debian.ts gets one from the package archive,
// local.ts from a build directory; the rooms after this one see no difference.

export interface Compiler {
  /** The program that kbuild is told to use, such as `gcc-12`; with its path when it is not this machine's own. */
  readonly program: string
  /** The config's CC_VERSION_TEXT, such as `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0`. */
  readonly versionText: string
}

/** Serialisable: it is stored as `kernel.json`. All paths are absolute. */
export interface Kernel {
  /** `uname -r`, such as `6.1.0-56-cloud-amd64`. */
  readonly release: string
  /** The distribution's package version (`6.1.192-2`), or the source's own (`6.1.192`). */
  readonly version: string
  /** `6.1`, `6.12`. */
  readonly series: string
  /** `cloud-amd64`, `amd64`, `rt-amd64`; empty for a kernel from a build directory. */
  readonly flavour: string
  readonly origin: 'debian' | 'local'
  /** Inarch's own directory for this kernel, writable; what later rooms cache goes below it. */
  readonly dir: string
  /** The prepared source tree, in which kbuild can run. Never written to. */
  readonly source: string
  /** The boot image (bzImage). */
  readonly image: string
  /** The kernel proper as an ELF file, from the image or the build. */
  readonly vmlinux: string
  /** Every symbol as `ADDRESS TYPE NAME` lines in the order in which the kernel counts `sympos`. */
  readonly systemMap: string
  /** The directory that holds `lib/modules/RELEASE`, with depmod's files. */
  readonly modulesRoot: string
  readonly symvers: string
  readonly config: string
  readonly compiler: Compiler
  /** The toolchain that its compiler and kbuild's programs run with; undefined when they are this machine's own. */
  readonly toolchain?: string | undefined
}
