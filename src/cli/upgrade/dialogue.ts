/**
 * @packageDocumentation
 * What a daemon and the process that is to succeed it say to each other, over a pair of sockets that the one made and
 * the other inherited. One JSON object a line; strictly in turns, so that each side always knows what comes next:
 *
 *   successor ── here (who it is) ─────────────────────────►            it runs, its configuration makes sense
 *             ◄─ rehearse (queues, places) ───────────────── daemon
 *             ── rehearsed (refusals) ─────────────────────►            could it go on from every journal?
 *             ── warm ─────────────────────────────────────►            as fast as it gets in a while
 *             ◄─ ready? ─────────────────────────────────────
 *             ── ready ────────────────────────────────────►            the daemon lets go of everything
 *             ◄─ yours ──────────────────────────────────────
 *             ── serving (since when) ─────────────────────►            the daemon ends
 *
 * Instead of any of its words the successor may say `failed`, and why. Whoever ends the connection ends the upgrade.
 * What must never happen: a wait without a bound.
 */
import type { Socket } from 'node:net'
import { sentenceOf, XbbdError } from '../../protocol/errors.js'
import { isObject, LineReader } from '../control/protocol.js'

/** A queue that the daemon serves, or what came of it. */
export interface Refusal {
  /** Absent: it is about the upgrade as a whole. */
  readonly queue?: string
  readonly sentence: string
}

export interface ResumedQueue {
  readonly queue: string
  /** When its first batch was sealed, nanoseconds of the monotonic clock; absent = it was not gone on with. */
  readonly atNs?: number
  /** The device's state when this was said. */
  readonly state: string
}

export type Word =
  | { readonly say: 'here'; readonly version: string; readonly build: string; readonly pid: number }
  | { readonly say: 'rehearse'; readonly queues: readonly string[]; readonly places: Readonly<Record<string, string>> }
  | { readonly say: 'rehearsed'; readonly refusals: readonly Refusal[] }
  | { readonly say: 'warm' | 'ready?' | 'ready' }
  | { readonly say: 'yours'; readonly queues: readonly string[] }
  | { readonly say: 'serving'; readonly resumed: readonly ResumedQueue[] }
  | { readonly say: 'failed'; readonly sentence: string; readonly exitCode: number }

export type Said<Say extends Word['say']> = Extract<Word, { readonly say: Say }>

export class Dialogue {
  /** Resolves when the other side has ended, or we have. */
  readonly ended: Promise<void>
  private readonly socket: Socket
  private readonly heard: Word[] = []
  private over = false
  private changed: () => void = () => undefined

  constructor(socket: Socket) {
    this.socket = socket
    const reader = new LineReader()
    socket.on('data', (chunk: Buffer) => {
      if (!reader.feed(chunk, (line) => this.receive(line))) socket.destroy()
    })
    socket.on('error', () => socket.destroy()) // a peer that died: 'close' says so
    this.ended = new Promise((resolve) => {
      socket.on('end', () => socket.destroy())
      socket.on('close', () => {
        this.over = true
        this.changed()
        resolve()
      })
    })
  }

  say(word: Word): void {
    if (this.socket.writable) this.socket.write(`${JSON.stringify(word)}\n`)
  }

  /** The next word, which must be that one. Rejects with XbbdError when it is another, or none comes in time. */
  async hear<Say extends Word['say']>(say: Say, withinMs: number): Promise<Said<Say>> {
    const word = await this.next(withinMs)
    if (word?.say === say) return word as Said<Say>
    if (word?.say === 'failed') throw new XbbdError('XBBD_SUCCESSOR', word.sentence, { exitCode: word.exitCode })
    const seconds = `${Math.round(withinMs / 1000)} s`
    const why = word ? `said «${word.say}»` : this.over ? 'ended' : `said nothing within ${seconds}`
    throw new XbbdError('XBBD_SUCCESSOR', `the other process ${why} where «${say}» was to come`, { exitCode: 75 })
  }

  /** Says no more; the other side ends for that. */
  end(): void {
    this.socket.end()
  }

  private async next(withinMs: number): Promise<Word | undefined> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.changed()
    }, withinMs)
    try {
      while (this.heard.length === 0 && !this.over && !late)
        await new Promise<void>((resolve) => void (this.changed = resolve))
      return this.heard.shift()
    } finally {
      clearTimeout(timer)
    }
  }

  private receive(line: string): void {
    const word = wordOf(line)
    if (word === undefined) return void this.socket.destroy()
    this.heard.push(word)
    this.changed()
  }
}

/** Two versions of one program speak here; what the other does not know is no word. */
function wordOf(line: string): Word | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) && typeof value.say === 'string' ? (value as unknown as Word) : undefined
  } catch {
    return undefined
  }
}

/** `error` as the successor says it. */
export function failedWord(error: unknown): Word {
  const exitCode = error instanceof XbbdError ? error.exitCode : 70
  return { say: 'failed', sentence: sentenceOf(error), exitCode }
}
