/**
 * @packageDocumentation
 * A thread of `xbbd simulate`: plays the seeds that it is given and posts their sums. It knows nothing of the others.
 */
import { parentPort } from 'node:worker_threads'
import type { SeedsMessage } from './messages.js'
import { playSeeds } from './play-seeds.js'

parentPort?.on('message', (message: SeedsMessage) => {
  void playSeeds(message).then((sum) => parentPort?.postMessage(sum))
})
