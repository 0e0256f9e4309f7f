/**
 * @packageDocumentation
 * What the journal pool of a stopped daemon says about its queues' states, read from the segment files themselves:
 * every entering of a state is written there, whatever else is recycled.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RECORD_ENTERED, recordWords } from '../../src/core/records.js'
import { readBatches, readHeader } from '../../src/journal/segment-reader.js'
import { queueStateNames } from '../../src/machines/generated/queue.js'

/** Changes of state of the queue in order: `Running → Draining`. */
export function statesEntered(runDir: string, queue: string): string[] {
  const directory = join(runDir, 'journal')
  const segments = readdirSync(directory).flatMap((name) => {
    const bytes = readFileSync(join(directory, name))
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    const header = readHeader(words)
    return header.ok && header.header.identity.journal === queue ? [{ words, header: header.header }] : []
  })
  segments.sort((a, b) => a.header.sequence - b.header.sequence)
  const found: string[] = []
  for (const { words, header } of segments)
    for (const batch of readBatches(words, header))
      for (let at = batch.from; at < batch.to; ) {
        const head = words[at]
        const length = recordWords(words, at, batch.to - at)
        if (length === 0) throw new Error(`batch ${batch.number} of ${queue} holds an unreadable record`)
        const [from, to] = [(head >>> 8) & 0xff, (head >>> 16) & 0xff]
        if ((head & 0xff) === RECORD_ENTERED)
          found.push(`${queueStateNames[from]} → ${queueStateNames[to]}`)
        at += length
      }
  return found
}

/** How often the queue went through this change. */
export function timesOf(entered: readonly string[], change: string): number {
  return entered.filter((entry) => entry === change).length
}
