/**
 * @packageDocumentation
 * The entry of a Worker thread: composes a QueueWorker from what the main thread posted (plain data, handles of the
 * table of owners) and lets it turn. The main thread owns everything that outlives this thread.
 *
 * The first message is that data, and it may come long after the thread has begun (worker-threads.ts); what comes
 * behind it before the QueueWorker stands is kept in order.
 */
import { parentPort } from 'node:worker_threads'
import { QueueWorker } from '../../actors/queue-worker.js'
import type { DownMessage, UpMessage } from '../../actors/worker-messages.js'
import { compiledSteppers } from '../../core/steppers.js'
import type { Steppers } from '../../core/steppers.js'
import { CHUNK_BYTES } from '../../core/extent-pool.js'
import { embeddedDataPath } from '../../embedded/data-path.js'
import { xenDataPath } from '../../io/xen/data-path.js'
import { SegmentPool } from '../../io/journal/segment-pool.js'
import type { PoolPlan } from '../../io/journal/segment-pool.js'
import { createOpenMediumPort } from '../../io/media/open-port.js'
import { crcOfWords, nowNs } from '../../io/native/clock.js'
import { wakeUpCostNs } from '../../io/native/wake-up-cost.js'
import { populate, view } from '../../io/native/owners.js'
import type { JournalOrigin } from '../../journal/format.js'
import { assert } from '../../protocol/errors.js'
import { systemClock } from '../../io/native/system-clock.js'
import { arenaOver } from './arena.js'
import { WarmUp } from './warm-up.js'

/** What the main thread gives a Worker at its start. */
export interface QueueWorkerData {
  readonly world: 'xen' | 'embedded'
  /** The domain that serves disks: 0, or a driver domain. */
  readonly backendDomid: number
  readonly arenaHandle: number
  /** Of the arena's data; its mapping is longer. */
  readonly arenaBytes: number
  readonly spinMaxNs: number
  readonly requests: 'compiled' | 'xstate'
  readonly pool: PoolPlan
  readonly origin: JournalOrigin
}

const port = parentPort
assert(port, 'queue-worker-main runs in a Worker only')
const early: DownMessage[] = []
let receive = (message: DownMessage): void => void early.push(message)
const given = new Promise<QueueWorkerData>((resolve) => {
  port.once('message', (first: QueueWorkerData) => {
    port.on('message', (message: DownMessage) => receive(message))
    resolve(first)
  })
})
const wakeUpNs = await wakeUpCostNs()
const data = await given
populate(data.arenaHandle)
const pool = new SegmentPool(data.pool)
const steppers: () => Steppers =
  data.requests === 'xstate'
    ? (await import('../../core/xstate-steppers.js')).xstateSteppers
    : () => compiledSteppers
const worker = new QueueWorker({
  dataPath: data.world === 'xen' ? xenDataPath() : embeddedDataPath(data.backendDomid),
  openMedium: createOpenMediumPort(systemClock),
  arena: arenaOver(view(data.arenaHandle), data.arenaBytes, data.arenaHandle),
  arenaChunks: Math.floor(data.arenaBytes / CHUNK_BYTES),
  nowNs,
  crcOfWords,
  spinMaxNs: data.spinMaxNs,
  wakeUpNs,
  steppers,
  segments: (journal) => pool.source(journal),
  origin: data.origin,
  after: (milliseconds, fire) => systemClock.after(milliseconds, fire),
  die: () => void process.kill(process.pid, 'SIGKILL'),
  soon: (turn) => void setImmediate(turn),
  post: (message) => port.postMessage(message),
})
receive = (message) => worker.receive(message)
early.splice(0).forEach(receive)
if (data.requests === 'compiled') warmUp()
else tellWarm()

function tellWarm(): void {
  port?.postMessage({ kind: 'warm' } satisfies UpMessage)
}

/** In slices between all else, and over when a queue has work of its own: that warms as well. */
function warmUp(): void {
  const ring = new WarmUp({ nowNs, crcOfWords, steppers, origin: data.origin })
  const slice = () => {
    // On a machine with one processor the rest of the daemon has to come first.
    if (!worker.busy && ring.slice()) systemClock.after(4, slice)
    else {
      ring.close()
      tellWarm()
    }
  }
  setImmediate(slice)
}
