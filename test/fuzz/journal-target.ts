/**
 * @packageDocumentation
 * Segments of a journal as anyone may have written them. Checksums are made right again after each change, else all that
 * is behind them would never be reached; they are wrong often enough in other tests. Nothing that reads may throw, but
 * where a checkpoint is refused.
 */
import { catMerged } from '../../src/journal/cat.js'
import { chainsOf } from '../../src/journal/chain.js'
import { checkJournal } from '../../src/journal/check.js'
import { segmentsInMemory } from '../../src/journal/journal-files.js'
import { foldLegacy, judgeLegacy } from '../../src/journal/legacy.js'
import { readBatches, readHeader } from '../../src/journal/segment-reader.js'
import { replayJournals } from '../../src/journal/replay.js'
import { timeline } from '../../src/journal/timeline.js'
import { assert } from '../../src/protocol/errors.js'
import { runWorld } from '../../src/sim/run-world.js'
import { mendChecksums } from '../support/journal-tools.js'
import type { FuzzTarget } from './fuzzer.js'

const MOST_BYTES = 16_384
/** Lists that are walked to their end stop here: a short file must not make a long one. */
const MOST_ENTRIES = 20_000

/** Short segments, of several shapes. */
function seeds(): Uint8Array[] {
  const shapes = [{ seed: 3 }, { seed: 4, indirect: 20 }, { seed: 5, trace: true }, { seed: 6, fillShare: 0.1, onEnospc: 'wait' as const }]
  return shapes.flatMap((shape) => runWorld({ ...shape, steps: 12, slots: 4, arenaChunks: 4, segmentWords: 2048 }).segments.slice(0, 2))
    .map((words) => new Uint8Array(words.buffer.slice(0, Math.min(words.byteLength, MOST_BYTES))))
}

/** Whether header and lengths allow to mend at all. */
function isWalkable(words: Int32Array): boolean {
  const header = words[3]
  if (!(header >= 10 && header <= words.length) || (header & 1) !== 0) return false
  for (let at = header; at + 6 <= words.length && words[at] !== 0; at += words[at])
    if (words[at] < 6 || words[at] > words.length - at || (words[at] & 1) !== 0) return false
  return true
}

function walk(entries: Iterable<unknown>): void {
  let count = 0
  for (const _ of entries) if (++count > MOST_ENTRIES) return
}

export const journalTarget: FuzzTarget = {
  name: 'journal', watched: /dist\/src\/(journal\/.*|core\/(records|checkpoint|queue-core|request-pool|commands))\.js$/, most: MOST_BYTES,
  seeds,
  run: (bytes) => {
    const words = new Int32Array(new Uint8Array(MOST_BYTES).buffer, 0, Math.max(16, bytes.length >>> 2))
    new Uint8Array(words.buffer).set(bytes.subarray(0, words.byteLength))
    if (isWalkable(words)) mendChecksums([words])
    const header = readHeader(words)
    if (header.ok) for (const batch of readBatches(words, header.header)) assert(batch.to <= words.length, 'a batch lies in its file')
    judgeLegacy(words, 'sim')
    foldLegacy(words)
    const views = segmentsInMemory([words])
    const chains = chainsOf(views)
    const files = { chains, problems: [] } as never
    checkJournal(files)
    replayJournals(files, { compiledOnly: true })
    walk(catMerged(chains))
    walk(timeline(chains))
  },
}
