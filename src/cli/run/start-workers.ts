/**
 * @packageDocumentation
 * Makes the pool of Workers for a daemon: their arenas and the journal's segments are mapped here, by the thread that
 * outlives them, and given to each Worker as handles.
 *
 *   alone       what dead processes left is read ─► pool ─► Workers ─► begin
 *   succeeding  pool, as the living one writes it ─► Workers ─► … it lets go … ─► what it left is read ─► begin
 */
import type { Worker } from 'node:worker_threads'
import { arenaLength } from './arena.js'
import { Legacies } from '../../actors/legacies.js'
import { WorkerQueuePool } from '../../actors/worker-queue-pool.js'
import type { WorkerHandle } from '../../actors/worker-queue-pool.js'
import type { UpMessage } from '../../actors/worker-messages.js'
import { findLegacies, legaciesIn, type FoundSegment } from '../../io/journal/found-legacies.js'
import { mapStandingPool, openSegmentPool } from '../../io/journal/segment-pool.js'
import type { OpenPool, SegmentPool } from '../../io/journal/segment-pool.js'
import { reapOrphans } from '../../io/media/native-engine.js'
import { reserveMemory, unmap } from '../../io/native/owners.js'
import type { RecoveryLedger } from '../../ports/queues.js'
import { sentenceOf } from '../../protocol/errors.js'
import type { QueueWorkerData } from './queue-worker-main.js'
import { systemClock } from '../../io/native/system-clock.js'
import { WorkerThreads } from './worker-threads.js'

export interface WorkerSettings {
  readonly world: QueueWorkerData['world']
  readonly workers: number
  readonly arenaBytes: number
  readonly spinMaxNs: number
  readonly journalDir: string
  readonly journalBytes: number
  readonly requests: 'compiled' | 'xstate'
  readonly backendDomid: number
  readonly ledger: RecoveryLedger
  /** How often a journal may be gone on from in vain. */
  readonly recoveriesMax: number
  readonly origin: QueueWorkerData['origin']
}

/** What others left, and whether they did so on purpose. */
export interface Left {
  readonly found: readonly FoundSegment[]
  readonly announced: boolean
}

export interface StartedWorkers {
  readonly queues: WorkerQueuePool
  /** What queues of dead processes left, and what dying Workers leave. */
  readonly legacies: Legacies
  /** The main thread's side of the journal pool, for the actors' own journals. */
  readonly segments: SegmentPool
  /** Before any queue is attached, and when nobody else writes in the pool any more. */
  begin(left: Left): void
  /** Ends the Workers and unmaps what was mapped for them. */
  close(): Promise<void>
}

/** For a process that serves `run.dir` alone. `threads`: those that were begun already. */
export function startWorkersAlone(
  settings: WorkerSettings, threads = new WorkerThreads(0), announced = false,
): StartedWorkers {
  const { journalDir, journalBytes } = settings
  const standing = mapStandingPool(journalDir, journalBytes)
  const found = standing ? legaciesIn(standing.pool) : findLegacies(journalDir)
  const workers = startWorkers(settings, standing ?? openSegmentPool(journalDir, journalBytes, found), threads)
  workers.begin({ found, announced })
  return workers
}

/** `pool` is given to the Workers, and unmapped after them. */
export function startWorkers(
  settings: WorkerSettings, { pool, destroy }: OpenPool, threads: WorkerThreads,
): StartedWorkers {
  const { ledger, recoveriesMax: attemptsMax, origin: { boot } } = settings
  const legacies = new Legacies({ boot, ledger, attemptsMax })
  // Each Worker populates its own, while this thread goes on.
  const arenas = Array.from({ length: settings.workers }, () => reserveMemory(arenaLength(settings.arenaBytes)))
  const queues = new WorkerQueuePool({
    workers: settings.workers,
    table: pool.table,
    legacies,
    leave: (journal, queue) => {
      const newest = pool.newestOf(journal, queue)
      if (newest === undefined) return undefined
      pool.table.hold(newest.index)
      return { queue, words: newest.words, letGo: () => pool.table.letGo(newest.index) }
    },
    reapOrphans,
    after: systemClock.after,
    startWorker: (index) =>
      handleOf(threads.take({
        world: settings.world,
        backendDomid: settings.backendDomid,
        arenaHandle: arenas[index],
        arenaBytes: settings.arenaBytes,
        spinMaxNs: settings.spinMaxNs,
        requests: settings.requests,
        pool: pool.plan,
        origin: settings.origin,
      })),
  })
  const close = async () => {
    await queues.close()
    for (const arena of arenas) unmap(arena)
    destroy()
  }
  const begin = ({ found, announced }: Left) => {
    pool.adopt(found)
    for (const { queue, words, index } of found)
      legacies.left({ queue, words, letGo: () => pool.table.letGo(index), announced })
  }
  return { queues, legacies, segments: pool, begin, close }
}

function handleOf(worker: Worker): WorkerHandle {
  let death = 'it ended by itself'
  let ending = false
  worker.on('error', (error) => void (death = sentenceOf(error)))
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => void worker.on('message', (message: UpMessage) => listener(message)),
    onDeath: (listener) => void worker.on('exit', () => ending || listener(death)),
    end: async () => {
      ending = true
      await worker.terminate()
    },
  }
}
