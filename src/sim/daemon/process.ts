/**
 * @packageDocumentation
 * One life of the daemon: what cli/run composes on a real machine, composed of the same parts over a simulated one. It
 * can be killed at any of its effects; what is left then is what a machine keeps (XenStore's nodes, journals, disks,
 * rings in the guests' memory), and the next one is made from that.
 */
import { Daemon } from '../../actors/daemon.js'
import { Legacies } from '../../actors/legacies.js'
import { layered } from '../../actors/port-layer.js'
import type { QueueWorker } from '../../actors/queue-worker.js'
import { WorkerQueuePool } from '../../actors/worker-queue-pool.js'
import { ActorJournals } from '../../journal/actor-journal.js'
import { chartHash } from '../../machines/compile/index.js'
import type { DeviceSettings } from '../../machines/device/types.js'
import { charts } from '../../machines/index.js'
import type { Clock } from '../../ports/clock.js'
import type { DeviceListing, StopMode } from '../../ports/daemon-api.js'
import type { OpenActorJournal } from '../../ports/journal.js'
import type { XenStore } from '../../ports/xenstore.js'
import { sentenceOf } from '../../protocol/errors.js'
import type { Random } from '../random.js'
import type { Disks } from './disks.js'
import type { Hypervisor } from './hypervisor.js'
import type { Kernel } from './kernel.js'
import type { Blame } from './laws.js'
import { Mortal, type PlannedDeath } from './life.js'
import { SimPool, type Left, type SimLedger } from './segments.js'
import { SimHost } from './sim-host.js'
import { linkTo, type StoreLink, type StoreLinkParts } from './store-link.js'
import { SimWorkerThread } from './worker.js'

/** What outlives processes. */
export interface Machine {
  readonly kernel: Kernel
  readonly random: Random
  readonly hypervisor: Hypervisor
  readonly disks: Disks
  readonly store: Pick<StoreLinkParts, 'server' | 'delayNs'>
  readonly ledger: SimLedger
  readonly settings: (device: string) => DeviceSettings
  readonly workers: number
  readonly arenaChunks: number
  readonly hostFailShare: number
  readonly blame: Blame
  readonly log: ((line: string) => void) | undefined
  /** Changes a part before it is used: how tests plant faults. */
  readonly seams?: ProcessSeams
}

export interface ProcessSeams {
  readonly host?: (host: SimHost) => void
  readonly legacies?: (legacies: Legacies) => void
  readonly queues?: (queues: WorkerQueuePool) => void
  readonly daemon?: (daemon: Daemon) => void
}

/** Processes here die more often than any journal is to blame for. */
const ATTEMPTS_MAX = 100

let hashes: Record<string, string> | undefined
const chartHashes = () => (hashes ??= Object.fromEntries(charts.map(({ name, chart }) => [name, chartHash(chart)])))

export class DaemonProcess {
  readonly life: Mortal
  readonly host: SimHost
  readonly pool: SimPool
  readonly queues: WorkerQueuePool
  readonly daemon: Daemon
  /** Paths of the watches in XenStore that are set, or about to be removed. */
  readonly watched: string[] = []
  /** Timers of its supervisors' thread that are set. */
  timers = 0
  readonly threads: SimWorkerThread[] = []
  /** XenStore was lost, or refused where no device can be blamed: a service manager would start it again. */
  lost: string | undefined
  /** It serves. */
  ready = false
  readonly #machine: Machine
  readonly #link: StoreLink
  readonly #legacies: Legacies
  readonly #ended: () => void

  constructor(machine: Machine, pid: number, left: Left, planned: PlannedDeath | undefined, ended: () => void) {
    this.#machine = machine
    this.#ended = ended
    const { kernel, random, hypervisor, disks, ledger, hostFailShare: failShare, blame, seams } = machine
    this.life = new Mortal(planned, () => this.#died())
    const { life } = this
    const clock = this.#timed(kernel.clock(() => life.alive))
    this.pool = new SimPool(left, life)
    this.host = new SimHost({ hypervisor, life, random, failShare, blame })
    seams?.host?.(this.host)
    this.#link = linkTo({ kernel, random, ...machine.store }, 0, life)
    const origin = { program: 'sim', boot: 'sim', pid, wallMs: clock.wallMs(), monotonicNs: clock.nowNs() }
    this.#legacies = new Legacies({ boot: 'sim', ledger, attemptsMax: ATTEMPTS_MAX })
    seams?.legacies?.(this.#legacies)
    this.queues = new WorkerQueuePool({
      workers: machine.workers, table: this.pool.table, legacies: this.#legacies,
      leave: (journal, queue) => this.pool.leave(journal, queue),
      reapOrphans: () => disks.orphans(life),
      after: (milliseconds, fire) => void clock.after(milliseconds, fire),
      startWorker: (index) => (this.threads[index] = this.#startWorker(origin)),
    })
    seams?.queues?.(this.queues)
    this.queues.event$.subscribe((event) => {
      if (event.kind === 'crashed' && !event.sentence.includes('Worker died') && life.alive)
        blame('alone', `${event.name} ends by itself: ${event.sentence}`)
    })
    const journals = new ActorJournals({
      register: () => this.pool.table.register(), release: (journal) => this.pool.table.release(journal),
      source: (journal) => this.pool.source(journal), origin, nowNs: clock.nowNs, charts: chartHashes(),
    })
    this.daemon = new Daemon({
      world: {
        store: this.#counted(this.#link.client), host: this.host, queues: this.queues, media: disks.opener(life), clock,
        openJournal: this.#watched(journals.open), closeJournal: journals.close,
        mediumPatience: { retryMs: 250, attempts: 40, sayAfter: 8 },
      },
      backendDomid: 0, type: 'vbd', settings: machine.settings,
      supervision: { maxRestarts: 3, periodMs: 60_000, firstPauseMs: 100, maxPauseMs: 5000 },
      sizePollMs: 50,
      failed: (error) => this.#lose(sentenceOf(error)),
    })
    seams?.daemon?.(this.daemon)
    void this.#link.client.closed.then((error) => error && this.#lose(sentenceOf(error)))
  }

  /** `announced`: what is found was left to this process on purpose. */
  async start(announced: boolean): Promise<void> {
    for (const segment of this.pool.adopt()) this.#legacies.left({ ...segment, announced })
    await this.daemon.start()
    const served = new Set(this.daemon.list().map(({ name }) => name))
    this.#legacies.keepOnly((queue) => served.has(queue.replace(/\/q\d+$/, '')))
    this.ready = true
  }

  /** Those of its Workers that live. */
  get workers(): readonly QueueWorker[] {
    return this.threads.filter(({ alive }) => alive).map(({ worker }) => worker)
  }

  list(): readonly DeviceListing[] {
    return this.daemon.list()
  }

  /** Ends in good order. */
  async stop(mode: StopMode): Promise<void> {
    const { held } = await this.daemon.stop(mode)
    await this.queues.close()
    const left = held.rings + held.channels + held.grants
    if (left > 0) this.#machine.blame('released', `${left} mappings are held after a clean stop (${mode})`)
    this.life.kill(`stopped (${mode})`)
  }

  #startWorker(origin: ConstructorParameters<typeof SimWorkerThread>[0]['origin']): SimWorkerThread {
    const { kernel, disks, arenaChunks } = this.#machine
    const { life, host, pool } = this
    return new SimWorkerThread({
      kernel, life, host, disks, pool, origin, arenaChunks, die: () => life.kill('at a kill point of the data path'),
    })
  }

  /** Each input is an effect: death may come before it is written, or between it and all that follows from it. */
  #watched(open: OpenActorJournal): OpenActorJournal {
    return (actor, chart) => {
      const journal = open(actor, chart)
      return {
        input: (event) => {
          if (!this.life.acts('journal')) return
          this.#machine.log?.(`${actor}: ${JSON.stringify(event).slice(0, 200)}`)
          journal.input(event)
          this.life.did('journal')
          if ('type' in event && event.type === 'child.crashed')
            this.#machine.blame('alone', `${actor}: ${'sentence' in event ? String(event.sentence) : 'it crashed'}`)
        },
        state: (path) => journal.state(path),
      }
    }
  }

  #timed(clock: Clock): Clock {
    const after: Clock['after'] = (milliseconds, fire) => {
      let set = true
      const over = () => {
        if (set) this.timers--
        set = false
      }
      const cancel = clock.after(milliseconds, () => {
        over()
        fire()
      })
      this.timers++
      return () => {
        over()
        cancel()
      }
    }
    return layered(clock, { after })
  }

  #counted(store: XenStore): XenStore {
    const watch: XenStore['watch'] = async (path, changed) => {
      const remove = await store.watch(path, changed)
      this.watched.push(path)
      return async () => {
        await remove()
        this.watched.splice(this.watched.indexOf(path), 1)
      }
    }
    return layered(store, { watch })
  }

  /** XenStore goes away under it. */
  loseStore(): void {
    this.#lose('XenStore has closed the connection')
  }

  /** The thread of one of its Workers ends. */
  loseWorker(index: number): void {
    this.threads[index % this.threads.length].die('it was shot')
  }

  #lose(sentence: string): void {
    if (!this.life.alive) return
    this.lost = sentence
    this.life.kill(`lost: ${sentence}`)
  }

  #died(): void {
    this.host.died()
    this.#link.cut()
    this.#ended()
  }
}
