/**
 * @packageDocumentation
 * A load that checks every byte it reads. It knows of each sector which version of its contents was written last; a
 * sector's bytes follow from seed, number and version, so a read that returns an older version, another sector's bytes
 * or a flipped bit is found at once, with the sector's name.
 *
 *   sector n, version v ► 128 words: n · v · hash(seed, n, v) …    version 0: not known (never written, discarded)
 *
 * `depth` calls are in flight. Two that overlap, one of them writing, never are: their order would not be defined, and
 * nothing could be checked. A write that fails leaves its sectors unknown.
 */
import type { Clock } from '../ports/clock.js'
import { codeOf, sentenceOf } from '../protocol/errors.js'
import type { BlockDevice } from './block-device.js'
import { LatencyHistogram } from './latency.js'

const SECTOR = 512
const WORDS = SECTOR / 4

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

/** A 32-bit mixing of two words: full avalanche, so that neighbouring sectors share nothing. */
function mixed(a: number, b: number): number {
  let value = Math.imul(a ^ (b >>> 16), 0x45d9f3b) ^ Math.imul(b, 0x119de1f3)
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d)
  return (value ^ (value >>> 13)) | 0
}

class Workload {
  readonly #options: WorkloadOptions
  readonly #device: BlockDevice
  readonly #unit: number
  readonly #units: number
  /** Per sector of 512 bytes. */
  readonly #versions: Uint32Array
  /** Per unit: -1 being written, else how many read it. */
  readonly #busy: Int16Array
  readonly #latency = new LatencyHistogram()
  readonly #began: number
  readonly #shares: readonly (readonly [Kind, number])[]
  readonly #counts = {
    reads: 0, writes: 0, flushes: 0, trims: 0, bytesRead: 0, bytesWritten: 0, sectorsVerified: 0, errors: 0,
  }
  #random: number
  #version = 0
  #calls = 0
  #finding: string | undefined
  #told: number

  constructor(options: WorkloadOptions) {
    const { device, spanBytes = 1 << 30, mix = {}, clock, seed } = options
    this.#options = options
    this.#device = device
    this.#unit = Math.max(SECTOR, device.sectorSize)
    this.#units = Math.floor(Math.min(spanBytes, device.sizeBytes) / this.#unit)
    this.#versions = new Uint32Array((this.#units * this.#unit) / SECTOR)
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
        this.#failed(kind, range.from, range.units, error)
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
      this.#counts.flushes++
    } else if (kind === 'trim') {
      this.#know(offset, length, 0)
      await this.#device.trim(offset, length)
      this.#counts.trims++
    } else if (kind === 'write') {
      const version = (this.#version = (this.#version % 0xfffffffe) + 1)
      await this.#device.write(offset, this.#contents(offset, length, version))
      this.#know(offset, length, version)
      this.#counts.writes++
      this.#counts.bytesWritten += length
    } else {
      this.#check(offset, await this.#device.read(offset, length))
      this.#counts.reads++
      this.#counts.bytesRead += length
    }
  }

  #failed(kind: Kind, from: number, units: number, error: unknown): void {
    this.#counts.errors++
    if (kind === 'write') this.#know(from * this.#unit, units * this.#unit, 0)
    const sector = (from * this.#unit) / SECTOR
    this.#finding ??= `a ${kind} at sector ${sector} failed: ${codeOf(error) ?? 'error'}: ${sentenceOf(error)}`
  }

  #know(offset: number, length: number, version: number): void {
    this.#versions.fill(version, offset / SECTOR, (offset + length) / SECTOR)
  }

  #contents(offset: number, length: number, version: number): Buffer {
    const data = Buffer.allocUnsafeSlow(length)
    const words = new Int32Array(data.buffer)
    for (let sector = offset / SECTOR, at = 0; at < words.length; sector++, at += WORDS) {
      words.fill(mixed(sector ^ this.#options.seed, version), at + 2, at + WORDS)
      words[at] = sector
      words[at + 1] = version
    }
    return data
  }

  #check(offset: number, data: Buffer): void {
    const view = new DataView(data.buffer, data.byteOffset, data.length)
    for (let at = 0; at < data.length && this.#finding === undefined; at += SECTOR) {
      const sector = (offset + at) / SECTOR
      const version = this.#versions[sector]
      if (version === 0) continue
      const body = mixed(sector ^ this.#options.seed, version)
      const headed = view.getInt32(at, true) === (sector | 0) && view.getUint32(at + 4, true) === version
      let same = headed
      for (let word = 2; word < WORDS && same; word++) same = view.getInt32(at + 4 * word, true) === body
      this.#counts.sectorsVerified++
      if (!same)
        this.#finding =
          `sector ${sector} was written as version ${version} and read back as sector ${view.getUint32(at, true)}, ` +
          `version ${view.getUint32(at + 4, true)}${headed ? ', but with other bytes' : ''}`
    }
  }

  #tell(now: number): void {
    if (!this.#options.onProgress || now - this.#told < 1e8) return
    this.#told = now
    this.#options.onProgress(this.#figures())
  }

  #figures(): WorkloadFigures {
    const seconds = Math.max(1e-9, (this.#options.clock.nowNs() - this.#began) / 1e9)
    const { reads, writes, flushes, trims, bytesRead, bytesWritten } = this.#counts
    return {
      ...this.#counts,
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
