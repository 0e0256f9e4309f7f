/**
 * @packageDocumentation
 * A queue's port onto an NBD export: the client's half of the transmission, and what makes a lost connection a pause.
 * When to connect, to go on and to give up is not decided here; a chart orders it (machines/connection.machine.ts).
 *
 *   submit ─► HeldRequests ─► parts ─► link ─► server            connect ─► flush, once ─► replay the log ─► live
 *   reap ◄── results ◄── last part of a request ◄── ReplyReader ◄┘         lost: everything held waits again
 *
 * Durability. With a log (write-log.ts) what was acknowledged and not flushed is sent again after a loss. Without one
 * every write is made durable before it is acknowledged (FUA); where the server cannot, a loss means that no flush
 * succeeds any more, which the queue takes for a lost sync.
 *
 * What must never happen: a read answered of which a byte did not come; a flush answered after a write was forgotten.
 */
import { IO_DISCARD, IO_READ, IO_SYNC, IO_WORDS, IO_WRITE, IO_WRITE_ZEROES } from '../../../ports/data-path.js'
import type {
  BufferArena, ConnectionOrder, ConnectionReport, MediumPort, PortConnection,
} from '../../../ports/data-path.js'
import type { Clock } from '../../../ports/clock.js'
import type { MediumPlan } from '../../../ports/medium.js'
import { assert } from '../../../protocol/errors.js'
import * as nbd from '../../../protocol/nbd.js'
import { EIO, INSTANT_DEPTH, ResultQueue, refusalOf } from '../requests.js'
import { errnoOf, partLimits, durabilityOf, whyOther } from './abilities.js'
import { HeldRequests } from './held-requests.js'
import { NbdLink, type LinkEnd } from './link.js'
import { OWNER_FLUSH, OWNER_REPLAY, PartTable } from './parts.js'
import { ReplyReader, type ReplySink } from './reply-reader.js'
import { WriteLog } from './write-log.js'

export type NbdPlan = Extract<MediumPlan, { kind: 'nbd' }>

/** What is written where a server has no WRITE_ZEROES. */
const ZERO_BYTES = 256 << 10
const zeroes = new Uint8Array(ZERO_BYTES)
const nothing = new Uint8Array(0)

/** `flushing`, `replaying`: connected and ordered to go on, and not there yet. */
type Phase = 'apart' | 'connected' | 'flushing' | 'replaying' | 'live' | 'failed'

export class NbdPort implements MediumPort, PortConnection, ReplySink {
  private readonly plan: NbdPlan
  private readonly arena: BufferArena
  private readonly clock: Clock
  private readonly held: HeldRequests
  private readonly parts: PartTable
  private readonly results: ResultQueue
  private readonly limits: ReturnType<typeof partLimits>
  private readonly durability: ReturnType<typeof durabilityOf>
  private log: WriteLog | undefined
  private link: NbdLink | undefined
  private reader: ReplyReader | undefined
  private phase: Phase = 'apart'
  /** A flush of our own is under way, and of the log so much has been sent again. */
  private flushing = false
  private replayed = 0
  private replaying = 0
  /** What predecessors wrote is flushed once: their logs are gone. */
  private inherited: boolean
  /** Acknowledged and not known to be durable, where there is no log. */
  private dirty = false
  private syncLost = false
  /** Where the data goes that comes next. */
  private target = 0
  private armed = false
  private listener: () => void = () => undefined
  private report: (report: ConnectionReport) => void = () => undefined

  constructor(plan: NbdPlan, arena: BufferArena, clock: Clock) {
    const depth = Math.min(plan.depth, INSTANT_DEPTH)
    this.plan = plan
    this.arena = arena
    this.clock = clock
    this.held = new HeldRequests(depth)
    this.parts = new PartTable(depth + 1)
    this.results = new ResultQueue(depth)
    this.limits = partLimits(plan, ZERO_BYTES)
    this.durability = durabilityOf(plan)
    this.inherited = this.durability.flushes
    if (this.durability.logs) this.log = new WriteLog(plan.replayBytes)
  }

  get connection(): PortConnection {
    return this
  }

  get inFlight(): number {
    return this.held.count + this.results.count
  }

  submit(requests: Int32Array, count: number): number {
    let taken = 0
    for (; taken < count && this.inFlight < this.results.capacity; taken++) {
      const base = taken * IO_WORDS
      const refusal = refusalOf(requests, base, this.plan.geometry, this.arena.bytes.length)
      if (refusal !== 0 || this.phase === 'failed') this.results.push(requests[base + 1], refusal || -EIO)
      else this.held.take(requests, base)
    }
    this.pump()
    return taken
  }

  reap(results: Int32Array, max: number): number {
    return this.results.drain(results, max)
  }

  onReady(listener: () => void): void {
    this.listener = listener
  }

  arm(): boolean {
    this.armed = this.results.count === 0
    return !this.armed
  }

  /** What the server has in its cache only is flushed behind us, if it is there. */
  close(): void {
    assert(this.inFlight === 0, 'a medium is closed with requests in flight')
    if (this.phase === 'live' && this.log?.isEmpty === false && !this.flushing) this.flushForLog()
    this.phase = 'failed'
    this.link?.close()
    this.link = undefined
  }

  onReport(listener: (report: ConnectionReport) => void): void {
    this.report = listener
  }

  order(order: ConnectionOrder): void {
    if (this.phase === 'failed') return
    if (order === 'connect' && this.link === undefined) this.connect()
    else if (order === 'resume' && this.phase === 'connected') this.resume()
    else if (order === 'fail') this.fail()
    this.wake()
  }

  private connect(): void {
    this.link = new NbdLink(this.plan.address, 'serve', this.clock, {
      opened: (end) => this.opened(end),
      refused: (sentence, later) => {
        this.link = undefined
        this.report({ type: 'port.refused', sentence, final: !later })
      },
      data: (bytes) => this.arrived(bytes),
      lost: (sentence, ended) => this.lose(sentence, ended),
    })
  }

  private opened(end: LinkEnd): void {
    const other = whyOther(this.plan, end.export)
    if (other !== undefined) {
      this.dropLink()
      return this.report({ type: 'port.refused', sentence: other, final: true })
    }
    this.reader = new ReplyReader(this, end.structured)
    this.phase = 'connected'
    this.report({ type: 'port.connected' })
  }

  private resume(): void {
    this.replayed = this.log?.first ?? 0
    this.phase = this.inherited ? 'flushing' : 'replaying'
    this.pump()
  }

  private arrived(bytes: Uint8Array): void {
    const { link } = this
    const complaint = this.reader?.feed(bytes)
    if (complaint !== undefined && this.link === link) this.lose(complaint, false)
    this.pump()
    this.wake()
  }

  /** Whatever was under way is to be sent again, from its first byte. */
  private lose(sentence: string, ended: boolean): void {
    if (this.link === undefined) return
    this.dropLink()
    if (this.dirty) this.syncLost = true
    this.report({ type: 'port.lost', sentence, ended })
  }

  private dropLink(): void {
    this.link?.destroy()
    this.link = this.reader = undefined
    this.phase = 'apart'
    this.flushing = false
    this.replaying = 0
    this.parts.forEach((place) => {
      if (this.parts.logged[place] >= 0) this.log?.unreserve(this.parts.logged[place])
      this.parts.release(place)
    })
    this.held.startOver()
  }

  private fail(): void {
    this.dropLink()
    this.phase = 'failed'
    for (const token of this.held.clear()) this.results.push(token, -EIO)
  }

  private wake(): void {
    if (!this.armed || this.results.count === 0) return
    this.armed = false
    this.listener()
  }

  /** Sends whatever may be sent now, in one piece. */
  private pump(): void {
    if (this.link === undefined || this.phase === 'connected') return
    this.link.cork()
    if (this.phase === 'flushing' && !this.flushing) this.flushForLog()
    if (this.phase === 'replaying') this.replay()
    if (this.phase === 'live') this.issueAll()
    this.link.uncork()
  }

  private issueAll(): void {
    for (let request = this.held.next; request >= 0; request = this.held.next) {
      if (!this.issueNext(request)) break
      // One of its parts failed: the rest is not asked for.
      if (this.held.error[request] !== 0) this.held.cursor[request] = this.held.length[request]
      if (this.held.cursor[request] === this.held.length[request]) this.held.advance()
      if (this.held.open[request] === 0) this.complete(request)
    }
    if (this.log?.isHalfFull === true && !this.flushing && this.parts.hasRoom) this.flushForLog()
  }

  /** The next part of a request. @returns false when there is no room for it now. */
  private issueNext(request: number): boolean {
    const { held } = this
    const op = held.op[request]
    if (op === IO_SYNC) return this.issueSync(request)
    if (held.error[request] !== 0) return true
    const done = held.cursor[request]
    const length = Math.min(held.length[request] - done, this.limits[op])
    const at = held.at[request] + done
    const data = op === IO_WRITE ? this.arena.bytes.subarray(at, at + length) : nothing
    const logs = changes(op) && this.log !== undefined
    if (!this.parts.hasRoom || (logs && !this.log?.reserve(data.length))) return false
    const place = this.send(request, op, held.offset[request] + done, length, [data])
    if (logs) this.parts.logged[place] = data.length
    held.cursor[request] += length
    held.open[request]++
    return true
  }

  /** Nothing to do for it where nothing is kept back, and nothing to promise where something is lost. */
  private issueSync(request: number): boolean {
    if (this.syncLost) this.held.error[request] = -EIO
    else if (this.durability.flushes && !this.parts.hasRoom) return false
    else if (this.durability.flushes) {
      this.parts.mark[this.send(request, IO_SYNC, 0, 0, [])] = this.log?.end ?? 0
      this.held.open[request]++
    }
    this.held.length[request] = this.held.cursor[request] = 0
    return true
  }

  private flushForLog(): void {
    this.flushing = true
    this.parts.mark[this.send(OWNER_FLUSH, IO_SYNC, 0, 0, [])] = this.log?.end ?? 0
  }

  /** In the order in which they were acknowledged; one that touches another that is under way waits for it. */
  private replay(): void {
    const { log, parts } = this
    while (log !== undefined && this.replayed < log.end && parts.hasRoom) {
      const entry = this.replayed
      if (parts.touch(log.offset(entry), log.length(entry))) break
      this.replayed++
      this.send(OWNER_REPLAY, log.op(entry), log.offset(entry), log.length(entry), log.pieces(entry))
      this.replaying++
    }
    if (this.replaying === 0 && (log === undefined || this.replayed === log.end)) this.phase = 'live'
  }

  private send(owner: number, op: number, offset: number, length: number, data: readonly Uint8Array[]): number {
    const { durability, parts, link } = this
    const command = durability.commands[op]
    const emulated = op === IO_WRITE_ZEROES && command === nbd.CMD_WRITE
    const place = parts.take(owner, op, command, offset, length)
    link?.write(parts.header(place, changes(op) && durability.fua ? nbd.CMD_FLAG_FUA : 0))
    for (const piece of emulated ? [zeroes.subarray(0, length)] : data) if (piece.length > 0) link?.write(piece)
    return place
  }

  // What the reader asks and tells.

  answer(place: number, serial: number, error: number): number {
    if (!this.parts.isWaiting(place, serial)) return -1
    const reads = this.parts.command[place] === nbd.CMD_READ
    if (error !== 0) return this.error(place, serial, error) ? 0 : -1
    if (!reads) return 0
    return this.data(place, serial, this.parts.offset[place], this.parts.length[place]) ? this.parts.length[place] : -1
  }

  data(place: number, serial: number, offset: number, length: number): boolean {
    const { parts, held } = this
    if (!parts.isWaiting(place, serial) || parts.command[place] !== nbd.CMD_READ) return false
    if (!parts.cover(place, offset, length)) return false
    const request = parts.owner[place]
    this.target = held.at[request] + (offset - held.offset[request])
    return true
  }

  hole(place: number, serial: number, offset: number, length: number): boolean {
    if (!this.data(place, serial, offset, length)) return false
    this.arena.bytes.fill(0, this.target, this.target + length)
    return true
  }

  error(place: number, serial: number, error: number): boolean {
    if (!this.parts.isWaiting(place, serial)) return false
    this.parts.error[place] ||= error
    return true
  }

  bytes(piece: Uint8Array): void {
    this.arena.bytes.set(piece, this.target)
    this.target += piece.length
  }

  done(place: number, serial: number): boolean {
    const { parts } = this
    if (!parts.isWaiting(place, serial)) return false
    const error = parts.error[place]
    if (error === 0 && parts.command[place] === nbd.CMD_READ && !parts.isCovered(place)) return false
    // Said of a server that ends: what it does not do any more is asked of its successor.
    if (error === nbd.ERROR_SHUTDOWN) {
      this.lose('the server is shutting down', false)
      return true
    }
    this.settle(place, errnoOf(error))
    return true
  }

  private settle(place: number, error: number): void {
    const { parts, held } = this
    const [owner, op] = [parts.owner[place], parts.op[place]]
    if (op === IO_SYNC) this.flushed(parts.mark[place], error)
    if (changes(op) && owner !== OWNER_REPLAY) this.changed(place, error)
    parts.release(place)
    if (owner === OWNER_FLUSH) return this.ownFlushEnded()
    if (owner === OWNER_REPLAY) {
      this.replaying--
      if (error !== 0) this.loseSync()
      return
    }
    held.open[owner]--
    held.error[owner] ||= error
    const issued = held.cursor[owner] === held.length[owner]
    if (held.open[owner] === 0 && issued) this.complete(owner)
  }

  private ownFlushEnded(): void {
    this.flushing = this.inherited = false
    if (this.phase === 'flushing') this.phase = 'replaying'
  }

  /** A change was acknowledged, or refused: perhaps done in part, which its request's answer says. */
  private changed(place: number, error: number): void {
    const { parts, log } = this
    const reserved = parts.logged[place]
    if (error !== 0 && reserved >= 0) log?.unreserve(reserved)
    if (error !== 0) return
    if (reserved < 0) this.dirty = this.durability.flushes && !this.durability.fua
    else log?.append(parts.op[place], parts.offset[place], parts.length[place], this.written(place))
  }

  /** The bytes of a write, as they still lie in the arena. */
  private written(place: number): Uint8Array {
    const { parts, held } = this
    if (parts.op[place] !== IO_WRITE) return nothing
    const request = parts.owner[place]
    const at = held.at[request] + (parts.offset[place] - held.offset[request])
    return this.arena.bytes.subarray(at, at + parts.length[place])
  }

  private flushed(mark: number, error: number): void {
    if (error !== 0) return this.loseSync()
    this.log?.forget(mark)
    this.dirty = false
  }

  /** Nothing is known to be durable any more, and there is nothing that could be sent again to make it so. */
  private loseSync(): void {
    this.syncLost = true
    this.log?.forget(this.log.end)
  }

  private complete(request: number): void {
    const { held } = this
    const op = held.op[request]
    const moved = op === IO_READ || op === IO_WRITE ? held.length[request] : 0
    this.results.push(held.token[request], held.error[request] || moved)
    held.release(request)
  }
}

const changes = (op: number) => op === IO_WRITE || op === IO_DISCARD || op === IO_WRITE_ZEROES
