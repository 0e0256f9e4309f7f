/**
 * @packageDocumentation
 * The Worker beside a hostile life: it writes into entries and descriptors while they are read, as a second processor of
 * the guest would, until its stop word is set. The ring's indices it leaves alone: each lie about those ends a life.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { giveBack, view } from '../../../src/io/native/owners.js'
import { Random } from '../../../src/sim/random.js'

export interface ScribblerData {
  readonly ring: number
  readonly memory: number
  /** Words of the guest's memory that hold descriptors. */
  readonly from: number
  readonly to: number
  readonly seed: number
  readonly stop: Int32Array
}

const HEADER_WORDS = 16
const data = workerData as ScribblerData
const random = new Random(data.seed)
const ring = new Int32Array(view(data.ring))
const memory = new Int32Array(view(data.memory))
while (Atomics.load(data.stop, 0) === 0) {
  for (let burst = 0; burst < 256; burst++) {
    const word = HEADER_WORDS + random.below(ring.length - HEADER_WORDS)
    ring[word] ^= 1 << random.below(32)
    if ((burst & 7) === 0) memory[data.from + random.below(data.to - data.from)] = random.below(512)
  }
  Atomics.wait(data.stop, 0, 0, 0.05)
}
giveBack(data.ring)
giveBack(data.memory)
parentPort?.postMessage('ended')
