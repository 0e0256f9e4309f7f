/**
 * @packageDocumentation
 * `xbbd journal export`: a recording in a format that other tools read, streamed to a file or to standard output.
 *
 *   json       one line per request                 chrome    chrome://tracing, ui.perfetto.dev
 *   blktrace   NAME.blktrace.0 for blkparse, btt    perfetto  ui.perfetto.dev, trace_processor
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { JournalChain } from '../../journal/chain.js'
import { timeline } from '../../journal/timeline.js'
import { Recording } from '../../journal/recording.js'
import type { Happened } from '../../journal/timeline.js'
import { blktrace } from '../../observe/trace-blktrace.js'
import { chromeTrace } from '../../observe/trace-chrome.js'
import { jsonTrace } from '../../observe/trace-json.js'
import { perfettoTrace } from '../../observe/trace-perfetto.js'
import { XbbdError, sentenceOf } from '../../protocol/errors.js'

export const FORMATS = ['json', 'chrome', 'perfetto', 'blktrace'] as const
export type ExportFormat = (typeof FORMATS)[number]

/** Bytes that are written at a time. */
const CHUNK_BYTES = 1 << 16

type Pieces = Iterable<string | Uint8Array>

/** The recording in the format, piece by piece. */
export function exportPieces(
  chains: readonly JournalChain[], format: ExportFormat, problem: (sentence: string) => void,
): Pieces {
  const events: Iterable<Happened> = timeline(chains, problem)
  switch (format) {
    case 'json':
      return jsonTrace(events)
    case 'chrome':
      return chromeTrace(events)
    case 'perfetto':
      return perfettoTrace(events)
    case 'blktrace': {
      const originNs = new Recording(chains).peek()?.timeNs ?? 0
      const { wallMs, monotonicNs } = chains[0].identity
      return blktrace(events, originNs, wallMs + (originNs - monotonicNs) / 1e6)
    }
  }
}

/** Where an export goes: blkparse finds its files by name and processor. */
export function exportPath(output: string, format: ExportFormat): string {
  return format === 'blktrace' ? `${output}.blktrace.0` : output
}

/** Writes all pieces to the file. @throws XbbdError 73, 74. @returns how many bytes. */
export function writePieces(path: string, pieces: Pieces): number {
  let file: number
  try {
    file = openSync(path, 'w')
  } catch (cause) {
    throw new XbbdError('XBBD_EXPORT', `cannot make ${path}: ${sentenceOf(cause)}`, { cause, exitCode: 73 })
  }
  try {
    let total = 0
    for (const chunk of chunksOf(pieces)) {
      writeSync(file, chunk)
      total += chunk.length
    }
    return total
  } catch (cause) {
    if (cause instanceof XbbdError) throw cause
    throw new XbbdError('XBBD_EXPORT', `cannot write ${path}: ${sentenceOf(cause)}`, { cause, exitCode: 74 })
  } finally {
    closeSync(file)
  }
}

/** Pieces as buffers of a decent size. */
export function* chunksOf(pieces: Pieces): Generator<Buffer, void> {
  let parts: Buffer[] = []
  let bytes = 0
  for (const piece of pieces) {
    const text = typeof piece === 'string'
    const part = text ? Buffer.from(piece) : Buffer.from(piece.buffer, piece.byteOffset, piece.length)
    parts.push(part)
    bytes += part.length
    if (bytes < CHUNK_BYTES) continue
    yield Buffer.concat(parts)
    parts = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(parts)
}
