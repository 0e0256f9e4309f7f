/**
 * @packageDocumentation
 * Front end and plane in one thread, one batch each in turn: nobody waits for anybody, so the thread's CPU time is the
 * cost of the work and nothing else, also on a machine that is busy. Each measurement has a thread of its own.
 *
 *   step (front end puts a batch) ─► round, round … until all is answered ─► step …
 *
 * What the front end itself costs is measured the same way, with an echo in the plane's place, and subtracted.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { ArenaLender } from '../src/core/arena-lender.js'
import { CHUNK_BYTES } from '../src/core/extent-pool.js'
import { COMMAND_ATTACH } from '../src/core/records.js'
import { compiledSteppers } from '../src/core/steppers.js'
import { openPlane } from '../src/actors/open-plane.js'
import { embeddedDataPath } from '../src/embedded/data-path.js'
import { EchoStep, FrontLoad, threadCpuNs } from '../src/embedded/front-load.js'
import type { LoadPlan } from '../src/embedded/front-load.js'
import { EmbeddedHostClient } from '../src/embedded/host-client.js'
import { openSegmentPool } from '../src/io/journal/segment-pool.js'
import { mediumOpener } from '../src/io/media/open-medium.js'
import { createOpenMediumPort } from '../src/io/media/open-port.js'
import { crcOfWords, nowNs } from '../src/io/native/clock.js'
import { mapMemory, view } from '../src/io/native/owners.js'
import { systemClock } from '../src/io/native/system-clock.js'
import type { QueueAttachment } from '../src/ports/queues.js'
import { STATISTICS_LENGTH } from '../src/core/statistics.js'

export interface LockstepData {
  /** The host's directory, and where journals may lie. */
  readonly dir: string
  readonly journalDir: string
  readonly plan: LoadPlan
  readonly journal: 'inputs' | 'off'
  readonly ringPages: number
  /** Requests to answer before and while it is measured. */
  readonly warmUp: number
  readonly requests: number
}

export interface LockstepResult {
  readonly requests: number
  /** Thread CPU per request, the front end's share subtracted. */
  readonly planeNs: number
  readonly frontNs: number
}

const ARENA_BYTES = 16 << 20
const data = workerData as LockstepData
const client = EmbeddedHostClient.connect(data.dir)
const front = await FrontLoad.create({
  dir: data.dir, ringPages: data.ringPages, depth: data.plan.depth, segments: Math.max(1, data.plan.segments),
})
const { domid, grefs, port } = front.address
const ring = await client.mapRing({ domid, grefs, abi: 'x86_64' })
const channel = await client.bindChannel(domid, port)
const grants = await client.openGrants(domid, 'copy')
const medium = mediumOpener.open({ target: 'null:1G', readOnly: false })
if (!ring.ok || !channel.ok || !grants.ok || !medium.ok) throw new Error('the pocket host gave no ring')
const { depth } = data.plan

front.plan(data.plan)
const echo = new EchoStep(ring.plan.ringHandle, data.ringPages)
measure(() => echo.answer(), data.warmUp)
const frontNs = measure(() => echo.answer(), data.requests)
echo.close()

const { pool } = openSegmentPool(data.journalDir, 16 << 20)
pool.adopt([])
const arenaHandle = mapMemory(ARENA_BYTES)
const lender = new ArenaLender(ARENA_BYTES / CHUNK_BYTES)
const attachment: QueueAttachment = {
  settings: {
    name: 'lockstep', slots: depth, maxSegments: 11, batch: depth, readOnly: false, offersFlush: true,
    offersBarrier: false, offersDiscard: true, onEnospc: 'error', requests: 'compiled', journal: data.journal,
  },
  ring: ring.plan, channel: channel.plan, grants: grants.plan, medium: medium.medium.plan,
}
const opened = openPlane(
  {
    dataPath: embeddedDataPath(0),
    openMedium: createOpenMediumPort(systemClock),
    arena: { bytes: new Uint8Array(view(arenaHandle)), handle: arenaHandle },
    nowNs,
    crcOfWords,
    steppers: () => compiledSteppers,
    segments: (journal) => pool.source(journal),
    origin: { program: 'xbbd bench', boot: 'bench', pid: process.pid, wallMs: 0, monotonicNs: 0 },
  },
  attachment,
  new SharedArrayBuffer(STATISTICS_LENGTH * 8),
  data.journal === 'off' ? 0 : pool.table.register(),
  { borrow: (wanted) => lender.borrow('lockstep', wanted), giveBack: (chunk) => lender.giveBack('lockstep', chunk) },
)
const { plane } = opened
lender.enter('lockstep', 1)
plane.lend(lender.pay('lockstep') ?? [])
plane.command(COMMAND_ATTACH, opened.ring.published())
plane.round()
front.plan(data.plan)
measure(() => plane.round(), data.warmUp)
const planeNs = measure(() => plane.round(), data.requests)
const result: LockstepResult = { requests: data.requests, planeNs: planeNs - frontNs, frontNs }
parentPort?.postMessage(result)
process.exit(0)

/** @returns thread CPU per request, nanoseconds; afterwards nothing is in flight. */
function measure(serve: () => unknown, requests: number): number {
  let answered = 0
  front.step(true)
  const began = threadCpuNs()
  while (answered < requests) {
    serve()
    const count = front.step(true)
    if (count < 0) throw new Error('an answer was wrong')
    answered += count
  }
  const cpuNs = threadCpuNs() - began
  for (let inFlight = depth; inFlight > 0; ) {
    serve()
    inFlight -= front.step(false)
  }
  return cpuNs / answered
}
