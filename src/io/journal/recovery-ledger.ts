/**
 * @packageDocumentation
 * How often each queue's journal was gone on from since anybody survived it: a small file in run.dir, because a journal
 * that kills takes the process that would count along. Written before each attempt, whole, and put in place by a
 * rename; a file that cannot be read counts nothing, since a wrong number must not take a guest's disk away.
 *
 *   run.dir/recoveries   { "vbd/5/51712/q0": { "attempts": 2, "sinceMs": 1790000000000 } }
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Clock } from '../../ports/clock.js'
import type { RecoveryLedger } from '../../ports/queues.js'

interface Entry {
  readonly attempts: number
  /** Of the first of them, wall clock. */
  readonly sinceMs: number
}

export class FileLedger implements RecoveryLedger {
  private readonly path: string
  private readonly clock: Pick<Clock, 'wallMs'>
  private readonly periodMs: number
  /** Read when it is first asked for: whoever takes over from a living process waits until that one writes no more. */
  private read: Map<string, Entry> | undefined

  constructor(path: string, clock: Pick<Clock, 'wallMs'>, periodMs: number) {
    this.path = path
    this.clock = clock
    this.periodMs = periodMs
  }

  private get entries(): Map<string, Entry> {
    return (this.read ??= new Map(Object.entries(read(this.path)).filter(([, entry]) => isEntry(entry))))
  }

  attempts(queue: string): number {
    const entry = this.entries.get(queue)
    return entry === undefined || this.isOld(entry) ? 0 : entry.attempts
  }

  begun(queue: string): void {
    const entry = this.entries.get(queue)
    const sinceMs = entry === undefined || this.isOld(entry) ? this.clock.wallMs() : entry.sinceMs
    this.entries.set(queue, { attempts: this.attempts(queue) + 1, sinceMs })
    this.write()
  }

  survived(queue: string): void {
    if (this.entries.delete(queue)) this.write()
  }

  private isOld({ sinceMs }: Entry): boolean {
    return Math.abs(this.clock.wallMs() - sinceMs) > this.periodMs
  }

  private write(): void {
    const fresh = `${this.path}.new`
    writeFileSync(fresh, `${JSON.stringify(Object.fromEntries(this.entries))}\n`, { mode: 0o600 })
    renameSync(fresh, this.path)
  }
}

function read(path: string): Record<string, Entry> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, Entry>) : {}
  } catch {
    return {} // never written, or not whole: nothing was counted
  }
}

function isEntry(entry: unknown): boolean {
  const { attempts, sinceMs } = (entry ?? {}) as Partial<Entry>
  return typeof attempts === 'number' && typeof sinceMs === 'number'
}
