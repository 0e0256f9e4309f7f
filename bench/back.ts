/**
 * @packageDocumentation
 * The daemon's data path without its control plane: the pocket host, one Worker with its arena and journal, one queue
 * attached to one front end. What is measured is what the daemon runs, file for file; only XenStore and the device
 * actors, which no request ever meets, are left out. Each bench has a Worker of its own, so that no measurement sees
 * code that another one has warmed up differently.
 *
 *   Back.start ─► attach(front, medium) ─► Attached { cpuNs, detach }
 */
import { shareRateLimit } from '../src/actors/rate-bucket.js'
import { noLedger } from '../src/actors/legacies.js'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filter, firstValueFrom } from 'rxjs'
import { startWorkersAlone } from '../src/cli/run/start-workers.js'
import type { StartedWorkers } from '../src/cli/run/start-workers.js'
import type { FrontLoadAddress } from '../src/embedded/front-load.js'
import { EmbeddedHostClient } from '../src/embedded/host-client.js'
import { runHost } from '../src/embedded/host/main.js'
import type { RunningHost } from '../src/embedded/host/main.js'
import { nowNs } from '../src/io/native/clock.js'
import { mediumOpener } from '../src/io/media/open-medium.js'
import type { Host } from '../src/ports/host.js'
import type { Medium, MediumSpec } from '../src/ports/medium.js'
import type { QueueEvent } from '../src/ports/queues.js'
import type { RateLimit } from '../src/protocol/rate-limit.js'

export interface BackOptions {
  /** Default 1. */
  readonly workers?: number
  readonly spinMaxNs?: number
  readonly arenaBytes?: number
  readonly journalBytes?: number
}

export interface AttachOptions {
  /** As an operator writes it: a path, `null:SIZE`, `memory:SIZE`. */
  readonly target: string
  readonly slots: number
  readonly journal?: 'inputs' | 'off'
  readonly batch?: number
  /** Most segments of an indirect request. */
  readonly indirect?: number
  /** Open already, for several queues; it stays the caller's. */
  readonly medium?: Medium
  /** Of this queue alone. */
  readonly limit?: RateLimit
}

export interface Attached {
  readonly medium: Medium
  /** The queue's counters (core/statistics.ts). */
  statistics(): Float64Array
  detach(): Promise<void>
}

const MiB = 1024 * 1024

/** CPU time of this whole process so far, nanoseconds. Its other threads sleep while a Worker is measured. */
export function processCpuNs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}

export class Back {
  readonly dir: string
  readonly #host: RunningHost
  readonly #client: EmbeddedHostClient
  readonly #workers: StartedWorkers
  readonly #journalDir: string
  #attached = 0

  private constructor(dir: string, host: RunningHost, options: BackOptions) {
    this.dir = dir
    this.#host = host
    this.#client = EmbeddedHostClient.connect(dir)
    // On a tmpfs, as the daemon's is: a journal on a disk would be measured with the disk's write-back.
    this.#journalDir = mkdtempSync('/dev/shm/xbbd-bench-')
    this.#workers = startWorkersAlone({
      world: 'embedded',
      workers: options.workers ?? 1,
      arenaBytes: options.arenaBytes ?? 16 * MiB,
      spinMaxNs: options.spinMaxNs ?? 50_000,
      journalDir: this.#journalDir,
      journalBytes: options.journalBytes ?? 64 * MiB,
      requests: 'compiled',
      backendDomid: 0,
      ledger: noLedger,
      recoveriesMax: 1,
      origin: { program: 'xbbd bench', boot: 'bench', pid: process.pid, wallMs: Date.now(), monotonicNs: nowNs() },
    })
  }

  static async start(options: BackOptions = {}): Promise<Back> {
    const dir = mkdtempSync(join(tmpdir(), 'xbbd-bench-'))
    return new Back(dir, await runHost({ dir }), options)
  }

  async attach(front: FrontLoadAddress, options: AttachOptions): Promise<Attached> {
    const { domid, grefs, port } = front
    const host: Host = this.#client
    const ring = plan(await host.mapRing({ domid, grefs, abi: 'x86_64' }))
    const channel = plan(await host.bindChannel(domid, port))
    const grants = plan(await host.openGrants(domid, 'copy'))
    const medium = options.medium ?? open(options.target)
    const name = `vbd/${domid}/51712/q${this.#attached++}`
    const { queues } = this.#workers
    const outcome = this.#next(name, 'attached')
    queues.attach({
      settings: {
        name, slots: options.slots, maxSegments: 11, maxIndirectSegments: options.indirect ?? 0,
        batch: options.batch ?? 64, readOnly: false, offersFlush: true, offersBarrier: false, offersDiscard: true, onEnospc: 'error', requests: 'compiled',
        journal: options.journal ?? 'inputs',
      },
      ring, channel, grants, medium: medium.plan,
    })
    await outcome
    if (options.limit) queues.limit(name, shareRateLimit(options.limit))
    return {
      medium,
      statistics: () => queues.statistics(name) ?? new Float64Array(0),
      detach: async () => {
        const drained = this.#next(name, 'drained')
        queues.drain(name, 'wait')
        await drained
        const detached = this.#next(name, 'detached')
        queues.detach(name)
        await detached
        await host.unmapRing(ring)
        await host.unbindChannel(channel)
        await host.closeGrants(grants)
        if (options.medium === undefined) medium.close()
      },
    }
  }

  /** Maps a front end's ring for whoever is not a Worker of ours. @returns the handle, and what unmaps it. */
  async mapRing({ domid, grefs }: FrontLoadAddress): Promise<{ handle: number; unmap: () => Promise<void> }> {
    const ring = plan(await this.#client.mapRing({ domid, grefs, abi: 'x86_64' }))
    return { handle: ring.ringHandle, unmap: () => this.#client.unmapRing(ring) }
  }

  async close(): Promise<void> {
    await this.#workers.close()
    await this.#client.close()
    await this.#host.close()
    rmSync(this.dir, { recursive: true })
    rmSync(this.#journalDir, { recursive: true })
  }

  /** The queue's next event that is not about levels; anything but `kind` is an error. */
  async #next(name: string, kind: QueueEvent['kind']): Promise<void> {
    const ofQueue = filter((event: QueueEvent) => event.name === name && event.kind !== 'levels')
    const event = await firstValueFrom(this.#workers.queues.event$.pipe(ofQueue))
    if (event.kind !== kind) throw new Error(`${name} was to be ${kind}: ${JSON.stringify(event)}`)
  }
}

/** Throws with the sentence of what is wrong with it. */
export function open(target: string, options: Pick<MediumSpec, 'mergeBytes'> = {}): Medium {
  const opened = mediumOpener.open({ target, readOnly: false, ...options })
  if (!opened.ok) throw new Error(opened.error.sentence)
  return opened.medium
}

function plan<Plan>(outcome: { ok: true; plan: Plan } | { ok: false; sentence: string }): Plan {
  if (!outcome.ok) throw new Error(outcome.sentence)
  return outcome.plan
}
