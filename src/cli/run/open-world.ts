/**
 * @packageDocumentation
 * The daemon in its world: XenStore and hypervisor (outside.ts), media of this machine, Workers, journals, device
 * actors. The only place that knows all of them at once.
 *
 *   settings ─► outside { store, host } · journal pool · Workers ─► Daemon ─► World { api, lost, close }
 *
 * Opened in that order, closed in reverse; what fails half-way closes what was opened before it. A process that takes
 * over from one that lives opens all but the Daemon, and waits there for its turn.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Daemon } from '../../actors/daemon.js'
import type { DaemonOptions } from '../../actors/daemon.js'
import { HypervisorGone } from './hypervisor-gone.js'
import { mediumOpener } from '../../io/media/open-medium.js'
import { findLegacies } from '../../io/journal/found-legacies.js'
import { FileLedger } from '../../io/journal/recovery-ledger.js'
import { mapStandingPool } from '../../io/journal/segment-pool.js'
import { systemClock } from '../../io/native/system-clock.js'
import { ActorJournals } from '../../journal/actor-journal.js'
import { chartHash, requireCurrentChart } from '../../machines/compile/index.js'
import { queueChartHash } from '../../machines/generated/queue.js'
import { requestChartHash } from '../../machines/generated/request.js'
import { charts } from '../../machines/index.js'
import { queueMachine } from '../../machines/queue.machine.js'
import { requestMachine } from '../../machines/request.machine.js'
import { sentenceOf } from '../../protocol/errors.js'
import type { Settings } from '../config/schema.js'
import { rehearseQueues } from '../upgrade/rehearse-queues.js'
import { Resumptions } from '../upgrade/resumptions.js'
import { packageVersion } from '../version.js'
import { deviceSettings } from './device-settings.js'
import type { LiveInspection } from './live-inspection.js'
import type { Log } from './log.js'
import { openOutside } from './outside.js'
import { startWorkers, startWorkersAlone, type StartedWorkers, type WorkerSettings } from './start-workers.js'
import type { AwaitTurn, World } from './world.js'
import type { WorkerThreads } from './worker-threads.js'

/** How long a lock of another process on an image is waited for, and how often a medium is asked for its size:
 * rarely, for an idle daemon shall sleep. */
const MEDIUM_PATIENCE = { retryMs: 250, attempts: 40, sayAfter: 8 }
const SIZE_POLL_MS = 60_000
const SUPERVISION = { firstPauseMs: 100, maxPauseMs: 5000 }

const hashText = (text: string) => createHash('sha256').update(text).digest('hex')

/** `threads`: for the Workers; they are ended with the world, or when it cannot be opened. */
export async function openDaemonWorld(
  settings: Settings, log: Log, threads: WorkerThreads, awaitTurn?: AwaitTurn,
): Promise<World> {
  const closers: (() => void | Promise<void>)[] = [() => threads.close()]
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    requireCurrentChart(requestMachine, requestChartHash, hashText)
    requireCurrentChart(queueMachine, queueChartHash, hashText)
    return { ...(await compose(settings, log, threads, closers, awaitTurn)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function compose(
  settings: Settings,
  log: Log,
  threads: WorkerThreads,
  closers: (() => void | Promise<void>)[],
  awaitTurn: AwaitTurn | undefined,
): Promise<Omit<World, 'close'>> {
  const gone = new HypervisorGone()
  const { world, store, host } = await openOutside(settings, closers, (error) => gone.say(error))
  const clocks = { wallMs: systemClock.wallMs(), monotonicNs: systemClock.nowNs() }
  const origin = { program: `xbbd ${packageVersion()}`, boot: bootId(), pid: process.pid, ...clocks }
  const workers = await workersOf({
    world,
    workers: settings.workers,
    arenaBytes: settings['arena.size'],
    spinMaxNs: settings['spin.max-us'] * 1000,
    journalDir: join(settings['run.dir'], 'journal'),
    journalBytes: settings['journal.size'],
    requests: settings['requests.mode'],
    backendDomid: settings['backend.domid'],
    ledger: new FileLedger(join(settings['run.dir'], 'recoveries'), systemClock, settings['restart.period']),
    recoveriesMax: Math.max(1, settings['restart.max']),
    origin,
  }, threads, closers, awaitTurn)
  const resumptions = new Resumptions(workers.queues.event$)
  const { segments } = workers
  const journals = new ActorJournals({
    register: () => segments.table.register(),
    release: (journal) => segments.table.release(journal),
    source: (journal) => segments.source(journal),
    origin,
    nowNs: systemClock.nowNs,
    charts: Object.fromEntries(charts.map(({ name, chart }) => [name, chartHash(chart, hashText)])),
  })
  const inspection = await inspectionOf(settings, log, journals)
  if (inspection) closers.push(() => inspection.close())
  const options: DaemonOptions = {
    world: {
      store,
      host,
      queues: workers.queues,
      media: mediumOpener,
      clock: systemClock,
      openJournal: inspection?.openJournal ?? journals.open,
      closeJournal: inspection?.closeJournal ?? journals.close,
      mediumPatience: MEDIUM_PATIENCE,
    },
    backendDomid: settings['backend.domid'],
    type: settings['backend.type'],
    settings: deviceSettings(settings),
    supervision: { ...SUPERVISION, maxRestarts: settings['restart.max'], periodMs: settings['restart.period'] },
    sizePollMs: SIZE_POLL_MS,
    failed: (error) => gone.say(error instanceof Error ? error : new Error(sentenceOf(error))),
  }
  const daemon = new Daemon(options)
  await daemon.start()
  const served = new Set(daemon.list().map(({ name }) => name))
  workers.legacies.keepOnly((queue) => served.has(queue.replace(/\/q\d+$/, '')))
  inspection?.sample(() => daemon.list().flatMap(({ connection }) => connection?.queues.map(({ name }) => name) ?? []))
  log.debug({ world, workers: settings.workers }, 'the world is open')
  void store.closed.then((error) => error && gone.say(error))
  const apply = (changed: Settings) => daemon.apply(deviceSettings(changed))
  const resumed = (queues: readonly string[], withinMs: number) => resumptions.of(queues, daemon, withinMs)
  return {
    kind: world, api: daemon, apply, lost: gone.said, resumed,
    journalUse: () => segments.use(),
    segmentSequences: () => segments.table.sequences(),
    yielded: () => resumptions.yielded,
  }
}

/** Workers, with the journals of whoever served before; waits for its turn where another process still serves. */
async function workersOf(
  settings: WorkerSettings, threads: WorkerThreads, closers: (() => void | Promise<void>)[],
  awaitTurn: AwaitTurn | undefined,
): Promise<StartedWorkers> {
  const closedInTheEnd = (workers: StartedWorkers) => {
    closers.push(() => workers.close())
    return workers
  }
  if (awaitTurn === undefined) return closedInTheEnd(startWorkersAlone(settings, threads))
  const { journalDir, journalBytes, origin } = settings
  const rehearse = (queues: readonly string[]) => rehearseQueues(journalDir, queues, origin.boot)
  const pool = mapStandingPool(journalDir, journalBytes)
  // Another journal.size: its files are not to be touched before the other process has let go of them.
  if (pool === undefined) {
    await awaitTurn({ rehearse, warm: Promise.resolve() })
    return closedInTheEnd(startWorkersAlone(settings, threads, true))
  }
  const workers = closedInTheEnd(startWorkers(settings, pool, threads))
  await awaitTurn({ rehearse, warm: workers.queues.warm })
  workers.begin({ found: findLegacies(journalDir), announced: true })
  return workers
}

/** Somebody to look on, where that is wanted; loaded only then. */
async function inspectionOf(
  settings: Settings, log: Log, journals: ActorJournals,
): Promise<LiveInspection | undefined> {
  if (settings.inspect === '') return undefined
  const { inspectLive } = await import('./live-inspection.js')
  const journalDir = join(settings['run.dir'], 'journal')
  const { open, close } = journals
  return inspectLive({ url: settings.inspect, clock: systemClock, log, journalDir, open, close })
}

/** Identifies this boot of the machine: a journal of another boot is never a base for recovery. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
