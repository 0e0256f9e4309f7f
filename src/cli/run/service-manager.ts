/**
 * @packageDocumentation
 * The service manager above this process, if one asks to be told how it fares (sd_notify(3), sd_watchdog_enabled(3)):
 *
 *   NOTIFY_SOCKET                 where it listens: a path, or @name for an abstract socket
 *   WATCHDOG_USEC, WATCHDOG_PID   how often it wants a sign of life, and from which process
 *
 * All three leave the environment, so that nothing this process starts speaks in its name. Without NOTIFY_SOCKET every
 * call does nothing and costs nothing. A message that must arrive (READY, RELOADING, STOPPING) is sent again, in order,
 * while the manager's queue is full; one that is soon out of date is dropped then, and the caller hears of it.
 */
import { sendDatagram } from '../../io/native/notify.js'
import type { Clock } from '../../ports/clock.js'
import { sentenceOf } from '../../protocol/errors.js'
import { printable } from '../table.js'

/** `READY=1` and its like: names and values of one message. */
export type Fields = Readonly<Record<string, string | number>>

export interface ServiceManagerParts {
  readonly environment: NodeJS.ProcessEnv
  readonly pid: number
  readonly clock: Clock
  /** Told once when nobody listens at NOTIFY_SOCKET. */
  readonly warn: (sentence: string) => void
  readonly send?: typeof sendDatagram
}

const AGAIN_MS = 100
const WAITING_MAX = 16
/** Longer than any watchdog that means something, and within what a timer can. */
const WATCHDOG_USEC_MAX = 3_600_000_000

export class ServiceManager {
  /** Microseconds within which a sign of life is expected; undefined when none is. */
  readonly watchdogUsec: number | undefined
  private readonly parts: ServiceManagerParts
  private readonly address: string
  private readonly waiting: string[] = []
  private cancelAgain: (() => void) | undefined
  private deaf = false

  constructor(parts: ServiceManagerParts) {
    this.parts = parts
    const { NOTIFY_SOCKET: address = '', WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = parts.environment
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete parts.environment[name]
    this.address = /^[/@]./.test(address) ? address : ''
    // 2^64 - 1, which has a digit more, means never
    const wanted = usec !== undefined && /^[1-9]\d{0,18}$/.test(usec) ? Number(usec) : undefined
    const ours = watched === undefined || Number(watched) === parts.pid
    if (this.listens && ours && wanted !== undefined) this.watchdogUsec = Math.min(wanted, WATCHDOG_USEC_MAX)
  }

  /** What a process that succeeds this one finds in its environment. */
  get heirloom(): NodeJS.ProcessEnv {
    if (!this.listens) return {}
    return { NOTIFY_SOCKET: this.address, ...(this.watchdogUsec && { WATCHDOG_USEC: `${this.watchdogUsec}` }) }
  }

  /** Whether there is somebody to tell. */
  get listens(): boolean {
    return this.address !== ''
  }

  /** Sends one message now. @returns false when it was dropped because the manager's queue is full. */
  tell(fields: Fields): boolean {
    if (!this.listens) return true
    return this.waiting.length === 0 && this.attempt(textOf(fields))
  }

  /** Sends one message now or, when the queue is full, as soon as it has room; those told so arrive in order. */
  insist(fields: Fields): void {
    if (!this.listens) return
    const text = textOf(fields)
    if (this.waiting.length === 0 && this.attempt(text)) return
    this.waiting.push(text)
    if (this.waiting.length > WAITING_MAX) this.waiting.shift()
    this.cancelAgain ??= this.parts.clock.after(AGAIN_MS, () => this.again())
  }

  /** Forgets what could not be sent. */
  close(): void {
    this.cancelAgain?.()
    this.waiting.length = 0
  }

  private again(): void {
    this.cancelAgain = undefined
    while (this.waiting.length > 0 && this.attempt(this.waiting[0])) this.waiting.shift()
    if (this.waiting.length > 0) this.cancelAgain = this.parts.clock.after(AGAIN_MS, () => this.again())
  }

  private attempt(text: string): boolean {
    try {
      return (this.parts.send ?? sendDatagram)(this.address, text)
    } catch (error) {
      // Nobody to tell is no reason to stop serving disks; the manager will draw its own conclusions.
      if (!this.deaf) this.parts.warn(`the service manager at ${this.address} cannot be told: ${sentenceOf(error)}`)
      this.deaf = true
      return true
    }
  }
}

const TEXT_BYTES_MAX = 4095

/** One `NAME=value` a line. Values keep to their line, and the whole to what one datagram may hold. */
function textOf(fields: Fields): string {
  const text = Object.entries(fields).map(([name, value]) => `${name}=${printable(String(value))}`).join('\n')
  return Buffer.byteLength(text) <= TEXT_BYTES_MAX ? text : `${text.slice(0, TEXT_BYTES_MAX / 4)}…`
}
