/**
 * @packageDocumentation
 * A request of a script as words of a ring entry, in one of both layouts: honest where the script is silent, exactly
 * what it says where it lies. Segments come as references by now; of an INDIRECT they stand in pages of their own.
 */
import type { AbiLayout } from '../protocol/abi.js'
import { BLKIF_OP_DISCARD, BLKIF_OP_INDIRECT } from '../protocol/blkif.js'
import { encodeEntry } from '../protocol/entry.js'
import type { BlkifRequest, BlkifSegment } from '../protocol/entry.js'
import type { ScriptRequest, U64 } from './ast.js'

/** What the front end has chosen for a request. */
export interface Chosen {
  readonly id: U64
  readonly segments: readonly BlkifSegment[]
  /** References of the pages with descriptors. */
  readonly descriptors: readonly number[]
}

/** The device's number, which no back end looks at. */
const HANDLE = 51_712

/** The entry's words. */
export function entryOf(request: ScriptRequest, chosen: Chosen, layout: AbiLayout): Int32Array {
  const words = new Int32Array(layout.entryWords)
  if (request.raw) {
    words.set(request.raw.slice(0, layout.entryWords))
    return words
  }
  const [sectorLow, sectorHigh] = request.sector ?? [0, 0]
  const [idLow, idHigh] = chosen.id
  const indirect = request.op === BLKIF_OP_INDIRECT && request.inner !== undefined
  const entry: BlkifRequest = {
    op: request.op, idLow, idHigh, handle: request.handle ?? HANDLE, sectorLow, sectorHigh,
    nrSegments: request.nrSegments ?? chosen.segments.length,
    ...(indirect && { indirectOp: request.inner, descriptorGrefs: chosen.descriptors }),
    ...(!indirect && { segments: chosen.segments }),
    ...(request.op === BLKIF_OP_DISCARD && discardFields(request)),
  }
  encodeEntry(entry, layout, words, 0)
  return words
}

function discardFields({ sectors = [0, 0], flag = 0 }: ScriptRequest) {
  return { nrSectorsLow: sectors[0], nrSectorsHigh: sectors[1], flag }
}

/** The id that stands in an entry. */
export function idIn(words: Int32Array, layout: AbiLayout): U64 {
  return [words[layout.idWord] >>> 0, words[layout.idWord + 1] >>> 0]
}

/** What an answer to this entry must say that it answers. */
export function answeredOp(words: Int32Array): number {
  const op = words[0] & 0xff
  return op === BLKIF_OP_INDIRECT ? (words[0] >>> 8) & 0xff : op
}
