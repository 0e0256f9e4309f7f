/**
 * @packageDocumentation
 * The two layouts that a ring entry can have. The difference is the alignment of a 64-bit number: 8 bytes on x86_64,
 * arm64 and 32-bit ARM (so there is padding after `handle`), 4 bytes on i386. The front end names its layout in the
 * node `protocol` (xen/include/public/io/protocols.h).
 *
 *   64-bit:  word 0 op·nr·handle   1 padding   2,3 id   4,5 sector_number   6… segments of 2 words   28 words in all
 *   x86_32:  word 0 op·nr·handle   1,2 id      3,4 sector_number            5… segments of 2 words   27 words in all
 *
 * A discard has the same first words and its 64-bit `nr_sectors` where the first segment would be. An indirect request
 * has op · indirect_op · nr_segments (16 bits) in word 0, `handle` where the first segment would be, and behind it the
 * references of up to eight pages of descriptors.
 *
 * An absent `protocol` means "native" in the specification, which a Linux back end on x86 takes as x86_32 and all
 * others as their own build's layout; here it is the fallback that the caller chose, and the result says so (S8).
 * What must never happen: that an unknown name is silently taken as some layout.
 */
import { PAGE_BYTES, RING_HEADER_BYTES } from './blkif.js'

/** A layout. */
export type BlkifAbiName = 'x86_64' | 'x86_32'

/** What an operator may choose for front ends that do not name their ABI. */
export type AbiChoice = BlkifAbiName | 'native' | 'arm'

/** Where an entry's fields stand, in 32-bit words from its beginning. */
export interface AbiLayout {
  readonly name: BlkifAbiName
  /** Size of a ring entry, the distance between two. */
  readonly entryBytes: number
  readonly entryWords: number
  /** sizeof(blkif_response_t); its fields stand at 0, 8, 10 in both layouts, the rest is padding. */
  readonly responseBytes: number
  /** Low word of `id`; the high word follows. */
  readonly idWord: number
  /** Low word of `sector_number`. */
  readonly sectorWord: number
  /** First word of the first segment: gref, then first_sect · last_sect · padding. */
  readonly segmentWord: number
  /** Low word of a discard's `nr_sectors`. */
  readonly nrSectorsWord: number
}

const X86_64: AbiLayout = {
  name: 'x86_64',
  entryBytes: 112,
  entryWords: 28,
  responseBytes: 16,
  idWord: 2,
  sectorWord: 4,
  segmentWord: 6,
  nrSectorsWord: 6,
}

const X86_32: AbiLayout = {
  name: 'x86_32',
  entryBytes: 108,
  entryWords: 27,
  responseBytes: 12,
  idWord: 1,
  sectorWord: 3,
  segmentWord: 5,
  nrSectorsWord: 5,
}

/** The layout of that name. */
export function abiLayout(name: BlkifAbiName): AbiLayout {
  return name === 'x86_32' ? X86_32 : X86_64
}

/** `assumed`: the front end was silent and the fallback was taken, which deserves a line in log and list. */
export type AbiResolution =
  | { readonly ok: true; readonly abi: BlkifAbiName; readonly assumed: boolean }
  | { readonly ok: false; readonly sentence: string }

const PROTOCOLS: Readonly<Record<string, BlkifAbiName>> = {
  'x86_64-abi': 'x86_64',
  'x86_32-abi': 'x86_32',
  'arm-abi': 'x86_64',
}

/**
 * The layout that the node `protocol` names. Absent or empty takes `fallback`; 'native' is the layout of this
 * program's own build, which is always a 64-bit one, and 'arm' has the same.
 */
export function resolveAbi(protocolKey: string | undefined, fallback: AbiChoice = 'native'): AbiResolution {
  const value = protocolKey?.trim() ?? ''
  if (value === '') return { ok: true, abi: fallback === 'x86_32' ? 'x86_32' : 'x86_64', assumed: true }
  const abi = Object.hasOwn(PROTOCOLS, value) ? PROTOCOLS[value] : undefined
  if (abi !== undefined) return { ok: true, abi, assumed: false }
  const known = Object.keys(PROTOCOLS).join(', ')
  const shown = JSON.stringify(value.slice(0, 40))
  return { ok: false, sentence: `protocol is ${shown}, but this back end speaks ${known} only` }
}

/** Entries of a ring of `pages` pages: the largest power of two that fits behind the header. */
export function ringEntries(pages: number, abi: BlkifAbiName): number {
  const fit = Math.floor((pages * PAGE_BYTES - RING_HEADER_BYTES) / abiLayout(abi).entryBytes)
  return 2 ** Math.floor(Math.log2(fit))
}
