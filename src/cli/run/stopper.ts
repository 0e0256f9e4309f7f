/**
 * @packageDocumentation
 * How a daemon ends. Whoever asks first (a signal, `xbbd stop`, a lost world) starts the stop and says how; all others
 * join it. It ends in one of two ways, and always says which:
 *
 *   everything answered, nothing held                                  status 0
 *   a medium hangs, and a second signal came or the time was up        status 75, and what is left behind
 *
 * What is left is given up, not forgotten: images stay locked until the kernel gives back the I/O (the process ends
 * only then), and the next start finds the requests in the journal.
 */
import type { DaemonApi, PendingDevice, StopMode, StopOutcome } from '../../ports/daemon-api.js'
import type { StopProgress } from '../control/methods.js'
import { pendingText } from '../pending.js'
import { formatDuration } from '../units.js'
import type { Log } from './log.js'

const PROGRESS_MS = 1000
/** How long an abandoned stop may take to say what is left, before it is said for it. */
const GRACE_MS = 5000

const STATES = { park: 'parking', close: 'closing', yield: 'yielding' } as const
const BEGINS = {
  park: 'stopping: devices are parked', close: 'stopping: devices are closed',
  yield: 'letting go: another process takes over',
} as const

type Progress = (event: StopProgress) => void

/** Ends one daemon, once. */
export class Stopper {
  /** Resolves when the stop is over, however it was asked for. */
  readonly done: Promise<StopOutcome>
  private readonly api: DaemonApi
  private readonly log: Log
  private readonly follow: (mode: StopMode, pending: readonly PendingDevice[]) => void
  private readonly listeners = new Set<Progress>()
  private readonly timers: NodeJS.Timeout[] = []
  private finish: (outcome: StopOutcome) => void = () => undefined
  private fail: (error: unknown) => void = () => undefined
  private mode: StopMode | undefined
  private began = 0
  private abandoned = false

  /** `follow` hears of the stop when it begins, and then every second. */
  constructor(api: DaemonApi, log: Log, follow: (mode: StopMode, pending: readonly PendingDevice[]) => void) {
    this.api = api
    this.log = log
    this.follow = follow
    this.done = new Promise((resolve, reject) => {
      this.finish = resolve
      this.fail = reject
    })
    this.done.catch(() => undefined) // whoever waits sees it; nobody need wait
  }

  /** What it is doing, for `status`. */
  get state(): 'running' | 'parking' | 'closing' | 'yielding' {
    return this.mode === undefined ? 'running' : STATES[this.mode]
  }

  /**
   * Starts the stop, or joins the one that runs (whose mode stays).
   * `timeoutMs`: after that time it is abandoned as by a second signal; 0 = never. `progress` is called every second.
   */
  stop(mode: StopMode, timeoutMs: number, progress?: Progress): Promise<StopOutcome> {
    if (progress) this.listeners.add(progress)
    if (this.mode === undefined) this.start(mode, timeoutMs)
    return this.done
  }

  /** A signal: the first parks, every further one stops waiting. */
  signal(name: string, timeoutMs: number): void {
    if (this.mode === undefined) {
      this.log.info({ signal: name }, 'parking: guests keep their disks')
      void this.stop('park', timeoutMs).catch(() => undefined)
    } else {
      this.abandon(`a second signal (${name})`)
    }
  }

  private start(mode: StopMode, timeoutMs: number): void {
    this.mode = mode
    this.began = performance.now()
    this.log.info({ mode }, BEGINS[mode])
    this.timers.push(setInterval(() => this.report(mode), PROGRESS_MS))
    const expired = () => this.abandon(`the time (${formatDuration(timeoutMs)})`)
    if (timeoutMs > 0) this.timers.push(setTimeout(expired, timeoutMs))
    this.follow(mode, [])
    this.api.stop(mode).then(
      (outcome) => this.over(outcome),
      (error: unknown) => {
        this.clear()
        this.fail(error)
      },
    )
  }

  private report(mode: StopMode): void {
    const pending = this.api.pending()
    this.follow(mode, pending)
    for (const listener of this.listeners) listener({ pending })
  }

  private abandon(why: string): void {
    if (this.abandoned) return
    this.abandoned = true
    const pending = this.api.pending()
    const seconds = Math.round((performance.now() - this.began) / 1000)
    this.log.warn({ pending, seconds }, `${why} ends the wait of ${seconds} s for ${pendingText(pending)}`)
    this.timers.push(setTimeout(() => this.over(this.outcomeWithoutAnswer()), GRACE_MS))
    this.api.abandonStop()
  }

  private outcomeWithoutAnswer(): StopOutcome {
    const left = this.api.pending()
    return { mode: this.mode ?? 'park', devices: left.length, left, held: { rings: 0, channels: 0, grants: 0 } }
  }

  private over(outcome: StopOutcome): void {
    this.clear()
    this.finish(outcome)
  }

  private clear(): void {
    for (const timer of this.timers) clearTimeout(timer)
    this.timers.length = 0
  }
}

/** The status with which a process ends: 0, 75 when something was left, 70 when something is still held. */
export function statusOf({ left, held }: StopOutcome): number {
  if (left.length > 0) return 75
  return held.rings + held.channels + held.grants === 0 ? 0 : 70
}
