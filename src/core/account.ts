/**
 * @packageDocumentation
 * Counting what was answered: one place, so that the counters of a live queue and of a replay cannot differ.
 * Bytes are counted only when they were moved (defect B35: a failed request has no bytes).
 */
import { BLKIF_RSP_EOPNOTSUPP, BLKIF_RSP_OKAY } from '../protocol/blkif.js'
import type { QueueCore } from './queue-core.js'
import { KIND } from './request-columns.js'
import { COUNTER, OTHER_LATENCY_AT, READ_LATENCY_AT, WRITE_LATENCY_AT, latencyBucket } from './statistics.js'

export function recordAnswer(core: QueueCore, slot: number, status: number): void {
  const statistics = core.statistics
  const latency = core.nowNs - core.takenNs[slot]
  if (latency > statistics[COUNTER.oldestWaitNs]) statistics[COUNTER.oldestWaitNs] = latency
  if (status !== BLKIF_RSP_OKAY) {
    statistics[status === BLKIF_RSP_EOPNOTSUPP ? COUNTER.answeredUnsupported : COUNTER.answeredError]++
    if (core.verdict[slot] === 0) statistics[histogramOf(core.kind[slot]) + latencyBucket(latency)]++
    return
  }
  statistics[COUNTER.answeredOkay]++
  const kind = core.kind[slot]
  statistics[histogramOf(kind) + latencyBucket(latency)]++
  if (kind === KIND.read) {
    statistics[COUNTER.reads]++
    statistics[COUNTER.readBytes] += core.bytes[slot]
  } else if (kind === KIND.discard) {
    statistics[COUNTER.discards]++
    statistics[COUNTER.discardedBytes] += core.bytes[slot]
  } else {
    const barrier = kind === KIND.barrier || kind === KIND.barrierWrite
    statistics[kind === KIND.write ? COUNTER.writes : barrier ? COUNTER.barriers : COUNTER.flushes]++
    statistics[COUNTER.writtenBytes] += core.bytes[slot]
  }
}

function histogramOf(kind: number): number {
  return kind === KIND.read ? READ_LATENCY_AT : kind === KIND.write ? WRITE_LATENCY_AT : OTHER_LATENCY_AT
}
