/**
 * @packageDocumentation
 * A front end's script as data: what docs/frontend-scripts.md describes, one statement per line. `parseScript` makes it
 * from text, `printScript` makes the text again, and whoever finds a fault by machine (the simulator's shrinker) builds
 * it from nothing and prints it, so that a find becomes a file.
 *
 *   text ── parseScript ──► Statement[] ── runScript ──► ScriptPort (embedded host, simulated world)
 *        ◄── printScript ──
 *
 * Numbers of 64 bits are two u32 words. Every field of a request may be a lie; what is left out is honest.
 */

/** A 64-bit number: low word, high word, both unsigned. */
export type U64 = readonly [low: number, high: number]

/** States as Xen spells them (protocol/xenbus-state.ts). */
export type { XenbusState } from '../protocol/xenbus-state.js'
import type { SectorFormat } from '../protocol/sector-format.js'
import type { Vetoable } from '../protocol/keys.js'
import type { XenbusState } from '../protocol/xenbus-state.js'

/** A page of the script's own by its name, or a reference that nobody promised anything about. */
export type PageOrGref = { readonly page: string } | { readonly gref: number }

/** Sectors `first` to `last` of a page. */
export type ScriptSegment = PageOrGref & { readonly first: number; readonly last: number }

/** A request, to be put on a ring. */
export interface ScriptRequest {
  /** The operation's number; 6 is an INDIRECT, whose inner operation is `inner`. */
  readonly op: number
  readonly inner?: number
  /** Words of the entry as they are, in place of everything else. */
  readonly raw?: readonly number[]
  readonly sector?: U64
  /** So many sectors: of a DISCARD its nr_sectors, of others in fresh pages. */
  readonly sectors?: U64
  readonly segments?: readonly ScriptSegment[]
  /** What the fresh pages are filled with. */
  readonly fill?: number
  /** Of a DISCARD: its flag byte. */
  readonly flag?: number
  /** Of an INDIRECT: where its descriptors are said to be. */
  readonly descriptors?: readonly PageOrGref[]
  readonly nrSegments?: number
  readonly id?: U64
  readonly handle?: number
  readonly queue?: number
  readonly name?: string
}

export const INDEX_NAMES = ['req_prod', 'req_event', 'rsp_prod', 'rsp_event'] as const
/** The four indexes of a shared ring (xen/include/public/io/ring.h). */
export type IndexName = (typeof INDEX_NAMES)[number]

/** What is found in pages. */
export type Content =
  | { readonly is: 'byte'; readonly byte: number }
  | { readonly is: 'crc32'; readonly crc: number }
  | { readonly is: 'same'; readonly name: string }

/** Everything that can be expected; what takes time has `withinMs`. */
export type Expectation =
  | { readonly what: 'answers'; readonly names: readonly string[]; readonly status: number; readonly withinMs?: number }
  | { readonly what: 'unanswered'; readonly names: readonly string[]; readonly forMs?: number }
  | { readonly what: 'state'; readonly state: XenbusState; readonly withinMs?: number }
  /** A node of the back end's directory; `value` absent: it is not there. */
  | { readonly what: 'key'; readonly key: string; readonly value?: string; readonly withinMs?: number }
  | { readonly what: 'data'; readonly name: string; readonly content: Content }
  /** Of a page, or `ring`: the first ring's pages. */
  | { readonly what: 'mapped' | 'unmapped'; readonly name: string; readonly withinMs?: number }
  | {
      readonly what: 'index'
      readonly index: IndexName
      readonly value: number
      readonly queue?: number
      readonly withinMs?: number
    }

/** What a disk does from now on. */
export type DiskChange =
  | { readonly disk: 'size'; readonly bytes: number }
  | { readonly disk: 'read-only' }
  | { readonly disk: 'sector-size'; readonly format: SectorFormat }
  /** What is not offered. */
  | { readonly disk: 'without'; readonly features: readonly Vetoable[] }
  | { readonly disk: 'slow'; readonly ms: number }
  | { readonly disk: 'fails'; readonly errno: number; readonly sectors?: readonly [from: number, to: number] }
  | { readonly disk: 'well' }

type Bare =
  /** A line that is a comment. */
  | { readonly do: 'comment'; readonly text: string }
  | { readonly do: 'abi'; readonly abi: 'x86_64' | 'x86_32' }
  | ({ readonly do: 'disk' } & DiskChange)
  /** A setting of the daemon that serves. */
  | { readonly do: 'setting'; readonly key: string; readonly value: string }
  /** The whole handshake. */
  | { readonly do: 'connect'; readonly pages?: number; readonly queues?: number; readonly persistent?: boolean }
  /** Its steps: rings and channels are made · keys are written · one of them is changed · a state is written. */
  | { readonly do: 'rings'; readonly pages?: number; readonly queues?: number }
  | { readonly do: 'keys'; readonly persistent?: boolean }
  | { readonly do: 'key'; readonly key: string; readonly value?: string }
  | { readonly do: 'state'; readonly state: XenbusState }
  | { readonly do: 'page'; readonly name: string; readonly grant: 'read-write' | 'read-only' | 'none' }
  | { readonly do: 'fill'; readonly name: string; readonly byte: number }
  | { readonly do: 'grant'; readonly name: string; readonly readOnly: boolean }
  | { readonly do: 'revoke'; readonly name: string }
  /** `put` shows it to the back end and notifies; `stage` only writes the entry. */
  | { readonly do: 'put' | 'stage'; readonly request: ScriptRequest }
  | { readonly do: 'publish'; readonly quietly: boolean; readonly queue?: number }
  | { readonly do: 'notify'; readonly queue?: number }
  | {
      readonly do: 'index'
      readonly index: IndexName
      readonly value: number
      readonly relative: boolean
      readonly queue?: number
    }
  /** Changes one word of an entry that was put. */
  | { readonly do: 'poke'; readonly name: string; readonly word: number; readonly value: number }
  | { readonly do: 'expect'; readonly expected: Expectation }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'kill' | 'stop' | 'start' | 'close' | 'vanish' }
  | { readonly do: 'repeat'; readonly times: number; readonly body: readonly Statement[] }

/** One statement; `line` is where it stood, if it stood anywhere. */
export type Statement = Bare & { readonly line?: number }

/** What `expect` waits when it does not say. */
export const PATIENCE_MS = 5000
/** Nesting and size are bounded: a script is read whole before it runs. */
export const REPEAT_DEPTH_MAX = 4
export const REPEAT_TIMES_MAX = 1_000_000
export const SCRIPT_LINES_MAX = 100_000
