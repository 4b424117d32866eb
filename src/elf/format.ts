// SPDX-License-Identifier: GPL-3.0-or-later
// The constants of the ELF-64 object format: System V gABI chapters 4 and 5, and the AMD64 psABI's
// relocation types. Names are the documents' own without their prefixes.

export const fileType = { relocatable: 1, executable: 2, shared: 3, core: 4 } as const
export const segmentType = { load: 1, interpreter: 3, note: 4 } as const
export const machine = { x86_64: 62 } as const

export const sectionType = {
  null: 0,
  progbits: 1,
  symtab: 2,
  strtab: 3,
  rela: 4,
  nobits: 8,
  rel: 9,
  note: 7,
  initArray: 14,
  finiArray: 15,
  preinitArray: 16,
  group: 17,
  symtabShndx: 18,
} as const

export const sectionFlag = {
  write: 0x1,
  alloc: 0x2,
  exec: 0x4,
  merge: 0x10,
  strings: 0x20,
  infoLink: 0x40,
  linkOrder: 0x80,
  group: 0x200,
  compressed: 0x800,
  /** The kernel's SHF_RELA_LIVEPATCH (include/uapi/linux/elf.h). */
  relaLivepatch: 0x00100000,
} as const

export const sectionIndex = {
  undefined: 0,
  loReserve: 0xff00,
  /** The kernel's SHN_LIVEPATCH (include/uapi/linux/elf.h). */
  livepatch: 0xff20,
  absolute: 0xfff1,
  common: 0xfff2,
  extended: 0xffff,
} as const

export const symbolBinding = { local: 0, global: 1, weak: 2 } as const
export type SymbolBinding = keyof typeof symbolBinding

export const symbolType = { none: 0, object: 1, function: 2, section: 3, file: 4, tls: 6 } as const
export type SymbolType = keyof typeof symbolType

/** The same by their numbers. */
export const bindings: readonly (SymbolBinding | undefined)[] = ['local', 'global', 'weak']
export const symbolTypes: readonly (SymbolType | undefined)[] = [
  'none',
  'object',
  'function',
  'section',
  'file',
  undefined,
  'tls',
]

/** What a symbol is whose binding or type is none of a kernel's (GNU's and the gABI's numbers). */
export function foreignSymbol(info: number): string {
  if ((info & 0xf) === 10) return 'is an indirect function (ifunc), which a kernel can not have'
  return 'has an unknown binding or type'
}

/** What the kernel keeps in memory, at least while it loads the object. */
export function isAllocated({ flags }: { readonly flags: number }): boolean {
  return (flags & sectionFlag.alloc) !== 0
}

/** True for a section that holds code. */
export function isCode({ flags }: { readonly flags: number }): boolean {
  return (flags & sectionFlag.exec) !== 0
}

export function isWritable({ flags }: { readonly flags: number }): boolean {
  return (flags & sectionFlag.write) !== 0
}

/** Relocation types of the AMD64 psABI that occur in kernel objects. */
export const relocationType = {
  none: 0,
  abs64: 1,
  pc32: 2,
  plt32: 4,
  gotpcrel: 9,
  abs32: 10,
  abs32s: 11,
  abs16: 12,
  pc16: 13,
  abs8: 14,
  pc8: 15,
  dtpoff64: 17,
  tpoff64: 18,
  tlsgd: 19,
  tlsld: 20,
  dtpoff32: 21,
  gottpoff: 22,
  tpoff32: 23,
  pc64: 24,
  gotpcrelx: 41,
  rexGotpcrelx: 42,
} as const

/** Bytes that the field of a relocation covers; 0 for a type that Inarch does not know. */
export function relocationSize(type: number): number {
  switch (type) {
    case relocationType.abs64:
    case relocationType.pc64:
    case relocationType.dtpoff64:
    case relocationType.tpoff64:
      return 8
    case relocationType.pc32:
    case relocationType.plt32:
    case relocationType.abs32:
    case relocationType.abs32s:
    case relocationType.gotpcrel:
    case relocationType.gotpcrelx:
    case relocationType.rexGotpcrelx:
    case relocationType.tlsgd:
    case relocationType.tlsld:
    case relocationType.dtpoff32:
    case relocationType.gottpoff:
    case relocationType.tpoff32:
      return 4
    case relocationType.pc8:
      return 1
    default:
      return 0
  }
}

/** True when the field holds a distance from its own place rather than an address. */
export function isPcRelative(type: number): boolean {
  switch (type) {
    case relocationType.pc32:
    case relocationType.plt32:
    case relocationType.pc64:
    case relocationType.pc8:
    case relocationType.gotpcrel:
    case relocationType.gotpcrelx:
    case relocationType.rexGotpcrelx:
    case relocationType.tlsgd:
    case relocationType.tlsld:
    case relocationType.gottpoff:
      return true
    default:
      return false
  }
}

/** True when the field is about a variable of which each thread has its own. */
export function isThreadLocal(type: number): boolean {
  return type >= relocationType.dtpoff64 && type <= relocationType.tpoff32
}
