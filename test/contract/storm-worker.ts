/** A guest that kicks beside us: what rig/guest/peer.c does in a domU, in a Worker. */
import { parentPort, workerData } from 'node:worker_threads'
import { view } from '../../src/io/native/owners.js'
import { eventfdWrite } from '../../src/io/native/shm.js'

const { kick, page } = workerData as { kick: number; page: number }
const words = new Int32Array(view(page))

parentPort?.on('message', ({ kicks, pauseUs, seed }: { kicks: number; pauseUs: number; seed: number }) => {
  let chance = seed
  for (let count = 1; count <= kicks; count++) {
    Atomics.store(words, 0, count)
    eventfdWrite(kick)
    chance = (Math.imul(chance, 1103515245) + 12345) >>> 0
    const end = performance.now() + ((chance >>> 8) % Math.max(1, pauseUs)) / 1000
    while (performance.now() < end);
  }
  Atomics.store(words, 1, kicks)
})
