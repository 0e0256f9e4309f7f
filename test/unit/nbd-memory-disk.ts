/**
 * @packageDocumentation
 * A disk in memory for the NBD server's tests: it answers asynchronously and out of order when told to, can be made to
 * fail, and counts what it was asked for.
 */
import type { BlockDevice } from '../../src/embedded/block-device.js'

export class MemoryDisk implements BlockDevice {
  readonly bytes: Buffer
  readonly sectorSize: number
  readonly readOnly: boolean
  readonly canFlush = true
  readonly canTrim = true
  readonly calls = { read: 0, write: 0, flush: 0, trim: 0 }
  inFlight = 0
  mostInFlight = 0
  /** Set to a code to make every call reject with it. */
  failing: string | undefined
  /** Calls wait for this before they do anything. */
  gate: Promise<void> = Promise.resolve()

  constructor(sizeBytes: number, options: { sectorSize?: number; readOnly?: boolean } = {}) {
    this.bytes = Buffer.alloc(sizeBytes)
    this.sectorSize = options.sectorSize ?? 512
    this.readOnly = options.readOnly ?? false
  }

  get sizeBytes(): number {
    return this.bytes.length
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#run('read', () => Buffer.from(this.bytes.subarray(offset, offset + length)))
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    return this.#run('write', () => this.bytes.set(data, offset))
  }

  flush(): Promise<void> {
    return this.#run('flush', () => undefined)
  }

  trim(offset: number, length: number): Promise<void> {
    return this.#run('trim', () => void this.bytes.fill(0, offset, offset + length))
  }

  async #run<T>(kind: keyof MemoryDisk['calls'], act: () => T): Promise<T> {
    this.calls[kind]++
    this.inFlight++
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
    await this.gate
    this.inFlight--
    if (this.failing !== undefined) throw Object.assign(new Error('planted'), { code: this.failing })
    return act()
  }
}
