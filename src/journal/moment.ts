/**
 * @packageDocumentation
 * One moment of a recording as plain data: where every actor stands and since when, and every request in flight with
 * what it waits for. What `replay --at`, `--step` and `explain` show, and what `--until` asks.
 *
 *   ChainCursor ─► QueueMoment { queue, ring, requests[] oldest first } | ActorMoment[] { actor, state, since }
 *
 * Texts about states come from the charts (machines/notes.ts); numbers from the core. Nothing here knows the name of a
 * state, so a chart may get others.
 */
import type { QueueCore } from '../core/queue-core.js'
import { SHORTAGE_NAMES } from '../core/records.js'
import { queueStateNames } from '../machines/generated/queue.js'
import { requestStateNames } from '../machines/generated/request.js'
import { describeState } from '../machines/notes.js'
import { REQUEST_KINDS } from '../machines/request.machine.js'
import { opName } from '../protocol/blkif.js'
import { u64ToString } from '../protocol/u64.js'
import { REASONS } from '../protocol/validate.js'
import type { Life } from './actor-fold.js'
import type { ChainCursor } from './chain-cursor.js'
import { waitOf } from './waiting.js'

/** One request in flight. Times in monotonic nanoseconds, durations in nanoseconds. */
export interface RequestMoment {
  readonly slot: number
  /** As the front end named it, decimal. */
  readonly id: string
  /** `read`, `barrierWrite`, …; the operation's name when the request was refused. */
  readonly what: string
  readonly sector: number
  readonly bytes: number
  readonly segments: number
  readonly state: string
  readonly description: string
  readonly takenNs: number
  readonly ageNs: number
  /** How long it has stood there; absent when it is longer than the recording tells. */
  readonly inStateNs?: number
  /** What would take it on, in one clause. */
  readonly waitsFor: string
  /** I/Os that are with the medium. */
  readonly outstanding: number
  readonly failed: boolean
  /** Why it was refused. */
  readonly refused?: string
}

export interface QueueMoment {
  readonly journal: string
  readonly run: string
  /** Batches folded: the last one's number, and when it was sealed. */
  readonly batch: number
  readonly timeNs: number
  readonly state: string
  readonly description: string
  readonly inStateNs?: number
  readonly reqProd: number
  readonly reqCons: number
  readonly rspProd: number
  /** Entries of the ring that were seen and not yet taken. */
  readonly waitingInRing: number
  readonly slots: number
  readonly inFlight: number
  readonly shortOf?: string
  readonly syncLost: boolean
  readonly sectorCount: number
  readonly chunks: number
  readonly pagesUsed: number
  readonly requests: readonly RequestMoment[]
}

export interface ActorMoment {
  readonly actor: string
  readonly chart: string
  readonly state: string
  readonly description: string
  readonly inStateNs: number
  readonly lastEvent: string
  readonly crashed: boolean
}

/** What one journal says of its moment. */
export interface JournalMoment {
  readonly journal: string
  readonly run: string
  readonly queue?: QueueMoment
  readonly actors?: readonly ActorMoment[]
  /** Why nothing can be said, or not all. */
  readonly problems: readonly string[]
}

/** What a moment is made of: a cursor, or whoever folded one segment. */
export type Folded = Pick<ChainCursor, 'chain' | 'queue' | 'actors' | 'last' | 'problems'>

/** The moment behind the cursor's last batch, seen at `nowNs` (the cursor's own clock; default: that batch's time). */
export function momentOf(cursor: Folded, nowNs = cursor.last?.timeNs ?? 0): JournalMoment {
  const { chain, queue, actors, last } = cursor
  const place = { journal: chain.journal, run: chain.run }
  const core = queue?.core
  const problems = [...cursor.problems]
  if (last === undefined) return { ...place, problems }
  if (actors !== undefined) return { ...place, actors: actorMoments(actors.lives, nowNs), problems }
  if (queue === undefined || core === undefined) return { ...place, problems }
  const requests: RequestMoment[] = []
  for (let slot = 0; slot < core.slots; slot++)
    if (core.state[slot] !== 0) requests.push(requestMoment(core, slot, queue.sinceNs[slot], nowNs))
  requests.sort((a, b) => a.takenNs - b.takenNs || a.slot - b.slot)
  const state = queueStateNames[core.queueState]
  const moment = {
    ...place, batch: last.number, timeNs: last.timeNs,
    state, description: describeState('queue', state), ...since(queue.queueSinceNs, nowNs),
    reqProd: core.reqProdSeen >>> 0, reqCons: core.reqCons >>> 0, rspProd: core.rspProd >>> 0,
    waitingInRing: (core.reqProdSeen - core.reqCons) >>> 0, slots: core.slots, inFlight: requests.length,
    ...(core.shortOf === 0 ? {} : { shortOf: SHORTAGE_NAMES[core.shortOf] ?? `${core.shortOf}` }),
    syncLost: core.syncLost, sectorCount: core.disk.sectorCount,
    chunks: core.extents.count, pagesUsed: core.extents.used, requests,
  }
  return { ...place, queue: moment, problems }
}

function since(sinceNs: number, nowNs: number): { inStateNs?: number } {
  return Number.isNaN(sinceNs) ? {} : { inStateNs: Math.max(0, nowNs - sinceNs) }
}

function requestMoment(core: QueueCore, slot: number, sinceNs: number, nowNs: number): RequestMoment {
  const state = requestStateNames[core.state[slot]]
  const verdict = core.verdict[slot]
  return {
    slot,
    id: u64ToString(core.idLow[slot], core.idHigh[slot]),
    what: verdict === 0 ? (REQUEST_KINDS[core.kind[slot]] ?? opName(core.op[slot])) : opName(core.op[slot]),
    sector: verdict === 0 ? core.sector[slot] : 0,
    bytes: core.bytes[slot],
    segments: core.segmentCount[slot],
    state,
    description: describeState('request', state),
    takenNs: core.takenNs[slot],
    ageNs: Math.max(0, nowNs - core.takenNs[slot]),
    ...since(sinceNs, nowNs),
    waitsFor: waitOf(core, slot),
    outstanding: core.outstanding[slot],
    failed: core.failed[slot] !== 0,
    ...(verdict === 0 ? {} : { refused: REASONS[verdict].name }),
  }
}

function actorMoments(lives: ReadonlyMap<string, Life>, nowNs: number): ActorMoment[] {
  return [...lives].map(([actor, { chart, state, sinceNs, lastEvent, ended }]) => ({
    actor, chart, state, description: describeState(chart, state), inStateNs: Math.max(0, nowNs - sinceNs),
    lastEvent, crashed: ended,
  }))
}
