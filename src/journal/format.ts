/**
 * @packageDocumentation
 * The journal's form, version 1. A journal is a chain of segments, a segment a header and batches, a batch records.
 * All words are 32 bits, little endian; everything starts on 8 bytes. docs/journal-format.md tells the whole story.
 *
 *   segment   0 'XBBD' · 1 'JRNL' · 2 version · 3 header words · 4 sequence · 5 capacity in words · 6 chain seed ·
 *             7 first batch number · 8 CBOR bytes · 9 CRC of words 2..8 and the CBOR · 10.. CBOR (JournalIdentity)
 *   batch     0 commit word = length in words · 1 batch number · records … · time (double, 2) · digest · CRC
 *
 * The CRC-32 of a batch covers words 1 to length - 2 and starts from the CRC of the batch before (the first of a
 * segment from the chain seed), so a batch cannot be changed, removed or swapped without every later CRC telling.
 *
 * The commit word is stored last and atomically; the word that will be the next batch's commit word is zeroed before
 * that. So what stands behind the last commit word was never written (the torn tail of a crash), and anything wrong
 * before it was changed afterwards.
 */
import { crc32 } from 'node:zlib'
import type { RingIdentity } from '../ports/queues.js'

export const FORMAT_VERSION = 1
export const MAGIC_0 = 0x44424258 // 'XBBD'
export const MAGIC_1 = 0x4c4e524a // 'JRNL'

export const HEADER_FIXED_WORDS = 10
export const H_VERSION = 2
export const H_WORDS = 3
export const H_SEQUENCE = 4
export const H_CAPACITY = 5
export const H_CHAIN = 6
export const H_BATCH = 7
export const H_CBOR_BYTES = 8
export const H_CRC = 9

/** Words of a batch before its records, and after them. */
export const BATCH_HEAD_WORDS = 2
export const BATCH_TAIL_WORDS = 4
export const BATCH_FRAME_WORDS = BATCH_HEAD_WORDS + BATCH_TAIL_WORDS

/** What every segment says of itself, so that a file explains itself to a stranger. */
export interface JournalIdentity {
  /** 'vbd/5/51712/q0', 'vbd/5/51712', 'daemon'. */
  readonly journal: string
  readonly kind: 'queue' | 'actor'
  /** Hash of each chart that was obeyed. */
  readonly charts: { readonly [chart: string]: string }
  /** Of a queue: CoreSettings, ABI, mode. Of an actor: what its chart started from. */
  readonly settings: unknown
  /** Of a queue: the ring that it serves, as the front end named it; a successor holds XenStore against it. */
  readonly connection?: RingIdentity
  /** Of a queue with `journal.mode = off`, whose only trace this is: whether it serves, or was let go in good order. */
  readonly unjournalled?: 'served' | 'rested'
  readonly program: string
  /** Identifies the boot of the machine: a journal of another boot is history, never a base for recovery. */
  readonly boot: string
  readonly pid: number
  /** Wall clock and monotonic clock at the same moment, so that batch times can be shown as dates. */
  readonly wallMs: number
  readonly monotonicNs: number
}

/** What a process writes into all its journals' headers; `wallMs` and `monotonicNs` are of one and the same moment. */
export type JournalOrigin = Pick<JournalIdentity, 'program' | 'boot' | 'pid' | 'wallMs' | 'monotonicNs'>

/** The same for a journal that begins now: both clocks at its beginning, so that its batches have their true dates. */
export function originAt(origin: JournalOrigin, nowNs: number): JournalOrigin {
  return { ...origin, wallMs: origin.wallMs + (nowNs - origin.monotonicNs) / 1e6, monotonicNs: nowNs }
}

/** {@link crcOfWords}, or something that computes the same faster. */
export type CrcOfWords = (words: Int32Array, at: number, count: number, seed: number) => number

/** CRC-32 (IEEE) of `count` words from words[at], continued from `seed`. */
export function crcOfWords(words: Int32Array, at: number, count: number, seed: number): number {
  return crc32(new Uint8Array(words.buffer, words.byteOffset + at * 4, count * 4), seed >>> 0) | 0
}

/** CRC of a segment's header: its fixed words from `version` to the CBOR's length, then the CBOR, padding included. */
export function crcOfHeader(words: Int32Array, headerWords: number): number {
  const fixed = crcOfWords(words, H_VERSION, H_CRC - H_VERSION, 0)
  return crcOfWords(words, HEADER_FIXED_WORDS, headerWords - HEADER_FIXED_WORDS, fixed)
}
