// SPDX-License-Identifier: GPL-3.0-or-later
// The manifest lies beside a live patch module and tells everything known about it. `prove`, `verify` and `report` read
// it back, so it is checked against this schema: a file is hostile until parsed.
import * as v from 'valibot'
import { callbackKinds } from '../../diff/directives.ts'
import { models } from '../../kernel/model.ts'
import { matchRecordSchema } from '../../match/record.ts'

const finding = v.object({
  severity: v.picklist(['error', 'warning', 'note']),
  rule: v.string(),
  message: v.string(),
  hint: v.exactOptional(v.string()),
  symbol: v.exactOptional(v.string()),
  unit: v.exactOptional(v.string()),
  allowed: v.exactOptional(v.boolean()),
})

const beyond = v.variant('verdict', [
  v.object({ verdict: v.literal('plain'), why: v.string() }),
  v.object({
    verdict: v.literal('lives'),
    living: v.array(
      v.object({
        /** A struct, a variable, a lock, or a function that is called. */
        object: v.string(),
        member: v.exactOptional(v.string()),
        before: v.string(),
        after: v.string(),
      }),
    ),
  }),
  v.object({ verdict: v.literal('untold'), why: v.string() }),
])

const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))

/** A name of a patched function or kernel module: no white space, no slash. */
const symbolName = v.pipe(v.string(), v.regex(/^[^\s/]{1,255}$/))

export const manifestSchema = v.object({
  format: v.literal('inarch-manifest-1'),
  /** The module's name without `livepatch-`, such as `meminfo`. */
  name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9_-]{0,40}$/)),
  /** The module's name as the kernel knows it, such as `livepatch_meminfo`. */
  module: v.pipe(v.string(), v.regex(/^[a-z0-9_]{1,55}$/)),
  description: v.string(),
  tool: v.object({ name: v.literal('inarch'), version: v.string() }),
  kernel: v.object({
    release: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._+~-]{1,64}$/)),
    version: v.string(),
    origin: v.picklist(['debian', 'local']),
    compiler: v.string(),
  }),
  /** What made it: `binary` compares objects, `source` writes C. Absent: `binary`. */
  engine: v.exactOptional(v.picklist(['binary', 'source'])),
  /** What the two engines made of the same fix; the module is the binary engine's. */
  engines: v.exactOptional(
    v.object({
      /** True when both replace the same functions by the same machine code. */
      agree: v.boolean(),
      functions: v.array(
        v.object({
          object: symbolName,
          name: symbolName,
          unit: v.string(),
          replacedBy: v.picklist(['both', 'binary', 'source']),
          /** Of what both replace: `identical` modulo addresses, or the class of the difference. */
          code: v.exactOptional(v.string()),
          /** What each engine saw, in a sentence; absent when they agree. */
          explanation: v.exactOptional(v.string()),
        }),
      ),
      /** Why the source engine made no module. */
      failure: v.exactOptional(v.string()),
    }),
  ),
  /** How tasks go over to its code, and who carries it. Absent: `kernel`, its own livepatch. */
  model: v.exactOptional(v.picklist(models)),
  /** True when loading it atomically replaces every earlier live patch. */
  replace: v.boolean(),
  inputs: v.array(v.object({ file: v.string(), sha256 })),
  /** SHA-256 of the module file. */
  sha256,
  /** How many units may take in what the patch changes, and how few of them matter. */
  units: v.exactOptional(
    v.object({
      considered: v.number(),
      /** May need what changes in a header, so that their text was compared after the preprocessor. */
      preprocessed: v.number(),
      compiled: v.number(),
      changed: v.number(),
    }),
  ),
  /** What is replaced, by the kernel object that holds it: `vmlinux` or a module's name. */
  objects: v.array(
    v.object({
      name: symbolName,
      functions: v.array(
        v.object({
          name: symbolName,
          /** Position among symbols of the same name, counted from 1; 0 when the name is unique. */
          sympos: v.pipe(v.number(), v.integer(), v.minValue(0)),
          unit: v.string(),
          reasons: v.array(v.string()),
          /** What of it reaches beyond its call; absent where there was no patch to tell it from. */
          beyond: v.exactOptional(beyond),
          /** What its code must be where the live patch is loaded, and how it was recognised in the kernel's image. */
          match: v.exactOptional(matchRecordSchema),
        }),
      ),
      /** What the kernel calls when the live patch comes or goes, or the object does. */
      callbacks: v.optional(
        v.array(v.object({ kind: v.picklist(callbackKinds), name: symbolName, unit: v.string() })),
        [],
      ),
    }),
  ),
  /** In which image it works, and how it reaches what the kernel does not export. */
  binding: v.exactOptional(
    v.object({
      /** `distance`: from the exported symbol `anchor`, wherever that is possible; `klp`: by name and position. */
      mode: v.picklist(['distance', 'klp']),
      image: v.object({
        /** What `uname -r` and `uname -v` print there. */
        release: v.string(),
        version: v.string(),
        /** The GNU build-id, hexadecimal; absent when the kernel has none. */
        buildId: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-f]{2,64}$/))),
      }),
      anchor: v.string(),
      symbols: v.array(
        v.object({
          object: symbolName,
          name: symbolName,
          sympos: v.pipe(v.number(), v.integer(), v.minValue(0)),
          /** Bytes from the anchor. */
          distance: v.exactOptional(v.pipe(v.number(), v.integer())),
          /** It is (also) looked up by name and position. */
          byName: v.boolean(),
        }),
      ),
    }),
  ),
  /** What the module carries besides the replaced functions. */
  carried: v.array(
    v.object({
      name: v.string(),
      kind: v.picklist(['function', 'data']),
      unit: v.string(),
      reason: v.string(),
    }),
  ),
  /** What the live patch changes of the system for good (struct klp_state). */
  states: v.optional(
    v.array(v.object({ name: v.string(), id: v.number(), version: v.number(), unit: v.string() })),
    [],
  ),
  findings: v.array(finding),
  /** The patches' and the functions' texts, for the report; `evidence.ts` packs and unpacks it. */
  evidence: v.exactOptional(v.pipe(v.string(), v.base64())),
  timings: v.array(v.object({ step: v.string(), ms: v.number() })),
})

export type Manifest = v.InferOutput<typeof manifestSchema>
