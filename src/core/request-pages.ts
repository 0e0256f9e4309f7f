/**
 * @packageDocumentation
 * The pages of one request. Up to a chunk of them are one extent. A longer request (only an INDIRECT one can be) lies
 * in pieces of a chunk each, the last of them perhaps a part of one: side by side where the arena has room for that,
 * anywhere where it has not. Pieces that are neighbours make one run, and each run is one I/O.
 *
 *   data   | chunk's worth | chunk's worth | rest |          byte n lies in piece n / 128 KiB
 *   arena  … [ 7 ][ 8 ] … [ 3 ] …                            two runs: 7 and 8, then the beginning of 3
 *
 * So a queue that holds its reserve can always serve its largest request, however the reserve is scattered. What must
 * never happen: some of a request's pages taken and not the others.
 */
import { PAGE_BYTES } from '../protocol/blkif.js'
import { CHUNK_BYTES, PAGES_PER_CHUNK } from './extent-pool.js'
import type { ExtentPool } from './extent-pool.js'
import type { RequestColumns } from './request-columns.js'

const piecesOf = (pages: number): number => (pages + PAGES_PER_CHUNK - 1) >>> 5

/** Pages of piece `index` of a request of `pages`. */
function pagesOfPiece(pages: number, index: number): number {
  const left = pages - index * PAGES_PER_CHUNK
  return left < PAGES_PER_CHUNK ? left : PAGES_PER_CHUNK
}

/** Finds `pages` pages for the request, all or none. @returns whether there are so many. */
export function takePages(columns: RequestColumns, extents: ExtentPool, slot: number, pages: number): boolean {
  if (pages > PAGES_PER_CHUNK) return takePieces(columns, extents, slot, pages)
  const page = extents.allocate(pages)
  if (page < 0) return false
  columns.page[slot] = page
  columns.pages[slot] = pages
  return true
}

function takePieces(columns: RequestColumns, extents: ExtentPool, slot: number, pages: number): boolean {
  const first = slot * columns.piecesMax
  const { pieces } = columns
  const count = piecesOf(pages)
  if (!extents.allocateChunks(pages, pieces, first)) return false
  columns.page[slot] = pieces[first]
  columns.pages[slot] = pages
  let runs = 1
  for (let index = first + 1; index < first + count; index++)
    if (pieces[index] !== pieces[index - 1] + PAGES_PER_CHUNK) runs++
  columns.parts[slot] = runs
  return true
}

export function releasePages(columns: RequestColumns, extents: ExtentPool, slot: number): void {
  const pages = columns.pages[slot]
  for (let index = 0; index < piecesOf(pages); index++)
    extents.release(columns.pieceAt(slot, index), pagesOfPiece(pages, index))
}

/** Marks the request's pages as in use, when a state is restored. */
export function claimPages(columns: RequestColumns, extents: ExtentPool, slot: number): void {
  const pages = columns.pages[slot]
  for (let index = 0; index < piecesOf(pages); index++)
    extents.claim(columns.pieceAt(slot, index), pagesOfPiece(pages, index))
}

/** Where in the arena byte `offset` of the request's data lies. */
export function placeOf(columns: RequestColumns, slot: number, offset: number): number {
  if (offset < CHUNK_BYTES) return columns.page[slot] * PAGE_BYTES + offset
  return columns.pieceAt(slot, Math.floor(offset / CHUNK_BYTES)) * PAGE_BYTES + (offset % CHUNK_BYTES)
}

/** How many bytes of the request's data, from `offset` on, lie side by side. */
export function runBytes(columns: RequestColumns, slot: number, offset: number): number {
  let piece = Math.floor(offset / CHUNK_BYTES)
  const last = piecesOf(columns.pages[slot]) - 1
  while (piece < last && columns.pieceAt(slot, piece + 1) === columns.pieceAt(slot, piece) + PAGES_PER_CHUNK) piece++
  return Math.min(columns.bytes[slot], (piece + 1) * CHUNK_BYTES) - offset
}
