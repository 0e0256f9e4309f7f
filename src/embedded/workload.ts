/**
 * @packageDocumentation
 * A load that checks every byte it reads. It knows of each sector which write of it was the last; a sector's bytes
 * follow from its number and the number of that write (block-contents.ts), so a read that returns an older write,
 * another sector's bytes or a flipped bit is found at once, with the sector's name. What was never written, or was
 * discarded, is not known and not compared.
 *
 * `depth` calls are in flight. Two that overlap, one of them writing, never are: their order would not be defined, and
 * nothing could be checked. A write that fails leaves its sectors unknown.
 */
import type { Clock } from '../ports/clock.js'
import { codeOf, sentenceOf } from '../protocol/errors.js'
import { SECTOR_WORDS, WriteCounts, fillSector, holdsSector, mixed } from './block-contents.js'
import type { BlockDevice } from './block-device.js'
import { LatencyHistogram } from './latency.js'

const SECTOR = 512

export interface WorkloadOptions {
  readonly device: BlockDevice
  readonly clock: Clock
  readonly seed: number
  /** Calls in flight; default 32. */
  readonly depth?: number
  /** Ends after so many calls, or after this time, whichever is first; one of them must be given. */
  readonly count?: number
  readonly durationMs?: number
  /** Bytes of the disk that are used, from its beginning; default all, at most 1 GiB. */
  readonly spanBytes?: number
  /** How often each sector was written; loads on one disk share them. Without them the seed stands for the past. */
  readonly counts?: WriteCounts
  /** Largest call; default 64 KiB. */
  readonly maxBytes?: number
  /** Shares of the calls; reads and writes default to 50 each, the others to 0. */
  readonly mix?: { readonly read?: number; readonly write?: number; readonly flush?: number; readonly trim?: number }
  /** Called about ten times a second, with figures that go on growing. */
  readonly onProgress?: (figures: WorkloadFigures) => void
}

export interface WorkloadFigures {
  readonly reads: number
  readonly writes: number
  readonly flushes: number
  readonly trims: number
  readonly bytesRead: number
  readonly bytesWritten: number
  /** Sectors whose contents were compared. */
  readonly sectorsVerified: number
  /** Calls that the device rejected. */
  readonly errors: number
  readonly elapsedMs: number
  readonly iops: number
  readonly bytesPerSecond: number
  readonly latencyUs: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number }
}

export interface WorkloadResult extends WorkloadFigures {
  /** Every byte was right and nothing was rejected. */
  readonly ok: boolean
  /** What was found first, in one sentence. */
  readonly finding?: string
}

type Kind = 'read' | 'write' | 'flush' | 'trim'

class Workload {
  readonly #options: WorkloadOptions
  readonly #device: BlockDevice
  readonly #unit: number
  readonly #units: number
  readonly #counts: WriteCounts
  /** Per sector of 512 bytes: 1 when it holds what its last write put there. */
  readonly #known: Uint8Array
  /** Per unit: -1 being written, else how many read it. */
  readonly #busy: Int16Array
  readonly #latency = new LatencyHistogram()
  readonly #began: number
  readonly #shares: readonly (readonly [Kind, number])[]
  readonly #figuresSoFar = {
    reads: 0, writes: 0, flushes: 0, trims: 0, bytesRead: 0, bytesWritten: 0, sectorsVerified: 0, errors: 0,
  }
  #random: number
  #calls = 0
  #finding: string | undefined
  #told: number

  constructor(options: WorkloadOptions) {
    const { device, spanBytes = 1 << 30, mix = {}, clock, seed } = options
    this.#options = options
    this.#device = device
    this.#unit = Math.max(SECTOR, device.sectorSize)
    this.#units = Math.floor(Math.min(spanBytes, device.sizeBytes) / this.#unit)
    const sectors = (this.#units * this.#unit) / SECTOR
    this.#counts = options.counts ?? new WriteCounts(sectors, mixed(seed, 1) & 0xffffff)
    this.#known = new Uint8Array(sectors)
    this.#busy = new Int16Array(this.#units)
    this.#random = seed | 0
    this.#began = this.#told = clock.nowNs()
    const { read = 50, write = device.readOnly ? 0 : 50, flush = 0, trim = 0 } = mix
    this.#shares = [
      ['read', read], ['write', write], ['flush', device.canFlush ? flush : 0], ['trim', device.canTrim ? trim : 0],
    ]
  }

  async run(): Promise<WorkloadResult> {
    const workers = Array.from({ length: this.#options.depth ?? 32 }, () => this.#work())
    await Promise.all(workers)
    const figures = this.#figures()
    const ok = this.#finding === undefined && figures.errors === 0
    return { ...figures, ok, ...(this.#finding === undefined ? {} : { finding: this.#finding }) }
  }

  #next(below: number): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0
    return ((mixed(this.#random, this.#options.seed) >>> 0) / 2 ** 32) * below
  }

  #over(): boolean {
    const { count = Infinity, durationMs = Infinity, clock } = this.#options
    if (this.#finding !== undefined || this.#calls >= count) return true
    return durationMs !== Infinity && clock.nowNs() - this.#began >= durationMs * 1e6
  }

  async #work(): Promise<void> {
    while (!this.#over()) {
      this.#calls++
      const kind = this.#kind()
      const range = kind === 'flush' ? { from: 0, units: 0 } : this.#claim(kind)
      if (!range) {
        // Everything that chance proposed was busy: let the others finish something first.
        this.#calls--
        await new Promise<void>((resolve) => setImmediate(resolve))
        continue
      }
      const began = this.#options.clock.nowNs()
      try {
        await this.#call(kind, range.from, range.units)
      } catch (error) {
        this.#failed(kind, range.from, error)
      }
      this.#release(kind, range.from, range.units)
      const now = this.#options.clock.nowNs()
      this.#latency.add(now - began)
      this.#tell(now)
    }
  }

  #kind(): Kind {
    const total = this.#shares.reduce((sum, [, share]) => sum + share, 0)
    let at = this.#next(total)
    for (const [kind, share] of this.#shares) {
      if (at < share) return kind
      at -= share
    }
    return 'read'
  }

  #claim(kind: Kind): { from: number; units: number } | undefined {
    const most = Math.max(1, Math.min(Math.floor((this.#options.maxBytes ?? 65_536) / this.#unit), this.#units))
    for (let attempt = 0; attempt < 8; attempt++) {
      const units = 1 + Math.floor(this.#next(most))
      const from = Math.floor(this.#next(this.#units - units + 1))
      const busy = this.#busy.subarray(from, from + units)
      if (busy.some((state) => (kind === 'read' ? state < 0 : state !== 0))) continue
      for (let index = 0; index < units; index++) busy[index] += kind === 'read' ? 1 : -1
      return { from, units }
    }
    return undefined
  }

  #release(kind: Kind, from: number, units: number): void {
    for (let index = from; index < from + units; index++) this.#busy[index] += kind === 'read' ? -1 : 1
  }

  async #call(kind: Kind, from: number, units: number): Promise<void> {
    const offset = from * this.#unit
    const length = units * this.#unit
    if (kind === 'flush') {
      await this.#device.flush()
      this.#figuresSoFar.flushes++
    } else if (kind === 'trim') {
      this.#know(offset, length, false)
      await this.#device.trim(offset, length)
      this.#figuresSoFar.trims++
    } else if (kind === 'write') {
      this.#know(offset, length, false)
      await this.#device.write(offset, this.#contents(offset, length))
      this.#know(offset, length, true)
      this.#figuresSoFar.writes++
      this.#figuresSoFar.bytesWritten += length
    } else {
      this.#check(offset, await this.#device.read(offset, length))
      this.#figuresSoFar.reads++
      this.#figuresSoFar.bytesRead += length
    }
  }

  #failed(kind: Kind, from: number, error: unknown): void {
    this.#figuresSoFar.errors++
    const sector = (from * this.#unit) / SECTOR
    this.#finding ??= `a ${kind} at sector ${sector} failed: ${codeOf(error) ?? 'error'}: ${sentenceOf(error)}`
  }

  #know(offset: number, length: number, known: boolean): void {
    this.#known.fill(known ? 1 : 0, offset / SECTOR, (offset + length) / SECTOR)
  }

  #contents(offset: number, length: number): Buffer {
    const data = Buffer.allocUnsafeSlow(length)
    const words = new Int32Array(data.buffer)
    for (let sector = offset / SECTOR, at = 0; at < words.length; sector++, at += SECTOR_WORDS)
      fillSector(words, at, sector, this.#counts.next(sector))
    return data
  }

  #check(offset: number, data: Buffer): void {
    // A copy only where the buffer does not begin on a word.
    const aligned = data.byteOffset % 4 === 0 ? data : Buffer.from(new Uint8Array(data).buffer)
    const words = new Int32Array(aligned.buffer, aligned.byteOffset, data.length / 4)
    for (let at = 0; at < words.length && this.#finding === undefined; at += SECTOR_WORDS) {
      const sector = offset / SECTOR + at / SECTOR_WORDS
      if (this.#known[sector] === 0) continue
      const count = this.#counts.of(sector)
      this.#figuresSoFar.sectorsVerified++
      if (holdsSector(words, at, sector, count)) continue
      const [reads, of] = [words[at] >>> 0, words[at + 1] >>> 0]
      const headed = reads === sector && of === count
      this.#finding =
        `sector ${sector} was written as version ${count} and read back as sector ${reads}, version ${of}` +
        (headed ? ', but with other bytes' : '')
    }
  }

  #tell(now: number): void {
    if (!this.#options.onProgress || now - this.#told < 1e8) return
    this.#told = now
    this.#options.onProgress(this.#figures())
  }

  #figures(): WorkloadFigures {
    const seconds = Math.max(1e-9, (this.#options.clock.nowNs() - this.#began) / 1e9)
    const { reads, writes, flushes, trims, bytesRead, bytesWritten } = this.#figuresSoFar
    return {
      ...this.#figuresSoFar,
      elapsedMs: seconds * 1000,
      iops: (reads + writes + flushes + trims) / seconds,
      bytesPerSecond: (bytesRead + bytesWritten) / seconds,
      latencyUs: this.#latency.summaryUs(),
    }
  }
}

/** Runs the load until its count or time is over, or something is wrong. Resolves when nothing is in flight. */
export function runWorkload(options: WorkloadOptions): Promise<WorkloadResult> {
  return new Workload(options).run()
}
